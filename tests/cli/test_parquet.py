"""Parquet files: inputs, answers and labels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mlreg.registry import Registry
from tests.cli.conftest import Run

pyarrow = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")


def written(folder: Path, name: str, **columns: list[Any]) -> str:
    parquet.write_table(pyarrow.table(columns), folder / name)
    return name


def read(folder: Path, name: str) -> list[dict[str, Any]]:
    return parquet.read_table(folder / name).to_pylist()


def test_texts_with_users_are_answered_into_a_file_beside_their_columns(
    serving: Run, tmp_path: Path
):
    file = written(tmp_path, "in.parquet", text=["good", "bad"], user=["a", "b"], stars=[5, 1])
    with pytest.warns(UserWarning, match="nothing is made of stars"):
        found = serving("predict", "--file", file, "--keep", "--output", "out.parquet")
    assert found.code == 0
    rows = read(tmp_path, "out.parquet")
    assert [(row["text"], row["user"], row["stars"]) for row in rows] == [
        ("good", "a", 5),
        ("bad", "b", 1),
    ]
    logged = serving("log", "-n", 2, "--json").json["predictions"]
    assert [row["unit"] for row in logged] == ["a", "b"]
    assert [row["prediction"] for row in rows] == [row["prediction"] for row in logged]
    assert [row["prediction_id"] for row in rows] == [row["prediction_id"] for row in logged]


def test_labels_are_read_from_what_was_written(serving: Run, tmp_path: Path):
    serving("predict", "--file", written(tmp_path, "in.parquet", text=["good", "bad"]))
    labels = written(tmp_path, "l.parquet", prediction_id=[1, 2], label=["positive", None])
    assert serving("feedback", "--file", labels, "--json").code == 2  # the second says nothing
    labels = written(tmp_path, "l.parquet", prediction_id=[1, 2], label=["positive", "negative"])
    assert serving("feedback", "--file", labels, "--json").json["recorded"] == 2


def test_records_and_vectors_keep_their_numbers(
    registry: Registry, mlreg: Run, artifacts: dict[str, Path], tmp_path: Path
):
    for kind in ("record", "vector"):
        registry.versions.register(f"{kind}s@1.0.0", artifacts[kind])
        registry.traffic.activate(f"{kind}s@1.0.0")
        signature = registry.predictions.signature(f"{kind}s", None)
        names = signature.fields or ("a", "b", "c")
        kinds = signature.types or ("number",) * len(names)
        columns: dict[str, list[Any]] = {
            name: [1.5, 2.5] if what == "number" else ["pro", "free"]
            for name, what in zip(names, kinds, strict=True)
        }
        file = written(tmp_path, f"{kind}.parquet", **columns)
        answers = mlreg("predict", "--file", file, "-m", f"{kind}s", "--json").records
        assert [answer["error"] for answer in answers] == [None, None]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"PAR1 and no more", "is no readable Parquet file"),
        (None, "cannot be read"),
    ],
)
def test_what_is_no_parquet_is_said_and_asks_no_model(
    serving: Run, tmp_path: Path, content: bytes | None, said: str
):
    if content is not None:
        (tmp_path / "in.parquet").write_bytes(content)
    found = serving("predict", "--file", "in.parquet", "--json")
    assert found.code == 2
    assert said in found.err
    assert serving("log", "--json").json["predictions"] == []


def test_answers_of_no_inputs_and_parquet_from_a_pipe_are_refused(serving: Run, tmp_path: Path):
    found = serving("predict", "--file", written(tmp_path, "in.parquet", text=[]))
    assert (found.code, "has no rows" in found.err) == (2, True)
    found = serving("predict", "-", "--format", "parquet", input="PAR1")
    assert (found.code, "not from a pipe" in found.err) == (2, True)


@pytest.mark.parametrize("verb", ["predict", "feedback"])
def test_a_column_that_stands_twice_is_refused(serving: Run, tmp_path: Path, verb: str):
    columns = [pyarrow.array([1]), pyarrow.array(["good"]), pyarrow.array(["bad"])]
    names = {"predict": ["stars", "text", "text"], "feedback": ["prediction_id", "label", "label"]}
    table = pyarrow.Table.from_arrays(columns, names[verb])
    parquet.write_table(table, tmp_path / "twice.parquet")
    found = serving(verb, "--file", "twice.parquet")
    assert found.code == 2
    assert f"twice.parquet has the column {names[verb][-1]} twice" in found.err
    assert serving("log", "--json").json["predictions"] == []
