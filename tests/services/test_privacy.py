"""Under `hashed` and `none` nothing that quotes an input reaches the disk."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from mlreg.artifacts.runner import Failure
from mlreg.config import load_settings
from mlreg.entities.experiments import Draft, Outcome
from mlreg.errors import Conflict, MlregWarning, PredictionFailed
from mlreg.registry import Registry
from mlreg.services.privacy import Privacy, kind_alone
from tests.services.misbehaving import Broken, on_texts
from tests.support import raw

SECRET = "4111-1111-1111-1111"


class Quoting(Broken):
    """Fails with a message that holds the input, as parsers do."""

    def _answer(self, text: str):
        if "fail" in text:
            raise ValueError(f"could not convert string to float: {text!r}")
        return "fine"


@pytest.fixture
def quoting(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> Registry:
    registry.versions.register("m@1.0.0", on_texts(Quoting()), trust=True)
    registry.traffic.activate("m@1.0.0")
    return registry


def on_disk(registry: Registry) -> bytes:
    """All that another reader of the registry could find."""
    return b"".join(p.read_bytes() for p in registry.folder.rglob("*") if p.is_file())


def with_policy(registry: Registry, monkeypatch: pytest.MonkeyPatch, policy: str) -> Registry:
    monkeypatch.setenv("MLREG_LOG_INPUTS", policy)
    return Registry(registry.folder)


@pytest.mark.parametrize("policy", ["hashed", "none"])
def test_what_a_model_says_of_its_input_is_not_stored(quoting: Registry, monkeypatch, policy: str):
    with with_policy(quoting, monkeypatch, policy) as registry:
        with pytest.raises(PredictionFailed, match=f"ValueError: could not .*{SECRET}"):
            registry.predictions.predict(f"fail {SECRET}")
        (live,) = registry.predictions.predict_many([f"fail {SECRET}"])
        assert SECRET in str(live.error)  # whoever asked may know
        registry.predictions.predict(f"fine {SECRET}", request_id="r1")
        assert [row.error for row in registry.predictions.log()] == ["ValueError"] * 2 + [None]
        assert SECRET.encode() not in on_disk(registry)


def test_with_all_the_text_is_kept(quoting: Registry):
    list(quoting.predictions.predict_many([f"fail {SECRET}"]))
    assert SECRET in str(quoting.predictions.log()[0].error)


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ("ValueError: x: y", "ValueError"),
        ("KeyError", "KeyError"),
        ("4111 is wrong", "error"),
        ("cannot read 4111", "error"),
        ("", "error"),
    ],
)
def test_of_an_error_only_its_kind_is_kept(message: str, kind: str):
    assert kind_alone(message) == kind


def test_what_mlreg_says_itself_of_a_failure_is_kept(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MLREG_LOG_INPUTS", "none")
    privacy = Privacy(load_settings(None))
    assert privacy.logged_error(Failure("timeout", "no answer within 1 s")) == (
        "no answer within 1 s"
    )


def test_the_key_of_hashes_is_not_in_the_registry(sentiment: Registry, monkeypatch, own_folder):
    """Who has the registry, and guesses the input, still cannot tell."""
    sentiment.traffic.activate("sentiment@1.0.0")
    with with_policy(sentiment, monkeypatch, "hashed") as registry:
        registry.predictions.predict(SECRET, request_id="r1")
        (row,) = registry.predictions.log()
        model_id = registry.versions.get("sentiment@1.0.0").model_id
    with raw(sentiment.folder) as connection:
        (salt,) = connection.execute("select salt from models").fetchone()
        (digest,) = connection.execute("select input_digest from requests").fetchone()
    assert (own_folder / "key").is_file()
    for key in (model_id, salt):
        guess = hashlib.blake2b(f'"{SECRET}"'.encode(), digest_size=16, key=key.encode())
        assert guess.hexdigest() not in (str(row.input).rpartition(":")[2], digest)
        assert guess.hexdigest().encode() not in on_disk(sentiment)


def test_equal_inputs_hash_alike_for_a_user_and_for_those_who_share_a_key(
    sentiment: Registry, monkeypatch: pytest.MonkeyPatch, tmp_path_factory
):
    sentiment.traffic.activate("sentiment@1.0.0")

    def hashed() -> str:
        with with_policy(sentiment, monkeypatch, "hashed") as registry:
            registry.predictions.predict(SECRET)
            return str(registry.predictions.log()[-1].input)

    mine = {hashed(), hashed()}
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path_factory.mktemp("other")))
    theirs = {hashed(), hashed()}
    monkeypatch.setenv("MLREG_HASH_KEY", "a secret that we share")
    shared = hashed()
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path_factory.mktemp("third")))
    assert hashed() == shared
    assert [len(mine), len(theirs), len(mine | theirs | {shared})] == [1, 1, 3]


def test_two_versions_hash_the_same_input_differently(
    serving_registry: Registry, monkeypatch: pytest.MonkeyPatch
):
    with with_policy(serving_registry, monkeypatch, "hashed") as registry:
        for version in ("1.0.0", "2.0.0"):
            registry.predictions.predict(SECRET, version=version)
        one, two = registry.predictions.log()
    assert one.input != two.input


def test_without_a_place_for_a_key_nothing_of_an_input_is_kept(
    sentiment: Registry, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "file"))
    sentiment.traffic.activate("sentiment@1.0.0")
    with with_policy(sentiment, monkeypatch, "hashed") as registry:
        with pytest.warns(MlregWarning, match="nothing of an input is kept, for want of a key"):
            registry.predictions.predict(SECRET, request_id="r1")
        assert registry.predictions.log()[0].input is None
        first = registry.predictions.predict(SECRET, request_id="r1")
        assert first.prediction_id == 1


@pytest.mark.parametrize("before", ["all", "hashed", "none"])
@pytest.mark.parametrize("after", ["all", "hashed", "none"])
def test_a_retry_gets_its_answer_across_a_change_of_the_policy(
    sentiment: Registry, monkeypatch: pytest.MonkeyPatch, before: str, after: str
):
    sentiment.traffic.activate("sentiment@1.0.0")
    with with_policy(sentiment, monkeypatch, before) as registry:
        first = registry.predictions.predict(SECRET, request_id="r1")
    with with_policy(sentiment, monkeypatch, after) as registry:
        assert registry.predictions.predict(SECRET, request_id="r1") == first
        if before == after or before == "all":
            with pytest.raises(Conflict, match="was used for another input"):
                registry.predictions.predict("another", request_id="r1")


def test_an_answer_from_outside_keeps_the_kind_of_its_error_alone(
    serving_registry: Registry, monkeypatch: pytest.MonkeyPatch
):
    with with_policy(serving_registry, monkeypatch, "none") as registry:
        draft = Draft(control="sentiment@1.0.0", treatments=["sentiment@2.0.0"], split=50)
        registry.experiments.create("t", draft)
        registry.experiments.start("t")
        failing = Outcome(variant="control", unit="u", error=f"KeyError: {SECRET}")
        assert registry.external.record_many("t", [failing]) == 1
        assert registry.predictions.log()[0].error == "KeyError"
        assert SECRET.encode() not in on_disk(registry)
