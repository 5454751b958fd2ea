"""How policies and splits differ, line by line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from mlreg.jsonable import canonical, dumps
from mlreg.services.policy_forms import threshold_of

if TYPE_CHECKING:
    from mlreg.entities.traffic import Revision


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[str, ...]:
    """What is new (`+`), gone (`-`) and changed (`~`) from one policy to another."""
    return tuple(_lines(_named(before), _named(after)))


def split_difference(before: Revision, after: Revision) -> tuple[str, ...]:
    """How the traffic of two revisions differs."""
    old, new = _traffic(before), _traffic(after)
    return () if old == new else (f"~ traffic: {old} -> {new}",)


def _traffic(revision: Revision) -> str:
    arms = " ".join(f"{arm.version}={arm.traffic_percent:g}" for arm in revision.live)
    return f"{arms}, {revision.strategy}" if arms else "nobody"


def _named(document: Mapping[str, Any]) -> dict[str, str]:
    """Each part of a policy by its name, as text."""
    found: dict[str, str] = {}
    for stored in document.get("thresholds", ()):
        one = threshold_of(stored, "")
        found[f"threshold {one.name}"] = f"{one.demand} ({one.severity}, {one.action})"
    for section, part in document.items():
        if section == "thresholds":
            continue
        keys = part.items() if isinstance(part, Mapping) else (("", part),)
        for key, value in keys:
            name = f"{section}.{key}" if key else section
            found[name] = value if isinstance(value, str) else dumps(value)
    return found


def _lines(old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[str]:
    for name in sorted({*old, *new}):
        if name not in new:
            yield f"- {name}: {old[name]}"
        elif name not in old:
            yield f"+ {name}: {new[name]}"
        elif canonical(old[name]) != canonical(new[name]):
            yield f"~ {name}: {old[name]} -> {new[name]}"
