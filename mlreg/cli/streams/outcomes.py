"""Outcomes of a test from stdin: all lines are read and checked before any is recorded."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields

from mlreg.cli.streams.lines import Source, lines
from mlreg.entities.experiments import Outcome
from mlreg.errors import InvalidInput
from mlreg.jsonable import loads
from mlreg.names import safe

_NAMES = {field.name for field in fields(Outcome)}
_ALSO = {"user": "unit", "prediction": "output"}
_NOTHING_RECORDED = "nothing was recorded"


def outcomes(origin: Source, check: Callable[[Outcome], None] | None = None) -> Iterator[Outcome]:
    """What the lines say.

    Args:
        origin: Where they are.
        check: Refuses an outcome that cannot be recorded.

    Raises:
        InvalidInput: A line is wrong; the message names it.
    """
    for number, text, problem in lines(origin):
        if problem:
            raise InvalidInput(problem, hint=_NOTHING_RECORDED)
        if not text.strip():
            continue
        try:
            outcome = _outcome(text)
            if check:
                check(outcome)
        except InvalidInput as error:
            raise InvalidInput(f"line {number}: {error.message}", hint=_NOTHING_RECORDED) from None
        yield outcome


def _outcome(text: str) -> Outcome:
    value = loads(text)
    if not isinstance(value, dict):
        raise InvalidInput("it is no JSON object")
    said = {_ALSO.get(name, name): item for name, item in value.items() if item is not None}
    unknown = next((name for name in said if name not in _NAMES), None)
    if unknown is not None:
        raise InvalidInput(f"there is no field {safe(unknown)} in an outcome")
    return Outcome(**said)  # type: ignore[arg-type]  # the service checks the values
