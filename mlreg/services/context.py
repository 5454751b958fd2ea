"""What every service works with."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from mlreg.clock import Clock
from mlreg.config import Settings
from mlreg.errors import StoreDamaged, StoreError, StoreFull, StoreReadOnly
from mlreg.names import Reference, check_text, is_id_prefix, is_version, parse_reference
from mlreg.store.engines.forking import lazy
from mlreg.store.store import Store, Transaction

if TYPE_CHECKING:
    from mlreg.artifacts.objects import ObjectStore
    from mlreg.artifacts.runner import Runner
    from mlreg.artifacts.runners import Place
    from mlreg.entities.traffic import Change
    from mlreg.entities.versions import Version
    from mlreg.store.models import ModelRow

# What keeps a report from writing what it would fold: it can still count.
UNWRITABLE = (StoreDamaged, StoreFull, StoreReadOnly)

_LONGEST_ACTOR = 256
_PIECE = 10_000


class Act(NamedTuple):
    """A change under way: its transaction, how it was asked for, by whom, and its one instant."""

    tx: Transaction
    change: Change
    actor: str
    at: int


class Context:
    """An open registry: its folder, store, objects, the runner of models, settings and clock.

    What most commands do without is made when it is first asked for: each costs milliseconds.
    """

    def __init__(
        self,
        *,
        folder: Path,
        store: Store,
        objects: ObjectStore,
        settings: Settings,
        clock: Clock,
        runner: Runner | Place | None,
        actor: str | None,
    ) -> None:
        self.folder = folder
        self.store = store
        self.objects = objects
        self.settings = settings
        self.clock = clock
        self._given_runner = runner
        self._actor = actor
        # Asked when the registry is closed; whoever still uses the runner then says so by False.
        self.before_close: list[Callable[[], bool]] = []

    @lazy
    def runner(self) -> Runner:
        """What runs models: the one given, or one at the place that was given."""
        given = self._given_runner
        if given is None or isinstance(given, str):
            from mlreg.artifacts.runners import make_runner

            return make_runner(given, self.objects, self.settings)
        return given

    @lazy
    def actor(self) -> str:
        """Who is recorded as the author of changes: the one given, of the settings, or the user."""
        return self._actor or self.settings.text("actor") or system_user()

    def close(self) -> None:
        """Close the store and end what runs models."""
        is_free = all([finish() for finish in self.before_close])
        made = self._given_runner if "runner" not in vars(self) else self.runner
        if made is not None and not isinstance(made, str) and is_free:
            made.close()
        self.store.close()

    def model(self, tx: Transaction, name: str | None) -> ModelRow:
        """The model of this name, else the one of the settings, else the only one."""
        return tx.models.get(name or self.settings.text("model") or None)

    def version(self, tx: Transaction, ref: str | Reference) -> Version:
        """The version that a reference names; one that is a version alone is of the only model."""
        found = parse_reference(ref) if isinstance(ref, str) else ref
        name = found.name or ""
        if found.selector is None and is_id_prefix(name) and not tx.models.find(name):
            return tx.versions.beginning(name)
        if found.selector is None and is_version(name) and not tx.models.find(name):
            found = Reference(self.model(tx, None).name, name, None)
        return tx.versions.get(found)

    @contextmanager
    def acting(self, change: Change, *, urgent: bool = True) -> Iterator[Act]:
        """A change in a transaction of its own: one that only reads for a dry run.

        An urgent one, as of who answers, goes through on a full disk, too.
        """
        store = self.store
        with store.read() if change.dry_run else store.write(urgent=urgent) as tx:
            yield Act(tx, change, self.actor_of(change), self.clock())

    @contextmanager
    def folded(self) -> Iterator[Transaction]:
        """A snapshot whose summaries cover all of the log, also where nothing can be written."""
        try:
            self.fold_summaries()
        except UNWRITABLE:
            with self.store.read() as tx, tx.summaries.aside():
                while tx.summaries.fold(limit=_PIECE):
                    pass
                yield tx
            return
        with self.store.read() as tx:
            yield tx

    def fold_summaries(self) -> None:
        """Fold what the summaries do not cover yet, in pieces that let other writers through."""
        with self.store.read() as tx:
            behind = tx.summaries.is_behind()
        while behind:
            with self.store.write(durable=False) as tx:
                behind = tx.summaries.fold(limit=_PIECE)

    def fold_if_due(self, last_id: int, count: int) -> None:
        """Fold the summaries whenever the log has crossed a multiple of `EVERY` rows."""
        from mlreg.store.summaries import EVERY

        if last_id // EVERY != (last_id - count) // EVERY:
            # What was logged must go out; the next who folds makes up for this one.
            with suppress(StoreError), self.store.write(durable=False) as tx:
                tx.summaries.fold(limit=10 * EVERY)
                tx.experiments.folds.fold_backlogs(limit=100 * EVERY)

    def actor_of(self, change: Change) -> str:
        """Who makes a change."""
        return self.author(change.actor)

    def author(self, named: str | None) -> str:
        """Who is recorded: the one named, else the registry's actor."""
        return check_text(named or self.actor, "actor", longest=_LONGEST_ACTOR)


def system_user() -> str:
    """The name of the user this process runs as, for the audit trail."""
    import getpass

    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"
