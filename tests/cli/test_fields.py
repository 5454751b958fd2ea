"""`--field`: refused before anything happens where the result cannot have it."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import joblib
import pytest
from sklearn.linear_model import LogisticRegression

from mlreg.cli import app, fields
from mlreg.registry import Registry
from tests.cli.conftest import Run
from tests.support import dump

# Each verb as it would do something: the words behind it.
CALLS: dict[str, tuple[str, ...]] = {
    "init": ("new",),
    "register": ("sentiment@3.0.0", "--accuracy", "0.9"),
    "attach": ("sentiment@2.5.0", "model.joblib"),
    "next": ("sentiment",),
    "list": (),
    "show": ("sentiment",),
    "compare": ("sentiment@1.0.0", "sentiment@2.0.0"),
    "edit": ("sentiment", "--value-better", "clicks=up"),
    "alias": ("sentiment@1.0.0", "champion"),
    "archive": ("sentiment@2.5.0",),
    "delete": ("sentiment@2.5.0", "--yes"),
    "activate": ("sentiment@2.0.0", "--traffic", "30"),
    "deactivate": ("sentiment@2.0.0",),
    "route": ("sentiment", "1.0.0=50", "2.0.0=50"),
    "promote": ("sentiment@2.0.0",),
    "rollback": ("sentiment",),
    "history": (),
    "predict": ("great",),
    "feedback": ("1", "positive"),
    "log": (),
    "status": (),
    "record": ("sentiment", "--version", "1.0.0", "--output", "yes"),
    "perf": (),
    "shadow report": (),
    "shadow queue": (),
    "replay": ("--version", "2.0.0"),
    "apply": ("-f", "mlreg.toml"),
    "policy show": (),
    "policy diff": (),
    "policy history": (),
    "policy edit": (),
    "policy rollback": (),
    "threshold set": ("sentiment", "success_rate >= 5% over 10m"),
    "threshold defaults": ("sentiment",),
    "threshold remove": ("sentiment", "avg_confidence"),
    "threshold list": (),
    "alerts show": ("1",),
    "alerts ack": ("1",),
    "alerts silence": ("sentiment", "avg_confidence", "--for", "1h"),
    "rollout lint": ("other@2.0.0",),
    "rollout simulate": ("sentiment", "--runs", "20"),
    "rollout start": ("other@2.0.0",),
    **{
        f"rollout {verb}": ()
        for verb in ("advance", "approve", "pause", "resume", "promote", "abort")
    },
    "rollout retry": ("other",),
    "rollout status": (),
    "rollout show": (),
    "rollout list": (),
    "hook add": ("rollback", "--notify", "env:NOBODY"),
    "hook remove": ("hook-1",),
    "hook test": ("hook-1",),
    "hook deliver": (),
    "hook list": (),
    "hook deliveries": (),
    "why": ("decision", "1"),
    "next-steps": (),
    "tick": (),
    "threshold test": ("sentiment", "error_rate <= 5% over 10m"),
    "audit": (),
    "sql": (),
    "config": ("timeout", "7"),
    "doctor": ("--repair", "--yes"),
    "selftest": ("--quick",),
    "demo": ("demo",),
    "trust accept": ("sentiment@2.0.0", "--yes"),
    "trust key": (),
    "trust list": (),
    "trust revoke": ("sentiment@2.0.0",),
    "abtest power": ("--baseline", "0.1", "--mde", "0.02"),
    "abtest srm": ("50", "50"),
    "abtest create": ("t", "--control", "sentiment@1.0.0", "--treatment", "sentiment@2.0.0"),
    "abtest start": ("tone",),
    "abtest step": ("tone",),
    "abtest status": (),
    "abtest stop": ("tone",),
    "abtest analyze": ("tone",),
    "abtest conclude": ("tone",),
    "abtest verify": ("tone",),
    "abtest show": ("tone",),
    "abtest delete": ("tone",),
    "abtest list": (),
    "abtest assign": ("tone", "--user", "u"),
    "abtest record": ("tone", "--user", "u", "--variant", "control", "--success"),
}
# What has no result of its own, and what has one that depends on the question.
WITHOUT = {"help", "sql", "policy schema"}


def verbs() -> Iterator[str]:
    for verb in app.VERBS:
        if verb.is_group:
            table = import_module(verb.module).group.info.cls.table
            names = [f"{verb.name} {inner.name}" for inner in table]
            yield from (name for name in names if name not in WITHOUT)
        elif verb.name not in WITHOUT:
            yield verb.name


@pytest.fixture
def busy(
    serving: Run, serving_registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Run:
    """Where every verb has something to do."""
    (tmp_path / "mlreg.toml").write_text("[model.sentiment.rollback]\nbake = '2h'\n")
    monkeypatch.setenv("EDITOR", "true")
    serving_registry.versions.register("sentiment@2.5.0")
    serving_registry.predictions.predict("great")
    serving_registry.thresholds.set("sentiment", "avg_confidence <= 1% over 1h", label="error_rate")
    serving_registry.tick()  # an alert fires
    serving("abtest", "create", "tone", *CALLS["abtest create"][1:])
    serving("threshold", "set", "sentiment", "avg_confidence >= 0.9999 over 10m min 1")
    serving("hook", "add", "rollback", "--exec", "true")
    Path("mlreg.toml").write_text("[model.sentiment]\nthresholds = []\n")
    return serving


@pytest.mark.parametrize("verb", list(verbs()))
def test_a_field_that_does_not_exist_is_refused_before_anything_happens(
    busy: Run, tmp_path: Path, verb: str
) -> None:
    before, files = dump(tmp_path / ".mlreg"), sorted(tmp_path.rglob("*"))
    refused = busy(*verb.split(), *CALLS[verb], "--field", "nosuch")
    assert (refused.code, refused.out) == (2, "")
    assert "there is no field nosuch" in refused.err
    assert "the fields are: " in refused.err
    assert dump(tmp_path / ".mlreg") == before
    assert sorted(tmp_path.rglob("*")) == files


@pytest.mark.parametrize(
    ("words", "known"),
    [
        ("rollback --field rollbacks", False),
        ("rollback --history --field rollbacks.from_version", True),
        ("rollback --history --field revision", False),
        ("activate sentiment@2.0.0 --field arms.versoin", False),
        ("activate sentiment@2.0.0 --field arms.version.major", False),
        ("route sentiment --user u --field arm_reason", True),
        ("route sentiment --user u --field arms", False),
        ("predict great --field input", False),
        ("predict --file x.jsonl --segment-field column --keep --field input.column", True),
        ("config timeout --field settings", False),
        ("trust revoke sentiment@2.0.0 --field model.key", False),
        ("register sentiment@3.0.0 --field metadata.owner", True),
        ("abtest show tone --field design.nosuch", False),
        ("abtest show tone --field design.guardrails.metric", True),
    ],
)
def test_the_whole_path_is_checked_as_far_as_types_say(
    busy: Run, tmp_path: Path, words: str, known: bool
) -> None:
    (tmp_path / "x.jsonl").write_text('{"text": "great", "column": "a"}\n')
    before = dump(tmp_path / ".mlreg")
    found = busy(*words.split(), *(("--meta", "owner=me") if "metadata" in words else ()))
    assert (found.code == 0) == known, found.err
    if not known:
        assert (found.code, dump(tmp_path / ".mlreg")) == (2, before)


def paths(value: Any, above: str = "") -> Iterator[str]:
    """The dotted paths of a document."""
    if isinstance(value, list):
        for item in value:
            yield from paths(item, above)
    for name, inner in value.items() if isinstance(value, dict) else ():
        path = f"{above}.{name}" if above else name
        if "." not in name:
            yield path
            yield from paths(inner, path)


def prepare_rollout(busy: Run, verb: str) -> None:
    """A rollout in a state from which the verb leads on."""
    model = LogisticRegression().fit([[-1.0], [1.0]], [False, True])
    joblib.dump(model, "other.joblib")
    for version in ("1.0.0", "2.0.0"):
        busy("register", f"other@{version}", "other.joblib")
    busy("activate", "other@1.0.0")
    if verb != "rollout lint":
        assert busy("rollout", "start", "other@2.0.0").code == 0
    before = {"rollout resume": "pause", "rollout retry": "abort"}.get(verb)
    if before:
        assert busy("rollout", before).code == 0


@pytest.mark.parametrize(
    "verb",
    sorted(set(CALLS) - {"demo", "selftest", "attach", "init", "policy edit", "rollout start"}),
)
def test_every_field_that_is_printed_can_be_asked_for(busy: Run, verb: str) -> None:
    if verb in ("rollback", "abtest start"):
        busy("feedback", "1", "positive")
    elif verb in ("why", "alerts show", "alerts ack"):
        busy("tick")
    elif verb.startswith("rollout") and verb not in ("rollout start", "rollout simulate"):
        prepare_rollout(busy, verb)
    elif verb.startswith("abtest") and verb not in ("abtest create", "abtest show"):
        busy("abtest", "start", "tone")
    said = busy(*verb.split(), *CALLS[verb], "--json")
    first = CALLS[verb][:1]
    given = {"config": {"key": "timeout"}, "why": {"what": "decision", "number": 1}}.get(
        verb, {"what": first}
    )
    assert said.code in (0, 4, 10, 11), said.err
    for record in said.records:
        for path in paths(record):
            fields.check(verb, given, path)
