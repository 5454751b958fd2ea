"""Conditions: what must hold of a version, and whether it does."""

from __future__ import annotations

import json
import math
import operator
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from typing import Literal, NamedTuple, Protocol

from mlreg.entities.conditions import State
from mlreg.evidence.figures import figure, read
from mlreg.metrics import BY_NAME, COUNTS, Metric, Overlap, Share, find, no_metric
from mlreg.names import safe
from mlreg.stats.always_valid import confidence_sequence, rank_limits, rate_limits
from mlreg.stats.quantiles import Bucket, quantile_of_histogram
from mlreg.stats.results import Interval
from mlreg.tallies import SCALE, Moments, Tally, bucket_edges

Sign = Literal["<", "<=", ">", ">=", "within", "outside"]
Reference = Literal["baseline", "previous", "yesterday", "last-week", "training"]
Kind = Literal["limit", "absolute", "relative"]

NEGATED: dict[Sign, Sign] = {
    "<": ">=", ">=": "<", "<=": ">", ">": "<=", "within": "outside", "outside": "within",
}  # fmt: skip
# How far back a reference lies that is the same window at another time.
BEFORE: dict[str, timedelta] = {"yesterday": timedelta(days=1), "last-week": timedelta(weeks=1)}
# Where the interval of a mean is tightest, in samples, and how many it needs: with fewer, those of
# skewed latencies (lognormal, sigma 1.5) are wrong more often than they say.
_TUNING, _LEAST = 10_000, 300
_HOLDS: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip
BARE_KEY = r'[^\s<>="]+'


class Named(Protocol):
    """A metric, as far as a condition needs to know it to be read."""

    @property
    def unit(self) -> str:
        """`share`, `ms`, or one that has no sign of its own."""


Lookup = Callable[[str], Named]


def of_catalogue(name: str) -> Metric:
    """A metric of the catalogue, of a class, or of a named feedback value.

    Raises:
        InvalidInput: There is none of this name.
    """
    metric = find(name)
    if metric is None or (metric.key and metric.name != name):
        more = "f1:CLASS, precision:CLASS, recall:CLASS, share:CLASS, value:NAME"
        raise no_metric(name, (*BY_NAME, *COUNTS), more)
    return metric


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """What must hold; as text it is canonical, and reads back as itself.

    Attributes:
        metric: As it was written, a key without its quotes.
        unit: The metric's.
        kind: A `limit` of the value itself; `absolute`, a difference from the reference; or
            `relative`, a part of it.
        amount: The limit, the difference, the part; of a tolerance, to either side.
        over: The window: how long up to now, or how many predictions; None: the usual one.
        least: How many samples it asks for.
        sure: Whether it asks for evidence that stays valid however often one looks.
        lasting: For how long it must hold, or how many times in a row.
    """

    metric: str
    unit: str
    sign: Sign
    kind: Kind
    amount: float
    reference: Reference | None = None
    over: timedelta | int | None = None
    least: int = 0
    sure: bool = False
    lasting: timedelta | int | None = None

    def __str__(self) -> str:
        name, _, key = self.metric.partition(":")
        if key and not re.fullmatch(BARE_KEY, key):
            key = json.dumps(key, ensure_ascii=False)
        clauses = (
            f"over {_extent(self.over, 'predictions')}" if self.over else "",
            f"min {self.least}" if self.least else "",
            "sure" if self.sure else "",
            f"for {_extent(self.lasting, 'in a row')}" if self.lasting else "",
        )
        parts = (f"{name}:{key}" if key else name, self.demand, *clauses)
        return " ".join(part for part in parts if part)

    @property
    def demand(self) -> str:
        """What it asks of the value, such as `<= baseline + 20%`."""
        suffix = {"share": "%", "ms": "ms"}.get(self.unit, "")
        if self.kind == "relative":
            suffix = "%"
        elif self.kind == "absolute" and self.unit == "share":
            suffix = "pt"
        if self.reference is None:
            return f"{self.sign} {_spelled(self.amount, suffix)}"
        size = _spelled(abs(self.amount), suffix)
        if self.sign in ("within", "outside"):
            return f"{self.sign} {size} of {self.reference}"
        change = f" {'-' if self.amount < 0 else '+'} {size}" if self.amount else ""
        return f"{self.sign} {self.reference}{change}"

    def negated(self) -> Condition:
        """The condition that holds where this one does not."""
        return replace(self, sign=NEGATED[self.sign])


class Measured(NamedTuple):
    """A metric of a version in a window.

    Attributes:
        value: In its unit; None where nothing was measured.
        n: What it rests on: predictions, labels or values.
        interval: Where it lies, however often one looks; None where that cannot be said.
        problem: Why it could not be measured.
    """

    value: float | None = None
    n: int = 0
    interval: Interval | None = None
    problem: str = ""


class Judged(NamedTuple):
    """Whether a condition holds, and why it is not known if it is not."""

    state: State
    bound: float | None = None
    interval: Interval | None = None
    why: str = ""


def measure(metric: Metric, tally: Tally, *, sure: bool = False, alpha: float = 0.05) -> Measured:
    """The metric of these predictions, with an interval that holds at every look at once.

    It misses the truth with probability alpha at most. A mean that has to be sure is that of the
    calls: the rows of a batch share one latency. Scores over several classes have no such interval.
    """
    reading = read(metric, tally)
    if isinstance(reading, Share):
        hits, n = reading
        return Measured(hits / n, n, rate_limits(hits, n, alpha=alpha)) if n else Measured()
    if isinstance(reading, Moments):
        shown = None if sure or not metric.shown else metric.shown(tally)
        return _mean(metric, reading, shown, alpha)
    if isinstance(reading, Overlap):
        known = figure(metric, tally)
        return Measured(known.value, known.n) if known else Measured()
    if reading is None or metric.quantile is None:
        return Measured(reading, 0 if reading is None else tally.latency_n)
    buckets = [Bucket(*bucket_edges(b), n) for b, n in sorted(tally.histogram.items())]
    found = quantile_of_histogram(buckets, metric.quantile, level=1 - alpha, ranks=rank_limits)
    limits = Interval(found.low or 0.0, math.inf if found.high is None else found.high)
    return Measured(reading, tally.latency_n, limits)


def _mean(metric: Metric, moments: Moments, shown: float | None, alpha: float) -> Measured:
    mean, variance, n = moments.mean, moments.variance, moments.n
    if mean is None:
        return Measured(shown)
    value, limits = metric.judged(mean), None
    if 0 < moments.squares == moments.total * int(SCALE):  # zeros and ones: a rate
        limits = rate_limits(round(mean * n), n, alpha=alpha)
    elif variance and n >= _LEAST:
        se = math.sqrt(variance / n) / metric.per
        limits = confidence_sequence(mean / metric.per, se, n, tuning_n=_TUNING, alpha=alpha)
    return Measured(value if shown is None else shown, n, limits and _bent(metric, limits))


def _bent(metric: Metric, limits: Interval) -> Interval:
    """The limits of a mean in the shape that the metric is judged in."""
    if not metric.is_root and metric.better != "zero":
        return limits
    ends = sorted(metric.judged(limit * metric.per) for limit in limits)
    return Interval(0.0 if limits.low <= 0 else ends[0], ends[1])


def evaluate(condition: Condition, seen: Measured, reference: Measured | None = None) -> Judged:
    """Whether a condition holds: of the value as it is, or, if it has to be sure, of all values
    that the evidence leaves possible.

    Args:
        condition: The condition.
        seen: The metric of the version.
        reference: That of the reference, if there is one.
    """
    lacking = _lacking(condition, seen, reference)
    if lacking:
        return lacking
    value = seen.value or 0.0
    found = []
    for sign, factor, bound in _edges(condition, reference):
        interval = _widened(seen, reference, factor) if reference else seen.interval
        values = (value, value) if not condition.sure else interval
        held = {_HOLDS[sign](limit, bound) for limit in values} if values else set()
        found.append((held.pop() if len(held) == 1 else None, bound, interval))
    answers = [held for held, _, _ in found]
    holds = False if False in answers else None if None in answers else True
    if condition.sign == "outside" and holds is not None:
        holds = not holds
    _, bound, interval = min(found, key=lambda edge: abs(edge[1] - value))
    state: State = "inconclusive" if holds is None else "pass" if holds else "fail"
    return Judged(state, bound, interval)


def _lacking(condition: Condition, seen: Measured, reference: Measured | None) -> Judged | None:
    """What keeps a condition from being judged."""
    metric, whose = safe(condition.metric), [(seen, "")]
    if reference:
        whose.append((reference, f" of {condition.reference}"))
    for known, of in whose:
        if known.problem:
            return Judged("error", why=known.problem)
        if known.value is None:
            return Judged("inconclusive", why=f"there is no data{of} for {metric} in this window")
        if not math.isfinite(known.value):
            return Judged("error", why=f"the value{of} is no number")
        if known.n < condition.least:
            why = f"only {known.n} samples{of} are there, and {condition.least} are asked for"
            return Judged("inconclusive", why=why)
    return None


def _edges(condition: Condition, reference: Measured | None) -> list[tuple[str, float, float]]:
    """Each bound with its operator, and how much of the reference's value is in it."""
    value, amount = (reference.value or 0.0) if reference else 0.0, condition.amount

    def edge(change: float) -> tuple[float, float]:
        if reference is None:
            return change, 0.0
        return (value * (1 + change), 1 + change) if is_part else (value + change, 1.0)

    is_part = condition.kind == "relative"
    if condition.sign in ("within", "outside"):
        (low, less), (high, more) = sorted((edge(-amount), edge(amount)))
        return [(">=", less, low), ("<=", more, high)]
    bound, factor = edge(amount)
    return [(condition.sign, factor, bound)]


def _widened(seen: Measured, reference: Measured, factor: float) -> Interval | None:
    """The interval of a value, widened by what is not known of the reference.

    The limits of a difference from those of its parts, by Newcombe's rule (1998, method 10), which
    Zou & Donner (2008) extend to whatever has limits.
    """
    if seen.interval is None or reference.interval is None:
        return None
    value, base = seen.value or 0.0, reference.value or 0.0
    low, high = seen.interval
    below = max(0.0, reference.interval.high - base) * factor
    above = max(0.0, base - reference.interval.low) * factor
    return Interval(
        value - math.hypot(max(0.0, value - low), below),
        value + math.hypot(max(0.0, high - value), above),
    )


def told(condition: Condition, seen: Measured, judged: Judged) -> str:
    """What a condition came to, for people: `error_rate is 12%, which is > 5%`."""
    if judged.state == "error":
        return f"{condition} cannot be told: {judged.why}"
    if seen.value is None:
        return judged.why
    value = f"{safe(condition.metric)} is {_rounded(seen.value, condition.unit)}"
    if condition.sure and judged.interval:
        low, high = (_rounded(limit, condition.unit, 3) for limit in judged.interval)
        value += f" [{low}, {high}]"
    if judged.bound is None:
        return f"{value}, but {judged.why}"
    stated = condition.negated() if judged.state == "fail" else condition
    bound = f", {_rounded(judged.bound, condition.unit)}" if condition.reference else ""
    if judged.state == "inconclusive":
        return f"{value}, of which it is not sure that it is {stated.demand}{bound}"
    return f"{value}, which is {'surely ' if condition.sure else ''}{stated.demand}{bound}"


def _rounded(value: float, unit: str, digits: int = 6) -> str:
    if math.isinf(value):
        return "∞"
    is_share = unit == "share"
    suffix = "%" if is_share else "ms" if unit == "ms" else ""
    return f"{value * 100 if is_share else value:.{digits}g}{suffix}"


def _extent(extent: timedelta | int, counted: str) -> str:
    """A time such as `1d12h`, or a number of what is counted."""
    if isinstance(extent, int):
        return f"{extent} {counted}"
    micros, text = extent // timedelta(microseconds=1), ""
    for unit, size in (("d", 86_400), ("h", 3600), ("m", 60)):
        count, micros = divmod(micros, size * 1_000_000)
        text += f"{count}{unit}" if count else ""
    return text + (f"{Decimal(micros).scaleb(-6).normalize():f}s" if micros else "")


def _spelled(amount: float, suffix: str) -> str:
    number = Decimal(repr(amount)) * (100 if suffix in ("%", "pt") else 1)
    return f"{number.normalize():f}{suffix}"
