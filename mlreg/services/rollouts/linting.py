"""What may go wrong with a plan, before it begins. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from mlreg.clock import DAY, SECOND, format_duration
from mlreg.entities.rollouts import Plan
from mlreg.evidence.conditions import of_catalogue
from mlreg.evidence.phased import read_check
from mlreg.metrics import COVERAGE
from mlreg.tallies import Tally


def least_seconds(plan: Plan) -> float:
    """How long a plan takes at least."""
    return plan.interval_seconds * (len(plan.steps) - 1) + plan.bake_seconds


def warnings(plan: Plan, daily: Tally) -> Iterator[str]:
    """What may go wrong, in sentences.

    Args:
        plan: The plan.
        daily: What the model answered in the last day.
    """
    first, hold = plan.steps[0], plan.hold_at_most_seconds + plan.interval_seconds
    if not daily.requests:
        yield "nothing was answered in the last day: each step waits for its samples"
    else:
        needed = plan.min_samples / (daily.requests * first / 100) * DAY / SECOND
        if needed > plan.interval_seconds:
            much = "more than it is held at most" if needed > hold else "more than its interval"
            yield (
                f"at the present traffic the step of {first:g} % needs "
                f"{format_duration(needed)} for {plan.min_samples:,} samples, {much}"
            )
    conditions = [read_check(text) for text in plan.checks]
    if not conditions:
        yield "nothing is checked: only time and samples are waited for"
    elif all(condition.reference == "baseline" for condition in conditions):
        yield (
            "at 100 % nothing answers beside the version, and all checks compare: the bake sees "
            "only labels that come late; add a limit, such as error_rate <= 5% sure"
        )
    if not any(condition.sure for condition in conditions) and conditions:
        yield "no check is sure: chance alone may abort a version that is good"
    for condition in conditions:
        if of_catalogue(condition.metric).needs == COVERAGE and not daily.labelled:
            yield f"{condition}: no prediction of the last day has a label"
