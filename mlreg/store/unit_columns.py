"""How the log fills the columns of a unit, and where the sums of the catalogue's metrics lie."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

from mlreg.metrics import (
    COVERAGE,
    SIZES,
    VALUE,
    VALUE_COVERAGE,
    measured,
    sums_of,
    value_name,
)
from mlreg.tallies import LARGEST_MEASURE

if TYPE_CHECKING:
    from mlreg.entities.experiments import Design

UNITS_TABLE, VALUES_TABLE = "experiment_units", "experiment_values"

# The rows of a batch share one latency, which is one observation.
TIMED = "p.status = 0 and p.is_call = 1"


def _sum(real: str) -> str:
    return f"coalesce(sum({real}), 0.0)"


# How the log fills the columns of a unit; these two are always filled.
ALWAYS = ("requests", "failed")
FROM_LOG = {
    "requests": "count(*)",
    "failed": "count(*) filter (where p.status <> 0)",
    "timed": f"count(*) filter (where {TIMED})",
    "latency": f"sum(case when {TIMED} then p.latency_us else 0 end)",
    "latency2": _sum(f"case when {TIMED} then 1.0 * p.latency_us * p.latency_us end"),
    "confident": "count(p.confidence)",
    "confidence": _sum("p.confidence"),
    "confidence2": _sum("p.confidence * p.confidence"),
    "priced": "count(p.cost)",
    "cost": _sum("p.cost"),
    "cost2": _sum("p.cost * p.cost"),
}

# Prediction minus label of a row of feedback, as `tallies.deviation` has it; else null.
_ANSWER, _LABEL = "cast(p.output as text)", "cast(:row.label as text)"
_IS_NUMBER = "substr({}, 1, 1) in ('-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9')"
_GAP = f"cast({_ANSWER} as double precision) - cast({_LABEL} as double precision)"
_ERROR = f"""case
        when :row.correct is not null or p.status <> 0 or :row.label is null then null
        when not {_IS_NUMBER.format(_ANSWER)} or not {_IS_NUMBER.format(_LABEL)} then null
        when {_GAP} > {LARGEST_MEASURE} then {LARGEST_MEASURE}
        when {_GAP} < -{LARGEST_MEASURE} then -{LARGEST_MEASURE}
        else {_GAP}
    end"""
# What a row of feedback adds to a sum that is kept under a name of its own.
FROM_FEEDBACK = {
    "value": ":row.value",
    "signed": _ERROR,
    "absolute": f"abs({_ERROR})",
    "squared": f"({_ERROR}) * ({_ERROR})",
}
# The size of what is not zero, beside each.
_SIZES = {f"size_{part}": f"abs(nullif({text}, 0))" for part, text in FROM_FEEDBACK.items()}
FROM_FEEDBACK |= _SIZES

# Units without the value have no row of their own among the values.
WITH_VALUE = """(
    select u.*, coalesce(v.known, 0) as known
    from experiment_units u left join experiment_values v
        on v.experiment = u.experiment and v.name = :name and v.unit = u.unit
            and v.revision = u.revision and v.version = u.version
)"""


class Place(NamedTuple):
    """Where the sums of a measure lie.

    Attributes:
        table: A table, or a query in brackets.
        name: The name that its rows have among the values; empty elsewhere.
    """

    table: str
    name: str


def place_of(measure: str) -> Place:
    """Where the sums of a metric or a coverage lie."""
    if measure.startswith(VALUE_COVERAGE):
        return Place(WITH_VALUE, value_name(measure))
    own = sums_of(measure).own
    return Place(VALUES_TABLE, own_name(measure)) if own else Place(UNITS_TABLE, "")


def own_name(measure: str) -> str:
    """The name among the values: a feedback value's, or one that no feedback value can have."""
    return value_name(measure) if measure.startswith(VALUE) else f":{measure}"


class Wanted(NamedTuple):
    """What a fold has to fill for a design.

    Attributes:
        by_user: Whether users are the units; else each request is one.
        columns: Of `experiment_units`, from the log.
        names: The named feedback values.
        quantiles: Of latency, by metric: they need a cut each.
        window: Microseconds after which a label is due; None: as long as labels are seen to take.
        derived: What is summed under a name of its own, with the name of the feedback and the part
            of it that is summed.
        labels: Whether anything rests on labels.
    """

    by_user: bool
    columns: tuple[str, ...]
    names: tuple[str, ...]
    quantiles: dict[str, float]
    window: int | None
    derived: tuple[tuple[str, str, str], ...] = ()
    labels: bool = True

    @property
    def fed_back(self) -> tuple[str, ...]:
        """The names of the feedback that something rests on."""
        return (*(("label",) if self.labels else ()), *self.names)


def wanted(design: Design) -> Wanted:
    """What the folds of an experiment with this design have to fill."""
    names = measured(design)
    sums = {name: sums_of(name) for name in names}
    words = {w for one in sums.values() for w in re.findall(r"\w+", " ".join(one[:3]))}
    if any(one.own == "tail" for one in sums.values()):
        words.add("timed")  # so have all tests of quantiles that were counted before
    own = {name: one.own for name, one in sums.items() if not name.startswith(VALUE_COVERAGE)}
    return Wanted(
        by_user=design.unit == "user",
        columns=(*ALWAYS, *(c for c in FROM_LOG if c in words and c not in ALWAYS)),
        names=tuple(sorted(value_name(n) for n, kind in own.items() if kind == "value")),
        quantiles={m.name: m.quantile for m in design.metrics if m.quantile is not None},
        window=round(design.label_window_seconds * 1e6) or None,
        derived=tuple(_derived(own)),
        labels=COVERAGE in names,
    )


def _derived(own: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    """What is not summed as it was fed back: deviations from labels, and sizes of what is not 0."""
    for name, kind in own.items():
        metric = name.removeprefix(SIZES)
        said = value_name(metric) or "label"
        if kind == "sizes":
            yield own_name(name), said, f"size_{sums_of(metric).own}"
        elif kind in FROM_FEEDBACK and kind != "value":
            yield own_name(name), said, kind
