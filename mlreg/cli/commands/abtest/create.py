"""`mlreg abtest create`."""

from __future__ import annotations

import math
from typing import Annotated

from mlreg.cli.kit.parameters import Bundle, option
from mlreg.cli.kit.values import amount, pairs, percent, whole_number, words
from mlreg.cli.options import ALPHA, POWER, TEST, MannerOptions
from mlreg.cli.session import SessionOptions
from mlreg.clock import format_duration
from mlreg.entities.experiments import MIN_SAMPLES, Draft, Mode, TestStrategy
from mlreg.metrics import known_metrics

_STRATEGY = option(
    "--strategy",
    "How a version is picked; canary begins at 10 % and takes steps.",
    default="random",
)
_METRIC = option(
    "--metric M",
    "What decides: success_rate is the share of requests answered without an error, accuracy that "
    f"of the labels that were right. There is {', '.join(known_metrics())} or value:NAME.",
    default="success_rate",
)
_MIN_SAMPLES = option(
    "--min-samples N",
    "Units that each arm needs before the first test, at least 20.",
    whole_number,
    default=MIN_SAMPLES,
)
_MIN_RUN = option(
    "--min-run TIME",
    "How long it runs before a verdict: the days of a week differ; 0: none.",
    default="3d",
)


def read_draft(
    control: str = option(
        "--control REF", "The version to compare with.", default=..., complete="ref"
    ),
    treatments: list[str] = option(
        "--treatment REF", "A version to try; can be repeated.", default=..., complete="ref"
    ),
    split: float | None = option(
        "--split PCT", "Share of the treatments together; else all arms get the same.", percent
    ),
    weights: list[str] | None = option(
        "--weights V=PCT,...", "Instead of --split: the share of each version; they sum to 100."
    ),
    strategy: TestStrategy = _STRATEGY,
    metric: str = _METRIC,
    secondary: list[str] | None = option("--secondary M,...", "Shown beside it; decides nothing."),
    guardrails: list[str] | None = option(
        "--guardrail CONDITION",
        "What must hold for a winner, such as 'p95_latency_ms <= +10%'; repeatable. "
        "See docs/conditions.md.",
    ),
    alpha: float = ALPHA,
    power: float = POWER,
    baseline: float | None = option(
        "--baseline B", "The control's expected value; else taken from the log.", amount
    ),
    mde: str | None = option(
        "--mde D", "Smallest change to plan for: 0.02 is absolute, +20% a part of the baseline."
    ),
    min_effect: str | None = option("--min-effect D", "Smallest gain that is worth shipping."),
    min_samples: int = _MIN_SAMPLES,
    min_run: str = _MIN_RUN,
    max_duration: str | None = option("--max-duration TIME", "When the last look is due: 7d, 36h."),
    label_window: str | None = option(
        "--label-window TIME",
        "Age at which labels count; else what 95 % of them are seen to take.",
    ),
    mode: Mode | None = option(
        "--mode", "How it may be looked at; else by whether a size is planned."
    ),
    hypothesis: str = option("--hypothesis TEXT", "What is expected, and why.", default=""),
    description: str = option("--description TEXT", "Anything else to know.", default=""),
) -> Draft:
    """What the options amount to: each is a field of the draft."""
    said = dict(locals())
    said["weights"] = pairs(words(weights), percent) or None
    said["secondary"], said["guardrails"] = words(secondary), guardrails or ()
    return Draft(**said)


def create(
    session: SessionOptions,
    change: MannerOptions,
    draft: Annotated[Draft, Bundle(read_draft)],
    test_id: str = TEST,
) -> None:
    """Write down the design of a test; nothing changes for users before start.

    The metric of --metric decides alone; guardrails can forbid a winner. Left out, it is how often
    a version answers at all, which says nothing of how good the answers are.

    $ mlreg abtest create tone --control sentiment@1.0.0 --treatment sentiment@2.0.0 \
--metric accuracy
    $ mlreg abtest create tone --control sentiment@1.0.0 --treatment sentiment@2.0.0 \
--metric accuracy --mde 0.02 --baseline 0.9 --max-duration 14d --guardrail 'p95_latency_ms <= +10%'
    """
    from mlreg.evidence.sizing import size_remarks

    with session.open() as registry:
        experiment = registry.experiments.create(test_id, draft, change=change)
        session.emit(experiment)
        design = experiment.design
        for remark in size_remarks(design):
            session.note(f"note: {remark}")
        if design.min_run_seconds > (design.max_duration_seconds or math.inf):
            session.note(
                f"note: the last look is due before the {format_duration(design.min_run_seconds)} "
                "that a verdict takes; --min-run says less"
            )
    session.suggest(f"mlreg abtest start {experiment.test_id}")
