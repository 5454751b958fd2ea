"""Group sequential designs: a planned size, a few looks, and alpha spent as information arrives.

Lan & DeMets (1983) with spending in the manner of O'Brien & Fleming (1979): nearly nothing early,
so that the last look costs almost no power. Looks may fall at any time and be skipped; each uses
the information that has really arrived.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import accumulate

from mlreg.stats import codes
from mlreg.stats.checks import check_fraction
from mlreg.stats.distributions import normal_tail, normal_upper
from mlreg.stats.evidence import Evidence
from mlreg.stats.looks import Look, limits_at
from mlreg.stats.random_walk import FAR, Walk, crossing_probabilities, resolutions, spaced
from mlreg.stats.roots import bisect

SLOTS = 10
MAX_SLOTS = 20
AGAIN = 0.01
# How much of the level a look at full information may spend that comes too early to be final.
OVERRUN = 0.9

Spending = Callable[[float, float], float]
"""From information (0 to 1) and one side's alpha to the alpha spent on that side by then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Boundaries:
    """Critical values of a series of looks.

    Attributes:
        z: Critical |z| at each look; infinite where nothing is spent.
        alpha_spent: Cumulative alpha of all sides at each look.
    """

    z: tuple[float, ...]
    alpha_spent: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LookPlan:
    """A look before its data are judged.

    Attributes:
        number: Slot that this look fills, 1 to `slots`; 0 before the first slot.
        information: Fraction of the planned information that has arrived.
        boundary: Critical |z|; None before any information.
        alpha_spent: Cumulative two-sided alpha with this look.
        is_decision_point: Whether the look opens a new slot and so may stop the experiment.
        is_final: Whether it spends all that is left.
        is_closed: Whether the final look has been taken, by this look or before.
        looks: Information of all decision points so far, this one included if it is one: what
            the next call wants as `previous`.
    """

    number: int
    information: float
    boundary: float | None
    alpha_spent: float
    is_decision_point: bool
    is_final: bool
    is_closed: bool
    looks: tuple[float, ...]


def obrien_fleming_spending(information: float, alpha: float) -> float:
    """Alpha spent on one side: 2 - 2 Phi(z_{alpha/2} / sqrt(t)), all of it at t = 1."""
    if information <= 0:
        return 0.0
    return 2 * normal_tail(normal_upper(alpha / 2) / math.sqrt(min(1.0, information)))


def boundaries(
    fractions: Sequence[float],
    *,
    alpha: float = 0.05,
    sides: int = 2,
    spending: Spending = obrien_fleming_spending,
    is_last_final: bool | None = None,
) -> Boundaries:
    """Critical values at the given looks; a two-sided design spends alpha / 2 on each side.

    Args:
        fractions: Information at each look, increasing, as parts of the planned information. It
            may exceed 1 before the final look, where that is not allowed to come as early; such a
            look spends no more than one at `OVERRUN`.
        alpha: Level over all looks together.
        sides: 1 or 2.
        spending: Spending function of one side.
        is_last_final: Whether the last look spends everything; None: if it comes at t = 1 or later.

    Raises:
        ValueError: For fractions that do not increase from above 0, or bad alpha or sides.
    """
    _check_design(fractions, alpha, sides)
    side_alpha = alpha / sides
    if is_last_final is None:
        is_last_final = bool(fractions) and fractions[-1] >= 1
    spent = list(accumulate((spending(_time(t), side_alpha) for t in fractions), max))
    if is_last_final and spent:
        spent[-1] = side_alpha
    walk, z = Walk.start(), []
    times = spaced(fractions)
    steps = zip(times, _increments(spent), resolutions(times), strict=True)
    for t, increment, resolution in steps:
        critical = _critical(walk, t, increment, two_sided=sides == 2)
        z.append(critical)
        walk = walk.go_on(t, -critical if sides == 2 else -FAR, critical, resolution)
    return Boundaries(z=tuple(z), alpha_spent=tuple(sides * side for side in spent))


def plan_look(
    previous: Sequence[float],
    information: float,
    *,
    slots: int = SLOTS,
    alpha: float = 0.05,
    is_deadline: bool = False,
    may_end: bool = True,
) -> LookPlan:
    """Decide whether a peek at this moment is a decision point, and what it would take.

    A peek becomes a look when the information first passes a new slot k / slots; skipped slots
    cost nothing. The look at full information, or at the deadline declared before the start,
    spends all that is left. Do not ask again after that one, but for the `closed_plan`.

    Args:
        previous: Information at the decision points so far (`looks` of the last plan), none of
            which was final.
        information: Part of the planned information that has arrived; may exceed 1. At the final
            look it may be less than at the look before, which is then taken again with what is
            left.
        slots: Number of slots of the design, at most 20.
        alpha: Two-sided level of the design.
        is_deadline: Whether the declared deadline has come.
        may_end: Whether the final look may be taken yet; full information then opens the last slot
            but one.

    Raises:
        ValueError: For a bad number of slots, alpha, or previous looks that do not increase.
    """
    if not 1 <= slots <= MAX_SLOTS:
        raise ValueError(f"slots must lie between 1 and {MAX_SLOTS}, got {slots!r}")
    _check_design(previous, alpha, 2)
    last = previous[-1] if previous else 0.0
    is_final = may_end and (is_deadline or max(information, last) >= 1)
    if is_final and information <= last:
        # The last look once more, with the alpha that is left: as if a little had come, which errs
        # on the safe side and keeps the recursion short.
        information = last + AGAIN * max(1.0, last)
    slot = slots if is_final else min(slots - 1, _slot(information, slots))
    is_decision = information > last and slot > min(slots - 1, _slot(last, slots))
    looks = (*previous, information) if is_decision else tuple(previous)
    # Between decision points the last boundary is told; it decides nothing.
    shown = looks or ((information,) if information > 0 else ())
    design = boundaries(shown, alpha=alpha, is_last_final=is_final) if shown else None
    return LookPlan(
        number=slot,
        information=information,
        boundary=design.z[-1] if design else None,
        alpha_spent=design.alpha_spent[-1] if design and looks else 0.0,
        is_decision_point=is_decision,
        is_final=is_final,
        is_closed=is_final,
        looks=looks,
    )


def closed_plan(
    previous: Sequence[float], information: float, *, slots: int = SLOTS, alpha: float = 0.05
) -> LookPlan:
    """The plan after its final look: its boundary is shown, and nothing is decided any more."""
    design = boundaries(previous, alpha=alpha, is_last_final=True)
    return LookPlan(
        number=slots,
        information=information,
        boundary=design.z[-1] if design.z else None,
        alpha_spent=design.alpha_spent[-1] if design.z else 0.0,
        is_decision_point=False,
        is_final=False,
        is_closed=True,
        looks=tuple(previous),
    )


def look(evidence: Evidence, plan: LookPlan, *, previous_p: float = 1.0) -> Look:
    """Judge the evidence at a planned look.

    The interval is the repeated confidence interval estimate ± boundary * se (Jennison & Turnbull
    1989), the p-value the smallest level at which this design would have stopped by now.

    Args:
        evidence: The metric now.
        plan: The look, from `plan_look`.
        previous_p: `p_value` of the look before.
    """
    z = evidence.z if plan.is_decision_point else None
    is_crossed = z is not None and plan.boundary is not None and abs(z) >= plan.boundary
    limits = limits_at(evidence, plan.boundary)
    p = previous_p
    if z is not None:
        p = min(p, repeated_p_value(z, plan.looks, is_last_final=plan.is_final))
    return Look(
        z=evidence.z,
        boundary=plan.boundary,
        ci_lower=limits.low if limits else None,
        ci_upper=limits.high if limits else None,
        p_value=p,
        slot=plan.number,
        information=plan.information,
        alpha_spent=plan.alpha_spent,
        is_decision_point=z is not None,
        is_crossed=is_crossed,
        warnings=(*evidence.warnings, *_caveats(plan, is_crossed)),
    )


def repeated_p_value(
    z: float, looks: Sequence[float], *, is_last_final: bool | None = None
) -> float:
    """Smallest two-sided alpha whose design would stop at the last of these looks with this z.

    Jennison & Turnbull (2000), section 9.5. Its minimum over the looks is valid at any of them.
    """

    def margin(log_alpha: float) -> float:
        alpha = math.exp(log_alpha)
        return abs(z) - boundaries(looks, alpha=alpha, is_last_final=is_last_final).z[-1]

    highest = math.log(1 - 1e-9)
    if margin(highest) < 0:
        return 1.0
    return math.exp(bisect(margin, math.log(1e-15), highest, tolerance=1e-6))


@dataclass(frozen=True, slots=True, kw_only=True)
class Inflation:
    """What a group sequential design costs and saves against one test at the end.

    Attributes:
        factor: Maximum size / size of the single test.
        expected_h1: Mean size / size of the single test when the planned effect is true.
        expected_h0: The same without any effect.
    """

    factor: float
    expected_h1: float
    expected_h0: float


def inflation(
    fractions: Sequence[float], *, alpha: float = 0.05, power: float = 0.8, sides: int = 2
) -> Inflation:
    """Size of a design with these looks relative to one test at the end with the same power.

    Raises:
        ValueError: For bad fractions, alpha, power or sides.
    """
    check_fraction("power", power)
    z = boundaries(fractions, alpha=alpha, sides=sides).z
    single = normal_upper(alpha / sides) + normal_upper(1 - power)
    stops = partial(crossing_probabilities, fractions, z, sides=sides)

    def excess(drift: float) -> float:
        return sum(stops(drift=drift)[0]) - power

    drift = bisect(excess, 0.0, single + 4, tolerance=1e-9)
    factor = (drift / single) ** 2
    return Inflation(
        factor=factor,
        expected_h1=factor * _expected_information(fractions, *stops(drift=drift)),
        expected_h0=factor * _expected_information(fractions, *stops(drift=0.0)),
    )


def equal_looks(count: int) -> tuple[float, ...]:
    """Information fractions of `count` equally spaced looks."""
    return tuple(k / count for k in range(1, count + 1))


def _expected_information(
    fractions: Sequence[float], above: Sequence[float], below: Sequence[float]
) -> float:
    saved = sum(
        (fractions[-1] - t) * (up + down)
        for t, up, down in zip(fractions, above, below, strict=True)
    )
    return fractions[-1] - saved


def _critical(walk: Walk, t: float, increment: float, *, two_sided: bool) -> float:
    if increment <= 0:
        return math.inf
    lowest = 0.0 if two_sided else -FAR
    return bisect(
        lambda z: walk.above(t, z) - increment, lowest, 2 * FAR, tolerance=1e-10, is_rising=False
    )


def _increments(cumulative: Sequence[float]) -> list[float]:
    return [now - before for before, now in zip([0.0, *cumulative], cumulative, strict=False)]


def _time(t: float) -> float:
    """The time of the spending function at a look that is not final."""
    return t if t < 1 else OVERRUN


def _slot(information: float, slots: int) -> int:
    return min(slots, math.floor(information * slots + 1e-9))


def _caveats(plan: LookPlan, is_crossed: bool) -> tuple[str, ...]:
    if plan.is_closed:
        return ()
    return (codes.EARLY_STOP_BIAS,) if is_crossed else (codes.NOT_FINAL,)


def _check_design(fractions: Sequence[float], alpha: float, sides: int) -> None:
    check_fraction("alpha", alpha)
    if sides not in (1, 2):
        raise ValueError(f"sides must be 1 or 2, got {sides!r}")
    rising = all(a < b for a, b in zip([0.0, *fractions], fractions, strict=False))
    if not rising or not all(math.isfinite(t) for t in fractions):
        raise ValueError(f"information must increase from above 0, got {list(fractions)}")
