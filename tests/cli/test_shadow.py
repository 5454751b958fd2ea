"""`shadow`, `replay`, and `route --shadow` from the command line."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from pathlib import Path
from threading import Timer

import pytest

from mlreg.registry import Registry
from tests.cli.conftest import Run


@pytest.fixture
def followed(serving: Run, monkeypatch: pytest.MonkeyPatch) -> Run:
    """`sentiment@1.0.0` answers, and 2.0.0 is its shadow."""
    monkeypatch.setenv("MLREG_SHADOW_TIMEOUT", "120")  # a machine may be busy
    assert serving("route", "sentiment", "1.0.0=100", "--shadow", "2.0.0").code == 0
    return serving


def test_route_says_who_is_a_shadow(followed: Run):
    assert "2.0.0   shadow" in followed("route", "sentiment").out
    arms = followed("route", "sentiment", "--json").json["arms"]
    assert [(arm["version"], arm["role"]) for arm in arms] == [
        ("1.0.0", "live"),
        ("2.0.0", "shadow"),
    ]
    assert followed("route", "sentiment", "--no-shadow", "--dry-run").code == 0
    gone = followed("route", "sentiment", "--no-shadow", "--json").json
    assert [arm["version"] for arm in gone["arms"]] == ["1.0.0"]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--shadow", "1.0.0"), 4, "answers itself"),
        (("--shadow", "9.9.9"), 3, "9.9.9"),
        (("--shadow", "2.0.0", "--no-shadow"), 2, "give either --shadow or --no-shadow"),
        (("--shadow", "2.0.0", "--user", "u"), 2, "--user asks"),
        (("--shadow", "2.0.0", "--expect-revision", "1"), 4, "revision"),
    ],
)
def test_a_wrong_shadow_is_one_clear_error_and_changes_nothing(
    followed: Run, words: tuple[str, ...], code: int, said: str
):
    before = followed("route", "sentiment", "--json").json["revision"]
    found = followed("route", "sentiment", *words)
    assert found.code == code
    assert said in found.err
    assert followed("route", "sentiment", "--json").json["revision"] == before


def test_an_answer_is_followed_before_the_command_ends(followed: Run):
    answer = followed("predict", "great product", "--json").json
    assert answer["model_version"] == "1.0.0"
    report = followed("shadow", "report", "sentiment", "--json").json
    assert report["shadows"][0]["asked"] == 1
    assert report["comparisons"][0]["pairs"] == 1
    assert "2.0.0 shadow" in followed("log").out
    said = followed("shadow", "report", "sentiment").out
    assert "2.0.0 beside 1.0.0" in said
    assert max(map(len, said.splitlines())) <= 80


@pytest.fixture
def hanging(followed: Run, registry: Registry) -> Registry:
    """The shadow never answers."""
    from tests.services.misbehaving import on_texts
    from tests.services.test_shadows import Hanging

    registry.versions.register("sentiment@3.0.0", on_texts(Hanging()), trust=True)
    registry.traffic.route("sentiment", {}, shadows=["3.0.0"])
    return registry


def predict(folder: Path, *, patience: float) -> subprocess.Popen[bytes]:
    """`mlreg predict` as a process, which waits so many seconds for its shadow at the end."""
    words = [sys.executable, "-m", "mlreg", "predict", "great product", "--json"]
    environment = os.environ | {"MLREG_SHADOW_TIMEOUT": str(patience)}
    return subprocess.Popen(words, cwd=folder, stdout=subprocess.PIPE, env=environment)


@pytest.mark.process
@pytest.mark.slow
def test_the_reader_of_an_answer_does_not_wait_for_the_shadow(hanging: Registry, tmp_path: Path):
    with predict(tmp_path, patience=3600) as process:
        assert process.stdout is not None
        overdue = Timer(120, process.kill)
        overdue.start()
        try:
            answer = json.loads(process.stdout.read())  # it sees the end of what is printed
            assert process.poll() is None  # while the shadow is still asked
        finally:
            overdue.cancel()
            process.kill()
    assert answer["model_version"] == "1.0.0"
    assert hanging.predictions.log(model="sentiment", version="3.0.0") == []


@pytest.mark.process
@pytest.mark.slow
def test_a_shadow_that_hangs_ends_a_command_neither_late_nor_with_another_code(
    hanging: Registry, tmp_path: Path
):
    with predict(tmp_path, patience=0.1) as process:
        out, _ = process.communicate(timeout=120)
    assert process.returncode == 0
    assert json.loads(out)["model_version"] == "1.0.0"
    found = hanging.shadows.report("sentiment").shadows
    assert [(s.version, s.asked, s.dropped) for s in found] == [("3.0.0", 0, {"closed": 1})]


@pytest.mark.process
def test_a_program_that_never_closes_the_registry_still_asks_its_shadows(
    followed: Run, registry: Registry, tmp_path: Path
):
    code = "import mlreg; r = mlreg.open(); r.predictions.predict('great', model='sentiment')"
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True, env=os.environ)
    found = registry.shadows.report("sentiment").shadows[0]
    assert found.asked + sum(found.dropped.values()) == 1


def test_a_file_is_followed_and_labels_come_from_the_queue(followed: Run, tmp_path: Path):
    texts = [f"good good good {i}" if i % 2 else f"bad never {i}" for i in range(60)]
    (tmp_path / "texts.txt").write_text("\n".join(texts) + "\n", "utf-8")
    assert followed("predict", "--file", "texts.txt").code == 0
    report = followed("shadow", "report", "--json").json["shadows"][0]
    assert report["asked"] + sum(report["dropped"].values()) == 60
    queue = followed("shadow", "queue", "-n", "5", "--json").json["disagreements"]
    ids = followed("shadow", "queue", "-n", "5", "--field", "disagreements.prediction_id").out
    assert [str(row["prediction_id"]) for row in queue] == ids.split()
    for row in queue:
        assert followed("feedback", row["prediction_id"], row["shadow"]).code == 0
    left = followed("shadow", "queue", "-n", "1000", "--json").json["disagreements"]
    assert not {row["prediction_id"] for row in queue} & {row["prediction_id"] for row in left}


def test_a_replay_asks_the_log_once(serving: Run):
    serving("route", "sentiment", "1.0.0=100")
    serving("predict", "great product")
    tried = serving("replay", "sentiment", "--version", "2.0.0", "--dry-run")
    assert tried.out == "sentiment@2.0.0 would be asked 1 input\n"
    assert serving("replay", "--version", "2.0.0", "--since", "1h", "--json").json["replayed"] == 1
    assert serving("replay", "--version", "latest", "--field", "replayed").out == "0\n"


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("replay",), 2, "--version"),
        (("replay", "--version", "9.9.9"), 3, "9.9.9"),
        (("replay", "--version", "2.0.0", "--since", "soon"), 2, "soon"),
        (("replay", "nobody", "--version", "2.0.0"), 3, "nobody"),
        (("shadow", "report", "nobody"), 3, "nobody"),
        (("shadow", "report", "--version", "9.9.9"), 3, "9.9.9"),
        (("shadow", "report", "--alpha", "2"), 2, "alpha"),
        (("shadow", "report", "--field", "nothing"), 2, "nothing"),
        (("shadow", "queue", "-n", "0"), 2, "0"),
        (("shadow", "reprot"), 2, "report"),
    ],
)
def test_what_is_wrong_is_said_in_one_error(
    serving: Run, words: tuple[str, ...], code: int, said: str
):
    found = serving(*words)
    assert found.code == code
    assert said in found.err


def test_without_shadows_the_report_says_how_to_get_one(serving: Run):
    assert "mlreg route sentiment --shadow VERSION" in serving("shadow", "report").out
    assert serving("shadow", "queue").out == "no disagreement waits for a label\n"


@pytest.mark.slow
def test_four_points_are_found_within_two_thousand_labels(
    run: Run, registry: Registry, tmp_path: Path
):
    """80 % against 84 % right, 12 % of the answers apart, looked at twenty times."""
    from sklearn.tree import DecisionTreeClassifier

    draw, numbers = random.Random(4), range(2000)
    outcomes = draw.choices(["both", "live", "shadow", "neither"], [76, 4, 8, 12], k=len(numbers))
    for version, sides in (("1.0.0", ("both", "live")), ("2.0.0", ("both", "shadow"))):
        answers = ["yes" if outcome in sides else "no" for outcome in outcomes]
        tree = DecisionTreeClassifier().fit([[float(n)] for n in numbers], answers)
        registry.versions.register(f"m@{version}", tree)
    run("activate", "m@1.0.0")
    run("route", "m", "--shadow", "2.0.0")
    (tmp_path / "in.jsonl").write_text("\n".join(f"[{n}]" for n in numbers), "utf-8")
    assert run("predict", "--file", "in.jsonl", "--output", "out.jsonl").code == 0
    lines = (tmp_path / "out.jsonl").read_text("utf-8").splitlines()
    ids = [json.loads(line)["prediction_id"] for line in lines]
    for looked in range(100, 2001, 100):
        labels = [f"{key},yes" for key in ids[looked - 100 : looked]]
        file = "\n".join(["prediction_id,label", *labels])
        run("feedback", "--file", "-", "--format", "csv", input=file)
        found = run("shadow", "report", "--field", "comparisons.verdict").out.strip()
        assert found in ("undecided", "shadow-better")
        if found == "shadow-better":
            return
    pytest.fail("no verdict after 2,000 labels")
