"""What is said is true, and in words for people."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path

import pytest

import mlreg as public
from mlreg.entities.predictions import LoggedPrediction
from mlreg.errors import MlregError
from mlreg.registry import Registry
from tests.cli.conftest import Run
from tests.cli.test_terminal import rendered


def test_two_versions_without_a_live_comparison_say_why(
    serving: Run, serving_registry: Registry
) -> None:
    serving_registry.versions.register("other@1.0.0")
    same = serving("compare", "sentiment@1.0.0", "sentiment@1.0.0").out
    assert "live: it is one and the same version" in same
    two = serving("compare", "sentiment@1.0.0", "other@1.0.0").out
    assert "live: sentiment and other are two models" in two
    both = serving("compare", "sentiment@1.0.0", "sentiment@2.0.0").out
    assert "live: not both have answered yet" in both


def test_a_list_that_a_filter_empties_says_so(serving: Run) -> None:
    assert serving("list", "--status", "archived").out == "no versions are archived\n"
    assert serving("list", "--tag", "nightly").out == "no versions have the tag nightly\n"
    assert serving("list", "--status", "archived", "--json").json == {"models": []}


def test_a_report_of_an_empty_window_says_that_the_window_is_empty(
    serving: Run, serving_registry: Registry
) -> None:
    assert "There are no predictions yet." in serving("perf").out
    serving_registry.predictions.predict("great")
    assert "There are no predictions in this window." in serving("perf", "--until", "1h").out


def test_the_last_version_at_no_traffic_is_told_how_to_stop(serving: Run) -> None:
    serving("promote", "sentiment@2.0.0")
    refused = serving("activate", "sentiment@2.0.0", "--traffic", "0")
    assert refused.code == 4
    hint = refused.err.partition("to stop serving: ")[2].strip()
    assert serving(*shlex.split(hint)[1:]).code == 0


def test_a_version_alone_answers_everything_wherever_it_is_shown(
    serving: Run, serving_registry: Registry
) -> None:
    serving_registry.traffic.promote("sentiment@1.0.0")
    serving_registry.traffic.deactivate("sentiment@1.0.0", allow_empty=True)
    changed = serving("activate", "sentiment@2.0.0", "--traffic", "50").out
    for shown in (changed, serving("route").out):
        assert "100 %" in shown
        assert "2.0.0 keeps 50 % when another one joins" in shown
    assert serving("route", "--field", "arms.traffic_percent").out == "50.0\n"
    assert "2.0.0 100 %" in serving("history").out


def test_labels_that_are_all_right_are_not_too_few(
    serving: Run, serving_registry: Registry
) -> None:
    serving_registry.traffic.route("sentiment", {"1.0.0": 50, "2.0.0": 50})
    answers = list(serving_registry.predictions.predict_many(["great"] * 300))
    said = [public.Feedback(prediction_id=a.prediction_id, correct=True) for a in answers]
    serving_registry.feedback.record_many(said)
    shown = serving("perf").out
    assert "accuracy cannot tell them apart by 0 wrong answers among 300 labels" in shown
    assert "100 labels of each version" not in shown


def test_one_is_one(serving: Run, tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text("5\n")
    assert "1 input could not be read" in serving("predict", "--file", "in.jsonl").err
    (tmp_path / "labels.csv").write_text("prediction_id,label\n77,positive\n")
    assert "1 id without a prediction" in serving("feedback", "--file", "labels.csv").err


def test_how_a_version_was_picked_is_said_in_words(
    serving: Run, serving_registry: Registry
) -> None:
    serving("route", "--strategy", "sticky")
    assert "as no user was named" in serving("predict", "great").out
    serving_registry.traffic.promote("sentiment@1.0.0")
    assert "(the only one that serves)" in serving("predict", "great").out
    assert serving("predict", "great", "--field", "arm_reason").out == "only-arm\n"


def test_a_model_that_does_not_exist_is_no_default(serving: Run) -> None:
    refused = serving("config", "model", "nosuch")
    assert (refused.code, refused.out) == (3, "")
    assert serving("config", "model", "--field", "value").out == "\n"
    assert serving("config", "model", "sentiment").code == 0


def test_the_base_of_all_errors_has_a_public_name() -> None:
    assert public.Error is MlregError
    assert public.MlregError is MlregError


def test_the_default_metric_of_a_test_is_named_with_its_meaning(serving: Run) -> None:
    refs = ("--control", "sentiment@1.0.0", "--treatment", "sentiment@2.0.0")
    shown = serving("abtest", "create", "tone", *refs, "--min-run", "0").out
    assert "the share of requests answered without an error" in shown
    assert "least time" not in shown
    assert "answered without an error" in " ".join(serving("abtest", "create", "-h").out.split())
    for length in ("-1h", "x", "00x", "0x0"):
        assert serving("abtest", "create", "t2", *refs, f"--min-run={length}").code == 2


@pytest.mark.slow
def test_the_first_example_of_a_test_reaches_a_verdict(serving: Run) -> None:
    shown = serving("abtest", "create", "--help").out
    example = re.search(r"\$ mlreg (abtest create tone .*)", shown)
    assert example
    words = shlex.split(example[1])
    serving("rollback")
    created = serving(*words, "--min-run", "0")
    assert created.code == 0, created.err
    assert serving("abtest", "start", "tone").code == 0
    lines = [
        {"user": f"{arm}{i}", "variant": arm, "success": True, "output": "positive",
         "label": "positive" if arm == "treatment" or i % 3 else "negative"}
        for i in range(400) for arm in ("control", "treatment")
    ]  # fmt: skip
    sent = "".join(f"{json.dumps(line)}\n" for line in lines)
    assert serving("abtest", "record", "tone", "-", input=sent).code == 0
    found = serving("abtest", "analyze", "tone", "--json").json
    assert found["recommendation"].startswith("Ship 2.0.0: accuracy 66.50 % → 100.00 %")


def test_the_log_takes_a_model_as_every_verb_does(serving: Run, serving_registry: Registry) -> None:
    serving_registry.predictions.predict("great")
    assert len(serving("log", "sentiment", "--json").json["predictions"]) == 1
    assert len(serving("log", "-m", "sentiment", "--json").json["predictions"]) == 1
    assert serving("log", "other").code == 3


def test_an_error_in_the_log_takes_one_line_of_a_terminal(monkeypatch, capsys) -> None:
    from mlreg.cli.views.blocks import Cell, Table
    from mlreg.cli.views.predictions import log_table

    entry = LoggedPrediction(
        **dict.fromkeys((field.name for field in fields(LoggedPrediction)), None)
        | {"prediction_id": 1, "time": datetime(2026, 1, 2, tzinfo=UTC), "model": "m",
           "model_version": "1.0.0", "error": "the model failed " * 20, "segment": {}}
    )  # fmt: skip
    table = log_table([entry])
    assert isinstance(table, Table)
    place = next(i for i, column in enumerate(table.columns) if column.title == "answer")
    assert isinstance(table.rows[0][place], Cell)
    lines = rendered(table, 60, monkeypatch, capsys)
    assert len(lines) <= 3
    assert "1.0.0" in lines[-1]
