"""How a command's parameters are written: options and arguments, and bundles that commands share.

A command's parameter that is annotated with a `Bundle` stands for all parameters of the bundle's
function. On the command line these are single options; the command gets what the function makes
of them.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Any, NamedTuple, get_args

import typer

# Reads a parameter's text.
Read = Callable[[str], Any]


def option(
    spelling: str,
    help: str,
    read: Read | None = None,
    *,
    default: Any = None,
    complete: str | None = None,
    **more: Any,
) -> Any:
    """An option, in the place of a parameter's default.

    Args:
        spelling: As the help shows it: its names, and a word for its value: `-n --limit N`.
        help: What it is for.
        read: Makes the value of the text.
        default: What it is where it is left out; `...` where it may not be.
        complete: What a shell offers: the end of a function's name in `kit.completion`.
        more: For Typer.
    """
    names = spelling.split()
    metavar = None if names[-1].startswith("-") else names.pop()
    return typer.Option(default, *names, **_said(help, metavar, read, complete), **more)


def flag(spelling: str, help: str, **more: Any) -> Any:
    """An option that is there or not."""
    return option(spelling, help, default=False, **more)


def argument(
    metavar: str,
    help: str,
    read: Read | None = None,
    *,
    default: Any = None,
    complete: str | None = None,
    show_default: bool = False,
) -> Any:
    """An argument, in the place of a parameter's default; it may be left out if in brackets."""
    value = default if metavar.startswith("[") else ...
    said = _said(help, metavar, read, complete)
    return typer.Argument(value, show_default=show_default, **said)


def _said(
    help: str, metavar: str | None, read: Read | None, complete: str | None
) -> dict[str, Any]:
    return {
        "help": help,
        "metavar": metavar,
        "parser": parser(read) if read else None,
        "autocompletion": completer(complete) if complete else None,
    }


def parser(read: Read) -> Callable[[Any], Any]:
    """A parser for Typer, which also calls it with defaults that are values already."""

    def parse(raw: Any) -> Any:
        return read(raw) if isinstance(raw, str) else raw

    return parse


def completer(name: str) -> Callable[[str], list[str]]:
    """What completes a parameter, imported only by a shell that asks."""

    def complete(incomplete: str) -> list[str]:
        from mlreg.cli.kit import completion

        found: list[str] = getattr(completion, f"complete_{name}")(incomplete)
        return found

    return complete


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
