"""What the demo does: on which data, and by which commands."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

SCRIPT = "train.py"
SCORES = "scores.json"
TRAFFIC = (
    "mlreg predict --file inputs.txt --field prediction_id | paste -d , - labels.txt"
    " | (echo prediction_id,label; cat) | mlreg feedback --file -"
)


class Task(NamedTuple):
    """A question with real data, and three versions of a model that answers it.

    Attributes:
        script: The file in `scripts/` that trains them.
        first, second, third: The names of their artifacts; the third is worse.
        example: An input, as it is typed in a shell.
        another: One more, to try afterwards.
    """

    about: str
    script: str
    model: str
    first: str
    second: str
    third: str
    example: str
    another: str


class Step(NamedTuple):
    """A shell command; `why` is what it is for, empty where it belongs to the step before it."""

    why: str
    command: str


WORDS = Task(
    about="words rated by people (vaderSentiment)",
    script="train_words.py",
    model="sentiment",
    first="pairs",
    second="runs",
    third="mixed",
    example='"Great product!"',
    another='"What a horrible mess"',
)
DIGITS = Task(
    about="handwritten digits (scikit-learn)",
    script="train_digits.py",
    model="digits",
    first="bayes",
    second="logistic",
    third="mixed",
    example='"$(head -n 1 inputs.txt)"',
    another='"$(tail -n 1 inputs.txt)"',
)


def choose_task() -> Task:
    """Words where their package is installed, else digits, which scikit-learn always brings."""
    return WORDS if find_spec("vaderSentiment") else DIGITS


def script_of(task: Task) -> str:
    """The text of the task's training script."""
    return (Path(__file__).parent / "scripts" / task.script).read_text("utf-8")


def until_report(task: Task, folder: Path, python: str) -> Iterator[Step]:
    """The steps from training to the report; each is made when those before it have been run."""
    model, old, new = task.model, f"{task.model}@1.0.0", f"{task.model}@2.0.0"
    yield Step(
        "Train versions of a model, and keep data apart that neither has seen.",
        f"{python} {SCRIPT}",
    )
    scores = json.loads((folder / SCORES).read_text())
    yield Step("Make a registry here, and register both with their accuracy.", "mlreg init")
    yield Step("", f"mlreg register {old} {task.first}.joblib --accuracy {scores[task.first]}")
    yield Step(
        "",
        f"mlreg register {new} {task.second}.joblib --accuracy {scores[task.second]}"
        " --parent 1.0.0",
    )
    yield Step(
        "1.0.0 serves. Then 2.0.0 gets one request in five: in turn, so that this demo\n"
        "prints the same numbers each time; the default is at random.",
        f"mlreg activate {old}",
    )
    yield Step("", f"mlreg route {model} 1.0.0=80 2.0.0=20 --strategy round-robin")
    yield Step("Ask. The answer is in the log before you see it.", f"mlreg predict {task.example}")
    yield Step(
        "Ask 600 times more, one input a line, and keep the ids of the answers.",
        "mlreg predict --file inputs.txt --field prediction_id > ids.txt",
    )
    yield Step(
        "The truth arrives later. Join it to the ids, and send it back.",
        "(echo prediction_id,label; paste -d , ids.txt labels.txt) > truth.csv",
    )
    yield Step("", "mlreg feedback --file truth.csv")
    yield Step("How do they do, and which one does the evidence favour?", f"mlreg perf {model}")


def after_report(task: Task, *, ships: bool) -> Iterator[Step]:
    """The steps that act on the report."""
    verdict = (
        "The evidence favours 2.0.0: give it all the traffic."
        if ships
        else "The evidence does not favour 2.0.0. To show how, it is promoted all the same."
    )
    reason = "more accurate" if ships else "demo"
    yield Step(verdict, f'mlreg promote {task.model}@2.0.0 --reason "{reason}"')
    yield Step(
        "Regret it? What served before serves again, at once.",
        f'mlreg rollback {task.model} --reason "just to show it"',
    )
    yield from _experiment(task.model)
    yield Step("Nothing is lost: who changed what, when and why.", f"mlreg history {task.model}")


def _experiment(model: str) -> Iterator[Step]:
    """The steps of an A/B test; a verdict is not taken for granted."""
    yield Step(
        "A report is for one look. An A/B test says beforehand what decides, how much is needed\n"
        "and when to look, so a cron job may look each minute.",
        f"mlreg abtest create tone --control {model}@1.0.0 --treatment {model}@2.0.0"
        " --metric accuracy --baseline 0.77 --mde 0.12 --max-duration 1h --min-run 0"
        " --strategy round-robin",
    )
    yield Step("", "mlreg abtest start tone --field status")
    yield Step("", "mlreg predict --file inputs.txt --field prediction_id > ids.txt")
    yield Step("", "(echo prediction_id,label; paste -d , ids.txt labels.txt) > truth.csv")
    yield Step("", "mlreg feedback --file truth.csv")
    yield Step(
        "Answers are compared by their labels at one age, the time that labels take: here seconds.",
        "sleep 3; mlreg abtest analyze tone || true",
    )
    yield Step(
        "",
        "mlreg abtest conclude tone --promote-winner --field verdict || mlreg abtest stop tone",
    )


def acting(task: Task) -> Iterator[Step]:
    """The steps in which mlreg acts: a canary that goes well, and one that is caught."""
    model = task.model
    yield Step(
        "Now let mlreg act. Somebody is to be told: here a program that keeps what it reads.",
        "mlreg hook add rollout.complete rollout.abort --name pager --exec tee -a told.jsonl",
    )
    yield Step(
        "A canary: 2.0.0 gets a quarter of the traffic, then all of it, and is taken back if it\n"
        "is surely worse than 1.0.0. In earnest a step lasts an hour, and cron ticks.",
        f"mlreg route {model} 1.0.0=100 --strategy round-robin",
    )
    yield Step("", _start(model, "2.0.0"))
    yield Step("Traffic, and the truth about it in one go.", TRAFFIC)
    yield Step("Time passes.", "mlreg tick")
    yield Step("All of it goes to 2.0.0 now, and is watched for a while.", TRAFFIC)
    yield Step("", "mlreg tick")
    yield Step(
        "It serves alone. Next comes 3.0.0, and nobody has noticed that its labels were mixed up.",
        f"mlreg register {model}@3.0.0 {task.third}.joblib --parent 2.0.0",
    )
    yield Step("", _start(model, "3.0.0"))
    yield Step("", TRAFFIC)
    yield Step("It is caught, and 2.0.0 serves alone again.", "mlreg tick")
    yield Step("", f"mlreg route {model}")
    yield Step("", "mlreg rollout list")


def _start(model: str, version: str) -> str:
    return (
        f"mlreg rollout start {model}@{version} --steps 25,100 --interval 1s --min-samples 100"
        " --bake 1s --check 'accuracy >= baseline - 5pt sure'"
    )


def suggestions(task: Task) -> list[str]:
    """Commands to try when the demo has ended."""
    return [
        f"mlreg predict {task.another} --json",
        f"mlreg compare {task.model}@1.0.0 {task.model}@2.0.0",
        f"mlreg route {task.model} 1.0.0=50 2.0.0=50 --strategy sticky",
        f"mlreg route {task.model} --user alice",
        "mlreg rollout show",
        "mlreg log -n 5",
        "mlreg audit",
    ]
