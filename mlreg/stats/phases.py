"""Two arms over phases of constant weights, with units that may come back in several phases.

Within a phase the arms were split at random, whatever the world did meanwhile; so they are compared
phase by phase and the differences averaged. A user who takes part in two phases, perhaps in another
arm, ties the phases together: `clustered` variances add up what each user did over all of them.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from mlreg.stats import codes
from mlreg.stats.distributions import student_as_normal
from mlreg.stats.estimates import Estimate
from mlreg.stats.evidence import MIN_EVENTS, MIN_UNITS, NORMAL_UNITS, Evidence
from mlreg.stats.exact import mid_p_z
from mlreg.stats.joint_moments import JointMoments
from mlreg.stats.ratios import MIN_USERS, design_effect, ratio_estimate

Pair = tuple[Estimate, Estimate]
RatioPair = tuple[JointMoments, JointMoments]
Table = tuple[int, int, int, int]

_MANY = 1000  # of so many degrees of freedom nobody can tell Student's t from the normal


class Spread(NamedTuple):
    """Variances of the averaged arms and their covariance, summed over units.

    The last two count the units behind each arm, those that came back once; None if not known.
    """

    control: float
    treatment: float
    covariance: float
    n_control: int | None = None
    n_treatment: int | None = None


class Contrast(NamedTuple):
    """treatment - factor * control, and its standard error."""

    value: float
    se: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Averaged:
    """Both arms averaged over the phases with the same weights.

    Attributes:
        control: The control; None without a phase in which both arms have units.
        treatment: The treatment.
        covariance: Of the two estimates; not 0 when users changed the arm between phases.
        null_se: Standard error of the difference if the arms have one rate, or one variance; None
            if only the arms' own are known.
        weights: Of each phase, summing to 1; 0 for a phase that was left out.
        doubt: By how much arms whose units vary alike would be less sure than each by itself, at
            least 1: the error at a margin has to be widened by it.
        events: How often the rarer outcome is expected in the arm that expects it least, if both
            have one rate, counted as independent predictions; of a mean the units with a value
            other than the usual zero. None where nothing is rare.
        variance_error: Relative standard error of the variance of a mean.
        alike: How many units that ask alike would be as sure as those of the smaller arm, of whom
            a few may ask most (Kish 1965); None if not known.
        table: Of a share of units that have one row each, in a single phase, the successes and the
            units of the control and of the treatment; None otherwise.
        warnings: Codes from `mlreg.stats.codes`.
    """

    control: Estimate | None
    treatment: Estimate | None
    covariance: float
    null_se: float | None
    weights: tuple[float, ...]
    doubt: float = 1.0
    events: float | None = None
    variance_error: float = 0.0
    alike: float | None = None
    table: Table | None = None
    warnings: tuple[str, ...] = ()

    def contrast(self, factor: float = 1.0) -> Contrast | None:
        """treatment - factor * control; None without both arms."""
        if self.control is None or self.treatment is None:
            return None
        variance = (
            self.treatment.se**2 + (factor * self.control.se) ** 2 - 2 * factor * self.covariance
        )
        value = self.treatment.value - factor * self.control.value
        return Contrast(value, math.sqrt(max(0.0, variance)))

    def evidence(self, *, min_units: int = MIN_UNITS, min_events: int = MIN_EVENTS) -> Evidence:
        """What a sequential test sees; no z before both arms have enough units and events.

        The decision takes the standard error that equal arms would have: an arm that has not met
        its rare events, or its outliers, looks surer than it is. The interval takes the larger of
        this and the arms' own, so that it never excludes zero where the decision does not. `n` is
        the number of units that a balanced test with the same information has.

        Few units are tested by what holds for few: rates of single answers by the exact test, all
        else by Student's t, with the degrees of freedom of the smaller arm, where users of whom a
        few ask most count as fewer.
        """
        contrast = self.contrast()
        if contrast is None or self.control is None or self.treatment is None:
            return Evidence(estimate=None, se=None, z=None, n=0, warnings=(codes.EMPTY_ARM,))
        n_c, n_t = self.control.n, self.treatment.n
        n = round(4 * n_c * n_t / (n_c + n_t))
        if not (math.isfinite(contrast.value) and math.isfinite(contrast.se)):
            return Evidence(estimate=None, se=None, z=None, n=n, warnings=(codes.NOT_FINITE,))
        rounding = 2.0**-49 * max(abs(self.control.value), abs(self.treatment.value))
        null_se = contrast.se if self.null_se is None else self.null_se
        if null_se <= rounding:
            return Evidence(
                estimate=contrast.value, se=None, z=None, n=n, warnings=(codes.DEGENERATE,)
            )
        is_ready = min(n_c, n_t) >= min_units and (self.events is None or self.events >= min_events)
        z = self._z(contrast.value / null_se) if is_ready else None
        se = max(contrast.se, null_se, abs(contrast.value / z) if z and self.is_exact else 0.0)
        return Evidence(
            estimate=contrast.value,
            se=se,
            z=z,
            n=n,
            df=self.df,
            warnings=self.warnings if is_ready else (*self.warnings, codes.LOW_COUNTS),
        )

    @property
    def is_exact(self) -> bool:
        """Whether there are so few single answers that their rates are tested exactly."""
        return self.table is not None and min(self.table[1], self.table[3]) < NORMAL_UNITS

    @property
    def df(self) -> float | None:
        """Degrees of freedom of the errors; None for rates of single answers, or for very many."""
        if self.table is not None or self.control is None or self.treatment is None:
            return None
        least = min(self.control.n, self.treatment.n)
        units = least if self.alike is None else min(least, self.alike)
        return max(1.0, units - 1) if units < _MANY else None

    def _z(self, statistic: float) -> float:
        """The normal deviate that is as unlikely."""
        if self.is_exact and self.table is not None:
            return mid_p_z(*self.table)
        return statistic if self.df is None else student_as_normal(statistic, self.df)


def average_ratios(
    phases: Sequence[RatioPair], *, is_share: bool, clustered: Spread | None = None
) -> Averaged:
    """Average Σy / Σx of two arms over phases, with the weights nc nt / (nc + nt) in units.

    Args:
        phases: For each phase the moments of (y, x) per unit of the control and of the treatment.
        is_share: Whether y counts how many of a unit's x rows have a property.
        clustered: Variances that sum over units first; None treats phases as independent.
    """
    pairs = [(ratio_estimate(control), ratio_estimate(treatment)) for control, treatment in phases]
    weights = phase_weights(pairs)
    averaged = average_estimates(pairs, clustered=clustered)
    if averaged.control is None or averaged.treatment is None:
        return averaged
    kept = [
        (weight * weight, phase, pair)
        for weight, phase, pair in zip(weights, phases, pairs, strict=True)
        if weight
    ]
    # The units of both arms together know what a small arm may not have met yet: the users who ask
    # often, fail together, or wait long.
    alike = sum(weight * _one_variance(*arms) for weight, arms, _ in kept)
    if is_share:
        rates = [_one_rate(*arms) for _, arms, _ in kept]
        own = sum(weight * one.variance for (weight, *_), one in zip(kept, rates, strict=True))
    else:
        rates, own = [], sum(weight * (c.se**2 + t.se**2) for weight, _, (c, t) in kept)
    doubt = math.sqrt(alike / own) if 0 < own < alike else 1.0
    rarest = [sum(one.events[side] for one in rates) / doubt**2 for side in (0, 1)]
    is_small = min(averaged.control.n, averaged.treatment.n) < MIN_USERS
    single = kept[0][1] if is_share and len(kept) == 1 and not clustered else None
    return Averaged(
        control=averaged.control,
        treatment=averaged.treatment,
        covariance=averaged.covariance,
        null_se=tie(pairs, clustered) * math.sqrt(max(own, alike, 0.0)),
        weights=weights,
        doubt=doubt,
        events=min(rarest) if is_share else None,
        alike=min(
            sum(one) for one in zip(*(map(_alike, arms) for _, arms, _ in kept), strict=True)
        ),
        table=_table(*single) if single else None,
        warnings=(codes.SMALL_USERS,) if is_small else (),
    )


def average_estimates(phases: Sequence[Pair], *, clustered: Spread | None = None) -> Averaged:
    """Average two arms' estimates over phases; phases where an arm has no unit are left out."""
    weights = phase_weights(phases)
    used = [(w, *pair) for w, pair in zip(weights, phases, strict=True) if w]
    if not used:
        return Averaged(
            control=None,
            treatment=None,
            covariance=0.0,
            null_se=None,
            weights=weights,
            warnings=(codes.EMPTY_ARM,),
        )
    variances = clustered or Spread(
        sum((w * control.se) ** 2 for w, control, _ in used),
        sum((w * treatment.se) ** 2 for w, _, treatment in used),
        0.0,
    )
    return Averaged(
        control=Estimate(
            value=sum(w * control.value for w, control, _ in used),
            se=math.sqrt(variances.control),
            n=_units(variances.n_control, [control.n for _, control, _ in used]),
        ),
        treatment=Estimate(
            value=sum(w * treatment.value for w, _, treatment in used),
            se=math.sqrt(variances.treatment),
            n=_units(variances.n_treatment, [treatment.n for _, _, treatment in used]),
        ),
        covariance=variances.covariance,
        null_se=None,
        weights=weights,
    )


def _alike(arm: JointMoments) -> float:
    """How many units that ask alike have as many rows for the squares of them."""
    square = arm.x.mean**2
    return arm.n * square / (square + arm.x.variance * (arm.n - 1) / arm.n)


def _table(control: JointMoments, treatment: JointMoments) -> Table | None:
    """Successes and units of both arms, if each unit has one row."""
    arms = (control, treatment)
    if any(arm.x.mean != 1 or arm.x.variance or not math.isfinite(arm.y.mean) for arm in arms):
        return None
    return (
        round(control.n * control.y.mean), control.n, round(treatment.n * treatment.y.mean),
        treatment.n,
    )  # fmt: skip


def phase_weights(phases: Sequence[Pair]) -> tuple[float, ...]:
    """Mantel and Haenszel's weights nc nt / (nc + nt), made to sum to 1; all 0 without units."""
    raw = [c.n * t.n / (c.n + t.n) if c.n and t.n else 0.0 for c, t in phases]
    whole = math.fsum(raw)
    return tuple(weight / whole if whole else 0.0 for weight in raw)


class _OneRate(NamedTuple):
    """Both arms of a phase if they had one rate: variance of the difference, rarer outcomes."""

    variance: float
    events: tuple[float, float]


def _one_rate(control: JointMoments, treatment: JointMoments) -> _OneRate:
    arms = (control, treatment)
    rows = [arm.n * arm.x.mean for arm in arms]
    rate = sum(arm.n * arm.y.mean for arm in arms) / sum(rows)
    # How users inflate the variance of each arm. Where an arm does not vary nobody knows: then as
    # much as in the other one; and if neither does, as much as they can, each user being one.
    known = [design_effect(arm) for arm in arms]
    fallback = max(
        (effect for effect in known if effect), default=sum(rows) / sum(a.n for a in arms)
    )
    counts = [r / (effect or fallback) for r, effect in zip(rows, known, strict=True)]
    rarer = min(rate, 1 - rate)
    return _OneRate(
        variance=rate * (1 - rate) * sum(1 / count for count in counts),
        events=(rarer * min(rows[0], counts[0]), rarer * min(rows[1], counts[1])),
    )


def _one_variance(control: JointMoments, treatment: JointMoments) -> float:
    """Variance of the difference of two ratios if the units of both arms varied as much."""
    arms = [(arm.n, arm.x.mean, arm.combined_variance(arm.y.mean / arm.x.mean))
            for arm in (control, treatment)]  # fmt: skip
    common = sum(n * variance for n, _, variance in arms) / sum(n for n, _, _ in arms)
    return sum(common / (n * mean * mean) for n, mean, _ in arms)


def _units(distinct: int | None, by_phase: Sequence[int]) -> int:
    return sum(by_phase) if distinct is None else distinct


def tie(pairs: Sequence[Pair], clustered: Spread | None) -> float:
    """By how much users who come back in other phases widen the difference, at least 1."""
    tied = average_estimates(pairs, clustered=clustered).contrast() if clustered else None
    apart = average_estimates(pairs).contrast()
    if tied is None or apart is None or not apart.se > 0:
        return 1.0
    return max(1.0, tied.se / apart.se)
