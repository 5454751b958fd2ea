"""Verbs, JSON keys and exit codes that scripts rest on: they may be added to, never changed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mlreg.cli.app import VERBS, command
from mlreg.cli.exit_codes import ExitCode
from mlreg.registry import Registry
from tests.cli.conftest import Run

VERSION = {
    "model_id", "name", "version", "status", "traffic_percent", "description", "accuracy",
    "metrics", "metadata", "tags", "aliases", "parent", "flavor", "digest", "size_bytes",
    "signature", "trusted", "created_at", "created_by",
}  # fmt: skip
REVISION = {
    "model", "revision", "previous_revision", "strategy", "cause", "reason", "actor", "created_at",
    "arms",
}  # fmt: skip
PREDICTION = {
    "prediction", "confidence", "model_version", "model_id", "model", "prediction_id", "revision",
    "latency_ms", "arm_reason",
}  # fmt: skip
PERFORMANCE = {
    "model_id", "version", "request_count", "traffic_share", "error_rate", "error_rate_ci",
    "avg_latency_ms", "p50_latency_ms", "p95_latency_ms", "p99_latency_ms", "avg_confidence",
    "labelled_count", "label_coverage", "accuracy", "accuracy_ci", "cost_per_request",
}  # fmt: skip
COMPARISON = {
    "metric", "baseline", "candidate", "difference", "difference_ci", "p_value", "verdict",
}  # fmt: skip
ROLLBACK = {
    "time", "model", "from_version", "to_version", "reason", "automatic", "actor", "revision",
    "evidence",
}  # fmt: skip
EVENT = {"seq", "time", "actor", "action", "object", "reason", "before", "after"}


def test_the_verbs_of_this_release_are_there() -> None:
    assert {verb.name for verb in VERBS} >= {
        "init", "register", "attach", "next", "list", "show", "compare", "alias", "archive",
        "delete", "activate", "deactivate", "route", "promote", "rollback", "history", "audit",
        "predict", "feedback", "log", "perf", "config", "doctor", "demo", "tick",
        "record", "status",
        "shadow", "replay",
        "apply", "policy", "threshold", "alerts",
    }  # fmt: skip


def test_exit_codes_keep_their_numbers() -> None:
    assert {code.name: int(code) for code in ExitCode} == {
        "OK": 0, "UNEXPECTED": 1, "USAGE": 2, "NOT_FOUND": 3, "CONFLICT": 4, "ARTIFACT": 5,
        "STORE": 6, "PREDICTION_FAILED": 7, "NO_ACTIVE_VERSION": 8, "CHECK_FAILED": 10,
        "INCONCLUSIVE": 11, "INTERRUPTED": 130, "BROKEN_PIPE": 141, "TERMINATED": 143,
    }  # fmt: skip


def missing(document: Any, keys: set[str]) -> set[str]:
    return keys - set(document)


def test_versions_have_their_keys(serving: Run) -> None:
    assert not missing(serving("register", "m@1.0.0", "--json").json, VERSION)
    assert not missing(serving("show", "sentiment@1.0.0", "--json").json, VERSION)
    listed = serving("list", "--json").json
    assert set(listed) == {"models"}
    assert not missing(listed["models"][0], VERSION | {"request_count"})


@pytest.mark.parametrize(
    "words",
    [
        ("activate", "sentiment@2.0.0", "--traffic", "30"),
        ("deactivate", "sentiment@2.0.0"),
        ("route", "sentiment"),
        ("route", "sentiment", "1.0.0=100"),
        ("promote", "sentiment@2.0.0"),
        ("rollback", "sentiment"),
    ],
    ids=" ".join,
)
def test_changes_of_traffic_are_revisions(serving: Run, words: tuple[str, ...]) -> None:
    revision = serving(*words, "--json").json
    assert not missing(revision, REVISION)
    for arm in revision["arms"]:
        assert set(arm) == {"model_id", "version", "traffic_percent", "role"}
    assert serving(*words, "--dry-run", "--json").json["dry_run"] in (True, False)


def test_predictions_and_feedback_have_their_keys(serving: Run) -> None:
    answer = serving("predict", "great", "--json").json
    assert not missing(answer, PREDICTION)
    receipt = serving("feedback", answer["prediction_id"], "positive", "--json").json
    assert set(receipt) == {"recorded", "unknown", "duplicates", "unusual_labels", "dry_run"}


def test_reports_have_their_keys(serving: Run, serving_registry: Registry) -> None:
    halves = {"1.0.0": 50, "2.0.0": 50}
    serving_registry.traffic.route("sentiment", halves, strategy="round-robin")
    for _ in halves:
        serving_registry.predictions.predict("great")
    report = serving("perf", "--json").json
    assert not missing(
        report,
        {"model", "since", "until", "models", "comparisons", "best", "verdict", "recommendation"},
    )
    assert not missing(report["models"][0], PERFORMANCE)
    assert not missing(report["comparisons"][0], COMPARISON)


def test_history_audit_and_rollbacks_have_their_keys(serving: Run) -> None:
    serving("rollback")
    history = serving("history", "--json").json
    assert set(history) == {"model", "revisions"}
    assert not missing(history["revisions"][0], REVISION)
    assert not missing(serving("rollback", "--history", "--json").json["rollbacks"][0], ROLLBACK)
    assert not missing(serving("audit", "--json").records[-1], EVENT)
    choice = serving("route", "--user", "u", "--json").json
    assert set(choice) == {"model", "version", "model_id", "revision", "arm_reason"}


def commands(group: Any, *prefix: str) -> Iterator[tuple[tuple[str, ...], Any]]:
    """All commands with the words that call them, those of groups as well."""
    for name in group.list_commands(None):
        found = group.get_command(None, name)
        if hasattr(found, "commands"):
            yield from commands(found, *prefix, name)
        else:
            yield (*prefix, name), found


# They run for long, or make a registry somewhere else, whatever they are given.
ALL = [pair for pair in commands(command()) if pair[0] not in {("demo",), ("selftest",), ("init",)}]


def lines_with(value: str, words: tuple[str, ...], found: Any) -> Iterator[list[str]]:
    """Command lines that have a value as an argument, and as the value of each option."""
    yield [*words, value]
    yield [*words, value, value]
    required = [p for p in found.params if p.param_type_name == "argument" and p.required]
    usual = ["sentiment@1.0.0", "1"][: len(required)]
    for option in found.params:
        if option.param_type_name == "option" and not option.is_flag:
            yield [*words, *usual, option.opts[0], value]


@pytest.mark.slow
@pytest.mark.parametrize(("words", "found"), ALL, ids=[" ".join(words) for words, _ in ALL])
def test_no_odd_value_of_an_argument_or_option_is_a_defect(
    serving: Run, words: tuple[str, ...], found: Any
) -> None:
    """Some values; `make torture` tries more."""
    for value in ("9223372036854775808", "\udcff", "1h1h"):
        for line in lines_with(value, words, found):
            assert serving(*line, input="").code != ExitCode.UNEXPECTED, line


def test_a_model_that_fails_is_a_record_an_error_and_7(
    run: Run, registry: Registry, tmp_path: Path
) -> None:
    import joblib
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression().fit([[0.0, 1.0], [1.0, 0.0]], ["a", "b"])
    model.n_features_in_, model.coef_ = 3, model.coef_[:, :1]
    joblib.dump(model, tmp_path / "broken.joblib")
    registry.versions.register("broken@1.0.0", tmp_path / "broken.joblib")
    registry.traffic.activate("broken@1.0.0")
    failed = run("predict", "[1, 2, 3]", "--json")
    assert failed.code == 7
    assert failed.json["prediction"] is None
    assert failed.json["error"]
    assert '"code": "prediction_failed"' in failed.err
    for_people = run("predict", "[1, 2, 3]")
    assert (for_people.code, for_people.out) == (7, "")
    stream = run("predict", "-", "--json", input="[1, 2, 3]\n[1, 2, 3]\n")
    assert (stream.code, len(stream.records)) == (7, 2)
    assert run("log", "--errors", "--field", "predictions.status").out == "error\n" * 4
