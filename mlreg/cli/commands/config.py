"""`mlreg config`."""

from __future__ import annotations

from pathlib import Path

from mlreg.cli.kit.parameters import argument, flag
from mlreg.cli.options import AuthorOptions
from mlreg.cli.session import SessionOptions
from mlreg.entities.documents import SettingList
from mlreg.entities.traffic import Change
from mlreg.errors import InvalidInput


def config(
    session: SessionOptions,
    change: AuthorOptions,
    key: str | None = argument("[KEY]", "A setting.", complete="setting"),
    value: str | None = argument("[VALUE]", "Its new value."),
    unset: bool = flag("--unset", "Take it out of the file instead."),
    own: bool = flag("--user", "Your own settings, for all registries."),
) -> None:
    """Show or change settings.

    Shows each value in force and where it comes from: a MLREG_* variable, the registry's
    config.toml, your own ~/.config/mlreg/config.toml, or the default. With a value it is written
    to the registry's file, or with --user to your own. What weakens safety (allow_shared) or is
    secret (hash_key) is always your own: a registry has no say in it. In limits, and in what the
    log keeps of inputs, a registry can be stricter than your own file, but not looser.

    $ mlreg config
    $ mlreg config timeout 5
    $ mlreg config timeout --unset
    $ mlreg config log_inputs none --user
    """
    from mlreg.config import find_registry, find_setting, load_settings, named_registry

    if (unset and value is not None) or (unset and key is None):
        raise InvalidInput(
            "--unset takes one setting and no value", hint="mlreg config KEY --unset"
        )
    is_change = unset or value is not None
    own = own or (is_change and find_setting(str(key)).say == "none")
    folder = None if own else find_registry(session.registry)
    if key is not None:
        find_setting(key)
    if key is not None and is_change:
        _write(folder, key, value, change)
    is_named = folder is not None and folder == named_registry(session.registry)
    entries = load_settings(folder, reading=is_named).entries()
    if key is None:
        session.emit(SettingList(settings=entries))
    else:
        session.emit(next(entry for entry in entries if entry.name == key))


def _write(folder: Path | None, key: str, value: str | None, change: Change) -> None:
    if folder is None:
        from mlreg.editing import write_own_setting

        write_own_setting(key, value)
    else:
        from mlreg.services.settings import change_setting

        change_setting(folder, key, value, change)
