"""A replay: a version is asked what others were asked live, from the log."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from mlreg.clock import from_micros
from mlreg.entities.shadows import REPLAYED, Replay
from mlreg.errors import Conflict
from mlreg.names import safe
from mlreg.services.routes import ready
from mlreg.services.shadows.answering import Answering, Copied
from mlreg.store.pairs import Stretch

if TYPE_CHECKING:
    from mlreg.inputs import Input
    from mlreg.services.context import Context
    from mlreg.services.windows import Window
    from mlreg.store.pairs import Unasked

_PIECE = 1000
_HASH = re.compile(r'"blake2b:[0-9a-f]{8}:[0-9a-f]{32}"')


class Replaying:
    """One replay of a window of the log.

    Args:
        context: The registry.
        model: The model's name, or None.
        version: The version that is asked.
        window: When the answers were given.

    Raises:
        Conflict: The version cannot be asked.
    """

    def __init__(self, context: Context, model: str | None, version: str, window: Window) -> None:
        self._context = context
        self._window = window
        with context.store.read() as tx:
            self._model = context.model(tx, model)
            self._shadow = ready(tx.versions.select(self._model, version))
            after, upto = tx.predictions.first_id(window.since) - 1, tx.predictions.last_id()
        _ = self._shadow.loadable  # mlreg can ask it
        self._stretch = Stretch(
            self._model.key, self._shadow.version.key, *window, after=after, upto=upto
        )

    def run(self, *, dry_run: bool, progress: Callable[[int, int], None]) -> Replay:
        """Ask, piece by piece; each is logged before the next one is asked."""
        answering = Answering(self._context, self._context.runner, reason=REPLAYED)
        with self._context.store.read() as tx:
            whole = tx.pairs.count_unasked(self._stretch)
        replayed = failed = not_kept = 0
        for piece in self._pieces():
            rows = [copied for row in piece if (copied := _copied(row))]
            not_kept += len(piece) - len(rows)
            if rows and not dry_run:
                answered, _ = answering.ask(self._shadow, rows)
                failed += sum(one.entry.status != 0 for one in answered)
                answering.log(self._shadow.version.key, answered)
            replayed += len(rows)
            progress(len(piece), whole)
        if not_kept and not replayed:
            self._check_kept()
        return Replay(
            model=self._model.name,
            version=self._shadow.version.version,
            since=from_micros(self._window.since),
            replayed=replayed,
            failed=failed,
            not_kept=not_kept,
            dry_run=dry_run,
        )

    def _check_kept(self) -> None:
        with self._context.store.read() as tx:
            if tx.pairs.keeps_any(self._stretch):
                return  # all that could be asked has been asked before
        raise Conflict(
            f"the log of {safe(self._model.name)} keeps no inputs that could be asked again",
            hint="to keep them from now on: mlreg config log_inputs all; or ask behind the "
            f"answers: mlreg route {safe(self._model.name)} --shadow "
            f"{self._shadow.version.version}",
        )

    def _pieces(self) -> Iterator[list[Unasked]]:
        left = self._stretch
        while True:
            with self._context.store.read() as tx:
                piece = tx.pairs.unasked(left, limit=_PIECE)
            if not piece:
                return
            yield piece
            left = left._replace(after=piece[-1].id)


def _copied(row: Unasked) -> Copied | None:
    """What was asked live; None where the log keeps it as a hash, or not at all."""
    if row.input is None or _HASH.fullmatch(row.input):
        return None
    value: Input = json.loads(row.input)
    return Copied(row.id, value, row.unit, row.segment, row.revision)
