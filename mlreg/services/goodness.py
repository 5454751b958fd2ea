"""Which earlier states of the traffic were good, for a rollback that no person makes.

Good is what stood for its bake time without a critical alert. Where nothing has stood so long, the
newest state is taken that no alert and no gate speaks against: to stay with what is known to be
broken would be worse.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from mlreg.clock import HOUR, MINUTE, format_duration, parse_duration, to_micros
from mlreg.errors import CheckFailed, CoolingDown

if TYPE_CHECKING:
    from datetime import timedelta

    from mlreg.entities.conditions import Finding
    from mlreg.entities.traffic import Revision
    from mlreg.store.models import ModelRow
    from mlreg.store.store import Transaction
    from mlreg.store.traffic import Alarm


class Rules(NamedTuple):
    """What a policy says of rollbacks that no person makes, in microseconds.

    Attributes:
        bake: How long a state must have stood to be good.
        cool_down: How long after such a rollback there is no other.
    """

    bake: int = HOUR
    cool_down: int = 10 * MINUTE


def rules_of(document: Mapping[str, Any]) -> Rules:
    """The rules of a policy, whose section `rollback` has been checked."""
    section = document.get("rollback", {})
    given = {
        name: _micros(parse_duration(section[name])) for name in Rules._fields & section.keys()
    }
    return Rules(**given)


def _micros(length: timedelta) -> int:
    from datetime import timedelta

    return length // timedelta(microseconds=1)


def is_way_back(past: Revision, now: Revision) -> bool:
    """Whether a state is an earlier one, was no trial, and lets others answer than the present."""
    is_earlier = past.number < now.number and not past.is_trial
    return is_earlier and bool(past.live) and not past.same_answers_as(now)


class Bars(NamedTuple):
    """What speaks against earlier states.

    Attributes:
        broken: The versions that fail now, by their ids.
        convicted: Those that were taken out without a person, by the revision that did it.
        alarms: Critical alerts.
    """

    rules: Rules
    broken: frozenset[str | None]
    convicted: Mapping[int, frozenset[str | None]]
    alarms: Sequence[Alarm]

    @classmethod
    def of(
        cls, tx: Transaction, model: ModelRow, now: Revision, findings: Sequence[Finding], at: int
    ) -> Bars:
        """What speaks against earlier states of a model.

        Raises:
            CheckFailed: What a rollback of no person went back to fails as well.
            CoolingDown: There was one a short time ago.
        """
        policy = tx.decisions.policy(model)
        rules = rules_of(policy.document if policy else {})
        made = {
            revision.number: (revision, frozenset(f["model_id"] for f in evidence["findings"]))
            for revision, evidence in tx.traffic.rollbacks(model)
            if "findings" in evidence
        }
        _check_once(rules, now, [revision for revision, _ in made.values()], at)
        convicted = {number: ids for number, (_, ids) in made.items()}
        broken = frozenset(found.model_id for found in findings)
        return cls(rules, broken, convicted, tx.traffic.alarms(model.key))

    def sift(self, past: Sequence[Revision], now: Revision) -> tuple[list[Revision], list[str]]:
        """The states to return to, the best first, and why others are none.

        Args:
            past: The whole history, the newest first.
            now: The present one.
        """
        good: list[Revision] = []
        brief: list[Revision] = []
        problems: list[str] = []
        barred, end, ended, newer = set(self.broken), 0, 0, now
        for state in past:
            began = to_micros(state.created_at)
            # A change of shadows alone ends no state.
            ended = ended if state.same_answers_as(newer) else end
            end, newer = began, state
            # Who puts a version in force again after it was taken out vouches for it.
            barred |= self.convicted.get(state.number, frozenset())
            if not is_way_back(state, now):
                continue
            if any(arm.model_id in barred for arm in state.live):
                problems.append("a gate speaks against those that there are")
            elif any(alarm.concerns(state, began, ended) for alarm in self.alarms):
                problems.append(f"a critical alert fired in revision {state.number}")
            else:
                (good if ended - began >= self.rules.bake else brief).append(state)
        return good + brief, problems


def _check_once(rules: Rules, now: Revision, made: Sequence[Revision], at: int) -> None:
    """Refuse to go to and fro.

    Args:
        rules: What the policy says.
        now: The revision in force.
        made: Rollbacks that no person made, the newest first.
        at: The present instant.
    """
    if not made:
        return
    age = at - to_micros(made[0].created_at)
    if made[0].number == now.number and age < rules.bake:
        raise CheckFailed(
            f"what a gate rolled {now.model} back to, revision {now.number}, fails as well",
            hint=f"a gate rolls back once; decide by hand: mlreg history {now.model}",
        )
    if 0 <= age < rules.cool_down:
        raise CoolingDown(
            f"{now.model} was rolled back without a person {format_duration(age / 1e6)} ago",
            hint=f"the next one waits for {format_duration(rules.cool_down / 1e6)}; "
            f"by hand at once: mlreg rollback {now.model}",
        )
