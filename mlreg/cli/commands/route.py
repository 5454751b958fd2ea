"""`mlreg route`."""

from __future__ import annotations

from typing import Annotated

import typer

from mlreg.cli.changes import emit_change
from mlreg.cli.kit.completion import complete_model
from mlreg.cli.options import ChangeOptions, StrategyOption, pairs, percent
from mlreg.cli.session import SessionOptions
from mlreg.errors import InvalidInput


def route(
    session: SessionOptions,
    change: ChangeOptions,
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NAME] [VERSION=PCT]...",
            show_default=False,
            help="The model, and the whole split: it sums to 100.",
            autocompletion=complete_model,
        ),
    ] = None,
    strategy: StrategyOption = None,
    user: Annotated[
        str | None, typer.Option("--user", metavar="U", help="Say who would answer this user.")
    ] = None,
) -> None:
    """Show or set the whole split of a model's traffic.

    Without shares the split in force is shown. With --user it says which version would answer that
    user, and why; nothing is predicted or logged.

    $ mlreg route sentiment
    $ mlreg route sentiment 1.0.0=80 2.0.0=20 --strategy sticky
    $ mlreg route sentiment --user u17
    """
    names = [word for word in words or () if "=" not in word]
    weights = pairs([word for word in words or () if "=" in word], percent)
    if len(names) > 1:
        raise InvalidInput(
            "route takes one model and its shares", hint="mlreg route NAME 1.0.0=80 2.0.0=20"
        )
    name = names[0] if names else None
    if user is not None and (weights or strategy):
        raise InvalidInput("--user asks, and shares or --strategy change: give one of them")
    with session.open() as registry:
        if user is not None:
            session.emit(registry.traffic.explain(name, user))
        elif weights or strategy:
            emit_change(
                session,
                registry,
                lambda: registry.traffic.route(name, weights, strategy=strategy, change=change),
            )
        else:
            session.emit(registry.traffic.current(name))
