"""`abtest power` and `abtest srm`: right numbers, stable keys, and no registry."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.cli.abtesting import answer, refusal, run

PLAN_KEYS = [
    "metric",
    "asked",
    "baseline",
    "mde",
    "relative_mde",
    "sd",
    "alpha",
    "alpha_used",
    "power",
    "arms",
    "ratio",
    "design_effect",
    "units_per_day",
    "metrics",
    "margins",
    "driver",
    "remarks",
    "modes",
    "recommendation",
]
MODE_KEYS = [
    "mode",
    "inflation",
    "control",
    "treatment",
    "total",
    "mde",
    "days",
    "expected_total",
    "expected_total_without_effect",
]
SPLIT_KEYS = [
    "observed",
    "weights",
    "expected",
    "method",
    "statistic",
    "df",
    "p_value",
    "threshold",
    "is_mismatch",
    "warnings",
    "recommendation",
]


@pytest.fixture(autouse=True)
def _away_from_registries(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def modes(line: str) -> dict:
    return {entry["mode"]: entry for entry in answer(line)["modes"]}


def test_the_plan_has_stable_keys():
    plan = answer("power --baseline 0.10 --mde 0.02")
    assert list(plan) == PLAN_KEYS
    assert [list(entry) for entry in plan["modes"]] == [MODE_KEYS] * 3


def test_the_textbook_size_of_two_rates():
    """Fleiss, Levin and Paik: 3840.8 in each arm to find 12 % against 10 %."""
    fixed = modes("power --baseline 0.10 --mde 0.02")["fixed"]
    assert (fixed["control"], fixed["treatment"], fixed["total"]) == (3841, 3841, 7682)


def test_each_mode_costs_its_inflation():
    found = modes("power --baseline 0.10 --mde 0.02 --daily 5000")
    assert found["group-sequential"]["inflation"] == pytest.approx(1.0378, abs=2e-4)
    assert found["group-sequential"]["total"] == 2 * 3986
    assert found["always-valid"]["total"] == 2 * 6530
    assert [entry["days"] for entry in found.values()] == [2, 2, 3]
    assert found["group-sequential"]["expected_total"] < found["fixed"]["total"]


def test_a_relative_change_is_a_part_of_the_baseline():
    absolute, relative = (
        modes(f"power --baseline 0.10 --mde {mde}")["fixed"]["total"] for mde in ("0.02", "+20%")
    )
    assert absolute == relative
    assert answer("power --baseline 10% --mde -20%")["mde"] == pytest.approx(-0.02)


def test_a_mean_takes_the_noncentral_t():
    """Two arms, one standard deviation apart, 90 % power: 22.02 each."""
    fixed = modes("power --sd 1 --mde 1 --power 0.9")["fixed"]
    assert fixed["control"] == 23


def test_units_instead_of_a_change_give_what_they_find():
    plan = answer("power --baseline 0.10 --n 7682")
    found = {entry["mode"]: entry["mde"] for entry in plan["modes"]}
    assert plan["asked"] == "mde"
    assert found["fixed"] == pytest.approx(0.02, abs=1e-5)
    assert found["fixed"] < found["group-sequential"] < found["always-valid"]


def test_a_split_is_a_ratio_and_more_arms_share_alpha():
    plan = answer("power --baseline 0.10 --mde 0.02 --split 20")
    assert plan["ratio"] == pytest.approx(0.25)
    three = answer("power --baseline 0.10 --mde 0.02 --split 40 --arms 3")
    assert three["ratio"] == pytest.approx(1 / 3)
    assert three["alpha_used"] == pytest.approx(0.025)


def test_clusters_multiply_the_size():
    one, three = (
        modes(f"power --baseline 0.10 --mde 0.02 --design-effect {f}")["fixed"]["control"]
        for f in (1, 3)
    )
    assert three == pytest.approx(3 * one, rel=1e-3)


GUARDED = "power --baseline 0.8 --mde 0.05 --guardrail 'error_rate"


def test_metrics_that_can_decide_share_alpha():
    one, two = (
        answer(f"power --baseline 0.8 --mde 0.05 --metrics {n}") for n in (1, 2)
    )  # fmt: skip
    assert two["alpha_used"] == 0.025
    half = modes("power --baseline 0.8 --mde 0.05 --alpha 0.025")
    assert two["modes"][0]["total"] == half["fixed"]["total"] > one["modes"][0]["total"]


def test_the_size_is_that_of_the_guardrail_that_needs_the_most():
    plan = answer(f"{GUARDED} <= +1pt' --level error_rate=2%")
    alone = answer("power --baseline 0.8 --mde 0.05")
    (margin,) = plan["margins"]
    assert plan["driver"] == "error_rate <= +1pt"
    assert margin["limit"] == pytest.approx(0.03)
    assert plan["modes"][1]["total"] >= margin["units"] > 3 * alone["modes"][1]["total"]
    assert "for error_rate <= +1pt" in plan["recommendation"]


def test_a_part_of_a_small_rate_is_said_in_points():
    plan = answer(f"{GUARDED} <= +1%' --level error_rate=2%")
    assert "error_rate <= +1% allows 2.00 % → 2.02 %" in plan["remarks"][0]
    assert "+1pt" in plan["remarks"][0]


def test_a_wide_guardrail_costs_nothing():
    wide = modes(f"{GUARDED} <= +40pt' --level error_rate=2%")
    assert wide["fixed"]["total"] == modes("power --baseline 0.8 --mde 0.05")["fixed"]["total"]


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("power --mde 0.02", "the baseline is missing"),
        ("power --baseline 0.1", "either the change to find or the number"),
        ("power --baseline 0.1 --mde 0.02 --n 100", "either the change to find or the number"),
        ("power --baseline 0.1 --mde 0", "must not be 0"),
        ("power --baseline 0.1 --mde nan", "not a number"),
        ("power --baseline 2 --mde 0.1", "a rate lies between 0 and 1"),
        ("power --baseline 0.95 --mde 0.1", "from 0.95 to 1.05"),
        ("power --baseline 0.1 --mde 0.02 --alpha 0", "alpha lies between 0 and 1"),
        ("power --baseline 0.1 --mde 0.02 --alpha 1", "alpha lies between 0 and 1"),
        ("power --baseline 0.1 --mde 0.02 --power 100%", "power lies between 0 and 1"),
        ("power --baseline 0.1 --mde 0.02 --ratio 0", "ratio must be above 0"),
        ("power --baseline 0.1 --mde 0.02 --ratio 1 --split 50", "give one of them"),
        ("power --baseline 0.1 --mde 0.02 --split 100", "the split lies between 0 and 100"),
        ("power --baseline 0.1 --mde 0.02 --arms 1", "2 to 100 arms"),
        ("power --baseline 0.1 --mde 0.02 --design-effect 0.5", "a design effect is 1 or more"),
        ("power --baseline 0.1 --mde 0.02 --daily 0", "units per day must be above 0"),
        ("power --baseline 0.5 --mde 1e-12", "more units than there are"),
        (f"{GUARDED}s <= +1%'", "did you mean error_rate? there is success_rate, accuracy"),
        ("power --baseline 0.1 --mde 0.02 --metrics 0", "1 to 100 metrics can decide"),
        (f"{GUARDED} <= +1%'", "what the control reaches must be known"),
        (f"{GUARDED} <= +1%' --level error_rate=2x", "not a number"),
        (f"{GUARDED} <= +1%' --level error_rate=200%", "error_rate lies between 0 and 1, not at 2"),
        (f"{GUARDED} >= +1%' --level error_rate=2%", "guards the wrong side"),
        ("power --baseline 0.1 --mde 0.02 --level error_rate=2%", "no guardrail is about error"),
        (
            "power --baseline 0.1 --mde 0.02 --guardrail 'avg_latency_ms <= +10%' "
            "--level avg_latency_ms=120",
            "standard deviation must be known as well",
        ),
        (
            "power --baseline 0.1 --n 900 --guardrail 'error_rate <= +1%' --level error_rate=2%",
            "guardrails ask for units, which --n has named",
        ),
        ("srm 5", "two arms or more"),
        ("srm 5 x", "not a whole number"),
        ("srm 0 0", "no units"),
        ("srm 5 5 --weights 1,2,3", "2 arms have 3 weights"),
        ("srm 5 5 --weights 1,-1", "0 or more"),
        ("srm 5 5 --weights 0,0", "all 0"),
        ("srm 5 5 --weights 1,nan", "not a number"),
        ("srm 5 5 --threshold 1", "the threshold lies between 0 and 1"),
        ("pwoer", "did you mean mlreg abtest power?"),
    ],
)
def test_bad_input_is_a_usage_error_of_three_lines(line, complaint):
    assert complaint in refusal(line, code=2)


def test_a_fair_split_passes():
    check = answer("srm 5030 4970")
    assert list(check) == SPLIT_KEYS
    assert check["p_value"] == pytest.approx(0.5485, abs=1e-4)
    assert not check["is_mismatch"]


def test_a_wrong_split_ends_with_ten_and_still_says_its_numbers():
    check = answer("srm 8120 1680 --weights 80,20", code=10)
    assert check["is_mismatch"]
    assert check["weights"] == [0.8, 0.2]
    assert 0 < check["p_value"] < 0.001


def test_a_tiny_p_is_never_shown_as_zero():
    result = run("srm 9000 1000")
    assert result.exit_code == 10
    assert "p <0.001" in result.stdout
    assert "0.000" not in result.stdout


def test_a_repeated_check_needs_more_evidence():
    once, again = (
        answer(f"srm 5180 4820 {how}", code=c) for how, c in (("", 10), ("--sequential", 0))
    )
    assert once["p_value"] < again["p_value"]


def test_the_view_fits_eighty_columns():
    for line in ("power --baseline 0.10 --mde 0.02 --daily 5000", "power --baseline 0.1 --n 900"):
        *table, sentence = run(line).stdout.splitlines()
        assert sentence.endswith(".")
        assert max(map(len, table)) <= 80


@pytest.mark.process
def test_calculators_need_neither_scipy_stats_nor_the_store(tmp_path):
    program = (
        "import sys; from mlreg.cli.app import command;"
        "code = command().run(sys.argv[1:]);"
        "heavy = {'scipy.stats', 'sklearn', 'sqlite_utils', 'mlreg.store', 'rich'};"
        "sys.exit(code or ', '.join(heavy & set(sys.modules)) or None)"
    )
    words = ["abtest", "power", "--baseline", "0.1", "--mde", "0.02"]
    done = subprocess.run(
        [sys.executable, "-c", program, *words],
        cwd=tmp_path,
        env=os.environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
