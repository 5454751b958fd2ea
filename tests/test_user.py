"""What is the user's own: settings, key, whom they trust."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mlreg import trust, user
from mlreg.config import FILE, FOLDER, load_settings
from mlreg.editing import write_own_setting
from mlreg.errors import ArtifactUntrusted, InvalidInput, KeyUnusable, NotFound, StoreError
from mlreg.registry import init_registry

STRANGER = 54_321
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")


def own(folder: Path, text: str, mode: int = 0o600) -> Path:
    """The user's own settings."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    (folder / FILE).write_text(text)
    (folder / FILE).chmod(mode)
    return folder / FILE


def test_the_folder_is_that_of_the_configuration_else_of_the_home(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", "/x")
    monkeypatch.setenv("HOME", "/home/ada")
    assert user.folder() == Path("/x/mlreg")
    monkeypatch.setenv("XDG_CONFIG_HOME", "relative")
    assert user.folder() == Path("/home/ada/.config/mlreg")
    monkeypatch.delenv("XDG_CONFIG_HOME")
    monkeypatch.setenv("HOME", "")
    assert user.folder() != Path("/.config/mlreg")
    assert str(user.folder()).endswith("/.config/mlreg")


def test_nothing_is_made_by_reading(own_folder: Path, tmp_path: Path):
    assert load_settings(None).text("model") == ""
    assert user.find_key() is None
    assert trust.accepted() == trust.Accepted()
    assert not own_folder.exists()


def test_the_registry_wins_over_the_user_and_the_environment_over_both(
    own_folder: Path, tmp_path: Path
):
    path = own(own_folder, 'model = "mine"\nactor = "ada"\n')
    (tmp_path / FILE).write_text('model = "theirs"\n')
    found = {e.name: e for e in load_settings(tmp_path, {"MLREG_ACTOR": "eve"}).entries()}
    assert (found["model"].value, found["model"].origin) == ("theirs", FILE)
    assert (found["actor"].value, found["actor"].origin) == ("eve", "MLREG_ACTOR")
    assert load_settings(None, {}).entries()[0].origin == str(path)


@pytest.mark.parametrize(
    ("name", "mine", "theirs", "in_force"),
    [
        ("log_inputs", '"none"', '"all"', "none"),
        ("log_inputs", '"hashed"', '"all"', "hashed"),
        ("log_inputs", '"all"', '"none"', "none"),
        ("memory_limit_mb", "1000", "999999", 1000),
        ("memory_limit_mb", "1000", "500", 500),
        ("timeout", "10", "86400", 10.0),
        ("max_artifact_mb", "10", "11", 10),
    ],
)
def test_a_registry_can_be_stricter_than_the_user_but_not_looser(
    own_folder: Path, tmp_path: Path, name: str, mine: str, theirs: str, in_force: object
):
    own(own_folder, f"{name} = {mine}\n")
    (tmp_path / FILE).write_text(f"{name} = {theirs}\n")
    found = {e.name: e.value for e in load_settings(tmp_path, {}).entries()}
    assert found[name] == in_force


def test_the_user_can_allow_shared_registries(own_folder: Path, tmp_path: Path):
    init_registry(tmp_path).close()
    (tmp_path / FOLDER).chmod(0o777)
    with pytest.raises(ArtifactUntrusted, match="other users could change"):
        load_settings(tmp_path / FOLDER, {})
    write_own_setting("allow_shared", "true")
    assert load_settings(tmp_path / FOLDER, {}).flag("allow_shared")
    write_own_setting("allow_shared", None)
    assert not load_settings(None, {}).flag("allow_shared")


def test_own_settings_that_others_can_write_are_refused(own_folder: Path):
    path = own(own_folder, "allow_shared = true\n", mode=0o666)
    with pytest.raises(InvalidInput, match=f"{path} can be written by other users"):
        load_settings(None)
    path.chmod(0o644)
    own_folder.chmod(0o777)
    with pytest.raises(InvalidInput, match="lies in a folder that can be written by other users"):
        load_settings(None)


@as_root
def test_own_settings_of_somebody_else_are_refused(own_folder: Path):
    os.chown(own(own_folder, "allow_shared = true\n"), STRANGER, STRANGER)
    with pytest.raises(InvalidInput, match=f"belongs to the user {STRANGER}"):
        load_settings(None)


def test_a_secret_is_not_shown_and_must_not_be_readable_by_others(own_folder: Path):
    write_own_setting("hash_key", "0123456789abcdef")
    assert load_settings(None).text("hash_key") == "0123456789abcdef"
    assert "0123456789abcdef" not in str(load_settings(None).entries())
    assert (own_folder / FILE).stat().st_mode & 0o777 == 0o600
    (own_folder / FILE).chmod(0o644)
    with pytest.raises(InvalidInput, match="can be read by other users"):
        load_settings(None)


def test_a_secret_that_is_too_short_is_refused_and_not_quoted(own_folder: Path):
    with pytest.raises(InvalidInput, match=r"at least 16 characters long, not [(]not") as told:
        write_own_setting("hash_key", "swordfish")
    assert "swordfish" not in told.value.message


def fifo(path: Path) -> None:
    os.mkfifo(path)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (fifo, "is not a regular file"),
        (Path.mkdir, "is not a regular file"),
        (lambda p: p.write_bytes(b"#" * (1 << 20) + b"#"), "is larger than 1,048,576 bytes"),
        (lambda p: p.write_bytes(b"a = [" + b"[" * 100_000), "cannot be read"),
    ],
    ids=["fifo", "folder", "huge", "deep"],
)
@pytest.mark.parametrize("whose", ["own", "registry"])
def test_settings_that_are_no_small_file_are_refused_at_once(
    own_folder: Path, tmp_path: Path, make, reason: str, whose: str
):
    own_folder.mkdir(mode=0o700)
    make((own_folder if whose == "own" else tmp_path) / FILE)
    with pytest.raises(InvalidInput, match=reason):
        load_settings(tmp_path)


# --- the key --------------------------------------------------------------------------------


def test_the_key_is_made_once_for_this_user_alone(own_folder: Path):
    key = user.ensure_key()
    assert len(key) == 32
    assert user.ensure_key() == user.find_key() == key
    assert (own_folder / "key").stat().st_mode & 0o777 == 0o600
    assert own_folder.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda p: p.chmod(0o640), "can be read by other users"),
        (lambda p: p.write_bytes(b"short"), "is damaged: it has 5 bytes and not 32"),
        (lambda p: p.write_bytes(b""), "is damaged: it has 0 bytes"),
    ],
    ids=["exposed", "short", "empty"],
)
def test_a_key_that_cannot_be_used_is_never_replaced(own_folder: Path, spoil, reason: str):
    user.ensure_key()
    spoil(own_folder / "key")
    before = (own_folder / "key").read_bytes()
    with pytest.raises(KeyUnusable, match=reason):
        user.ensure_key()
    with pytest.raises(KeyUnusable, match=reason):
        trust.public_key()
    assert (own_folder / "key").read_bytes() == before


def test_without_a_place_for_a_key_only_what_needs_it_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "file"))
    assert load_settings(None).text("model") == ""
    assert trust.accepted() == trust.Accepted()
    with pytest.raises(StoreError, match="cannot be written to: Not a directory"):
        user.ensure_key()


def test_a_signature_holds_for_what_was_signed_alone():
    key, signature = trust.sign(["a", 1])
    assert key == trust.public_key()
    assert trust.is_signed(["a", 1], key, signature)
    assert not trust.is_signed(["a", 2], key, signature)
    assert not trust.is_signed(["a", 1], f"ed25519:{'0' * 64}", signature)
    assert not trust.is_signed(["a", 1], key, signature[:-2])
    assert not trust.is_signed(["a", 1], key, "0" * 128)


def test_keys_are_accepted_and_revoked():
    key = f"ed25519:{'ab' * 32}"
    trust.accept_key(key, "our deployer")
    assert trust.accepted().keys[key]["note"] == "our deployer"
    trust.revoke_key(key)
    assert trust.accepted().keys == {}
    with pytest.raises(NotFound, match="is not among the accepted keys"):
        trust.revoke_key(key)
    with pytest.raises(InvalidInput, match="is not a key"):
        trust.accept_key("ed25519:AB12", "")


@pytest.mark.parametrize("text", ["{", "[]", '{"keys": []}', '{"other": {}}', '{"keys": {"a": 1}}'])
def test_a_damaged_list_of_what_is_accepted_accepts_nothing(own_folder: Path, text: str):
    trust.accept_digest("a" * 64, "m@1.0.0")
    (own_folder / trust.FILE).write_text(text)
    with pytest.raises(KeyUnusable, match=r"trust\.json.* is damaged"):
        trust.accepted()
    (own_folder / trust.FILE).write_text("{}")
    (own_folder / trust.FILE).chmod(0o666)
    with pytest.raises(KeyUnusable, match="can be written by other users"):
        trust.accepted()
