"""`mlreg threshold remove`."""

from __future__ import annotations

from mlreg.cli.kit.parameters import argument
from mlreg.cli.options import MODEL, MannerOptions, read_name
from mlreg.cli.session import SessionOptions


def remove(
    session: SessionOptions,
    change: MannerOptions,
    name: str = argument("NAME", "The model, or the threshold where there is one model."),
    label: str | None = argument("[LABEL]", "The threshold."),
    model: str | None = MODEL,
) -> None:
    """Take a threshold out of the policy.

    Alerts of it that fire are over by the next tick.

    $ mlreg threshold remove sentiment error_rate
    """
    whose = read_name(None if label is None else name, model)
    with session.open() as registry:
        session.emit(registry.thresholds.remove(whose, label or name, change=change))
