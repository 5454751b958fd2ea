"""`mlreg threshold defaults`."""

from __future__ import annotations

from mlreg.cli.kit.parameters import option
from mlreg.cli.kit.values import amount, number, whole_number
from mlreg.cli.options import MannerOptions, NameOptions
from mlreg.cli.session import SessionOptions
from mlreg.entities.documents import ThresholdList
from mlreg.entities.thresholds import Action, Severity


def defaults(
    session: SessionOptions,
    name: NameOptions,
    change: MannerOptions,
    min_accuracy: float | None = option("--min-accuracy A", "Of labelled answers.", amount),
    max_error_rate: float | None = option("--max-error-rate R", "Of requests.", amount),
    max_latency_ms: float | None = option("--max-latency-ms MS", "On average.", number),
    min_confidence: float | None = option("--min-confidence C", "On average.", amount),
    min_success_rate: float | None = option("--min-success-rate R", "Of requests.", amount),
    evaluation_window: int | None = option(
        "--evaluation-window N", "Look at so many predictions; else at ten minutes.", whole_number
    ),
    consecutive_failures: int | None = option(
        "--consecutive-failures N", "So many failures in a row are too many.", whole_number
    ),
    severity: Severity | None = option(
        "--severity", "How bad it is; else critical if it rolls back, and a warning if not."
    ),
    action: Action = option("--action", "What happens beside the alert.", default="alert"),
) -> None:
    """Set the triggers that people know, in one go.

    Each becomes a threshold of its own, which can be changed and removed as any other. Without any
    of them: an error rate of 10 %, a mean latency of 10 s, 95 % of successes, over 10 minutes.

    $ mlreg threshold defaults sentiment
    $ mlreg threshold defaults sentiment --min-accuracy 0.80 --max-error-rate 0.05 \
--max-latency-ms 200 --min-confidence 0.60 --evaluation-window 100 --consecutive-failures 3 \
--action rollback
    """
    from mlreg.services.threshold_drafts import Defaults

    with session.open() as registry:
        found = registry.thresholds.set_defaults(
            name,
            Defaults(
                min_accuracy,
                max_error_rate,
                max_latency_ms,
                min_confidence,
                min_success_rate,
                evaluation_window,
                consecutive_failures,
            ),
            severity=severity,
            action=action,
            change=change,
        )
        session.emit(ThresholdList(thresholds=list(found)))
