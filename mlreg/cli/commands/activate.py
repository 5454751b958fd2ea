"""`mlreg activate`."""

from __future__ import annotations

from typing import Annotated

import typer

from mlreg.cli.changes import emit_change
from mlreg.cli.options import ChangeOptions, RefArgument, StrategyOption, parser, percent
from mlreg.cli.session import SessionOptions


def activate(
    session: SessionOptions,
    ref: RefArgument,
    change: ChangeOptions,
    traffic: Annotated[
        float,
        typer.Option(
            "--traffic", metavar="PCT", parser=parser(percent), help="Its share, 0 to 100."
        ),
    ] = 100,
    strategy: StrategyOption = None,
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
