"""What mlreg does by itself, from the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Run


@pytest.fixture
def fired(serving: Run) -> Run:
    """An alert that rolled back, as confidence can never be that low."""
    serving("activate", "sentiment@2.0.0")
    serving("threshold", "set", "avg_confidence <= 1% over 1h", "--action", "rollback")
    serving("predict", "great")
    assert serving("tick", "--field", "decisions.what").out.split() == [
        "alert.firing", "rollback", "alert.resolved",
    ]  # fmt: skip
    return serving


def test_an_alert_is_listed_shown_and_told_of(fired: Run):
    assert fired("alerts").out == "no alert is pending or firing\n"
    assert "sentiment@2.0.0" in fired("alerts", "--history").out
    assert "made revision" in fired("alerts", "show", "1").out
    story = fired("why", "alert", "1").out
    assert "decided rollback on sentiment/avg_confidence@2.0.0" in story
    assert "by activate of" in fired("why", "decision", "2").out
    assert fired("tick").out == "nothing is due\n"


def test_what_is_over_cannot_be_acknowledged(fired: Run):
    refused = fired("alerts", "ack", "1")
    assert (refused.code, "the alert 1 is over" in refused.err) == (4, True)


def test_a_policy_goes_out_as_a_file_and_comes_in_again(fired: Run, tmp_path: Path):
    text = fired("policy", "show", "--toml").out
    assert text.startswith("[[model.sentiment.thresholds]]\nname = ")
    (tmp_path / "mlreg.toml").write_text(text)
    assert "nothing to change" in fired("apply", "--dry-run", "--fail-on-change").out
    (tmp_path / "mlreg.toml").write_text(text.replace("rollback", "alert"))
    changed = fired("apply", "--dry-run", "--fail-on-change")
    assert (changed.code, "~ threshold avg_confidence" in changed.out) == (10, True)
    assert fired("apply", "--expect-policy", "7").code == 4
    assert fired("apply", "--json").json["changed"] is True
    assert "policy 1 -> 2" in fired("policy", "diff").out
    assert fired("policy", "history", "--field", "policies.policy").out == "2\n1\n"


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ("threshold set sentiment", 2, "sentiment is not a condition"),
        ("threshold set nobody 'x'", 2, "'x' is not a condition"),
        ("threshold remove sentiment nosuch", 3, "there is no threshold nosuch"),
        ("threshold defaults --action explode", 2, "explode"),
        ("alerts silence", 2, "for how long?"),
        ("alerts silence --for 0s", 2, "between a moment and ten years"),
        ("alerts --active --history", 2, "exclude one another"),
        ("why decision", 2, "which one?"),
        ("why decision 99", 3, "there is no decision 99"),
        ("apply -f nosuch.toml", 2, "nosuch.toml cannot be read"),
        ("policy show --number 9", 3, "has no policy 9"),
        ("policy show --toml --json", 2, "--toml goes without"),
        ("tick nobody", 3, "there is no model nobody"),
    ],
)
def test_what_is_wrong_is_one_clear_error(serving: Run, words: str, code: int, said: str):
    found = serving(*words.split())
    assert (found.code, said in found.err) == (code, True), found.err
