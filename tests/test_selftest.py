"""The self-test passes on sound code, and sees what it is there to see."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from mlreg import routing, selftest
from mlreg.cli.app import app

CHECK_KEYS = ["check", "figure", "sign", "bound", "unit", "passed", "detail"]


@pytest.mark.slow
@pytest.mark.process
def test_sound_code_passes_with_stable_keys(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, ["selftest", "--quick", "--json"])
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert list(found) == ["passed", "seed", "users", "runs", "looks", "seconds", "checks"]
    assert [list(check) for check in found["checks"]] == [CHECK_KEYS] * len(found["checks"])
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
@pytest.mark.process
def test_a_boundary_that_is_too_low_is_seen(monkeypatch):
    monkeypatch.setattr("mlreg.stats.always_valid.boundary", lambda n, **_: 1.96)
    monkeypatch.setattr(selftest, "QUICK_EXPERIMENTS", 1)  # they look at other boundaries
    done = CliRunner().invoke(app, ["selftest", "--quick"])
    assert done.exit_code == 10
    assert "error: out of bounds: false winners, always-valid" in done.stderr
    assert "✗  false winners, always-valid" in done.stdout


@pytest.mark.slow
@pytest.mark.process
def test_routing_that_is_not_sticky_is_seen(monkeypatch):
    monkeypatch.setattr(routing, "_stick", lambda table, unit: routing._at_random(table))
    monkeypatch.setattr(selftest, "QUICK_EXPERIMENTS", 1)  # whole experiments show nothing of it
    failed = [c.check for c in selftest.run(is_quick=True).checks if not c.passed]
    assert failed == [
        "sticky across processes",
        "sticky when weights change",
        "sticky when weights return",
    ]


@pytest.mark.slow
@pytest.mark.process
def test_the_same_seed_gives_the_same_labels(monkeypatch):
    monkeypatch.setattr(selftest, "QUICK_EXPERIMENTS", 1)
    one, other = (selftest.run(is_quick=True, seed=3).checks for _ in range(2))
    assert [c.detail for c in one if c.check == "labels"] == [
        c.detail for c in other if c.check == "labels"
    ]


def test_what_happens_to_users_has_the_planned_rates():
    from random import Random

    random = Random(1)
    assert selftest._rare(random, 80_000) / 80_000 == pytest.approx(4 / 32, abs=0.006)
    assert selftest._less_rare(random, 80_000) / 80_000 == pytest.approx(5 / 32, abs=0.006)
