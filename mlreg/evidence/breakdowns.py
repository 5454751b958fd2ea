"""What a report says of each version: as a whole, over time, and class by class."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from mlreg.clock import from_micros
from mlreg.entities.reports import (
    ClassPerformance,
    ConfusionCell,
    Figure,
    LabelPerformance,
    TrendPoint,
    VersionPerformance,
)
from mlreg.evidence.figures import figure
from mlreg.metrics import BY_NAME, VALUE, Metric, find
from mlreg.tallies import NO_ANSWER, OTHER, Tally, class_name

if TYPE_CHECKING:
    from mlreg.entities.versions import Version

# Fields of a version's performance that are values, and those that have an interval.
_FIELDS = (
    "error_rate", "avg_latency_ms", "p50_latency_ms", "p95_latency_ms", "p99_latency_ms",
    "avg_confidence", "label_coverage", "accuracy", "cost_per_request",
)  # fmt: skip
_WITH_INTERVALS = ("error_rate", "accuracy")
_OF_A_CLASS = ("share", "precision", "recall", "f1")


def figures(tally: Tally) -> dict[str, Figure]:
    """All that is known of the metrics of the catalogue and of feedback values."""
    named = (find(VALUE + name) for name in sorted(tally.values))
    return _known([*BY_NAME.values(), *(metric for metric in named if metric is not None)], tally)


def performance(
    version: Version, tally: Tally, total: int, *, forced: int = 0, segment: str | None = None
) -> VersionPerformance:
    """A version as a whole, or in a segment.

    Args:
        version: The version.
        tally: Of its live predictions.
        total: Live predictions of all versions.
        forced: Predictions that somebody asked it for by name.
        segment: The value of the segment key.
    """
    found = figures(tally)
    fields: dict[str, Any] = {
        name: found[name].value if name in found else None for name in _FIELDS
    }
    fields |= {f"{n}_ci": found[n].ci if n in found else None for n in _WITH_INTERVALS}
    return VersionPerformance(
        model_id=version.model_id,
        version=version.version,
        request_count=tally.requests,
        traffic_share=tally.requests / total if total else None,
        labelled_count=tally.labelled,
        forced_count=forced,
        values={n.removeprefix(VALUE): f.value for n, f in found.items() if n.startswith(VALUE)},
        segment=segment,
        metrics=found,
        **fields,
    )


def trend(
    tallies: Mapping[tuple[int, str], Tally], *, is_revision: bool = False
) -> Iterator[TrendPoint]:
    """Points in order, by when they began in microseconds, or by revision, and by version."""
    for (place, version), tally in sorted(tallies.items(), key=lambda item: item[0]):
        yield TrendPoint(
            version=version,
            at=None if is_revision else from_micros(place),
            revision=place if is_revision else None,
            request_count=tally.requests,
            metrics=figures(tally),
        )


def by_label(version: str, tally: Tally) -> LabelPerformance:
    """A version class by class."""
    pairs = {pair: n for pair, n in sorted(tally.pairs.items()) if n}
    return LabelPerformance(
        version=version,
        classes=tuple(_of_class(class_name(name), tally) for name in tally.classes),
        confusion=tuple(
            ConfusionCell(
                label=class_name(label),
                answer=None if said == NO_ANSWER else class_name(said),
                count=n,
            )
            for (said, label), n in sorted(pairs.items(), key=lambda item: item[0][::-1])
        ),
        others=sum(n for pair, n in pairs.items() if OTHER in pair),
    )


def _of_class(name: str, tally: Tally) -> ClassPerformance:
    labelled = (n for (_, label), n in tally.pairs.items() if class_name(label) == name)
    answered = (n for text, n in tally.answers.items() if class_name(text) == name)
    metrics = [find(f"{metric}:{name}") for metric in _OF_A_CLASS]
    found = _known((metric for metric in metrics if metric is not None), tally)
    return ClassPerformance(
        label=name,
        answered=sum(answered),
        labelled=sum(labelled),
        metrics={full.partition(":")[0]: known for full, known in found.items()},
    )


def _known(metrics: Iterable[Metric], tally: Tally) -> dict[str, Figure]:
    found = ((metric.name, figure(metric, tally)) for metric in metrics)
    return {name: known for name, known in found if known is not None}
