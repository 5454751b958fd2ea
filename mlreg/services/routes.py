"""Routes: a model's traffic made ready for answering, kept until another revision is in force."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import NamedTuple

from mlreg.artifacts.runner import Loadable
from mlreg.entities.traffic import Revision
from mlreg.entities.versions import Version
from mlreg.errors import Conflict, MlregError, NoActiveVersion
from mlreg.names import safe
from mlreg.routing import Table, table_of
from mlreg.services.context import Context
from mlreg.services.fresh import Fresh
from mlreg.store.models import ModelRow
from mlreg.store.store import Transaction


class Served(NamedTuple):
    """A version that answers, and what one call costs.

    Attributes:
        own: What a runner loads; None where a program of the user's runs the version.
    """

    version: Version
    own: Loadable | None
    cost: float | None

    @property
    def loadable(self) -> Loadable:
        """What a runner loads.

        Raises:
            Conflict: A program of the user's runs the version.
        """
        if self.own is None:
            raise Conflict(
                f"{self.version.ref} is run by a program of yours, which mlreg cannot ask",
                hint=f"let it answer, then: mlreg record {self.version.name} --output ANSWER",
            )
        return self.own


class Route(NamedTuple):
    """A model's routing table and the versions in it, as of one revision.

    Attributes:
        shadows: The versions that are asked behind the answer.
    """

    model: ModelRow
    revision: int
    table: Table
    served: dict[int, Served]
    shadows: tuple[Served, ...] = ()


class Routes:
    """The routes of a registry, read anew when the traffic has changed."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._fresh = Fresh(context.store, self._route)

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
        return self._fresh.get(name)

    def forced(self, route: Route, selector: str) -> Served:
        """The version of the route's model that a caller insists on."""
        with self._context.store.read() as tx:
            return ready(tx.versions.select(route.model, selector))

    def _route(self, name: str | None, earlier: Route | None) -> Route:
        with self._context.store.read() as tx:
            if earlier and self._is_current(tx, earlier):
                return earlier
            return self._build(tx, name)

    def _is_current(self, tx: Transaction, route: Route) -> bool:
        # A seal can be broken without a new revision.
        versions = [served.version for served in (*route.served.values(), *route.shadows)]
        is_plain = not any(version.trusted for version in versions)
        return is_plain and tx.traffic.number(route.model.key) == route.revision

    def _build(self, tx: Transaction, name: str | None) -> Route:
        model = self._context.model(tx, name)
        revision = tx.traffic.current(model)
        served = {
            arm.version_key: ready(tx.versions.by_key(arm.version_key)) for arm in revision.live
        }
        shadows = tuple(_shadows(tx, revision)) if revision.shadows else ()
        return Route(model, revision.number, table_of(revision), served, shadows)


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


def _shadows(tx: Transaction, revision: Revision) -> Iterator[Served]:
    for arm in revision.shadows:
        # What is wrong with a shadow is nothing to those who wait for an answer.
        with suppress(MlregError):
            yield ready(tx.versions.by_key(arm.version_key))


def ready(version: Version) -> Served:
    """The version, ready to be called.

    Raises:
        Conflict: It has no artifact.
    """
    if version.external:
        return Served(version, None, _cost(version))
    if version.digest is None or version.signature is None or version.flavor is None:
        raise Conflict(
            f"{version.ref} has no artifact, only metadata",
            hint=f"run: mlreg attach {version.ref} ARTIFACT",
        )
    loadable = Loadable(version.digest, version.flavor, version.trusted, version.signature)
    return Served(version, loadable, _cost(version))


def _cost(version: Version) -> float | None:
    cost = version.metadata.get("cost_per_request")
    if not isinstance(cost, int | float) or isinstance(cost, bool):
        return None
    return float(cost)
