"""Settings with their origins, and the way to the registry."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mlreg.config import (
    BY_NAME,
    FILE,
    FOLDER,
    SETTINGS,
    find_registry,
    load_settings,
)
from mlreg.editing import edit_setting
from mlreg.errors import InvalidInput, RegistryNotFound
from mlreg.registry import init_registry


def test_every_setting_has_help_a_default_of_its_own_type_and_a_variable():
    for setting in SETTINGS:
        assert setting.help
        assert setting.parse(setting.default, "the default") == setting.default
        assert setting.variable == f"MLREG_{setting.name.upper()}"


def test_the_environment_wins_over_the_file_and_the_file_over_the_default(tmp_path: Path):
    (tmp_path / FILE).write_text('model = "churn"\ntimeout = 5\n')
    settings = load_settings(tmp_path, {"MLREG_TIMEOUT": "7.5", "MLREG_ACTOR": ""})
    origins = {entry.name: (entry.value, entry.origin) for entry in settings.entries()}
    assert origins["model"] == ("churn", FILE)
    assert origins["timeout"] == (7.5, "MLREG_TIMEOUT")
    assert origins["actor"] == ("", "default")
    assert settings.text("model") == "churn"
    assert settings.number("timeout") == 7.5
    assert settings.flag("allow_shared") is False


def test_a_limit_that_an_older_registry_could_have_and_is_too_small_is_raised(tmp_path: Path):
    (tmp_path / FILE).write_text("memory_limit_mb = 256\n")
    assert load_settings(tmp_path, {}).number("memory_limit_mb") == 384
    with pytest.raises(InvalidInput, match="memory_limit_mb from MLREG_MEMORY_LIMIT_MB"):
        load_settings(tmp_path, {"MLREG_MEMORY_LIMIT_MB": "256"})


@pytest.mark.parametrize("word", ["true", "True", "1", "yes"])
def test_a_flag_can_be_said_in_several_words(tmp_path: Path, word: str):
    assert load_settings(tmp_path, {"MLREG_ALLOW_SHARED": word}).flag("allow_shared") is True


@pytest.mark.parametrize(
    ("name", "raw", "wanted"),
    [
        ("timeout", "soon", "a float"),
        ("timeout", "nan", "between 0.1 and 86400"),
        ("timeout", "inf", "between 0.1 and 86400"),
        ("timeout", "0", "between 0.1 and 86400"),
        ("busy_timeout", "-1", "between 0 and 3600"),
        ("memory_limit_mb", "5.5", "a int"),
        ("max_artifact_mb", "0", "between 1 and inf"),
        ("log_inputs", "some", "all or hashed or none"),
        ("allow_shared", "maybe", "a bool"),
    ],
)
def test_a_value_that_does_not_fit_is_refused_with_its_origin(
    tmp_path: Path, name: str, raw: str, wanted: str
):
    variable = BY_NAME[name].variable
    with pytest.raises(InvalidInput, match=f"{name} from {variable} must be {wanted}, not "):
        load_settings(tmp_path, {variable: raw})


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("modle = 1", "there is no setting modle"),
        ("timeout = true", "timeout from config.toml must be a float, not True"),
        ("model = 3", "model from config.toml must be a str"),
        ("timeout = [1]", "must be a float"),
        ("model = ", "cannot be read"),
        (b"\xff\xfe", "cannot be read"),
    ],
)
def test_a_wrong_file_is_refused_with_what_is_wrong(
    tmp_path: Path, content: str | bytes, reason: str
):
    (tmp_path / FILE).write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(InvalidInput, match=reason):
        load_settings(tmp_path, {})


def test_writing_a_setting_keeps_the_comments(tmp_path: Path):
    (tmp_path / FILE).write_text('# ours\nmodel = "churn"  # the main one\n')
    edit_setting(tmp_path, "timeout", "12").write()
    edit_setting(tmp_path, "log_inputs", "none").write()
    text = (tmp_path / FILE).read_text()
    assert "# ours" in text
    assert "# the main one" in text
    settings = load_settings(tmp_path, {})
    assert (settings.number("timeout"), settings.text("log_inputs")) == (12.0, "none")


def test_a_setting_can_be_taken_out(tmp_path: Path):
    for value in ("churn", None, None):
        edit_setting(tmp_path, "model", value).write()
    assert load_settings(tmp_path, {}).text("model") == ""


@pytest.mark.parametrize(("name", "raw"), [("nonsense", "1"), ("timeout", "soon")])
def test_a_bad_setting_is_not_written(tmp_path: Path, name: str, raw: str):
    with pytest.raises(InvalidInput):
        edit_setting(tmp_path, name, raw)
    assert not list(tmp_path.iterdir())


def test_the_registry_is_found_by_walking_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    init_registry(tmp_path).close()
    deep = tmp_path / "a" / "b"
    deep.mkdir(parents=True)
    monkeypatch.chdir(deep)
    assert find_registry(environ={}) == tmp_path / FOLDER


def test_a_name_wins_over_the_environment_and_that_over_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    here, there, named = tmp_path / "here", tmp_path / "there", tmp_path / "a %?#' é"
    for folder in (here, there, named):
        init_registry(folder).close()
    monkeypatch.chdir(here)
    environ = {"MLREG_REGISTRY": str(there)}
    assert find_registry(environ=environ) == there / FOLDER
    assert find_registry(named, environ=environ) == named / FOLDER
    assert find_registry(named / FOLDER, environ=environ) == named / FOLDER


@pytest.mark.parametrize("name", ["nowhere", "x" * 5000, "a\0b", "a\x1b[31m"])
def test_where_no_registry_is_the_error_says_so_visibly(tmp_path: Path, name: str):
    with pytest.raises(RegistryNotFound, match="there is no registry at") as caught:
        find_registry(tmp_path / name, environ={})
    assert caught.value.message.isprintable()


def test_without_a_registry_above_the_error_names_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RegistryNotFound, match=r"no registry in .* or any folder above"):
        find_registry(environ={})


def test_a_working_directory_that_is_gone_is_said_to_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    os.rmdir(gone)
    with pytest.raises(RegistryNotFound, match="has been deleted"):
        find_registry(environ={})
