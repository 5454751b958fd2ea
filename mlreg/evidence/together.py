"""Two versions side by side in the revisions that split traffic between them, and nowhere else.

What a version did before the other was there, or after, says how that week was. Where users were
split, the requests of one user are no independent witnesses, and errors are widened accordingly.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple, Protocol

from mlreg.evidence.figures import Contrasted, contrast
from mlreg.evidence.shapes import scaled, shaped
from mlreg.metrics import Metric, Share, is_fed_back
from mlreg.stats import codes
from mlreg.stats.distributions import confidence_interval, p_value
from mlreg.stats.estimates import Estimate, reference
from mlreg.stats.joint_moments import JointMoments
from mlreg.stats.phases import Averaged, average_estimates, average_ratios
from mlreg.stats.proportions import MIN_EXPECTED
from mlreg.stats.ratios import MIN_USERS
from mlreg.stats.results import Comparison
from mlreg.tallies import Moments, Tally

# Student's t differs by 1 % from here on, and costs an import of a tenth of a second.
_MANY = 100


class UserSum(Protocol):
    """A measure of one user in a revision; a request without a user has None."""

    @property
    def version(self) -> int: ...
    @property
    def revision(self) -> int: ...
    @property
    def unit(self) -> str | None: ...
    @property
    def y(self) -> float: ...
    @property
    def k(self) -> float: ...
    @property
    def square(self) -> float: ...


class Clustered(NamedTuple):
    """What users do to the errors of a comparison.

    Attributes:
        units: Users, and requests without one, of the version that has fewer.
        weight: How many users who ask alike would be as sure as these.
        widening: By measure, how many times larger standard errors are than by request.
    """

    units: int
    weight: float
    widening: Mapping[str, float]

    def of(self, measure: str) -> float:
        """The widening of a measure; of one that was not counted, the largest known."""
        return self.widening.get(measure, max(self.widening.values(), default=1.0))


class Together(NamedTuple):
    """The baseline and a candidate, revision by revision where both were live.

    Attributes:
        phases: Of each revision what the baseline did, and what the candidate did.
        users: Where users were split, what that does to the errors.
        is_counted: Whether that is known; else nothing is tested.
        due: The same without predictions whose feedback may still come; None: it has come.
        due_after: Seconds that feedback is seen to take, where that leaves something out.
    """

    phases: Sequence[tuple[Tally, Tally]]
    users: Clustered | None = None
    is_counted: bool = True
    due: Together | None = None
    due_after: float = 0.0

    def of_age(self, metric: Metric) -> Together:
        """What a metric compares: of what is fed back predictions of an age, else all."""
        has_come = any(map(is_fed_back, (metric.name, metric.needs)))
        return self.due if self.due is not None and has_come else self

    @property
    def arms(self) -> tuple[Tally, Tally]:
        """What both did over all phases."""
        base, other = Tally(), Tally()
        for one, two in self.phases:
            base.merge(one)
            other.merge(two)
        return base, other


def contrast_together(metric: Metric, side: Together, *, alpha: float) -> Contrasted | None:
    """The candidate against the baseline within phases; None where one of them has nothing."""
    side = side.of_age(metric)
    if not side.phases:
        return None
    if len(side.phases) == 1 and side.users is None and side.is_counted:
        return contrast(metric, *side.phases[0], alpha=alpha)
    averaged = _averaged(metric, side.phases)
    widening = side.users.of(metric.name) if side.users else 1.0
    result = _compared(averaged, widening, side.users, alpha) if averaged else None
    if averaged is None or result is None:
        return None
    if not side.is_counted:
        result = replace(
            result, method="none", p_value=None, ci_lower=None, ci_upper=None,
            warnings=(*result.warnings, codes.BY_USER),
        )  # fmt: skip
    return Contrasted(result, min(arm.n for arm in (averaged.control, averaged.treatment) if arm))


def clustered(sums: Mapping[str, Sequence[UserSum]], baseline: int, candidate: int) -> Clustered:
    """What the users of two versions do to the errors of each measure."""
    asked = [_asked(sums, version) for version in (baseline, candidate)]
    widening = {measure: _widening(rows, baseline, candidate) for measure, rows in sums.items()}
    # Where a few ask most, no more than these are behind it (Kish 1965).
    weight = min((sum(k) ** 2 / sum(n * n for n in k) for k in asked if k), default=0.0)
    return Clustered(min(map(len, asked)), weight, widening)


def _asked(sums: Mapping[str, Sequence[UserSum]], version: int) -> list[float]:
    """How much each unit of a version counts, in the measure that is known of most."""
    found: list[float] = []
    for rows in sums.values():
        units: dict[object, float] = defaultdict(float)
        for place, row in enumerate(rows):
            if row.version == version and row.k:
                units[place if row.unit is None else row.unit] += row.k
        found = max(found, list(units.values()), key=sum)
    return found


def _widening(rows: Sequence[UserSum], baseline: int, candidate: int) -> float:
    """The root of the design effect (Kish 1965) of the averaged difference, at least 1."""
    cells: dict[tuple[int, int], list[float]] = defaultdict(lambda: [0.0, 0.0])
    for row in rows:
        cell = cells[row.revision, row.version]
        cell[0] += row.y
        cell[1] += row.k
    raw = {}
    for revision in {row.revision for row in rows}:
        n_c, n_t = cells[revision, baseline][1], cells[revision, candidate][1]
        raw[revision] = n_c * n_t / (n_c + n_t) if n_c and n_t else 0.0
    # Of each unit: its distance from the rates as they enter the difference, and by itself. The
    # second one lets a small arm know of the busy users whom only the other arm has met.
    entered: dict[object, float] = defaultdict(float)
    alone: dict[object, float] = defaultdict(float)
    own_entered = own_alone = 0.0
    for place, row in enumerate(rows):
        if row.version not in (baseline, candidate) or not raw[row.revision] or not row.k:
            continue
        total_y, total_k = cells[row.revision, row.version]
        rate, scale = total_y / total_k, raw[row.revision] / total_k
        signed = scale if row.version == candidate else -scale
        unit = place if row.unit is None else row.unit
        distance = row.y - rate * row.k
        spread = row.square - 2 * rate * row.y + rate * rate * row.k
        entered[unit] += signed * distance
        alone[unit] += distance
        own_entered += scale * scale * spread
        own_alone += spread
    if own_entered <= 0 or own_alone <= 0:
        return 1.0
    effects = (
        sum(x * x for x in entered.values()) / own_entered,
        sum(x * x for x in alone.values()) / own_alone,
    )
    return math.sqrt(max(1.0, *effects))


def _averaged(metric: Metric, phases: Sequence[tuple[Tally, Tally]]) -> Averaged | None:
    read = [(metric.of(base), metric.of(other)) for base, other in phases]
    shares = [(one, two) for one, two in read
              if isinstance(one, Share) and isinstance(two, Share) and one.n and two.n]  # fmt: skip
    if shares:
        return average_ratios([(_of_share(one), _of_share(two)) for one, two in shares],
            is_share=True)  # fmt: skip
    means = [(_of_moments(one), _of_moments(two)) for one, two in read
             if isinstance(one, Moments) and isinstance(two, Moments)]  # fmt: skip
    pairs = [(one, two) for one, two in means if one and two]
    return shaped(average_estimates(pairs), metric) if pairs else None


def _of_share(share: Share) -> JointMoments:
    n, hits = share.n, share.hits
    return JointMoments.from_sums(n, hits, n, hits, n, hits)


def _of_moments(moments: Moments) -> Estimate | None:
    mean, variance = moments.mean, moments.variance
    if mean is None or variance is None:
        return None
    return Estimate(value=mean, se=math.sqrt(variance / moments.n), n=moments.n)


def _compared(
    averaged: Averaged, widening: float, users: Clustered | None, alpha: float
) -> Comparison | None:
    """By z, or by t where few users are behind it; None without both arms."""
    wide = scaled(averaged, 1.0, widening)
    gap, control, treatment = wide.contrast(), wide.control, wide.treatment
    if gap is None or control is None or treatment is None:
        return None
    se = gap.se if wide.null_se is None else wide.null_se
    units = users.weight if users else _MANY
    tail, upper = reference(None if units >= _MANY else max(1.0, units - 1))
    is_share, can_differ = wide.events is not None, se > 0
    limits = confidence_interval(gap.value, max(gap.se, se), upper, alpha) if can_differ else None
    return Comparison(
        method="delta" if users else "stratified",
        alpha=alpha,
        control=control.value,
        treatment=treatment.value,
        difference=gap.value,
        ci_lower=limits.low if limits else None,
        ci_upper=limits.high if limits else None,
        p_value=p_value(gap.value / se, tail) if can_differ else 1.0 if is_share else None,
        se=gap.se,
        statistic=gap.value / se if can_differ else None,
        warnings=_caveats(None if wide.events is None else wide.events / widening**2, se, users),
    )


def _caveats(events: float | None, se: float, users: Clustered | None) -> tuple[str, ...]:
    found = {
        codes.DEGENERATE: se <= 0,
        codes.LOW_COUNTS: events is not None and events < MIN_EXPECTED,
        codes.SMALL_USERS: users is not None and users.units < MIN_USERS,
    }
    return tuple(code for code, is_present in found.items() if is_present)
