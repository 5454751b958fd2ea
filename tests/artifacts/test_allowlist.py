from __future__ import annotations

import ast
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

from mlreg.artifacts import attributes, unpickling
from mlreg.artifacts.allowlist import FILE, admit, allowed, modern, parse
from mlreg.errors import ArtifactUnloadable, ArtifactUntrusted
from scripts import lookups

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


def test_the_list_of_states_is_what_the_script_writes(generator: ModuleType) -> None:
    text = (ROOT / "mlreg" / "artifacts" / attributes.FILE).read_text(encoding="utf-8")
    assert text == generator.render_states(allowed())


def test_what_the_list_of_states_names_exists_or_is_of_another_release() -> None:
    # It is made at loading, so the allow-list does not have it.
    made_there = {
        "scipy.interpolate._interpolate:interp1d",
        "sklearn.isotonic:IsotonicRegression._build_f.<locals>.<lambda>",
    }
    listed = {one.removesuffix("()") for rule in attributes.rules().values() for one in rule.listed}
    known = {":".join(name) for name in allowed()} | made_there
    generators = {"numpy.random.mtrand:RandomState", "numpy.random._generator:Generator"}
    losses = {"sklearn.cluster._kmeans:_kmeans_single_elkan"}
    assert {one for one in listed if ":" in one} <= known | generators | losses


@pytest.mark.slow
def test_every_look_up_by_name_has_been_reviewed(generator: ModuleType) -> None:
    text = (ROOT / "mlreg" / "artifacts" / FILE).read_text(encoding="utf-8")
    if f"scikit-learn {sklearn.__version__}," not in text:
        pytest.skip("the look-ups of another release were reviewed")
    found = generator.sites()
    places = {site.place for site in found}
    assert "sklearn.ensemble._stacking._BaseStacking._transform" in places
    assert "sklearn.feature_selection._base._get_feature_importances" in places
    assert generator.unreviewed(found) == []


@pytest.mark.parametrize(
    ("kind", "what"),
    [("lookup", "getattr(x, self.name_)"), ("asked", "helper_"), ("splatted", "more_params")],
)
def test_a_look_up_that_nobody_reviewed_is_named(
    generator: ModuleType, kind: str, what: str
) -> None:
    site = generator.Site(kind, "sklearn.new.Model.predict", what)
    assert generator.unreviewed({site}) == [f"{kind} {what} in sklearn.new.Model.predict"]


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("getattr(part, self.method_)(rows)", "lookup"),
        ("attrgetter(self.path)(part)", "lookup"),
        ("import_module(self.library)", "lookup"),
        ("globals()[self.name]", "lookup"),
        ("self.text.format(part=part)", "lookup"),
        ("_get_response_values(part, rows, response_method=self.method)", "lookup"),
        ("self.helper_.predict(rows)", "asked"),
        ("measure(rows, **self.params)", "splatted"),
        ("getattr(part, 'predict')(rows)", None),
        ("_check_response_method(part, ['predict', 'transform'])", None),
    ],
)
def test_look_ups_are_found_in_the_source(
    generator: ModuleType, line: str, kind: str | None
) -> None:
    source = ast.parse(f"class Model:\n    def predict(self, rows, part):\n        return {line}")
    found = {site.kind for site in lookups._Reader({"module": source}).sites}
    assert found == ({kind} if kind else set())


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
