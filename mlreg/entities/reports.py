"""What services report: overviews, comparisons, performance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar, Literal, NamedTuple

from mlreg.entities.conditions import Finding
from mlreg.entities.traffic import Revision
from mlreg.entities.versions import Version

Interval = tuple[float, float]
Verdict = Literal["ship", "keep", "inconclusive", "invalid"]
BREAKDOWNS = ("hour", "day", "revision", "label")
"""What a report can be broken down by, beside the keys of segments."""
Compared = Literal["better", "worse", "different", "inconclusive"]


class Figure(NamedTuple):
    """A metric of a set of predictions.

    Attributes:
        ci: Its 95 % interval; None where it has none.
        n: What it was counted or averaged over.
    """

    value: float
    ci: Interval | None
    n: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NextVersions:
    """The versions that could be registered next."""

    model: str
    latest: str | None
    major: str
    minor: str
    patch: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelOverview:
    """One model with its traffic and versions.

    Attributes:
        value_better: Which way its feedback values are better, `up` or `down`, where it is known.
    """

    name: str
    revision: Revision
    versions: tuple[Version, ...]
    value_better: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionPerformance:
    """How a version did in a window. Shares and rates are 0 to 1, latencies milliseconds.

    Attributes:
        request_count: Live predictions; forced and shadow ones are not counted.
        labelled_count: Live predictions with a label or a judgement.
        values: The mean of each named feedback value.
        segment: The value of the segment key, in a report by segment.
        metrics: All that is known of it, by the names of the catalogue.
    """

    model_id: str
    version: str
    request_count: int
    traffic_share: float | None
    error_rate: float | None
    error_rate_ci: Interval | None
    avg_latency_ms: float | None
    p50_latency_ms: float | None
    p95_latency_ms: float | None
    p99_latency_ms: float | None
    avg_confidence: float | None
    labelled_count: int
    label_coverage: float | None
    accuracy: float | None
    accuracy_ci: Interval | None
    cost_per_request: float | None
    forced_count: int = 0
    values: Mapping[str, float] = field(default_factory=dict)
    segment: str | None = None
    metrics: Mapping[str, Figure] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricComparison:
    """One metric of a candidate against the baseline.

    Attributes:
        difference: Candidate minus baseline, in the metric's unit; of what is best at zero, of the
            distances from it, which the values then are.
        better: Which direction is an improvement: `up`, `down`, `zero`; None: neither.
        verdict: `better` or `worse` by the metric's direction, `different` where it has none,
            or `inconclusive`.
        method: The test that gave the p-value.
        warnings: Codes of what limits the result.
    """

    metric: str
    baseline: str
    candidate: str
    baseline_value: float | None
    candidate_value: float | None
    difference: float | None
    difference_ci: Interval | None
    p_value: float | None
    verdict: Compared
    method: str
    warnings: tuple[str, ...] = ()
    better: Literal["up", "down", "zero"] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrendPoint:
    """How a version did in an hour, a day or a revision.

    Attributes:
        at: When it began; None for a revision.
        revision: Its number; None for a time.
    """

    version: str
    at: datetime | None
    revision: int | None
    request_count: int
    metrics: Mapping[str, Figure]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassPerformance:
    """How a version did with one class.

    Attributes:
        answered: How often it was answered, with a label or without.
        labelled: How often it was right.
        metrics: `share` of the answers, `precision`, `recall` and `f1`, as far as they are known.
    """

    label: str
    answered: int
    labelled: int
    metrics: Mapping[str, Figure]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfusionCell:
    """Labelled predictions of one answer and one label; of a failure the answer is None."""

    label: str
    answer: str | None
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelPerformance:
    """How a version did class by class.

    Attributes:
        confusion: In order; what never happened is left out.
        others: Labelled predictions with a class beyond the first fifty: they stand in the
            confusion as `*`, and in no class.
    """

    version: str
    classes: tuple[ClassPerformance, ...]
    confusion: tuple[ConfusionCell, ...]
    others: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PerformanceReport:
    """How the versions of a model did, compared.

    Attributes:
        since: Where the window begins; None for the beginning of the log.
        revision: The only one that is reported, as it is the split in force; else None.
        by: The segment key, or `hour`, `day`, `revision` or `label`.
        trend: By hour, day or revision, the oldest first; else None.
        labels: By label: each version class by class; else None.
        best: The id of the version that the evidence favours; None while there is too little.
        recommendation: One sentence with the numbers behind the verdict.
        assumptions: What the tests take for granted and the log does not say.
        findings: What the conditions came to that were asked for with it.
    """

    model: str
    since: datetime | None
    until: datetime
    models: tuple[VersionPerformance, ...]
    comparisons: tuple[MetricComparison, ...]
    best: str | None
    verdict: Verdict
    recommendation: str
    assumptions: tuple[str, ...] = ()
    baseline: str | None = None
    revision: int | None = None
    by: str | None = None
    trend: tuple[TrendPoint, ...] | None = None
    labels: tuple[LabelPerformance, ...] | None = None
    findings: tuple[Finding, ...] = ()

    __json__: ClassVar[tuple[str, ...]] = (
        "model",
        "since",
        "until",
        "revision",
        "baseline",
        "by",
        "models",
        "comparisons",
        "best",
        "verdict",
        "recommendation",
        "assumptions",
        "trend",
        "labels",
        "findings",
    )

    @property
    def is_by_segment(self) -> bool:
        """Whether it has an entry for each version and value of a segment key."""
        return self.by is not None and self.trend is None and self.labels is None


@dataclass(frozen=True, slots=True, kw_only=True)
class OfflineMetric:
    """A metric given at registration, of two versions."""

    metric: str
    left: float | None
    right: float | None
    difference: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionComparison:
    """Two versions side by side: what was said offline and what was seen live."""

    left: Version
    right: Version
    offline: tuple[OfflineMetric, ...]
    live: PerformanceReport | None
