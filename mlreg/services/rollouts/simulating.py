"""A plan gone through on logged predictions: pure, but for its random numbers.

Each run gives every logged prediction to the version or to the baseline by chance, by the share of
the step in force. So a version without a break is as good as what served, hour by hour.
"""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING, NamedTuple

from mlreg.clock import MINUTE, SECOND, from_micros, to_micros
from mlreg.entities.rollouts import Passage, Plan, Rollout, Trial
from mlreg.evidence.phased import Phase
from mlreg.services.rollouts.observing import held
from mlreg.services.rollouts.planning import Seen, counted, next_move
from mlreg.services.rollouts.states import after
from mlreg.tallies import Tally

if TYPE_CHECKING:
    from mlreg.entities.versions import Version
    from mlreg.store.rollouts import Logged

Break = Callable[["Logged", Random], "Logged"]
# So often the checks are looked at: a tick each minute would find no more, and take for ever.
_LOOKS, _MOST_LOOKS = 6, 200


class Run(NamedTuple):
    """How a plan went.

    Attributes:
        ended: `completed`, `aborted`, `held` too long, or `unfinished` where the log was too short.
        requests: What the version answered until then.
        by: The check that was broken.
    """

    ended: str
    requests: int
    passages: tuple[Passage, ...]
    by: str | None = None


def fails(share: float) -> Break:
    """A version that fails on a share of what it would have answered."""

    def broken(row: Logged, random: Random) -> Logged:
        return row._replace(status=1) if random.random() < share else row

    return broken


def slower(factor: float) -> Break:
    """A version that takes so many times as long."""
    return lambda row, _: row._replace(latency_us=int(row.latency_us * factor))


def wrong(share: float) -> Break:
    """A version that is wrong on a share of what was right."""

    def broken(row: Logged, random: Random) -> Logged:
        return row._replace(correct=0) if row.correct and random.random() < share else row

    return broken


def try_out(
    rollout: Rollout,
    version: Version,
    rows: Sequence[Logged],
    name: str,
    how: Break | None,
    seeds: Iterable[int],
) -> Trial:
    """Many runs of one kind of version."""
    runs = [run(rollout, version, rows, how, Random(seed)) for seed in seeds]  # no secret
    shares = {end: n / len(runs) for end, n in Counter(one.ended for one in runs).items()}
    before = sorted(one.requests for one in runs if one.ended in ("aborted", "held"))
    reasons = Counter(one.by for one in runs if one.by)
    return Trial(
        version=name,
        runs=len(runs),
        aborted=shares.get("aborted", 0.0),
        held=shares.get("held", 0.0),
        completed=shares.get("completed", 0.0),
        unfinished=shares.get("unfinished", 0.0),
        requests=(int(statistics.median(before)), before[int(0.9 * (len(before) - 1))])
        if before
        else None,
        by=reasons.most_common(1)[0][0] if reasons else None,
    )


def run(
    rollout: Rollout, version: Version, rows: Sequence[Logged], how: Break | None, random: Random
) -> Run:
    """One run of a plan from the first row on.

    Args:
        rollout: Pending, from the moment of the first row on.
        version: What is rolled out.
        rows: Live predictions in the order of their times.
        how: What is wrong with the version; None: nothing.
        random: Where chance comes from.
    """
    now = to_micros(rollout.step_at)
    course = _Course(after(rollout, "begin", rollout.step_at), how, random)
    pace, place = _pace(rollout.plan), 0
    while place < len(rows):
        now += pace
        while place < len(rows) and rows[place].at < now:
            course.answer(rows[place])
            place += 1
        course.look(version, now)
        if course.rollout.is_over:
            break
    return course.result()


def _pace(plan: Plan) -> int:
    """How much time lies between two looks, in microseconds."""
    whole = plan.interval_seconds * len(plan.steps) + plan.bake_seconds
    return int(max(plan.interval_seconds / _LOOKS * SECOND, whole / _MOST_LOOKS * SECOND, MINUTE))


class _Course:
    """A rollout under way on the log."""

    def __init__(self, rollout: Rollout, how: Break | None, random: Random) -> None:
        self.rollout = rollout
        self._how, self._random = how, random
        self._phases = [Phase(Tally(), Tally())]
        self._untold: list[tuple[int, int, Tally]] = []
        self._requests = 0
        self._by: str | None = None

    def answer(self, row: Logged) -> None:
        """Give a prediction to one of both."""
        is_version = self._random.random() * 100 < self.rollout.traffic_percent
        self._requests += is_version
        if is_version and self._how:
            row = self._how(row, self._random)
        tally = self._phases[-1].version if is_version else self._phases[-1].baseline
        tally.add([(row.latency_us, row.status, None, None, 1)])
        if row.correct is not None and row.told_at is not None and not row.status:
            self._untold.append((row.told_at, row.correct, tally))

    def look(self, version: Version, now: int) -> None:
        """What a tick would do."""
        self._hear(now)
        checks = held(self.rollout, self._phases, version, now)
        seen = Seen(self._phases[-1].version.requests, checks)
        at = from_micros(now)
        move = next_move(self.rollout, seen, at)
        if (failures := counted(checks)) != self.rollout.failures:
            self.rollout = replace(self.rollout, failures=failures, evaluated_at=at)
        if move.kind == "hold":
            self.rollout = replace(self.rollout, held_at=at)
        elif move.kind != "wait":
            self.rollout = after(self.rollout, move.kind, at, move.why)
            if len(self.rollout.stages) > len(self._phases):
                self._phases.append(Phase(Tally(), Tally()))
            broken = [found.finding.condition for found in checks if found.outcome == "fail"]
            self._by = broken[0] if broken else None

    def _hear(self, now: int) -> None:
        """Count the labels that have come."""
        for told_at, correct, tally in self._untold:
            if told_at <= now:
                tally.judge(labelled=1, judged=1, correct=correct)
        self._untold = [found for found in self._untold if found[0] > now]

    def result(self) -> Run:
        state, ended = self.rollout.state, "unfinished"
        if state == "completed":
            ended = "completed"
        elif state == "aborted":
            ended = "aborted" if self._by else "held"
        passages = tuple(
            Passage(
                traffic_percent=stage.traffic_percent,
                started_at=stage.started_at or self.rollout.started_at,
                samples=phase.version.requests,
            )
            for stage, phase in zip(self.rollout.stages, self._phases, strict=True)
        )
        return Run(ended, self._requests, passages, self._by)
