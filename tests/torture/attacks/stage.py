"""Where an attack is played: a folder with what it may reach for, and a look at what it did."""

from __future__ import annotations

import hashlib
import json
import os
import socket
import subprocess
import sys
import threading
import shutil
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.torture.attacks.campaign import SECRET, Attack

REPOSITORY = Path(__file__).parents[3]
HUGE = 900  # megabytes, where an honest model of this size takes 200


@dataclass
class Scene:
    """An attack, ready to be played.

    Attributes:
        folder: What it may reach for: `secret.txt`, `port`, `home` (the working folder), `tmp`.
        artifact: Its file, which lies elsewhere.
        ask: The input, with the folder's name filled in.
    """

    attack: Attack
    folder: Path
    artifact: Path
    ask: str
    before: dict[str, str] = field(default_factory=dict)

    def look(self) -> set[str]:
        """What has appeared, changed or gone since the scene was set."""
        now = _state(self.folder)
        changed = {name for name in self.before | now if self.before.get(name) != now.get(name)}
        return {f"wrote {name}" for name in sorted(changed)[:3]}


def set_scene(attack: Attack, parent: Path, port: int) -> Scene:
    """Make the folder and the artifact."""
    folder = parent / attack.name
    for place in (folder / "home", folder / "tmp"):
        place.mkdir(parents=True)
    (folder / "secret.txt").write_text(f"the word is {SECRET}\n")
    (folder / "port").write_text(str(port))
    artifact = parent / f"{attack.name}.joblib"
    artifact.write_bytes(attack.make(folder))
    scene = Scene(attack, folder, artifact, attack.ask.replace("{scratch}", str(folder)))
    scene.before = _state(folder)
    return scene


def _state(folder: Path) -> dict[str, str]:
    """Each entry below the folder, with what tells whether it changed; a registry may live here."""
    found = {}
    for root, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if name != ".mlreg"]
        for name in folders + files:
            path = Path(root, name)
            if name != "said":
                found[str(path.relative_to(folder))] = _print_of(path)
    return found


def _print_of(path: Path) -> str:
    facts = path.lstat()
    digest = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
    return f"{facts.st_mode} {digest}"


class Listener:
    """A port of this machine that counts who connects."""

    def __init__(self) -> None:
        self._stream = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._stream.getsockname()[1]
        self._datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._datagrams.bind(("127.0.0.1", self.port))
        self.heard: list[str] = []
        for serve in (self._accept, self._receive):
            threading.Thread(target=serve, daemon=True).start()

    def _accept(self) -> None:
        while True:
            connection, _ = self._stream.accept()
            connection.settimeout(0.5)
            try:
                word = connection.recv(100).decode(errors="replace")
            except OSError:
                word = ""
            self.heard.append(word)
            connection.close()

    def _receive(self) -> None:
        while True:
            self.heard.append(self._datagrams.recv(100).decode(errors="replace"))


# --- without mlreg ------------------------------------------------------------------------------


def play_undefended(scenes: Sequence[Scene], parent: Path, listener: Listener) -> dict[str, set[str]]:
    """What each attack does to joblib and scikit-learn alone."""
    cases = [
        {
            "artifact": str(scene.artifact), "ask": scene.ask, "kind": scene.attack.kind,
            "home": str(scene.folder / "home"), "tmp": str(scene.folder / "tmp"),
            "aim": scene.attack.aim,
        }
        for scene in scenes
    ]  # fmt: skip
    listed = parent / "cases.json"
    listed.write_text(json.dumps(cases))
    program = "from tests.torture.attacks.undefended import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", program, str(listed)],
        cwd=REPOSITORY, capture_output=True, text=True, check=False, env=_plain_environment(),
    )  # fmt: skip
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(told) == len(scenes), done.stderr[-2000:]
    return {
        scene.attack.name: _undefended_effects(scene, outcome, listener)
        for scene, outcome in zip(scenes, told, strict=True)
    }


def _undefended_effects(scene: Scene, outcome: dict[str, Any], listener: Listener) -> set[str]:
    said = outcome["said"]
    effects = scene.look() | tells(said)
    if outcome["hung"]:
        effects.add("hung")
    elif outcome["code"] not in (0, 9):
        effects.add(f"died {outcome['code']}")
    if outcome["processes"]:
        effects.add("process")
    if outcome["signals"]:
        effects.add("signalled")
    if outcome["megabytes"] > HUGE or "MemoryError" in said:
        effects.add("memory")
    if scene.attack.name in listener.heard:
        effects.add("connected")
    for word in ("POISONED", "DESCRIPTOR LOST"):
        if word in said:
            effects.add(word.lower())
    effects.add("said " + (said.strip().splitlines() or ["nothing"])[-1][:150])
    return effects


def tells(said: str) -> set[str]:
    """What an answer or a message gives away."""
    effects = set()
    if "leaked" in said or SECRET in said:
        effects.add("leaked")
    if any(ord(letter) < 32 and letter not in "\n\t\r" for letter in said):
        effects.add("control characters")
    return effects


# --- through mlreg --------------------------------------------------------------------------------


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
    environment: Mapping[str, str] = field(default_factory=dict)
    prelude: str = ""
    register: tuple[str, ...] = ()


ALLOWED = {0, 2, 5, 7}
LIMIT = 20.0  # seconds for one command, or for one artifact in the library
LANES = 2


def make_registry(folder: Path) -> Path:
    """An empty registry that is patient for seconds rather than minutes."""
    import mlreg

    mlreg.init(folder).close()
    for name, value in (("timeout", "3"), ("load_timeout", "8"), ("memory_limit_mb", "2500")):
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
        effects |= found | {f"{words[0]} {code}: {said}"}
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
            env=_plain_environment() | {"TMPDIR": str(scene.folder / "tmp")} | walls.environment,
        )  # fmt: skip
        watch = Watch(command.pid)
        hung = not watch.until(lambda: command.poll() is not None, LIMIT)
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
        return {name: told for found in lanes.map(play, range(LANES)) for name, told in found.items()}


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
    said = (place / "said").open("w")
    child = subprocess.Popen(
        [sys.executable, "-c", program, str(place)], cwd=REPOSITORY, stdin=subprocess.DEVNULL,
        stdout=said, stderr=subprocess.STDOUT, start_new_session=True,
        env=_plain_environment() | walls.environment,
    )  # fmt: skip
    told: list[set[str]] = []
    watch = Watch(child.pid)
    while len(told) < len(scenes):
        done = place / f"{len(told)}.json"
        watch.until(lambda: done.exists() or child.poll() is not None, LIMIT + 10 * (not told))
        if done.exists():
            told.append(set(json.loads(done.read_text())) | watch.strangers())
            continue
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


def _plain_environment() -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL") if name in os.environ}
    return kept | {"OMP_NUM_THREADS": "2", "CANARY": SECRET}
