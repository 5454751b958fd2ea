from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from mlreg.artifacts.flavors import sklearn as flavor
from mlreg.artifacts.inprocess import InProcessRunner
from mlreg.artifacts.objects import ObjectStore
from mlreg.artifacts.runner import Answer, Failure
from mlreg.errors import ArtifactUnloadable, ArtifactUntrusted
from tests.artifacts.conftest import Store, calling

BAD = "terrible, hate it"


@pytest.fixture
def runner(objects: ObjectStore) -> InProcessRunner:
    return InProcessRunner(objects)


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many bytes each load was given."""
    found: list[int] = []
    load = flavor.load

    def counted(data: bytes, **how: bool) -> Any:
        found.append(len(data))
        return load(data, **how)

    monkeypatch.setattr(flavor, "load", counted)
    return found


def test_a_model_is_inspected_and_answers(runner, stored: Store, text_pipeline: Any) -> None:
    model = stored(text_pipeline, input="text")
    found = runner.inspect(model.digest, trusted=False)
    assert (found.flavor, found.signature.input, found.notes) == ("sklearn", "text", ())
    batch = runner.predict(model, ["great product", BAD])
    assert [answer.output for answer in batch.outcomes] == ["positive", "negative"]
    assert batch.seconds > 0
    assert runner.submit(model, [BAD]).result().outcomes == batch.outcomes[1:]


def test_a_model_is_loaded_once(runner, stored: Store, text_pipeline, loads: list[int]) -> None:
    model = stored(text_pipeline, input="text")
    with ThreadPoolExecutor(4) as pool:
        batches = list(pool.map(lambda _: runner.predict(model, [BAD]), range(20)))
    assert len(loads) == 1
    assert all(batch.outcomes == batches[0].outcomes for batch in batches)


def test_trust_is_part_of_what_is_remembered(runner, stored, text_pipeline, loads) -> None:
    model = stored(text_pipeline, input="text")
    runner.predict(model, [BAD])
    runner.predict(model._replace(trusted=True), [BAD])
    assert len(loads) == 2


def test_the_model_unused_for_longest_goes_first(objects, stored, vector_pipeline, loads) -> None:
    from sklearn.base import clone

    runner = InProcessRunner(objects, capacity=2)
    rows, names = [[0.0], [1.0]] * 5, ["a", "b"] * 5
    fitted = [clone(vector_pipeline).set_params(logisticregression__C=c).fit(rows, names)
              for c in (1, 2, 3)]  # fmt: skip
    first, second, third = (stored(pipeline, length=1) for pipeline in fitted)
    for model in (first, second, first, third, first, second):
        runner.predict(model, [[1.0]])
    assert len(loads) == 4
    runner.close()
    runner.predict(first, [[1.0]])
    assert len(loads) == 5


def test_an_artifact_that_cannot_be_used_fails_every_input(runner, objects: ObjectStore) -> None:
    digest = objects.put_bytes(calling(print, "fired")).digest
    with pytest.raises(ArtifactUntrusted, match=r"builtins\.print"):
        runner.inspect(digest, trusted=False)
    from mlreg.artifacts.runner import Loadable
    from mlreg.entities.versions import Signature

    model = Loadable(digest, "sklearn", False, Signature(input="text"))
    outcomes = runner.predict(model, ["a", "b"]).outcomes
    assert [outcome.kind for outcome in outcomes] == ["artifact", "artifact"]


def test_a_lack_of_memory_fails_the_input_that_needs_it(runner, stored, misbehaving: Any) -> None:
    class Hungry(misbehaving.Model):  # type: ignore[misc]
        def predict(self, rows: Any) -> Any:
            if len(rows) > 1 or rows[0, 0] < 0:
                raise MemoryError
            return super().predict(rows)

    key = "0" * 64, True
    loaded = flavor.Model(Hungry(), stored(misbehaving.Model()).signature, "array", "plain", (), ())
    runner._keep(key, (flavor, loaded))
    model = stored(misbehaving.Model())._replace(digest=key[0], trusted=True)
    assert runner.predict(model, [[1.0], [-1.0]]).outcomes == [
        Answer(0, None),
        Failure("error", "MemoryError"),
    ]


def test_a_lack_of_memory_while_loading_is_an_error_of_the_artifact(
    runner, stored, text_pipeline, monkeypatch
) -> None:
    def load(data: bytes, **how: bool) -> Any:
        raise MemoryError

    monkeypatch.setattr(flavor, "load", load)
    with pytest.raises(ArtifactUnloadable, match="not enough memory"):
        runner.inspect(stored(text_pipeline).digest, trusted=False)


def test_threads_with_different_models_do_not_mix_their_answers(
    runner, stored, text_pipeline, number_pipeline
) -> None:
    text, number = stored(text_pipeline, input="text"), stored(number_pipeline, output="number")
    odd: list[object] = []

    def ask(model: Any, value: Any, kind: type) -> None:
        for _ in range(30):
            output = runner.predict(model, [value]).outcomes[0].output
            if type(output) is not kind:
                odd.append(output)

    threads = [threading.Thread(target=ask, args=(text, BAD, str)) for _ in range(2)]
    threads += [threading.Thread(target=ask, args=(number, [1.0, 2.0], float)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert odd == []
