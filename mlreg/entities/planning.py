"""What the calculators of experiments report: a plan, and a check of a split."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from mlreg.entities.experiments import Margin

Mode = Literal["fixed", "group-sequential", "always-valid"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModePlan:
    """What a plan costs under one way of looking at the data.

    Attributes:
        inflation: Units at most, as a multiple of those of one test at the end.
        control: Units of the control.
        treatment: Units of each treatment.
        total: Units of all arms.
        mde: What these units find, in the metric's unit.
        days: Whole days at the traffic that was named.
        expected_total: Units on average if the effect is as planned; None where it is not known.
        expected_total_without_effect: Units on average if there is no effect.
    """

    mode: Mode
    inflation: float
    control: int
    treatment: int
    total: int
    mde: float | None
    days: int | None
    expected_total: int | None
    expected_total_without_effect: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How many units an experiment needs, or what a number of units can find.

    Attributes:
        metric: `proportion` for a rate, `mean` for anything else.
        asked: What was asked for: the `units` for a change, or the `mde` of so many units.
        mde: The change to find, absolute and with its sign; None where none was named.
        arms: Number of arms, the control among them.
        alpha_used: What is left of alpha for each treatment.
        ratio: Units of a treatment for each unit of the control.
        design_effect: By how much the variance of clustered units exceeds that of single ones.
        units_per_day: New units a day, over all arms.
        metrics: How many metrics can decide, and share alpha.
        margins: What each guardrail asks for by itself, in a planned test.
        driver: What asks for the most units.
        remarks: What the guardrails allow and take, in sentences.
    """

    metric: Literal["proportion", "mean"]
    asked: Literal["units", "mde"]
    baseline: float | None
    mde: float | None
    relative_mde: float | None
    sd: float | None
    alpha: float
    alpha_used: float
    power: float
    arms: int
    ratio: float
    design_effect: float
    units_per_day: float | None
    metrics: int
    margins: tuple[Margin, ...]
    driver: str
    remarks: tuple[str, ...]
    modes: tuple[ModePlan, ...]
    recommendation: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitCheck:
    """Whether the units of the arms fit the split that was meant.

    Attributes:
        weights: The intended shares, as parts of 1.
        method: The test behind `p_value`.
        threshold: Below it the split is called wrong.
    """

    observed: tuple[int, ...]
    weights: tuple[float, ...]
    expected: tuple[float, ...]
    method: str
    statistic: float | None
    df: int | None
    p_value: float
    threshold: float
    is_mismatch: bool
    warnings: tuple[str, ...]
    recommendation: str
