"""The Python API: what `import mlreg` gives, opening and making registries."""

from __future__ import annotations

import getpass
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import mlreg
from mlreg.config import FOLDER
from mlreg.errors import (
    AlreadyExists,
    ArtifactUntrusted,
    InvalidInput,
    MlregError,
    RegistryNotFound,
    StoreError,
)
from mlreg.registry import Registry, init_registry, open_registry
from mlreg.services.context import system_user


def test_the_public_names_are_those_that_are_promised():
    assert dir(mlreg) == sorted(mlreg.__all__)
    assert all(getattr(mlreg, name) for name in mlreg.__all__)
    assert mlreg.Registry is Registry
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        mlreg.nonsense  # noqa: B018


def test_the_main_job_in_a_few_lines(tmp_path: Path, text_pipeline, other_text_pipeline):
    with mlreg.init(tmp_path, actor="ada") as registry:
        registry.versions.register("sentiment@1.0.0", text_pipeline)
        registry.versions.register("sentiment@2.0.0", other_text_pipeline)
        registry.traffic.activate("sentiment@1.0.0")
        registry.traffic.activate("sentiment@2.0.0", percent=20)
    with mlreg.open(tmp_path) as registry:
        answer = registry.predictions.predict("Great product!")
        assert answer.prediction == "positive"
        assert answer.prediction_id is not None
        registry.feedback.record(answer.prediction_id, "positive")
        report = registry.performance.report()
        assert sum(entry.labelled_count for entry in report.models) == 1
        registry.traffic.promote("sentiment@2.0.0", change=mlreg.Change(reason="better"))
        registry.traffic.rollback()
        assert {event.actor for event in registry.audit.events()} >= {"ada"}
        assert registry.health.check().healthy


def test_every_error_is_one_with_a_code_of_its_own():
    def tree(kind: type[MlregError]) -> list[type[MlregError]]:
        return [kind, *(below for sub in kind.__subclasses__() for below in tree(sub))]

    kinds = tree(MlregError)
    codes = [kind.code for kind in kinds]
    assert len(set(codes)) == len(codes)
    error = InvalidInput("wrong", hint="do that")
    assert (str(error), error.message, error.hint) == ("wrong", "wrong", "do that")


@pytest.mark.parametrize("where", ["folder", "parent", "environment", "working directory"])
def test_a_registry_opens_from_wherever_it_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
):
    init_registry(tmp_path).close()
    named: Path | None = None
    if where == "folder":
        named = tmp_path / FOLDER
    elif where == "parent":
        named = tmp_path
    elif where == "environment":
        monkeypatch.setenv("MLREG_REGISTRY", str(tmp_path))
    else:
        monkeypatch.chdir(tmp_path)
    with open_registry(named) as registry:
        assert registry.folder == tmp_path / FOLDER


def test_a_registry_named_by_a_relative_path_survives_a_change_of_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    with init_registry("here") as registry:
        monkeypatch.chdir("/")
        registry.versions.register("m@1.0.0", b"x", check=False)
        assert registry.health.check().healthy


@pytest.mark.parametrize(
    "name", ["a b", "100%", "what?", "#1", "qu'ote\"", "é\n🙂", "file:x", "x" * 200]
)
def test_a_registry_can_lie_in_a_folder_of_any_name(tmp_path: Path, name: str):
    with init_registry(tmp_path / name) as registry:
        registry.versions.register("m@1.0.0")
    with open_registry(tmp_path / name) as registry:
        assert [v.ref for v in registry.versions.list()] == ["m@1.0.0"]
    assert [p.name for p in tmp_path.iterdir()] == [name]


def test_what_is_made_is_for_its_owner_alone(tmp_path: Path, artifact: Path):
    old = os.umask(0)
    try:
        with init_registry(tmp_path) as registry:
            registry.versions.register("m@1.0.0", artifact)
    finally:
        os.umask(old)
    folder = tmp_path / FOLDER
    assert folder.stat().st_mode & 0o777 == 0o700
    for path in (folder / "objects").rglob("*"):
        assert path.stat().st_mode & 0o077 == 0


def test_a_second_registry_in_the_same_folder_is_refused(tmp_path: Path):
    init_registry(tmp_path).close()
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(AlreadyExists, match="there is a registry in"):
        init_registry(tmp_path)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    "make", [Path.touch, lambda p: p.symlink_to("nowhere")], ids=["file", "link"]
)
def test_something_else_of_that_name_is_not_overwritten(tmp_path: Path, make):
    make(tmp_path / FOLDER)
    with pytest.raises(MlregError):
        init_registry(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == [FOLDER]


def test_a_registry_cannot_be_made_below_a_file(tmp_path: Path):
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="cannot be written"):
        init_registry(tmp_path / "file" / "below")


def test_opening_makes_nothing(tmp_path: Path):
    with pytest.raises(RegistryNotFound, match="no registry at"):
        open_registry(tmp_path)
    assert not list(tmp_path.iterdir())


def test_the_author_of_changes_is_who_was_named_else_the_setting_else_the_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    init_registry(tmp_path, actor="ada").close()
    seen = []
    for actor, variable in (("grace", "alan"), (None, "alan"), (None, "")):
        monkeypatch.setenv("MLREG_ACTOR", variable)
        with open_registry(tmp_path, actor=actor) as registry:
            seen.append(registry.versions.register("m", bump="patch").created_by)
    assert seen == ["grace", "alan", system_user()]


def test_a_user_without_a_name_is_its_number(monkeypatch: pytest.MonkeyPatch):
    def nameless() -> str:
        raise KeyError("uid not found")

    monkeypatch.setattr(getpass, "getuser", nameless)
    assert system_user() == f"uid {os.getuid()}"


def test_a_setting_names_the_model_that_is_meant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with init_registry(tmp_path) as registry:
        for name in ("a", "b"):
            registry.versions.register(f"{name}@1.0.0")
        with pytest.raises(InvalidInput, match=r"which model\? name one of them") as caught:
            registry.traffic.current()
        assert caught.value.hint == "there is a, b"
    monkeypatch.setenv("MLREG_MODEL", "b")
    with open_registry(tmp_path) as registry:
        assert registry.traffic.current().model == "b"


def test_a_registry_that_others_could_write_is_refused(registry: Registry):
    registry.close()
    registry.folder.chmod(0o777)
    with pytest.raises(ArtifactUntrusted, match="other users could change the registry"):
        mlreg.open(registry.folder)
    registry.folder.chmod(0o700)
    mlreg.open(registry.folder).close()


def test_times_can_be_instants_and_how_long_ago(registry: Registry):
    registry.versions.register("sentiment@1.0.0")
    since = datetime.now(UTC) - timedelta(hours=1)
    assert [event.action for event in registry.audit.events(since=since)] == ["init", "register"]
    assert len(registry.audit.events(since=timedelta(hours=1))) == 2
    assert registry.performance.report("sentiment", since=since).since == since
