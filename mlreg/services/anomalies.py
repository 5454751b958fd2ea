"""Anomalies held against the log: the last hour, and the same hour of the past four weeks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlreg.clock import DAY, HOUR, from_micros
from mlreg.entities.conditions import Finding, State
from mlreg.entities.predictions import LIVE
from mlreg.entities.thresholds import Anomaly
from mlreg.evidence.anomalies import Unusual, unusual
from mlreg.evidence.conditions import measure, of_catalogue
from mlreg.names import safe
from mlreg.services.windows import Edges, Window, cells_of
from mlreg.tallies import Tally

if TYPE_CHECKING:
    from mlreg.store.models import ModelRow
    from mlreg.store.store import Transaction

_DAYS = 28
# With fewer samples an hour says nothing about what is usual, and nothing is said about it.
_LEAST = 20


def anomaly_of(
    tx: Transaction, model: ModelRow, anomaly: Anomaly, *, now: int, edges: Edges | None = None
) -> Finding:
    """What an anomaly comes to for a model as a whole.

    Args:
        tx: A snapshot whose summaries cover all of the log.
        model: The model.
        anomaly: The metric, and how many sigmas are too far.
        now: The instant, in microseconds.
        edges: What was read for other models at this instant.
    """
    versions = {version.key for version in tx.versions.of_model(model.key)}
    window = Window(now - HOUR, now)
    cells = cells_of(tx, versions, window, now=now, edges=edges)
    value, n = _measured(anomaly.metric, [t for cell, t in cells.items() if cell.role == LIVE])
    found = unusual(value, _past(tx, versions, anomaly.metric, now), anomaly.sigma)
    state: State = "inconclusive"
    if found.z is not None:
        state = "fail" if abs(found.z) > anomaly.sigma else "pass"
    return Finding(
        condition=f"{safe(anomaly.metric)} within {anomaly.sigma:g} sigma of its past",
        model=model.name,
        state=state,
        value=value,
        bound=_nearer(value, found),
        interval=None,
        samples=n,
        needed=_LEAST,
        since=from_micros(window.since),
        until=from_micros(window.until),
        sentence=f"{safe(model.name)}: {_told(anomaly.metric, value, found)}",
    )


def _past(tx: Transaction, versions: set[int], metric: str, now: int) -> list[float]:
    """The metric in the hour that the middle of the window lies in, on each past day with it."""
    hour = (now - HOUR // 2) // HOUR
    past = (_hour(tx, versions, hour - day * (DAY // HOUR)) for day in range(1, _DAYS + 1))
    values = (_measured(metric, tallies)[0] for tallies in past)
    return [value for value in values if value is not None]


def _hour(tx: Transaction, versions: set[int], hour: int) -> list[Tally]:
    return [
        span.tally
        for key in versions
        for span in tx.summaries.spans(key, hour, hour + 1, hourly=True)
        if span.cell.role == LIVE
    ]


def _measured(metric: str, tallies: list[Tally]) -> tuple[float | None, int]:
    whole = Tally()
    for tally in tallies:
        whole.merge(tally)
    if metric == "requests":
        return float(whole.requests), whole.requests
    seen = measure(of_catalogue(metric), whole)
    return (seen.value if seen.n >= _LEAST else None), seen.n


def _nearer(value: float | None, found: Unusual) -> float | None:
    if value is None or found.low is None or found.high is None:
        return None
    return found.low if abs(value - found.low) < abs(value - found.high) else found.high


def _told(metric: str, value: float | None, found: Unusual) -> str:
    name = safe(metric)
    if found.z is None or found.usual is None or value is None:
        return f"nobody knows what is usual for {name}: {found.why}"
    way = "above" if found.z > 0 else "below"
    return (
        f"{name} is {value:.4g} in the last hour, {abs(found.z):.1f} sigma {way} {found.usual:.4g},"
        f" the median of this hour on {found.hours} past days"
    )
