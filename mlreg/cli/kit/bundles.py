"""Options that many commands share, written once.

A command's parameter that is annotated with a `Bundle` stands for all parameters of the bundle's
function. On the command line these are single options; the command gets what the function makes
of them.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Any, NamedTuple, get_args


class Bundle(NamedTuple):
    """The function that makes one value of some options."""

    read: Callable[..., Any]


def flatten(command: Callable[..., None]) -> Callable[..., None]:
    """The command with its bundles spelled out as single options."""
    own: list[inspect.Parameter] = []
    shared: list[inspect.Parameter] = []
    bundles: dict[str, tuple[Callable[..., Any], list[str]]] = {}
    for name, parameter in _parameters(command).items():
        bundle = _bundle(parameter)
        if bundle is None:
            own.append(parameter)
        else:
            parts = _parameters(bundle.read)
            bundles[name] = bundle.read, list(parts)
            shared[:0] = parts.values()

    @wraps(command)
    def call(**values: Any) -> None:
        for name, (read, parts) in bundles.items():
            values[name] = read(**{part: values.pop(part) for part in parts})
        command(**values)

    # In the help a command's own options come first, and those that all commands have last.
    named = [option.replace(kind=inspect.Parameter.KEYWORD_ONLY) for option in own + shared]
    # Typer reads the signature; without annotations it need not evaluate them again.
    call.__signature__ = inspect.Signature(named)  # type: ignore[attr-defined]
    call.__annotations__ = {}
    del call.__wrapped__
    return call


def _parameters(function: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    return dict(inspect.signature(function, eval_str=True).parameters)


def _bundle(parameter: inspect.Parameter) -> Bundle | None:
    return next((arg for arg in get_args(parameter.annotation) if isinstance(arg, Bundle)), None)
