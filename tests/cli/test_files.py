"""Files as people have them: without header, divided otherwise, with more columns than needed."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import pytest

from mlreg.cli.streams.answers import Writer
from mlreg.registry import Registry
from tests.cli.conftest import Run


def written(folder: Path, name: str, text: str) -> str:
    (folder / name).write_text(text, encoding="utf-8")
    return name


def inputs(mlreg: Run, count: int) -> list[object]:
    """What the newest rows of the log were asked."""
    return [row["input"] for row in mlreg("log", "-n", count, "--json").json["predictions"]]


def test_a_table_of_texts_without_header_loses_no_row(serving: Run, tmp_path: Path):
    name = written(tmp_path, "r.csv", "great stuff\nbad stuff\nawful\n")
    with pytest.warns(UserWarning, match="read without a header"):
        found = serving("predict", "--file", name, "--json")
    assert len(found.records) == 3
    assert inputs(serving, 3) == ["great stuff", "bad stuff", "awful"]


def test_one_word_on_top_is_the_columns_name_and_that_is_said(serving: Run, tmp_path: Path):
    name = written(tmp_path, "r.csv", "review\nok\nfine\n")
    with pytest.warns(UserWarning, match="review, is taken for the name of the column"):
        assert len(serving("predict", "--file", name, "--json").records) == 2
    assert len(serving("predict", "--file", name, "--json", "--no-header").records) == 3


@pytest.mark.parametrize("divider", [";", "\t", "|"])
def test_what_divides_the_columns_is_seen_and_said(serving: Run, tmp_path: Path, divider: str):
    rows = [("text", "user"), ("good", "a"), ("bad, really", "b")]
    text = "".join(divider.join(f'"{cell}"' for cell in row) + "\n" for row in rows)
    with pytest.warns(UserWarning, match="divide the columns"):
        assert serving("predict", "--file", written(tmp_path, "s.csv", text), "--json").code == 0
    rows = serving("log", "-n", 2, "--json").json["predictions"]
    assert [(row["input"], row["unit"]) for row in rows] == [("good", "a"), ("bad, really", "b")]


def test_a_text_with_semicolons_stays_one_column(serving: Run, tmp_path: Path):
    name = written(tmp_path, "t.csv", "text\ngood; bad\nso; so\n")
    assert serving("predict", "--file", name).code == 0
    assert inputs(serving, 2) == ["good; bad", "so; so"]


def test_columns_are_what_they_are_called(serving: Run, tmp_path: Path):
    name = written(
        tmp_path, "k.csv", "lang,text,user,key,segment\nen,good,a,O-1,country=de\nde,bad,b,,\n"
    )
    with pytest.warns(UserWarning, match="nothing is made of lang"):
        first = serving("predict", "--file", name, "--json").records
    rows = serving("log", "-n", 2, "--json").json["predictions"]
    assert [(row["unit"], row["segment"]) for row in rows] == [("a", {"country": "de"}), ("b", {})]
    with pytest.warns(UserWarning, match="nothing is made of lang"):
        again = serving("predict", "--file", name, "--json").records
    assert again[0]["prediction_id"] == first[0]["prediction_id"], "a key is answered once"
    assert again[1]["prediction_id"] != first[1]["prediction_id"]


def test_a_segment_of_ones_own_column_and_a_text_by_name(serving: Run, tmp_path: Path):
    name = written(tmp_path, "k.jsonl", '{"country": "de", "review": "good", "title": "x"}\n')
    called = ("--text-field", "review", "--segment-field", "country")
    with pytest.warns(UserWarning, match="nothing is made of title"):
        assert serving("predict", "--file", name, *called).code == 0
    (row,) = serving("log", "-n", 1, "--json").json["predictions"]
    assert (row["input"], row["segment"]) == ("good", {"country": "de"})


def test_it_is_asked_which_of_several_columns_has_the_text(serving: Run, tmp_path: Path):
    name = written(tmp_path, "k.csv", "title,review\nx,good\n")
    found = serving("predict", "--file", name)
    assert found.code == 2
    assert "--text-field NAME" in found.err


def test_answers_go_to_a_table_beside_their_inputs(serving: Run, tmp_path: Path):
    name = written(tmp_path, "k.csv", 'text,prediction\n"good, very",1\n=bad,2\n')
    with pytest.warns(UserWarning, match="nothing is made of prediction"):
        serving("predict", "--file", name, "--keep", "--output", "answers.csv")
    text = (tmp_path / "answers.csv").read_text(encoding="utf-8")
    rows = list(csv.DictReader(text.splitlines()))
    assert [row["text"] for row in rows] == ["good, very", "'=bad"]
    assert [row["prediction"] for row in rows] == ["1", "2"], "the input's own column stays"
    assert all(row["answer_prediction"] for row in rows)


@pytest.mark.parametrize("name", ["answers.xlsx", "no/such/folder/a.csv"])
def test_where_answers_cannot_be_written_is_an_error_before_any_is_given(
    serving: Run, tmp_path: Path, name: str
):
    file = written(tmp_path, "r.csv", "text\ngood\n")
    before = serving("log", "--json").json
    found = serving("predict", "--file", file, "--output", name)
    assert found.code == 2
    assert serving("log", "--json").json == before


@pytest.mark.parametrize("name", ["r.csv", "./r.csv", "link.csv"])
def test_answers_do_not_take_the_place_of_their_inputs(serving: Run, tmp_path: Path, name: str):
    file = written(tmp_path, "r.csv", "text\ngood\n")
    (tmp_path / "link.csv").symlink_to("r.csv")
    found = serving("predict", "--file", file, "--output", name)
    assert found.code == 2
    assert "is the input" in found.err
    assert (tmp_path / file).read_text() == "text\ngood\n"
    assert serving("log", "--json").json["predictions"] == []


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_a_file_of_answers_stays_until_there_are_others(serving: Run, tmp_path: Path, suffix: str):
    if suffix == "parquet":
        pytest.importorskip("pyarrow")
    output = tmp_path / written(tmp_path, f"a.{suffix}", "earlier")
    output.chmod(0o640)
    for name, text in (("empty.csv", ""), ("bad.csv", "text,text\na,b\n"), ("missing.csv", None)):
        if text is not None:
            written(tmp_path, name, text)
        before = sorted(tmp_path.iterdir())
        assert serving("predict", "--file", name, "--output", output).code == 2
        assert output.read_text() == "earlier"
        assert sorted(tmp_path.iterdir()) == before, "nothing is left beside it"
    file = written(tmp_path, "r.csv", "text\ngood\n")
    assert serving("predict", "--file", file, "--output", output).code == 0
    assert b"earlier" not in output.read_bytes()
    assert output.stat().st_mode & 0o777 == 0o640
    assert not list(tmp_path.glob(".mlreg-*"))


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_an_interrupted_run_keeps_the_answers_that_it_has_written(
    tmp_path: Path, serving_registry: Registry, suffix: str
):
    if suffix == "parquet":
        pytest.importorskip("pyarrow")
    output = tmp_path / written(tmp_path, f"a.{suffix}", "earlier")
    answer = serving_registry.predictions.predict("good")

    def interrupted() -> None:
        with Writer.to(output, None, keep=False) as writer:
            writer.write([answer])
            assert output.read_text() == "earlier"
            raise KeyboardInterrupt("now")

    with pytest.raises(KeyboardInterrupt, match="now"):
        interrupted()
    assert str(answer.prediction).encode() in output.read_bytes()
    assert not list(tmp_path.glob(".mlreg-*"))


def test_a_pipe_gets_answers_as_they_come(serving: Run, tmp_path: Path):
    os.mkfifo(tmp_path / "a.csv")
    reader = os.open(tmp_path / "a.csv", os.O_RDONLY | os.O_NONBLOCK)
    try:
        file = written(tmp_path, "r.csv", "text\ngood\n")
        assert serving("predict", "--file", file, "--output", "a.csv").code == 0
        assert b"prediction_id" in os.read(reader, 4096)
    finally:
        os.close(reader)
    assert (tmp_path / "a.csv").is_fifo()


def test_a_file_taken_for_an_input_is_noticed(serving: Run, tmp_path: Path):
    found = serving("predict", written(tmp_path, "r.csv", "text\ngood\n"))
    assert found.code == 2
    assert "mlreg predict --file r.csv" in found.err


def test_truth_goes_by_the_callers_own_key(serving: Run, tmp_path: Path):
    answer = serving("predict", "great", "--key", "ORDER-17", "--json").json
    right = answer["prediction"]
    assert serving("feedback", "--key", "ORDER-17", right, "--json").json["recorded"] == 1
    name = written(tmp_path, "l.csv", f"key,label\nORDER-17,{right}\nORDER-18,{right}\n")
    found = serving("feedback", "--file", name, "--json")
    assert found.code == 3
    assert found.json == {
        "recorded": 0,
        "unknown": ["ORDER-18"],
        "duplicates": 1,
        "unusual_labels": {},
        "dry_run": False,
    }


def test_labels_that_are_no_class_are_counted_or_refused(serving: Run, tmp_path: Path):
    key = serving("predict", "great", "--json").json["prediction_id"]
    found = serving("feedback", key, "postive", "--dry-run", "--json").json
    assert (found["recorded"], found["unusual_labels"], found["dry_run"]) == (
        1,
        {"postive": 1},
        True,
    )
    refused = serving("feedback", key, "postive", "--strict-labels")
    assert refused.code == 2
    assert "postive" in refused.err
    assert serving("show", key, "--json").json["feedback"] == []
    file = written(tmp_path, "l.csv", f"prediction_id,label\n{key},postive\n")
    assert serving("feedback", "--file", file, "--strict-labels").code == 2
    assert serving("show", key, "--json").json["feedback"] == []
    assert "postive (1)" in serving("feedback", "--file", file).out


def test_the_answer_itself_cannot_be_the_right_one_and_incorrect(serving: Run):
    answer = serving("predict", "great", "--json").json
    found = serving("feedback", answer["prediction_id"], answer["prediction"], "--incorrect")
    assert found.code == 2
    assert "is what was answered" in found.err


def test_a_prediction_is_shown_whole_with_its_trail(serving: Run):
    key = serving("predict", "great", "--key", "O-1", "--user", "u", "--json").json["prediction_id"]
    serving("feedback", key, "positive", "--value", "rating=2")
    serving("feedback", key, "negative")
    found = serving("show", key, "--json").json
    assert found["request_id"] == "O-1"
    assert found["prediction"]["unit"] == "u"
    assert [(e["name"], e["label"], e["value"]) for e in found["feedback"]] == [
        ("label", "positive", None),
        ("rating", None, 2.0),
        ("label", "negative", None),
    ]
    assert "O-1" in serving("show", key).out


def test_a_truth_value_looks_the_same_singly_and_from_files(
    registry: Registry, mlreg: Run, tmp_path: Path
):
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression().fit([[-1.0], [1.0]], [False, True])
    registry.versions.register("flag@1.0.0", model)
    registry.traffic.activate("flag@1.0.0")
    file = written(tmp_path, "in.csv", "x\n-2\n2\n")
    assert mlreg("predict", "[2]").out.startswith("true\n")
    assert [line.split("\t")[0] for line in mlreg("predict", "--file", file).out.splitlines()] == [
        "false",
        "true",
    ]
    mlreg("predict", "--file", file, "--output", "out.csv")
    rows = (tmp_path / "out.csv").read_text().splitlines()[1:]
    assert [row.split(",")[0] for row in rows] == ["false", "true"]


def test_an_input_that_is_no_json_is_answered_by_one_that_would_be(
    registry: Registry, mlreg: Run, artifacts: dict[str, Path]
):
    registry.versions.register("vectors@1.0.0", artifacts["vector"])
    registry.traffic.activate("vectors@1.0.0")
    found = mlreg("predict", "1 2 3")
    assert (found.code, "a list of 3 numbers; write it like '[0, 0, 0]'" in found.err) == (2, True)
