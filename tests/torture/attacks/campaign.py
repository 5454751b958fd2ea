"""What an attack is, and the list of all of them.

An attack is a function from a scratch folder to the bytes of an artifact. It reaches for something
that can be seen from outside: a file in the scratch folder, a connection to the port written down
there, a process, the word in `secret.txt`, or the life of whoever runs the model.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Literal

Aim = Literal[
    "file",  # something appears or changes in the scratch folder
    "read",  # the answer depends on, or tells, what another file or the environment holds
    "socket",  # somebody connects to the port
    "process",  # a process starts
    "crash",  # whoever runs the model dies
    "hang",  # no answer in time
    "memory",  # more memory than any honest model of its size
    "terminal",  # control characters, or what is no text, reach the terminal
    "poison",  # another model in the same process gives another answer
    "parent",  # whoever started the model is signalled or read
    "refuse",  # a defect, exit code 1: nothing else to gain
]
Kind = Literal["text", "record", "vector"]
Make = Callable[[Path], bytes]

FAMILIES = (
    "methods", "late", "files", "processes", "trees", "native", "pointers", "exhaustion", "output",
    "opcodes", "freely",
)  # fmt: skip
SECRET = "canary-7c1e90"


@dataclass(frozen=True)
class Attack:
    """One artifact.

    Attributes:
        name: Unique; a word for file names and test ids.
        about: One sentence.
        family: The module that it is from.
        aim: What it reaches for.
        make: Scratch folder to artifact.
        ask: The input to predict with, as on the command line.
        kind: What the input is.
        fires: It works when loaded by joblib and asked, without mlreg; False: a probe.
        freely: It names what is not on the allow-list, so that only confinement can stop it.
    """

    name: str
    about: str
    family: str
    aim: Aim
    make: Make
    ask: str
    kind: Kind
    fires: bool
    freely: bool


_ATTACKS: dict[str, Attack] = {}


def attack(
    about: str,
    aim: Aim,
    *,
    ask: str = "[0.5]",
    kind: Kind = "vector",
    fires: bool = True,
    freely: bool = False,
    name: str = "",
) -> Callable[[Make], Make]:
    """Enter a function into the campaign."""

    def enter(make: Make) -> Make:
        word = name or getattr(make, "__name__", "")
        if word in _ATTACKS:
            raise AssertionError(f"two attacks are called {word}")
        family = make.__module__.rpartition(".")[2]
        _ATTACKS[word] = Attack(word, about, family, aim, make, ask, kind, fires, freely)
        return make

    return enter


def probe(
    about: str, aim: Aim, *, ask: str = "[0.5]", kind: Kind = "vector"
) -> Callable[[Make], Make]:
    """Enter one that reaches for something that this interpreter or these libraries deny it."""
    return attack(about, aim, ask=ask, kind=kind, fires=False)


def attacks() -> dict[str, Attack]:
    """All of them, by name."""
    for family in FAMILIES:
        import_module(f"tests.torture.attacks.{family}")
    return dict(_ATTACKS)
