"""Reports on versions that do not differ, or do: through routing, log, feedback and `perf`.

`make calibrate` runs many of them; what a report ships of equal versions is a false verdict.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import NamedTuple

from mlreg.artifacts.samples import constant_model
from mlreg.clock import DAY, now
from mlreg.entities.predictions import Feedback
from mlreg.entities.traffic import Strategy
from mlreg.registry import Registry, init_registry
from mlreg.services.answers import Request


class Stage(NamedTuple):
    """A week.

    Attributes:
        percent: Of the newer version.
        rate: Of right answers, of both versions.
    """

    percent: float
    rate: float = 0.8
    requests: int = 800


class Setting(NamedTuple):
    """What happens before somebody asks for a report.

    Attributes:
        users: How many make all the requests, each with a rate of its own; 0: no users.
        effect: By how much more of the newer version's answers are right.
        covered: The share of answers that get a label.
        labelled: Of these, the share that is left of the newer version's wrong ones.
        failing: The share of requests that fail.
    """

    stages: tuple[Stage, ...]
    strategy: Strategy = "random"
    users: int = 0
    effect: float = 0.0
    labelled: float = 1.0
    covered: float = 1.0
    failing: float = 0.0


SETTINGS = {
    "weeks apart, the second one easier": Setting((Stage(0, 0.80), Stage(100, 0.85))),
    "ramp 10 to 50 %, the second week easier": Setting((Stage(10, 0.70), Stage(50, 0.85))),
    "wrong answers of one version labelled in 40 %": Setting((Stage(50),), labelled=0.4),
    "wrong answers of one version labelled in 90 %": Setting((Stage(50),), labelled=0.9),
    "sticky, 200 users who come back": Setting((Stage(50),), "sticky", users=200),
    "sticky, 90/10, 500 users": Setting((Stage(10, requests=2_000),), "sticky", users=500),
    "sticky ramp 10 to 50 %, 300 users": Setting(
        (Stage(10, 0.7), Stage(50, 0.85)), "sticky", users=300
    ),
    "equal, 50/50": Setting((Stage(50),)),
    "equal, 50/50, 5 % fail": Setting((Stage(50),), failing=0.05),
    "equal, 50/50, half labelled": Setting((Stage(50),), covered=0.5),
    "8 points better": Setting((Stage(50),), effect=0.08),
    "8 points better, 5 % fail": Setting((Stage(50),), effect=0.08, failing=0.05),
    "8 points better, ramp without drift": Setting((Stage(10), Stage(50)), effect=0.08),
}


class _Clock:
    """A clock that stands still until it is turned."""

    def __init__(self) -> None:
        self.at = now()

    def __call__(self) -> int:
        return self.at


def simulate(setting: Setting, runs: int, seed: int = 1) -> Iterator[tuple[str, str | None]]:
    """The verdict and the baseline of one report after another."""
    random = Random(seed)
    with tempfile.TemporaryDirectory(prefix="mlreg-") as folder:
        init_registry(folder).close()
        clock = _Clock()
        with Registry(Path(folder, ".mlreg"), clock=clock) as registry:
            for run in range(runs):
                for version in ("1.0.0", "2.0.0"):
                    registry.versions.register(f"m{run}@{version}", constant_model("yes"))
                for week, stage in enumerate(setting.stages):
                    _live(registry, setting, stage, f"m{run}", random, is_first=week == 0)
                    clock.at += 7 * DAY
                report = registry.performance.report(f"m{run}")
                yield report.verdict, report.baseline


def _live(
    registry: Registry, setting: Setting, stage: Stage, name: str, random: Random, *, is_first: bool
) -> None:
    if is_first:
        registry.traffic.activate(f"{name}@1.0.0")
    if stage.percent == 100:
        registry.traffic.activate(f"{name}@2.0.0")
    elif stage.percent:
        newer = f"{name}@2.0.0"
        registry.traffic.activate(newer, percent=stage.percent, strategy=setting.strategy)
    users = Random(name)
    easy = [users.betavariate(5 * stage.rate, 5 * (1 - stage.rate)) for _ in range(setting.users)]
    asks = [random.randrange(setting.users) if easy else None for _ in range(stage.requests)]
    requests = [
        Request(
            "unfit" if random.random() < setting.failing else [0.0],
            unit=None if user is None else f"{name}-{user}",
        )
        for user in asks
    ]
    said = []
    for user, answer in zip(
        asks, registry.predictions.predict_many(requests, model=name), strict=True
    ):
        is_newer = answer.model_version == "2.0.0"
        rate = (stage.rate if user is None else easy[user]) + setting.effect * is_newer
        is_right = random.random() < rate
        share = setting.covered * (setting.labelled if is_newer and not is_right else 1.0)
        if answer.error is None and random.random() < share:
            said.append(Feedback(prediction_id=answer.prediction_id, correct=is_right))
    registry.feedback.record_many(said)
