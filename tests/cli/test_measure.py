"""perf, config, doctor."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlreg.registry import Registry
from tests.cli.conftest import Run


@pytest.fixture
def measured(serving: Run, serving_registry: Registry) -> Run:
    """Run `mlreg` where both versions have answered and have labels."""
    halves = {"1.0.0": 50, "2.0.0": 50}
    serving_registry.traffic.route("sentiment", halves, strategy="round-robin")
    for _ in range(20):
        answer = serving_registry.predictions.predict("great", segment={"country": "de"})
        assert answer.prediction_id is not None
        serving_registry.feedback.record(answer.prediction_id, "positive", values={"rating": 4})
    return serving


def test_perf_shows_rates_with_intervals_and_a_verdict(measured: Run) -> None:
    shown = measured("perf").out
    assert "100.0 % [72.2, 100.0]" in shown
    assert "rating" in shown
    assert shown.splitlines()[-1].startswith("Too little evidence: ")
    assert max(map(len, shown.splitlines())) <= 110


def test_perf_as_json_has_the_numbers(measured: Run) -> None:
    report = measured("perf", "sentiment", "--baseline", "1.0.0", "--json").json
    assert [m["request_count"] for m in report["models"]] == [10, 10]
    assert report["models"][0]["accuracy"] == 1.0
    assert report["baseline"] == "1.0.0"
    assert {c["metric"] for c in report["comparisons"]} >= {"accuracy", "error_rate"}


def test_perf_by_segment_has_a_line_for_each_value(measured: Run) -> None:
    assert "de" in measured("perf", "--by", "segment:country").out
    assert measured("perf", "--by", "country").code == 2


def test_a_condition_that_holds_ends_with_10_after_the_report(measured: Run) -> None:
    failed = measured("perf", "--fail-if", "accuracy > 50%", "--json")
    assert (failed.code, failed.json["model"]) == (10, "sentiment")
    assert '"code": "check_failed"' in failed.err
    assert [found["state"] for found in failed.json["findings"]] == ["fail"] * 2
    assert failed.json["findings"][0]["condition"] == "accuracy <= 50%"
    assert measured("perf", "--fail-if", "accuracy < 50%").code == 0
    assert measured("perf", "--fail-if", "mood > 1").code == 2


def test_conditions_end_with_the_code_of_the_worst_of_them(measured: Run) -> None:
    def code(*conditions: str) -> int:
        return measured("perf", *(part for c in conditions for part in ("--fail-if", c))).code

    assert code("cost_per_request > 1") == 11
    assert code("cost_per_request > 1", "accuracy > 50%") == 10
    assert code("error_rate > 5%", "cost_per_request > 1") == 11
    assert code("error_rate > 5% min 10") == 0
    assert code("error_rate > 5% min 11") == 11
    assert code("error_rate > 5% over 10 predictions", "accuracy < baseline - 100pt") == 2
    assert code("error_rate > 5% for 10m") == 2


def test_a_condition_that_cannot_be_read_is_pointed_at_in_the_line_below(measured: Run) -> None:
    error, hint = measured("perf", "--fail-if", "accuracy >= 80").err.splitlines()
    assert error.startswith("error: accuracy >= 80 is not a condition: ")
    assert hint.index("^") == error.index("80")


@pytest.mark.parametrize("since", ["yesterday", "2026-13-01", "-1h", "", "1e9d"])
def test_a_window_that_cannot_be_read_is_refused(measured: Run, since: str) -> None:
    assert measured("perf", f"--since={since}").code == 2


def test_an_empty_window_is_said_kindly(measured: Run) -> None:
    for version in ("1.0.0", "2.0.0"):
        measured("deactivate", f"sentiment@{version}", "--yes")
    assert "no predictions in this time" in measured("perf", "--until", "2020-01-01").out


def test_compare_shows_live_results_too(measured: Run) -> None:
    shown = measured("compare", "sentiment@1.0.0", "sentiment@2.0.0").out
    assert "accuracy" in shown
    assert "Too little evidence: " in shown


def test_config_shows_origins_and_changes_the_file(
    mlreg: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert mlreg("config", "timeout").out == "30.0\n"
    assert mlreg("config", "timeout", "5").out == "5.0\n"
    settings = {s["name"]: s for s in mlreg("config", "--json").json["settings"]}
    assert settings["timeout"]["origin"] == "config.toml"
    monkeypatch.setenv("MLREG_TIMEOUT", "7")
    assert mlreg("config", "timeout", "--field", "origin").out == "MLREG_TIMEOUT\n"
    monkeypatch.delenv("MLREG_TIMEOUT")
    assert mlreg("config", "timeout", "--unset", "--field", "origin").out == "default\n"
    assert "busy_timeout" in mlreg("config").out


@pytest.mark.parametrize(
    "words", [("nope",), ("timeout", "soon"), ("--unset",), ("timeout", "5", "--unset")]
)
def test_a_wrong_setting_is_refused(mlreg: Run, words: tuple[str, ...]) -> None:
    assert mlreg("config", *words).code == 2


def test_doctor_is_content_with_a_sound_registry(measured: Run) -> None:
    assert measured("doctor", "--json").json["healthy"] is True
    assert "healthy" in measured("doctor", "--rebuild").out


def test_doctor_ends_with_5_where_an_artifact_is_gone(serving: Run, tmp_path: Path) -> None:
    for found in (tmp_path / ".mlreg" / "objects").rglob("*"):
        if found.is_file():
            found.unlink()
    sick = serving("doctor")
    assert sick.code == 5
    assert "✗" in sick.out
    assert "not healthy" in sick.out


def test_perf_by_time_draws_a_line_for_each_metric_of_each_version(measured: Run) -> None:
    shown = measured("perf", "--by", "hour").out.splitlines()
    assert max(map(len, shown)) <= 110
    assert [line for line in shown if line.startswith("1.0.0    requests")]
    points = measured("perf", "--by", "revision", "--json").json["trend"]
    assert sum(point["request_count"] for point in points) == 20
    assert points[0]["metrics"]["accuracy"]["value"] == 1.0


def test_perf_by_label_shows_classes_and_which_are_taken_for_which(measured: Run) -> None:
    shown = measured("perf", "--by", "label").out
    assert "right \\ answered" in shown
    (first, _) = measured("perf", "--by", "label", "--json").json["labels"]
    assert first["confusion"] == [{"label": "positive", "answer": "positive", "count": 10}]
    assert first["classes"][0]["metrics"]["f1"]["value"] == 1.0


def test_what_is_better_of_a_value_is_kept_with_the_model(measured: Run) -> None:
    assert measured("edit", "--value-better", "rating=down").code == 0
    assert "better: rating down" in measured("show", "sentiment").out
    assert measured("show", "sentiment", "--json").json["value_better"] == {"rating": "down"}
    assert measured("edit", "--value-better", "rating=none", "--json").json["value_better"] == {}
    assert measured("edit", "--value-better", "rating=odd").code == 2
    assert measured("edit").code == 2


@pytest.fixture
def failing(serving: Run, serving_registry: Registry) -> Run:
    """1.0.0 serves, then 2.0.0 is promoted, all of whose 30 answers are wrong."""
    serving_registry.traffic.promote("sentiment@1.0.0")
    serving_registry.traffic.promote("sentiment@2.0.0")
    for _ in range(30):
        answer = serving_registry.predictions.predict("great product")
        serving_registry.feedback.record(answer.prediction_id, correct=False)
    return serving


GATE = ("perf", "sentiment", "--fail-if", "accuracy < 50% min 20", "--then-rollback")


def test_a_gate_that_fails_rolls_back_once(failing: Run) -> None:
    tried = failing(*GATE, "--dry-run", "--json")
    assert (tried.code, tried.json["findings"][0]["state"]) == (10, "fail")
    assert "would be rolled back to 1.0.0 100 %, revision 5" in tried.err
    done = failing(*GATE, "--actor", "cron")
    assert done.code == 10
    assert "rolled back to 1.0.0 100 %, revision 5" in done.err
    assert "the alias champion is 1.0.0 now, it was 2.0.0" in done.out
    # The next runs find a revision that has answered nothing yet.
    assert [failing(*GATE, "--since", since).code for since in ("1h", "9d")] == [11, 11]
    (made,) = failing("rollback", "--history", "--json").json["rollbacks"]
    assert (made["automatic"], made["actor"], made["revision"]) == (True, "cron", 5)
    assert made["evidence"]["findings"][0]["samples"] == 30
    assert "accuracy is 0%" in made["reason"]
    assert failing("doctor").code == 0


def test_a_gate_acts_on_nothing_but_a_broken_condition(failing: Run) -> None:
    for condition, code in (("accuracy < 50% min 900", 11), ("accuracy > 50%", 0), ("x > 1", 2)):
        gate = ("perf", "sentiment", "--fail-if", condition, "--then-rollback")
        assert failing(*gate).code == code
    assert failing("route", "--field", "revision").out == "4\n"


def test_a_gate_with_nothing_to_go_back_to_says_so(failing: Run) -> None:
    failing("delete", "sentiment@1.0.0", "--yes")
    refused = failing(*GATE)
    assert refused.code == 4
    assert "no earlier revision that can serve" in refused.err


def test_what_goes_with_a_rollback_alone_is_refused_without_it(failing: Run) -> None:
    assert failing("perf", "sentiment", "--then-rollback").code == 2
    assert failing("perf", "sentiment", "--dry-run").code == 2
    assert failing(*GATE, "--by", "segment:country").code == 2
