"""`mlreg demo` runs what it prints, on either data, and touches nothing that is there."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mlreg.cli.demo import plan
from mlreg.cli.demo.shell import Shell, python_name
from mlreg.registry import init_registry, open_registry

MLREG = Path(sys.executable).with_name("mlreg")
LONGEST = 180  # the demo's promise is some 20 seconds; a busy machine is no defect

slow = [pytest.mark.process, pytest.mark.slow]


def demo(
    *arguments: str, cwd: Path, environment: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the demo as a program, with its output in pipes."""
    return subprocess.run(
        [str(MLREG), "demo", *arguments],
        cwd=cwd,
        env=os.environ | (environment or {}),
        capture_output=True,
        text=True,
        timeout=LONGEST,
        check=False,
    )


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What `mlreg demo --json` says about a run in a new folder."""
    parent = tmp_path_factory.mktemp("demo")
    done = demo("try it", "--json", cwd=parent)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


class TestOnWords:
    """The demo as most people see it."""

    pytestmark = slow

    def test_every_step_succeeds(self, document: dict[str, Any]) -> None:
        assert [step["exit_code"] for step in document["steps"]] == [0] * len(document["steps"])

    def test_it_does_the_whole_main_job(self, document: dict[str, Any]) -> None:
        typed = [step["command"] for step in document["steps"]]
        verbs = [command.split()[1] for command in typed if command.startswith("mlreg ")]
        assert verbs == [
            *("init", "register", "register", "activate", "route", "predict", "predict"),
            *("feedback", "perf", "promote", "rollback"),
            *("abtest", "abtest", "predict", "feedback", "abtest", "history"),
            *("hook", "route", "rollout", "predict", "tick", "predict", "tick", "register"),
            *("rollout", "predict", "tick", "route", "rollout"),
        ]
        assert 'mlreg predict "Great product!"' in typed

    def test_great_product_is_positive(self, document: dict[str, Any]) -> None:
        (answer,) = (s for s in document["steps"] if "Great product!" in s["command"])
        assert answer["output"].splitlines()[0] == "positive"

    def test_the_evidence_suffices(self, document: dict[str, Any]) -> None:
        assert document["verdict"] == "ship"
        assert document["recommendation"].startswith("Ship 2.0.0: accuracy")

    def test_the_registry_stays_and_is_sound(self, document: dict[str, Any]) -> None:
        with open_registry(document["folder"]) as registry:
            revision = registry.traffic.current("sentiment")
            assert [(arm.version, arm.traffic_percent) for arm in revision.live] == [("2.0.0", 100)]
            causes = [revision.cause for revision in registry.traffic.history("sentiment")]
            # The next one depends on how fast this machine is: labels have to come of age.
            assert causes[-5:] == ["abtest", "rollback", "promote", "route", "activate"]
            counts = {v.version: v.request_count for v in registry.versions.list("sentiment")}
            assert counts == {"1.0.0": 1231, "2.0.0": 1620, "3.0.0": 150}
            assert registry.health.check().healthy

    def test_one_canary_goes_well_and_one_is_caught(self, document: dict[str, Any]) -> None:
        with open_registry(document["folder"]) as registry:
            found = {one.version: one.state for one in registry.rollouts.list()}
        assert found == {"2.0.0": "completed", "3.0.0": "aborted"}
        told = (Path(document["folder"]) / "told.jsonl").read_text()
        assert [told.count(f'{{"type": "rollout.{end}"') for end in ("complete", "abort")] == [1, 1]

    def test_registered_accuracies_are_those_that_training_measured(
        self, document: dict[str, Any]
    ) -> None:
        scores = json.loads((Path(document["folder"]) / plan.SCORES).read_text())
        with open_registry(document["folder"]) as registry:
            known = [
                registry.versions.get(f"sentiment@{v}.0.0").metrics["accuracy"] for v in (1, 2)
            ]
        assert known == [scores["pairs"], scores["runs"]]
        assert 0.6 < known[0] < known[1] < 1


@pytest.mark.process
@pytest.mark.slow
def test_people_see_each_command_above_its_output(tmp_path: Path) -> None:
    """The user's own settings, which name another registry, do not get in the way."""
    (tmp_path / "elsewhere").mkdir()
    own = {"MLREG_REGISTRY": str(tmp_path / "elsewhere"), "MLREG_MODEL": "nobody", "NO_COLOR": "1"}
    done = demo("shown", cwd=tmp_path, environment=own)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[lines.index('$ mlreg predict "Great product!"') + 1] == "positive"
    assert "$ mlreg history sentiment" in lines
    assert f"$ cd {tmp_path / 'shown'}" in lines
    assert "\x1b" not in done.stdout


@pytest.mark.process
@pytest.mark.slow
def test_without_the_lexicon_it_reads_digits(tmp_path: Path) -> None:
    (tmp_path / plan.SCRIPT).write_text(plan.script_of(plan.DIGITS))
    shell = Shell(tmp_path, capture=True)
    for step in plan.until_report(plan.DIGITS, tmp_path, python_name()):
        outcome = shell.run(step.command)
        assert outcome.exit_code == 0, outcome
    with open_registry(tmp_path) as registry:
        assert registry.performance.report("digits").verdict == "ship"
    for step in plan.acting(plan.DIGITS):
        outcome = shell.run(step.command)
        assert outcome.exit_code == 0, outcome
    with open_registry(tmp_path) as registry:
        found = {one.version: one.state for one in registry.rollouts.list()}
    assert found == {"2.0.0": "completed", "3.0.0": "aborted"}


def test_the_data_is_chosen_by_what_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert plan.choose_task() is plan.WORDS
    monkeypatch.setattr(plan, "find_spec", lambda _: None)
    assert plan.choose_task() is plan.DIGITS


def test_it_says_so_where_the_evidence_does_not_favour_the_candidate() -> None:
    why = [next(iter(plan.after_report(plan.WORDS, ships=ships))).why for ships in (True, False)]
    assert why[0].startswith("The evidence favours 2.0.0")
    assert why[1].startswith("The evidence does not favour 2.0.0")


@pytest.mark.process
@pytest.mark.parametrize("what", ["registry", "file", "full"])
def test_it_refuses_a_folder_that_is_in_use(tmp_path: Path, what: str) -> None:
    target = tmp_path / "target"
    if what == "registry":
        init_registry(target).close()
    elif what == "file":
        target.write_text("mine")
    else:
        target.mkdir()
        (target / "train.py").write_text("mine")
    before = sorted(path.name for path in tmp_path.rglob("*"))
    done = demo("target", "--json", cwd=tmp_path)
    code = {"registry": "already_exists", "file": "invalid_input", "full": "conflict"}[what]
    assert json.loads(done.stderr)["error"]["code"] == code
    assert done.returncode == (2 if what == "file" else 4)
    assert sorted(path.name for path in tmp_path.rglob("*")) == before


@pytest.mark.process
def test_a_step_that_fails_ends_it(tmp_path: Path) -> None:
    """Training fails without scikit-learn: here a module of that name hides it."""
    (tmp_path / "hidden" / "sklearn").mkdir(parents=True)
    (tmp_path / "hidden" / "sklearn" / "__init__.py").write_text("raise ImportError('hidden')")
    hidden = {"PYTHONPATH": str(tmp_path / "hidden")}
    done = demo("target", cwd=tmp_path, environment=hidden)
    assert done.returncode == 1
    assert done.stdout.rstrip().endswith(" train.py")
    assert "the demo stopped: `python train.py` ended with 1" in done.stderr
    assert not (tmp_path / "target" / ".mlreg").exists()


@pytest.mark.process
def test_it_ends_without_a_word_when_nobody_reads_any_more(tmp_path: Path) -> None:
    command = [str(MLREG), "demo", "target"]
    with subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        said = process.stderr.read()
    assert process.returncode == 141
    assert "please report" not in said


@pytest.mark.process
@pytest.mark.parametrize("kill", [os.kill, os.killpg], ids=["alone", "as in a terminal"])
def test_an_interrupt_ends_the_step_under_way(tmp_path: Path, kill: Callable[..., None]) -> None:
    with subprocess.Popen(
        [str(MLREG), "demo"],
        cwd=tmp_path,
        env=os.environ | {"TMPDIR": str(tmp_path), "COVERAGE_PROCESS_CONFIG": ""},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        while "train.py\n" not in (line := process.stdout.readline()) or "$" not in line:
            assert line, "the demo ended before its first step"
        (folder,) = tmp_path.glob("mlreg-demo-*")
        kill(process.pid, signal.SIGINT)
        rest, told = process.communicate(timeout=LONGEST)  # to the end of all that write to it
    assert (process.returncode, rest, told) == (130, "", "interrupted\n")
    assert not folder.exists()


@pytest.mark.process
def test_an_interrupted_step_goes_no_further(tmp_path: Path) -> None:
    program = f"""
from pathlib import Path
from mlreg.cli.demo.shell import Shell
Shell(Path({str(tmp_path)!r}), capture=False).run("(sleep 3; touch late) & echo started; wait")
"""
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        process.stdout.read()  # ends when the last of its writers does
    assert not (tmp_path / "late").exists()


@pytest.mark.process
def test_an_interrupt_as_a_step_ends_is_nothing_else(tmp_path: Path) -> None:
    program = f"""
from pathlib import Path
from mlreg.cli.demo.shell import Shell
try:
    Shell(Path({str(tmp_path)!r}), capture=False).run("sleep 0.2; kill -INT $PPID")
except KeyboardInterrupt:
    print("interrupted")
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)
    assert (done.stdout, done.stderr) == (b"interrupted\n", b"")


@pytest.mark.process
def test_it_does_not_work_in_a_registry_that_was_named(tmp_path: Path) -> None:
    done = demo("--registry", str(tmp_path), cwd=tmp_path)
    assert done.returncode == 2
    assert "a registry of its own" in done.stderr
