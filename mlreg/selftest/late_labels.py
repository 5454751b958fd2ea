"""Experiments whose labels come late, through the registry itself: who is shipped?

Both versions are right in four of five answers, unless a setting says otherwise. `make calibrate`
runs many of each setting.
"""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import NamedTuple

from mlreg.clock import DAY, now
from mlreg.entities.experiments import Draft
from mlreg.entities.predictions import Feedback
from mlreg.registry import Registry, init_registry

RATE, MDE, A_DAY = 0.8, 0.05, 400


class Setting(NamedTuple):
    """How labels come.

    Attributes:
        window: Of the design; None: it is estimated.
        usual: Days that a label takes; a mean where they are spread out.
        late: The same for wrong answers of the treatment.
        spread: Whether the days are those of an exponential distribution.
        told: Share of the answers that get a label.
        told_late: The same for wrong answers of the treatment.
        effect: By how much the treatment is right more often.
        days: How long to look.
    """

    window: str | None = None
    usual: float = 1
    late: float = 1
    spread: bool = False
    told: float = 1.0
    told_late: float = 1.0
    effect: float = 0.0
    days: int = 12


SETTINGS = {
    "labels after a day": Setting(),
    "wrong ones of one after 8 days, window 14d": Setting("14d", late=8, days=24),
    "wrong ones of one after 8 days": Setting(late=8, days=16),
    "labels after 6 days on average": Setting(usual=6, late=6, spread=True, days=24),
    "labels after 6 days on average, window 14d": Setting(
        "14d", usual=6, late=6, spread=True, days=24
    ),
    "70 % labelled, of the wrong ones of one 60 %": Setting(told=0.7, told_late=0.6),
    "labels after a day, 5 points better": Setting(effect=MDE),
    "labels after 6 days on average, window 14d, 5 points better": Setting(
        "14d", usual=6, late=6, spread=True, effect=MDE, days=24
    ),
}


class _Clock:
    """A clock that stands still until it is turned."""

    def __init__(self) -> None:
        self.at = now()

    def __call__(self) -> int:
        return self.at


def simulate(setting: Setting, runs: int, seed: int = 1) -> Iterator[tuple[str, bool]]:
    """The verdict that ended each experiment, and whether it says on what missing labels it rests.

    Yields:
        `ship`, `rollback` or what the last look said, and whether a tipping point was named.
    """
    random = Random(seed)
    with tempfile.TemporaryDirectory(prefix="mlreg-") as folder:
        init_registry(folder).close()
        clock = _Clock()
        with Registry(Path(folder, ".mlreg"), clock=clock) as registry:
            for version in ("1.0.0", "2.0.0"):
                registry.versions.register(f"m@{version}")
            for run in range(runs):
                yield _experiment(registry, clock, setting, f"t{run}", random)


def _experiment(
    registry: Registry, clock: _Clock, setting: Setting, test_id: str, random: Random
) -> tuple[str, bool]:
    experiments, external = registry.experiments, registry.external
    draft = Draft(
        control="m@1.0.0", treatments=["m@2.0.0"], metric="accuracy", baseline=RATE, mde=MDE,
        label_window=setting.window,
    )  # fmt: skip
    experiments.create(test_id, draft)
    experiments.start(test_id)
    due: dict[int, list[Feedback]] = defaultdict(list)
    verdict, is_told = "", False
    for day in range(setting.days):
        rows, first = [], registry.predictions.last_id() + 1
        for place in range(A_DAY):
            arm = external.assign(test_id).variant
            is_treated = arm == "treatment"
            is_right = random.random() < RATE + setting.effect * is_treated
            rows.append({"variant": arm, "output": 1})
            delay = _delay(setting, random, is_late=is_treated and not is_right)
            if delay is not None:
                label = Feedback(prediction_id=first + place, correct=is_right)
                due[day + max(1, round(delay))].append(label)
        external.record_many(test_id, rows)
        clock.at += DAY
        registry.feedback.record_many(due.pop(day + 1, []))
        look = experiments.analyze(test_id)
        verdict, is_told = look.verdict, look.primary.tipping_point is not None
        if verdict in ("ship", "rollback"):
            break
    experiments.stop(test_id)
    return verdict, is_told


def _delay(setting: Setting, random: Random, *, is_late: bool) -> float | None:
    """Days until the label of an answer comes; None: never."""
    if random.random() >= (setting.told_late if is_late else setting.told):
        return None
    days = setting.late if is_late else setting.usual
    return random.expovariate(1 / days) if setting.spread else days
