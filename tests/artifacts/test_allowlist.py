from __future__ import annotations

import importlib.util
import io
import pickle
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import joblib
import pytest
import sklearn
from sklearn.utils import all_estimators

from mlreg.artifacts import unpickling
from mlreg.artifacts.allowlist import FILE, admit, allowed, modern, parse
from mlreg.errors import ArtifactUnloadable, ArtifactUntrusted

pytestmark = pytest.mark.filterwarnings("ignore")

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        "generate_allowlist", ROOT / "scripts" / "generate_allowlist.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_only_functions_whose_arguments_are_known_may_be_called() -> None:
    called = [name for (_, name), use in allowed().items() if use == "call"]
    functions = [name for name in called if name[0].islower() or name[0] == "_"]
    assert sorted(set(functions)) == [
        "_ImputerTriplet",
        "__bit_generator_ctor",
        "__generator_ctor",
        "__pyx_unpickle_CyHalfMultinomialLoss",
        "__pyx_unpickle_SeedSequence",
        "__randomstate_ctor",
        "_frombuffer",
        "_mareconstruct",
        "_reconstruct",
        "bytes",
        "dtype",
        "encode",
        "newObj",
        "scalar",
        "slice",
    ]


def test_no_name_on_the_list_is_dotted_or_from_a_dangerous_module() -> None:
    tops = {module.partition(".")[0] for module, _ in allowed()}
    assert tops == {"_codecs", "builtins", "numpy", "scipy", "sklearn"}
    assert not any("." in name for _, name in allowed())


def test_old_spellings_of_modules_are_known() -> None:
    assert modern("__builtin__") == "builtins"
    assert admit("numpy.core.multiarray", "_reconstruct")[1] == "call"


def test_a_name_that_the_installed_libraries_lack_is_an_unloadable_artifact(monkeypatch) -> None:
    gone = parse("sklearn.of_another_time:Model new\n")
    monkeypatch.setattr("mlreg.artifacts.allowlist.allowed", lambda: gone)
    with pytest.raises(ArtifactUnloadable, match="installed libraries do not have"):
        admit("sklearn.of_another_time", "Model")
    with pytest.raises(ArtifactUntrusted, match="not on the allow-list"):
        admit("os", "system")


def test_the_list_is_what_the_script_writes(generator: ModuleType) -> None:
    text = (ROOT / "mlreg" / "artifacts" / FILE).read_text(encoding="utf-8")
    made_with = re.search(r"scikit-learn (\d+\.\d+)", text)
    assert made_with is not None
    if not sklearn.__version__.startswith(made_with[1] + "."):
        pytest.skip(f"the list was made with scikit-learn {made_with[1]}")
    written, listed = parse(generator.render(generator.collect())), parse(text)
    assert written.items() <= listed.items()
    # What other releases of numpy and scipy call the same things stays in.
    assert len(listed) - len(written) <= 3


def forms(sample: Any) -> Iterator[bytes]:
    """The sample as each kind of file; nothing if it cannot be pickled at all."""
    try:
        for compress in (0, 1):
            buffer = io.BytesIO()
            joblib.dump(sample, buffer, compress=compress)
            yield buffer.getvalue()
        for protocol in (2, 4, 5):
            yield pickle.dumps(sample, protocol)
    except (pickle.PicklingError, AttributeError):
        return


def test_every_estimator_of_scikit_learn_loads_without_trust(generator: ModuleType) -> None:
    loaded = set()
    for sample in generator.estimators():
        for data in forms(sample):
            assert type(unpickling.load(data, trusted=False)) is type(sample)
            loaded.add(type(sample).__name__)
    assert len(loaded) >= len(all_estimators()) - 4


@pytest.mark.parametrize("source", ["pipelines", "ensembles", "parameters"])
def test_what_people_build_loads_without_trust(generator: ModuleType, source: str) -> None:
    for sample in getattr(generator, source)():
        for data in forms(sample):
            unpickling.load(data, trusted=False)
