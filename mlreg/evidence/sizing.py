"""How large an experiment has to be: for the metric that decides and for each guardrail.

A winner has to cross its boundary and to show that it keeps every guardrail. What may go wrong is
shared among these, whatever ties them together: the chances to miss one each sum to 1 - power
(Bonferroni; Schultzberg, Ankargren & Frånberg 2024 divide them alike). So a guardrail with a wide
margin costs nothing, and one with a narrow margin drives the size.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import cache
from typing import NamedTuple

from mlreg.entities.experiments import SLOTS, Design, Guardrail, Margin, Mode, TestMetric
from mlreg.entities.traffic import WHOLE
from mlreg.errors import InvalidInput
from mlreg.evidence.guardrails import limit_beside, rate_gap
from mlreg.evidence.history import History
from mlreg.evidence.results import show
from mlreg.names import safe
from mlreg.stats.distributions import normal_tail, normal_upper
from mlreg.stats.noninferiority import ALPHA as KEPT_ALPHA
from mlreg.stats.power import rate_spreads
from mlreg.stats.roots import bisect


class Terms(NamedTuple):
    """How a test is looked at, and how sure it has to be.

    Attributes:
        weights: Of the arms, the control first.
        alpha: Two-sided level of one comparison.
        power: Chance that a treatment which is as good as planned, and no worse in what is
            guarded, is found to be.
    """

    mode: Mode
    weights: Sequence[int]
    alpha: float
    power: float

    @property
    def ratio(self) -> float:
        """Units of the smallest treatment for each unit of the control."""
        return min(self.weights[1:]) / self.weights[0]


class Need(NamedTuple):
    """What has to be shown, by one test at the end.

    Attributes:
        what: The metric, or the guardrail as it was written.
        gap: Between what is true and where the test would reject nothing.
        null: Standard deviation of the root of the control's units times the difference, there.
        real: The same where the truth is.
        critical: Standard errors from there that show it.
    """

    what: str
    gap: float
    null: float
    real: float
    critical: float

    def units(self, power: float) -> float:
        """Units of the control that show it with this chance."""
        quantiles = self.critical * self.null + normal_upper(1 - power) * self.real
        return float((max(0.0, quantiles) / self.gap) ** 2)

    def miss(self, units: float) -> float:
        """The chance that so many units of the control do not show it."""
        excess = self.gap * math.sqrt(units) - self.critical * self.null
        return normal_tail(excess / self.real) if self.real else float(excess < 0)


class Joint(NamedTuple):
    """What is asked of the size.

    Attributes:
        units: Of the control, for one test at the end.
        driver: Which need is the likeliest to be missed by so many.
    """

    units: float
    driver: str


class Size(NamedTuple):
    """A planned size.

    Attributes:
        information: 1 / se² of the difference that the mode and the power ask for.
        units: Of all arms, if each user makes one request; None where the spread is not known.
        tuning: Units of a balanced test with as much information as one comparison of this.
        final_boundary: The |z| of the last of the planned looks.
        driver: The metric or the guardrail that asks for the most; empty where nothing is planned.
        oversize: How many times the units that the metric alone asks for.
        margins: What each guardrail asks for.
    """

    information: float | None = None
    units: int | None = None
    tuning: int | None = None
    final_boundary: float | None = None
    driver: str = ""
    oversize: float = 1.0
    margins: tuple[Margin, ...] = ()


Guarded = tuple[Guardrail, History | None]


def plan_size(
    metric: TestMetric,
    level: History | None,
    mde: float | None,
    terms: Terms,
    guarded: Sequence[Guarded] = (),
    *,
    is_given: bool = True,
) -> Size:
    """The size that finds `mde` and shows each guardrail; nothing is planned without an `mde`.

    Args:
        metric: What decides.
        level: The control's rate or mean and the standard deviation of one request's value, of
            which a share needs none; None if not known.
        mde: The difference to find, in the metric's unit.
        terms: How it is looked at, and how sure it has to be.
        guarded: The guardrails with what is known of their metrics; those of which nothing is
            known are left out.
        is_given: Whether the baseline was asked for; one from the log that does not fit is no
            mistake of anybody, and plans no units.

    Raises:
        InvalidInput: A given baseline and the difference leave the range of a share.
    """
    factor, final_boundary = _looks(terms)
    needs = [margin_need(*pair, terms.ratio, kept_critical(terms.mode)) for pair in guarded]
    per_control = factor * WHOLE / terms.weights[0]
    margins = tuple(
        margin(*pair, need, terms.power, per_control)
        for pair, need in zip(guarded, needs, strict=True)
    )
    if mde is None:
        return Size(margins=margins)
    drift = normal_upper(terms.alpha / 2) + normal_upper(1 - terms.power)
    planned = Size(factor * (drift / mde) ** 2, final_boundary=final_boundary, margins=margins)
    decisive = _decisive(metric, level, mde, terms, is_given=is_given)
    if decisive is None:
        return planned
    size = joint([decisive, *(need for need in needs if need is not None)], terms.power)
    oversize, ratio = size.units / decisive.units(terms.power), terms.ratio
    return planned._replace(
        information=factor * (drift / mde) ** 2 * oversize,
        units=math.ceil(size.units * per_control),
        tuning=math.ceil(4 * size.units * factor * ratio / (1 + ratio)),
        driver=size.driver,
        oversize=oversize,
    )


def joint(needs: Sequence[Need], power: float) -> Joint:
    """The units that show all of it with this chance, however the needs hang together."""
    missed = 1 - power
    units = max(need.units(power) for need in needs)
    if len(needs) > 1:
        most = max(need.units(1 - missed / len(needs)) for need in needs)
        units = bisect(
            lambda n: missed - sum(need.miss(n) for need in needs),
            units,
            most,
            tolerance=1e-6 * most,
        )
    # Needs that no chance is left to miss are told apart by what they ask for alone.
    driver = max(needs, key=lambda need: (need.miss(units), need.units(power)))
    return Joint(units, driver.what)


def _decisive(
    metric: TestMetric, level: History | None, mde: float, terms: Terms, *, is_given: bool
) -> Need | None:
    """The need of the metric that decides; None where its spread is not known."""
    critical, ratio = normal_upper(terms.alpha / 2), terms.ratio
    if level is None:
        return None
    if metric.kind != "share":
        spread = (level.sd or 0.0) * math.sqrt(1 + 1 / ratio)
        return Need(metric.name, mde, spread, spread, critical) if spread else None
    rates = level.value, level.value + metric.sign * mde
    if all(0 < rate < 1 for rate in rates):
        return Need(metric.name, mde, *rate_spreads(*rates, ratio), critical)
    if is_given:
        raise InvalidInput(
            f"a baseline of {level.value:g} and an mde of {mde:g} leave the range of a share",
            hint="the mde is absolute: 0.02 is two points; 2% is a part of the baseline",
        )
    return None


@cache
def kept_critical(mode: Mode) -> float:
    """Standard errors that show a guardrail to be kept, before the size is inflated for the looks.

    A gain that was found once stays found. With a plan a guardrail is asked at each look anew, and
    so mostly shown at the last, which takes a little more than the looks do on average.
    """
    if mode != "group-sequential":
        return normal_upper(KEPT_ALPHA)
    from mlreg.stats.group_sequential import boundaries, equal_looks

    return boundaries(equal_looks(SLOTS), alpha=2 * KEPT_ALPHA).z[-1]


def margin_need(
    guard: Guardrail, level: History | None, ratio: float, critical: float
) -> Need | None:
    """What shows that a treatment which is like the control keeps a guardrail.

    For rates by Farrington & Manning (1990), as the guardrail is judged. None where the control's
    level or spread is not known, or is itself beyond the margin.
    """
    if level is None:
        return None
    gap = abs(limit_beside(guard, level.value) - level.value)
    if gap == 0 or (limit_beside(guard, level.value) > level.value) is not (guard.sign == "<="):
        return None
    factor = {"relative": 1 + guard.bound, "absolute": 1.0, "limit": 0.0}[guard.kind]
    if guard.metric.kind == "share":
        null = rate_gap(guard, (level.value, 1.0), (level.value, ratio)).se
        spread = math.sqrt(level.value * (1 - level.value))
    else:
        spread = level.sd or 0.0
        null = spread * math.sqrt(1 / ratio + factor**2)
    if not null > 0:
        return None
    return Need(guard.text, gap, null, spread * math.sqrt(1 / ratio + factor**2), critical)


def margin(
    guard: Guardrail, level: History | None, need: Need | None, power: float, per_control: float
) -> Margin:
    """What a guardrail asks for, with units of all arms for each of the control."""
    return Margin(
        text=guard.text,
        level=None if level is None else level.value,
        limit=None if level is None else limit_beside(guard, level.value),
        units=None if need is None else math.ceil(need.units(power) * per_control),
    )


def remarks(margins: Sequence[Margin], guards: Sequence[Guardrail]) -> Iterator[str]:
    """What whoever set guardrails should know of them, in sentences."""
    for found, guard in zip(margins, guards, strict=True):
        is_part = guard.kind == "relative" and guard.metric.unit == "share"
        text, name = safe(guard.text), safe(guard.metric.name)
        advice = "; a margin in points is written like +1pt" if is_part else ""
        if found.level is None or found.limit is None:
            part = " is a part of the control's own rate, and" if is_part else ""
            yield f"{text}{part} has no part in the size: nothing is known yet of {name}{advice}."
            continue
        level, limit = show(guard.metric, found.level), show(guard.metric, found.limit)
        if found.units is None:
            yield f"{text} allows {limit}, which one like the control, at {level}, cannot show."
        else:
            yield f"{text} allows {level} → {limit} and takes {found.units:,} units alone{advice}."


def size_remarks(design: Design) -> Iterator[str]:
    """The same of a design, and what its size comes from."""
    yield from remarks(design.margins, design.guardrails)
    if design.planned_units is not None and design.driver not in ("", design.metric.name):
        alone = math.ceil(design.planned_units / design.oversize)
        yield (
            f"{safe(design.driver)} drives the size: {design.planned_units:,} units, where "
            f"{safe(design.metric.name)} alone would take {alone:,}."
        )


def _looks(terms: Terms) -> tuple[float, float | None]:
    """How many times larger than one test at the end, and the boundary of the last look."""
    from mlreg.stats.group_sequential import boundaries, equal_looks, inflation
    from mlreg.stats.power import ALWAYS_VALID_INFLATION

    if terms.mode == "always-valid":
        return ALWAYS_VALID_INFLATION, None
    times = equal_looks(SLOTS if terms.mode == "group-sequential" else 1)
    factor = inflation(times, alpha=terms.alpha, power=terms.power).factor
    return factor, boundaries(times, alpha=terms.alpha).z[-1]
