"""What is the user's own, seen by processes: who write at once, unpack, and have no home."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mlreg.config import FILE, FOLDER
from mlreg.editing import edit_setting
from mlreg.registry import Registry, init_registry

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

pytestmark = pytest.mark.process

MLREG = Path(sys.executable).parent / "mlreg"


def mlreg(
    *arguments: str, folder: Path, without: tuple[str, ...] = (), **variables: str
) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if k not in without} | variables
    return subprocess.run(
        [MLREG, *arguments],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.slow
@pytest.mark.parametrize("own", [(), ("--user",)], ids=["registry", "user"])
def test_of_settings_that_are_written_at_once_none_is_lost(
    tmp_path: Path, own_folder: Path, own: tuple[str, ...]
):
    init_registry(tmp_path).close()
    wanted = {
        "max_artifact_mb": "900",
        "actor": "ada",
        "timeout": "7.0",
        "load_timeout": "8.0",
        "busy_timeout": "9.0",
        "log_inputs": "none",
    }
    with ThreadPoolExecutor(6) as pool:
        done = list(
            pool.map(lambda kv: mlreg("config", *kv, *own, folder=tmp_path), wanted.items())
        )
    assert [(d.returncode, d.stderr) for d in done] == [(0, "")] * 6
    place = own_folder if own else tmp_path / FOLDER
    written = (place / FILE).read_text().splitlines()
    assert {line.partition(" = ")[0] for line in written} == set(wanted)
    assert not list(place.glob(".config.toml-*"))


@pytest.mark.slow
def test_processes_that_need_a_key_at_once_make_one(tmp_path: Path):
    with ThreadPoolExecutor(8) as pool:
        done = list(pool.map(lambda _: mlreg("trust", "key", folder=tmp_path), range(8)))
    assert [d.returncode for d in done] == [0] * 8
    assert len({d.stdout for d in done}) == 1


@pytest.mark.slow
def test_trust_that_comes_in_an_archive_has_to_be_accepted(tmp_path: Path):
    """A registry is packed, and unpacked by somebody else who owns each file of it."""
    there, here = tmp_path / "there", tmp_path / "here"
    here.mkdir()
    with init_registry(there, actor="ada") as registry:
        registry.versions.register("mood@1.0.0", unescaping(), trust=True)
        registry.traffic.activate("mood@1.0.0")
    (there / FOLDER / FILE).write_text("allow_shared = true\n")
    subprocess.run(["tar", "-cf", here / "all.tar", "-C", there, FOLDER], check=True)
    subprocess.run(["tar", "-xf", "all.tar"], cwd=here, check=True)
    mine = {"XDG_CONFIG_HOME": str(tmp_path / "mine")}
    refused = mlreg("predict", "great", folder=here, **mine)
    assert refused.returncode == 5
    assert "by the word of ada" in refused.stderr
    assert refused.stderr.count("sets allow_shared, which no registry can say") == 1
    accepted = mlreg("trust", "accept", "mood@1.0.0", "--yes", folder=here, **mine)
    assert accepted.returncode == 0, accepted.stderr
    answered = mlreg("predict", "great", "--field", "prediction", folder=here, **mine)
    assert (answered.returncode, answered.stdout) == (0, "good\n"), answered.stderr


def unescaping() -> Pipeline:
    """A pipeline that needs trust, for a function that is harmless and everywhere."""
    import html

    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    pipeline = make_pipeline(TfidfVectorizer(preprocessor=html.unescape), LogisticRegression())
    return pipeline.fit(["great", "love it", "bad", "never"], ["good", "good", "bad", "bad"])


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_planted_registry_is_refused_by_all_that_finds_it(tmp_path: Path):
    init_registry(tmp_path).close()
    (tmp_path / FOLDER / FILE).write_text("allow_shared = true\n")
    os.chown(tmp_path / FOLDER, 54_321, 54_321)
    for verb in (["list"], ["predict", "x"], ["config"], ["config", "timeout", "5"], ["doctor"]):
        done = mlreg(*verb, folder=tmp_path)
        assert done.returncode == 5, verb
        assert "belongs to the user 54321" in done.stderr
    assert mlreg("list", folder=tmp_path, MLREG_ALLOW_SHARED="true").returncode == 0


@pytest.mark.slow
def test_without_a_home_all_works_but_what_needs_the_key(tmp_path: Path, artifact: Path):
    """As under cron, and for a daemon whose home is nowhere."""
    nowhere = {"XDG_CONFIG_HOME": "", "HOME": "/dev/null"}
    for verb in (
        ["init"],
        ["register", "m@1.0.0", str(artifact)],
        ["activate", "m@1.0.0"],
        ["predict", "great"],
        ["trust", "list"],
        ["doctor"],
    ):
        done = mlreg(*verb, folder=tmp_path, **nowhere)
        assert done.returncode == 0, (verb, done.stderr)
    needs = mlreg("register", "m@2.0.0", str(artifact), "--trust", folder=tmp_path, **nowhere)
    assert needs.returncode == 6
    assert "cannot be written to: Not a directory" in needs.stderr
    bare = mlreg("list", folder=tmp_path, without=("HOME", "XDG_CONFIG_HOME"))
    assert bare.returncode == 0


def test_a_folder_that_is_gone_ends_config_and_init_without_a_defect(tmp_path: Path):
    gone = tmp_path / "gone"
    for verb, code in (("init", 6), ("config timeout 5", 3)):
        gone.mkdir()
        line = f"cd {gone} && rmdir {gone} && {MLREG} {verb}"
        done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, check=False)
        assert done.returncode == code
        assert "error: the working directory has been deleted" in done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no such device")
def test_settings_that_the_disk_does_not_take_stay_as_they_were(registry: Registry, tmp_path: Path):
    """A limit on the size of files stands for a disk that is full."""
    registry.close()
    edit_setting(tmp_path / FOLDER, "timeout", "7").write()
    (tmp_path / FOLDER / FILE).write_text("timeout = 7.0\n" + "# a long story\n" * 40_000)
    before = (tmp_path / FOLDER / FILE).read_bytes()
    line = f"trap '' XFSZ; ulimit -f 300; exec {MLREG} config timeout 9"
    done = subprocess.run(
        ["bash", "-c", line], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 6, done.stderr
    assert "nothing could be written" in done.stderr
    assert (tmp_path / FOLDER / FILE).read_bytes() == before
    assert not list((tmp_path / FOLDER).glob(".config.toml-*"))
    assert [e["action"] for e in audit(tmp_path)] == ["init"]


def audit(folder: Path) -> list[dict[str, object]]:
    import json

    done = mlreg("audit", "--json", folder=folder)
    return [json.loads(line) for line in done.stdout.splitlines()]


CODE = """
from sklearn.base import BaseEstimator, TransformerMixin

class Same(TransformerMixin, BaseEstimator):
    def fit(self, X, y=None):
        self.fitted_ = True
        return self

    def transform(self, X):
        return X
"""
TRAINING = """
import joblib
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
{}
model = make_pipeline(Same(), LogisticRegression())
joblib.dump(model.fit([[0.0], [1.0]] * 9, ["no", "yes"] * 9), "{}.joblib")
"""


def train(folder: Path, code: str, name: str) -> None:
    words = [sys.executable, "-c", TRAINING.format(code, name)]
    subprocess.run(words, cwd=folder, check=True, timeout=120)


@pytest.mark.slow
def test_code_of_ones_own_is_found_where_pythonpath_says_and_the_error_says_how(tmp_path: Path):
    init_registry(tmp_path).close()
    (tmp_path / "owncode.py").write_text(CODE)
    train(tmp_path, "from owncode import Same", "own")
    register = ("register", "own@1.0.0", "own.joblib", "--trust")
    for variables in ({}, {"PYTHONPATH": "."}):  # where one stands is no place to import from
        refused = mlreg(*register, folder=tmp_path, **variables)
        assert refused.returncode == 5
        assert "No module named 'owncode'" in refused.stderr
        assert "install owncode where mlreg is installed" in refused.stderr
        assert 'run: export PYTHONPATH="$PWD"' in refused.stderr
    there = {"PYTHONPATH": str(tmp_path)}
    registered = mlreg(*register, folder=tmp_path, **there)
    assert registered.returncode == 0, registered.stderr
    assert mlreg("activate", "own@1.0.0", folder=tmp_path).returncode == 0
    answered = mlreg("predict", "[1]", "--field", "prediction", folder=tmp_path, **there)
    assert (answered.returncode, answered.stdout) == (0, "yes\n"), answered.stderr


@pytest.mark.slow
def test_a_class_that_was_defined_in_the_script_is_to_be_moved_into_a_module(tmp_path: Path):
    init_registry(tmp_path).close()
    train(tmp_path, CODE, "main")
    refused = mlreg("register", "main@1.0.0", "main.joblib", "--trust", folder=tmp_path)
    assert refused.returncode == 5
    assert "move it out of the script into a file" in refused.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("library", "name"),
    [("xgboost", "XGBClassifier"), ("lightgbm", "LGBMClassifier")],
)
def test_boosted_trees_of_other_libraries_answer_with_trust(
    tmp_path: Path, library: str, name: str
):
    import joblib

    found = pytest.importorskip(library)
    init_registry(tmp_path).close()
    model = getattr(found, name)(n_estimators=3).fit([[0.0], [1.0]] * 30, [0, 1] * 30)
    joblib.dump(model, tmp_path / "model.joblib")
    refused = mlreg("register", "trees@1.0.0", "model.joblib", folder=tmp_path)
    assert refused.returncode == 5
    assert f"{library} works with trust: register --trust" in refused.stderr
    registered = mlreg("register", "trees@1.0.0", "model.joblib", "--trust", folder=tmp_path)
    assert registered.returncode == 0, registered.stderr
    assert mlreg("activate", "trees@1.0.0", folder=tmp_path).returncode == 0
    answered = mlreg("predict", "[1]", "--field", "prediction", folder=tmp_path)
    assert (answered.returncode, answered.stdout) == (0, "1\n"), answered.stderr
