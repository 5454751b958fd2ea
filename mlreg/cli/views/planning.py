"""Plans of experiments, and checks of a split."""

from __future__ import annotations

from collections.abc import Iterable

from mlreg.cli.views.blocks import Block, Column, Line, Table
from mlreg.cli.views.formats import NOTHING, count, number, p_value, percent, points, signed
from mlreg.entities.planning import ModePlan, Plan, SplitCheck


def plan(plan: Plan) -> Iterable[Block]:
    """The sizes that a test needs, or what it can find."""
    yield Line(_question(plan))
    yield Line("")
    columns: dict[str, list[str]] = {
        "mode": [entry.mode for entry in plan.modes],
        "control": [count(entry.control) for entry in plan.modes],
        "treatment" if plan.arms == 2 else "each treatment": [
            count(entry.treatment) for entry in plan.modes
        ],
        "in all": [count(entry.total) for entry in plan.modes],
        "days": [count(entry.days) for entry in plan.modes],
        **_last_columns(plan),
    }
    filled = {title: cells for title, cells in columns.items() if set(cells) != {NOTHING}}
    titles = [Column(title, right=title != "mode") for title in filled]
    yield Table(titles, list(zip(*filled.values(), strict=True)))
    yield Line("")
    for remark in plan.remarks:
        yield Line(remark)
    yield Line(plan.recommendation, "bold")


def _last_columns(plan: Plan) -> dict[str, list[str]]:
    if plan.asked == "mde":
        return {"finds a change of": [_found(plan, entry) for entry in plan.modes]}
    return {
        "mean if real": [count(entry.expected_total) for entry in plan.modes],
        "if none": [count(entry.expected_total_without_effect) for entry in plan.modes],
    }


def _question(plan: Plan) -> str:
    risks = f"alpha {plan.alpha:g}, power {plan.power:.0%}"
    shared = [f" / {plan.arms - 1} treatments"] if plan.arms > 2 else []
    shared += [f" / {plan.metrics} metrics"] if plan.metrics > 1 else []
    if shared:
        risks = f"alpha {plan.alpha:g}{''.join(shared)}, power {plan.power:.0%}"
    if plan.mde is None:
        return f"the change that can be found{_baseline(plan)}; {risks}"
    change = points(plan.mde, "+.2f") if plan.metric == "proportion" else signed(plan.mde)
    relative = "" if plan.relative_mde is None else f" ({plan.relative_mde:+.1%})"
    return f"to find a change of {change}{relative}{_baseline(plan)}; {risks}"


def _baseline(plan: Plan) -> str:
    if plan.baseline is None:
        return ""
    share = percent(plan.baseline) if plan.metric == "proportion" else number(plan.baseline)
    return f" from {share}"


def _found(plan: Plan, entry: ModePlan) -> str:
    if entry.mde is None:
        return "none"
    return points(entry.mde, ".2f") if plan.metric == "proportion" else number(entry.mde)


def split_check(check: SplitCheck) -> Iterable[Block]:
    """The check of a split."""
    total = sum(check.observed)
    columns = [Column("arm"), *(Column(t, right=True) for t in ("units", "share", "meant"))]
    rows = [
        (str(place), count(units), percent(units / total, 2), percent(share, 2))
        for place, (units, share) in enumerate(zip(check.observed, check.weights, strict=True), 1)
    ]
    yield Table(columns, rows)
    yield Line(f"{check.method}, p {p_value(check.p_value)}, alarm below {check.threshold:g}")
    yield Line(check.recommendation, "bold red" if check.is_mismatch else "green")
