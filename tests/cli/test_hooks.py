"""`mlreg hook`, as it is typed and read."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.receiving import answering, receiver


@pytest.fixture(autouse=True)
def loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLREG_ALLOW_HOSTS", "127.0.0.1")


def test_all_that_follows_exec_is_the_programs(mlreg: Run):
    added = mlreg(
        "hook", "add", "rollback", "abtest.*", "--name", "pager", "--json",
        "--exec", "true", "--urgent", "--json", "-m", "x",
    ).json  # fmt: skip
    assert added["events"] == ["rollback", "abtest.*"]
    assert added["target"].split(" ", 1)[1] == "--urgent --json -m x"
    assert mlreg("hook", "list", "--field", "hooks.name").out == "pager\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("rollback",), "a hook tells one program, address or channel"),
        (("rollback", "--exec"), "requires an argument"),
        (("--exec", "true"), "missing argument 'EVENT...'"),
        (("rolback", "--exec", "true"), "did you mean rollback"),
        (("rollback", "--url", "env:U", "--notify", "env:N"), "a hook tells one"),
        (("rollback", "--secret-env", "S", "--exec", "true"), "only what is sent to an address"),
        (("rollback", "--url", "gopher://x/"), "http:// or https://"),
        (("rollback", "--url", "http://10.0.0.1/"), "mlreg config allow_hosts 10.0.0.1"),
        (("rollback", "--timeout", "6m", "--exec", "true"), "an attempt may take"),
        (("rollback", "--timeout", "soon", "--exec", "true"), "is not a duration"),
        (("rollback", "-m", "nothing", "--exec", "true"), "there is no model"),
        (("rollback", "--name", "a b", "--exec", "true"), "cannot be the name of a hook"),
        (("rollback", "--exec", "./nothing"), "there is no program ./nothing"),
    ],
)
def test_what_cannot_be_is_one_error_and_adds_nothing(mlreg: Run, words: tuple[str], said: str):
    outcome = mlreg("hook", "add", *words)
    assert outcome.code in (2, 3)
    assert said in outcome.err
    assert mlreg("hook", "list", "--json").json == {"hooks": []}


def test_a_delivery_is_seen_from_its_failure_to_its_end(serving: Run):
    with receiver(answering(500)) as found:
        assert (
            "hook-1 is told of route: url http://"
            in serving(
                "hook", "add", "route", "--url", found.url("/hunter2"), "--secret-env", "NOT_SET"
            ).out
        )
        serving("route", "sentiment", "1.0.0=100")
        assert "1 message would be sent" in serving("hook", "deliver", "--dry-run").out
        assert "NOT_SET is not set here" in serving("hook", "deliver").out
        assert found.requests == []
        (failed,) = serving("hook", "deliveries", "--failed", "--json").json["deliveries"]
        assert (failed["state"], failed["attempts"]) == ("pending", 1)
        told = serving("hook", "deliveries", "--redeliver", failed["delivery_id"])
        assert "hook-1 is told of event" in told.out
        assert "hunter2" not in serving("hook", "list").out + serving("audit", "--json").out
        assert "0 delivered, 1 to be tried again" in serving("tick").out
        assert serving("hook", "remove", "hook-1").out == "hook-1 is removed\n"
        assert serving("hook", "deliveries").out == "no deliveries\n"
        assert serving("hook", "deliveries", "hook-1").code == 3


@pytest.mark.process
def test_a_test_shows_what_was_answered_and_has_an_exit_code(mlreg: Run):
    for code in (0, 3):
        script = f"print('I am told', end=''); raise SystemExit({code})"
        name = f"exits-{code}"
        mlreg("hook", "add", "rollback", "--name", name, "--exec", sys.executable, "-c", script)
        outcome = mlreg("hook", "test", name)
        assert outcome.code == (10 if code else 0)
        assert "  I am told" in outcome.out
        assert f"exit code {code}" in outcome.out
    assert mlreg("hook", "test", "exits-3", "--json").json["answer"] == "I am told"


def test_hooks_can_be_read_where_nothing_can_be_written(mlreg: Run, tmp_path: Path):
    mlreg("hook", "add", "rollback", "--exec", "true")
    for verb in ("list", "deliveries"):
        assert mlreg("hook", verb).code == 0
    assert mlreg("hook", "deliver").out == "nothing is due\n"


def test_doctor_says_who_is_not_told(mlreg: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    assert finding(mlreg)["state"] == "ok"
    mlreg("hook", "add", "hook.*", "--name", "one", "--url", "env:NOT_SET")
    mlreg("hook", "add", "rollback", "--name", "two", "--exec", "true")
    mlreg("hook", "deliver")
    assert finding(mlreg)["state"] == "ok"  # it failed, and will be tried again
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "other"))
    found = finding(mlreg)
    assert found["state"] == "warning"
    assert "one is not delivered by this user" in found["detail"]


def finding(mlreg: Run) -> dict[str, str]:
    findings = mlreg("doctor", "--quick", "--json").json["findings"]
    return next(one for one in findings if one["check"] == "hooks")
