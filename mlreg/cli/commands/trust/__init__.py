"""`mlreg trust`: the table of its commands."""

from __future__ import annotations

import typer

from mlreg.cli.kit.groups import LazyGroup, Verb
from mlreg.cli.session import CONTEXT_SETTINGS

_SEE, _DECIDE = "See", "Decide"

_TABLE = (
    (_SEE, "list", "List the versions that may run any code, and whose word you take for it."),
    (_SEE, "key", "Print the public key that your own trust is signed by."),
    (_DECIDE, "accept", "Let a version run any code here, or all that somebody trusts."),
    (_DECIDE, "revoke", "Take back trust in a version or in somebody."),
)


class Trust(LazyGroup):
    """The group of the commands for trust."""

    table = tuple(Verb(name, help, panel, package=__name__) for panel, name, help in _TABLE)


group = typer.Typer(
    cls=Trust,
    rich_markup_mode=None,
    add_completion=False,
    context_settings=CONTEXT_SETTINGS,
)


@group.callback(invoke_without_command=True)
def trust(ctx: typer.Context) -> None:
    """See and decide which versions may run any code.

    An artifact that was registered with --trust is signed by the key of whoever did that. It runs
    for them, and for those who accepted it or that key. What you accept is kept in your own
    ~/.config/mlreg, never in a registry.

    $ mlreg trust list
    $ mlreg trust accept sentiment@2.0.0
    """
    if ctx.invoked_subcommand is None:
        typer.echo(ctx.get_help())
