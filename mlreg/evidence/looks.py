"""The rule of the mode: whether a look counts, and what it says of each treatment."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from mlreg.entities.experiments import Design
from mlreg.entities.looks import Limits, PastLook
from mlreg.evidence.information import information
from mlreg.evidence.observed import Observed
from mlreg.evidence.seen import Seen
from mlreg.stats import always_valid, group_sequential
from mlreg.stats.group_sequential import LookPlan
from mlreg.stats.looks import Look, limits_at
from mlreg.stats.noninferiority import ALPHA as KEPT_ALPHA

_GROWTH = 1.1  # an always-valid look is kept when the test has grown by a tenth


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One treatment against the control, with information, looks and an end of its own.

    Attributes:
        plan: The look among those that were planned; None in always-valid mode.
        look: At the metric that decides, by what is known now.
        crossed: 1 (better), -1 (worse) or 0, by this look or one before.
        limits: The interval that decides: of the last look that might. Before there is one, and
            where that was not stored, the one that holds at any time.
        now: An interval of what is known now, which holds at any time.
        reach: Its boundary, in standard errors.
        is_shown_of: The look that `limits` are of, if not of this one.
        margin: Standard errors to a guardrail's margin that show at a planned look that it is
            kept; None where none is planned or this is not one.
        is_over: Whether its final look has been taken before.
        is_final: Whether no later look will count for it.
        is_readable: Whether its p-value may be read by now.
    """

    plan: LookPlan | None
    look: Look
    crossed: int
    limits: Limits | None
    now: Limits | None
    reach: float | None
    is_shown_of: int | None
    margin: float | None
    is_over: bool
    is_final: bool
    is_readable: bool

    @property
    def is_decision_point(self) -> bool:
        """Whether this look may decide; between those of a plan the last one's answer stands."""
        return not self.is_over and (self.plan is None or self.plan.is_decision_point)

    @property
    def time(self) -> float | None:
        """The part of the planned information at which the look counts; None if it does not."""
        is_planned = self.plan is not None and self.is_decision_point
        return self.plan.looks[-1] if self.plan and is_planned else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """How far a test has come, and what its rule says of each treatment by now.

    Attributes:
        trials: In the order of the design.
        units: Of the control and of the treatment that has the most, as the boundary counts them;
            0 before there is a test.
        is_final: Whether no later look will count.
        last: The last look that counted; None before the first.
    """

    trials: tuple[Trial, ...]
    units: int
    is_final: bool
    last: PastLook | None

    @property
    def crossed(self) -> tuple[int, ...]:
        """For each treatment 1 (better), -1 (worse) or 0."""
        return tuple(trial.crossed for trial in self.trials)

    @property
    def is_over(self) -> bool:
        """Whether the final look has been taken before."""
        return self.last is not None and self.last.is_final

    @property
    def slot(self) -> int:
        """The number under which the look is recorded."""
        following = self.last.slot + 1 if self.last else 1
        numbers = (t.plan.number for t in self.trials if t.plan and t.is_decision_point)
        return max(following, *numbers, 0)

    @property
    def limits(self) -> tuple[Limits | None, ...]:
        """What the next looks show of each treatment until they may decide themselves."""
        before = self.last.limits if self.last and self.last.limits else (None,) * len(self.trials)
        return tuple(
            trial.limits if trial.is_decision_point and trial.is_readable else earlier
            for trial, earlier in zip(self.trials, before, strict=True)
        )

    def counts(self, kept: tuple[bool | None, ...]) -> bool:
        """Whether the look counts, with guardrails kept or not; others only show."""
        if self.is_over or self.is_final:
            return not self.is_over
        if not self.units:
            return False
        if any(trial.plan is not None for trial in self.trials):
            return any(trial.is_decision_point for trial in self.trials)
        last = self.last
        if last is None or (self.crossed, kept) != (last.crossed, last.kept):
            return True
        if list(map(side, self.limits)) != list(map(side, last.limits or self.limits)):
            return True
        return self.units >= _GROWTH * last.units


def side(limits: Limits | None) -> int:
    """1 for an interval above zero, -1 for one below, 0 for one that reaches it."""
    if limits is None or limits[0] <= 0 <= limits[1]:
        return 0
    return 1 if limits[0] > 0 else -1


def take(
    design: Design, observed: Observed, seen: Sequence[Seen], past: Sequence[PastLook]
) -> Stage:
    """Look at the metric that decides, after the looks so far."""
    last = past[-1] if past else None
    trials = tuple(_trial(design, observed, s, past, place) for place, s in enumerate(seen))
    is_closed = observed.has_run(design) and observed.is_due(design)
    return Stage(
        trials=trials,
        units=max((s.evidence.n for s in seen if s.evidence.z is not None), default=0),
        is_final=(
            is_closed or bool(last and last.is_final) or all(trial.is_final for trial in trials)
        ),
        last=last,
    )


def _trial(
    design: Design, observed: Observed, seen: Seen, past: Sequence[PastLook], place: int
) -> Trial:
    last = past[-1] if past else None
    is_over = last is not None and last.has_ended(place)
    plan = _plan(design, observed, seen, [look.time_of(place) for look in past], is_over=is_over)
    before = last.p[place] if last else 1.0
    any_time = always_valid.look(
        seen.evidence, tuning_n=design.tuning_units, alpha=design.alpha_used, previous_p=before
    )
    look = any_time if plan is None else group_sequential.look(seen.evidence, plan,
        previous_p=before)  # fmt: skip
    counts = not is_over and (plan is None or plan.is_decision_point)
    has_run = observed.has_run(design)
    crossed = last.crossed[place] if last else 0
    if counts:
        crossed = crossed or _sign(design, look, may_win=has_run)
    is_readable = has_run or crossed < 0
    # A planned look's boundary is good for that look alone: asked again, it would be passed too
    # often.
    reach = look.boundary if counts else any_time.boundary
    found = limits_at(seen.evidence, reach)
    now = (found.low, found.high) if found and math.isfinite(found.high - found.low) else None
    standing = None if counts or last is None or not last.limits else last.limits[place]
    return Trial(
        plan=plan,
        look=look if is_readable else replace(look, p_value=before, is_crossed=False),
        crossed=crossed,
        limits=standing or now,
        now=now,
        reach=reach,
        is_shown_of=_latest(past, place) if standing else None,
        margin=_margin(design, plan) if counts and plan is not None else None,
        is_over=is_over,
        is_final=is_over or bool(plan and plan.is_final) or (has_run and observed.is_due(design)),
        is_readable=is_readable,
    )


def _plan(
    design: Design,
    observed: Observed,
    seen: Seen,
    times: Sequence[float | None],
    *,
    is_over: bool,
) -> LookPlan | None:
    if design.mode == "always-valid":
        return None
    arrived, previous = information(design, seen), tuple(time for time in times if time)
    if is_over:
        return group_sequential.closed_plan(
            previous, arrived, slots=design.slots, alpha=design.alpha_used
        )
    return group_sequential.plan_look(
        previous,
        arrived,
        slots=design.slots,
        alpha=design.alpha_used,
        is_deadline=observed.is_due(design),
        may_end=observed.has_run(design),
    )


def _sign(design: Design, look: Look, *, may_win: bool) -> int:
    """1 for better, -1 for worse, 0 for neither; what may not win yet has shown no gain either."""
    if not look.is_crossed or not look.z:
        return 0
    sign = design.metric.sign if look.z > 0 else -design.metric.sign
    return sign if may_win or sign < 0 else 0


def _margin(design: Design, plan: LookPlan) -> float | None:
    # Guardrails have a level of their own, which is not shared among treatments.
    if not design.guardrails or not plan.looks:
        return None
    alpha = 2 * KEPT_ALPHA
    return group_sequential.boundaries(plan.looks, alpha=alpha, is_last_final=plan.is_closed).z[-1]


def _latest(past: Sequence[PastLook], place: int) -> int:
    """The slot of the newest look that counted for a treatment."""
    counted = [look.slot for look in past if look.time_of(place) is not None]
    return counted[-1] if counted else past[-1].slot
