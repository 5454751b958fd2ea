"""The table of verbs, and the group of them all."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import typer

from mlreg.cli.kit.groups import SETTINGS, LazyGroup, Verb
from mlreg.cli.kit.parameters import flag
from mlreg.cli.session import REGISTRY, TRACEBACK, Globals

COMPLETION = "_MLREG_COMPLETE"  # set by a shell that asks for words

_VERSIONS, _TRAFFIC = "Versions", "Traffic"
_PREDICT, _LOOK_AFTER = "Predict and measure", "Look after"
_ACT = "Let it act"

VERBS = (
    Verb("init", "Create a registry in a folder.", _VERSIONS),
    Verb("register", "Add a version of a model.", _VERSIONS),
    Verb("attach", "Give a version that has only metadata its artifact, once.", _VERSIONS),
    Verb("next", "Say which versions could be registered next.", _VERSIONS),
    Verb("list", "List versions with their status, traffic and requests.", _VERSIONS),
    Verb("show", "Show everything about a version, a model, or a prediction.", _VERSIONS),
    Verb("compare", "Compare two versions, metric by metric, offline and live.", _VERSIONS),
    Verb("edit", "Change what is said about a version or a model.", _VERSIONS),
    Verb("alias", "Point an alias such as champion at a version.", _VERSIONS),
    Verb("archive", "Retire a version so that it can get no traffic.", _VERSIONS),
    Verb("delete", "Delete a version and its artifact; its predictions stay.", _VERSIONS),
    Verb("activate", "Give a version its share of the traffic.", _TRAFFIC),
    Verb("deactivate", "Take a version out of the traffic.", _TRAFFIC),
    Verb("route", "Show or set the whole split of a model's traffic.", _TRAFFIC),
    Verb("promote", "Give a version all traffic and the alias champion.", _TRAFFIC),
    Verb("rollback", "Put an earlier state of the traffic in force again.", _TRAFFIC),
    Verb("history", "List the revisions of a model's traffic.", _TRAFFIC),
    Verb("predict", "Answer from the version that the traffic chooses, and log it.", _PREDICT),
    Verb("record", "Log an answer that a program of your own gave.", _PREDICT),
    Verb("feedback", "Record what the right answer was.", _PREDICT),
    Verb("log", "List logged predictions.", _PREDICT),
    Verb("perf", "Report how the versions do, and which one the evidence favours.", _PREDICT),
    Verb(
        "shadow",
        "See how versions would have answered, and label what tells them apart.",
        _PREDICT,
        is_group=True,
    ),
    Verb("replay", "Ask a version what others were asked live, from the log.", _PREDICT),
    Verb("abtest", "Plan, run and judge A/B tests of versions.", _PREDICT, is_group=True),
    Verb("apply", "Have policies and traffic be as a file says.", _ACT),
    Verb("policy", "See and change what mlreg may do by itself.", _ACT, is_group=True),
    Verb("threshold", "Say what must hold of a model that serves.", _ACT, is_group=True),
    Verb("alerts", "List, acknowledge and silence alerts.", _ACT, is_group=True),
    Verb(
        "rollout",
        "Give a version its traffic step by step, and take it back where it fails.",
        _ACT,
        is_group=True,
    ),
    Verb("hook", "Have programs and people told of what happens.", _ACT, is_group=True),
    Verb("status", "Show who serves, how it does, what is wrong and what comes next.", _ACT),
    Verb("why", "Say why something was decided, or why an alert fired.", _ACT),
    Verb("next-steps", "Say what will happen when, if nothing changes.", _ACT),
    Verb("tick", "Let time make happen what is due; meant for cron.", _ACT),
    Verb("audit", "List who changed what, when and why.", _LOOK_AFTER),
    Verb("trust", "See and decide which versions may run any code.", _LOOK_AFTER, is_group=True),
    Verb("sql", "Read the registry with a query of your own.", _LOOK_AFTER),
    Verb("config", "Show or change settings.", _LOOK_AFTER),
    Verb("doctor", "Check that the registry holds what it promises.", _LOOK_AFTER),
    Verb("selftest", "Simulate tests through the real routing and store.", _LOOK_AFTER),
    Verb("help", "Show the help of a command.", _LOOK_AFTER),
    Verb("demo", "Show the main job on real data, command by command.", _LOOK_AFTER),
)
BY_NAME = {verb.name: verb for verb in VERBS}


class Verbs(LazyGroup):
    """The group of all verbs."""

    table = VERBS

    def main(self, args: Any = None, *_: Any, **__: Any) -> Any:
        """Run and leave with the exit code; every error has been reported."""
        import sys

        sys.exit(self.run(list(sys.argv[1:] if args is None else args)))

    def run(self, args: list[str]) -> int:
        """Run with these arguments; returns the exit code after reporting any error."""
        try:
            if os.environ.get(COMPLETION):
                from mlreg.cli.kit.completion import answer

                answer(lambda: self._main_shell_completion({}, "mlreg"), os.environ)
            with self.make_context("mlreg", args) as ctx:
                self.invoke(ctx)
        except BaseException as error:  # noqa: BLE001  # the one place where errors end
            from mlreg.cli.failures import report

            return report(error, args, self)
        return 0


app = typer.Typer(cls=Verbs, pretty_exceptions_enable=False, **SETTINGS)


@app.callback(invoke_without_command=True)
def mlreg(
    ctx: typer.Context,
    registry: Path | None = REGISTRY,
    traceback: bool = TRACEBACK,  # noqa: ARG001  # read from the line itself
    version: bool = flag("--version", "Show the version and end."),
) -> None:
    """Know which version of a model should answer, and prove it.

    $ mlreg init
    $ mlreg register sentiment@1.0.0 model.joblib
    $ mlreg activate sentiment@1.0.0
    $ mlreg predict "Great product!"
    """
    ctx.obj = Globals(registry)
    if version:
        from mlreg import __version__

        typer.echo(f"mlreg {__version__}")
    elif ctx.invoked_subcommand is None:
        typer.echo(ctx.get_help())


def command() -> Verbs:
    """The group, ready to run."""
    found = typer.main.get_command(app)
    assert isinstance(found, Verbs)  # for the type checker
    return found
