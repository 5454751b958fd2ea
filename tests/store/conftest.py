"""An empty store, and a model with two versions in it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from mlreg.clock import from_micros
from mlreg.entities.traffic import Arm, Revision
from mlreg.store.models import ModelRow
from mlreg.store.store import Store
from tests.support import DATABASE


class Seeded(NamedTuple):
    """A store with one model and the keys of its two versions."""

    store: Store
    model: ModelRow
    versions: tuple[int, int]


def seed(store: Store) -> Seeded:
    """Add a model with two versions that have only metadata."""
    with store.write() as tx:
        model = tx.models.ensure("sentiment", at=0)
        keys = [
            tx.versions.insert(
                model_key=model.key,
                version=f"{n}.0.0",
                precedence=str(n),
                description="",
                parent_key=None,
                artifact=None,
                actor="tester",
                at=0,
            )
            for n in (1, 2)
        ]
    return Seeded(store, model, (keys[0], keys[1]))


def revision_of(seeded: Seeded, number: int, *weights: int) -> Revision:
    """A revision of the seeded model with these live weights, in the order of the versions."""
    return Revision(
        model_key=seeded.model.key,
        model=seeded.model.name,
        number=number,
        strategy="random",
        salt=seeded.model.salt,
        cause="route",
        reason="",
        actor="tester",
        created_at=from_micros(0),
        arms=tuple(
            Arm(version_key=key, model_id="", version="", weight=weight)
            for key, weight in zip(seeded.versions, weights, strict=False)
        ),
    )


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new database to copy, which is faster than to make each one."""
    path = tmp_path_factory.mktemp("database") / DATABASE
    Store(path, timeout=0, create=True).close()
    return path


@pytest.fixture
def store(tmp_path: Path, empty_database: Path) -> Iterator[Store]:
    shutil.copy(empty_database, tmp_path / DATABASE)
    found = Store(tmp_path / DATABASE, timeout=5)
    yield found
    found.close()


@pytest.fixture
def seeded(store: Store) -> Seeded:
    return seed(store)
