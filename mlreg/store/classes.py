"""Which classes of a version are tallied by name: its first fifty, whoever folds them and when."""

from __future__ import annotations

import json

from mlreg.store.engines import Connection
from mlreg.store.rows import restored
from mlreg.tallies import LONGEST_CLASS, MOST_CLASSES, NO_ANSWER, OTHER

CLASSES = "select answers, pairs from summaries where version = :version and grain = 0"


class Classes:
    """The first fifty classes of each version, in the order in which they are folded.

    Those of answers and those of pairs are told apart: the log and the feedback are folded each in
    its own order, so both are the same whenever and in whatever pieces that happens.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._known: dict[int, tuple[set[str], set[str]]] = {}

    def answer(self, version: int, name: str) -> str:
        """The class, or the one of all others."""
        return _admitted(self._of(version)[0], name)

    def pair(self, version: int, answer: str, label: str) -> tuple[str, str]:
        """Both classes; a failure is none."""
        known = self._of(version)[1]
        return _admitted(known, answer), _admitted(known, label)

    def _of(self, version: int) -> tuple[set[str], set[str]]:
        if version not in self._known:
            said: set[str] = set()
            paired: set[str] = set()
            rows = self._connection.execute(CLASSES, {"version": version})
            for answers, pairs in rows.fetchall():
                with restored("summaries", {"version": version}):
                    said.update(json.loads(answers))
                    for answer, labels in json.loads(pairs).items():
                        paired.update((answer, *labels))
            aside = {OTHER, NO_ANSWER}
            self._known[version] = said - aside, paired - aside
        return self._known[version]


def _admitted(known: set[str], name: str) -> str:
    if name in known or name == NO_ANSWER:
        return name
    if len(known) >= MOST_CLASSES or len(name) > LONGEST_CLASS:
        return OTHER
    known.add(name)
    return name
