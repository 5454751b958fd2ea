"""`mlreg threshold set`."""

from __future__ import annotations

from mlreg.cli.kit.parameters import argument, option
from mlreg.cli.kit.values import number
from mlreg.cli.options import MODEL, MannerOptions, read_name
from mlreg.cli.session import SessionOptions
from mlreg.entities.thresholds import Action, Anomaly, Severity


def set_(
    session: SessionOptions,
    change: MannerOptions,
    name: str | None = argument("[NAME]", "The model.", complete="model"),
    condition: str | None = argument("[CONDITION]", "What must hold; see docs/conditions.md."),
    model: str | None = MODEL,
    label: str | None = option("--name LABEL", "What it is called; else as its metric."),
    severity: Severity | None = option(
        "--severity", "How bad it is; else critical if it rolls back, and a warning if not."
    ),
    action: Action = option("--action", "What happens beside the alert.", default="alert"),
    anomaly: str | None = option(
        "--anomaly METRIC", "Instead of a condition: far from the same hours of past days."
    ),
    sigma: float = option("--sigma F", "How far is too far.", number, default=3.0),
) -> None:
    """Add a threshold, or put it in the place of the one of its name.

    Says how often it would fire at the present level and traffic if nothing changed.

    $ mlreg threshold set sentiment 'error_rate <= 5% over 10m min 100 for 5m' --action rollback
    $ mlreg threshold set sentiment 'accuracy >= baseline - 2pt over 7d min 200'
    $ mlreg threshold set sentiment 'requests >= 1 over 10m' --name silence --severity critical
    $ mlreg threshold set sentiment --anomaly p95_latency_ms --sigma 3
    """
    if name is not None and condition is None and anomaly is None:
        name, condition = None, name
    with session.open() as registry:
        found = registry.thresholds.set(
            read_name(name, model),
            condition,
            anomaly=Anomaly(anomaly, sigma) if anomaly is not None else None,
            label=label,
            severity=severity,
            action=action,
            change=change,
        )
        session.emit(found)
