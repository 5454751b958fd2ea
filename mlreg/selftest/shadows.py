"""How often pairs of a shadow are judged rightly: drawn pairs, looked at again and again."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import NamedTuple

from mlreg.entities.shadows import Meeting, PairedDifference, ShadowVerdict
from mlreg.evidence.pairs import of_classes, of_numbers, verdict

PEEKS, LABELS = 100, 2000
_ALPHA = 0.05


class Setting(NamedTuple):
    """What pairs are drawn from.

    Attributes:
        only_live: The share of inputs that only the live version has right; of numbers, how far
            the live version's errors spread.
        only_shadow: Likewise of the shadow.
        neither: The share that both have wrong with different answers.
        is_queue: Only disagreements get labels.
        is_number: The versions answer with numbers, whose errors have heavy tails.
    """

    only_live: float
    only_shadow: float
    neither: float = 0.0
    is_queue: bool = False
    is_number: bool = False


SETTINGS = {
    "80 and 84 %, 12 % apart": Setting(0.04, 0.08),
    "80 and 84 %, 12 % apart, labels from the queue": Setting(0.04, 0.08, is_queue=True),
    "equal, 12 % apart": Setting(0.06, 0.06),
    "equal, 12 % apart, labels from the queue": Setting(0.06, 0.06, is_queue=True),
    "equal, 1 % apart": Setting(0.005, 0.005),
    "equal, 40 % apart, many classes": Setting(0.1, 0.1, neither=0.2),
    "equal numbers": Setting(1.0, 1.0, is_number=True),
    "numbers off by 1 and by 0.9": Setting(1.0, 0.9, is_number=True),
}


class Run(NamedTuple):
    """The first verdict of a run and after how many labels it came; None where there was none."""

    verdict: ShadowVerdict
    labels: int | None


def simulate(setting: Setting, runs: int) -> Iterator[Run]:
    """Runs of 2,000 labels, each looked at 100 times."""
    for number in range(runs):
        draw = random.Random(f"{setting} {number}")  # not for secrets
        looks = _numbers(setting, draw) if setting.is_number else _classes(setting, draw)
        yield next(looks, Run("undecided", None))


def _classes(setting: Setting, draw: random.Random) -> Iterator[Run]:
    shares = [setting.only_live, setting.only_shadow, setting.neither]
    apart = sum(shares)
    outcomes = [(1, 0, 0), (0, 1, 0), (0, 0, 0), (1, 1, 1)]
    weights = [*shares, 0.0 if setting.is_queue else 1 - apart]
    counts = [0, 0, 0, 0]
    for peek in range(1, PEEKS + 1):
        for place in draw.choices(range(4), weights, k=LABELS // PEEKS):
            counts[place] += 1
        meetings = [
            Meeting(None, None, 0, 0, same, live, shadow, n)
            for (live, shadow, same), n in zip(outcomes, counts, strict=True)
        ]
        if setting.is_queue:  # the pairs that agree have no label
            same = round(sum(counts) * (1 - apart) / apart)
            meetings.append(Meeting(None, None, 0, 0, 1, None, None, same))
        yield from _told(of_classes(meetings, alpha=_ALPHA), peek)


def _numbers(setting: Setting, draw: random.Random) -> Iterator[Run]:
    rows: list[tuple[float, float, float]] = []
    for peek in range(1, PEEKS + 1):
        for _ in range(LABELS // PEEKS):
            common = draw.lognormvariate(0, 1) * draw.choice((-1, 1))
            live, shadow = draw.gauss(common, 1), draw.gauss(common, 1)
            rows.append((live * setting.only_live, shadow * setting.only_shadow, 0.0))
        yield from _told(of_numbers(rows, alpha=_ALPHA), peek)


def _told(difference: PairedDifference, peek: int) -> Iterator[Run]:
    found = verdict(difference)
    if found != "undecided":
        yield Run(found, peek * LABELS // PEEKS)
