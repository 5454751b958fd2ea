"""`mlreg config`."""

from __future__ import annotations

from typing import Annotated

import typer

from mlreg.cli.completion import complete_setting
from mlreg.cli.records import SettingList
from mlreg.cli.session import SessionOptions
from mlreg.errors import InvalidInput


def config(
    session: SessionOptions,
    key: Annotated[
        str | None,
        typer.Argument(
            metavar="[KEY]",
            show_default=False,
            help="A setting.",
            autocompletion=complete_setting,
        ),
    ] = None,
    value: Annotated[
        str | None, typer.Argument(metavar="[VALUE]", show_default=False, help="Its new value.")
    ] = None,
    unset: Annotated[
        bool, typer.Option("--unset", help="Take it out of the registry's file.")
    ] = False,
) -> None:
    """Show or change settings.

    Shows each value in force and where it comes from: a MLREG_* variable, the registry's
    config.toml, or the default. With a value it is written to config.toml.

    $ mlreg config
    $ mlreg config timeout 5
    $ mlreg config timeout --unset
    """
    from mlreg.config import find_registry, find_setting, load_settings, write_setting

    if (unset and value is not None) or (unset and key is None):
        raise InvalidInput(
            "--unset takes one setting and no value", hint="mlreg config KEY --unset"
        )
    folder = find_registry(session.registry)
    if key is not None:
        find_setting(key)
    if key is not None and (unset or value is not None):
        write_setting(folder, key, None if unset else value)
    entries = load_settings(folder).entries()
    if key is None:
        session.emit(SettingList(settings=entries))
    else:
        session.emit(next(entry for entry in entries if entry.name == key))
