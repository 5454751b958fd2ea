"""How a command was called: which registry, and in what form the result is wanted."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from mlreg.cli.kit.parameters import Bundle, flag, option
from mlreg.errors import InvalidInput

if TYPE_CHECKING:
    from mlreg.registry import Registry


def path(text: str | Path) -> Path:
    """A path as the system spells it: arguments are UTF-8, and a locale may be something else.

    Raises:
        InvalidInput: It is empty.
    """
    if text == "":
        raise InvalidInput("a path must not be empty")
    return Path(os.fsdecode(str(text).encode("utf-8", "surrogateescape")))


REGISTRY = option(
    "--registry PATH", "The registry to use; else MLREG_REGISTRY, else the one here or above.", path
)
TRACEBACK = flag("--traceback", "Show where an error came from.")


class Globals(NamedTuple):
    """What was said before the verb."""

    registry: Path | None


class Session(NamedTuple):
    """One call of a command.

    Attributes:
        registry: The path that was named, if one was.
        json: Whether the result is wanted as JSON.
        field: The one field of the result that is wanted, as a dotted path.
    """

    registry: Path | None
    json: bool
    field: str | None

    @property
    def is_for_people(self) -> bool:
        """Whether a person reads the result, rather than a program."""
        return not self.json and self.field is None

    def open_to_read(self) -> Registry:
        """Open the registry for what changes nothing and runs no model."""
        from mlreg.registry import open_to_read

        return open_to_read(self.registry, actor=None)

    def open(self, *, actor: str | None = None, worker: bool = False) -> Registry:
        """Open the registry; with a worker for what runs models."""
        from mlreg.registry import open_registry, open_with_worker

        return (open_with_worker if worker else open_registry)(self.registry, actor=actor)

    def emit(self, record: object, *, said: str | None = None) -> None:
        """Print a result in the form that is wanted; people may get a sentence instead."""
        if not self.is_for_people:
            from mlreg.cli.stdout import write

            write(self.line(record))
        else:
            from mlreg.cli.views import show
            from mlreg.entities.documents import Sentence

            show(record if said is None else Sentence(text=said))

    def line(self, record: object) -> str:
        """A record as programs get it: JSON on a line, or the values of one field, each on one."""
        from mlreg.cli.output import field_lines, json_line

        return json_line(record) if self.field is None else field_lines(record, self.field)

    def emit_all(self, records: list[Any], together: object) -> None:
        """Print records one a line for programs, and as one view for people."""
        if self.is_for_people:
            self.emit(together)
        for record in records if not self.is_for_people else ():
            self.emit(record)

    def note(self, text: str) -> None:
        """Say something beside the result, on stderr, where a person reads the result."""
        if self.is_for_people:
            from mlreg.cli.stdout import note

            note(text)

    def suggest(self, command: str) -> None:
        """Say which command a person may want next, on a terminal only."""
        if self.is_for_people and sys.stdout.isatty() and sys.stderr.isatty():
            from mlreg.cli.stdout import note

            note(f"next: {command}")


def read_session(
    ctx: typer.Context,
    json: bool = flag("--json", "Print the result as JSON."),
    field: str | None = option(
        "--field NAME", "Print this field alone, one value a line; a dotted path goes deeper."
    ),
    registry: Path | None = REGISTRY,
    traceback: bool = flag("--traceback", "", hidden=True),  # noqa: ARG001  # read from the line itself
) -> Session:
    """What the options that every command has amount to."""
    if field is not None:
        from mlreg.cli.fields import check

        check(_name(ctx), ctx.params, field)
    said = ctx.find_root().obj
    return Session(registry or (said.registry if said else None), json, field)


def _name(ctx: typer.Context) -> str:
    """The command's name, with that of its group before it."""
    words: list[str] = []
    step: Any = ctx
    while step.parent is not None:
        words.insert(0, step.info_name)
        step = step.parent
    return " ".join(words)


SessionOptions = Annotated[Session, Bundle(read_session)]
