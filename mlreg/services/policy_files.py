"""Policy files: TOML that is held against a schema, which editors understand as well.

An error names the line and the key. What is read is in the form in which policies are stored, so
that a file that says the same in other words changes nothing.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, NamedTuple, NoReturn

from mlreg.entities.thresholds import ACTIONS, SEVERITIES, Anomaly
from mlreg.entities.traffic import STRATEGIES
from mlreg.errors import InvalidInput
from mlreg.names import safe
from mlreg.services.policy_forms import stored_form
from mlreg.services.threshold_drafts import make_threshold

_DURATION = {"type": "string", "description": "a time such as 90s, 15m, 24h or 1h30m"}
_TEXTS = {"type": "array", "items": {"type": "string"}}
_SHARES = {"type": "array", "items": {"type": "number"}}


def _table(properties: Mapping[str, Any], *required: str) -> dict[str, Any]:
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": dict(properties),
        "required": list(required),
    }


_THRESHOLD = _table(
    {
        "name": {"type": "string", "description": "what it is called; else as its metric"},
        "condition": {
            "type": "string",
            "description": "what must hold, such as error_rate <= 5% over 10m min 100 for 5m",
        },
        "anomaly": _table(
            {"metric": {"type": "string"}, "sigma": {"type": "number"}}, "metric", "sigma"
        ),
        "severity": {"type": "string", "enum": list(SEVERITIES)},
        "action": {"type": "string", "enum": list(ACTIONS)},
    }
)
_ROLLOUT = _table(
    {
        "strategy": {"type": "string", "enum": ["canary", "blue-green", "replace", "ab"]},
        "steps": _SHARES,
        "interval": _DURATION,
        "min_samples": {"type": "integer", "minimum": 1},
        "bake": _DURATION,
        "checks": _TEXTS,
        "failures": {"type": "integer", "minimum": 1},
        "on_inconclusive": {"type": "string", "enum": ["hold", "advance", "abort"]},
        "hold_at_most": _DURATION,
        "approve": _SHARES,
        "approvers": _TEXTS,
        "metric": {"type": "string"},
    }
)
_TRAFFIC = _table(
    {
        "split": {
            "type": "object",
            "additionalProperties": {"type": "number", "minimum": 0},
            "description": "percent by version; they sum to 100",
        },
        "strategy": {"type": "string", "enum": list(STRATEGIES)},
    },
    "split",
)
_MODEL = _table(
    {
        "thresholds": {"type": "array", "items": _THRESHOLD},
        "rollout": _ROLLOUT,
        "rollback": _table({"bake": _DURATION, "cool_down": _DURATION}),
        "traffic": _TRAFFIC,
    }
)
SCHEMA: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "What mlreg may do by itself, for each model",
    **_table({"model": {"type": "object", "additionalProperties": _MODEL}}, "model"),
}
_TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,), "array": (list,), "string": (str,), "integer": (int,),
    "number": (int, float),
}  # fmt: skip
_HEADER = re.compile(r"\s*(\[\[?)\s*([^\]]+?)\s*\]\]?\s*(?:#.*)?")
_KEY = re.compile(r"""\s*((?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')(?:\s*\.\s*[A-Za-z0-9_-]+)*)\s*=""")
_PART = re.compile(r"""[A-Za-z0-9_-]+|"[^"]*"|'[^']*'""")

Path = tuple[str | int, ...]


_LARGEST = 2**53  # up to which each whole number is a number of its own in JSON


class Wanted(NamedTuple):
    """What a file says of a model.

    Attributes:
        document: The policy, in its stored form.
        split: Percent by version; None where the file leaves the traffic alone.
        strategy: How a version is picked; None: as now.
    """

    document: dict[str, Any]
    split: dict[str, float] | None
    strategy: Any


def read_policies(text: str, source: str) -> dict[str, Wanted]:
    """What a policy file says, by model.

    Args:
        text: The file.
        source: What it is called in errors.

    Raises:
        InvalidInput: It is no TOML, or says something that no policy can; with line and key.
    """
    try:
        found = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise InvalidInput(f"{safe(source)}: {safe(str(error))}") from None
    place = _Places(text, source)
    _check(found, SCHEMA, (), place)
    return {name: _wanted(name, part, place) for name, part in found["model"].items()}


def _wanted(name: str, part: Mapping[str, Any], place: _Places) -> Wanted:
    at: Path = ("model", name)
    document: dict[str, Any] = {}
    if part.get("thresholds"):
        document["thresholds"] = _thresholds(part["thresholds"], at, place)
    for key, check in (("rollout", _check_rollout), ("rollback", _check_rollback)):
        if part.get(key):
            with _Telling(place, (*at, key)):
                check(part[key])
            document[key] = part[key]
    traffic = part.get("traffic", {})
    split = {version: float(share) for version, share in traffic.get("split", {}).items()}
    if "traffic" in part and round(sum(split.values()), 6) != 100:
        place.fail((*at, "traffic", "split"), f"sums to {sum(split.values()):g}, and not to 100")
    return Wanted(document, split or None, traffic.get("strategy"))


def _thresholds(rows: Sequence[Mapping[str, Any]], at: Path, place: _Places) -> list[Any]:
    found: dict[str, Any] = {}
    for number, row in enumerate(rows):
        where: Path = (*at, "thresholds", number)
        with _Telling(place, (*where, "condition") if "condition" in row else where):
            anomaly = row.get("anomaly")
            one = make_threshold(
                row.get("condition"),
                anomaly=Anomaly(anomaly["metric"], float(anomaly["sigma"])) if anomaly else None,
                label=row.get("name"),
                severity=row.get("severity"),
                action=row.get("action", "alert"),
            )
        if one.name in found:
            place.fail(where, f"is a second threshold of the name {safe(one.name)}")
        found[one.name] = stored_form(one)
    return list(found.values())


def _check_rollout(section: Mapping[str, Any]) -> None:
    from mlreg.services.rollouts.drafts import from_policy, make_plan

    make_plan(from_policy(section))


def _check_rollback(section: Mapping[str, Any]) -> None:
    from mlreg.services.goodness import rules_of

    rules_of({"rollback": section})


def _check(value: Any, schema: Mapping[str, Any], at: Path, place: _Places) -> None:
    """Hold a value against the part of JSON Schema that the schema above is written in."""
    kind = schema.get("type")
    if kind and (not isinstance(value, _TYPES[kind]) or isinstance(value, bool)):
        place.fail(at, f"must be {_kind_name(kind)}, not {safe(repr(value), longest=60)}")
    if isinstance(value, int) and abs(value) > _LARGEST:
        place.fail(at, f"is beyond {_LARGEST}, and too large")
    if "enum" in schema and value not in schema["enum"]:
        known = ", ".join(schema["enum"])
        place.fail(at, f"is one of {known}, not {safe(value)}{_meant(value, schema['enum'])}")
    if "minimum" in schema and not value >= schema["minimum"]:
        place.fail(at, f"must be {schema['minimum']} or more, not {value}")
    if kind == "array":
        for number, item in enumerate(value):
            _check(item, schema["items"], (*at, number), place)
    if kind == "object":
        _check_table(value, schema, at, place)


def _check_table(
    value: Mapping[str, Any], schema: Mapping[str, Any], at: Path, place: _Places
) -> None:
    known, more = schema.get("properties", {}), schema["additionalProperties"]
    for key, item in value.items():
        if key in known or more:
            _check(item, known.get(key, more), (*at, key), place)
        else:
            there = f"there is {', '.join(known)}"
            place.fail((*at, key), f"is unknown{_meant(key, list(known))}", hint=there)
    for key in schema.get("required", ()):
        if key not in value:
            place.fail(at, f"lacks {key}")


def _kind_name(kind: str) -> str:
    return {
        "object": "a table", "array": "a list", "string": "a text",
        "integer": "a whole number", "number": "a number",
    }[kind]  # fmt: skip


def _meant(word: str, known: Sequence[str]) -> str:
    close = get_close_matches(word, known, n=1)
    return f"; did you mean {close[0]}?" if close else ""


class _Places:
    """Where in a file each key stands."""

    def __init__(self, text: str, source: str) -> None:
        self._source = source
        self._lines: dict[Path, int] = {}
        for path, line in _lines_of(text):
            for length in range(1, len(path) + 1):  # a header is the first line of all it is in
                self._lines.setdefault(path[:length], line)

    def fail(self, at: Path, problem: str, *, hint: str = "") -> NoReturn:
        """Say what is wrong with a key, and in which line it stands.

        Raises:
            InvalidInput: Always.
        """
        key = "".join(f"[{p + 1}]" if isinstance(p, int) else f".{safe(p)}" for p in at)
        line = next(
            (self._lines[at[:n]] for n in range(len(at), 0, -1) if at[:n] in self._lines), 1
        )
        where = f"{safe(self._source)}, line {line}"
        raise InvalidInput(f"{where}: {key.lstrip('.') or 'the file'} {problem}", hint=hint)


def _lines_of(text: str) -> Iterator[tuple[Path, int]]:
    """The line of each header, and of each key that a line begins with."""
    table: Path = ()
    counts: dict[Path, int] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if (header := _HEADER.fullmatch(line)) is not None:
            table = _within(_parts(header[2]), counts)
            if header[1] == "[[":
                counts[table] = counts.get(table, -1) + 1
                yield table, number
                table = (*table, counts[table])
            yield table, number
        elif (key := _KEY.match(line)) is not None:
            yield (*table, *_parts(key[1])), number


def _within(parts: Path, counts: Mapping[Path, int]) -> Path:
    """The path of a header, inside the last item of each list that it names."""
    found: Path = ()
    for place, part in enumerate(parts):
        found = (*found, part)
        if found in counts and place < len(parts) - 1:
            found = (*found, counts[found])
    return found


def _parts(dotted: str) -> Path:
    return tuple(part.strip("\"'") for part in _PART.findall(dotted))


class _Telling:
    """A block whose errors are told with the place of a key."""

    def __init__(self, place: _Places, at: Path) -> None:
        self._place, self._at = place, at

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, InvalidInput):
            self._place.fail(self._at, f"cannot be: {error.message}", hint=error.hint.strip("^ "))
