"""Mergeable tallies of predictions: counts, exact moments and a histogram of latencies.

Tallies merge in any order to the same numbers, bit for bit, so that summaries can be thrown away
and rebuilt. That is why sums are kept as integers of a fixed scale and not as floats.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import ceil, log
from operator import mul
from struct import pack, unpack
from typing import NamedTuple

# In units of 2**-80 every double from 1e-8 up is a whole number, and whole numbers add exactly.
SCALE = 2.0**80
MILLISECOND = 1000  # microseconds

# Measures beyond this are refused at the border: their sums would leave the range of a double.
LARGEST_MEASURE = 1e15

# A version is tallied by so many classes; all others, and longer ones, are one.
MOST_CLASSES, LONGEST_CLASS = 50, 100
# Where classes stand as JSON: neither of these can be one.
OTHER, NO_ANSWER = "*", "null"
_NUMERIC = frozenset("-0123456789")

# Of an error, which is prediction minus label, what is summed.
DEVIATIONS: dict[str, Callable[[float], float]] = {
    "signed": float,
    "absolute": abs,
    "squared": lambda error: error * error,
}

ACCURACY = 0.01
_GAMMA = (1 + ACCURACY) / (1 - ACCURACY)
_LOG_GAMMA = log(_GAMMA)


@dataclass(slots=True)
class Moments:
    """Count, sum and sum of squares of a measure, exact in units of 2**-80."""

    n: int = 0
    total: int = 0
    squares: int = 0

    def add(self, value: float, times: int = 1) -> None:
        """Count a value; with `times=-1` take it back."""
        scaled = int(value * SCALE)
        self.n += times
        self.total += times * scaled
        self.squares += times * scaled * scaled

    def add_all(self, values: Sequence[float]) -> None:
        """Count many values."""
        scaled = [int(value * SCALE) for value in values]
        self.n += len(scaled)
        self.total += sum(scaled)
        self.squares += sum(map(mul, scaled, scaled))

    def merge(self, other: Moments) -> None:
        """Add what another tally counted."""
        self.n += other.n
        self.total += other.total
        self.squares += other.squares

    @property
    def mean(self) -> float | None:
        """The mean, or None without values."""
        return self.total / self.n / SCALE if self.n else None

    @property
    def variance(self) -> float | None:
        """The sample variance (divisor n - 1), or None below two values."""
        if self.n < 2:
            return None
        # Integers all the way to one division: nothing cancels, however large the mean.
        spread = self.n * self.squares - self.total * self.total
        return spread / (self.n * (self.n - 1)) / SCALE / SCALE

    def dump(self) -> str:
        """The stored form."""
        return f"{self.n} {self.total} {self.squares}"

    @classmethod
    def load(cls, text: str) -> Moments:
        """Read the stored form."""
        return cls(*map(int, text.split()))


def bucket_of(micros: int) -> int:
    """The histogram's bucket of a latency: bucket i holds (g**(i-1), g**i] µs, g = 1.0202."""
    return ceil(log(micros) / _LOG_GAMMA) if micros > 1 else 0


def bucket_edges(bucket: int) -> tuple[float, float]:
    """The lower and the upper edge of a bucket in milliseconds."""
    lower = _GAMMA ** (bucket - 1) if bucket else 0.0
    return lower / MILLISECOND, _GAMMA**bucket / MILLISECOND


# What is tallied of a prediction: latency in µs, status (0 is fine), confidence, cost, and whether
# it was a call of its own. A bare tuple, since there is one for each row of the log.
Measured = tuple[int, int, float | None, float | None, int]


@dataclass(slots=True)
class Tally:
    """What is known of a set of predictions; latencies are of answered ones, in microseconds.

    Attributes:
        labelled: Predictions with a label or a judgement.
        judged: Of these, the ones that can be right or wrong.
        calls: Latencies of calls to a model: a batch is one, whose rows share one latency.
        values: Named feedback values.
        deviations: Of predicted numbers from their labels, by what is summed of them.
        answers: Predictions by the class that was answered.
        pairs: Those with a label by the class that was answered and the one that was right.
    """

    requests: int = 0
    errors: int = 0
    labelled: int = 0
    judged: int = 0
    correct: int = 0
    latency_n: int = 0
    latency_total: int = 0
    calls: Moments = field(default_factory=Moments)
    histogram: Counter[int] = field(default_factory=Counter)
    confidence: Moments = field(default_factory=Moments)
    cost: Moments = field(default_factory=Moments)
    values: dict[str, Moments] = field(default_factory=dict)
    deviations: dict[str, Moments] = field(default_factory=dict)
    answers: Counter[str] = field(default_factory=Counter)
    pairs: Counter[tuple[str, str]] = field(default_factory=Counter)

    def add(self, rows: Sequence[Measured]) -> None:
        """Count predictions; a latency of 0 that is no call's was not measured."""
        self.requests += len(rows)
        self.errors += sum(row[1] != 0 for row in rows)
        timed = [row for row in rows if row[1] == 0 and (row[4] or row[0])]
        latencies = [row[0] for row in timed]
        self.latency_n += len(latencies)
        self.latency_total += sum(latencies)
        self.histogram.update(map(bucket_of, latencies))
        self.calls.add_all([row[0] for row in timed if row[4]])
        self.confidence.add_all([row[2] for row in rows if row[2] is not None])
        self.cost.add_all([row[3] for row in rows if row[3] is not None])

    def judge(self, *, labelled: int, judged: int, correct: int) -> None:
        """Count feedback; corrections bring negative numbers."""
        self.labelled += labelled
        self.judged += judged
        self.correct += correct

    def deviate(self, error: float, times: int) -> None:
        """Count how far a number was off; what is beyond all measure counts as far as that."""
        # In this order NaN, which no two finite numbers make, would be far off as well.
        bounded = max(-LARGEST_MEASURE, min(LARGEST_MEASURE, error))
        for name, part in DEVIATIONS.items():
            self.deviations.setdefault(name, Moments()).add(part(bounded), times)

    def merge(self, other: Tally) -> None:
        """Add what another tally counted."""
        self.requests += other.requests
        self.errors += other.errors
        self.judge(labelled=other.labelled, judged=other.judged, correct=other.correct)
        self.latency_n += other.latency_n
        self.latency_total += other.latency_total
        self.calls.merge(other.calls)
        self.histogram.update(other.histogram)
        self.confidence.merge(other.confidence)
        self.cost.merge(other.cost)
        for own, more in ((self.values, other.values), (self.deviations, other.deviations)):
            for name, moments in more.items():
                own.setdefault(name, Moments()).merge(moments)
        self.answers.update(other.answers)
        self.pairs.update(other.pairs)

    @property
    def classes(self) -> list[str]:
        """The classes that were answered or right, in order; not the one of all others."""
        seen = {name for pair, n in self.pairs.items() if n for name in pair}
        seen |= {name for name, n in self.answers.items() if n}
        return sorted(seen - {OTHER, NO_ANSWER})

    @property
    def latency_mean_ms(self) -> float | None:
        """The mean latency of answered predictions in milliseconds."""
        return self.latency_total / self.latency_n / MILLISECOND if self.latency_n else None

    def latency_quantile_ms(self, q: float) -> float | None:
        """A quantile of the latency in milliseconds, within 1 % of the nearest rank's."""
        if not self.latency_n:
            return None
        rank = max(1, ceil(q * self.latency_n))
        seen = 0
        for bucket in sorted(self.histogram):
            seen += self.histogram[bucket]
            if seen >= rank:
                return 2 * _GAMMA**bucket / (_GAMMA + 1) / MILLISECOND if bucket else 0.001
        return None


def pack_histogram(histogram: Counter[int]) -> bytes:
    """The stored form: pairs of bucket and count, in order."""
    pairs = [number for pair in sorted(histogram.items()) for number in pair]
    return pack(f"<{len(pairs)}Q", *pairs)


def unpack_histogram(blob: bytes) -> Counter[int]:
    """Read the stored form."""
    numbers = unpack(f"<{len(blob) // 8}Q", blob)
    return Counter(dict(zip(numbers[::2], numbers[1::2], strict=True)))


def class_of(text: str | None) -> str | None:
    """The class that an answer is, as JSON; None for what can be no class."""
    if text is None:
        return NO_ANSWER
    if text[0] in _NUMERIC:
        return text if text.lstrip("-").removesuffix(".0").isdecimal() else None
    return None if text[0] in "[{n" else text


def class_name(text: str) -> str:
    """A class for people and in the names of metrics."""
    return str(json.loads(text)) if text[:1] == '"' else text


def deviation(answer: str | None, label: str | None) -> float | None:
    """Prediction minus label, where both are numbers in JSON."""
    if not (answer and label and answer[0] in _NUMERIC and label[0] in _NUMERIC):
        return None
    return float(answer) - float(label)


# --- of experiments ---------------------------------------------------------------------------


class Sums(NamedTuple):
    """Sums over units of y and k, their squares and their product; `n` units have a k above 0."""

    n: float = 0
    y: float = 0
    k: float = 0
    yy: float = 0
    kk: float = 0
    yk: float = 0


class CellCounts(NamedTuple):
    """How many took part in a phase by one version."""

    users: int = 0
    alone: int = 0
    requests: int = 0


class Marks(NamedTuple):
    """Ids up to which an experiment is folded.

    Attributes:
        predictions: Of the log.
        feedback: Of the feedback.
        ripe: Of the log again: predictions so old that their label is due.
    """

    predictions: int
    feedback: int
    ripe: int = 0


Cuts = dict[str, int]
