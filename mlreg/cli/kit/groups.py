"""Groups of commands that import a command's module only when it is called, and their help."""

# ruff: noqa: ARG002  # what Click passes to an overridden method is not always needed

from __future__ import annotations

import inspect
import os
import re
import sys
from collections.abc import Callable, Iterable
from importlib import import_module
from typing import Any, ClassVar, NamedTuple

import typer
from typer.core import TyperCommand, TyperGroup

from mlreg.cli.kit.parameters import flatten
from mlreg.errors import InvalidInput

SETTINGS: dict[str, Any] = {
    "rich_markup_mode": None,
    "context_settings": {"max_content_width": 100, "help_option_names": ["--help", "-h"]},
}


class Verb(NamedTuple):
    """A command: its name, the first line of its docstring, and where it stands in the help.

    Attributes:
        package: Where its module lies, which bears the verb's own name.
        is_group: Whether it has commands of its own.
    """

    name: str
    help: str
    panel: str
    package: str = "mlreg.cli.commands"
    is_group: bool = False

    @property
    def module(self) -> str:
        """The module that has it."""
        return f"{self.package}.{self.function}"

    @property
    def function(self) -> str:
        """What the module and its function are called."""
        return self.name.replace("-", "_")


_PROMPT = "$ "
_HEADING = re.compile(r"^(\w[\w ]*:)(?=$| )", re.MULTILINE)


class Helpful:
    """Help with bold headings, and with the docstring's lines that begin with `$ ` as examples."""

    def get_help(self, ctx: Any) -> str:
        """The help text, with headings in bold on a terminal."""
        return _heading(super().get_help(ctx), ctx)  # type: ignore[misc]  # of what it is mixed into

    def format_help_text(self, ctx: Any, formatter: Any) -> None:
        """The description, and below it the examples as they are typed."""
        _write_docstring(self.help or "", formatter)  # type: ignore[attr-defined]  # likewise


class HelpfulCommand(Helpful, TyperCommand):
    """A single command. An option whose value is written `ARGV...` takes all that follows it."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the arguments; what is a program's own is left as it stands."""
        greedy = {name for p in self.params if p.metavar == "ARGV..." for name in p.opts}
        place = next((n for n, word in enumerate(args) if word in greedy), None)
        if place is not None and args[place + 1 :]:
            name, *rest = args[place:]
            args = [*args[:place], *(part for word in rest for part in (name, word))]
        return super().parse_args(ctx, args)


class LazyGroup(Helpful, TyperGroup):
    """A group whose commands are a table of verbs, in the order of the help."""

    table: ClassVar[tuple[Verb, ...]] = ()

    def list_commands(self, ctx: Any) -> list[str]:
        """The verbs in the order of the help."""
        return [verb.name for verb in self.table]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command of this name, its module imported now; None if there is none."""
        verb = next((verb for verb in self.table if verb.name == cmd_name), None)
        if cmd_name not in self.commands and verb is not None:
            self.commands[cmd_name] = load(verb)
        return self.commands.get(cmd_name)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command that the arguments name, or an error that knows what was meant."""
        known = self.list_commands(ctx)
        if args[0] in known or args[0].startswith("-"):
            return super().resolve_command(ctx, args)
        raise unknown_verb(args[0], known, group=ctx.command_path)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """The verbs by panel, from the table alone."""
        width = max(len(verb.name) for verb in self.table)
        for panel in dict.fromkeys(verb.panel for verb in self.table):
            with formatter.section(panel):
                formatter.write_dl(
                    [
                        (verb.name.ljust(width), verb.help)
                        for verb in self.table
                        if verb.panel == panel
                    ]
                )


def _write_docstring(docstring: str, formatter: Any) -> None:
    """Write a docstring: paragraphs wrapped, examples line by line."""
    lines = inspect.cleandoc(docstring).splitlines()
    prose = "\n".join(line for line in lines if not line.startswith(_PROMPT))
    examples = [line for line in lines if line.startswith(_PROMPT)]
    formatter.write_paragraph()
    with formatter.indentation():
        formatter.write_text(prose.strip())
    if examples:
        with formatter.section("Examples"):
            for example in examples:
                formatter.write(f"{'':>{formatter.current_indent}}{example}\n")


def _heading(text: str, ctx: typer.Context) -> str:
    """The text with bold headings where a terminal shows it."""
    plain = ctx.color is False or "NO_COLOR" in os.environ or os.environ.get("TERM") == "dumb"
    if plain or not sys.stdout.isatty():
        return text
    return _HEADING.sub("\x1b[1m\\1\x1b[0m", text)


def group_of(
    package: str,
    about: str | None,
    rows: Iterable[tuple[str, str, str]],
    alone: Callable[..., None] | None = None,
) -> typer.Typer:
    """The group of a package's commands.

    Args:
        package: Where the modules of the commands lie, which bears the group's own name.
        about: The help of the group.
        rows: The panel, name and help of each command.
        alone: What it does without any of them; None: show its help.
    """

    class Group(LazyGroup):
        table = tuple(Verb(name, help, panel, package) for panel, name, help in rows)

    name = package.rpartition(".")[2]
    return typer.Typer(
        name=name, cls=Group, help=about, callback=_alone(alone) if alone else _help,
        invoke_without_command=True, add_completion=False, **SETTINGS,
    )  # fmt: skip


def _alone(command: Callable[..., None]) -> Callable[..., None]:
    """A command that runs where a group is called without any of its own."""
    run = flatten(command)

    def call(**values: Any) -> None:
        if values["ctx"].invoked_subcommand is None:
            run(**values)

    call.__signature__ = inspect.signature(run)  # type: ignore[attr-defined]
    call.__annotations__ = {}
    return call


def _help(ctx: typer.Context) -> None:
    if ctx.invoked_subcommand is None:
        typer.echo(ctx.get_help())


def load(verb: Verb) -> Any:
    """The command of a verb, as Typer builds it from the function of that name or its group."""
    module = import_module(verb.module)
    if verb.is_group:
        return typer.main.get_command(module.group)
    found = getattr(module, verb.function, None) or getattr(module, f"{verb.function}_")
    single = typer.Typer(add_completion=False, **SETTINGS)
    single.command(verb.name, cls=HelpfulCommand)(flatten(found))
    return typer.main.get_command(single)


# What the same thing is called elsewhere.
_ELSEWHERE = {
    "list": ("ls", "dir", "versions", "models", "all"),
    "show": ("get", "describe", "info", "inspect", "view", "cat", "details"),
    "delete": ("rm", "remove", "del", "destroy", "drop", "unregister"),
    "register": ("add", "push", "upload", "publish", "save", "new", "import", "log-model"),
    "activate": ("deploy", "enable", "use", "set", "switch", "start"),
    "deactivate": ("undeploy", "disable", "withdraw"),
    "rollback": ("undo", "revert", "restore", "back"),
    "promote": ("champion", "approve", "graduate"),
    "route": ("split", "traffic", "weights", "routes"),
    "predict": ("infer", "ask", "run", "score", "query", "invoke", "classify"),
    "feedback": ("label", "truth", "labels", "rate"),
    "shadow": ("mirror", "dark", "shadows"),
    "replay": ("backtest", "rerun", "backfill"),
    "perf": ("stats", "metrics", "report", "performance", "monitor", "top"),
    "compare": ("diff", "versus", "vs"),
    "abtest": ("test", "experiment", "experiments", "ab", "tests"),
    "rollout": ("canary", "rollouts", "release", "ramp", "blue-green", "bluegreen"),
    "log": ("logs", "predictions", "tail"),
    "history": ("revisions", "rollbacks", "changes"),
    "alias": ("tag", "stage", "name"),
    "doctor": ("check", "verify", "fsck", "health", "repair"),
    "config": ("settings", "configure", "options"),
    "init": ("create", "setup", "install"),
    "conclude": ("end", "finish", "close", "decide"),
    "analyze": ("results", "analyse", "result", "report", "analysis"),
    "stop": ("cancel", "abort", "kill"),
    "hook": ("hooks", "webhook", "webhooks", "notify", "subscribe", "on"),
    "remove": ("rm", "delete", "del", "drop"),
    "accept": ("add", "allow", "import"),
    "revoke": ("rm", "remove", "delete", "deny"),
}


def unknown_verb(name: str, known: list[str], *, group: str = "mlreg") -> InvalidInput:
    """The error for a verb that does not exist, with what may have been meant."""
    from difflib import get_close_matches

    from mlreg.names import safe

    verbs = {verb: verb for verb in known}
    words = {word: verb for verb in known for word in _ELSEWHERE.get(verb, ())} | verbs
    close = [name] if name in words else get_close_matches(name, words, n=1)
    meant = f"did you mean {group} {words[close[0]]}? " if close else ""
    return InvalidInput(f"there is no command {safe(name)}", hint=f"{meant}see: {group} --help")
