"""Conditions are held against the predictions that they are about, whoever gave them."""

from __future__ import annotations

from typing import Any

import pytest

from mlreg.clock import DAY, HOUR, SECOND
from mlreg.entities.conditions import Finding
from mlreg.entities.traffic import Change
from mlreg.errors import CheckFailed, Inconclusive, InvalidInput, NotFound
from mlreg.metrics import BY_NAME
from mlreg.registry import Registry
from mlreg.store.feedback import FeedbackRow
from mlreg.store.predictions import Entry
from tests.support import Clock

MINUTE = 60 * SECOND


def rows(
    at: int, version: int, n: int, *, failed: int = 0, revision: int = 1, **columns: Any
) -> list[Entry]:
    """Predictions of a moment, the last ones of which failed."""
    values: dict[str, Any] = {
        "role": 0, "arm_reason": "random", "unit": None, "segment": None, "input": None,
        "output": '"yes"', "confidence": 0.5, "latency_us": 1000, "error": None, "cost": None,
    } | columns  # fmt: skip
    bad = values | {"output": None, "error": "broke", "confidence": None, "status": 1}
    good = values | {"status": 0}
    return [
        Entry(at=at, version=version, revision=revision, **(bad if i >= n - failed else good))
        for i in range(n)
    ]


def write(registry: Registry, *entries: list[Entry]) -> None:
    with registry.performance._context.store.write() as tx:
        for part in entries:
            tx.predictions.append_many(part)


def check(registry: Registry, *texts: str, **options: Any) -> dict[tuple[str, str], Finding]:
    """Findings by condition and version."""
    found = registry.conditions.findings("sentiment", texts, **options)
    return {(finding.condition, str(finding.version)): finding for finding in found}


def only(registry: Registry, text: str, version: str = "2.0.0", **options: Any) -> Finding:
    found = [f for f in check(registry, text, **options).values() if f.version == version]
    assert len(found) == 1
    return found[0]


# --- windows --------------------------------------------------------------------------------------


def test_the_usual_window_is_all_that_the_revision_in_force_gave(
    serving_registry: Registry, clock: Clock
):
    serving_registry.traffic.route("sentiment", {"1.0.0": 50, "2.0.0": 50})
    # One comes late: it was answered by the revision before, and logged after the change.
    write(
        serving_registry,
        rows(clock.at + 1, 2, 50, failed=50),
        rows(clock.at + 1, 2, 20, failed=1, revision=2),
    )
    found = only(serving_registry, "error_rate <= 5%")
    assert (found.state, found.value, found.samples) == ("pass", 0.05, 20)
    assert found.since is not None
    assert only(serving_registry, "error_rate <= 5%", since=0).samples == 70


def test_a_window_of_time_counts_back_from_now(serving_registry: Registry, clock: Clock):
    write(
        serving_registry,
        rows(clock.at - 3 * HOUR, 2, 40),
        rows(clock.at - 20 * MINUTE, 2, 20, failed=10),
        rows(clock.at - 5 * MINUTE, 2, 10, failed=10),
    )
    found = {text: only(serving_registry, f"error_rate <= 5% over {text}") for text in
             ("10m", "30m", "1d", "1h")}  # fmt: skip
    assert {text: finding.samples for text, finding in found.items()} == {
        "10m": 10, "30m": 30, "1d": 70, "1h": 30,
    }  # fmt: skip
    assert only(serving_registry, "error_rate <= 5% over 1m").state == "inconclusive"
    past = only(serving_registry, "error_rate <= 5% over 1h", until=clock.at - 10 * MINUTE)
    assert past.samples == 20


def test_the_last_predictions_are_those_of_the_version_itself(
    serving_registry: Registry, clock: Clock
):
    write(
        serving_registry,
        rows(clock.at, 2, 50, failed=50),
        rows(clock.at, 1, 500),
        rows(clock.at, 2, 30, failed=3, revision=2),
        rows(clock.at, 2, 99, failed=99, role=2),
        rows(clock.at, 2, 20, role=1),
    )
    found = only(serving_registry, "error_rate <= 5% over 30 predictions")
    assert (found.samples, found.value, found.state) == (30, 0.1, "fail")
    assert only(serving_registry, "error_rate <= 5% over 40 predictions").value == 13 / 40
    few = check(serving_registry, "error_rate <= 5% over 10000 predictions")
    assert [finding.samples for finding in few.values()] == [500, 80]


# --- references -----------------------------------------------------------------------------------


def test_the_baseline_is_left_out_where_others_are_judged(serving_registry: Registry, clock: Clock):
    serving_registry.versions.alias("sentiment@1.0.0", "champion")
    write(serving_registry, rows(clock.at, 1, 100, failed=2), rows(clock.at, 2, 100, failed=3))
    text = "error_rate <= baseline + 1pt"
    found = check(serving_registry, text, "error_rate <= 5%")
    assert {version for condition, version in found if condition == text} == {"2.0.0"}
    assert len(found) == 3
    assert found[text, "2.0.0"].state == "pass"
    assert found[text, "2.0.0"].bound == pytest.approx(0.03)
    other = only(serving_registry, text, "1.0.0", baseline="2.0.0")
    assert (other.state, other.bound) == ("pass", pytest.approx(0.04))
    with pytest.raises(NotFound, match=r"9\.9\.9"):
        check(serving_registry, text, baseline="9.9.9")


def test_a_version_that_is_the_only_one_has_nothing_to_be_compared_with(
    sentiment: Registry, clock: Clock
):
    sentiment.traffic.activate("sentiment@2.0.0")
    write(sentiment, rows(clock.at, 2, 100))
    found = only(sentiment, "error_rate <= baseline")
    assert found.state == "error"
    assert "is the baseline itself" in found.sentence
    with pytest.raises(Inconclusive, match="is the baseline itself"):
        sentiment.conditions.enforce([found])


def test_previous_is_what_served_before_other_versions_did(sentiment: Registry, clock: Clock):
    change = {"1.0.0": 80, "2.0.0": 20}
    sentiment.traffic.activate("sentiment@1.0.0")
    sentiment.traffic.route("sentiment", change)
    sentiment.traffic.route("sentiment", {"1.0.0": 50, "2.0.0": 50})
    sentiment.traffic.promote("sentiment@2.0.0")
    write(
        sentiment,
        rows(clock.at, 1, 100, failed=50, revision=1),
        rows(clock.at, 1, 100, failed=10, revision=2),
        rows(clock.at, 2, 100, failed=90, revision=2),
        rows(clock.at, 1, 100, failed=20, revision=3),
        rows(clock.at, 2, 100, failed=16, revision=4),
    )
    found = only(sentiment, "error_rate <= previous")
    assert (found.value, found.bound) == (0.16, 0.15)  # without its own answers before
    # A label, or a row, that comes late counts where it was answered.
    clock.at += DAY
    write(sentiment, rows(clock.at, 1, 100, failed=97, revision=3))
    assert only(sentiment, "error_rate <= previous").bound == pytest.approx(127 / 300)


def test_previous_in_a_window_is_the_end_of_its_time(sentiment: Registry, clock: Clock):
    sentiment.traffic.activate("sentiment@1.0.0")
    write(sentiment, rows(clock.at, 1, 100, failed=100))
    clock.at += 5 * HOUR
    write(sentiment, rows(clock.at, 1, 100, failed=10))
    clock.at += HOUR
    sentiment.traffic.promote("sentiment@2.0.0")
    clock.at += DAY
    write(sentiment, rows(clock.at, 2, 100, failed=5, revision=2))
    assert only(sentiment, "error_rate <= previous over 2h").bound == 0.1
    assert only(sentiment, "error_rate <= previous").bound == 0.55


def test_before_the_first_change_nothing_is_previous(serving_registry: Registry, clock: Clock):
    write(serving_registry, rows(clock.at, 2, 10))
    found = only(serving_registry, "error_rate <= previous")
    assert (found.state, found.value) == ("inconclusive", 0.0)
    assert "no data of previous" in found.sentence


@pytest.mark.parametrize(("name", "back"), [("yesterday", DAY), ("last-week", 7 * DAY)])
def test_the_same_window_before_is_that_of_the_whole_model(
    serving_registry: Registry, clock: Clock, name: str, back: int
):
    write(
        serving_registry,
        rows(clock.at - back - 2 * HOUR, 1, 50, failed=50),
        rows(clock.at - back - 30 * MINUTE, 1, 60, failed=6),
        rows(clock.at - back - 30 * MINUTE, 2, 40),
        rows(clock.at - 30 * MINUTE, 2, 10, failed=1),
    )
    found = only(serving_registry, f"error_rate <= {name} over 1h")
    assert (found.value, found.bound, found.state) == (0.1, 0.06, "fail")
    empty = only(serving_registry, f"error_rate <= {name} over 10m")
    assert empty.state == "inconclusive"


def test_an_empty_window_yesterday_is_no_reference(serving_registry: Registry, clock: Clock):
    write(serving_registry, rows(clock.at - MINUTE, 2, 10))
    found = only(serving_registry, "error_rate <= yesterday over 1h")
    assert (found.state, found.bound) == ("inconclusive", None)
    assert "no data of yesterday" in found.sentence


def test_a_window_that_overlaps_its_reference_is_an_error(serving_registry: Registry, clock: Clock):
    write(serving_registry, rows(clock.at - MINUTE, 2, 10))
    clock.at += 25 * HOUR
    found = only(serving_registry, "error_rate <= yesterday")
    assert (found.state, found.value) == ("error", 0.0)
    assert "overlaps that of yesterday" in found.sentence


def test_training_is_what_was_said_at_registration(serving_registry: Registry, clock: Clock):
    write(serving_registry, rows(clock.at, 2, 20))
    with serving_registry._context.store.write() as tx:
        tx.feedback.append(
            [
                FeedbackRow(clock.at, n, "label", '"yes"', int(n < 18), None, "me")
                for n in range(1, 21)
            ]
        )
    found = only(serving_registry, "accuracy >= training - 2pt")
    assert (found.state, found.bound) == ("fail", pytest.approx(0.88))
    assert only(serving_registry, "error_rate <= training").state == "inconclusive"


# --- who is judged --------------------------------------------------------------------------------


def test_shadows_and_versions_without_traffic_are_not_judged(
    serving_registry: Registry, clock: Clock
):
    serving_registry.versions.register("sentiment@3.0.0")
    write(
        serving_registry, rows(clock.at, 3, 30, failed=30), rows(clock.at, 2, 30, failed=30, role=1)
    )
    found = check(serving_registry, "error_rate <= 5%")
    assert {version: finding.state for (_, version), finding in found.items()} == {
        "1.0.0": "inconclusive", "2.0.0": "inconclusive",
    }  # fmt: skip


def test_a_model_that_nothing_serves_has_one_open_finding(sentiment: Registry, clock: Clock):
    write(sentiment, rows(clock.at, 1, 30, failed=30))
    found = sentiment.conditions.findings("sentiment", ["error_rate <= 5%"])
    assert [(finding.version, finding.state) for finding in found] == [(None, "inconclusive")]
    with pytest.raises(Inconclusive, match="no version is active, and there is no data for error"):
        sentiment.conditions.enforce(found)


def test_a_deleted_version_is_no_reference(sentiment: Registry, clock: Clock):
    sentiment.traffic.activate("sentiment@1.0.0")
    write(sentiment, rows(clock.at, 1, 30))
    sentiment.traffic.promote("sentiment@2.0.0")
    write(sentiment, rows(clock.at, 2, 30, revision=2))
    sentiment.versions.delete("sentiment@1.0.0", change=Change())
    assert only(sentiment, "error_rate <= previous").state == "inconclusive"


def test_segments_are_judged_one_by_one(serving_registry: Registry, clock: Clock):
    write(
        serving_registry,
        rows(clock.at, 2, 40, segment='{"land": "de"}'),
        rows(clock.at, 2, 10, failed=2, segment='{"land": "fr"}'),
        rows(clock.at, 1, 40, failed=4, segment='{"land": "fr"}'),
    )
    found = serving_registry.conditions.findings(
        "sentiment", ["error_rate <= baseline"], by="land", since=0, baseline="1.0.0"
    )
    assert [(f.segment, f.state, f.bound) for f in found] == [
        ("de", "inconclusive", None), ("fr", "fail", 0.1),
    ]  # fmt: skip
    assert "for land fr" in found[1].sentence
    for text in ("error_rate <= previous", "error_rate <= 5% over 10 predictions"):
        with pytest.raises(InvalidInput, match="cannot be told by segment"):
            check(serving_registry, text, by="land")


# --- as a gate ------------------------------------------------------------------------------------


def test_what_is_forbidden_fails_where_it_holds_and_says_so(
    serving_registry: Registry, clock: Clock
):
    write(
        serving_registry,
        rows(clock.at - HOUR, 1, 10, latency_us=50_000),
        rows(clock.at - HOUR, 2, 20, failed=20),
    )

    def enforce(*texts: str) -> None:
        options = {"are_forbidden": True, "since": 0}
        found = serving_registry.conditions.findings("sentiment", texts, **options)
        serving_registry.conditions.enforce(found)

    said = r"^sentiment@2.0.0: error_rate is 100%, which is > 5% \(20 samples, to 2026-.* UTC\)"
    with pytest.raises(CheckFailed, match=said):
        enforce("error_rate > 0.05")
    with pytest.raises(
        CheckFailed, match=r"sentiment@1.0.0: p50_latency_ms is 49.*ms, which is > 10ms"
    ):
        enforce("p50_latency_ms > 10")
    for text in ("error_rate >= 1", "error_rate > 0.99", "error_rate > 5% sure"):
        with pytest.raises(CheckFailed, match=r"which is (surely )?>"):
            enforce(text)
    enforce("error_rate > 1")
    with pytest.raises(CheckFailed, match="error_rate is 100%"):
        enforce("accuracy < 1", "error_rate > 5%")  # the first is not known
    with pytest.raises(Inconclusive, match="no data for accuracy"):
        enforce("accuracy < 1", "error_rate > 100%")
    with pytest.raises(InvalidInput, match="no metric happiness"):
        enforce("error_rate > 0", "happiness > 1")
    with pytest.raises(InvalidInput, match="for has no place in it"):
        enforce("error_rate > 0 for 10m")


def test_a_version_that_nothing_is_known_of_stops_only_who_asks_for_evidence(
    serving_registry: Registry, clock: Clock
):
    write(serving_registry, rows(clock.at, 1, 1000), rows(clock.at, 2, 3))
    enforce, findings = serving_registry.conditions.enforce, serving_registry.conditions.findings
    enforce(findings("sentiment", ["error_rate <= 5%"]))
    for text, said in (
        ("error_rate <= 5% min 100", "only 3 samples are there, and 100 are asked for"),
        ("error_rate <= 5% sure", "not sure that it is <= 5%"),
    ):
        with pytest.raises(Inconclusive, match=f"^sentiment@2.0.0: .*{said}"):
            enforce(findings("sentiment", [text]))
    write(serving_registry, rows(clock.at, 1, 1000, failed=1000))
    with pytest.raises(CheckFailed, match=r"^sentiment@1.0.0: error_rate is 50%"):
        enforce(findings("sentiment", ["error_rate <= 5% min 100"]))


def test_each_metric_of_the_catalogue_can_be_a_condition(serving_registry: Registry):
    for name in (*BY_NAME, "success_rate", "value:clicks"):
        found = serving_registry.conditions.findings("sentiment", [f"{name} > 0"])
        with pytest.raises(Inconclusive, match=f"there is no data for {name}"):
            serving_registry.conditions.enforce(found)
