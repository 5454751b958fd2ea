"""Routes: a model's traffic made ready for answering, kept until another revision is in force."""

from __future__ import annotations

from time import monotonic
from typing import NamedTuple

from mlreg.artifacts.runner import Loadable
from mlreg.entities.traffic import Revision
from mlreg.entities.versions import Version
from mlreg.errors import Conflict, NoActiveVersion
from mlreg.names import safe
from mlreg.routing import Table, table_of
from mlreg.services.context import Context
from mlreg.store.engines import Stamp
from mlreg.store.models import ModelRow
from mlreg.store.store import Transaction

# How long a change made by another process may stay unseen. Asking SQLite costs 3 µs, three times
# as much as choosing an arm; a change made through this registry is seen at once.
FRESH_SECONDS = 0.001


class Served(NamedTuple):
    """A version ready to be called, and what one call costs."""

    version: Version
    loadable: Loadable
    cost: float | None


class Route(NamedTuple):
    """A model's routing table and the versions in it, as of one revision."""

    model: ModelRow
    revision: int
    table: Table
    served: dict[int, Served]


class _Kept(NamedTuple):
    route: Route
    generation: int
    stamp: Stamp
    checked_at: float


class Routes:
    """The routes of a registry, read anew when the traffic has changed."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._kept: dict[str | None, _Kept] = {}

    def current(self, name: str | None) -> Route:
        """The route of a model that something serves.

        Raises:
            NoActiveVersion: Nothing does.
        """
        route = self.find(name)
        if not route.served:
            raise nothing_serves(route.model.name)
        return route

    def find(self, name: str | None) -> Route:
        """The route of a model; its table is empty where nothing serves."""
        kept, present = self._kept.get(name), monotonic()
        store = self._context.store
        if kept is not None and kept.generation == store.generation:
            if present - kept.checked_at < FRESH_SECONDS:
                return kept.route
            if store.stamp() == kept.stamp:
                self._kept[name] = kept._replace(checked_at=present)
                return kept.route
        return self._read(name, kept, present)

    def forced(self, route: Route, selector: str) -> Served:
        """The version of the route's model that a caller insists on."""
        with self._context.store.read() as tx:
            return _served(tx.versions.select(route.model, selector))

    def _read(self, name: str | None, kept: _Kept | None, present: float) -> Route:
        # The marks are taken before the read: a change in between is then seen next time.
        generation, stamp = self._context.store.generation, self._context.store.stamp()
        with self._context.store.read() as tx:
            if kept and self._is_current(tx, kept.route):
                route = kept.route
            else:
                route = self._build(tx, name)
        self._kept[name] = _Kept(route, generation, stamp, present)
        return route

    def _is_current(self, tx: Transaction, route: Route) -> bool:
        # A seal can be broken without a new revision.
        is_plain = not any(served.version.trusted for served in route.served.values())
        return is_plain and tx.traffic.number(route.model.key) == route.revision

    def _build(self, tx: Transaction, name: str | None) -> Route:
        model = self._context.model(tx, name)
        revision = tx.traffic.current(model)
        served = {
            arm.version_key: _served(tx.versions.by_key(arm.version_key)) for arm in revision.live
        }
        return Route(model, revision.number, table_of(revision), served)


def serving(revision: Revision) -> Revision:
    """The revision, if something serves.

    Raises:
        NoActiveVersion: Nothing does.
    """
    if not revision.live:
        raise nothing_serves(revision.model)
    return revision


def nothing_serves(model: str) -> NoActiveVersion:
    """The error that says so, and what to type."""
    return NoActiveVersion(
        f"no version of {safe(model)} is active",
        hint=f"run: mlreg activate {safe(model)}@VERSION",
    )


def _served(version: Version) -> Served:
    if version.digest is None or version.signature is None or version.flavor is None:
        raise Conflict(
            f"{version.ref} has no artifact, only metadata",
            hint=f"run: mlreg attach {version.ref} ARTIFACT",
        )
    loadable = Loadable(version.digest, version.flavor, version.trusted, version.signature)
    cost = version.metadata.get("cost_per_request")
    if not isinstance(cost, int | float) or isinstance(cost, bool):
        return Served(version, loadable, None)
    return Served(version, loadable, float(cost))
