"""Where an attack is played: a folder with what it may reach for, and a look at what it did."""

from __future__ import annotations

import hashlib
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.torture.attacks.campaign import SECRET, Aim, Attack

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


SIGNS: dict[Aim, tuple[str, ...]] = {
    "file": ("wrote",),
    "read": ("leaked",),
    "socket": ("connected",),
    "process": ("process",),
    "crash": ("died",),
    "hang": ("hung",),
    "memory": ("memory", "hung"),
    "terminal": ("control characters",),
    "poison": ("poisoned",),
    "parent": ("signalled", "descriptor lost"),
    "refuse": ("exit", "traceback"),
}


def harm(effects: set[str]) -> set[str]:
    """All but remarks."""
    return {effect for effect in effects if not effect.startswith("said")}


def fired(aim: Aim, effects: set[str]) -> bool:
    """Whether it did what it was made for."""
    return any(effect.startswith(SIGNS[aim]) for effect in effects)


# --- without mlreg ------------------------------------------------------------------------------


def play_undefended(
    scenes: Sequence[Scene], parent: Path, listener: Listener
) -> dict[str, set[str]]:
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
        cwd=REPOSITORY, capture_output=True, text=True, check=False, env=plain_environment(),
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


def plain_environment() -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL") if name in os.environ}
    return kept | {"OMP_NUM_THREADS": "2", "CANARY": SECRET}
