"""`mlreg abtest create`."""

from __future__ import annotations

import math
from typing import Annotated

import typer

from mlreg.cli.kit.completion import complete_ref
from mlreg.cli.options import (
    ActorOption,
    AlphaOption,
    DryRunOption,
    ExperimentArgument,
    PowerOption,
    ReasonOption,
    amount,
    pairs,
    parser,
    percent,
    whole_number,
)
from mlreg.cli.session import SessionOptions
from mlreg.clock import format_duration
from mlreg.entities.experiments import Draft, Mode, TestStrategy
from mlreg.entities.traffic import Change


def create(
    session: SessionOptions,
    test_id: ExperimentArgument,
    control: Annotated[
        str,
        typer.Option(
            "--control",
            metavar="REF",
            help="The version to compare with.",
            autocompletion=complete_ref,
        ),
    ],
    treatment: Annotated[
        list[str],
        typer.Option(
            "--treatment",
            metavar="REF",
            help="A version to try; can be repeated.",
            autocompletion=complete_ref,
        ),
    ],
    split: Annotated[
        float | None,
        typer.Option(
            "--split",
            metavar="PCT",
            parser=parser(percent),
            help="Share of the treatments together; else all arms get the same.",
        ),
    ] = None,
    weights: Annotated[
        list[str] | None,
        typer.Option(
            "--weights",
            metavar="V=PCT,...",
            help="Instead of --split: the share of each version; they sum to 100.",
        ),
    ] = None,
    strategy: Annotated[
        TestStrategy,
        typer.Option(
            "--strategy", help="How a version is picked; canary begins at 10 % and takes steps."
        ),
    ] = "random",
    metric: Annotated[
        str,
        typer.Option(
            "--metric",
            metavar="M",
            help="What decides: success_rate, error_rate, accuracy, avg_latency_ms, "
            "p95_latency_ms, avg_confidence, cost_per_request or value:NAME.",
        ),
    ] = "success_rate",
    secondary: Annotated[
        list[str] | None,
        typer.Option("--secondary", metavar="M,...", help="Shown beside it; decides nothing."),
    ] = None,
    guardrail: Annotated[
        list[str] | None,
        typer.Option(
            "--guardrail",
            metavar="CONDITION",
            help="What must hold for a winner, such as 'p95_latency_ms <= +10%'; repeatable.",
        ),
    ] = None,
    alpha: AlphaOption = 0.05,
    power: PowerOption = 0.8,
    baseline: Annotated[
        float | None,
        typer.Option(
            "--baseline",
            metavar="B",
            parser=parser(amount),
            help="The control's expected value; else taken from the log.",
        ),
    ] = None,
    mde: Annotated[
        str | None,
        typer.Option(
            "--mde",
            metavar="D",
            help="Smallest change to plan for: 0.02 is absolute, +20% a part of the baseline.",
        ),
    ] = None,
    min_effect: Annotated[
        str | None,
        typer.Option("--min-effect", metavar="D", help="Smallest gain that is worth shipping."),
    ] = None,
    min_samples: Annotated[
        int,
        typer.Option(
            "--min-samples",
            metavar="N",
            parser=parser(whole_number),
            help="Units that each arm needs before the first test, at least 100.",
        ),
    ] = 100,
    min_run: Annotated[
        str,
        typer.Option(
            "--min-run",
            metavar="TIME",
            help="How long it runs before a verdict; the days of a week differ.",
        ),
    ] = "3d",
    max_duration: Annotated[
        str | None,
        typer.Option("--max-duration", metavar="TIME", help="When the last look is due: 7d, 36h."),
    ] = None,
    label_window: Annotated[
        str | None,
        typer.Option(
            "--label-window",
            metavar="TIME",
            help="Age at which a label is due; the arms are compared by the older ones.",
        ),
    ] = None,
    mode: Annotated[
        Mode | None,
        typer.Option("--mode", help="How it may be looked at; else by whether a size is planned."),
    ] = None,
    hypothesis: Annotated[
        str, typer.Option("--hypothesis", metavar="TEXT", help="What is expected, and why.")
    ] = "",
    description: Annotated[
        str, typer.Option("--description", metavar="TEXT", help="Anything else to know.")
    ] = "",
    reason: ReasonOption = "",
    actor: ActorOption = None,
    dry_run: DryRunOption = False,
) -> None:
    """Write down the design of a test; nothing changes for users before start.

    The metric of --metric decides alone; guardrails can forbid a winner.

    $ mlreg abtest create tone --control sentiment@1.0.0 --treatment sentiment@2.0.0 --split 20
    $ mlreg abtest create tone --control sentiment@1.0.0 --treatment sentiment@2.0.0 \
--metric accuracy --mde 0.02 --baseline 0.9 --max-duration 14d --guardrail 'p95_latency_ms <= +10%'
    """
    with session.open() as registry:
        draft = Draft(
            control=control,
            treatments=treatment,
            split=split,
            weights=pairs(_words(weights), percent) or None,
            strategy=strategy,
            metric=metric,
            secondary=_words(secondary),
            guardrails=guardrail or (),
            alpha=alpha,
            power=power,
            mde=mde,
            min_effect=min_effect,
            min_samples=min_samples,
            min_run=min_run,
            max_duration=max_duration,
            label_window=label_window,
            mode=mode,
            baseline=baseline,
            hypothesis=hypothesis,
            description=description,
        )
        change = Change(reason=reason, actor=actor, dry_run=dry_run)
        experiment = registry.experiments.create(test_id, draft, change=change)
        session.emit(experiment)
        design = experiment.design
        if design.min_run_seconds > (design.max_duration_seconds or math.inf):
            session.note(
                f"note: the last look is due before the {format_duration(design.min_run_seconds)} "
                "that a verdict takes; --min-run says less"
            )
    session.suggest(f"mlreg abtest start {experiment.test_id}")


def _words(texts: list[str] | None) -> list[str]:
    """Options that can be repeated, and hold several parts between commas."""
    return [part.strip() for text in texts or () for part in text.split(",")]
