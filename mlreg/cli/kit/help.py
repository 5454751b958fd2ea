"""Help texts: wrapped prose, examples as they are typed, bold headings on a terminal."""

# ruff: noqa: ARG002  # what Click passes to an overridden method is not always needed

from __future__ import annotations

import inspect
import os
import re
import sys
from typing import Any

import typer
from typer.core import TyperCommand

_PROMPT = "$ "
_HEADING = re.compile(r"^(\w[\w ]*:)(?=$| )", re.MULTILINE)


class HelpfulCommand(TyperCommand):
    """A command whose docstring has its examples as lines that begin with `$ `."""

    def get_help(self, ctx: Any) -> str:
        """The help text, with headings in bold on a terminal."""
        return heading(super().get_help(ctx), ctx)

    def format_help_text(self, ctx: Any, formatter: Any) -> None:
        """The description, and below it the examples as they are typed."""
        text_of(self.help or "", formatter)


def text_of(docstring: str, formatter: Any) -> None:
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


def heading(text: str, ctx: typer.Context) -> str:
    """The text with bold headings where a terminal shows it."""
    plain = ctx.color is False or "NO_COLOR" in os.environ or os.environ.get("TERM") == "dumb"
    if plain or not sys.stdout.isatty():
        return text
    return _HEADING.sub("\x1b[1m\\1\x1b[0m", text)
