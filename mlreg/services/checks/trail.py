"""The state of each thing as its last event in the audit trail sealed it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mlreg.store.rows import UNREADABLE

if TYPE_CHECKING:
    from mlreg.entities.audit import Event
    from mlreg.store.events import Link

# Events of a repair tell of what is derived or was sealed before; they seal nothing anew.
REPAIR = "repair"
_RECEIPTS = ("abtest look", "abtest conclusion")
_ENDED = ("concluded", "stopped")

State = Mapping[str, Any]


@dataclass(slots=True)
class SealedVersion:
    """A version as the trail tells it."""

    model_key: int
    state: State
    is_deleted: bool = False


@dataclass(slots=True)
class Sealed:
    """What the audit trail says.

    Attributes:
        models: Names by key.
        versions: By their public id.
        aliases: Version numbers by model and alias.
        directions: Of each model which way its feedback values are better.
        revisions: By model and number.
        experiments: By their names.
        receipts: The events that tell of receipts.
        count: How many events there are.
        broken: Places where the chain does not hold.
    """

    models: dict[int, str] = field(default_factory=dict)
    versions: dict[str, SealedVersion] = field(default_factory=dict)
    aliases: dict[tuple[int, str], str] = field(default_factory=dict)
    directions: dict[int, State] = field(default_factory=dict)
    revisions: dict[tuple[int, int], State] = field(default_factory=dict)
    experiments: dict[str, State] = field(default_factory=dict)
    receipts: list[Event] = field(default_factory=list)
    count: int = 0
    broken: list[int] = field(default_factory=list)

    @property
    def is_sound(self) -> bool:
        """Whether the chain holds from its first event to the last one there is."""
        return self.count > 0 and not self.broken


def replay(chain: Iterable[Link]) -> Sealed:
    """Follow the events in order; what cannot be read is noted and passed over."""
    sealed = Sealed()
    for link in chain:
        sealed.count += 1
        if not link.is_sound:
            sealed.broken.append(link.place)
        if link.event is not None and link.event.action != REPAIR:
            try:
                _follow(sealed, link.event, link.model_key)
            except UNREADABLE:
                sealed.broken.append(link.place)
    return sealed


def _follow(sealed: Sealed, event: Event, model_key: int | None) -> None:
    after, before = event.after or {}, event.before or {}
    if event.action in _RECEIPTS:
        sealed.receipts.append(event)
    if model_key is None:
        return
    if event.model is not None:
        sealed.models.setdefault(model_key, event.model)
    if event.action == "delete":
        _forget(sealed, model_key, before)
    elif event.action == "alias":
        _point(sealed, model_key, after)
    elif "value_better" in after:
        sealed.directions[model_key] = after["value_better"]
    elif "model_id" in after:
        known = sealed.versions.get(after["model_id"])
        state = {**(known.state if known else {}), **after}
        sealed.versions[after["model_id"]] = SealedVersion(model_key, state)
    elif "arms" in after:
        sealed.revisions[model_key, after["revision"]] = after
    elif "test_id" in after:
        _continue(sealed, event, after)
    elif event.action == "abtest delete":
        sealed.experiments.pop(before["test_id"], None)


def _forget(sealed: Sealed, model_key: int, before: State) -> None:
    sealed.versions[before["model_id"]].is_deleted = True
    gone = [key for key, number in sealed.aliases.items() if number == before["version"]]
    for key in gone:
        if key[0] == model_key:
            del sealed.aliases[key]


def _point(sealed: Sealed, model_key: int, after: State) -> None:
    if after["version"] is None:
        sealed.aliases.pop((model_key, after["alias"]), None)
    else:
        sealed.aliases[model_key, after["alias"]] = after["version"]


def _continue(sealed: Sealed, event: Event, after: State) -> None:
    """Some ends of an experiment are told by what has changed alone."""
    state = {**sealed.experiments.get(after["test_id"], {}), **after}
    if after["status"] in _ENDED and "ended_at" not in after:
        from mlreg.clock import isoformat

        state["ended_at"] = isoformat(event.time)
    sealed.experiments[after["test_id"]] = state
