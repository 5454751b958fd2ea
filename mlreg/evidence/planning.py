"""Calculators for experiments, which need no registry: sample sizes, and checks of a split."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from itertools import chain
from typing import TYPE_CHECKING

from mlreg.entities.experiments import Margin
from mlreg.entities.planning import Mode, ModePlan, Plan, SplitCheck
from mlreg.errors import InvalidInput
from mlreg.evidence.guardrails import parse_guardrail
from mlreg.evidence.history import History
from mlreg.evidence.sizing import (
    Guarded,
    Joint,
    Need,
    joint,
    kept_critical,
    margin,
    margin_need,
    remarks,
)
from mlreg.metrics import parse_metric
from mlreg.names import safe
from mlreg.stats import power, srm
from mlreg.stats.distributions import normal_upper

if TYPE_CHECKING:
    from mlreg.stats.group_sequential import Inflation

MAX_ARMS = 100
MAX_UNITS = 10**15


@dataclass(frozen=True, kw_only=True)
class Design:
    """What a plan is made from.

    Attributes:
        baseline: The control's rate, or its mean where `sd` is given.
        mde: The smallest change to find, absolute and with its sign.
        relative_mde: The same as a part of the baseline; one of both is given, or `units`.
        units: Units of all arms together, to ask what they can find.
        sd: Standard deviation of one unit, for a mean.
        ratio: Units of a treatment for each unit of the control.
        arms: Number of arms, the control among them.
        design_effect: By how much the variance of clustered units exceeds that of single ones.
        units_per_day: New units a day, over all arms.
        metrics: How many metrics can decide: a report shares alpha among them.
        guarded: What a winner must not break, with what the control reaches there.
    """

    baseline: float | None = None
    mde: float | None = None
    relative_mde: float | None = None
    units: float | None = None
    sd: float | None = None
    alpha: float = 0.05
    power: float = 0.8
    ratio: float = 1.0
    arms: int = 2
    design_effect: float = 1.0
    units_per_day: float | None = None
    metrics: int = 1
    guarded: Sequence[Guarded] = ()

    @property
    def treatments(self) -> int:
        """Number of arms without the control."""
        return self.arms - 1

    @property
    def alpha_used(self) -> float:
        """The level of one comparison: shared, so that more of them bring no more false winners."""
        return self.alpha / self.treatments / self.metrics

    @property
    def effect(self) -> float | None:
        """The change to find, absolute."""
        if self.relative_mde is None or self.baseline is None:
            return self.mde
        return self.relative_mde * self.baseline

    @cached_property
    def sequential(self) -> Inflation:
        """What the looks of a group sequential test cost and save."""
        from mlreg.stats import group_sequential as rule  # it costs 300 ms

        looks = rule.equal_looks(rule.SLOTS)
        return rule.inflation(looks, alpha=self.alpha_used, power=self.power)

    def needs(self, mode: Mode) -> list[Need | None]:
        """What each guardrail asks for."""
        critical = kept_critical(mode)
        return [margin_need(*pair, self.ratio, critical) for pair in self.guarded]

    def joint(self, mode: Mode) -> Joint:
        """The units of the control that one test at the end takes, and what drives them."""
        known = [need for need in self.needs(mode) if need is not None]
        name, exact = "the metric that decides", _single(self).exact_control
        if not known:
            return Joint(exact, name)
        effect, ratio = self.effect or 0.0, self.ratio
        # Normal, where a mean alone is sized by the noncentral t: they differ by a unit or two.
        spreads = ((self.sd or 0.0) * math.sqrt(1 + 1 / ratio),) * 2
        if self.sd is None:
            rate = self.baseline or 0.0
            spreads = power.rate_spreads(rate, rate + effect, ratio)
        decisive = Need(name, abs(effect), *spreads, normal_upper(self.alpha_used / 2))
        found = joint([decisive, *known], self.power)
        return found._replace(units=max(exact, found.units))

    @property
    def margins(self) -> tuple[Margin, ...]:
        """What each guardrail asks for by itself, looked at as a planned test is."""
        per_control = (
            self.sequential.factor * self.design_effect * (1 + self.treatments * self.ratio)
        )
        pairs = zip(self.guarded, self.needs("group-sequential"), strict=True)
        return tuple(margin(*pair, need, self.power, per_control) for pair, need in pairs)

    def inflation(self, mode: Mode) -> float:
        """Units at most, as a multiple of those of one test at the end."""
        if mode == "always-valid":
            return power.ALWAYS_VALID_INFLATION
        return self.sequential.factor if mode == "group-sequential" else 1.0


MODES: tuple[Mode, ...] = ("fixed", "group-sequential", "always-valid")


def plan(design: Design) -> Plan:
    """Units for a change, or the change that so many units find, under each mode.

    Raises:
        InvalidInput: Values that no experiment can have, or that do not fit each other.
    """
    _check(design)
    entry = _sized if design.units is None else _searched
    modes = tuple(entry(design, mode) for mode in MODES)
    effect = design.effect
    relative = design.relative_mde
    if relative is None and effect is not None and design.baseline:
        relative = effect / design.baseline
    return Plan(
        metric="proportion" if design.sd is None else "mean",
        asked="units" if design.units is None else "mde",
        baseline=design.baseline,
        mde=effect,
        relative_mde=relative,
        sd=design.sd,
        alpha=design.alpha,
        alpha_used=design.alpha_used,
        power=design.power,
        arms=design.arms,
        ratio=design.ratio,
        design_effect=design.design_effect,
        units_per_day=design.units_per_day,
        metrics=design.metrics,
        margins=design.margins,
        driver=design.joint("group-sequential").driver if design.units is None else "",
        remarks=tuple(remarks(design.margins, [guard for guard, _ in design.guarded])),
        modes=modes,
        recommendation=_sentence(design, {found.mode: found for found in modes}),
    )


def _sized(design: Design, mode: Mode) -> ModePlan:
    """The units that the change asks for."""
    exact = design.joint(mode).units * design.design_effect
    control = exact * design.inflation(mode)
    if control * design.arms > MAX_UNITS:
        raise InvalidInput("so small a change needs more units than there are", hint="raise --mde")
    total = math.ceil(control) + design.treatments * math.ceil(control * design.ratio)
    single = exact * (1 + design.treatments * design.ratio)
    # A guardrail may keep a gain waiting that has been shown: then no mean is known.
    is_early = mode == "group-sequential" and not design.guarded
    early = design.sequential if is_early else None
    return ModePlan(
        mode=mode,
        inflation=design.inflation(mode),
        control=math.ceil(control),
        treatment=math.ceil(control * design.ratio),
        total=total,
        mde=design.effect,
        days=_days(design, total),
        expected_total=math.ceil(single * early.expected_h1) if early else None,
        expected_total_without_effect=math.ceil(single * early.expected_h0) if early else None,
    )


def _single(design: Design) -> power.SampleSize:
    effect, alpha, ratio = design.effect or 0.0, design.alpha_used, design.ratio
    if design.sd is not None:
        return power.mean_sample_size(
            effect, design.sd, alpha=alpha, power=design.power, ratio=ratio
        )
    rate = design.baseline or 0.0
    return power.proportion_sample_size(
        rate, rate + effect, alpha=alpha, power=design.power, ratio=ratio
    )


def _searched(design: Design, mode: Mode) -> ModePlan:
    """The change that the units find."""
    units = design.units or 0.0
    control = units / (1 + design.treatments * design.ratio)
    useful = control / design.inflation(mode) / design.design_effect
    return ModePlan(
        mode=mode,
        inflation=design.inflation(mode),
        control=math.floor(control),
        treatment=math.floor(control * design.ratio),
        total=math.floor(units),
        mde=_smallest(design, useful),
        days=_days(design, units),
        expected_total=None,
        expected_total_without_effect=None,
    )


def _smallest(design: Design, control: float) -> float | None:
    alpha, ratio = design.alpha_used, design.ratio
    if design.sd is not None:
        return power.mean_mde(design.sd, control, alpha=alpha, power=design.power, ratio=ratio)
    rate = design.baseline or 0.0
    return power.proportion_mde(rate, control, alpha=alpha, power=design.power, ratio=ratio)


def read_guarded(
    texts: Sequence[str], levels: Mapping[str, tuple[float, float | None]]
) -> list[Guarded]:
    """Guardrails as they are written, with what the control reaches: a value, and a spread.

    Raises:
        InvalidInput: A guardrail cannot be read, or the level or the spread of one is missing.
    """
    found: list[Guarded] = []
    unguarded = dict(levels)
    for text in texts:
        guard = parse_guardrail(text, partial(parse_metric, is_value=lambda _: False))
        name = guard.metric.name
        if name not in levels:
            example = "2%" if guard.metric.kind == "share" else "120:45"
            raise InvalidInput(
                f"to size {safe(text)}, what the control reaches must be known",
                hint=f"say it like --level {name}={example}",
            )
        level = History(*levels[name])
        unguarded.pop(name, None)
        if guard.metric.kind == "share" and not 0 <= level.value <= 1:
            raise InvalidInput(f"{name} lies between 0 and 1, not at {level.value:g}")
        if guard.metric.kind != "share" and not (level.sd and level.sd > 0):
            raise InvalidInput(
                f"{name} is no rate: its standard deviation must be known as well",
                hint=f"say it like --level {name}={level.value:g}:SD",
            )
        found.append((guard, level))
    if unguarded:
        raise InvalidInput(f"no guardrail is about {safe(next(iter(unguarded)))}")
    return found


def _days(design: Design, total: float) -> int | None:
    return None if design.units_per_day is None else math.ceil(total / design.units_per_day)


def _check(design: Design) -> None:
    _check_asked(design)
    _inside("alpha", design.alpha)
    _inside("power", design.power)
    if design.power <= design.alpha:
        raise InvalidInput("power must be above alpha: by chance alone a test finds as much")
    for name in ("ratio", "design_effect", "units_per_day", "sd", "units"):
        value = getattr(design, name)
        if value is not None and not 0 < value < MAX_UNITS:
            raise InvalidInput(f"{name.replace('_', ' ')} must be above 0, not {value:g}")
    if design.design_effect < 1:
        raise InvalidInput(f"a design effect is 1 or more, not {design.design_effect:g}")
    if not 2 <= design.arms <= MAX_ARMS:
        raise InvalidInput(f"an experiment has 2 to {MAX_ARMS} arms, not {design.arms}")
    if not 1 <= design.metrics <= MAX_ARMS:
        raise InvalidInput(f"1 to {MAX_ARMS} metrics can decide, not {design.metrics}")
    if design.sd is None:
        _check_rates(design)


def _check_asked(design: Design) -> None:
    asked = [v for v in (design.mde, design.relative_mde, design.units) if v is not None]
    if len(asked) != 1:
        raise InvalidInput(
            "give either the change to find or the number of units",
            hint="--mde 0.02, --mde +20% or --n 10000",
        )
    if design.baseline is None and (design.sd is None or design.relative_mde is not None):
        raise InvalidInput("the baseline is missing", hint="say it with --baseline 0.10")
    if design.guarded and design.units is not None:
        raise InvalidInput(
            "guardrails ask for units, which --n has named", hint="give --mde instead of --n"
        )
    if design.units is None and not design.effect:
        raise InvalidInput("the change to find must not be 0")


def _inside(name: str, value: float) -> None:
    if not 0 < value < 1:
        raise InvalidInput(f"{name} lies between 0 and 1, not at {value:g}")


def _check_rates(design: Design) -> None:
    rate = design.baseline or 0.0
    if not 0 < rate < 1:
        raise InvalidInput(
            f"a rate lies between 0 and 1, not at {rate:g}", hint="for a mean give --sd as well"
        )
    planned = rate + (design.effect or 0.0)
    if not 0 < planned < 1:
        raise InvalidInput(
            f"the change would bring the rate from {rate:g} to {planned:g}",
            hint="--mde is absolute: 0.02 is two points; a part of the baseline is +20%",
        )


def _sentence(design: Design, modes: dict[Mode, ModePlan]) -> str:
    planned, fixed = modes["group-sequential"], modes["fixed"]
    if design.units is not None:
        if planned.mde is None:
            return f"{planned.total:,} units find no change at all with {design.power:.0%} power."
        return (
            f"{planned.total:,} units find a change of {_change(design, planned.mde)} with "
            f"{design.power:.0%} power, however often you look."
        )
    days = f", {planned.days:,} days" if planned.days is not None else ""
    extra = planned.total / fixed.total - 1
    if design.guarded:
        driver = safe(design.joint("group-sequential").driver)
        return (
            f"Plan {planned.total:,} units{days}, for {driver}: looks at any time cost {extra:.1%} "
            f"more units."
        )
    return (
        f"Plan {planned.total:,} units{days}: looks at any time cost {extra:.1%} more units, and "
        f"a real effect ends the test after {planned.expected_total:,} on average."
    )


def _change(design: Design, mde: float) -> str:
    if design.sd is None:
        return f"{mde * 100:.2f} points"
    return f"{mde:.4g}"


def check_split(
    observed: Sequence[int],
    weights: Sequence[float] = (),
    *,
    threshold: float = srm.THRESHOLD,
    is_repeated: bool = False,
) -> SplitCheck:
    """Whether counts of units fit the weights.

    Args:
        observed: Units of each arm.
        weights: The intended split on any scale; none stands for equal shares.
        threshold: p-value below which the split is called wrong.
        is_repeated: Whether it is checked again and again as units arrive.

    Raises:
        InvalidInput: Fewer than two arms, weights of another number, no units, or bad values.
    """
    epoch = _epoch(observed, weights)
    _inside("the threshold", threshold)
    check = srm.sequential_sample_ratio if is_repeated else srm.sample_ratio
    found = check(epoch, threshold=threshold)
    result = SplitCheck(
        observed=epoch.observed,
        weights=epoch.shares,
        expected=found.expected,
        method=found.method,
        statistic=found.statistic,
        df=found.df,
        p_value=found.p_value,
        threshold=threshold,
        is_mismatch=found.is_mismatch,
        warnings=found.warnings,
        recommendation="",
    )
    return replace(result, recommendation=_split_sentence(result))


def _epoch(observed: Sequence[int], weights: Sequence[float]) -> srm.Epoch:
    if len(observed) < 2:
        raise InvalidInput("a split has two arms or more", hint="mlreg abtest srm 5030 4970")
    if weights and len(weights) != len(observed):
        raise InvalidInput(f"{len(observed)} arms have {len(weights)} weights; give one for each")
    if not all(0 <= value < MAX_UNITS for value in chain(observed, weights)):
        raise InvalidInput("counts and weights are 0 or more")
    if not sum(observed):
        raise InvalidInput("there are no units to check")
    if weights and not sum(weights):
        raise InvalidInput("the weights are all 0")
    return srm.Epoch(tuple(observed), tuple(weights) or (1.0,) * len(observed))


def _split_sentence(check: SplitCheck) -> str:
    total = sum(check.observed)
    seen = " / ".join(f"{n / total:.1%}" for n in check.observed)
    meant = " / ".join(f"{share:.1%}" for share in check.weights)
    p = "p < 0.001" if check.p_value < 0.001 else f"p = {check.p_value:.3f}"
    if check.is_mismatch:
        return (
            f"The split is {seen} instead of {meant} ({p}): find out which units were lost "
            "before you read any metric."
        )
    return f"The split {seen} fits {meant} ({p})."
