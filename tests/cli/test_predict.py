"""predict, one input and many; log; feedback."""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mlreg.registry import Registry
from tests.cli.conftest import Run

REVIEWS = ["great product", "hate it", "love it"]


@pytest.fixture
def records(run: Run, registry: Registry, artifacts: dict[str, Path]) -> Run:
    """Run `mlreg` where `churn` takes records and serves."""
    registry.versions.register("churn@1.0.0", artifacts["record"])
    registry.traffic.activate("churn@1.0.0")
    return run


def test_an_answer_says_which_version_gave_it(serving: Run) -> None:
    answer = serving("predict", "Great product!", "--user", "u1", "--json").json
    assert answer["prediction"] == "positive"
    assert answer["model_version"] in ("1.0.0", "2.0.0")
    assert (answer["prediction_id"], answer["revision"], answer["error"]) == (1, 2, None)
    assert 0.5 < answer["confidence"] <= 1
    shown = serving("predict", "hate it", "--version", "2.0.0").out
    assert "sentiment@2.0.0 (forced)" in shown


def test_one_field_is_printed_raw(serving: Run) -> None:
    assert serving("predict", "Great!", "--field", "prediction").out == "positive\n"
    refused = serving("predict", "Great!", "--field", "label")
    assert (refused.code, refused.out) == (2, "")
    assert "the fields are: prediction, confidence" in refused.err


def test_the_same_request_id_gets_the_same_answer(serving: Run) -> None:
    first = serving("predict", "great", "--request-id", "r1", "--field", "prediction_id").out
    assert (
        serving("predict", "great", "--request-id", "r1", "--field", "prediction_id").out == first
    )
    assert serving("predict", "other", "--request-id", "r1").code == 4


def test_records_are_given_as_json(records: Run) -> None:
    good = '{"age": 41, "visits": 1, "plan": "pro"}'
    assert records("predict", good, "--field", "model").out == "churn\n"
    for wrong in ('{"age": 41}', '{"age": NaN}', "{", "[1]", '"text"', ""):
        refused = records("predict", wrong)
        assert (refused.code, refused.out) == (2, "")
    assert len(records("log", "--json").json["predictions"]) == 1


@pytest.mark.parametrize(
    "words",
    [
        (), ("text", "--file", "x.txt"), ("text", "--format", "csv"), ("text", "--user-field", "u"),
        ("-", "--request-id", "r"), ("--file", "inputs.dat"), ("--file", "missing.txt"),
        ("text", "--segment", "country"), ("text", "--user", ""), ("text", "--version", "latest@"),
    ],
)  # fmt: skip
def test_a_call_that_makes_no_sense_is_refused(serving: Run, words: tuple[str, ...]) -> None:
    refused = serving("predict", *words)
    assert (refused.code, refused.out) == (2, "")
    assert 1 <= len(refused.err.splitlines()) <= 3


def test_nothing_serves_ends_with_8(mlreg: Run, artifact: Path) -> None:
    mlreg("register", "m@1.0.0", artifact, "--no-check")
    assert mlreg("predict", "x").code == 8


def test_a_text_file_gets_one_answer_a_line(serving: Run, tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_text("\n".join(REVIEWS) + "\n")
    done = serving("predict", "--file", "in.txt")
    lines = [line.split("\t") for line in done.out.splitlines()]
    assert [line[0] for line in lines] == ["positive", "negative", "positive"]
    assert [line[3] for line in lines] == ["1", "2", "3"]
    assert "3 answered, 0 failed, 0 unreadable" in done.err


def test_stdin_is_a_stream_of_inputs(serving: Run) -> None:
    done = serving("predict", "-", "--json", input="\n".join(REVIEWS))
    assert [r["prediction"] for r in done.records] == ["positive", "negative", "positive"]
    assert done.err == ""
    assert serving("predict", "-", input="").code == 2


def test_a_bad_line_fails_no_other(serving: Run) -> None:
    done = serving("predict", "-", "--json", input=b"great\n\xff\xfe\nbad\0\nlove it\r\n")
    assert done.code == 2
    assert [r["prediction"] for r in done.records] == ["positive", None, None, "positive"]
    assert [r["error"] for r in done.records[1:3]] == [
        "line 2 is not valid UTF-8 at byte 1",
        "line 3 has a NUL character",
    ]
    assert '"code": "invalid_input"' in done.err


def test_json_lines_may_hold_the_user(serving: Run) -> None:
    lines = '{"text": "great", "who": 7}\n\n"hate it"\n'
    done = serving(
        "predict", "-", "--format", "jsonl", "--user-field", "who", "--json", input=lines
    )
    assert [r["prediction"] for r in done.records] == ["positive", None]
    (row,) = serving("log", "--json").json["predictions"]
    assert (row["unit"], row["input"]) == ("7", "great")


def test_a_table_feeds_records_and_users(records: Run, tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("plan,age,visits,who\npro,41,1,a\nbasic,x,2,b\nbasic,20\n")
    done = records("predict", "--file", "in.csv", "--user-field", "who", "--json")
    first, second, third = done.records
    assert (done.code, first["error"]) == (2, None)
    assert second["error"] == "row 3: the field age must be a number, not x"
    assert third["error"] == "row 4 has 2 cells, and the header 4"
    (row,) = records("log", "--json").json["predictions"]
    assert (row["input"], row["unit"]) == ({"age": 41, "plan": "pro", "visits": 1}, "a")


@pytest.mark.parametrize(
    "table",
    ["", "a,a\n1,2\n", "age,visits,plan\n", "age,visits\r1,2\r", "a,,b\n1,2,3\n", '"a\n1,2\n',
     "age,visits\n1,2\n", "age,visits,plan,extra\n1,2,pro,4\n", "\0,b\n1,2\n"],
)  # fmt: skip
def test_a_table_that_makes_no_sense_logs_nothing(records: Run, tmp_path: Path, table: str) -> None:
    (tmp_path / "in.csv").write_bytes(table.encode())
    refused = records("predict", "--file", "in.csv")
    assert (refused.code, refused.out) == (2, "")
    assert 1 <= len(refused.err.splitlines()) <= 3
    assert records("log", "--json").json == {"predictions": []}


def test_the_log_is_filtered_and_shown(serving: Run, serving_registry: Registry) -> None:
    for text in REVIEWS:
        serving_registry.predictions.predict(text, segment={"country": "de"})
    assert len(serving("log").out.splitlines()) == 4
    rows = serving("log", "-n", "2", "--json").json["predictions"]
    assert [r["input"] for r in rows] == REVIEWS[1:]
    assert rows[0]["segment"] == {"country": "de"}
    assert "no such predictions" in serving("log", "--errors").out
    for limit in ("0", "-1", "1e3", "100001", "x"):
        assert serving("log", "-n", limit).code == 2


def test_feedback_is_recorded_and_shown(serving: Run, serving_registry: Registry) -> None:
    for text in REVIEWS:
        serving_registry.predictions.predict(text)
    assert serving("feedback", 1, "positive").out == "recorded 1\n"
    assert serving("feedback", 1, "positive", "--json").json == {
        "recorded": 0, "unknown": [], "duplicates": 1, "unusual_labels": {}, "dry_run": False,
    }  # fmt: skip
    assert serving("feedback", 2, "--incorrect", "--value", "rating=2").out == "recorded 2\n"
    shown = serving("log").out
    assert "✓ positive" in shown
    assert "✗" in shown


@pytest.mark.parametrize("wrong", ["", "1 OR 1=1", "../../x", "no-such-id", "0", "1.0", "\u0661"])
def test_what_is_no_id_is_refused(serving: Run, wrong: str) -> None:
    refused = serving("feedback", wrong, "positive")
    assert (refused.code, refused.out) == (2, "")


def test_feedback_without_content_or_prediction_is_refused(serving: Run) -> None:
    assert serving("feedback", 99, "positive").code == 3
    assert serving("feedback").code == 2
    assert serving("feedback", 1).code == 2
    assert serving("feedback", 1, "--file", "labels.csv").code == 2


def test_a_file_of_labels_is_recorded(serving: Run, serving_registry: Registry) -> None:
    for text in REVIEWS:
        serving_registry.predictions.predict(text)
    table = "prediction_id,label,correct,rating\n1,positive,,4\n2,,no,\n3,negative,,\n"
    done = serving("feedback", "--file", "-", "--json", input=table)
    assert (done.json["recorded"], done.json["unknown"], done.json["duplicates"]) == (4, [], 0)
    lines = "\n".join(json.dumps({"prediction_id": i, "label": "positive"}) for i in (1, 2, 77))
    partly = serving("feedback", "--file", "-", "--format", "jsonl", "--json", input=lines)
    assert (partly.code, partly.json["unknown"]) == (3, [77])


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("prediction_id,label\n1,positive\nx,negative\n", "row 3: 'x' is not the id"),
        ("prediction_id,label\n1,positive\n2\n", "row 3 has 1 cells"),
        ("prediction_id,rating\n1,high\n", "row 2: high is not a number"),
        ("prediction_id,correct\n1,maybe\n", "row 2: correct must be true or false"),
        ("prediction_id,label\n1,\n", "row 2: the feedback for prediction 1 says nothing"),
        ("id,label\n1,positive\n", "has no column prediction_id"),
        ("", "is empty"),
    ],
)
def test_a_wrong_row_is_named_and_nothing_recorded(
    serving: Run, serving_registry: Registry, table: str, said: str
) -> None:
    for text in REVIEWS:
        serving_registry.predictions.predict(text)
    refused = serving("feedback", "--file", "-", input=table)
    assert (refused.code, refused.out) == (2, "")
    assert said in refused.err
    assert "positive" not in serving("log", "--field", "predictions.label").out


def test_wrong_json_lines_are_named(serving: Run) -> None:
    for line, said in (("{", "line 1: not JSON"), ("[1]", "line 1 is no JSON object")):
        refused = serving("feedback", "--file", "-", "--format", "jsonl", input=line)
        assert (refused.code, said in refused.err) == (2, True)
    assert serving("feedback", "--file", "-", "--format", "text", input="x").code == 2


def test_labels_are_read_from_a_pipe_with_a_name(serving: Run, tmp_path: Path) -> None:
    serving("predict", "great")
    os.mkfifo(tmp_path / "labels.csv")
    with ThreadPoolExecutor() as pool:
        pool.submit((tmp_path / "labels.csv").write_text, "prediction_id,label\n1,positive\n")
        done = serving("feedback", "--file", "labels.csv", "--json")
    assert (done.code, done.json["recorded"]) == (0, 1)


@pytest.mark.parametrize("words", [("feedback",), ("predict",)])
@pytest.mark.parametrize("format", ["csv", "jsonl"])
def test_a_device_is_refused(serving: Run, words: tuple[str, ...], format: str) -> None:
    refused = serving(*words, "--file", "/dev/zero", "--format", format)
    assert refused.code == 2
    assert refused.err.startswith("error: /dev/zero is neither a file nor a pipe")


@pytest.mark.parametrize("words", [("feedback",), ("predict", "--model", "sentiment")])
@pytest.mark.parametrize("format", ["csv", "tsv"])
def test_a_line_without_end_is_not_read_into_memory(
    serving: Run, tmp_path: Path, words: tuple[str, ...], format: str
) -> None:
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(1 << 40)
    refused = serving(*words, "--file", "sparse", "--format", format)
    assert refused.code == 2
    assert refused.err.startswith("error: sparse has a line of more than 1,048,576 characters")


def test_a_sparse_file_of_labels_is_refused_at_its_first_line(serving: Run, tmp_path: Path) -> None:
    with (tmp_path / "sparse.jsonl").open("wb") as file:
        file.truncate(1 << 40)
    refused = serving("feedback", "--file", "sparse.jsonl")
    assert refused.code == 2
    assert refused.err.startswith("error: line 1 is longer than 1,048,576 bytes")
