"""The table of verbs, help, errors and exit codes."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import pytest

from mlreg import errors
from mlreg.cli.app import VERBS, command
from mlreg.cli.exit_codes import OF_ERROR, ExitCode, exit_code
from mlreg.cli.failures import report
from tests.cli.conftest import Run


def subclasses(base: type[errors.MlregError]) -> set[type[errors.MlregError]]:
    children = set(base.__subclasses__())
    return children.union(*map(subclasses, children))


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb.name)
def test_the_table_says_what_the_docstring_says(verb) -> None:
    module = import_module(verb.module)
    names = vars(module)
    name = verb.name.replace("-", "_")
    function = module if verb.is_group else names.get(name) or names[f"{name}_"]
    assert inspect.getdoc(function).splitlines()[0] == verb.help


def test_help_lists_every_verb_below_its_panel(run: Run) -> None:
    shown = run("--help").out
    assert all(f"  {verb.name} " in shown for verb in VERBS)
    panels = [verb.panel for verb in VERBS]
    places = [shown.index(f"\n{panel}:\n") for panel in dict.fromkeys(panels)]
    assert places == sorted(places)
    assert run().out == shown
    assert max(map(len, shown.splitlines())) <= 80


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb.name)
def test_every_verb_has_help_with_an_example(run: Run, verb) -> None:
    shown = run(verb.name, "--help")
    assert (shown.code, shown.err) == (0, "")
    assert f"$ mlreg {verb.name}" in shown.out


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("ls", "mlreg list"), ("rm", "mlreg delete"), ("get", "mlreg show"),
        ("describe", "mlreg show"), ("stats", "mlreg perf"), ("deploy", "mlreg activate"),
        ("undo", "mlreg rollback"), ("deplyo", "mlreg activate"),
        ("abtest ls", "mlreg abtest list"), ("trust rm", "mlreg trust revoke"),
    ],
)  # fmt: skip
def test_the_words_of_neighbours_are_known(run: Run, typed: str, meant: str) -> None:
    lost = run(*typed.split())
    assert lost.code == 2
    assert f"did you mean {meant}? see:" in lost.err


def test_help_is_there_under_all_its_names(run: Run) -> None:
    whole = run("--help").out
    assert run("-h").out == run("help").out == whole
    assert run("help", "abtest", "create").out == run("abtest", "create", "-h").out
    assert "has no commands of its own" in run("help", "list", "x").err
    assert "there is no command nosuch" in run("help", "nosuch").err


def test_every_error_has_an_exit_code_of_its_branch() -> None:
    known = subclasses(errors.MlregError)
    assert not [error for error in known if exit_code(error) is ExitCode.UNEXPECTED]
    assert len({code for error, code in OF_ERROR.items() if error is not errors.OutputFailed}) == 9
    assert exit_code(errors.RevisionMoved) == 4


def test_a_verb_that_was_mistyped_is_guessed(run: Run) -> None:
    lost = run("lst")
    assert lost.code == 2
    assert (
        lost.err
        == "error: there is no command lst\nhint: did you mean mlreg list? see: mlreg --help\n"
    )
    assert "there is no command \\x1b[31m" in run("\x1b[31m").err


@pytest.mark.parametrize(
    "words",
    [
        ("list", "--nope"), ("show", "a", "b", "c"), ("activate",), ("--nope",),
        ("list", "--status"), ("list", "--status", "odd"), ("log", "-n"),
        ("promote", "m@1", "--expect-revision", "-1"),
        ("perf", "--since"), ("register",),
    ],
)  # fmt: skip
def test_wrong_usage_is_said_in_three_lines(mlreg: Run, words: tuple[str, ...]) -> None:
    refused = mlreg(*words)
    assert (refused.code, refused.out) == (2, "")
    assert refused.err.startswith("error: ")
    assert 1 <= len(refused.err.splitlines()) <= 3
    as_json = mlreg(*words[:1], "--json", *words[1:])
    assert (as_json.code, as_json.out) == (2, "")
    assert set(json.loads(as_json.err)["error"]) == {"code", "message", "hint"}


FAILING = (
    ("show", "sentiment@9.0.0"),
    ("list", "nobody", "--tag", "a", "--status=inactive"),
    ("log", "-n", "5", "--since", "soon"),
    ("log", "-n0"),
    ("activate", "sentiment@1.0.0", "--traffic", "120", "--reason", "--json"),
    ("route", "sentiment", "1.0.0=1", "2.0.0=1", "--strategy", "odd"),
    ("feedback", "0", "positive", "--value", "a=1", "--correct"),
    ("deactivate", "nobody", "-y", "--actor", "me"),
    ("predict", "x", "--model", "nobody", "--nope", "--user", "u"),
    ("abtest", "show", "nobody"),
    ("abtest", "create", "x", "--mde", "0.1", "--nope"),
    ("config", "nothing", "1"),
    ("next", "nobody", "--registry", "."),
    ("audit", "-n"),
    ("perf", "--since"),
    ("perf", "--since", "1h1h", "--fail-if", "nonsense"),
)
TAKING = {
    *("--tag", "-n", "--since", "--traffic", "--reason", "--strategy", "--value", "--actor"),
    *("--model", "--user", "--mde", "--registry", "--fail-if"),
}


@pytest.mark.parametrize("words", FAILING, ids=" ".join)
def test_an_error_is_json_wherever_the_flag_stands(serving: Run, words: tuple[str, ...]) -> None:
    plain = serving(*words)
    assert plain.code > 1
    assert plain.err.startswith("error: ")
    message = plain.err.splitlines()[0].removeprefix("error: ")
    first = 1 + (words[0] == "abtest")
    for place in range(first, len(words) + 1):
        if words[place - 1] in TAKING:
            continue
        found = serving(*words[:place], "--json", *words[place:])
        assert found.code == plain.code
        assert json.loads(found.err)["error"]["message"] == message


@pytest.mark.parametrize(
    "words",
    [
        ("list", "--tag", "--json", "--nope"),
        ("list", "nobody", "--status", "--json"),
        ("log", "-n", "--json"),
        ("show", "sentiment@1.0.0", "--field", "--json"),
        ("show", "sentiment@9.0.0", "--field", "--traceback"),
        ("feedback", "1", "--value", "--json"),
        ("deactivate", "nobody", "-y", "--actor", "--json"),
        ("activate", "nobody@1.0.0", "--reason", "--", "--reason", "--json"),
        ("--registry", "--json", "list"),
        ("abtest", "create", "x", "--mde", "--json"),
        ("show", "--", "--json"),
        ("show", "a", "--", "--json"),
    ],
    ids=" ".join,
)
def test_the_value_of_another_option_is_no_flag(serving: Run, words: tuple[str, ...]) -> None:
    refused = serving(*words)
    assert refused.code in (2, 3)
    assert refused.err.startswith("error: ")


def test_no_registry_ends_with_3_and_says_how_to_make_one(run: Run) -> None:
    lost = run("list", "--json")
    assert (lost.code, lost.out) == (3, "")
    found = json.loads(lost.err)["error"]
    assert found["code"] == "registry_not_found"
    assert "mlreg init" in found["hint"]


def test_the_registry_can_be_named_on_both_sides_of_the_verb(mlreg: Run, tmp_path) -> None:
    assert mlreg("--registry", tmp_path, "list").code == 0
    assert mlreg("list", "--registry", tmp_path / ".mlreg").code == 0
    assert mlreg("list", "--registry", tmp_path / "nowhere").code == 3
    assert mlreg("list", "--registry=").code == 2


def test_an_unforeseen_error_asks_for_a_report(capsys: pytest.CaptureFixture[str]) -> None:
    assert report(TypeError("odd\x1b"), ["list"], command()) == 1
    told = capsys.readouterr().err
    assert told.startswith(
        "error: mlreg failed in a way that nobody foresaw: TypeError: odd\\x1b\n"
    )
    assert len(told.splitlines()) == 2
    assert report(TypeError("odd"), ["list", "--traceback"], command()) == 1
    assert "TypeError: odd\nerror: mlreg failed" in capsys.readouterr().err


def test_interrupts_and_exits_have_their_codes(capsys: pytest.CaptureFixture[str]) -> None:
    assert report(KeyboardInterrupt(), [], command()) == 130
    assert report(SystemExit(143), [], command()) == 143
    assert report(BrokenPipeError(), [], command()) == 141
    assert capsys.readouterr().err == "interrupted\n"


def test_the_version_is_said(run: Run) -> None:
    assert run("--version").out.startswith("mlreg ")


def test_completion_knows_names_versions_and_aliases(
    serving: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlreg.cli.kit.completion import (
        complete_model,
        complete_ref,
        complete_selector,
        complete_setting,
    )

    serving("alias", "sentiment@1.0.0", "champion")
    assert complete_model("sen") == ["sentiment"]
    assert complete_ref("s") == ["sentiment"]
    assert complete_ref("sentiment@c") == ["sentiment@champion"]
    assert complete_selector("") == ["1.0.0", "champion", "2.0.0", "latest"]
    assert complete_setting("tim") == ["timeout"]
    monkeypatch.setenv("MLREG_REGISTRY", "/nowhere")
    assert complete_ref("s") == []


def test_a_shell_can_complete_whatever_says_so(serving: Run) -> None:
    completing = [p for p in parameters(command()) if p._custom_shell_complete is not None]
    assert {parameter.name for parameter in completing} >= {"ref", "model", "test_id", "key"}
    for parameter in completing:
        assert parameter.shell_complete(None, "no-such-beginning") == []


def parameters(found: Any) -> Iterator[Any]:
    """All parameters of a command and of those below it."""
    yield from found.params
    for verb in getattr(found, "table", ()):
        yield from parameters(found.get_command(None, verb.name))


def test_verbs_are_loaded_once() -> None:
    group = command()
    assert group.get_command(None, "list") is group.get_command(None, "list")
    assert group.get_command(None, "nothing") is None
