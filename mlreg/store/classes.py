"""Which classes of a version are tallied by name: its first fifty, whoever folds them and when."""

from __future__ import annotations

import json
from typing import NamedTuple

from mlreg.store.engines import Connection
from mlreg.store.rows import restored
from mlreg.tallies import LONGEST_CLASS, MOST_CLASSES, NO_ANSWER, OTHER, class_of

CLASSES = "select answers, pairs from summaries where version = :version and grain = 0"


class VersionClasses(NamedTuple):
    """The classes of one version so far: those of answers, and those of pairs."""

    answers: set[str]
    pairs: set[str]

    def answer(self, output: str | None) -> str | None:
        """The class of an answer, or the one of all others; None for what is no class."""
        name = class_of(output) if output else None
        return None if name is None else _admitted(self.answers, name)

    def pair(self, output: str | None, label: str) -> tuple[str, str] | None:
        """The classes of an answer, where a failure is none, and of its label."""
        if output in self.pairs and label in self.pairs:
            return output, label
        answer, truth = class_of(output), class_of(label)
        if answer is None or truth is None:
            return None
        return _admitted(self.pairs, answer), _admitted(self.pairs, truth)


class Classes:
    """The first fifty classes of each version, in the order in which they are folded.

    Those of answers and those of pairs are told apart: the log and the feedback are folded each in
    its own order, so both are the same whenever and in whatever pieces that happens.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._known: dict[int, VersionClasses] = {}

    def of(self, version: int) -> VersionClasses:
        """Those of a version."""
        known = self._known.get(version)
        if known is None:
            known = self._known[version] = self._read(version)
        return known

    def _read(self, version: int) -> VersionClasses:
        found = VersionClasses(set(), set())
        rows = self._connection.execute(CLASSES, {"version": version}).fetchall()
        for answers, pairs in rows:
            with restored("summaries", {"version": version}):
                found.answers.update(json.loads(answers))
                for answer, labels in json.loads(pairs).items():
                    found.pairs.update((answer, *labels))
        for names in found:
            names -= {OTHER, NO_ANSWER}
        return found


def _admitted(known: set[str], name: str) -> str:
    if name in known or name == NO_ANSWER:
        return name
    if len(known) >= MOST_CLASSES or len(name) > LONGEST_CLASS:
        return OTHER
    known.add(name)
    return name
