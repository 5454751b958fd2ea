"""A tally as a row of the summaries."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from mlreg.store.rows import restored
from mlreg.tallies import Moments, Tally, pack_histogram, unpack_histogram

KEY = ("version", "grain", "bucket", "revision", "role")
NUMBERS = (
    "requests", "errors", "labelled", "judged", "correct", "latency", "confidence", "cost",
    "histogram", "named_values", "deviations", "answers", "pairs",
)  # fmt: skip


def columns_of(tally: Tally) -> dict[str, object]:
    """What a row holds of a tally."""
    return {
        "requests": tally.requests,
        "errors": tally.errors,
        "labelled": tally.labelled,
        "judged": tally.judged,
        "correct": tally.correct,
        "latency": f"{tally.latency_n} {tally.latency_total} {tally.calls.dump()}",
        "confidence": tally.confidence.dump(),
        "cost": tally.cost.dump(),
        "histogram": pack_histogram(tally.histogram),
        "named_values": _dumped(tally.values),
        "deviations": _dumped(tally.deviations),
        "answers": json.dumps(tally.answers, sort_keys=True) if tally.answers else "{}",
        "pairs": json.dumps(_nested(tally.pairs), sort_keys=True) if tally.pairs else "{}",
    }


def _dumped(moments: dict[str, Moments]) -> str:
    return json.dumps({n: m.dump() for n, m in sorted(moments.items())}) if moments else "{}"


def _loaded(text: str) -> dict[str, Moments]:
    return {name: Moments.load(one) for name, one in json.loads(text).items()}


def _nested(pairs: Mapping[tuple[str, str], int]) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = defaultdict(dict)
    for (answer, label), n in pairs.items():
        found[answer][label] = n
    return found


def _flat(nested: Mapping[str, Mapping[str, int]]) -> Counter[tuple[str, str]]:
    return Counter({(a, label): n for a, labels in nested.items() for label, n in labels.items()})


def tally_of(row: Sequence[Any], key: Mapping[str, object]) -> Tally:
    """The tally that a row holds.

    Raises:
        StoreDamaged: It can be none.
    """
    requests, errors, labelled, judged, correct, latency, confidence, cost, histogram = row[:9]
    named, deviations, answers, pairs = row[9:]
    with restored("summaries", key):
        if not (0 <= correct <= judged <= labelled and 0 <= errors <= requests):
            raise ValueError("counts that no rows can have")
        n, total, calls = latency.split(maxsplit=2)
        return Tally(
            requests=requests,
            errors=errors,
            labelled=labelled,
            judged=judged,
            correct=correct,
            latency_n=int(n),
            latency_total=int(total),
            calls=Moments.load(calls),
            histogram=unpack_histogram(histogram),
            confidence=Moments.load(confidence),
            cost=Moments.load(cost),
            values=_loaded(named),
            deviations=_loaded(deviations),
            answers=Counter(json.loads(answers)),
            pairs=_flat(json.loads(pairs)),
        )
