"""activate, deactivate, route, promote, rollback, history, audit."""

from __future__ import annotations

import pytest

from tests.cli.conftest import Run


def shares(run: Run) -> dict[str, float]:
    arms = run("route", "sentiment", "--json").json["arms"]
    return {arm["version"]: arm["traffic_percent"] for arm in arms}


def test_activate_gives_exactly_the_share_and_shows_the_change(serving: Run) -> None:
    shown = serving("activate", "sentiment@2.0.0", "--traffic", "35.5", "--reason", "more").out
    assert shares(serving) == {"1.0.0": 64.5, "2.0.0": 35.5}
    assert "is at revision 3: random, by activate (more)" in shown
    assert "80 %  →  64.50 %" in shown


def test_activating_what_is_so_already_changes_nothing(serving: Run) -> None:
    shown = serving("activate", "sentiment@2.0.0", "--traffic", "20").out
    assert shown.startswith("nothing to do\n")
    assert "→" not in shown


def test_a_dry_run_shows_the_revision_and_writes_nothing(serving: Run) -> None:
    change = serving("promote", "sentiment@2.0.0", "--dry-run", "--json").json
    assert (change["revision"], change["dry_run"]) == (3, True)
    assert "would be at revision 3" in serving("promote", "sentiment@2.0.0", "--dry-run").out
    assert serving("history", "--json", "--limit", "1").json["revisions"][0]["revision"] == 2


def test_who_expected_another_revision_is_told_with_4(serving: Run) -> None:
    late = serving("promote", "sentiment@2.0.0", "--expect-revision", "1", "--json")
    assert (late.code, late.out) == (4, "")
    assert '"code": "revision_moved"' in late.err


@pytest.mark.parametrize(
    "percent",
    [
        "nan",
        "inf",
        "1e400",
        "1e1",
        "1_0",
        "0x10",
        "\uff15",
        " 5",
        "",
        "101",
        "-5",
        "1.234",
        "%",
        "5%%",
    ],
)
def test_what_is_no_percentage_is_refused(serving: Run, percent: str) -> None:
    refused = serving("activate", "sentiment@2.0.0", f"--traffic={percent}")
    assert (refused.code, refused.out) == (2, "")
    assert 1 <= len(refused.err.splitlines()) <= 3


def test_a_share_may_have_its_sign_and_a_version_its_model_beside_it(serving: Run) -> None:
    for words in (
        ("sentiment@2.0.0", "--traffic", "30%"), ("sentiment", "2.0.0", "--traffic", "31"),
        ("2.0.0", "--traffic", "32"), ("2.0.0", "-m", "sentiment", "--traffic", "33"),
    ):  # fmt: skip
        after = serving("activate", *words, "--json")
        assert after.code == 0, after.err
        share = float(words[-1].removesuffix("%"))
        assert after.json["arms"][1]["traffic_percent"] == share
    assert serving("activate", "sentiment@2.0.0", "1.0.0").code == 2
    assert serving("rollback", "-m", "sentiment").code == 0
    assert serving("rollback", "other", "-m", "sentiment").code == 2


def test_an_unknown_strategy_is_refused_in_three_lines(serving: Run) -> None:
    refused = serving("activate", "sentiment@2.0.0", "--strategy", "magic")
    assert refused.code == 2
    assert "random" in refused.err
    assert len(refused.err.splitlines()) <= 3


def test_route_shows_sets_and_explains(serving: Run) -> None:
    assert "80 %" in serving("route", "sentiment").out
    serving("route", "sentiment", "1.0.0=50", "2.0.0=50", "--strategy", "sticky")
    assert shares(serving) == {"1.0.0": 50, "2.0.0": 50}
    first = serving("route", "--user", "u17", "--json").json
    assert first == serving("route", "--user", "u17", "--json").json
    assert first["arm_reason"] == "sticky"
    assert "always gets it" in serving("route", "--user", "u17").out


@pytest.mark.parametrize(
    "words",
    [
        ("1.0.0=60", "2.0.0=60"), ("1.0.0=33.3", "2.0.0=33.3"), ("1.0.0=nan",), ("1.0.0=",),
        ("1.0.0=50", "1.0.0=50"), ("sentiment", "other"), ("--user", "u", "1.0.0=100"),
    ],
)  # fmt: skip
def test_a_split_that_makes_no_sense_is_refused(serving: Run, words: tuple[str, ...]) -> None:
    assert serving("route", *words).code == 2
    assert shares(serving) == {"1.0.0": 80, "2.0.0": 20}


def test_promote_crowns_and_rollback_undoes(serving: Run) -> None:
    serving("promote", "sentiment@2.0.0")
    assert serving("show", "sentiment@champion", "--field", "version").out == "2.0.0\n"
    back = serving("rollback", "sentiment", "--reason", "complaints", "--json").json
    assert (back["cause"], back["revision"], back["previous_revision"]) == ("rollback", 4, 3)
    assert shares(serving) == {"1.0.0": 80, "2.0.0": 20}
    (entry,) = serving("rollback", "--history", "--json").json["rollbacks"]
    assert (entry["from_version"], entry["to_version"], entry["reason"]) == (
        "2.0.0", "1.0.0", "complaints",
    )  # fmt: skip
    assert "complaints" in serving("rollback", "--history").out


def test_rollback_goes_where_it_is_told(serving: Run) -> None:
    serving("rollback", "--to-revision", "1")
    assert shares(serving) == {"1.0.0": 100}
    serving("rollback", "--to", "2.0.0")
    assert shares(serving) == {"2.0.0": 100}
    assert serving("rollback", "--to-revision", "77").code == 3
    assert serving("rollback", "--to", "1.0.0", "--to-revision", "1").code == 2


@pytest.mark.parametrize(
    "options",
    [["--to", "1.0.0"], ["--to-revision", "1"], ["--dry-run"], ["--reason", "noon"], ["--drill"]],
)
def test_who_means_a_rollback_gets_no_list_instead(serving: Run, options: list[str]) -> None:
    refused = serving("rollback", "--history", *options)
    assert refused.code == 2
    assert f"{options[0]} does not go with --history" in refused.err
    assert refused.out == ""


def test_history_is_newest_first(serving: Run) -> None:
    found = serving("history", "--json").json
    assert found["model"] == "sentiment"
    assert [r["revision"] for r in found["revisions"]] == [2, 1]
    assert "1.0.0 80 %, 2.0.0 20 %" in serving("history").out


def test_the_last_version_is_not_deactivated_without_a_yes(serving: Run) -> None:
    serving("deactivate", "sentiment@2.0.0")
    refused = serving("deactivate", "sentiment@1.0.0")
    assert refused.code == 2
    assert "--yes" in refused.err
    assert "any more" in serving("deactivate", "sentiment@1.0.0", "--yes").out
    assert "nothing serves sentiment" in serving("route").out
    assert serving("route", "--user", "u").code == 8


def test_a_model_without_traffic_says_so(mlreg: Run) -> None:
    mlreg("register", "m@1.0.0")
    assert "has had no traffic" in mlreg("history").out
    assert mlreg("rollback").code == 4
    assert mlreg("rollback", "--history").out == "no rollbacks yet\n"


def test_audit_streams_one_event_a_line(serving: Run) -> None:
    events = serving("audit", "--model", "sentiment", "--json").records
    assert [e["action"] for e in events] == ["register", "register", "activate", "activate"]
    assert events[-1]["after"]["revision"] == 2
    assert len(serving("audit").out.splitlines()) == 1 + 5
    assert serving("audit", "--since", "yesterday").code == 2
    assert serving("audit", "--since", "2150-01-01").out == "no events in this time\n"


def test_a_rollback_says_all_that_it_does(serving: Run) -> None:
    serving("promote", "sentiment@1.0.0")
    serving("route", "sentiment", "1.0.0=80", "2.0.0=20")
    serving("promote", "sentiment@2.0.0")
    said = serving("rollback", "sentiment").out
    assert "the alias champion is 1.0.0 now, it was 2.0.0" in said
    assert "2.0.0 still gets 20 %" in said
    assert "everything back to the old one: mlreg rollback sentiment --to 1.0.0" in said
    alone = serving("rollback", "sentiment", "--to", "1.0.0").out
    assert "still gets" not in alone
    assert "alias" not in alone


def test_a_rollback_names_the_test_that_it_stops(serving: Run) -> None:
    refs = ("--control", "sentiment@1.0.0", "--treatment", "sentiment@2.0.0")
    serving("abtest", "create", "tone", *refs)
    serving("abtest", "start", "tone")
    assert "the test tone is stopped" in serving("rollback", "sentiment").out


def test_a_rollback_moves_champion_only_to_a_version_that_had_it(serving: Run) -> None:
    serving("activate", "sentiment@1.0.0")
    serving("promote", "sentiment@2.0.0")
    said = serving("rollback", "sentiment").out
    assert "alias" not in said
    assert serving("show", "sentiment@champion", "--field", "version").out == "2.0.0\n"


def test_a_dry_run_says_would_be_and_not_now(serving: Run) -> None:
    assert "would be" in serving("promote", "sentiment@2.0.0", "--dry-run").out.splitlines()[1]
    assert " now" in serving("promote", "sentiment@2.0.0").out.splitlines()[1]
