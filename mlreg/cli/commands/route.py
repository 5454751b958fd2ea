"""`mlreg route`."""

from __future__ import annotations

from mlreg.cli.changes import emit_change
from mlreg.cli.kit.parameters import argument, flag, option
from mlreg.cli.kit.values import pairs, percent
from mlreg.cli.options import STRATEGY, ChangeOptions
from mlreg.cli.session import SessionOptions
from mlreg.entities.traffic import Strategy
from mlreg.errors import InvalidInput


def route(
    session: SessionOptions,
    change: ChangeOptions,
    words: list[str] | None = argument(
        "[NAME] [VERSION=PCT]...",
        "The model, and the whole split: it sums to 100.",
        complete="model",
    ),
    strategy: Strategy | None = STRATEGY,
    shadow: list[str] | None = option(
        "--shadow VERSION",
        "Ask this version as well, behind the answer; repeatable.",
        complete="selector",
    ),
    no_shadow: bool = flag("--no-shadow", "Ask nobody behind the answer any more."),
    user: str | None = option("--user U", "Say who would answer this user."),
) -> None:
    """Show or set the whole split of a model's traffic.

    Without shares the split in force is shown. With --user it says which version would answer that
    user, and why; nothing is predicted or logged. A shadow answers the inputs of live predictions
    once the caller has the answer: it is logged, never returned, and paired with the live one.

    $ mlreg route sentiment
    $ mlreg route sentiment 1.0.0=80 2.0.0=20 --strategy sticky
    $ mlreg route sentiment --user u17
    $ mlreg route sentiment --shadow 3.0.0
    """
    names = [word for word in words or () if "=" not in word]
    weights = pairs([word for word in words or () if "=" in word], percent)
    if len(names) > 1:
        raise InvalidInput(
            "route takes one model and its shares", hint="mlreg route NAME 1.0.0=80 2.0.0=20"
        )
    name = names[0] if names else None
    if shadow and no_shadow:
        raise InvalidInput("give either --shadow or --no-shadow")
    shadows = [] if no_shadow else shadow or None
    is_change = bool(weights or strategy or shadows is not None)
    if user is not None and is_change:
        raise InvalidInput("--user asks, and the other options change: give one of them")
    with session.open() as registry:
        if user is not None:
            session.emit(registry.traffic.explain(name, user))
        elif is_change:
            emit_change(
                session,
                registry,
                lambda: registry.traffic.route(
                    name, weights, strategy=strategy, shadows=shadows, change=change
                ),
            )
        else:
            session.emit(registry.traffic.current(name))
