"""Where models run that a registry was opened for without a word about it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import FunctionTransformer

from mlreg.artifacts.objects import ObjectStore
from mlreg.artifacts.runner import Answer, Runner
from mlreg.artifacts.runners import SortingRunner, make_runner, make_worker
from mlreg.artifacts.worker import WorkerRunner
from mlreg.config import Settings, load_settings
from mlreg.errors import ArtifactMissing, ArtifactUntrusted, InvalidInput
from mlreg.registry import Registry
from tests.artifacts.conftest import Store
from tests.artifacts.test_states import dumped, with_state

pytestmark = pytest.mark.process

TABLE = np.random.RandomState(0).uniform(size=(40, 3))
TARGET = np.arange(40) % 2
ROW: list[Any] = [0.1, 0.2, 0.3]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(tmp_path, {})


@pytest.fixture
def runner(objects: ObjectStore, settings: Settings) -> Iterator[Runner]:
    made = make_runner(None, objects, settings)
    yield made
    made.close()


def process_of(runner: Any) -> Any:
    """The process that runs what is not proved; None where none was needed."""
    lane = runner._elsewhere._lanes.get(False)
    return lane and lane._process


def linear() -> LogisticRegression:
    return LogisticRegression().fit(TABLE, TARGET)


def forest() -> RandomForestClassifier:
    return RandomForestClassifier(2, random_state=0).fit(TABLE, TARGET)


def test_a_model_that_is_proved_sound_runs_in_this_process(runner: Any, stored: Store) -> None:
    model = stored(linear())
    assert runner.inspect(model.digest, trusted=False).signature.input == "vector"
    (answer,) = runner.predict(model, [ROW]).outcomes
    assert answer.output == linear().predict([ROW])[0]
    assert process_of(runner) is None


def test_a_model_that_is_not_proved_runs_in_another_process(runner: Any, stored: Store) -> None:
    model = stored(forest())
    assert runner.inspect(model.digest, trusted=False).signature.input == "vector"
    (answer,) = runner.submit(model, [ROW]).result().outcomes
    assert answer.output == forest().predict([ROW])[0]
    assert process_of(runner).is_running
    assert not runner._here._models


def test_a_model_that_is_trusted_runs_in_this_process(runner: Any, stored: Store) -> None:
    model = stored(forest(), trusted=True)
    assert isinstance(runner.predict(model, [ROW]).outcomes[0], Answer)
    assert process_of(runner) is None


def test_the_same_bytes_are_trusted_once_and_untrusted_once(runner: Any, stored: Store) -> None:
    trusted, untrusted = stored(forest(), trusted=True), stored(forest())
    assert trusted.digest == untrusted.digest
    assert runner.predict(trusted, [ROW]).outcomes == runner.predict(untrusted, [ROW]).outcomes
    assert set(runner._chosen.values()) == {runner._here, runner._elsewhere}


def test_what_is_refused_is_refused_by_either_process(runner: Any, stored: Store) -> None:
    hostile = stored(with_state(linear(), coef_=np.square))
    function = stored(with_state(FunctionTransformer(), func=bytes))
    for model in (hostile, function):
        with pytest.raises(ArtifactUntrusted, match=r"not allowed|allow-list"):
            runner.inspect(model.digest, trusted=False)
        assert runner.predict(model, [ROW]).outcomes[0].kind == "artifact"


def test_an_artifact_that_is_missing_needs_no_process(runner: Any, stored: Store) -> None:
    model = stored(linear())._replace(digest="0" * 64)
    assert runner.predict(model, [ROW]).outcomes[0].kind == "artifact"
    with pytest.raises(ArtifactMissing, match="000000000000"):
        runner.inspect(model.digest, trusted=False)
    assert process_of(runner) is None


def test_a_model_that_hangs_has_no_answer_and_does_not_hang_its_caller(
    objects: ObjectStore, stored: Store, tmp_path: Path
) -> None:
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.pipeline import make_pipeline

    slow = make_pipeline(TfidfVectorizer(token_pattern=r"(a|a)+$"), LogisticRegression())
    slow.fit(["a", "aa", "aaa"] * 2, TARGET[:6])
    runner = make_runner(None, objects, load_settings(tmp_path, {"MLREG_TIMEOUT": "0.5"}))
    try:
        (failure,) = runner.predict(stored(slow, input="text"), ["a" * 60 + "b"]).outcomes
    finally:
        runner.close()
    assert failure.kind == "timeout"


def test_each_place_can_be_asked_for(objects: ObjectStore, settings: Settings) -> None:
    from mlreg.artifacts.inprocess import InProcessRunner

    assert isinstance(make_runner("inprocess", objects, settings), InProcessRunner)
    assert isinstance(make_runner("worker", objects, settings), WorkerRunner)
    assert isinstance(make_runner(None, objects, settings), SortingRunner)
    with pytest.raises(InvalidInput, match="'inprocess', 'worker', None"):
        make_runner("cloud", objects, settings)


def test_the_limits_of_the_process_are_those_of_the_settings(
    objects: ObjectStore, tmp_path: Path
) -> None:
    settings = load_settings(tmp_path, {"MLREG_TIMEOUT": "7", "MLREG_MEMORY_LIMIT_MB": "512"})
    worker = make_worker(objects, settings)
    assert worker._limits.answer == 7
    assert worker._memory == 512 << 20


@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
def test_a_fork_starts_a_process_of_its_own(runner: Any, stored: Store) -> None:
    model = stored(forest())
    wanted = runner.predict(model, [ROW]).outcomes
    theirs = process_of(runner)._pid
    child = os.fork()
    if child == 0:
        try:
            same = runner.predict(model, [ROW]).outcomes == wanted
            own = process_of(runner)._pid
            runner.close()
            os._exit(0 if same and own not in (None, theirs) else 1)
        finally:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert runner.predict(model, [ROW]).outcomes == wanted
    assert process_of(runner).is_running


@pytest.mark.parametrize("place", [None, "inprocess", "worker"])
def test_a_registry_runs_models_where_it_is_told_to(registry: Registry, place: Any) -> None:
    registry.versions.register("m@1.0.0", dumped(forest()))
    registry.traffic.activate("m@1.0.0")
    with Registry(registry.folder, runner=place) as again:
        assert again.predictions.predict(ROW).prediction == forest().predict([ROW])[0]
