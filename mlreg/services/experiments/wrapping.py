"""Functions that run a model of their own: the argument `model` is routed, the answer marked."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any

from mlreg.entities.experiments import Assignment
from mlreg.errors import InvalidInput
from mlreg.names import safe


def check_arguments(
    function: Callable[..., Any], unit: str, test_id: str, splits_users: Callable[[str], bool]
) -> None:
    """Refuse a function that cannot be routed.

    Args:
        function: It takes a `model`.
        unit: Its argument that names the user.
        test_id: The experiment that chooses the version.
        splits_users: Whether an experiment does, so that there must be such an argument.

    Raises:
        InvalidInput: It has no such argument.
    """
    parameters = inspect.signature(function).parameters
    if "model" not in parameters:
        raise InvalidInput(f"{function.__name__} has no argument `model` to route")
    takes_any = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    if unit not in parameters and not takes_any and splits_users(test_id):
        raise InvalidInput(
            f"{function.__name__} has no argument `{unit}`, and {safe(test_id)} splits users",
            hint="name the one that has the user: decorate(test_id, unit=...)",
        )


def routed(
    function: Callable[..., Any], unit: str, assign: Callable[[str | None], Assignment]
) -> Callable[..., Any]:
    """The function, or coroutine, whose `model` is the version that a unit is assigned to."""
    signature = inspect.signature(function)

    def route(*args: Any, **kwargs: Any) -> tuple[inspect.BoundArguments, Assignment]:
        given = signature.bind_partial(*args, **kwargs)
        who = given.arguments.get(unit, given.kwargs.get(unit))
        assignment = assign(None if who is None else str(who))
        given.arguments["model"] = assignment.ref
        return given, assignment

    def marked(answer: object, assignment: Assignment) -> dict[str, Any]:
        if not isinstance(answer, Mapping):
            raise InvalidInput(f"{function.__name__} must return a mapping to be marked")
        return {**answer, "_ab_test": assignment.label}

    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def later(*args: Any, **kwargs: Any) -> dict[str, Any]:
            given, assignment = route(*args, **kwargs)
            return marked(await function(*given.args, **given.kwargs), assignment)

        return later

    @functools.wraps(function)
    def now(*args: Any, **kwargs: Any) -> dict[str, Any]:
        given, assignment = route(*args, **kwargs)
        return marked(function(*given.args, **given.kwargs), assignment)

    return now
