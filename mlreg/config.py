"""Where the registry is, and its settings: flag, MLREG_* environment, file, default."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from mlreg.errors import InvalidInput, RegistryNotFound
from mlreg.names import safe

FOLDER = ".mlreg"
DATABASE = "registry.db"
OBJECTS = "objects"
FILE = "config.toml"

Value = str | float | int | bool


class Setting(NamedTuple):
    """One setting: what it is for, its default, and what values it takes."""

    name: str
    default: Value
    help: str
    choices: tuple[str, ...] = ()
    least: float = 0
    most: float = float("inf")

    @property
    def variable(self) -> str:
        """The environment variable that sets it."""
        return f"MLREG_{self.name.upper()}"

    def parse(self, raw: object, origin: str) -> Value:
        """A value of the setting's type.

        Raises:
            InvalidInput: It is of another type or out of range; the message names its origin.
        """
        try:
            value = _convert(raw, type(self.default))
        except (TypeError, ValueError):
            value = None
        if value is None or (self.choices and value not in self.choices):
            wanted = " or ".join(self.choices) or f"a {type(self.default).__name__}"
        elif isinstance(value, int | float) and not self.least <= value <= self.most:
            wanted = f"between {self.least:g} and {self.most:g}"
        else:
            return value
        raise InvalidInput(f"{self.name} from {origin} must be {wanted}, not {safe(str(raw))}")


SETTINGS: tuple[Setting, ...] = (
    Setting("model", "", "the model that a verb means when no name is given"),
    Setting("actor", "", "who is recorded as the author of changes; empty: the system user"),
    Setting(
        "log_inputs",
        "all",
        "what the log keeps of an input: the whole, a keyed hash, or nothing",
        choices=("all", "hashed", "none"),
    ),
    Setting("timeout", 30.0, "seconds that a model may take for an answer", least=0.1, most=86400),
    Setting("load_timeout", 60.0, "seconds that a model may take to load", least=0.1, most=86400),
    Setting("memory_limit_mb", 4096, "address space of the process that runs a model", least=256),
    Setting("max_artifact_mb", 2048, "the largest artifact that is taken in", least=1),
    Setting("busy_timeout", 15.0, "seconds to wait for other writers", least=0, most=3600),
    Setting(
        "allow_shared",
        False,
        "accept a registry that others on this machine can write: they can then run code as you",
    ),
)
BY_NAME = {setting.name: setting for setting in SETTINGS}


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigEntry:
    """A setting's value in force and where it comes from."""

    name: str
    value: Value
    origin: str
    default: Value
    help: str


class Settings:
    """The values in force, with their origins."""

    def __init__(self, values: Mapping[str, tuple[Value, str]]) -> None:
        self._values = {s.name: (s.default, "default") for s in SETTINGS} | dict(values)

    def text(self, name: str) -> str:
        """A setting that is text."""
        return str(self._values[name][0])

    def number(self, name: str) -> float:
        """A setting that is a number."""
        return float(self._values[name][0])

    def flag(self, name: str) -> bool:
        """A setting that is true or false."""
        return bool(self._values[name][0])

    def entries(self) -> list[ConfigEntry]:
        """All settings in their order."""
        return [
            ConfigEntry(
                name=setting.name,
                value=self._values[setting.name][0],
                origin=self._values[setting.name][1],
                default=setting.default,
                help=setting.help,
            )
            for setting in SETTINGS
        ]


def load_settings(folder: Path, environ: Mapping[str, str] = os.environ) -> Settings:
    """The settings of the registry in `folder`.

    Raises:
        InvalidInput: A value is wrong, or the file names a setting that does not exist.
    """
    found = {
        name: (BY_NAME[name].parse(raw, FILE), FILE) for name, raw in _read_file(folder).items()
    }
    for setting in SETTINGS:
        raw = environ.get(setting.variable)
        if raw:
            found[setting.name] = (setting.parse(raw, setting.variable), setting.variable)
    return Settings(found)


def _read_file(folder: Path) -> dict[str, object]:
    path = folder / FILE
    if not path.exists():
        return {}
    import tomllib

    try:
        stored = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InvalidInput(f"{path} cannot be read: {error}") from None
    for name in stored:
        find_setting(name, hint=f"it stands in {path}")
    return stored


def find_setting(name: str, *, hint: str = "see: mlreg config") -> Setting:
    """The setting of this name.

    Raises:
        InvalidInput: There is none.
    """
    if name not in BY_NAME:
        raise InvalidInput(f"there is no setting {safe(name)}", hint=hint)
    return BY_NAME[name]


def write_setting(folder: Path, name: str, raw: str | None) -> None:
    """Set a value in the registry's file, or with None take it out; comments stay as they are."""
    import tomlkit

    setting = find_setting(name)
    path = folder / FILE
    document = tomlkit.parse(path.read_text("utf-8")) if path.exists() else tomlkit.document()
    if raw is None:
        document.pop(name, None)
    else:
        document[name] = setting.parse(raw, "the command line")
    fresh = path.with_suffix(".tmp")
    fresh.write_text(tomlkit.dumps(document), "utf-8")
    fresh.replace(path)


def find_registry(named: str | Path | None = None, environ: Mapping[str, str] = os.environ) -> Path:
    """The registry's folder: the one named, that of MLREG_REGISTRY, or found by walking up.

    Raises:
        RegistryNotFound: There is none.
    """
    named = named or environ.get("MLREG_REGISTRY")
    if named:
        return _named_registry(Path(named))
    try:
        start = Path.cwd()
    except FileNotFoundError:
        raise RegistryNotFound("the working directory has been deleted") from None
    for parent in (start, *start.parents):
        if _is_registry(parent / FOLDER):
            return parent / FOLDER
    raise RegistryNotFound(
        f"no registry in {start} or any folder above it", hint="run: mlreg init, or give --registry"
    )


def _named_registry(path: Path) -> Path:
    for folder in (path / FOLDER, path):
        if _is_registry(folder):
            return folder.absolute()
    raise RegistryNotFound(
        f"there is no registry at {safe(str(path))}", hint=f"run: mlreg init {safe(str(path))}"
    )


def _is_registry(folder: Path) -> bool:
    # Unlike Path.exists, false also for a name that is too long or a folder of somebody else.
    return os.path.exists(folder / DATABASE)


def _convert(raw: object, kind: type) -> Value | None:
    if kind is bool:
        words = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
        return words.get(str(raw).lower())
    if isinstance(raw, bool):
        return None
    if kind is int:
        return int(str(raw))
    if kind is float:
        return float(str(raw))
    return raw if isinstance(raw, str) else None
