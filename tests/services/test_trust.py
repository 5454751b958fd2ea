"""Trust counts for whoever gave it, and for those who accepted it."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlreg import trust
from mlreg.config import FOLDER
from mlreg.entities.traffic import Change
from mlreg.errors import ArtifactUntrusted, Conflict, KeyUnusable, TrustNotAccepted
from mlreg.registry import Registry
from tests.services.misbehaving import Broken, on_texts
from tests.support import raw

REF = "echo@1.0.0"


@pytest.fixture
def echo(registry: Registry) -> Registry:
    """A trusted version that serves."""
    registry.versions.register(REF, on_texts(Broken()), trust=True, change=Change(actor="ada"))
    registry.traffic.activate(REF)
    return registry


@pytest.fixture
def elsewhere(
    echo: Registry, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> Registry:
    """The same registry in the hands of another user."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path_factory.mktemp("other")))
    return echo


def standing(registry: Registry) -> str:
    (found,) = registry.trust.list().versions
    return found.standing


def alter(registry: Registry, statement: str) -> None:
    with raw(registry.folder) as connection:
        connection.execute(statement)


def test_trust_counts_for_whoever_gave_it(echo: Registry):
    report = echo.trust.list()
    assert report.key == trust.public_key()
    assert [(v.ref, v.standing, v.trusted_by, v.key) for v in report.versions] == [
        (REF, "own", "ada", report.key)
    ]
    assert echo.predictions.predict("hello").prediction == "hello"


def test_trust_by_another_user_does_not_count_until_it_is_accepted(elsewhere: Registry):
    assert standing(elsewhere) == "unknown"
    with pytest.raises(TrustNotAccepted, match=r"by the word of ada .*have not accepted") as told:
        elsewhere.predictions.predict("hello")
    assert "mlreg trust accept echo@1.0.0" in told.value.hint
    (failed,) = elsewhere.predictions.log()
    assert failed.status == "error"
    elsewhere.trust.accept(REF, change=Change(reason="I made it"))
    assert standing(elsewhere) == "accepted"
    assert elsewhere.predictions.predict("hello").prediction == "hello"
    event = elsewhere.audit.events()[-1]
    assert (event.action, event.object, event.reason) == ("accept", REF, "I made it")


def test_a_key_is_accepted_for_all_that_it_signs_now_and_later(
    echo: Registry, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    deployer = trust.public_key()
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "service"))
    trust.accept_key(str(deployer), "our deployer")
    assert standing(echo) == "key"
    assert echo.predictions.predict("hello").prediction == "hello"
    trust.revoke_key(str(deployer))
    with pytest.raises(TrustNotAccepted, match="have not accepted"):
        echo.predictions.predict("hello")


def test_the_other_arms_of_a_split_go_on(elsewhere: Registry, artifacts: dict[str, Path]):
    elsewhere.versions.register("echo@2.0.0", artifacts["text"])
    elsewhere.traffic.route("echo", {"1.0.0": 50, "2.0.0": 50}, strategy="round-robin")
    answers = list(elsewhere.predictions.predict_many(["great product"] * 20))
    refused = [a.error for a in answers if a.model_version == "1.0.0"]
    assert len(refused) == 10
    assert all("you have not accepted" in str(error) for error in refused)
    assert all(a.error is None for a in answers if a.model_version == "2.0.0")


def test_a_revoked_version_does_not_run_whoever_trusts_it(echo: Registry):
    echo.predictions.predict("hello")
    echo.trust.revoke(REF)
    assert standing(echo) == "revoked"
    with pytest.raises(TrustNotAccepted, match="you have revoked that"):
        echo.predictions.predict("hello")
    echo.trust.accept(REF)
    assert echo.predictions.predict("hello").prediction == "hello"
    assert [e.action for e in echo.audit.events()][-2:] == ["revoke", "accept"]


def test_revoking_ones_own_trust_takes_it_from_all_who_go_by_the_key(
    echo: Registry, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    mine, deployer = tmp_path / "service", str(trust.public_key())
    with Registry(echo.folder) as service:
        with monkeypatch.context() as other:
            other.setenv("XDG_CONFIG_HOME", str(mine))
            trust.accept_key(deployer, "")
            service.predictions.predict("hello")
        echo.trust.revoke(REF)
        monkeypatch.setenv("XDG_CONFIG_HOME", str(mine))
        with pytest.raises(TrustNotAccepted, match="by trust that nobody signed"):
            service.predictions.predict("hello")


@pytest.mark.parametrize(
    "change",
    [
        "update seals set actor = 'eve'",
        "update seals set at = at + 1",
        "update versions set digest = replace(digest, substr(digest, 1, 1), 'f')",
        "update versions set version = '9.0.0'",
        "update versions set model_id = 'model-000000000000'",
        "update seals set key = 'ed25519:' || substr(signature, 1, 64)",
        "update seals set key = 'nonsense'",
        "update seals set signature = ''",
    ],
)
def test_a_seal_holds_for_exactly_what_was_signed(echo: Registry, change: str):
    alter(echo, change)
    assert standing(echo) == "broken"
    (found,) = [f for f in echo.health.check().findings if f.check == "trust"]
    assert found.state == "failed"
    assert "the seal does not fit" in found.detail


def test_a_bit_that_says_trusted_is_no_trust(
    registry: Registry, artifacts: dict[str, Path], tmp_path: Path
):
    registry.versions.register(REF, artifacts["text"])
    registry.traffic.activate(REF)
    alter(registry, "update versions set trusted = 1")
    with (
        Registry(registry.folder) as again,
        pytest.raises(TrustNotAccepted, match="by trust that nobody signed"),
    ):
        again.predictions.predict("great")
    (found,) = [f for f in registry.health.check().findings if f.check == "trust"]
    assert (found.state, found.detail) == (
        "warning",
        f"{REF} cannot run here, its trust is unsealed: see mlreg trust list",
    )


def test_a_registry_from_before_there_were_keys_opens_and_its_trust_is_accepted_once(
    echo: Registry,
):
    with raw(echo.folder) as connection:
        connection.executescript(
            "drop table seals; drop table holds; drop index requests_of_prediction;"
            "delete from _sqlite_migrations where name in ('m004_seals', 'm005_holds');"
            "pragma user_version = 3"
        )
    echo.close()
    with Registry(echo.folder) as later:
        with pytest.raises(TrustNotAccepted, match="or by an older mlreg"):
            later.predictions.predict("hello")
        later.trust.accept(REF)
        assert later.predictions.predict("hello").prediction == "hello"
        assert later.health.check().healthy


def test_what_nobody_trusted_cannot_be_accepted(registry: Registry, artifacts: dict[str, Path]):
    registry.versions.register("m@1.0.0", artifacts["text"])
    for decide in (registry.trust.accept, registry.trust.revoke):
        with pytest.raises(Conflict, match=r"m@1\.0\.0 was trusted by nobody"):
            decide("m@1.0.0")


def test_acceptance_does_not_widen_what_an_untrusted_artifact_may_do(registry: Registry):
    with pytest.raises(ArtifactUntrusted, match="not on the allow-list"):
        registry.versions.register(REF, on_texts(Broken()))


def test_versions_that_nobody_trusts_need_no_key(serving_registry: Registry, own_folder: Path):
    serving_registry.predictions.predict("great")
    assert not own_folder.exists()


def test_without_a_key_nothing_is_stored_that_would_need_it(registry: Registry, own_folder: Path):
    own_folder.mkdir(mode=0o700)
    (own_folder / "key").write_bytes(b"short")
    (own_folder / "key").chmod(0o600)
    with pytest.raises(KeyUnusable, match="is damaged"):
        registry.versions.register(REF, on_texts(Broken()), trust=True)
    assert registry.versions.list() == []
    assert list(registry.folder.glob("objects/*/*")) == []


def test_a_lost_key_is_recovered_from_by_accepting_again(echo: Registry, own_folder: Path):
    (own_folder / "key").unlink()
    assert standing(echo) == "unknown"
    echo.trust.accept(REF)
    assert echo.predictions.predict("hello").prediction == "hello"


def test_a_damaged_key_refuses_and_says_so(echo: Registry, own_folder: Path):
    (own_folder / "key").chmod(0o644)
    with pytest.raises(TrustNotAccepted, match=r"your key .* can be read by other users"):
        Registry(echo.folder).predictions.predict("hello")


def test_an_attached_artifact_is_sealed_too(registry: Registry):
    registry.versions.register(REF)
    registry.versions.attach(REF, on_texts(Broken()), trust=True)
    assert standing(registry) == "own"
    assert FOLDER in str(registry.folder)
