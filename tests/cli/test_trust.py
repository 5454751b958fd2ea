"""`mlreg trust` and `mlreg config` as they are typed."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlreg import trust
from mlreg.config import FILE, FOLDER
from mlreg.registry import Registry
from tests.cli.conftest import Run
from tests.services.misbehaving import Broken, on_texts

REF = "echo@1.0.0"
KEY = f"ed25519:{'ab' * 32}"


@pytest.fixture
def echo(run: Run, registry: Registry) -> Run:
    """A registry with a trusted version."""
    registry.versions.register(REF, on_texts(Broken()), trust=True)
    return run


def test_the_list_says_which_versions_run_here_and_by_whose_word(echo: Run):
    found = echo("trust", "list", "--json").json
    assert found["key"] == trust.public_key()
    (version,) = found["versions"]
    assert (version["ref"], version["counts"], version["standing"]) == (REF, True, "own")
    assert version["trusted_by"] == "tester"
    shown = echo("trust", "list").out
    assert "yes: by your own key" in shown
    assert str(trust.public_key()) in shown
    assert echo("trust", "list", "--field", "versions.standing").out == "own\n"


def test_an_empty_list_says_so(mlreg: Run):
    assert "none yet" in mlreg("trust", "list").out
    assert mlreg("trust", "list", "--json").json == {
        "key": None,
        "accepted_keys": [],
        "versions": [],
    }


def test_a_version_is_revoked_and_accepted(echo: Run):
    assert echo("trust", "revoke", REF).out == f"{REF} may no longer run here\n"
    refused = echo("trust", "accept", REF)
    assert refused.code == 2
    assert "there is no terminal to ask on" in refused.err
    assert echo("trust", "accept", REF, "--yes").out == f"{REF} may run any code here\n"
    assert echo("trust", "list", "--field", "versions.standing").out == "accepted\n"
    assert echo("audit", "--json").records[-1]["action"] == "accept"


def test_a_key_is_accepted_and_revoked_without_a_registry(run: Run):
    said = run("trust", "accept", "--from", KEY, "--yes", "--reason", "deployer")
    assert (said.code, said.out) == (0, f"what {KEY} trusts may run here\n")
    assert trust.accepted().keys[KEY]["note"] == "deployer"
    assert run("trust", "revoke", KEY, "--json").json == {"key": KEY}
    assert run("trust", "revoke", KEY).code == 3
    assert run("trust", "accept", "--from", "ed25519:12", "--yes").code == 2
    assert run("trust", "accept", "--yes").code == 2
    assert run("trust", "accept", REF, "--from", KEY, "--yes").code == 2


def test_ones_own_key_is_made_when_asked_for(run: Run):
    assert run("trust", "key").out == f"{trust.public_key()}\n"
    assert run("trust", "key", "--field", "key").out == f"{trust.public_key()}\n"


def test_predicting_with_what_is_not_accepted_ends_with_5(
    echo: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    echo("activate", REF)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "other"))
    refused = echo("predict", "hello", "--json")
    assert refused.code == 5
    assert '"code": "trust_not_accepted"' in refused.err
    assert "its trust is unknown" in echo("doctor").out


# --- settings -------------------------------------------------------------------------------


def test_a_change_of_a_setting_is_in_the_audit_trail(mlreg: Run):
    assert mlreg("config", "timeout", "5", "--reason", "slow model").code == 0
    mlreg("config", "timeout", "5")
    mlreg("config", "timeout", "--unset", "--actor", "eve")
    events = [e for e in mlreg("audit", "--json").records if e["action"] == "config"]
    assert [(e["object"], e["before"], e["after"]) for e in events] == [
        ("timeout", {"timeout": None}, {"timeout": 5.0}),
        ("timeout", {"timeout": 5.0}, {"timeout": None}),
    ]
    assert (events[0]["reason"], events[1]["actor"]) == ("slow model", "eve")
    assert mlreg("doctor").code == 0


def test_a_wrong_value_in_the_file_can_be_mended(mlreg: Run, tmp_path: Path):
    (tmp_path / FOLDER / FILE).write_text('timeout = "soon"\n')
    assert mlreg("list").code == 2
    assert mlreg("config", "timeout", "5").code == 0
    assert mlreg("config", "timeout").out == "5.0\n"


def test_what_weakens_safety_goes_to_the_users_own_file(
    mlreg: Run, tmp_path: Path, own_folder: Path
):
    assert mlreg("config", "allow_shared", "true").code == 0
    assert not (tmp_path / FOLDER / FILE).exists()
    assert (own_folder / FILE).read_text() == "allow_shared = true\n"
    assert mlreg("config", "allow_shared", "--field", "origin").out == f"{own_folder / FILE}\n"
    mlreg("config", "allow_shared", "--unset")
    assert mlreg("config", "allow_shared").out == "false\n"


def test_settings_of_ones_own_need_no_registry(run: Run):
    assert run("config", "log_inputs", "none", "--user").out == "none\n"
    assert run("config", "log_inputs", "--user").out == "none\n"
    assert "log_inputs" in run("config", "--user").out
    assert run("config", "log_inputs").code == 3


def test_a_secret_setting_is_nowhere_but_in_the_users_file(mlreg: Run, own_folder: Path):
    told = mlreg("config", "hash_key", "0123456789abcdef")
    assert told.out == "(not shown)\n"
    assert "0123456789abcdef" not in mlreg("config", "--json").out
    assert "0123456789abcdef" not in mlreg("audit", "--json").out
    assert "0123456789abcdef" in (own_folder / FILE).read_text()
