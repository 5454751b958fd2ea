"""B1, B2, B9, B10: whole processes, as a shell starts them."""

from __future__ import annotations

import itertools
import sys
from pathlib import Path

from benchmarks.harness import MLREG, Case, Line, Plan, baseline, medians, process, ratio
from benchmarks.models import TEXT, mid, registry


def start_up(plan: Plan) -> list[Line]:
    """B1 and B10: what starting costs."""
    registry(plan.folder, mid(plan.folder))
    found = medians(
        {
            "pass": process(sys.executable, "-c", "pass", folder=plan.folder),
            "import": process(sys.executable, "-c", "import mlreg", folder=plan.folder),
            "bare --help": baseline("typer_app.py", "--help", folder=plan.folder),
            "bare": baseline("typer_app.py", "hello", folder=plan.folder),
            "--help": process(MLREG, "--help", folder=plan.folder),
            "list": process(MLREG, "list", "--json", folder=plan.folder),
        },
        seconds=plan.seconds,
    )
    return [
        ratio("B1", "mlreg --help / bare Typer app --help", found, "--help", "bare --help", 1.15),
        ratio("B1", "mlreg list --json / bare Typer command", found, "list", "bare", 1.3),
        ratio("B10", "import mlreg / python -c pass", found, "import", "pass", 2.5),
    ]


def one_shot(plan: Plan) -> list[Line]:
    """B2: one prediction with its row committed, against a script that only predicts."""
    model = mid(plan.folder)
    registry(plan.folder, model)
    found = medians(
        {
            "script": baseline("predict_one.py", model, TEXT, folder=plan.folder),
            "predict": process(MLREG, "predict", TEXT, folder=plan.folder),
        },
        seconds=plan.seconds,
    )
    what = "mlreg predict / joblib script"
    return [ratio("B2", what, found, "predict", "script", 0.85)]


def control_plane(plan: Plan) -> list[Line]:
    """B9: changes of traffic, and registering."""
    model = mid(plan.folder)
    registry(plan.folder, model)
    found = medians(
        {
            "bare": baseline("typer_app.py", "hello", folder=plan.folder),
            "load": baseline("load_only.py", model, folder=plan.folder),
            "activate": _activating(plan.folder),
            "rollback": process(MLREG, "rollback", "sentiment", folder=plan.folder),
            "register": _registering(plan.folder, model, "checked"),
            "unchecked": _registering(plan.folder, model, "unchecked", "--no-check"),
        },
        seconds=plan.seconds,
    )
    return [
        ratio("B9", "mlreg activate / bare Typer command", found, "activate", "bare", 1.6),
        ratio("B9", "mlreg rollback / bare Typer command", found, "rollback", "bare", 1.6),
        ratio("B9", "mlreg register / script that loads", found, "register", "load", 1.15),
        ratio("B9", "register --no-check / bare command", found, "unchecked", "bare", 1.8),
    ]


def _activating(folder: Path) -> Case:
    shares = itertools.cycle(["30", "40", "50", "60"])

    def run() -> None:
        process(MLREG, "activate", "sentiment@2.0.0", "--traffic", next(shares), folder=folder)()

    return run


def _registering(folder: Path, model: Path, name: str, *options: str) -> Case:
    numbers = itertools.count()

    def run() -> None:
        reference = f"{name}@1.0.{next(numbers)}"
        process(MLREG, "register", reference, model, *options, folder=folder)()

    return run
