"""Groups of commands that import a command's module only when it is called."""

# ruff: noqa: ARG002  # what Click passes to an overridden method is not always needed

from __future__ import annotations

from importlib import import_module
from typing import Any, ClassVar, NamedTuple

import typer
from typer.core import TyperGroup

from mlreg.cli.kit.bundles import flatten
from mlreg.cli.kit.help import HelpfulCommand, heading, text_of
from mlreg.cli.session import CONTEXT_SETTINGS


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
        return f"{self.package}.{self.name}"


class LazyGroup(TyperGroup):
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
        from mlreg.cli.failures import unknown_verb

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

    def get_help(self, ctx: Any) -> str:
        """The help text, with headings in bold on a terminal."""
        return heading(super().get_help(ctx), ctx)

    def format_help_text(self, ctx: Any, formatter: Any) -> None:
        """The description, and below it the examples as they are typed."""
        text_of(self.help or "", formatter)


def load(verb: Verb) -> Any:
    """The command of a verb, as Typer builds it from the function of that name or its group."""
    module = import_module(verb.module)
    if verb.is_group:
        return typer.main.get_command(module.group)
    found = getattr(module, verb.name, None) or getattr(module, f"{verb.name}_")
    single = typer.Typer(rich_markup_mode=None, add_completion=False)
    single.command(verb.name, cls=HelpfulCommand, context_settings=CONTEXT_SETTINGS)(flatten(found))
    return typer.main.get_command(single)
