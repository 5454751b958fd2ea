"""Errors, classes and directions: from labels to reports and experiments."""

from __future__ import annotations

import dataclasses
import math
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import mean_absolute_error, precision_recall_fscore_support

from mlreg.clock import DAY, HOUR
from mlreg.entities.experiments import Draft
from mlreg.entities.predictions import Feedback
from mlreg.errors import InvalidInput
from mlreg.registry import Registry
from tests.services.experimenting import look
from tests.services.test_performance import entry, versions, write
from tests.support import Clock, raw

FIRST = 1_790_000_000_000_000


def answered(registry: Registry, outputs: dict[int, list[str]], at: int, **columns: Any) -> None:
    """Log answers (JSON) of versions, by their keys."""
    write(registry, [entry(at, key, output=o, **columns) for key in outputs for o in outputs[key]])


def told(registry: Registry, labels: list[Any], first: int = 1) -> None:
    registry.feedback.record_many(
        Feedback(prediction_id=first + n, label=label) for n, label in enumerate(labels)
    )


@pytest.fixture
def words(sentiment: Registry) -> Registry:
    """Two versions that answer with classes, half of the traffic each."""
    sentiment.traffic.route("sentiment", {"1.0.0": 50, "2.0.0": 50})
    return sentiment


@pytest.fixture
def numbers(registry: Registry, artifacts: dict[str, Path]) -> Registry:
    """Two versions that answer with numbers, half of the traffic each."""
    for version in ("1.0.0", "2.0.0"):
        registry.versions.register(f"m@{version}", artifacts["number"])
    registry.traffic.route("m", {"1.0.0": 50, "2.0.0": 50})
    return registry


@pytest.fixture
def off(numbers: Registry, clock: Clock) -> tuple[Registry, np.ndarray, np.ndarray]:
    """Two versions whose 300 answers each are off, the second one's more."""
    rng = np.random.default_rng(3)
    labels = np.round(rng.normal(20, 5, 600), 3)
    errors = np.where(np.arange(600) < 300, rng.normal(0.1, 1, 600), rng.normal(-2, 3, 600))
    answers = labels + errors
    texts = [repr(float(answer)) for answer in answers]
    answered(numbers, {1: texts[:300], 2: texts[300:]}, clock.at - HOUR)
    told(numbers, labels.tolist())
    return numbers, answers, labels


# --- numbers -------------------------------------------------------------------------------------


def test_errors_are_those_of_scikit_learn_and_decide(off):
    registry, answers, labels = off
    report = registry.performance.report(baseline="2.0.0")
    for part, key in ((slice(300), "1.0.0"), (slice(300, 600), "2.0.0")):
        found, errors = versions(report)[key].metrics, answers[part] - labels[part]
        assert found["mae"].value == pytest.approx(mean_absolute_error(labels[part], answers[part]))
        assert found["rmse"].value == pytest.approx(float(np.sqrt(np.mean(errors**2))))
        assert found["bias"].value == pytest.approx(float(errors.mean()))
        for name in ("mae", "rmse"):
            low, high = found[name].ci or (math.inf, -math.inf)
            assert low < found[name].value < high
    verdicts = {c.metric: c.verdict for c in report.comparisons}
    assert [verdicts[name] for name in ("mae", "rmse", "bias")] == ["better"] * 3
    assert (report.verdict, report.best) == ("ship", versions(report)["1.0.0"].model_id)
    states = registry.conditions.findings("m", ["mae <= 100", "rmse < 2 min 300", "bias <= 0.001"])
    assert [found.state for found in states if found.version == "1.0.0"] == ["pass", "pass", "fail"]
    assert registry.health.check().healthy


def test_a_corrected_label_moves_the_error(off):
    registry, answers, labels = off
    told(registry, [float(answers[0]) - 500.0])
    labels[0] = answers[0] - 500.0
    found = versions(registry.performance.report())["1.0.0"].metrics
    assert found["mae"].value == pytest.approx(np.abs(answers - labels)[:300].mean())
    told(registry, ["unknown"])  # no number: it takes the error back
    found = versions(registry.performance.report())["1.0.0"].metrics
    assert found["mae"].n == 299
    assert registry.health.check().healthy


def test_segments_and_windows_have_errors_of_their_own(numbers: Registry, clock: Clock):
    for country, off in (("de", 1), ("fr", 3)):
        segment = f'{{"country":"{country}"}}'
        answered(numbers, {1: ["10.5"] * 4}, clock.at - HOUR // 2, segment=segment)
        told(numbers, [10.5 - off] * 4, first=1 if country == "de" else 5)
    entries = numbers.performance.report(by="country").models
    assert [(e.segment, e.metrics["mae"].value) for e in entries] == [("de", 1.0), ("fr", 3.0)]
    report = numbers.performance.report(since=clock.at - HOUR, until=clock.at - 1)
    assert versions(report)["1.0.0"].metrics["bias"].value == 2.0


def test_an_error_beyond_all_measure_counts_as_far_as_that(numbers: Registry, clock: Clock):
    answered(numbers, {1: ["1e+300", "-1.7e+308", "2.5"]}, clock.at)
    told(numbers, [-1e300, 1.7e308, 2.5])
    found = versions(numbers.performance.report())["1.0.0"].metrics
    assert (found["mae"].value, found["bias"].value) == (pytest.approx(2e15 / 3), 0.0)
    assert numbers.health.check().healthy


@pytest.mark.parametrize("strategy", ["sticky", "random"])
@pytest.mark.parametrize(
    ("metric", "control", "treatment"), [("mae", 2.0, 1.0), ("rmse", 2.5, 1.3), ("bias", 1.9, 0.4)]
)
def test_an_experiment_is_decided_by_errors(
    numbers: Registry, clock: Clock, strategy: Any, metric: str, control: float, treatment: float
):
    draft = Draft(
        control="m@1.0.0", treatments=["m@2.0.0"], strategy=strategy, metric=metric, mde=0.5,
        guardrails=["mae <= +10%", "rmse <= 4", "bias <= 3"],
    )  # fmt: skip
    numbers.experiments.create("t", draft)
    numbers.experiments.start("t")
    clock.at += 8 * DAY
    rng = random.Random(4)
    rows = []
    for arm, scale in (("control", 2), ("treatment", 1)):
        for n in range(400):
            error = scale * (0.5 + rng.random()) * rng.choice([1, 1, 1, 0.2 - 0.4 * (scale == 1)])
            rows.append({
                "unit": f"{arm}-{n % 150}", "variant": arm, "output": 20.0 + error, "label": 20.0,
                "latency_ms": 10 + n % 7,
            })  # fmt: skip
    found = look(numbers, rows)
    errors = {
        arm: np.array([float(str(row["output"])) - 20.0 for row in rows if row["variant"] == arm])
        for arm in ("control", "treatment")
    }
    plain = {
        "mae": lambda e: np.abs(e).mean(), "rmse": lambda e: np.sqrt((e**2).mean()),
        "bias": lambda e: abs(e.mean()),
    }[metric]  # fmt: skip
    primary = found.primary
    assert primary.control.value == pytest.approx(float(plain(errors["control"])))
    assert primary.treatment.value == pytest.approx(float(plain(errors["treatment"])))
    assert primary.direction == "down"
    assert found.verdict == "ship"
    assert numbers.health.check().healthy


def test_a_corrected_label_moves_the_error_in_an_experiment(numbers: Registry, clock: Clock):
    numbers.experiments.create(
        "t", Draft(control="m@1.0.0", treatments=["m@2.0.0"], metric="mae", strategy="sticky")
    )
    numbers.experiments.start("t")
    rows = [
        {"unit": f"{arm}{n}", "variant": arm, "output": 5.0 + n, "label": 5.0}
        for arm in ("control", "treatment")
        for n in range(3)
    ]
    assert look(numbers, rows).primary.control.value == 1.0
    told(numbers, [2.0])
    assert look(numbers).primary.control.value == 2.0
    told(numbers, ["nobody knows"])
    assert look(numbers).primary.control.value == 1.5
    assert numbers.health.check().healthy


@pytest.mark.parametrize("metric", ["f1", "f1:spam", "precision", "share:spam"])
def test_what_no_units_can_be_summed_for_decides_no_experiment(numbers: Registry, metric: str):
    with pytest.raises(InvalidInput, match=f"cannot be decided by {metric}") as caught:
        numbers.experiments.create(
            "t", Draft(control="m@1.0.0", treatments=["m@2.0.0"], metric=metric)
        )
    assert "mae" in caught.value.hint


# --- classes -------------------------------------------------------------------------------------


def test_classes_are_scored_as_scikit_learn_does(words: Registry, clock: Clock):
    rng = random.Random(1)
    answers = [rng.choice(["ham", "spam", "eggs"]) for _ in range(300)]
    labels = [a if rng.random() < 0.7 else rng.choice(["ham", "spam"]) for a in answers]
    answered(words, {1: [f'"{a}"' for a in answers]}, clock.at)
    told(words, labels)
    report = words.performance.report(by="label")
    (found,) = report.labels or ()
    assert [c.label for c in found.classes] == ["eggs", "ham", "spam"]
    each = precision_recall_fscore_support(labels, answers, labels=["eggs", "ham", "spam"])
    for place, score in enumerate(("precision", "recall", "f1")):
        for number, of_class in enumerate(found.classes):
            known = of_class.metrics.get(score)
            assert (known.value if known else 0.0) == pytest.approx(each[place][number])
    macro = precision_recall_fscore_support(labels, answers, average="macro", zero_division=0)
    metrics = report.models[0].metrics
    assert [metrics[n].value for n in ("precision", "recall", "f1")] == pytest.approx(macro[:3])
    assert sum(cell.count for cell in found.confusion) == 300
    assert found.classes[2].answered == answers.count("spam")
    assert found.classes[2].metrics["share"].n == 300
    asked = [
        "f1:spam > 1%",
        "share:eggs within 50pt of baseline",
        "f1 >= 0.1 sure",
        "recall:ham > 2% sure",
    ]
    states = words.conditions.findings("sentiment", asked, baseline="2.0.0")
    assert [f.state for f in states if f.version == "1.0.0"] == [
        "pass",
        "inconclusive",
        "inconclusive",
        "pass",
    ]


def test_a_corrected_label_moves_the_pair_and_a_failure_is_a_missed_label(
    words: Registry, clock: Clock
):
    answered(words, {1: ['"ham"', '"ham"']}, clock.at)
    answered(words, {1: ['"ham"']}, clock.at, status=1)
    told(words, ["ham", "spam", "ham"])
    told(words, ["ham", "ham"])
    (found,) = words.performance.report(by="label").labels or ()
    cells = [(c.label, c.answer, c.count) for c in found.confusion]
    assert cells == [("ham", "ham", 2), ("ham", None, 1)]
    (ham,) = (c for c in found.classes if c.label == "ham")
    assert ham.metrics["recall"].value == pytest.approx(2 / 3)
    assert words.health.check().healthy


def test_classes_beyond_the_first_fifty_are_one_and_that_is_said(words: Registry, clock: Clock):
    names = [f"c{n:02}" for n in range(60)]
    answered(words, {1: [f'"{name}"' for name in names]}, clock.at)
    told(words, names)
    (found,) = words.performance.report(by="label").labels or ()
    assert (len(found.classes), found.others) == (50, 10)
    assert [(c.label, c.count) for c in found.confusion if c.answer == "*"] == [("*", 10)]
    assert words.health.check().healthy


# --- time ----------------------------------------------------------------------------------------


def test_a_trend_has_a_point_for_each_hour_day_or_revision(words: Registry, clock: Clock):
    start = clock.at - clock.at % DAY - 3 * DAY
    for hour in range(60):
        answered(words, {1: ['"yes"'] * (1 + hour % 3)}, start + hour * HOUR)
        answered(words, {2: ['"yes"']}, start + hour * HOUR, revision=1 + hour // 30)
    by_hour = words.performance.report(by="hour").trend or ()
    assert len(by_hour) == 120
    assert [p.request_count for p in by_hour if p.version == "1.0.0"][:4] == [1, 2, 3, 1]
    window = {"since": start + HOUR // 2, "until": start + 50 * HOUR + HOUR // 2}
    by_day = words.performance.report(by="day", **window).trend or ()
    assert [p.request_count for p in by_day if p.version == "2.0.0"] == [23, 24, 3]
    by_revision = words.performance.report(by="revision").trend or ()
    points = [(p.version, p.revision, p.request_count) for p in by_revision]
    assert points == [("1.0.0", 1, 120), ("2.0.0", 1, 30), ("2.0.0", 2, 30)]


def test_a_segment_named_like_a_time_is_still_reached(words: Registry, clock: Clock):
    answered(words, {1: ['"yes"']}, clock.at, segment='{"day":"monday"}')
    report = words.performance.report(by="segment:day")
    assert (report.by, report.models[0].segment, report.trend) == ("day", "monday", None)


# --- directions ----------------------------------------------------------------------------------


def clicked(registry: Registry, clock: Clock) -> None:
    answered(registry, {1: ['"yes"'] * 150, 2: ['"yes"'] * 150}, clock.at)
    registry.feedback.record_many(
        Feedback(prediction_id=n, name="clicks", value=float(n % 4 + (n > 150)))
        for n in range(1, 301)
    )


def test_a_value_whose_direction_is_known_has_a_verdict(words: Registry, clock: Clock):
    clicked(words, clock)

    def judged() -> tuple[str, str]:
        report = words.performance.report(baseline="1.0.0")
        return next(c.verdict for c in report.comparisons if c.metric == "clicks"), report.verdict

    assert judged() == ("different", "inconclusive")
    model = words.versions.edit(value_better={"clicks": "up"})
    assert model.value_better == {"clicks": "up"}
    assert judged() == ("better", "ship")
    words.versions.edit("sentiment", value_better={"clicks": "down"})
    assert judged() == ("worse", "keep")
    words.versions.edit(value_better={"clicks": None})
    assert judged() == ("different", "inconclusive")
    assert [e.action for e in words.audit.events()].count("edit") == 3
    assert words.health.check().healthy


def test_an_experiment_takes_the_direction_of_the_model(tested: Registry):
    tested.versions.edit("m", value_better={"refunds": "down"})
    for number, (metric, expected) in enumerate(
        {"value:refunds": "down", "value:refunds:up": "up", "value:clicks": "up"}.items()
    ):
        draft = Draft(
            control="m@1.0.0", treatments=["m@2.0.0"], metric=metric,
            guardrails=["value:refunds <= +1"] if metric == "value:refunds" else [],
        )  # fmt: skip
        made = tested.experiments.create(f"t{number}", draft)
        assert made.design.metric.direction == expected


@pytest.mark.parametrize(
    ("wanted", "reason"),
    [({"clicks": "sideways"}, "is better `up` or `down`, not sideways"), ({"a b": "up"}, "name")],
)
def test_what_is_no_direction_is_refused(words: Registry, wanted: Any, reason: str):
    with pytest.raises(InvalidInput, match=reason):
        words.versions.edit(value_better=wanted)


def test_every_figure_of_a_report_is_json(off):
    from mlreg.jsonable import jsonable

    report = off[0].performance.report(by="label")
    assert dataclasses.is_dataclass(report)
    plain = jsonable(report)
    assert plain["models"][0]["metrics"]["mae"]["n"] == 300  # type: ignore[index,call-overload]


# --- registries of before ------------------------------------------------------------------------

# What undoes the migration: this is how a registry looked before it.
BEFORE = """
    alter table experiment_units add column over50 integer not null default 0;
    alter table experiment_units add column over95 integer not null default 0;
    alter table experiment_units add column over99 integer not null default 0;
    update experiment_units as u set (timed, over95) = (
        select known, total from experiment_values v
        where v.name = ':p95_latency_ms' and (v.experiment, v.unit, v.revision, v.version)
            = (u.experiment, u.unit, u.revision, u.version)
    );
    delete from experiment_values where name like ':%';
    drop table value_directions;
    alter table summaries drop column deviations;
    alter table summaries drop column answers;
    alter table summaries drop column pairs;
    delete from _sqlite_migrations where name = 'm006_errors_and_classes';
    pragma user_version = 5;
"""


def test_a_registry_from_before_opens_and_counts_anew_what_it_has(numbers: Registry, clock: Clock):
    draft = Draft(
        control="m@1.0.0", treatments=["m@2.0.0"], strategy="sticky", metric="p95_latency_ms"
    )
    numbers.experiments.create("t", draft)
    numbers.experiments.start("t")
    clock.at += 8 * DAY
    rows = [
        {"unit": f"{arm}{n}", "variant": arm, "output": n % 9 + 0.5, "label": 4.5,
         "latency_ms": 10 + n * 7 % 1500 / 100 + (arm == "control")}
        for arm in ("control", "treatment")
        for n in range(1500)
    ]  # fmt: skip
    before = look(numbers, rows)
    assert before.primary.se is not None
    report = numbers.performance.report()
    folder = numbers.folder
    numbers.close()
    with raw(folder) as connection:
        connection.executescript(BEFORE)
        assert connection.execute("select sum(over95) from experiment_units").fetchone()[0] > 0
    with Registry(folder, actor="tester", clock=clock) as later:
        assert later.performance.report() == report
        assert look(later).primary == before.primary
        assert later.health.check().healthy
        more = [{**row, "unit": f"later-{row['unit']}"} for row in rows]
        assert look(later, more).primary.control.n_rows == 3000
        assert later.health.check().healthy
