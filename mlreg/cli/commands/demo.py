"""mlreg demo."""

from __future__ import annotations

import shlex
import shutil
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import typer

from mlreg.cli.kit.parameters import argument
from mlreg.cli.session import Session, SessionOptions
from mlreg.errors import AlreadyExists, Conflict, InvalidInput, MlregError, StoreReadOnly

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from mlreg.cli.demo.plan import Step, Task
    from mlreg.cli.demo.shell import Done, Shell
    from mlreg.entities.reports import PerformanceReport


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoReport:
    """What the demo did, for programs.

    Attributes:
        steps: Each command with its exit code, its output and how long it took.
    """

    folder: str
    data: str
    steps: tuple[dict[str, object], ...]
    verdict: str
    best: str | None
    recommendation: str


def demo(
    session: SessionOptions,
    directory: Path | None = argument("[DIR]", "A new or empty folder; else a temporary one."),
) -> None:
    """Show the main job on real data, command by command.

    Trains versions of a model, registers two, splits the traffic, predicts, sends labels back,
    compares, promotes, rolls back, and runs an A/B test. Then mlreg acts by itself: one canary
    goes well, another one is caught. Each command is printed as you would type it, and run. The
    folder stays, to play with.

    $ mlreg demo
    $ mlreg demo ~/mlreg-demo
    """
    from mlreg.cli.demo import plan
    from mlreg.cli.demo.shell import Shell, python_name

    if session.registry is not None:
        raise InvalidInput("the demo makes a registry of its own", hint="run: mlreg demo DIR")
    with _folder(directory) as folder:
        task = plan.choose_task()
        (folder / plan.SCRIPT).write_text(plan.script_of(task), "utf-8")
        shell = Shell(folder, capture=not session.is_for_people)
        _begin(session, task, folder)
        done = _run(plan.until_report(task, folder, python_name()), shell, session)
        report = _report(folder, task)
        ships = report.verdict == "ship" and report.baseline == "1.0.0"
        done += _run(plan.after_report(task, ships=ships), shell, session)
        done += _run(plan.acting(task), shell, session)
    if session.is_for_people:
        _end(folder, plan.suggestions(task))
    else:
        session.emit(_summary(folder, task, done, report))


@contextmanager
def _folder(directory: Path | None) -> Iterator[Path]:
    """The folder to work in; a temporary one goes when the demo is interrupted."""
    if directory is not None:
        yield _empty(directory)
        return
    folder = Path(tempfile.mkdtemp(prefix="mlreg-demo-"))
    try:
        yield folder
    except (KeyboardInterrupt, SystemExit):
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _empty(directory: Path) -> Path:
    """The folder that was named, made if need be: the demo cannot write over anything in it."""
    if (directory / ".mlreg").exists():
        raise AlreadyExists(f"there is a registry in {directory}", hint="name another folder")
    if directory.exists() and not directory.is_dir():
        raise InvalidInput(f"{directory} is not a folder")
    try:
        directory.mkdir(parents=True, exist_ok=True)
        is_empty = next(directory.iterdir(), None) is None
    except OSError as error:
        raise StoreReadOnly(f"{directory} cannot be used: {error.strerror}") from None
    if not is_empty:
        raise Conflict(f"{directory} is not empty", hint="name a new folder")
    return directory.absolute()


def _begin(session: Session, task: Task, folder: Path) -> None:
    if not session.is_for_people:
        return
    _say(f"The main job of mlreg on real data: {task.about}.")
    if task.model == "digits":
        _say("With `pip install vaderSentiment` the demo classifies words instead.")
    _say(f"It happens in {folder},")
    _say("where train.py says more about the data.")


def _run(steps: Iterable[Step], shell: Shell, session: Session) -> list[Done]:
    """Run steps in order; the first that fails ends the demo."""
    done = []
    for step in steps:
        if session.is_for_people:
            _show(step)
        outcome = shell.run(step.command)
        done.append(outcome)
        if outcome.exit_code:
            _fail(outcome)
    return done


def _show(step: Step) -> None:
    typer.echo()
    for line in step.why.splitlines():
        typer.secho(f"# {line}", dim=True)
    typer.secho(f"$ {step.command}", bold=True)
    sys.stdout.flush()


def _fail(outcome: Done) -> NoReturn:
    # A step may fail because nobody reads any more, which this line then finds out as well.
    typer.echo(err=outcome.output is not None)
    sys.stdout.flush()
    said = f"; it printed: {outcome.output.strip()}" if outcome.output else ""
    raise MlregError(
        f"the demo stopped: `{outcome.command}` ended with {outcome.exit_code}{said}",
        hint="please report this, with what the steps printed",
    )


def _report(folder: Path, task: Task) -> PerformanceReport:
    from mlreg.registry import open_registry

    with open_registry(folder) as registry:
        return registry.performance.report(task.model)


def _end(folder: Path, suggestions: list[str]) -> None:
    typer.echo()
    _say("That was it. The registry stays where it is; to go on:")
    typer.secho(f"$ cd {shlex.quote(str(folder))}", bold=True)
    if shutil.which("mlreg") is None:
        typer.secho(f'$ export PATH="{Path(sys.executable).parent}:$PATH"', bold=True)
    for command in suggestions:
        typer.secho(f"$ {command}", bold=True)


def _summary(folder: Path, task: Task, done: list[Done], report: PerformanceReport) -> DemoReport:
    return DemoReport(
        folder=str(folder),
        data=task.about,
        steps=tuple(outcome._asdict() for outcome in done),
        verdict=report.verdict,
        best=report.best,
        recommendation=report.recommendation,
    )


def _say(text: str) -> None:
    typer.echo(text)
