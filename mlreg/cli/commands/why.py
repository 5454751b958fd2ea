"""`mlreg why`."""

from __future__ import annotations

from typing import Literal

from mlreg.cli.kit.parameters import argument
from mlreg.cli.kit.values import whole_number
from mlreg.cli.options import LIMIT, MODEL
from mlreg.cli.session import SessionOptions
from mlreg.entities.documents import DecisionList
from mlreg.errors import InvalidInput


def why(
    session: SessionOptions,
    what: Literal["decision", "alert"] | None = argument("[decision|alert]", "What it is about."),
    number: int | None = argument("[ID]", "Its number.", whole_number),
    model: str | None = MODEL,
    limit: int = LIMIT,
) -> None:
    """Say why something was decided, or why an alert fired.

    Tells it in sentences: what was measured, what was in force, who wanted that. Without an id it
    lists what was decided without a person.

    $ mlreg why
    $ mlreg why decision 3
    $ mlreg why alert 1
    """
    if (what is None) != (number is None):
        raise InvalidInput("which one?", hint="mlreg why decision 3, or mlreg why to list them")
    with session.open_to_read() as registry:
        if number is None:
            found = registry.stories.decisions(model, limit=limit)
            session.emit(DecisionList(decisions=found))
        elif what == "alert":
            session.emit(registry.stories.of_alert(number))
        else:
            session.emit(registry.stories.of_decision(number))
