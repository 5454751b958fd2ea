"""Policies: numbered, put back, and applied from a file that says the same in any words."""

from __future__ import annotations

from typing import Any

import pytest

from mlreg.entities.traffic import Change
from mlreg.errors import Conflict, InvalidInput, NotFound, PolicyMoved
from mlreg.registry import Registry
from mlreg.services.policy_files import SCHEMA, read_policies
from tests.support import Clock, dump

FILE = """
# What sentiment may do by itself.
[model.sentiment.rollback]
bake = "2h"

[[model.sentiment.thresholds]]
condition = "error_rate<=0.05 over 600s min 100"
action = "rollback"

[[model.sentiment.thresholds]]
name = "unusual"
anomaly = { metric = "p95_latency_ms", sigma = 3 }
severity = "info"

[model.sentiment.traffic]
split = { "1.0.0" = 90, "2.0.0" = 10 }
strategy = "sticky"
"""


def shares(registry: Registry) -> list[float]:
    return [arm.traffic_percent for arm in registry.traffic.current("sentiment").live]


def test_a_file_is_applied_once_whatever_its_words(sentiment: Registry):
    first = sentiment.policies.apply(FILE, change=Change(reason="tighter"))
    assert (first.changed, first.models[0].after, shares(sentiment)) == (True, 1, [90, 10])
    before = dump(sentiment.folder)
    same = FILE.replace("error_rate<=0.05 over 600s", "error_rate <= 5% over 10m")
    for text in (FILE, same):
        again = sentiment.policies.apply(text)
        assert (again.changed, again.models[0].lines) == (False, ())
    assert dump(sentiment.folder) == before
    assert [e.action for e in sentiment.audit.events()][-2:] == ["policy", "route"]


def test_a_dry_run_shows_the_difference_and_changes_nothing(sentiment: Registry):
    before = dump(sentiment.folder)
    found = sentiment.policies.apply(FILE, change=Change(dry_run=True))
    assert found.models[0].lines == (
        "+ rollback.bake: 2h",
        "+ threshold error_rate: error_rate <= 5% over 10m min 100 (critical, rollback)",
        "+ threshold unusual: p95_latency_ms within 3 sigma of its past (info, alert)",
        "~ traffic: nobody -> 1.0.0=90 2.0.0=10, sticky",
    )
    assert dump(sentiment.folder) == before


def test_all_of_a_file_is_applied_or_nothing(sentiment: Registry):
    before = dump(sentiment.folder)
    with pytest.raises(NotFound, match="there is no model other"):
        sentiment.policies.apply(FILE + "\n[model.other.rollback]\nbake = '1h'\n")
    with pytest.raises(NotFound, match=r"no version 9\.0\.0"):
        sentiment.policies.apply(FILE.replace('"2.0.0"', '"9.0.0"'))
    assert dump(sentiment.folder) == before


def test_a_policy_that_was_expected_has_to_be_in_force(sentiment: Registry):
    sentiment.policies.apply(FILE)
    changed = FILE.replace("2h", "3h")
    with pytest.raises(PolicyMoved, match="sentiment is at policy 1, not 7"):
        sentiment.policies.apply(changed, expect_policy=7)
    assert sentiment.policies.apply(changed, expect_policy=1).models[0].after == 2


def test_traffic_that_is_held_stays_and_the_file_is_refused_as_a_whole(sentiment: Registry):
    sentiment.traffic.activate("sentiment@1.0.0")
    sentiment.rollouts.start("sentiment@2.0.0")
    before = dump(sentiment.folder)
    with pytest.raises(Conflict, match="holds the traffic of sentiment"):
        sentiment.policies.apply(FILE)
    assert dump(sentiment.folder) == before


def test_a_policy_is_put_back_as_the_next_number(sentiment: Registry):
    sentiment.policies.apply(FILE)
    sentiment.thresholds.set("sentiment", "accuracy >= 80% over 7d")
    back = sentiment.policies.rollback("sentiment")
    assert (back.number, len(back.document["thresholds"])) == (3, 2)
    assert sentiment.policies.differ("sentiment").lines == (
        "- threshold accuracy: accuracy >= 80% over 7d (warning, alert)",
    )
    assert sentiment.policies.rollback("sentiment", to=0).document == {}
    with pytest.raises(NotFound, match="sentiment has no policy 9"):
        sentiment.policies.rollback("sentiment", to=9)
    assert [p.number for p in sentiment.policies.history("sentiment")] == [4, 3, 2, 1]


def test_a_model_without_a_policy_has_none_to_go_back_to(sentiment: Registry):
    assert sentiment.policies.current("sentiment").number == 0
    with pytest.raises(NotFound, match="has no policy -1"):
        sentiment.policies.rollback("sentiment")


def test_short_verbs_and_files_write_the_same_policy(sentiment: Registry, clock: Clock):
    sentiment.thresholds.set("sentiment", "error_rate <= 5% over 10m min 100", action="rollback")
    assert not sentiment.policies.apply(
        """
        [[model.sentiment.thresholds]]
        condition = "error_rate <= 5% min 100 over 10m"
        action = "rollback"
        """
    ).changed


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("action", "acton", "line 8: model.sentiment.thresholds[1].acton is unknown; did you mean"),
        ('"rollback"', '"rolback"', "line 8: model.sentiment.thresholds[1].action is one of alert"),
        ("error_rate<", "eror<", "line 7: model.sentiment.thresholds[1].condition cannot be"),
        ("sigma = 3", "sigma = '3'", "line 12: model.sentiment.thresholds[2].anomaly.sigma must"),
        ("sigma = 3", "sigma = 0", "line 10: model.sentiment.thresholds[2] cannot be: sigma lies"),
        ('"unusual"', '"error_rate"', "line 10: model.sentiment.thresholds[2] is a second"),
        ("2h", "soon", "line 3: model.sentiment.rollback cannot be: 'soon' is not a duration"),
        ("= 90", "= 80", "line 16: model.sentiment.traffic.split sums to 90, and not to 100"),
        ("= 90", "= -90", "line 16: model.sentiment.traffic.split.1.0.0 must be 0 or more"),
        ("sticky", "stick", "line 17: model.sentiment.traffic.strategy is one of"),
        ("[model.sentiment.rollback]", "[modl.x]", "line 3: modl is unknown; did you mean model"),
        ("[model.sentiment.rollback]", "[model.sentiment.rollback", "at line 3, column"),
        ("bake =", "bake = 1\nbake =", "Cannot overwrite a value"),
    ],
)
def test_what_is_wrong_in_a_file_is_told_with_its_line_and_key(old: str, new: str, problem: str):
    with pytest.raises(InvalidInput) as caught:
        read_policies(FILE.replace(old, new, 1), "mlreg.toml")
    assert caught.value.message.startswith("mlreg.toml")
    assert problem in caught.value.message


def test_the_schema_is_one_that_editors_understand():
    """Each part says what it is, and no table takes keys that it does not name."""

    def check(part: dict[str, Any]) -> None:
        assert {"type", "enum"} & set(part)
        if part["type"] == "object":
            inner = part.get("properties", {}).values()
            more = part["additionalProperties"]
            for one in (*inner, *([more] if isinstance(more, dict) else [])):
                check(one)
        if part["type"] == "array":
            check(part["items"])

    assert SCHEMA["$schema"].startswith("https://json-schema.org/")
    check(SCHEMA)


@pytest.mark.parametrize(
    "text",
    [
        "[model.sentiment.rollout]\nsteps = [1, 1{}]",
        '[[model.sentiment.thresholds]]\nanomaly = {{metric = "error_rate", sigma = 1{}}}',
    ],
)
def test_a_number_that_no_float_holds_is_refused_with_its_place(text: str):
    with pytest.raises(InvalidInput, match="too large"):
        read_policies(text.format("0" * 400), "mlreg.toml")
