"""Experiments through the registry itself, with an effect or without one.

Each is created, started, fed through routing and the log, and looked at a hundred times by
`analyze`, as an impatient cron job does. `make calibrate` runs many of them.
"""

from __future__ import annotations

import math
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from mlreg.clock import DAY, now
from mlreg.entities.analyses import Analysis
from mlreg.entities.experiments import Draft, Mode
from mlreg.registry import Registry, init_registry
from mlreg.stats.distributions import normal_upper
from mlreg.stats.proportions import pooled_z

PEEKS = 100
CRITICAL = normal_upper(0.025)
_MINUTE = DAY // 24 // 60


class Setting(NamedTuple):
    """A kind of experiment.

    Attributes:
        rate: Of success, of all users; or the mean of their own rates.
        split: Percent of the treatment.
        units: Users, or requests of users who come back.
        returning: How many users make all the requests; 0 for one request each.
        effect: By how much the treatment's rate is higher.
        alike: How alike the rates of users who come back are: the two parameters of their Beta
            distribution sum to it; None for a first of 1, which leaves them as different as can be.
        spread: What a success is worth is log-normal, with this standard deviation of the
            logarithm, and decides; 0: successes do.
        other: Percent of a second treatment, which is as the control.
    """

    rate: float
    split: float
    units: int
    mode: Mode
    mde: float
    returning: int = 0
    effect: float = 0.0
    alike: float | None = None
    spread: float = 0.0
    other: float = 0.0

    @property
    def draft(self) -> Draft:
        """The experiment as it is asked for."""
        weights = {"1.0.0": 100 - self.split - self.other, "2.0.0": self.split, "3.0.0": self.other}
        versions = [version for version, weight in weights.items() if weight]
        worth = math.exp(self.spread**2 / 2) if self.spread else 1.0
        return Draft(
            control="m@1.0.0",
            treatments=[f"m@{version}" for version in versions[1:]],
            strategy="sticky",
            weights={f"m@{version}": weights[version] for version in versions},
            metric="value:worth" if self.spread else "success_rate",
            mode=self.mode,
            mde=self.mde,
            baseline=self.rate * worth,
        )


SETTINGS = {
    "group-sequential, 10 %, 50/50": Setting(0.1, 50, 2_000, "group-sequential", 0.04),
    "always-valid, 10 %, 50/50": Setting(0.1, 50, 2_000, "always-valid", 0.04),
    "group-sequential, 1 %, 90/10": Setting(0.01, 10, 10_000, "group-sequential", 0.01),
    "always-valid, 1 %, 90/10": Setting(0.01, 10, 10_000, "always-valid", 0.01),
    "group-sequential, users of 10 requests": Setting(
        0.1, 50, 4_000, "group-sequential", 0.05, returning=400
    ),
    "always-valid, users of 10 requests": Setting(
        0.1, 50, 4_000, "always-valid", 0.05, returning=400
    ),
    "group-sequential, 120 users of 20 requests": Setting(
        0.7, 50, 2_400, "group-sequential", 0.1, returning=120
    ),
    "always-valid, 120 users of 20 requests": Setting(
        0.7, 50, 2_400, "always-valid", 0.1, returning=120
    ),
    "group-sequential, 120 users of 20, better": Setting(
        0.7, 50, 2_400, "group-sequential", 0.1, returning=120, alike=10, effect=0.1
    ),
    "group-sequential, 60 users of one request": Setting(0.5, 50, 60, "group-sequential", 0.4),
    "group-sequential, 50/49/1": Setting(0.1, 49, 3_000, "group-sequential", 0.04, other=1),
    # Half of what finds a change by as much as the mean: no such test may be over by then.
    "half of the units, rare revenue": Setting(
        0.02, 50, 8_000, "group-sequential", 0.06, spread=1.5
    ),
}


class Found(NamedTuple):
    """What an experiment said at any of its looks.

    Attributes:
        crossed: It was significant.
        decided: Its verdict was to ship or to roll back.
        naive: |z| of the requests passed 1.96, which a test at a fixed level takes for a finding.
        agrees: Its receipts follow from themselves and from the log.
        shown: At a look that did not count, the interval left out zero, and no earlier one had.
        over: It had its final look.
    """

    crossed: bool
    decided: bool
    naive: bool
    agrees: bool
    shown: bool = False
    over: bool = False


class _Clock:
    """A clock that stands still until it is turned."""

    def __init__(self) -> None:
        self.at = now()

    def __call__(self) -> int:
        return self.at


def simulate(setting: Setting, runs: int, seed: int = 1) -> Iterator[Found]:
    """Run experiments of a setting one after the other."""
    random = Random(seed)
    with tempfile.TemporaryDirectory(prefix="mlreg-") as folder:
        init_registry(folder).close()
        clock = _Clock()
        with Registry(Path(folder, ".mlreg"), clock=clock) as registry:
            for version in ("1.0.0", "2.0.0", "3.0.0"):
                registry.versions.register(f"m@{version}")
            for run in range(runs):
                yield _experiment(registry, clock, setting, f"t{run}", random)


def _experiment(
    registry: Registry, clock: _Clock, setting: Setting, test_id: str, random: Random
) -> Found:
    experiments, external = registry.experiments, registry.external
    experiments.create(test_id, setting.draft)
    experiments.start(test_id)
    clock.at += 4 * DAY
    stream = _requests(setting, test_id, random)
    first = "treatment-1" if setting.other else "treatment"
    crossed = decided = naive = shown = over = False
    hits, sizes = Counter[str](), Counter[str]()
    for peek in range(1, PEEKS + 1):
        size = peek * setting.units // PEEKS - (peek - 1) * setting.units // PEEKS
        rows: list[dict[str, Any]] = []
        for unit, rate in (next(stream) for _ in range(size)):
            arm = external.assign(test_id, unit=unit).variant
            effect = setting.effect if arm == first else 0.0
            success = random.random() < rate + effect
            rows.append({"unit": unit, "variant": arm, **_outcome(setting, random, success)})
            hits[arm] += success
            sizes[arm] += 1
        external.record_many(test_id, rows)
        clock.at += _MINUTE
        look = experiments.analyze(test_id)
        z = pooled_z(hits["control"], sizes["control"], hits[first], sizes[first])
        shown |= not crossed and not look.is_decision_point and not _reaches_zero(look)
        crossed |= look.statistical_significance
        over |= look.is_final
        decided |= look.verdict in ("ship", "rollback")
        naive |= z is not None and abs(z) >= CRITICAL
        if crossed and setting.effect:
            break
    agrees = experiments.verify(test_id).agrees
    experiments.stop(test_id)
    return Found(crossed, decided, naive, agrees, shown, over)


def _outcome(setting: Setting, random: Random, success: bool) -> dict[str, Any]:
    """What is reported of a request: whether it succeeded, or what that was worth."""
    if not setting.spread:
        return {"success": success}
    worth = random.lognormvariate(0, setting.spread) if success else 0.0
    return {"success": True, "values": {"worth": worth}}


def _reaches_zero(look: Analysis) -> bool:
    """Whether every interval that is shown does."""
    limits = [primary.diff_ci for primary in look.primaries if primary.diff_ci]
    return all(low <= 0 <= high for low, high in limits)


def _requests(setting: Setting, test_id: str, random: Random) -> Iterator[tuple[str, float]]:
    """Users with their rate of success; those who come back have one of their own."""
    if not setting.returning:
        yield from ((f"{test_id}-{number}", setting.rate) for number in range(setting.units))
        return
    whole = setting.alike or 1 / setting.rate
    shape = setting.rate * whole, (1 - setting.rate) * whole
    rates = [random.betavariate(*shape) for _ in range(setting.returning)]
    for _ in range(setting.units):
        user = random.randrange(setting.returning)
        yield f"{test_id}-{user}", rates[user]
