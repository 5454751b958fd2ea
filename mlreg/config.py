"""Where the registry is, and its settings: MLREG_* environment, its file, the user's, default.

What weakens safety is the user's alone to say: a registry may come from somebody else.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

from mlreg import files, user
from mlreg.errors import InvalidInput, RegistryNotFound, StoreReadOnly
from mlreg.names import safe

FOLDER = ".mlreg"
DATABASE = "registry.db"
OBJECTS = "objects"
FILE = "config.toml"
# What decides which code runs and what is believed; looked at before any of it is read.
VITAL = (FILE, DATABASE, f"{DATABASE}-wal", f"{DATABASE}-shm", OBJECTS)
HIDDEN = "(not shown)"
_FORMER_LEAST_MB = 256

Value = str | float | int | bool
# How far a registry's file is heard: always; as far as it is stricter than what the user's own
# file says; or not at all.
Say = Literal["free", "stricter", "none"]


class Setting(NamedTuple):
    """One setting: what it is for, its default, and what values it takes.

    Attributes:
        choices: The words that it may be, the strictest last.
        least: The smallest number, or the fewest characters of a text that is not empty.
        say: How far a registry's file is heard.
        is_secret: Whether its value is never shown.
    """

    name: str
    default: Value
    help: str
    choices: tuple[str, ...] = ()
    least: float = 0
    most: float = float("inf")
    say: Say = "free"
    is_secret: bool = False

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
        elif isinstance(value, str) and 0 < len(value) < self.least:
            wanted = f"at least {self.least:g} characters long"
        elif isinstance(value, int | float) and not self.least <= value <= self.most:
            wanted = f"between {self.least:g} and {self.most:g}"
        else:
            return value
        shown = HIDDEN if self.is_secret else safe(str(raw))
        raise InvalidInput(f"{self.name} from {origin} must be {wanted}, not {shown}")

    def is_looser(self, value: Value, than: Value) -> bool:
        """Whether a value lets through more than another one."""
        if isinstance(value, str):
            return self.choices.index(value) < self.choices.index(str(than))
        return value > float(than)


SETTINGS: tuple[Setting, ...] = (
    Setting("model", "", "the model that a verb means when no name is given"),
    Setting("actor", "", "who is recorded as the author of changes; empty: the system user"),
    Setting(
        "log_inputs",
        "all",
        "what the log keeps of an input: the whole, a keyed hash, or nothing",
        choices=("all", "hashed", "none"),
        say="stricter",
    ),
    Setting(
        "timeout",
        30.0,
        "seconds that a model may take for an answer",
        least=0.1,
        most=86400,
        say="stricter",
    ),
    Setting(
        "shadow_timeout",
        10.0,
        "seconds that a shadow may take for an answer, which nobody waits for",
        least=0.1,
        most=86400,
        say="stricter",
    ),
    Setting(
        "load_timeout",
        60.0,
        "seconds that a model may take to load",
        least=0.1,
        most=86400,
        say="stricter",
    ),
    Setting(
        "memory_limit_mb",
        4096,
        "address space of the process that runs a model",
        least=384,
        say="stricter",
    ),
    Setting(
        "max_artifact_mb", 2048, "the largest artifact that is taken in", least=1, say="stricter"
    ),
    Setting(
        "durability",
        "second",
        "what a power cut may take of the log: no answer, a second of them, or what the system has",
        choices=("each", "second", "os"),
    ),
    Setting("busy_timeout", 15.0, "seconds to wait for other writers", least=0, most=3600),
    Setting(
        "allow_shared",
        False,
        "accept a registry that others on this machine can write: they can then run code as you",
        say="none",
    ),
    Setting(
        "allow_hosts",
        "",
        "hosts, addresses and networks that webhooks may reach though they are not public: "
        "localhost, 10.0.0.0/8",
        say="none",
    ),
    Setting(
        "hash_key",
        "",
        "secret of those who share hashed inputs; empty: one made from your own key",
        least=16,
        say="none",
        is_secret=True,
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


# Values by the setting's name, each with its origin.
Found = dict[str, tuple[Value, str]]


class Settings:
    """The values in force, with their origins.

    Attributes:
        unheard: Settings that the registry's file names and has no say in.
    """

    def __init__(
        self, values: Mapping[str, tuple[Value, str]], *, unheard: tuple[str, ...] = ()
    ) -> None:
        self._values = {s.name: (s.default, "default") for s in SETTINGS} | dict(values)
        self.unheard = unheard

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
        """All settings in their order; a secret is not shown."""
        return [
            ConfigEntry(
                name=setting.name,
                value=HIDDEN if setting.is_secret and value else value,
                origin=origin,
                default=setting.default,
                help=setting.help,
            )
            for setting in SETTINGS
            for value, origin in (self._values[setting.name],)
        ]


def load_settings(
    folder: Path | None, environ: Mapping[str, str] = os.environ, *, reading: bool = False
) -> Settings:
    """The settings of the registry in `folder`; with None those of the user alone.

    Whether the registry is the user's is looked at before anything in it is read.

    Args:
        folder: The registry's.
        environ: The variables.
        reading: Nothing in the registry will be run or changed, so it may be anybody's.

    Raises:
        InvalidInput: A value is wrong, or a file names a setting that does not exist.
        ArtifactUntrusted: Other users could change the registry, and that was not allowed.
    """
    own, said = _from_user(), _from_environment(environ)
    if folder is None:
        return Settings(own | said)
    if not reading and not Settings(own | said).flag("allow_shared"):
        from mlreg.ownership import check_own

        check_own(folder, VITAL)
    theirs = _parsed(_lifted(_read_file(folder / FILE)), FILE)
    unheard = tuple(name for name, (value, _) in theirs.items() if _has_no_say(name, value))
    if unheard:
        _warn_unheard(folder / FILE, unheard)
    heard = {name: found for name, found in theirs.items() if _is_heard(name, found[0], own)}
    return Settings(own | heard | said, unheard=unheard)


def _from_user() -> Found:
    place = user.folder()
    if place is None:
        return {}
    path = place / FILE
    try:
        data = user.read(path)
        found = {} if data is None else _parsed(_parse_file(path, data), safe(str(path)))
        if any(BY_NAME[name].is_secret for name in found):
            user.read(path, files.OTHERS_READ)
    except files.Unusable as problem:
        raise InvalidInput(
            f"your settings {safe(str(path))} {problem}",
            hint=f"make the file yours and run: chmod 600 {safe(str(path))}",
        ) from None
    return found


def _from_environment(environ: Mapping[str, str]) -> Found:
    given = ((setting, environ.get(setting.variable)) for setting in SETTINGS)
    return {s.name: (s.parse(raw, s.variable), s.variable) for s, raw in given if raw}


def _has_no_say(name: str, value: Value) -> bool:
    return BY_NAME[name].say == "none" and value != BY_NAME[name].default


def _is_heard(name: str, value: Value, own: Found) -> bool:
    """Whether what the registry's file says is in force, before what the user's says."""
    setting = BY_NAME[name]
    if setting.say == "none":
        return False
    return setting.say == "free" or name not in own or not setting.is_looser(value, own[name][0])


def _warn_unheard(path: Path, names: tuple[str, ...]) -> None:
    import warnings

    from mlreg.errors import MlregWarning

    warnings.warn(
        f"{safe(str(path))} sets {', '.join(names)}, which no registry can say for itself; it is "
        f"ignored. If you want it, run: mlreg config {names[0]} VALUE; then take the line out",
        MlregWarning,
        stacklevel=1,  # of one place, so that a process hears it once
    )


def _parsed(stored: Mapping[str, object], origin: str) -> Found:
    return {name: (BY_NAME[name].parse(raw, origin), origin) for name, raw in stored.items()}


def _lifted(stored: dict[str, Any]) -> dict[str, Any]:
    """What a registry says, with a limit raised that was once taken and lets no model run."""
    limit, least = stored.get("memory_limit_mb"), int(BY_NAME["memory_limit_mb"].least)
    if type(limit) is int and _FORMER_LEAST_MB <= limit < least:
        return stored | {"memory_limit_mb": least}
    return stored


def _read_file(path: Path) -> dict[str, Any]:
    try:
        data = files.read_small(path)
    except files.Unusable as problem:
        raise InvalidInput(f"{safe(str(path))} {problem}") from None
    return {} if data is None else _parse_file(path, data)


def _parse_file(path: Path, data: bytes) -> dict[str, Any]:
    import tomllib

    try:
        stored = tomllib.loads(data.decode())
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise InvalidInput(f"{safe(str(path))} cannot be read: {error}") from None
    for name in stored:
        find_setting(name, hint=f"it stands in {safe(str(path))}")
    return stored


def find_setting(name: str, *, hint: str = "see: mlreg config") -> Setting:
    """The setting of this name.

    Raises:
        InvalidInput: There is none.
    """
    if name not in BY_NAME:
        raise InvalidInput(f"there is no setting {safe(name)}", hint=hint)
    return BY_NAME[name]


def find_registry(named: str | Path | None = None, environ: Mapping[str, str] = os.environ) -> Path:
    """The registry's folder: the one named, that of MLREG_REGISTRY, or found by walking up.

    Raises:
        RegistryNotFound: There is none.
    """
    found = named_registry(named, environ)
    if found is not None:
        return found
    try:
        start = Path.cwd()
    except FileNotFoundError:
        raise RegistryNotFound("the working directory has been deleted") from None
    for parent in (start, *start.parents):
        if _is_registry(parent / FOLDER):
            return parent / FOLDER
        _check_open(parent / FOLDER)
    raise RegistryNotFound(
        f"no registry in {start} or any folder above it", hint="run: mlreg init, or give --registry"
    )


def named_registry(
    named: str | Path | None = None, environ: Mapping[str, str] = os.environ
) -> Path | None:
    """The folder of the registry that somebody named, or that MLREG_REGISTRY names.

    Raises:
        RegistryNotFound: It is not there.
    """
    named = named or environ.get("MLREG_REGISTRY")
    return _named_registry(Path(named)) if named else None


def _named_registry(path: Path) -> Path:
    for folder in (path / FOLDER, path):
        if _is_registry(folder):
            return folder.absolute()
        _check_open(folder)
    raise RegistryNotFound(
        f"there is no registry at {safe(str(path))}", hint=f"run: mlreg init {safe(str(path))}"
    )


def _check_open(folder: Path) -> None:
    # What is closed to this user must not be taken for missing, nor another found in its place.
    if folder.name == FOLDER and os.path.isdir(folder) and not os.access(folder, os.X_OK):
        raise StoreReadOnly(
            f"the registry {safe(str(folder))} cannot be read: permission denied",
            hint=f"ask its owner to run: chmod -R go+rX {safe(str(folder))}",
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
