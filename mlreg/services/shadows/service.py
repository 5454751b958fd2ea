"""Shadows: how they compare with what was live, what to label, and asking them about the past."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from mlreg.clock import Moment, from_micros
from mlreg.entities.shadows import (
    Disagreement,
    ShadowComparison,
    ShadowCoverage,
    ShadowReport,
)
from mlreg.errors import InvalidInput
from mlreg.services.context import Context
from mlreg.services.windows import Window, window_of

if TYPE_CHECKING:
    from mlreg.entities.shadows import Replay
    from mlreg.entities.versions import Version
    from mlreg.services.predictions import Predictions
    from mlreg.store.models import ModelRow
    from mlreg.store.pairs import Sides
    from mlreg.store.store import Transaction

# Pairs whose latencies are compared: the newest.
_MOST_LATENCIES = 10_000
_KEPT_HASH = "blake2b:"


class Shadows:
    """Versions that are asked what others answered."""

    def __init__(self, context: Context, predictions: Predictions) -> None:
        self._context = context
        self._predictions = predictions

    def drain(self, seconds: float = 30.0) -> bool:
        """Wait until the shadows have been asked what this registry object has answered.

        Returns:
            Whether that came to an end within the time.
        """
        return self._predictions.asking.drain(seconds)

    def report(
        self,
        model: str | None = None,
        *,
        version: str | None = None,
        against: str | None = None,
        since: Moment | None = None,
        alpha: float = 0.05,
    ) -> ShadowReport:
        """How versions compare with those that answered, on the same inputs.

        The verdict holds however often it is asked for: where two versions are equally good, the
        chance that any report ever says otherwise is `alpha`.

        Args:
            model: Its name; None for the one of the settings, or the only one.
            version: Only this shadow.
            against: Only beside this version that answered.
            since: Only what was answered live from then on.
            alpha: That chance, for each pair of versions.

        Raises:
            InvalidInput: `alpha` is not between 0 and 1.
        """
        if not 0 < alpha < 1:
            raise InvalidInput(f"alpha lies between 0 and 1, not at {alpha:g}")
        window = window_of(since, None, now=self._context.clock())
        with self._context.folded() as tx:
            row = self._context.model(tx, model)
            sides = self._sides(tx, row, window, version, against)
            return ShadowReport(
                model=row.name,
                since=None if since is None else from_micros(window.since),
                shadows=tuple(self._coverage(tx, row, window, version)),
                comparisons=tuple(_comparison(tx, side, alpha) for side in sides),
            )

    def queue(
        self,
        model: str | None = None,
        *,
        version: str | None = None,
        against: str | None = None,
        since: Moment | None = None,
        limit: int = 50,
    ) -> list[Disagreement]:
        """Inputs without a label on which versions disagree: there a label tells which is better.

        They come by lot. Labels of those that one version is surest about, say, would favour it.

        Args:
            model: Its name; None for the one of the settings, or the only one.
            version: Only of this shadow; None takes the one with the most pairs.
            against: Only beside this version that answered.
            since: Only what was answered live from then on.
            limit: How many at most.
        """
        if limit < 1:
            raise InvalidInput(f"the number of inputs must be at least 1, not {limit}")
        window = window_of(since, None, now=self._context.clock())
        with self._context.store.read() as tx:
            row = self._context.model(tx, model)
            sides = self._sides(tx, row, window, version, against)[:1]
            return [one for side in sides for one in _disagreements(tx, side, limit)]

    def replay(
        self,
        version: str,
        model: str | None = None,
        *,
        since: Moment,
        until: Moment | None = None,
        dry_run: bool = False,
        progress: Callable[[int, int], None] | None = None,
    ) -> Replay:
        """Ask a version what others were asked live, from the log; each input once.

        What is interrupted goes on where it was when it is called again.

        Args:
            version: The version, an alias or latest.
            model: Its name; None for the one of the settings, or the only one.
            since: From when on; a span such as `timedelta(days=7)` is counted back from now.
            until: Up to when; None: to the newest.
            dry_run: Count what would be asked, and ask nothing.
            progress: Called with how many predictions are done, and how many there are.

        Raises:
            Conflict: The version cannot be asked, or the log keeps no inputs.
        """
        from mlreg.services.shadows.replaying import Replaying

        window = window_of(since, until, now=self._context.clock())
        replaying = Replaying(self._context, model, version, window)
        return replaying.run(dry_run=dry_run, progress=progress or (lambda _done, _all: None))

    def _sides(
        self,
        tx: Transaction,
        model: ModelRow,
        window: Window,
        version: str | None,
        against: str | None,
    ) -> Sequence[Sides]:
        """Which versions meet, those that meet most often first."""
        shadow, live = (
            None if selector is None else tx.versions.select(model, selector).key
            for selector in (version, against)
        )
        found = tx.pairs.opponents(
            model.key, first=_first(tx, window), since=window.since, until=window.until
        )
        return [
            side for side in found if shadow in (None, side.shadow) and live in (None, side.live)
        ]

    def _coverage(
        self, tx: Transaction, model: ModelRow, window: Window, version: str | None
    ) -> list[ShadowCoverage]:
        active = {arm.version_key for arm in tx.traffic.current(model).shadows}
        first, since = _first(tx, window), window.since
        counts = tx.pairs.counts(model.key, first=first, since=since)
        wanted = sorted(counts.keys() | active)
        if version is not None:
            wanted = [tx.versions.select(model, version).key]
        return [
            _covered(
                tx,
                tx.versions.by_key(key),
                key in active,
                tx.pairs.followed(key, first=first, since=since),
                counts.get(key, (0, 0)),
            )
            for key in wanted
        ]


def _first(tx: Transaction, window: Window) -> int:
    return tx.predictions.first_id(window.since) if window.since else 0


def _covered(
    tx: Transaction, version: Version, is_active: bool, followed: int, asked: tuple[int, int]
) -> ShadowCoverage:
    behind, whole = asked
    return ShadowCoverage(
        version=version.version,
        model_id=version.model_id,
        active=is_active,
        followed=followed,
        asked=behind,
        dropped=tx.pairs.losses(version.key),
        replayed=whole - behind,
    )


def _comparison(tx: Transaction, sides: Sides, alpha: float) -> ShadowComparison:
    from mlreg.evidence import pairs

    shadow, live = tx.versions.by_key(sides.shadow), tx.versions.by_key(sides.live)
    is_number = shadow.signature is not None and shadow.signature.output == "number"
    meetings = tx.pairs.meetings(sides, by_answer=not is_number)
    if is_number:
        rows = list(tx.pairs.numbers(sides))
        difference, labels = pairs.of_numbers(rows, alpha=alpha), len(rows)
    else:
        difference = pairs.of_classes(meetings, alpha=alpha)
        labels = pairs.labelled(meetings).pairs
    return pairs.compared(
        shadow,
        live,
        meetings,
        difference,
        labels,
        pairs.latency(tx.pairs.latencies(sides, limit=_MOST_LATENCIES)),
    )


def _disagreements(tx: Transaction, sides: Sides, limit: int) -> list[Disagreement]:
    shadow, live = tx.versions.by_key(sides.shadow), tx.versions.by_key(sides.live)
    return [
        Disagreement(
            prediction_id=row.live,
            shadow_prediction_id=row.shadow,
            time=from_micros(row.at),
            input=None if row.input is None else json.loads(row.input),
            unit=row.unit,
            live_version=live.version,
            live=None if row.live_output is None else json.loads(row.live_output),
            live_confidence=row.live_confidence,
            shadow_version=shadow.version,
            shadow=None if row.shadow_output is None else json.loads(row.shadow_output),
            shadow_confidence=row.shadow_confidence,
        )
        for row in tx.pairs.disagreements(sides, limit=limit)
    ]
