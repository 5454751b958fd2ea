"""How often a threshold fires without any change, against what happens."""

from __future__ import annotations

import random
from collections import deque

import pytest

from mlreg.evidence.firing import cost
from mlreg.evidence.grammar import parse
from mlreg.tallies import Tally


def tally_of(count: int, *, failed: int = 0, latencies: list[int] | None = None) -> Tally:
    found = Tally()
    times = latencies or [5000]
    found.add([(times[n % len(times)], int(n < failed), 0.9, None, 1) for n in range(count)])
    return found


def crossings(p: float, window: int, most: int, draws: int) -> int:
    """How often a window of the last draws goes beyond so many ones."""
    drawn = random.Random(7)  # a simulation
    last, above, found = deque([0] * window, window), False, 0
    for n in range(draws):
        last.append(int(drawn.random() < p))
        if n >= window:
            now = sum(last) > most
            found += now and not above
            above = now
    return found


def test_what_is_said_of_a_rate_is_what_happens():
    # 3 of 100 fail, 100 are looked at, and more than 8 are too many.
    happened = crossings(0.03, 100, 8, 400_000)
    text = cost(
        parse("error_rate <= 8% over 100 predictions"), tally_of(100_000, failed=3000), 400_000.0
    )
    said = float(text.split(" times a day")[0].rpartition(" ")[2].replace(",", ""))
    assert 0.8 < said / happened < 1.25


@pytest.mark.parametrize(
    ("condition", "failed", "daily", "said"),
    [
        ("error_rate <= 5% over 100 predictions", 100, 900, "broken now, and would fire at once"),
        ("error_rate <= 50% over 1000 predictions", 10, 900, "less than once in ten years"),
        ("error_rate <= 5% over 10m min 100", 10, 900, "some 6, and it asks for 100"),
        ("success_rate >= 95% over 100 predictions", 10, 900, "at most once in"),
        ("failures_in_a_row < 3", 30, 900, "at most once in"),
        ("p95_latency_ms <= 200ms over 100 predictions", 0, 900, "0.05 % beyond 200ms"),
        ("error_rate <= baseline over 1h", 0, 900, ""),
        ("error_rate <= 5%", 0, 900, ""),
        ("error_rate <= 5% over 1h", 0, 0, ""),
    ],
)
def test_it_is_said_what_a_threshold_costs(condition: str, failed: int, daily: float, said: str):
    found = cost(parse(condition), tally_of(1000, failed=failed), daily)
    assert said in found
    assert bool(found) == bool(said)


def test_a_mean_is_judged_by_its_spread():
    text = cost(
        parse("avg_latency_ms <= 12ms over 100 predictions"),
        tally_of(1000, latencies=[5000, 15_000]),
        1000.0,
    )
    assert "10ms on average" in text
    assert "if the mean is 18" in text
