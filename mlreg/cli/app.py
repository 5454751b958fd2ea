"""The table of verbs, and the group that imports a verb's module only when it is called."""

# ruff: noqa: ARG002  # what Click passes to an overridden method is not always needed

from __future__ import annotations

from importlib import import_module
from typing import Annotated, Any, NamedTuple

import typer
from typer.core import TyperGroup

from mlreg.cli.bundles import flatten
from mlreg.cli.help import HelpfulCommand, heading, text_of
from mlreg.cli.session import CONTEXT_SETTINGS, Globals, RegistryOption, TracebackOption


class Verb(NamedTuple):
    """A command: its name, the first line of its docstring, and where it stands in the help."""

    name: str
    help: str
    panel: str

    @property
    def module(self) -> str:
        """The module that has it, under the verb's own name."""
        return f"mlreg.cli.commands.{self.name}"


_VERSIONS, _TRAFFIC = "Versions", "Traffic"
_PREDICT, _LOOK_AFTER = "Predict and measure", "Look after"

VERBS = (
    Verb("init", "Create a registry in a folder.", _VERSIONS),
    Verb("register", "Add a version of a model.", _VERSIONS),
    Verb("attach", "Give a version that has only metadata its artifact, once.", _VERSIONS),
    Verb("next", "Say which versions could be registered next.", _VERSIONS),
    Verb("list", "List versions with their status, traffic and requests.", _VERSIONS),
    Verb("show", "Show everything about a version, or about a model.", _VERSIONS),
    Verb("compare", "Compare two versions, metric by metric, offline and live.", _VERSIONS),
    Verb("alias", "Point an alias such as champion at a version.", _VERSIONS),
    Verb("archive", "Retire a version so that it can get no traffic.", _VERSIONS),
    Verb("delete", "Delete a version and its artifact; its predictions stay.", _VERSIONS),
    Verb("activate", "Give a version its share of the traffic.", _TRAFFIC),
    Verb("deactivate", "Take a version out of the traffic.", _TRAFFIC),
    Verb("route", "Show or set the whole split of a model's traffic.", _TRAFFIC),
    Verb("promote", "Give a version all traffic and the alias champion.", _TRAFFIC),
    Verb("rollback", "Put an earlier state of the traffic in force again.", _TRAFFIC),
    Verb("history", "List the revisions of a model's traffic.", _TRAFFIC),
    Verb("predict", "Answer from the version that the traffic chooses, and log it.", _PREDICT),
    Verb("feedback", "Record what the right answer was.", _PREDICT),
    Verb("log", "List logged predictions.", _PREDICT),
    Verb("perf", "Report how the versions do, and which one the evidence favours.", _PREDICT),
    Verb("audit", "List who changed what, when and why.", _LOOK_AFTER),
    Verb("config", "Show or change settings.", _LOOK_AFTER),
    Verb("doctor", "Check that the registry holds what it promises.", _LOOK_AFTER),
    Verb("demo", "Show the main job on real data, command by command.", _LOOK_AFTER),
)
BY_NAME = {verb.name: verb for verb in VERBS}


class Verbs(TyperGroup):
    """The group of all verbs."""

    def list_commands(self, ctx: Any) -> list[str]:
        """The verbs in the order of the help."""
        return [verb.name for verb in VERBS]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command of this name, its module imported now; None if there is none."""
        if cmd_name not in self.commands and cmd_name in BY_NAME:
            self.commands[cmd_name] = load(BY_NAME[cmd_name])
        return self.commands.get(cmd_name)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command that the arguments name, or an error that knows what was meant."""
        if args[0] in BY_NAME or args[0].startswith("-"):
            return super().resolve_command(ctx, args)
        from mlreg.cli.failures import unknown_verb

        raise unknown_verb(args[0], list(BY_NAME))

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """The verbs by panel, from the table alone."""
        width = max(len(verb.name) for verb in VERBS)
        for panel in dict.fromkeys(verb.panel for verb in VERBS):
            with formatter.section(panel):
                formatter.write_dl(
                    [(verb.name.ljust(width), verb.help) for verb in VERBS if verb.panel == panel]
                )

    def get_help(self, ctx: Any) -> str:
        """The help text, with headings in bold on a terminal."""
        return heading(super().get_help(ctx), ctx)

    def format_help_text(self, ctx: Any, formatter: Any) -> None:
        """The description, and below it the examples as they are typed."""
        text_of(self.help or "", formatter)

    def main(self, args: Any = None, *_: Any, **__: Any) -> Any:
        """Run and leave with the exit code; every error has been reported."""
        import sys

        sys.exit(self.run(list(sys.argv[1:] if args is None else args)))

    def run(self, args: list[str]) -> int:
        """Run with these arguments; returns the exit code after reporting any error."""
        try:
            self._main_shell_completion({}, "mlreg")
            with self.make_context("mlreg", args) as ctx:
                self.invoke(ctx)
        except BaseException as error:  # noqa: BLE001  # the one place where errors end
            from mlreg.cli.failures import report

            return report(error, args)
        return 0


def load(verb: Verb) -> HelpfulCommand:
    """The command of a verb, as Typer builds it from the function of that name."""
    function = getattr(import_module(verb.module), verb.name, None) or getattr(
        import_module(verb.module), f"{verb.name}_"
    )
    single = typer.Typer(rich_markup_mode=None, add_completion=False)
    single.command(verb.name, cls=HelpfulCommand, context_settings=CONTEXT_SETTINGS)(
        flatten(function)
    )
    found = typer.main.get_command(single)
    assert isinstance(found, HelpfulCommand)  # for the type checker
    return found


app = typer.Typer(
    cls=Verbs,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings=CONTEXT_SETTINGS,
)


@app.callback(invoke_without_command=True)
def mlreg(
    ctx: typer.Context,
    registry: RegistryOption = None,
    traceback: TracebackOption = False,  # noqa: ARG001  # read from the line itself
    version: Annotated[bool, typer.Option("--version", help="Show the version and end.")] = False,
) -> None:
    """Know which version of a model should answer, and prove it.

    $ mlreg init
    $ mlreg register sentiment@1.0.0 model.joblib
    $ mlreg activate sentiment@1.0.0
    $ mlreg predict "Great product!"
    """
    ctx.obj = Globals(registry)
    if version:
        from mlreg import __version__

        typer.echo(f"mlreg {__version__}")
    elif ctx.invoked_subcommand is None:
        typer.echo(ctx.get_help())


def command() -> Verbs:
    """The group, ready to run."""
    found = typer.main.get_command(app)
    assert isinstance(found, Verbs)  # for the type checker
    return found
