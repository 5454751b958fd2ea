"""Registries for the services: copies of two that are built once, with a clock to turn."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mlreg.artifacts.samples import constant_model
from mlreg.config import FOLDER
from mlreg.registry import Registry, init_registry
from tests.support import Clock

SEEN_FIRST = 1_790_000_000_000_000  # September 2026


@pytest.fixture
def clock() -> Clock:
    return Clock(SEEN_FIRST)


@pytest.fixture(scope="session")
def empty_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("empty")
    init_registry(folder).close()
    return folder / FOLDER


@pytest.fixture(scope="session")
def two_versions(
    tmp_path_factory: pytest.TempPathFactory, empty_template: Path, artifacts: dict[str, Path]
) -> Path:
    folder = tmp_path_factory.mktemp("two") / FOLDER
    shutil.copytree(empty_template, folder)
    with Registry(folder, actor="tester", clock=Clock(SEEN_FIRST)) as registry:
        registry.versions.register("sentiment@1.0.0", artifacts["text"], accuracy=0.85)
        registry.versions.register("sentiment@2.0.0", artifacts["other_text"], accuracy=0.9)
    return folder


@pytest.fixture(scope="session")
def four_versions(tmp_path_factory: pytest.TempPathFactory, empty_template: Path) -> Path:
    folder = tmp_path_factory.mktemp("four") / FOLDER
    shutil.copytree(empty_template, folder)
    with Registry(folder, actor="tester", clock=Clock(SEEN_FIRST)) as registry:
        for version in ("1.0.0", "2.0.0", "3.0.0", "4.0.0"):
            registry.versions.register(f"m@{version}", constant_model("yes"))
    return folder


@pytest.fixture
def open_copy(tmp_path: Path, clock: Clock) -> Iterator[Callable[[Path], Registry]]:
    """Copies a registry into `tmp_path` and opens it."""
    opened: list[Registry] = []

    def copy(template: Path) -> Registry:
        folder = tmp_path / FOLDER
        shutil.copytree(template, folder)
        opened.append(Registry(folder, actor="tester", clock=clock))
        return opened[-1]

    yield copy
    for registry in opened:
        registry.close()


@pytest.fixture
def registry(open_copy: Callable[[Path], Registry], empty_template: Path) -> Registry:
    """An empty registry whose clock stands still."""
    return open_copy(empty_template)


@pytest.fixture
def sentiment(open_copy: Callable[[Path], Registry], two_versions: Path) -> Registry:
    """`sentiment` with 1.0.0 and 2.0.0, and nothing that serves."""
    return open_copy(two_versions)


@pytest.fixture
def serving_registry(sentiment: Registry) -> Registry:
    """`sentiment` with 1.0.0 at 80 % and 2.0.0 at 20 %."""
    sentiment.traffic.route("sentiment", {"1.0.0": 80, "2.0.0": 20})
    return sentiment


@pytest.fixture
def tested(open_copy: Callable[[Path], Registry], four_versions: Path) -> Registry:
    """Four versions of `m` that answer the same to all, and get no traffic yet."""
    return open_copy(four_versions)
