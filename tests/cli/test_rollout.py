"""`mlreg rollout`: what people see, what programs read, and how it ends."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from mlreg.registry import Registry
from tests.cli.conftest import Run

PLAN = ("--steps", "10,100", "--interval", "0", "--bake", "0", "--min-samples", "5")
SURE = ("--check", "error_rate <= 5% sure")


@pytest.fixture
def rolling(serving: Run, serving_registry: Registry) -> Run:
    """2.0.0 serves nobody yet."""
    serving_registry.traffic.activate("sentiment@1.0.0")
    return serving


@pytest.fixture
def answered(serving_registry: Registry) -> Callable[..., None]:
    """Live answers of 2.0.0, or failures."""

    def answer(count: int, **said: str) -> None:
        row = {"version": "2.0.0", "latency_ms": 1.0, **(said or {"output": "positive"})}
        serving_registry.predictions.record_many([row] * count, model="sentiment")

    return answer


def test_a_rollout_is_started_followed_and_completed(
    rolling: Run, answered: Callable[..., None]
) -> None:
    started = rolling("rollout", "start", "sentiment@2.0.0", *PLAN, *SURE)
    assert started.code == 0, started.err
    assert "sentiment#1: sentiment@2.0.0 by canary, progressing at 10 %" in started.out
    assert "sentiment@2.0.0       -  →  10 %" in started.out
    for did in ("rollout.advance", "rollout.complete"):
        answered(10)
        assert rolling("tick", "--field", "decisions.what").out == f"{did}\n"
    shown = rolling("rollout", "status", "sentiment", "--json").json
    assert (shown["state"], shown["step"], shown["strategy"]) == ("completed", 1, "canary")
    assert [step["verdict"] for step in shown["steps"]] == ["pass", "pass"]
    assert shown["checks"][0]["finding"]["condition"] == "error_rate <= 5% sure"
    assert rolling("rollout", "status", "--wait").code == 0
    listed = rolling("rollout", "list", "sentiment", "--json").json["rollouts"]
    assert [one["rollout_id"] for one in listed] == ["sentiment#1"]
    assert "checks:" in rolling("rollout", "show", "sentiment#1").out


def test_an_aborted_rollout_is_told_with_what_broke_it(
    rolling: Run, answered: Callable[..., None]
) -> None:
    rolling("rollout", "start", "sentiment@2.0.0", *PLAN, *SURE)
    answered(20, error="no")
    ended = rolling("rollout", "status", "--tick", "--timeout", "1s")
    assert ended.code == 10
    assert "error_rate is 100%" in ended.out
    assert "the rollout sentiment#1 is aborted" in ended.err


def test_whoever_waits_for_a_person_is_told_that_it_is_undecided(rolling: Run) -> None:
    rolling("rollout", "start", "sentiment@2.0.0", *PLAN, "--no-checks")
    assert rolling("rollout", "pause", "--field", "state").out == "paused\n"
    waited = rolling("rollout", "status", "--wait")
    assert (waited.code, "somebody has to resume it" in waited.err) == (11, True)
    assert rolling("rollout", "resume", "--field", "state").out == "progressing\n"
    assert rolling("rollout", "status", "--wait", "--timeout", "0.1s").code == 11


def test_the_policy_says_what_the_command_does_not(rolling: Run, tmp_path: Path) -> None:
    (tmp_path / "mlreg.toml").write_text(
        '[model.sentiment.rollout]\nsteps = [5, 100]\nbake = "2h"\nchecks = []\n'
    )
    assert rolling("apply", "-f", "mlreg.toml").code == 0
    plan = rolling("rollout", "lint", "sentiment@2.0.0", "--bake", "3h", "--json").json["plan"]
    assert (plan["steps"], plan["bake_seconds"], plan["checks"]) == ([5, 100], 10800, [])


def test_probes_are_read_line_by_line(rolling: Run, tmp_path: Path) -> None:
    (tmp_path / "probes.txt").write_text('great product\n\n{"input": "hate it", "label": 7}\n')
    ended = rolling(
        "rollout", "start", "sentiment@2.0.0", "--strategy", "blue-green", "--probe", "probes.txt"
    )
    assert ended.code == 10
    assert "answers probe 2 of 2 with" in ended.err


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("start",), 2, "which version?"),
        (("start", "sentiment@9.0.0"), 3, "9.0.0"),
        (("start", "sentiment@1.0.0"), 4, "serves already"),
        (("start", "sentiment@2.0.0", "--steps", "50,10,100"), 2, "the steps do not rise"),
        (("start", "sentiment@2.0.0", "--steps", "50,110"), 2, "between 0 and 100"),
        (("start", "sentiment@2.0.0", "--steps", ""), 2, "not a percentage"),
        (("start", "sentiment@2.0.0", "--interval", "soon"), 2, "interval"),
        (("start", "sentiment@2.0.0", "--min-samples", "0"), 2, "at least 1"),
        (("start", "sentiment@2.0.0", "--check", "error_rate"), 2, "not a check"),
        (("start", "sentiment@2.0.0", "--check", "mae <= 5 sure", "--no-checks"), 2, "exclude"),
        (("start", "sentiment@2.0.0", "--probe", "nowhere"), 2, "cannot be read"),
        (("start", "sentiment@2.0.0", "--approver", "maria"), 2, "no step waits"),
        (("start", "sentiment@2.0.0", "--strategy", "ab", "--metric", "tone"), 2, "tone"),
        (("status", "other"), 3, "no model other"),
        (("status", "sentiment#7"), 3, "no rollout sentiment#7"),
        (("abort",), 3, "has had no rollout"),
        (("simulate", "--since", "1h"), 2, "nothing of sentiment was logged"),
        (("simulate", "-f", "nowhere.toml"), 2, "cannot be read"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_clear_message(
    rolling: Run, arguments: tuple[str, ...], code: int, said: str
) -> None:
    refused = rolling("rollout", *arguments)
    assert (refused.code, refused.out) == (code, "")
    assert said in refused.err
    assert rolling("rollout", "list", "--json").json == {"rollouts": []}
