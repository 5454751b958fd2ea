"""The self-test: simulated tests on users whom the real routing splits and the real store logs.

A temporary registry routes and logs some users. On their log many tests are replayed: who is in
which arm comes from the log, what happened to them from a seeded generator. Rates are powers of
two and their sums, so that a random integer of n bits holds n exact outcomes.
"""

from __future__ import annotations

import math
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from random import Random
from time import perf_counter
from typing import NamedTuple

from mlreg.entities.predictions import Feedback
from mlreg.entities.selftests import Check, SelfTest, Sign
from mlreg.evidence.planning import Design, plan
from mlreg.registry import Registry, init_registry
from mlreg.selftest.experiments import PEEKS, Found, Setting, simulate
from mlreg.services.answers import Request
from mlreg.stats import always_valid, group_sequential
from mlreg.stats.distributions import binomial_cdf, binomial_tail, normal_upper
from mlreg.stats.evidence import Evidence, proportion_evidence
from mlreg.stats.proportions import pooled_z

SEED = 20_261
ALPHA, POWER = 0.05, 0.8
CONTROL_RATE, TREATMENT_RATE = 4 / 32, 5 / 32
RUNS, QUICK_RUNS = 4000, 1000
EXPERIMENTS, QUICK_EXPERIMENTS = 20, 7
OTHER_PROCESS_USERS = 500
# More users than a simulated test needs show a smaller error of the split.
CROWD = 10

EFFECT = TREATMENT_RATE - CONTROL_RATE

# A right figure leaves bounds this many standard errors wide once in 30 000 runs.
SLACK = 4
RARE = 1 / 30_000
# The naive rule must be seen to fail, or the simulation could not see a failure at all.
CAUGHT = 0.20

_MODEL = "selftest"
_ALL = 10**6
_ARMS = ("1.0.0", "2.0.0")
_ASK = """
import sys, mlreg
with mlreg.open(sys.argv[1]) as registry:
    for unit in sys.stdin.read().split():
        print(registry.traffic.explain(None, unit).version)
"""

Progress = Callable[[int], None]
Rule = Callable[[int, "Table"], bool]


class Table(NamedTuple):
    """Successes and units of both arms at a look."""

    successes_c: int
    n_c: int
    successes_t: int
    n_t: int


def run(*, is_quick: bool = False, seed: int = SEED, progress: Progress | None = None) -> SelfTest:
    """Run all checks.

    Args:
        is_quick: Fewer simulated tests, and wider bounds for it.
        seed: Of the outcomes; the split is drawn anew each time, as in life.
        progress: Called with the number of simulated tests that are done.
    """
    started, random = perf_counter(), Random(seed)
    runs = QUICK_RUNS if is_quick else RUNS
    planned = _planned_units()
    users = [f"user-{number}" for number in range(planned * (1 if is_quick else CROWD))]
    with (
        tempfile.TemporaryDirectory(prefix="mlreg-selftest-") as folder,
        init_registry(folder, actor="selftest") as registry,
    ):
        arms = _route(registry, users)
        checks = [
            *_split_checks(arms, users),
            _label_check(registry, random),
            *_stickiness(registry, Path(folder), arms, users),
        ]
    sequence = [arms[user] == _ARMS[1] for user in users[:planned] if user in arms]
    checks += _error_rates(sequence, random, runs, progress or _ignore)
    checks += _experiments(
        QUICK_EXPERIMENTS if is_quick else EXPERIMENTS, seed, progress or _ignore
    )
    return SelfTest(
        seed=seed,
        users=len(users),
        runs=runs,
        looks=PEEKS,
        seconds=perf_counter() - started,
        checks=tuple(checks),
    )


def _ignore(count: int) -> None:  # it stands for a callback
    """Nobody wants to know."""


def units_done(*, is_quick: bool) -> int:
    """How many simulated tests a run reports to `progress` in all."""
    if is_quick:
        return 2 * (QUICK_RUNS + QUICK_EXPERIMENTS)
    return 2 * (RUNS + EXPERIMENTS)


def _planned_units() -> int:
    design = Design(baseline=CONTROL_RATE, mde=EFFECT)
    return next(m.total for m in plan(design).modes if m.mode == "group-sequential")


# --- routing and store -----------------------------------------------------------------------


def _route(registry: Registry, users: Sequence[str]) -> dict[str, str]:
    """Answer each user once; returns who was answered by which version, as the log has it."""
    from mlreg.artifacts.samples import constant_model

    for version in _ARMS:
        registry.versions.register(f"{_MODEL}@{version}", constant_model("yes"))
    registry.traffic.route(_MODEL, dict.fromkeys(_ARMS, 50.0), strategy="sticky")
    requests = (Request([1.0], unit=user) for user in users)
    for _ in registry.predictions.predict_many(requests, model=_MODEL):
        pass
    return {row.unit: row.model_version for row in registry.predictions.log(limit=_ALL) if row.unit}


def _split_checks(arms: dict[str, str], users: Sequence[str]) -> Iterator[Check]:
    share = sum(version == _ARMS[1] for version in arms.values()) / len(users)
    yield Check(
        check="logged",
        figure=len(users) - len(arms),
        sign="<=",
        bound=0,
        unit="count",
        detail="users whose answer is not in the log",
    )
    yield Check(
        check="split error",
        figure=abs(share - 0.5),
        sign="<=",
        bound=SLACK * math.sqrt(0.25 / len(users)),
        unit="share",
        detail=f"the treatment got {share:.1%} of {len(users):,} users, and 50 % were meant",
    )


def _label_check(registry: Registry, random: Random) -> Check:
    """Whether what is reported is what was recorded."""
    rows = registry.predictions.log(limit=_ALL)
    truth = {row.prediction_id: random.random() < CONTROL_RATE for row in rows}
    registry.feedback.record_many(
        Feedback(prediction_id=key, correct=correct) for key, correct in truth.items()
    )
    report = registry.performance.report(_MODEL)
    counted = sum(round((v.accuracy or 0) * v.labelled_count) for v in report.models)
    return Check(
        check="labels",
        figure=abs(counted - sum(truth.values())),
        sign="<=",
        bound=0,
        unit="count",
        detail=f"of {sum(truth.values()):,} right answers that the report does not count",
    )


def _stickiness(
    registry: Registry, folder: Path, arms: dict[str, str], users: Sequence[str]
) -> Iterator[Check]:
    some = users[:OTHER_PROCESS_USERS]
    found = _in_another_process(folder, some)
    yield _moved("sticky across processes", [arms[u] for u in some], found, "by another process")
    before = [arms[user] for user in users]
    registry.traffic.route(_MODEL, {_ARMS[0]: 80.0, _ARMS[1]: 20.0})
    after = _explained(registry, users)
    wrong = [a if a == _ARMS[1] else b for b, a in zip(before, after, strict=True)]
    yield _moved("sticky when weights change", before, wrong, "to the arm that lost traffic")
    registry.traffic.route(_MODEL, dict.fromkeys(_ARMS, 50.0))
    yield _moved("sticky when weights return", before, _explained(registry, users), "for good")


def _explained(registry: Registry, users: Sequence[str]) -> list[str]:
    return [registry.traffic.explain(_MODEL, user).version for user in users]


def _in_another_process(folder: Path, users: Sequence[str]) -> list[str]:
    return subprocess.run(
        [sys.executable, "-c", _ASK, str(folder)],
        input=" ".join(users),
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()


def _moved(check: str, before: Sequence[str], after: Sequence[str], how: str) -> Check:
    moved = sum(one != other for one, other in zip(before, after, strict=True))
    detail = f"of {len(before):,} users moved {how}"
    return Check(check=check, figure=moved, sign="<=", bound=0, unit="count", detail=detail)


# --- whole experiments -----------------------------------------------------------------------


def _experiments(runs: int, seed: int, progress: Progress) -> Iterator[Check]:
    """Few, but whole: each look folds the log, judges it and writes a receipt."""
    alike = Setting(CONTROL_RATE, 50, _planned_units(), "group-sequential", EFFECT)
    found: list[list[Found]] = []
    for setting in (alike, alike._replace(effect=EFFECT)):
        found.append([])
        for one in simulate(setting, runs, seed):
            found[-1].append(one)
            progress(1)
    false, true = (sum(one.crossed for one in group) for group in found)
    wrong = sum(not one.agrees for group in found for one in group)
    detail = f"of {runs} whole experiments without effect, {PEEKS} peeks each"
    most = next(k for k in range(runs + 1) if binomial_tail(k, runs, ALPHA) < RARE)
    yield _counted("false winners, analyze", false, "<=", most, detail)
    sure = [k for k in range(1, runs + 1) if binomial_cdf(k - 1, runs, POWER) < RARE]
    least = max(sure, default=0)
    detail = f"of {runs} whole experiments with the planned effect are found"
    yield _counted("winners, analyze", true, ">=", least, detail)
    detail = f"of {2 * runs} experiments whose receipts do not follow from the log"
    yield _counted("receipts, analyze", wrong, "<=", 0, detail)


def _counted(check: str, figure: int, sign: Sign, bound: int, detail: str) -> Check:
    return Check(check=check, figure=figure, sign=sign, bound=bound, unit="count", detail=detail)


# --- error rates -----------------------------------------------------------------------------


def _error_rates(
    sequence: Sequence[bool], random: Random, runs: int, progress: Progress
) -> Iterator[Check]:
    rules = {
        "naive": _naive,
        "group-sequential": _group_sequential(len(sequence)),
        "always-valid": _always_valid(len(sequence)),
    }
    sizes = _sizes(sequence)
    null = _stopped(rules, sizes, random, (_rare, _rare), runs, progress)
    real = _stopped(rules, sizes, random, (_rare, _less_rare), runs, progress)
    yield _rate("false winners, naive rule", null["naive"], ">=", CAUGHT, "is caught when it peeks")
    level = ALPHA + SLACK * math.sqrt(ALPHA * (1 - ALPHA) / runs)
    for mode in ("group-sequential", "always-valid"):
        detail = f"of {runs:,} tests without effect, {PEEKS} peeks each"
        yield _rate(f"false winners, {mode}", null[mode], "<=", level, detail)
    least = POWER - SLACK * math.sqrt(POWER * (1 - POWER) / runs)
    detail = f"of {runs:,} tests with the planned effect are found"
    yield _rate("power, group-sequential", real["group-sequential"], ">=", least, detail)


def _rate(check: str, share: float, sign: Sign, bound: float, detail: str) -> Check:
    return Check(check=check, figure=share, sign=sign, bound=bound, unit="share", detail=detail)


def _sizes(sequence: Sequence[bool]) -> list[tuple[int, int]]:
    """New units of control and treatment at each look."""
    ends = [round(look * len(sequence) / PEEKS) for look in range(PEEKS + 1)]
    treated = [sum(sequence[first:last]) for first, last in pairwise(ends)]
    return [(b - a - t, t) for (a, b), t in zip(pairwise(ends), treated, strict=True)]


def _stopped(
    rules: dict[str, Rule],
    sizes: Sequence[tuple[int, int]],
    random: Random,
    draws: tuple[Callable[[Random, int], int], Callable[[Random, int], int]],
    runs: int,
    progress: Progress,
) -> dict[str, float]:
    """The share of simulated tests that each rule stops at any look."""
    stops = dict.fromkeys(rules, 0)
    for _ in range(runs):
        tables = list(_tables(sizes, random, draws))
        for name, rule in rules.items():
            stops[name] += any(rule(look, table) for look, table in enumerate(tables))
        progress(1)
    return {name: count / runs for name, count in stops.items()}


def _tables(
    sizes: Sequence[tuple[int, int]],
    random: Random,
    draws: tuple[Callable[[Random, int], int], Callable[[Random, int], int]],
) -> Iterator[Table]:
    x_c = n_c = x_t = n_t = 0
    for fresh_c, fresh_t in sizes:
        x_c, n_c = x_c + draws[0](random, fresh_c), n_c + fresh_c
        x_t, n_t = x_t + draws[1](random, fresh_t), n_t + fresh_t
        yield Table(x_c, n_c, x_t, n_t)


def _rare(random: Random, n: int) -> int:
    """How many of n have a success of probability 1/8."""
    bits = random.getrandbits
    return (bits(n) & bits(n) & bits(n)).bit_count() if n else 0


def _less_rare(random: Random, n: int) -> int:
    """The same of 1/4 * (1/2 + 1/8)."""
    bits = random.getrandbits
    return (bits(n) & bits(n) & (bits(n) | bits(n) & bits(n))).bit_count() if n else 0


def _naive(look: int, table: Table) -> bool:  # noqa: ARG001  # a rule like the others
    return abs(pooled_z(*table) or 0.0) >= normal_upper(ALPHA / 2)


def _group_sequential(total: int) -> Rule:
    boundaries: list[float | None] = []
    passed: tuple[float, ...] = ()
    for look in range(1, PEEKS + 1):
        step = group_sequential.plan_look(passed, round(look * total / PEEKS) / total)
        passed = step.looks
        boundaries.append(step.boundary if step.is_decision_point else None)

    def rule(look: int, table: Table) -> bool:
        boundary = boundaries[look]
        return boundary is not None and _exceeds(proportion_evidence(*table), boundary)

    return rule


def _always_valid(total: int) -> Rule:
    def rule(look: int, table: Table) -> bool:  # noqa: ARG001  # a rule like the others
        evidence = proportion_evidence(*table)
        return _exceeds(evidence, always_valid.boundary(evidence.n, tuning_n=total))

    return rule


def _exceeds(evidence: Evidence, boundary: float) -> bool:
    return evidence.z is not None and abs(evidence.z) >= boundary
