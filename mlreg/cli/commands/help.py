"""`mlreg help`."""

from __future__ import annotations

import typer

from mlreg.cli.kit.groups import LazyGroup
from mlreg.cli.kit.parameters import argument
from mlreg.errors import InvalidInput


def help_(
    ctx: typer.Context,
    command: list[str] | None = argument("[COMMAND]...", "The command, such as abtest create."),
) -> None:
    """Show the help of a command.

    It is what --help or -h behind the command shows.

    $ mlreg help activate
    $ mlreg help abtest create
    """
    found, place = ctx.find_root().command, ctx.find_root()
    for word in command or ():
        if not isinstance(found, LazyGroup):
            raise InvalidInput(f"{place.command_path} has no commands of its own")
        name, found, _ = found.resolve_command(place, [word])
        place = typer.Context(found, info_name=name, parent=place)
    typer.echo(found.get_help(place))
