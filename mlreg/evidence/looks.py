"""The rule of the mode: whether a look counts, and what it says of each treatment."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from mlreg.entities.experiments import Design
from mlreg.entities.looks import PastLook
from mlreg.evidence.observed import Observed
from mlreg.evidence.seen import Seen
from mlreg.stats import always_valid, group_sequential
from mlreg.stats.group_sequential import LookPlan
from mlreg.stats.looks import Look
from mlreg.stats.noninferiority import ALPHA as KEPT_ALPHA

_GROWTH = 1.1  # an always-valid look is kept when the test has grown by a tenth


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """How far a test has come, and what its rule says of each treatment by now.

    Attributes:
        plan: The look among those that were planned; None in always-valid mode.
        looks: At the metric that decides.
        crossed: For each treatment 1 (better), -1 (worse) or 0.
        information: Part of the planned information that has arrived.
        margin: Standard errors to a guardrail's margin that show at the planned look that it is
            kept; None where none are asked for, or no look is planned.
        units: Of both arms, as the boundary counts them; 0 before there is a test.
        is_final: Whether no later look will count.
        last: The last look that counted; None before the first.
    """

    plan: LookPlan | None
    looks: tuple[Look, ...]
    crossed: tuple[int, ...]
    information: float
    margin: float | None
    units: int
    is_final: bool
    last: PastLook | None

    @property
    def is_over(self) -> bool:
        """Whether the final look has been taken before."""
        return self.last is not None and self.last.is_final

    @property
    def is_decision_point(self) -> bool:
        """Whether this look may decide; between those of a plan the last one's answer stands."""
        return not self.is_over and (self.plan is None or self.plan.is_decision_point)

    @property
    def slot(self) -> int:
        """The number under which the look is recorded."""
        following = self.last.slot + 1 if self.last else 1
        if self.plan is None:
            return following
        return self.plan.number if self.plan.is_final else max(self.plan.number, following)

    def counts(self, kept: tuple[bool | None, ...]) -> bool:
        """Whether the look counts, with guardrails kept or not; others only show."""
        if self.is_over or self.is_final:
            return not self.is_over
        if not self.units:
            return False
        if self.plan is not None:
            return self.plan.is_decision_point
        last = self.last
        if last is None or (self.crossed, kept) != (last.crossed, last.kept):
            return True
        return self.units >= _GROWTH * last.units


def take(
    design: Design, observed: Observed, seen: Sequence[Seen], past: Sequence[PastLook]
) -> Stage:
    """Look at the metric that decides, after the looks so far."""
    last = past[-1] if past else None
    may_end, is_due = observed.has_run(design), observed.is_due(design)
    information = _information(design, seen)
    plan = _plan(design, past, information, may_end=may_end, is_due=is_due)
    # Guardrails have a level of their own, which is not shared among treatments.
    margin = None
    if plan is not None and design.guardrails:
        alpha, is_closed = 2 * KEPT_ALPHA, plan.is_closed
        limits = group_sequential.boundaries(plan.looks, alpha=alpha, is_last_final=is_closed)
        margin = limits.z[-1] if plan.looks else math.inf
    before = last.p if last else (1.0,) * len(seen)
    looks = tuple(
        group_sequential.look(s.evidence, plan, previous_p=p)
        if plan is not None
        else always_valid.look(
            s.evidence, tuning_n=design.tuning_units, alpha=design.alpha_used, previous_p=p
        )
        for s, p in zip(seen, before, strict=True)
    )
    is_over = last is not None and last.is_final
    return Stage(
        plan=plan,
        looks=looks,
        crossed=_crossings(design, looks, last),
        information=information,
        margin=margin,
        units=min((s.evidence.n for s in seen if s.evidence.z is not None), default=0),
        is_final=is_over or bool(plan and plan.is_final) or (may_end and is_due),
        last=last,
    )


def _information(design: Design, seen: Sequence[Seen]) -> float:
    """Part of the planned information that has arrived, of the treatment that has the least.

    One that cannot be tested yet does not keep the others waiting.
    """
    if not design.planned_information:
        return 0.0
    errors = [
        s.averaged.null_se or s.evidence.se or math.inf for s in seen if s.evidence.z is not None
    ]
    return min((1 / (se * se) / design.planned_information for se in errors), default=0.0)


def _plan(
    design: Design, past: Sequence[PastLook], information: float, *, may_end: bool, is_due: bool
) -> LookPlan | None:
    if design.mode == "always-valid":
        return None
    previous = tuple(look.information for look in past if look.information)
    if past and past[-1].is_final:
        return group_sequential.closed_plan(
            previous, information, slots=design.slots, alpha=design.alpha_used
        )
    return group_sequential.plan_look(
        previous,
        information,
        slots=design.slots,
        alpha=design.alpha_used,
        is_deadline=is_due,
        may_end=may_end,
    )


def _crossings(design: Design, looks: Sequence[Look], last: PastLook | None) -> tuple[int, ...]:
    """For each treatment 1 for better, -1 for worse; once crossed, later data do not undo it."""
    before = last.crossed if last else (0,) * len(looks)
    if last is not None and last.is_final:
        return before
    sign = design.metric.sign
    now = [
        0 if not look.is_crossed or not look.z else sign if look.z > 0 else -sign for look in looks
    ]
    return tuple(earlier or this for earlier, this in zip(before, now, strict=True))
