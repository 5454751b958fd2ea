"""Which flags a command line has, even where it cannot be parsed as a whole."""

from __future__ import annotations

from typing import Any


def has_flag(args: list[str], flag: str, root: Any) -> bool:
    """Whether a flag such as `--json` was given, and not as the value of another option.

    Args:
        args: The command line.
        flag: Its long name.
        root: The group of all commands, which knows which options take a value.
    """
    options, command = _taking_values(root), root
    is_value = False
    for word in args:
        if is_value:
            is_value = False
        elif word == "--":
            return False
        elif word == flag:
            return True
        elif word.startswith("-"):
            is_value = _wants_more(word, options)
        elif hasattr(command, "commands"):
            command = command.commands.get(word)  # it has been loaded, if it can be
            options |= _taking_values(command)
    return False


def _taking_values(command: Any) -> set[str]:
    return {
        name
        for parameter in getattr(command, "params", ())
        if parameter.param_type_name == "option" and not (parameter.is_flag or parameter.count)
        for name in parameter.opts
    }


def _wants_more(word: str, options: set[str]) -> bool:
    """Whether the next word is this option's value: `--user`, `-n` and `-yn`, not `-n5`."""
    if word.startswith("--"):
        return word in options
    taking = next((i for i, letter in enumerate(word[1:], 1) if f"-{letter}" in options), None)
    return taking == len(word) - 1
