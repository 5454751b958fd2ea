"""What an experiment measures: each a ratio of two sums over units, from columns the log fills."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

from mlreg.metrics import (
    ANSWERED,
    COST_COVERAGE,
    COVERAGE,
    RIPE_COVERAGE,
    VALUE,
    VALUE_COVERAGE,
    measured,
    value_name,
)

if TYPE_CHECKING:
    from mlreg.entities.experiments import Design

UNITS_TABLE, VALUES_TABLE = "experiment_units", "experiment_values"

# The rows of a batch share one latency, which is one observation.
_TIMED = "p.status = 0 and p.is_call = 1"


def _sum(real: str) -> str:
    return f"coalesce(sum({real}), 0.0)"


# How the log fills the columns of a unit; these two are always filled.
ALWAYS = ("requests", "failed")
FROM_LOG = {
    "requests": "count(*)",
    "failed": "count(*) filter (where p.status <> 0)",
    "timed": f"count(*) filter (where {_TIMED})",
    "latency": f"sum(case when {_TIMED} then p.latency_us else 0 end)",
    "latency2": _sum(f"case when {_TIMED} then 1.0 * p.latency_us * p.latency_us end"),
    "confident": "count(p.confidence)",
    "confidence": _sum("p.confidence"),
    "confidence2": _sum("p.confidence * p.confidence"),
    "priced": "count(p.cost)",
    "cost": _sum("p.cost"),
    "cost2": _sum("p.cost * p.cost"),
    "over50": f"count(*) filter (where {_TIMED} and p.latency_us > :p50_latency_ms)",
    "over95": f"count(*) filter (where {_TIMED} and p.latency_us > :p95_latency_ms)",
    "over99": f"count(*) filter (where {_TIMED} and p.latency_us > :p99_latency_ms)",
}


class Measure(NamedTuple):
    """A ratio of two sums over units.

    Attributes:
        y: The numerator of a unit, as SQL over its columns.
        k: The denominator.
        square: The sum of squared numerators over rows that are units of their own.
        columns: Those that the log must fill for it, beside the ones it always fills.
        table: Where the columns are.
    """

    y: str
    k: str
    square: str
    columns: tuple[str, ...] = ()
    table: str = UNITS_TABLE


_ANSWERS = "(requests - failed)"
MEASURES = {
    ANSWERED: Measure(_ANSWERS, "requests", _ANSWERS),
    "error_rate": Measure("failed", "requests", "failed"),
    "accuracy": Measure("correct", "judged", "correct"),
    COVERAGE: Measure("labelled", "requests", "labelled"),
    RIPE_COVERAGE: Measure("ripe_labelled", "ripe", "ripe_labelled"),
    "avg_latency_ms": Measure("latency", "timed", "latency2", ("timed", "latency", "latency2")),
    # Of a quantile: how many answers took longer than a fixed cut near it. What users do to the
    # variance of this share they do to the quantile's.
    "p50_latency_ms": Measure("over50", "timed", "over50", ("timed", "over50")),
    "p95_latency_ms": Measure("over95", "timed", "over95", ("timed", "over95")),
    "p99_latency_ms": Measure("over99", "timed", "over99", ("timed", "over99")),
    "avg_confidence": Measure(
        "confidence", "confident", "confidence2", ("confident", "confidence", "confidence2")
    ),
    "cost_per_request": Measure("cost", "priced", "cost2", ("priced", "cost", "cost2")),
    COST_COVERAGE: Measure("priced", "requests", "priced", ("priced",)),
}
NAMED_VALUE = Measure("total", "known", "total2", table=VALUES_TABLE)
# Units without the value have no row of their own among the values.
WITH_VALUE = """(
    select u.*, coalesce(v.known, 0) as known
    from experiment_units u left join experiment_values v
        on v.experiment = u.experiment and v.name = :name and v.unit = u.unit
            and v.revision = u.revision and v.version = u.version
)"""
NAMED_COVERAGE = Measure("known", "requests", "known", table=WITH_VALUE)


def measure_of(name: str) -> Measure:
    """The measure of a metric's name."""
    if name.startswith(VALUE_COVERAGE):
        return NAMED_COVERAGE
    return NAMED_VALUE if name.startswith(VALUE) else MEASURES[name]


class Wanted(NamedTuple):
    """What a fold has to fill for a design.

    Attributes:
        by_user: Whether users are the units; else each request is one.
        columns: Of `experiment_units`, from the log.
        names: The named feedback values.
        quantiles: Of latency, by metric: they need a cut each.
        window: Microseconds after which a label is due; 0 where its age does not matter.
    """

    by_user: bool
    columns: tuple[str, ...]
    names: tuple[str, ...]
    quantiles: dict[str, float]
    window: int


def wanted(design: Design) -> Wanted:
    """What the folds of an experiment with this design have to fill."""
    names = measured(design)
    columns: Iterable[str] = (c for name in names for c in measure_of(name).columns)
    return Wanted(
        by_user=design.unit == "user",
        columns=tuple(dict.fromkeys((*ALWAYS, *columns))),
        names=tuple(sorted(value_name(n) for n in names if n.startswith(VALUE))),
        quantiles={m.name: m.quantile for m in design.metrics if m.quantile is not None},
        window=round(design.label_window_seconds * 1e6) if RIPE_COVERAGE in names else 0,
    )
