"""`mlreg abtest` on a registry: a test from its design to its end, and what it refuses."""

from __future__ import annotations

import json

import pytest

from tests.cli.abtesting import answer, refusal, run

CREATE = "create tone --control sentiment@1.0.0 --treatment sentiment@2.0.0"
EXPERIMENT_KEYS = [
    "test_id",
    "model",
    "status",
    "verdict",
    "winner",
    "fingerprint",
    "design",
    "revision",
    "phases",
    "created_at",
    "created_by",
    "started_at",
    "ended_at",
    "dry_run",
]
ANALYSIS_KEYS = {
    "test_id",
    "model",
    "status",
    "mode",
    "verdict",
    "winner",
    "statistical_significance",
    "practical_significance",
    "primary",
    "secondary",
    "guardrails",
    "gates",
    "looks",
    "units_still_needed",
    "days_still_needed",
    "recommendation",
}


@pytest.fixture
def folder(serving_registry, tmp_path):
    """The folder of a registry with two versions that serve."""
    return tmp_path


def outcomes(rates: dict[str, float], users: int) -> str:
    """Outcomes of users, half of them in each arm, with exactly these shares of successes."""
    half = users // 2
    lines = [
        {"user": f"{variant}-{i}", "variant": variant, "success": i >= round(half * (1 - rate))}
        for i in range(half)
        for variant, rate in rates.items()
    ]
    return "".join(f"{json.dumps(line)}\n" for line in lines)


def test_a_design_is_written_and_changes_nothing(folder, serving_registry):
    before = serving_registry.traffic.current().number
    found = answer(f"{CREATE} --split 20 --hypothesis 'a warmer tone'", folder=folder)
    assert list(found) == EXPERIMENT_KEYS
    assert found["status"] == "draft"
    assert [v["traffic_percent"] for v in found["design"]["variants"]] == [80, 20]
    assert serving_registry.traffic.current().number == before


def test_a_relative_mde_is_a_part_of_the_baseline(folder):
    found = answer(f"{CREATE} --mde 20% --baseline 10% --max-duration 7d", folder=folder)
    assert found["design"]["mde"] == pytest.approx(0.02)
    assert found["design"]["mode"] == "group-sequential"
    other = CREATE.replace("tone", "other")
    assert "give the baseline" in refusal(f"{other} --mde 20%", code=2, folder=folder)


def test_weights_name_the_share_of_each_version(folder):
    found = answer(f"{CREATE} --weights 1.0.0=70,2.0.0=30", folder=folder)
    assert [v["traffic_percent"] for v in found["design"]["variants"]] == [70, 30]


def test_a_guardrail_that_no_size_knows_is_pointed_out(folder):
    guarded = "--mde 0.1 --baseline 0.5 --guardrail 'error_rate <= +1%'"
    done = run(f"{CREATE} {guarded}", folder=folder)
    assert "note: error_rate <= +1% is a part of the control's own rate" in done.stderr
    assert "written like +1pt" in done.stderr


def test_a_deadline_before_the_least_time_is_pointed_out(folder):
    done = run(f"{CREATE} --mde 0.1 --baseline 0.5 --max-duration 36h", folder=folder)
    assert "the last look is due before the 3 days that a verdict takes" in done.stderr
    assert answer("show tone", folder=folder)["design"]["min_run_seconds"] == 3 * 86_400
    line = f"{CREATE.replace('tone', 'quick')} --max-duration 36h --min-run 12h"
    quick = run(line, folder=folder)
    assert "note" not in quick.stderr
    assert answer("show quick", folder=folder)["design"]["min_run_seconds"] == 12 * 3600


def test_a_dry_run_writes_nothing(folder):
    assert answer(f"{CREATE} --dry-run", folder=folder)["dry_run"]
    assert answer("list", folder=folder) == {"experiments": []}


def test_start_writes_a_revision_and_freezes_the_design(folder, serving_registry):
    run(CREATE, folder=folder)
    found = answer("start tone --reason go", folder=folder)
    assert (found["status"], len(found["fingerprint"])) == ("running", 64)
    now = serving_registry.traffic.current()
    assert (now.number, now.cause, now.reason) == (found["revision"], "abtest", "go")
    assert "running already" in refusal("start tone", code=4, folder=folder)


def test_status_show_and_list_say_the_same(folder):
    run(CREATE, folder=folder)
    run("start tone", folder=folder)
    shown = answer("show tone", folder=folder)
    assert answer("list --status running", folder=folder)["experiments"] == [shown]
    so_far = {"requests": [0, 0], "looks": 0, "last_look": None}
    assert answer("status", folder=folder)["experiments"] == [shown | so_far]
    assert answer("status tone", folder=folder)["experiments"] == [shown | so_far]
    assert "success_rate" in run("list", folder=folder).stdout
    text = run("show tone", folder=folder).stdout
    assert "higher is better" in text
    assert shown["fingerprint"] in text


def test_a_canary_takes_steps(folder):
    run(f"{CREATE} --strategy canary", folder=folder)
    started = answer("start tone", folder=folder)
    assert started["phases"][-1]["weights"] == [9000, 1000]
    assert answer("step tone", folder=folder)["phases"][-1]["weights"] == [8000, 2000]
    stepped = answer("step tone --to 50", folder=folder)
    assert [phase["weights"][1] for phase in stepped["phases"]] == [1000, 2000, 5000]


def test_stop_puts_the_traffic_as_it_was(folder, serving_registry):
    before = serving_registry.traffic.current().arms
    run(f"{CREATE} --split 50", folder=folder)
    run("start tone", folder=folder)
    assert answer("stop tone --reason 'bad labels'", folder=folder)["status"] == "stopped"
    assert serving_registry.traffic.current().arms == before


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (f"{CREATE} --metric nonsense", 2),
        ("create tone --control sentiment@1.0.0 --treatment sentiment@1.0.0", 2),
        (f"{CREATE} --weights 1.0.0=70,2.0.0=20", 2),
        (f"{CREATE} --alpha 0", 2),
        (f"{CREATE} --alpha 1", 2),
        (f"{CREATE} --alpha nan", 2),
        (f"{CREATE} --power 1.5", 2),
        (f"{CREATE} --split 100", 2),
        (f"{CREATE} --split 20 --weights 1.0.0=80,2.0.0=20", 2),
        (f"{CREATE} --mde 0", 2),
        (f"{CREATE} --guardrail 'p95 is low'", 2),
        (f"{CREATE} --mode fixed", 2),
        ("create tone --control sentiment@9.0.0 --treatment sentiment@2.0.0", 3),
        ("create '../tone' --control sentiment@1.0.0 --treatment sentiment@2.0.0", 2),
        ("start nobody", 3),
        ("show nobody", 3),
        ("stop nobody", 3),
        ("step nobody", 3),
    ],
)
def test_what_makes_no_sense_is_refused_and_leaves_nothing(folder, line, code):
    refusal(line, code=code, folder=folder)
    assert answer("list", folder=folder) == {"experiments": []}


def test_an_archived_version_is_refused(folder, serving_registry):
    serving_registry.traffic.promote("sentiment@1.0.0")
    serving_registry.versions.archive("sentiment@2.0.0")
    assert "archived" in refusal(CREATE, code=4, folder=folder)


def test_the_same_name_twice_is_a_conflict(folder):
    run(CREATE, folder=folder)
    refusal(CREATE, code=4, folder=folder)


def test_conclude_before_start_is_a_conflict(folder):
    run(CREATE, folder=folder)
    assert "abtest start" in refusal("conclude tone", code=4, folder=folder)


def test_programs_of_your_own_take_part(folder):
    run(f"{CREATE} --strategy sticky --split 50", folder=folder)
    run("start tone", folder=folder)
    first, again = (answer("assign tone --user u1", folder=folder) for _ in range(2))
    assert first == again
    assert first["test_id"] == "tone"
    one = answer(
        f"record tone --user u1 --variant {first['variant']} --success --latency-ms 3",
        folder=folder,
    )
    assert (one["recorded"], type(one["prediction_id"])) == (1, int)
    many = answer(
        "record tone -", folder=folder, stdin=outcomes({"control": 0.5, "treatment": 0.5}, 40)
    )
    assert many == {"test_id": "tone", "recorded": 40, "prediction_id": None}


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("nonsense", "not JSON"),
        ("[1]", "it is no JSON object"),
        ('{"user": "u", "colour": 1}', "there is no field colour"),
        ('{"user": "u", "variant": "control", "confidence": 2}', "confidence must lie between"),
        ('{"user": "u", "variant": "nobody"}', "nobody is no arm"),
        ('{"user": "u", "variant": "control", "values": {"stars": "many"}}', "stars"),
        (
            '{"user": "u", "variant": "control", "error": "x", "success": true}',
            "cannot be a success",
        ),
    ],
)
def test_a_bad_line_records_nothing(folder, serving_registry, line, complaint):
    run(CREATE, folder=folder)
    run("start tone", folder=folder)
    # More than are written in one go come before it.
    stdin = '{"user": "u1", "variant": "control"}\n' * 1100 + f"{line}\n"
    said = refusal("record tone -", code=2, folder=folder, stdin=stdin)
    assert "line 1101: " in said
    assert complaint in said
    assert not serving_registry.predictions.log()


def test_a_look_at_nothing_is_too_early(folder):
    run(CREATE, folder=folder)
    run("start tone", folder=folder)
    found = answer("analyze tone", folder=folder, code=11)
    assert set(found) >= ANALYSIS_KEYS
    assert (found["verdict"], found["winner"]) == ("continue", None)
    assert "control has 0 requests" in found["recommendation"]
    refusal("conclude tone", code=11, folder=folder)


def test_the_receipts_of_a_look_agree(folder):
    run(f"{CREATE} --strategy sticky --split 50", folder=folder)
    run("start tone", folder=folder)
    stdin = outcomes({"control": 0.5, "treatment": 0.7}, 2000)
    run("record tone -", folder=folder, stdin=stdin)
    found = answer("analyze tone", folder=folder, code=11)
    assert found["primary"]["diff"] == pytest.approx(0.2)
    assert answer("verify tone", folder=folder)["agrees"]
    assert "success rate" in run("analyze tone", folder=folder).stdout
