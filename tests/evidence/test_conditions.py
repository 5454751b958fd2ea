"""Conditions read back as themselves, errors point at the place, and `sure` is seldom wrong."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from datetime import timedelta
from decimal import Decimal
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlreg.errors import InvalidInput
from mlreg.evidence.conditions import (
    Condition,
    Measured,
    evaluate,
    measure,
    of_catalogue,
    told,
)
from mlreg.evidence.grammar import parse
from mlreg.metrics import Metric
from mlreg.names import safe
from mlreg.stats.results import Interval
from mlreg.tallies import Moments, Tally

METRICS = {"error_rate": "share", "p95_latency_ms": "ms", "cost_per_request": "cost",
           "value:clicks": "value"}  # fmt: skip


# --- reading and printing -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("error_rate > 0.05", "error_rate > 5%"),
        (" error_rate>5 % ", "error_rate > 5%"),
        ("accuracy <= 0.9", "accuracy <= 90%"),
        ("p95_latency_ms >= 200", "p95_latency_ms >= 200ms"),
        ("avg_latency_ms < 0.2s", "avg_latency_ms < 200ms"),
        ("cost_per_request<1", "cost_per_request < 1"),
        ("value:score >= -0.5", "value:score >= -0.5"),
        ('value:"score" > 1', "value:score > 1"),
        ("error_rate <= baseline", "error_rate <= baseline"),
        ("error_rate <= baseline + 0%", "error_rate <= baseline"),
        ("error_rate <= baseline + 0.02", "error_rate <= baseline + 2pt"),
        ("accuracy >= previous - 2 pt sure", "accuracy >= previous - 2pt sure"),
        ("p95_latency_ms <= yesterday*1.2", "p95_latency_ms <= yesterday + 20%"),
        ("p95_latency_ms <= last-week * 0.5", "p95_latency_ms <= last-week - 50%"),
        ("p95_latency_ms <= baseline + 0.03s", "p95_latency_ms <= baseline + 30ms"),
        ("accuracy within 20pt of training", "accuracy within 20pt of training"),
        ("cost_per_request outside 10% of previous", "cost_per_request outside 10% of previous"),
        ("error_rate < 5% over 24h", "error_rate < 5% over 1d"),
        ("error_rate < 5% over 90m", "error_rate < 5% over 1h30m"),
        ("error_rate < 5% over 1.5s", "error_rate < 5% over 1.5s"),
        ("error_rate < 5% over 1 prediction", "error_rate < 5% over 1 predictions"),
        (
            "error_rate<5% sure for 3 in a row min 7 over 10m",
            "error_rate < 5% over 10m min 7 sure for 3 in a row",
        ),
        ("error_rate < 5% for 10m", "error_rate < 5% for 10m"),
    ],
)  # fmt: skip
def test_a_condition_has_one_spelling(text: str, canonical: str):
    assert str(parse(text)) == canonical
    assert parse(canonical) == parse(text)


def test_a_key_with_blanks_or_signs_is_quoted():
    def lookup(name: str) -> Metric:
        return of_catalogue("accuracy")

    for key in ("not spam", "<=50K", 'a "quoted" one', "très bien\n"):
        condition = Condition(
            metric=f"f1:{key}", unit="share", sign=">=", kind="limit", amount=0.25
        )
        assert parse(str(condition), lookup=lookup) == condition
    assert str(parse("f1:spam >= 25%", lookup=lookup)) == "f1:spam >= 25%"


numbers = st.one_of(
    st.integers(0, 999_999).map(str),
    st.tuples(st.integers(0, 99_999_999), st.integers(1, 999_999)).map(
        lambda parts: f"{parts[0]}.{parts[1]:06d}"
    ),
)
durations = st.tuples(*(st.integers(0, 300) for _ in "dhms")).map(
    lambda counts: "".join(f"{n}{unit}" for n, unit in zip(counts, "dhms", strict=True))
).filter(lambda text: text.strip("0dhms") != "")  # fmt: skip


@st.composite
def texts(draw: st.DrawFn) -> str:
    metric = draw(st.sampled_from(sorted(METRICS)))
    unit = METRICS[metric]
    share, whole = Decimal(draw(st.integers(0, 99_999_999))).scaleb(-6), draw(numbers)
    limits = {
        "share": [f"{share:f}%", f"{share / 100:f}"],
        "ms": [f"{whole}ms", f"{whole} s", whole],
    }
    limit = draw(st.sampled_from(limits.get(unit, [whole])))
    changes = {
        "share": [f"{share:f}pt", f"{share / 100:f}"], "ms": [f"{whole}ms", f"{whole}s"],
    }.get(unit, [whole])  # fmt: skip
    change = draw(st.sampled_from([f"{share:f}%", *changes]))
    named = draw(st.sampled_from(["baseline", "previous", "yesterday", "last-week", "training"]))
    moved = f"{named} {draw(st.sampled_from('+-'))} {change}"
    bounds = [
        limit,
        named,
        moved,
        f"{named} * {draw(st.integers(1, 9999))}.{draw(st.integers(0, 99))}",
    ]
    sign, bound = draw(st.sampled_from(["<", "<=", ">", ">="])), draw(st.sampled_from(bounds))
    text = f"{metric} {sign} {bound}"
    if draw(st.booleans()) and float(share):
        text = f"{metric} {draw(st.sampled_from(['within', 'outside']))} {share:f}% of {named}"
    if named in ("baseline", "training") and draw(st.booleans()):
        text += f" over {draw(st.one_of(durations, st.just('100 predictions')))}"
    clauses = ["min 12", "sure", draw(st.sampled_from(["for 2 in a row", "for 1h"]))]
    return " ".join([text, *draw(st.permutations(clauses))[: draw(st.integers(0, 3))]])


@given(texts())
def test_what_is_printed_reads_back_as_the_same_condition(text: str):
    condition = parse(text)
    assert parse(str(condition)) == condition
    assert str(parse(str(condition))) == str(condition)
    assert condition.negated().negated() == condition
    assert parse(str(condition.negated())) == condition.negated()


def shuffled(text: str) -> st.SearchStrategy[str]:
    return st.permutations(text.split()).map(" ".join)


def refusal(text: str) -> InvalidInput | None:
    try:
        parse(text)
    except InvalidInput as error:
        return error
    return None


@given(st.one_of(st.text(max_size=60), texts().flatmap(shuffled)))
def test_whatever_else_is_written_is_refused_in_one_line(text: str):
    error = refusal(text)
    assert error is None or "\n" not in safe(error.message + error.hint, longest=1000)
    assert error is None or safe(error.message, longest=1000) == error.message


@pytest.mark.parametrize(
    ("text", "reason", "place"),
    [
        ("error_rate", "an operator belongs at its end", None),
        ("error_rate == 1", "an operator belongs where = stands", "== 1"),
        ("error_rate > nan", "a bound belongs where nan stands", "nan"),
        ("error_rate > 1e3", "a bound belongs where 1e3 stands", "1e3"),
        ("error_rate > \u0661", "a bound belongs", "\u0661"),
        ("error_rate > -1", "error_rate is never below 0", "-1"),
        ("error_rate <= over 10m", "a bound belongs where over stands", "over"),
        ("error_rate <= +10%", "there is nothing to add to", "+10%"),
        ("\x1b > 1", r"\\x1b > 1 is not a condition: a metric belongs where \\x1b", "\x1b"),
        ("accuracy >= 80", "can never be broken, or never be kept", "80"),
        ("accuracy >= 150%", "can never be broken, or never be kept", "150%"),
        ("accuracy >= baseline + 150pt", "can never be broken", "150pt"),
        ("accuracy >= baseline - 100%", "can never be broken", "100%"),
        ("p95_latency_ms <= 5%", "p95_latency_ms itself, which is no percentage", "5%"),
        ("p95_latency_ms <= baseline + 5pt", "p95_latency_ms is no share", "5pt"),
        ("error_rate <= 5ms", "error_rate is no time", "5ms"),
        ("accuracy >= 5pt", "points are a difference", "5pt"),
        ("error_rate <= baseline - -2%", "a sign too many", "-2%"),
        ("error_rate <= baseline * 20%", "a sign too many", "20%"),
        ("error_rate within 0pt of baseline", "leaves no room", "0pt"),
        ("error_rate within 2pt baseline", "`of` belongs where baseline stands", "baseline"),
        ("error_rate within 2pt of 5%", "a reference belongs where 5 stands", "5%"),
        ("error_rate <= 5% over", "a window belongs at its end", None),
        ("error_rate <= 5% over 1h1h", "'1h1h' is not a duration", "1h1h"),
        ("error_rate <= 5% over 0 predictions", "none is not enough", "0 pred"),
        ("error_rate <= 5% over 10001 predictions", "the window is too long", "over"),
        ("error_rate <= 5% min 0", "none is not enough", "0"),
        ("error_rate <= 5% min 1.5", "a number belongs", "1.5"),
        ("error_rate <= 5% sure sure", "sure stands there twice", "sure"),
        ("error_rate <= 5% and more", "over, min, sure, for or nothing more belongs", "and"),
        ("error_rate <= yesterday over 2d", "overlap the window of yesterday", "over"),
        ("error_rate <= previous over 9 predictions", "previous is about a time", "over"),
        ("error_rate < 12345678.123456789", "at most 15 digits", "12345678."),
        ("avg_latency_ms < 999999999999s", "the number is too large", "999999999999s"),
        ('value:"" > 1', "a key that cannot be read", "value"),
    ],
)
def test_what_is_no_condition_is_refused_and_the_place_is_pointed_at(
    text: str, reason: str, place: str | None
):
    with pytest.raises(InvalidInput, match=reason) as caught:
        parse(text)
    shown = text.encode("unicode_escape").decode() if "\x1b" in text else text
    wanted = len(shown) if place is None else text.rindex(place)
    assert caught.value.hint.index("^") - 1 == wanted


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "^an empty text is not a condition: a metric belongs at its end"),
        ("happiness > 1", "there is no metric happiness"),
        ("__class__ > 1", "there is no metric __class__"),
        ("value:a:b > 1", "a:b(: a value is better| is not a name for a feedback value)"),
        ("accuracy > " + "1" * 1_000_000, "at most 500 characters, this has 1000011"),
    ],
)
def test_what_names_no_metric_or_does_not_end_is_refused(text: str, reason: str):
    with pytest.raises(InvalidInput, match=reason):
        parse(text)


def test_a_place_far_into_a_text_is_shown_with_what_is_around_it():
    text = "error_rate <= 5% " + "over 1h min 10 " * 8 + "sure"
    with pytest.raises(InvalidInput, match="over stands there twice") as caught:
        parse(text)
    column = caught.value.hint.index("^") - 1
    assert caught.value.message[column:].startswith("over 1h min 10 over")


def test_words_that_have_no_place_are_refused_with_the_reason():
    refused = {"for": "nothing is kept", "yesterday": "not here"}
    with pytest.raises(InvalidInput, match="for has no place in it") as caught:
        parse("error_rate <= 5% for 10m", refused=refused)
    assert caught.value.hint == " " * 18 + "^ nothing is kept"
    with pytest.raises(InvalidInput, match="yesterday has no place in it"):
        parse("error_rate within 2pt of yesterday", refused=refused)


# --- measuring and judging ------------------------------------------------------------------------


def state(text: str, value: float | None, reference: float | None = None, **known: object) -> str:
    seen = Measured(value, n=50, interval=None)._replace(**known)  # type: ignore[arg-type]
    return evaluate(parse(text), seen, None if reference is None else Measured(reference, 50)).state


@pytest.mark.parametrize(
    ("text", "value", "reference", "found"),
    [
        ("error_rate <= 5%", 0.05, None, "pass"),
        ("error_rate < 5%", 0.05, None, "fail"),
        ("error_rate >= 5%", 0.05, None, "pass"),
        ("error_rate > 5%", 0.05, None, "fail"),
        ("error_rate <= baseline", 0.05, 0.05, "pass"),
        ("error_rate <= baseline + 2pt", 0.06, 0.05, "pass"),
        ("error_rate <= baseline + 10%", 0.06, 0.05, "fail"),
        ("error_rate <= baseline * 2", 0.06, 0.05, "pass"),
        ("error_rate <= baseline * 2", 0.06, 0.0, "fail"),
        ("p95_latency_ms <= baseline + 30ms", 131.0, 100.0, "fail"),
        ("accuracy within 5pt of baseline", 0.75, 0.79, "pass"),
        ("accuracy within 5pt of baseline", 0.75, 0.81, "fail"),
        ("accuracy outside 5pt of baseline", 0.75, 0.81, "pass"),
        ("value:x within 10% of baseline", -95.0, -100.0, "pass"),
        ("value:x within 10% of baseline", -115.0, -100.0, "fail"),
        ("error_rate <= 5% min 50", 0.02, None, "pass"),
        ("error_rate <= 5% min 51", 0.02, None, "inconclusive"),
        ("error_rate <= 5%", None, None, "inconclusive"),
        ("error_rate <= 5% sure", 0.01, None, "inconclusive"),
        ("cost_per_request <= 5", math.nan, None, "error"),
        ("cost_per_request <= baseline", 1.0, math.inf, "error"),
    ],
)
def test_a_plain_condition_judges_the_value_as_it_is(
    text: str, value: float | None, reference: float | None, found: str
):
    assert state(text, value, reference) == found
    opposite = {"pass": "fail", "fail": "pass"}.get(found, found)
    assert state(str(parse(text).negated()), value, reference) == opposite


@pytest.mark.parametrize(
    ("low", "high", "at_most", "within"),
    [
        (0.01, 0.05, "pass", "pass"),
        (0.01, 0.0501, "inconclusive", "inconclusive"),
        (0.0501, 0.2, "fail", "fail"),
        (0.0, 0.04, "pass", "inconclusive"),
        (0.0, 0.005, "pass", "fail"),
    ],
)
def test_to_be_sure_the_whole_interval_lies_on_one_side(
    low: float, high: float, at_most: str, within: str
):
    seen = Measured((low + high) / 2, 1000, Interval(low, high))
    exact = Measured(0.03, 10**9, Interval(0.03, 0.03))
    assert evaluate(parse("error_rate <= 5% sure"), seen).state == at_most
    assert evaluate(parse("error_rate within 2pt of training sure"), seen, exact).state == within


def test_what_is_not_known_of_the_reference_widens_the_interval():
    seen, vague = Measured(0.1, 10_000, Interval(0.09, 0.11)), Measured(0.2, 20, Interval(0.1, 0.4))
    condition = parse("error_rate <= baseline sure")
    found = evaluate(condition, seen, vague)
    assert found.state == "inconclusive"
    assert found.interval == pytest.approx(
        (0.1 - math.hypot(0.01, 0.2), 0.1 + math.hypot(0.01, 0.1))
    )
    assert evaluate(condition, seen, vague._replace(interval=Interval(0.19, 0.21))).state == "pass"


def test_few_samples_of_the_reference_are_too_few_as_well():
    found = evaluate(parse("error_rate <= baseline min 10"), Measured(0.1, 99), Measured(0.1, 9))
    assert (found.state, found.why) == (
        "inconclusive", "only 9 samples of baseline are there, and 10 are asked for",
    )  # fmt: skip


def test_what_could_not_be_measured_is_an_error_with_its_reason():
    found = evaluate(parse("error_rate <= baseline"), Measured(0.1, 9), Measured(problem="broken"))
    assert (found.state, found.why) == ("error", "broken")


@pytest.mark.parametrize(
    "name",
    [
        "success_rate", "error_rate", "accuracy", "label_coverage", "avg_latency_ms",
        "p50_latency_ms", "p95_latency_ms", "p99_latency_ms", "avg_confidence",
        "cost_per_request", "value:clicks",
    ],
)  # fmt: skip
def test_each_metric_can_be_measured_and_of_nothing_there_is_nothing(name: str):
    filled = Tally(values={"clicks": Moments()})
    for number in range(400):
        filled.add([(1000 + number, 0, 0.5 + number / 1000, 1.0 + number, 1)])
        filled.values["clicks"].add(number % 3)
    filled.judge(labelled=400, judged=400, correct=150)
    metric = of_catalogue(name)
    seen = measure(metric, filled)
    assert seen.n == 400
    assert seen.interval is not None
    assert seen.interval.low <= known(seen.value) <= seen.interval.high
    nothing = measure(metric, Tally())
    assert (nothing.value, nothing.n) == (None, 0)


def known(value: float | None) -> float:
    assert value is not None
    return value


def test_of_a_value_that_nobody_sent_there_is_no_sample():
    tally = Tally()
    tally.add([(1000, 0, None, None, 1)])
    assert measure(of_catalogue("value:nobody"), tally) == Measured()


def test_a_value_of_zeros_and_ones_is_a_rate():
    tally = Tally(requests=40, errors=2, values={"clicks": Moments()})
    for number in range(40):
        tally.values["clicks"].add(int(number < 2))
    found = measure(of_catalogue("value:clicks"), tally)
    assert found == measure(of_catalogue("error_rate"), tally)
    tally.values["clicks"].add(2)
    assert measure(of_catalogue("value:clicks"), tally).interval is None


def test_a_value_that_never_differs_is_not_sure_of_itself():
    tally = Tally()
    for _ in range(1000):
        tally.add([(1000, 0, None, 0.0, 1)])
    assert measure(of_catalogue("cost_per_request"), tally).interval is None
    never_failed = measure(of_catalogue("error_rate"), tally)
    assert evaluate(parse("error_rate <= 1% sure"), never_failed).state == "pass"
    assert evaluate(parse("error_rate <= 0 sure"), never_failed).state == "inconclusive"


def test_to_be_sure_the_rows_of_a_batch_count_once():
    tally = Tally()
    for number in range(1000):
        tally.add([(100_000, 0, None, None, number == 0)])
    for number in range(100):
        tally.add([(10_000 + number, 0, None, None, 1)])
    metric = of_catalogue("avg_latency_ms")
    assert known(measure(metric, tally).value) == pytest.approx(91.8, abs=0.1)
    assert known(measure(metric, tally, sure=True).value) == pytest.approx(10.9, abs=0.1)


def test_a_finding_is_told_with_its_numbers():
    seen = Measured(0.123456789, 1000, Interval(0.1, 0.15))
    plain, sure = parse("error_rate <= 5%"), parse("error_rate <= baseline + 1pt sure")
    assert told(plain, seen, evaluate(plain, seen)) == "error_rate is 12.3457%, which is > 5%"
    base = Measured(0.05, 10**9, Interval(0.05, 0.05))
    assert told(sure, seen, evaluate(sure, seen, base)) == (
        "error_rate is 12.3457% [10%, 15%], which is surely > baseline + 1pt, 6%"
    )
    base = Measured(0.1, 10**9, Interval(0.1, 0.1))
    assert "not sure that it is <= baseline + 1pt, 11%" in told(
        sure, seen, evaluate(sure, seen, base)
    )


# --- looking again and again ----------------------------------------------------------------------

PEEKS = np.unique(np.rint(np.geomspace(10, 2000, 110)).astype(int))
RUNS = 100


def failing(rng: np.random.Generator, rate: float) -> list[Measured]:
    """An error rate at every peek."""
    failed = np.cumsum(rng.binomial(np.diff(PEEKS, prepend=0), rate)).tolist()
    metric = of_catalogue("error_rate")
    return [
        measure(metric, Tally(requests=n, errors=k))
        for n, k in zip(PEEKS.tolist(), failed, strict=True)
    ]


def growing(
    values: list[float], metric: str, add: Callable[[Tally, float], None]
) -> list[Measured]:
    """A metric at every peek."""
    tally, found = Tally(), []
    for start, end in pairwise([0, *PEEKS.tolist()]):
        for value in values[start:end]:
            add(tally, value)
        found.append(measure(of_catalogue(metric), tally))
    return found


def spending(rng: np.random.Generator) -> list[Measured]:
    """A skewed cost with the mean 1."""
    values = rng.lognormal(-0.5, 1.0, size=int(PEEKS[-1])).tolist()
    return growing(values, "cost_per_request", lambda tally, value: tally.cost.add(value))


def waiting(rng: np.random.Generator) -> list[Measured]:
    """A latency whose p95 is 100 ms."""
    values = rng.exponential(100_000 / -math.log(0.05), int(PEEKS[-1])).tolist()

    def add(tally: Tally, value: float) -> None:
        tally.add([(int(value), 0, None, None, 1)])

    return growing(values, "p95_latency_ms", add)


def at(rate: float) -> Callable[[np.random.Generator], list[Measured]]:
    return lambda rng: failing(rng, rate)


def decided(text: str, seen: list[Measured], reference: Sequence[Measured | None] = ()) -> set[str]:
    condition = parse(text)
    pairs = zip(seen, reference or [None] * len(seen), strict=True)
    states: set[str] = {evaluate(condition, *pair).state for pair in pairs}
    return states - {"inconclusive"}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "seen", "reference"),
    [
        ("error_rate <= 5% sure", at(0.05), None),
        ("error_rate <= 50% sure", at(0.5), None),
        ("cost_per_request <= 1 sure", spending, None),
        ("p95_latency_ms <= 100ms sure", waiting, None),
        ("error_rate <= baseline sure", at(0.1), at(0.1)),
        ("error_rate <= baseline + 5pt sure", at(0.15), at(0.1)),
        ("error_rate <= baseline * 2 sure", at(0.2), at(0.1)),
        ("cost_per_request <= baseline sure", spending, spending),
    ],
)  # fmt: skip
def test_with_the_truth_at_the_bound_a_hundred_looks_seldom_make_it_sure(text, seen, reference):
    rng = np.random.default_rng(11)
    wrong = [
        bool(decided(text, seen(rng), reference(rng) if reference else ())) for _ in range(RUNS)
    ]
    assert sum(wrong) <= 0.05 * RUNS


@pytest.mark.slow
def test_without_being_sure_a_hundred_looks_at_the_bound_say_both():
    """The harness must be able to see what it guards against."""
    rng = np.random.default_rng(11)
    both = [
        decided("error_rate <= 5%", failing(rng, 0.05)) == {"pass", "fail"} for _ in range(RUNS)
    ]
    assert sum(both) >= 0.5 * RUNS


@pytest.mark.slow
def test_what_is_clearly_broken_becomes_sure_and_never_before_the_least_number():
    rng = np.random.default_rng(12)
    for _ in range(20):
        seen = failing(rng, 0.15)
        assert decided("error_rate <= 5% sure", seen) == {"fail"}
        condition = parse("error_rate <= 5% min 1000 sure")
        for found in seen:
            if found.n < 1000:
                assert evaluate(condition, found).state == "inconclusive"


def test_windows_and_repetitions_are_kept_as_they_were_said():
    condition = parse("error_rate <= 5% over 10m for 3 in a row")
    assert (condition.over, condition.lasting) == (timedelta(minutes=10), 3)
    assert parse("error_rate <= 5% over 100 predictions").over == 100
