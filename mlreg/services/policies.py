"""Policies: what mlreg may do for a model by itself. Each change is the next number."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from mlreg.clock import from_micros
from mlreg.entities.decisions import Policy
from mlreg.entities.policies import Applied, PolicyDifference
from mlreg.entities.traffic import Change
from mlreg.errors import InvalidInput, NotFound, PolicyMoved
from mlreg.jsonable import canonical
from mlreg.names import check_text, safe
from mlreg.services.context import Act, Context
from mlreg.services.policy_diffs import differences, split_difference
from mlreg.services.policy_files import Wanted, read_policies

if TYPE_CHECKING:
    from mlreg.services.traffic import Traffic
    from mlreg.store.models import ModelRow

_NO_CHANGE = Change()


class Policies:
    """What mlreg may do for each model."""

    def __init__(self, context: Context, traffic: Traffic) -> None:
        self._context = context
        self._traffic = traffic

    def current(self, name: str | None = None, *, number: int | None = None) -> Policy:
        """The policy in force, number 0 before the first; or the one of a number.

        Raises:
            NotFound: There is no such model, or no such policy.
        """
        with self._context.store.read() as tx:
            model = self._context.model(tx, name)
            found = tx.decisions.policy(model, number)
        if found is None:
            raise NotFound(
                f"{safe(model.name)} has no policy {number}",
                hint=f"see: mlreg policy history {safe(model.name)}",
            )
        return found

    def history(self, name: str | None = None, *, limit: int = -1) -> list[Policy]:
        """The policies of a model, the newest first."""
        with self._context.store.read() as tx:
            return tx.decisions.policies(self._context.model(tx, name), limit=limit)

    def differ(
        self, name: str | None = None, *, number: int | None = None, other: int | None = None
    ) -> PolicyDifference:
        """How a policy differs from another.

        Args:
            name: The model; None where there is only one.
            number: The one; None: the one before the other.
            other: The other; None: the one in force.
        """
        after = self.current(name, number=other)
        start = after.number - 1 if number is None else number
        before = self.current(name, number=start).document if start > 0 else {}
        return PolicyDifference(
            model=after.model,
            before=max(start, 0),
            after=after.number,
            lines=differences(before, after.document),
        )

    def rollback(
        self, name: str | None = None, *, to: int | None = None, change: Change = _NO_CHANGE
    ) -> Policy:
        """Put an earlier policy in force again, as the next number.

        Args:
            name: The model; None where there is only one.
            to: Its number, 0 for none at all; None: the one before the present.
            change: Why and by whom.

        Raises:
            NotFound: There is no such policy.
        """
        with self._context.acting(change, urgent=False) as act:
            model = self._context.model(act.tx, name)
            now = act.tx.decisions.policy_number(model.key)
            number = now - 1 if to is None else to
            past = act.tx.decisions.policy(model, number) if number > 0 else None
            if past is None and not (number == 0 and now > 0):
                raise NotFound(
                    f"{safe(model.name)} has no policy {number}",
                    hint=f"see: mlreg policy history {safe(model.name)}",
                )
            return put_policy(act, model, past.document if past else {})

    def apply(
        self,
        text: str,
        *,
        source: str = "mlreg.toml",
        expect_policy: int | None = None,
        change: Change = _NO_CHANGE,
    ) -> Applied:
        """Have policies and traffic be as a policy file says, in one transaction.

        Models that it does not name stay as they are.

        Args:
            text: The file.
            source: What the file is called in errors.
            expect_policy: The number of the policy that must be in force, if the file names one
                model.
            change: Why and by whom; with `dry_run` it only says what would change.

        Raises:
            InvalidInput: The file says something that cannot be.
            NotFound: It names a model or version that there is not.
            Conflict: The traffic is held by an experiment or a rollout, or a version cannot serve.
            PolicyMoved: Another policy is in force.
        """
        wanted = read_policies(text, source)
        if expect_policy is not None and len(wanted) != 1:
            raise InvalidInput(
                f"a policy can be expected of one model; the file names {len(wanted)}"
            )
        with self._context.acting(change, urgent=False) as act:
            found = tuple(self._apply(act, n, w, expect_policy) for n, w in wanted.items())
            return Applied(time=from_micros(act.at), models=found, dry_run=change.dry_run)

    def _apply(self, act: Act, name: str, wanted: Wanted, expected: int | None) -> PolicyDifference:
        model = act.tx.models.get(name)
        before = act.tx.decisions.policy(model)
        assert before is not None  # for the type checker: without a number there is one
        after = put_policy(act, model, wanted.document, expected=expected)
        lines, revision = differences(before.document, after.document), None
        if wanted.split is not None:
            now = act.tx.traffic.current(model)
            then = self._traffic.route_within(act, name, wanted.split, strategy=wanted.strategy)
            lines += split_difference(now, then)
            revision = then.number if then.number != now.number else None
        return PolicyDifference(
            model=name, before=before.number, after=after.number, lines=lines, revision=revision
        )


def put_policy(
    act: Act, model: ModelRow, document: Mapping[str, Any], *, expected: int | None = None
) -> Policy:
    """Put a policy in force, as the next number; nothing is written where it is in force already.

    Args:
        act: The change under way.
        model: Whose policy.
        document: Its sections.
        expected: The number that must be in force.

    Raises:
        PolicyMoved: Another one is.
    """
    now = act.tx.decisions.policy(model)
    assert now is not None  # for the type checker: without a number there is one
    if expected not in (None, now.number):
        raise PolicyMoved(
            f"{model.name} is at policy {now.number}, not {expected}",
            hint=f"see who moved it: mlreg policy history {safe(model.name)}",
        )
    if canonical(now.document) == canonical(document):
        return replace(now, dry_run=act.change.dry_run)
    after = replace(
        now,
        number=now.number + 1,
        document=dict(document),
        reason=check_text(act.change.reason, "reason"),
        actor=act.actor,
        created_at=from_micros(act.at),
        dry_run=act.change.dry_run,
    )
    if not act.change.dry_run:
        act.tx.decisions.put_policy(after)
        act.tx.events.append(
            action="policy",
            object=model.name,
            actor=act.actor,
            at=act.at,
            model_key=model.key,
            model=model.name,
            reason=after.reason,
            before={"policy": now.number, "document": now.document} if now.number else None,
            after={"policy": after.number, "document": after.document},
        )
    return after
