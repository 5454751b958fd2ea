"""What every service works with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mlreg.clock import Clock
from mlreg.config import Settings
from mlreg.names import Reference, check_text, parse_reference
from mlreg.store.store import Store, Transaction

if TYPE_CHECKING:
    from mlreg.artifacts.objects import ObjectStore
    from mlreg.artifacts.runner import Runner
    from mlreg.entities.traffic import Change
    from mlreg.entities.versions import Version
    from mlreg.store.models import ModelRow

_LONGEST_ACTOR = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """An open registry: its folder, store, objects, the runner of models, settings and clock."""

    folder: Path
    store: Store
    objects: ObjectStore
    runner: Runner
    settings: Settings
    clock: Clock
    actor: str

    def model(self, tx: Transaction, name: str | None) -> ModelRow:
        """The model of this name, else the one of the settings, else the only one."""
        return tx.models.get(name or self.settings.text("model") or None)

    def version(self, tx: Transaction, ref: str | Reference) -> Version:
        """The version that a reference names."""
        return tx.versions.get(parse_reference(ref) if isinstance(ref, str) else ref)

    def actor_of(self, change: Change) -> str:
        """Who makes a change."""
        return self.author(change.actor)

    def author(self, named: str | None) -> str:
        """Who is recorded: the one named, else the registry's actor."""
        return check_text(named or self.actor, "actor", longest=_LONGEST_ACTOR)
