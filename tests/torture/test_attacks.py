"""Artifacts that reach for files, the network, processes and whoever runs them: none gets there.

Each is first loaded by joblib and asked without mlreg, to see that it is no dud; then through the
command line, and through the library in a program of its own. A wall can be switched off, to see
that the other one holds alone.
"""

from __future__ import annotations

import signal
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.torture.attacks.campaign import Attack, attacks
from tests.torture.attacks.stage import Listener, Scene, fired, harm, play_undefended, set_scene
from tests.torture.attacks.through import (
    Walls,
    make_registry,
    play_through_commands,
    play_through_library,
)

ATTACKS = attacks()
FIRING = [attack.name for attack in ATTACKS.values() if attack.fires]
Effects = dict[str, set[str]]

DOWN = str(Path(__file__).parent / "attacks" / "down")


def _without(wall: str) -> dict[str, str]:
    """What takes a wall down, in this process's children and theirs."""
    return {"PYTHONPATH": DOWN, "PYTHON_WALL_DOWN": wall}


WALLS = {
    "both": Walls("both"),
    "states-only": Walls("states-only", environment=_without("confinement")),
    "confinement-only": Walls("confinement-only", environment=_without("states")),
}


@pytest.fixture(scope="module", autouse=True)
def _survive_signals() -> Iterator[None]:
    """Some signal their parent; that may be whoever runs the tests."""
    before = signal.signal(signal.SIGUSR1, lambda *_: None)
    yield
    signal.signal(signal.SIGUSR1, before)


@pytest.fixture(scope="module")
def listener() -> Listener:
    """A port of this machine, and who connected."""
    return Listener()


@pytest.fixture(scope="module", params=WALLS)
def walls(request: pytest.FixtureRequest) -> Walls:
    """Which walls stand."""
    return WALLS[request.param]


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty registry, to be copied."""
    return make_registry(tmp_path_factory.mktemp("registry") / "template")


@pytest.fixture(scope="module")
def undefended(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, listener: Listener
) -> Effects:
    """What each does to joblib and scikit-learn alone."""
    parent = tmp_path_factory.mktemp("undefended")
    return play_undefended(_scenes(_asked_for(request), parent, listener), parent, listener)


@pytest.fixture(scope="module")
def through_commands(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    registry: Path,
    walls: Walls,
    listener: Listener,
) -> Effects:
    """What each does through the command line."""
    parent = tmp_path_factory.mktemp(f"commands-{walls.name}")
    scenes = _scenes(_suited(_asked_for(request), walls), parent, listener)
    return play_through_commands(scenes, registry, walls, listener)


@pytest.fixture(scope="module")
def through_library(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    registry: Path,
    walls: Walls,
    listener: Listener,
) -> Effects:
    """What each does to a program that uses the library."""
    parent = tmp_path_factory.mktemp(f"library-{walls.name}")
    scenes = _scenes(_suited(_asked_for(request), walls), parent, listener)
    return play_through_library(scenes, registry, walls, listener)


def _asked_for(request: pytest.FixtureRequest) -> list[Attack]:
    """The attacks that some test of this run is about: with `-k`, the others are not played."""
    named = {
        item.callspec.params.get("name")
        for item in request.session.items
        if isinstance(item, pytest.Function) and hasattr(item, "callspec")
    }
    return [attack for attack in ATTACKS.values() if attack.name in named]


def _suited(chosen: list[Attack], walls: Walls) -> list[Attack]:
    """Programs of any kind are for confinement; the states' wall has no part in stopping them."""
    return [attack for attack in chosen if not attack.freely or walls.name == "confinement-only"]


def _scenes(chosen: list[Attack], parent: Path, listener: Listener) -> list[Scene]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what is fitted here is not meant to be sound
        return [set_scene(attack, parent, listener.port) for attack in chosen]


def test_the_campaign_is_large_and_most_of_it_works() -> None:
    assert len(FIRING) >= 100
    assert len({ATTACKS[name].aim for name in FIRING}) == 10


@pytest.mark.slow
@pytest.mark.process
@pytest.mark.parametrize("name", FIRING)
def test_an_attack_works_where_nothing_defends(name: str, undefended: Effects) -> None:
    assert fired(ATTACKS[name].aim, undefended[name]), undefended[name]


@pytest.mark.slow
@pytest.mark.process
@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_has_no_effect_through_the_command_line(
    name: str, walls: Walls, through_commands: Effects
) -> None:
    _see_no_harm(name, walls, through_commands)


@pytest.mark.slow
@pytest.mark.process
@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_has_no_effect_through_the_library(
    name: str, walls: Walls, through_library: Effects
) -> None:
    _see_no_harm(name, walls, through_library)


def _see_no_harm(name: str, walls: Walls, effects: Effects) -> None:
    if not _suited([ATTACKS[name]], walls):
        pytest.skip("a program of any kind, which only confinement is meant to hold")
    found = harm(effects[name])
    if walls.name == "confinement-only":
        # Models that nobody trusts share a process: the wall of states is what keeps them apart.
        found = {effect for effect in found if not effect.startswith("poisoned")}
    assert not found, (ATTACKS[name].about, effects[name])
