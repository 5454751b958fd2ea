"""Answers given elsewhere, one JSON object a line: all are checked before any is recorded."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields

from mlreg.cli.streams.lines import Source, lines
from mlreg.entities.experiments import Outcome
from mlreg.errors import Conflict, InvalidInput, NotFound
from mlreg.jsonable import loads
from mlreg.names import safe

_NAMES = {field.name for field in fields(Outcome)}
_ALSO = {"user": "unit", "prediction": "output"}
_NOTHING_RECORDED = "nothing was recorded"
_TOLD = 10


def check_all(origin: Source, check: Callable[[Outcome], None]) -> int:
    """How many answers the lines hold.

    Args:
        origin: Where they are.
        check: Refuses an answer that cannot be recorded.

    Raises:
        InvalidInput: Lines are wrong; the message names each of the first ten.
    """
    count, problems = 0, []
    for number, text, problem in lines(origin):
        count += bool(text.strip())
        if problem := problem or _problem(number, text, check):
            problems.append(problem)
    if problems:
        more = [f"and {len(problems) - _TOLD} more"] if len(problems) > _TOLD else []
        raise InvalidInput("; ".join([*problems[:_TOLD], *more]), hint=_NOTHING_RECORDED)
    return count


def outcomes(origin: Source) -> Iterator[Outcome]:
    """What the lines say, which have been checked."""
    return (_outcome(text) for _, text, _ in lines(origin) if text.strip())


def _problem(number: int, text: str, check: Callable[[Outcome], None]) -> str | None:
    try:
        if text.strip():
            check(_outcome(text))
    except (Conflict, InvalidInput, NotFound) as error:
        return f"line {number}: {error.message}"
    return None


def _outcome(text: str) -> Outcome:
    value = loads(text)
    if not isinstance(value, dict):
        raise InvalidInput("it is no JSON object")
    said = {_ALSO.get(name, name): item for name, item in value.items() if item is not None}
    unknown = next((name for name in said if name not in _NAMES), None)
    if unknown is not None:
        raise InvalidInput(f"there is no field {safe(unknown)} in an outcome")
    return Outcome(**said)  # type: ignore[arg-type]  # the service checks the values
