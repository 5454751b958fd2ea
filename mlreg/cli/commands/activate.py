"""`mlreg activate`."""

from __future__ import annotations

from mlreg.cli.changes import emit_change
from mlreg.cli.kit.parameters import option
from mlreg.cli.kit.values import percent
from mlreg.cli.options import STRATEGY, ChangeOptions, RefOptions
from mlreg.cli.session import SessionOptions
from mlreg.entities.traffic import Strategy


def activate(
    session: SessionOptions,
    ref: RefOptions,
    change: ChangeOptions,
    traffic: float = option("--traffic PCT", "Its share, 0 to 100.", percent, default=100),
    strategy: Strategy | None = STRATEGY,
) -> None:
    """Give a version its share of the traffic.

    It gets exactly that share; the other live versions share the rest in their present
    proportion, and 100 deactivates them. A version that is alone keeps the share it was given and
    serves everything until another one joins.

    $ mlreg activate sentiment@2.0.0 --traffic 20
    $ mlreg activate sentiment@2.0.0 --traffic 20 --strategy sticky --reason "canary"
    """
    with session.open() as registry:
        emit_change(
            session,
            registry,
            lambda: registry.traffic.activate(
                ref, percent=traffic, strategy=strategy, change=change
            ),
        )
    session.suggest('mlreg predict "some input"')
