"""`mlreg abtest`: the table of its commands."""

from __future__ import annotations

import typer

from mlreg.cli.groups import LazyGroup, Verb
from mlreg.cli.session import CONTEXT_SETTINGS

_PLAN = "Plan"


class Experiments(LazyGroup):
    """The group of the commands for experiments."""

    table = tuple(
        Verb(name, help, panel, package=__name__)
        for panel, name, help in (
            (_PLAN, "power", "Say how many units a test needs, or what they can find."),
            (_PLAN, "srm", "Check that arms got the share of units they were meant to get."),
        )
    )


abtest = typer.Typer(
    cls=Experiments,
    rich_markup_mode=None,
    add_completion=False,
    context_settings=CONTEXT_SETTINGS,
)


@abtest.callback(invoke_without_command=True)
def abtest_group(ctx: typer.Context) -> None:
    """Plan, run and judge A/B tests of versions.

    The verdict stays honest however often you look: what a look may say is fixed before the test
    starts, and kept with its inputs.

    $ mlreg abtest power --baseline 0.10 --mde 0.02 --daily 5000
    $ mlreg abtest srm 5030 4970
    """
    if ctx.invoked_subcommand is None:
        typer.echo(ctx.get_help())
