"""An attack through mlreg itself: its command line, and a program that uses it as a library."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from tests.torture.attacks.stage import REPOSITORY, Listener, Scene, harm, plain_environment, tells


@dataclass(frozen=True)
class Walls:
    """How mlreg is run.

    Attributes:
        name: Which walls stand.
        environment: Variables for each mlreg that is started.
        prelude: Python that each of them runs first.
        register: Options of `mlreg register`, and keywords of the library's.
    """

    name: str
    environment: dict[str, str] = field(default_factory=dict)
    prelude: str = ""
    register: tuple[str, ...] = ()


ALLOWED = {0, 2, 5, 7}
# Seconds, for a machine with much else to do; mlreg's own limits are far below, and come first.
COMMAND_LIMIT = 120.0
LIBRARY_LIMIT = 120.0
LANES = 2


def make_registry(folder: Path) -> Path:
    """An empty registry that is patient for seconds rather than minutes."""
    import mlreg

    mlreg.init(folder).close()
    for name, value in (("timeout", "5"), ("load_timeout", "25"), ("memory_limit_mb", "2500")):
        subprocess.run(
            [sys.executable, "-P", "-m", "mlreg", "config", name, value],
            cwd=folder, check=True, capture_output=True,
        )  # fmt: skip
    return folder


def play_through_commands(
    scenes: Sequence[Scene], registry: Path, walls: Walls, listener: Listener
) -> dict[str, set[str]]:
    """What each attack does through the real command line, each in a registry of its own."""

    def play(scene: Scene) -> tuple[str, set[str]]:
        return scene.attack.name, _commands(scene, registry, walls, listener)

    with ThreadPoolExecutor(LANES) as lanes:
        return dict(lanes.map(play, scenes))


def _commands(scene: Scene, template: Path, walls: Walls, listener: Listener) -> set[str]:
    registry = scene.folder.parent / f"{scene.attack.name}.registry"
    shutil.copytree(template, registry)
    kind = scene.attack.kind
    effects: set[str] = set()
    for words in (
        ["register", "m@1.0.0", str(scene.artifact), "--input", kind, *walls.register],
        ["activate", "m@1.0.0"],
        ["predict", scene.ask],
    ):
        found, code, said = _command([*words, "--registry", str(registry)], scene, walls)
        effects |= found | {f"said {words[0]} {code}: {said}"}
        if code != 0:
            break
    if scene.attack.name in listener.heard:
        effects.add("connected")
    return effects | scene.look()


def _command(words: list[str], scene: Scene, walls: Walls) -> tuple[set[str], int | None, str]:
    program = f"{walls.prelude}\nfrom mlreg.cli.main import main\nmain()"
    plain = [sys.executable, "-P", "-m", "mlreg"]
    start = [sys.executable, "-P", "-c", program] if walls.prelude else plain
    with (scene.folder.parent / f"{scene.attack.name}.said").open("w+", errors="replace") as said:
        command = subprocess.Popen(
            [*start, *words], cwd=scene.folder / "home", stdin=subprocess.DEVNULL, stdout=said,
            stderr=said, start_new_session=True,
            env=plain_environment() | {"TMPDIR": str(scene.folder / "tmp")} | walls.environment,
        )  # fmt: skip
        watch = Watch(command.pid)
        hung = not watch.until(lambda: command.poll() is not None, COMMAND_LIMIT)
        effects = watch.effects()
        command.kill()
        code = None if hung else command.wait()
        command.wait()
        said.seek(0)
        told = said.read()
    effects |= tells(told)
    if hung:
        effects.add("hung")
    elif code not in ALLOWED:
        effects.add(f"exit {code}")
    if "Traceback" in told:
        effects.add("traceback")
    return effects, code, (told.strip().splitlines() or [""])[0][:160]


class Watch:
    """The processes that descend from one, while it lives and after."""

    def __init__(self, ancestor: int) -> None:
        self._ancestor = ancestor
        self._seen: dict[tuple[int, str], str] = {}

    def until(self, ended: Callable[[], bool], seconds: float) -> bool:
        """Watch until then; False: that took too long."""
        deadline = time.monotonic() + seconds
        while not ended():
            if time.monotonic() > deadline:
                return False
            self.look()
            time.sleep(0.05)
        return True

    def look(self) -> None:
        """Note who descends from the ancestor."""
        processes = _processes()
        family = {self._ancestor} | {pid for pid, _ in self._seen}
        grown = True
        while grown:
            born = {p for p, (parent, _, _) in processes.items() if parent in family} - family
            family |= born
            grown = bool(born)
        for pid in family - {self._ancestor}:
            if pid in processes:
                _, started, words = processes[pid]
                self._seen[(pid, started)] = words

    def strangers(self) -> set[str]:
        """Processes that mlreg has no need of, and forget them."""
        found = {f"process {words[:60]}" for words in self._seen.values() if _strange(words)}
        self._seen = {key: words for key, words in self._seen.items() if not _strange(words)}
        return found

    def effects(self) -> set[str]:
        """Strangers that were seen, and whoever is still there; those are ended."""
        self.look()
        effects = {f"process {words[:60]}" for words in self._seen.values() if _strange(words)}
        deadline = time.monotonic() + 3
        while (left := self._alive()) and time.monotonic() < deadline:
            time.sleep(0.1)
        for pid in left:
            effects.add(f"left {pid}")
            os.kill(pid, 9)
        return effects

    def _alive(self) -> list[int]:
        processes = _processes()
        return [
            pid for pid, started in self._seen if pid in processes and processes[pid][1] == started
        ]


def _strange(words: str) -> bool:
    return any(stranger in words for stranger in ("loky", "resource_tracker", "sleep", "sh -c"))


def _processes() -> dict[int, tuple[int, str, str]]:
    """Parent, start and words of each process that lives."""
    found = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                fields = Path(f"/proc/{entry}/stat").read_text().rpartition(")")[2].split()
                words = Path(f"/proc/{entry}/cmdline").read_text(errors="replace")
            except OSError:
                continue
            if fields[0] != "Z":
                found[int(entry)] = int(fields[1]), fields[19], words.replace("\0", " ")
    return found


def play_through_library(
    scenes: Sequence[Scene], registry: Path, walls: Walls, listener: Listener
) -> dict[str, set[str]]:
    """What each attack does to a program that uses the library; many share one until it falls."""

    def play(lane: int) -> dict[str, set[str]]:
        return _library(scenes[lane::LANES], registry, walls, listener, lane)

    with ThreadPoolExecutor(LANES) as lanes:
        return {
            name: told for found in lanes.map(play, range(LANES)) for name, told in found.items()
        }


def _library(
    scenes: Sequence[Scene], template: Path, walls: Walls, listener: Listener, lane: int
) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    waiting = list(scenes)
    round_ = 0
    while waiting:
        round_ += 1
        place = template.parent / f"lane-{walls.name}-{lane}-{round_}"
        shutil.copytree(template, place)
        told = _one_program(waiting, place, walls)
        for scene, effects in zip(waiting, told, strict=False):
            heard = {"connected"} if scene.attack.name in listener.heard else set()
            found[scene.attack.name] = effects | scene.look() | heard
        waiting = waiting[len(told) :]
    return found


def _one_program(scenes: Sequence[Scene], place: Path, walls: Walls) -> list[set[str]]:
    """The effects of as many as the program lived through, and of the one that ended it."""
    cases = [
        {
            "name": scene.attack.name, "artifact": str(scene.artifact), "ask": scene.ask,
            "kind": scene.attack.kind, "home": str(scene.folder / "home"),
            "tmp": str(scene.folder / "tmp"),
        }
        for scene in scenes
    ]  # fmt: skip
    (place / "cases.json").write_text(json.dumps({"cases": cases, "register": walls.register}))
    program = f"{walls.prelude}\nfrom tests.torture.attacks.library import main; main()"
    with (place / "said").open("w") as said:
        child = subprocess.Popen(
            [sys.executable, "-c", program, str(place)], cwd=REPOSITORY, stdin=subprocess.DEVNULL,
            stdout=said, stderr=subprocess.STDOUT, start_new_session=True,
            env=plain_environment() | walls.environment,
        )  # fmt: skip
    told: list[set[str]] = []
    watch = Watch(child.pid)
    while len(told) < len(scenes):
        done = place / f"{len(told)}.json"
        watch.until(partial(_moved, done, child), LIBRARY_LIMIT + 30 * (not told))
        if done.exists():
            told.append(set(json.loads(done.read_text())) | watch.strangers())
            if not harm(told[-1]):
                continue
            # What has been harmed is no place for the next one.
            child.kill()
            child.wait()
            watch.effects()
            return told
        fallen = child.poll()
        last = "hung" if fallen is None else f"died {fallen}"
        child.kill()
        child.wait()
        told.append({last} | watch.effects())
        return told
    watch.until(lambda: child.poll() is not None, 10)
    left = watch.effects()
    child.kill()
    child.wait()
    told[-1] |= left
    return told


def _moved(done: Path, child: subprocess.Popen[bytes]) -> bool:
    return done.exists() or child.poll() is not None
