"""What people see of an experiment: bars, words, gates and looks, within eighty columns."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from mlreg.cli.views import analyses, blocks
from mlreg.cli.views.bars import ASCII, LINES, bar
from mlreg.cli.views.blocks import plain
from mlreg.cli.views.terminal import render
from mlreg.entities.analyses import (
    Analysis,
    ArmResult,
    Exposure,
    Gate,
    LookState,
    MetricResult,
    ReceiptCheck,
    RecordedLook,
    Verification,
    Watermark,
)

AT = datetime(2026, 11, 20, 12, tzinfo=UTC)


def arm(variant: str, version: str, value: float) -> ArmResult:
    return ArmResult(
        variant=variant,
        version=version,
        n_units=1000,
        n_rows=1000,
        value=value,
        se=0.01,
        missing_rate=0.0,
    )


RESULT = MetricResult(
    metric="success_rate",
    role="primary",
    direction="up",
    unit="share",
    variant="treatment",
    version="2.0.0",
    method="z_pooled",
    mode="group-sequential",
    alpha_used=0.05,
    level=0.95,
    control=arm("control", "1.0.0", 0.1),
    treatment=arm("treatment", "2.0.0", 0.14),
    diff=0.04,
    diff_ci=(0.01, 0.07),
    se=0.015,
    statistic=2.8,
    look=LookState(k=3, of=10, t=0.3, boundary=3.9, alpha_spent=0.0, is_decision_point=True),
    p_value=0.00001,
    running_min_p=0.00001,
    verdict="better_practical",
    sentence="",
)
GUARDRAIL = replace(
    RESULT,
    metric="p95_latency_ms",
    role="guardrail",
    unit="ms",
    direction="down",
    control=arm("control", "1.0.0", 120.0),
    treatment=arm("treatment", "2.0.0", 125.0),
    diff=5.0,
    diff_ci=(float("-inf"), 9.0),
    margin="p95_latency_ms <= +10%",
    passed=True,
    p_value=None,
)
LOOK = RecordedLook(
    slot=3,
    computed_at=AT,
    information=0.3,
    z=1.4,
    boundary=3.93,
    alpha_spent=0.0001,
    p_value=0.2,
    is_crossed=False,
    is_final=False,
    verdict="continue",
    digest="",
)
ANALYSIS = Analysis(
    test_id="tone",
    model="sentiment",
    status="running",
    unit="user",
    mode="group-sequential",
    verdict="ship",
    winner="2.0.0",
    statistical_significance=True,
    practical_significance=None,
    primary=RESULT,
    primaries=(RESULT,),
    secondary=(),
    as_assigned=(),
    guardrails=(GUARDRAIL,),
    gates=(
        Gate(gate="split", passed=True, effect="invalid", detail="50 / 50 as meant"),
        Gate(gate="run_time", passed=False, effect="warn", detail="less than a week"),
        Gate(gate="labels", passed=False, effect="invalid", detail="30 % against 60 %"),
    ),
    failed_gates=(),
    looks=(LOOK, replace(LOOK, slot=5, z=4.5, boundary=2.97, is_crossed=True, verdict="ship")),
    phases=(),
    exposure=Exposure(units=2000, unkeyed=0, double_exposed=3, excluded=2, excluded_by_arm=(0, 0)),
    is_decision_point=True,
    is_final=False,
    label_window_seconds=None,
    recorded_slot=5,
    units_still_needed=None,
    days_still_needed=None,
    recommendation="Ship 2.0.0.",
    assumptions=(),
    warnings=(),
    fingerprint="",
    computed_at=AT,
    watermark=Watermark(predictions=0, feedback=0),
    engine_version="1",
)


@pytest.mark.parametrize(
    ("interval", "drawn"),
    [
        ((1, 4, 7), "       |[--o--]"),
        ((-7, -4, -1), "[--o--]|       "),
        ((-2, 1, 3), "     [-|o-]    "),
        ((-7, 0, 7), "[------o------]"),
        ((0.01, 4, 7), "       |[--o--]"),
        ((float("-inf"), 1, 3), "<------|o-]    "),
        ((-9, 8, 9), "<------|------o"),
    ],
)
def test_an_interval_is_drawn_against_zero(interval, drawn):
    low, mark, high = interval
    assert bar(low, mark, high, reach=7, pen=ASCII, width=15) == drawn


def test_a_bar_on_a_terminal_has_the_same_cells():
    drawn = bar(1, 4, 7, reach=7, pen=LINES, width=15)
    assert drawn == "       ┊├──●──┤"


def test_a_pipe_gets_ascii_bars_and_the_whole_story():
    text = plain(blocks(ANALYSIS))
    assert "[--o---]" in text or "[-" in text
    assert "●" not in text
    assert "2 of them are left out" in text
    assert text.endswith("ship: Ship 2.0.0.\n")


def test_words_are_those_of_perf():
    text = plain(blocks(ANALYSIS))
    assert "+4.0 [+1.0, +7.0] pt" in text
    assert "better" in text
    assert "10.0 %" in text


def test_a_tiny_p_is_never_zero():
    text = plain(blocks(ANALYSIS))
    assert "<0.001" in text
    assert "0.000" not in text


def test_gates_show_their_state():
    marks = [row[0].text for row in analyses.gates(ANALYSIS.gates).rows]
    assert marks == ["✓", "!", "✗"]


def test_a_crossed_look_stands_outside_its_boundaries():
    first, second = (row[4] for row in analyses.looks(ANALYSIS.looks).rows)
    assert first.index("o") < first.index("]")
    assert second.index("o") > second.index("]")


def test_a_guardrail_is_kept_broken_or_open():
    said = []
    for passed in (True, False, None):
        analysis = replace(ANALYSIS, guardrails=(replace(GUARDRAIL, passed=passed),))
        (table,) = analyses.metrics(analysis)
        said.append(table.rows[1][-1].text)
    assert said == ["kept", "broken", "open"]


def test_the_analysis_fits_eighty_columns(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("LINES", "50")
    render(blocks(ANALYSIS))
    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert max(map(len, lines)) <= 80
    assert any("inconclusive" in line or "better" in line for line in lines)
    assert not any("…" in line for line in lines)


def test_a_verification_marks_what_disagrees():
    checks = (
        ReceiptCheck(kind="look", slot=3, agrees=True, detail="the same"),
        ReceiptCheck(kind="conclusion", slot=None, agrees=False, detail="ship, stored continue"),
    )
    text = plain(blocks(Verification(test_id="tone", checks=checks)))
    assert "✓  look 3" in text
    assert "✗  conclusion" in text
    assert "do not all agree" in text
