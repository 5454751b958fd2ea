"""Write `mlreg/artifacts/allowed_globals.txt` for the installed scikit-learn.

Every estimator that scikit-learn has is fitted (or at least made), together with typical
pipelines and the parameters that people give them; each is pickled, and what the pickle names and
what it does with the names becomes the list. Classes come by themselves. A function comes only if
it stands in `FUNCTIONS` below with the reason why it may: anything new stops the script.

The other list says what attributes may hold besides plain data. It is written by hand, in
`scripts/reviewed_states.py`; here it is spelt out, and compared with the source of the installed
libraries: a look-up by name that nobody has reviewed stops the script too.

    python -m scripts.generate_allowlist            write the lists
    python -m scripts.generate_allowlist --check    fail if they are not what would be written
"""

from __future__ import annotations

import contextlib
import io
import pickle
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import sklearn
from sklearn.experimental import enable_halving_search_cv  # noqa: F401 - it opens the import
from sklearn.utils import all_estimators

from mlreg.artifacts import attributes
from mlreg.artifacts.allowlist import FILE, Name, Use, modern
from scripts.lookups import Site, sites
from scripts.reviewed_states import LOOKUPS, SPLATTED, STATES

FOLDER = Path(__file__).parents[1] / "mlreg" / "artifacts"
PROTOCOLS = (2, 4, 5)
RANK: dict[Use, int] = {"value": 0, "new": 1, "call": 2}

CHECKED = "its arguments are checked by mlreg.artifacts.states"
MAKES = "makes an empty instance of an admitted class"
PURE = "computes numbers from numbers; it is only ever a parameter"

FUNCTIONS: dict[str, str] = {
    "_codecs:encode": CHECKED,
    "numpy._core.multiarray:_reconstruct": CHECKED,
    "numpy._core.multiarray:scalar": CHECKED,
    "numpy._core.numeric:_frombuffer": CHECKED,
    "numpy.ma.core:_mareconstruct": CHECKED,
    "numpy.random._pickle:__bit_generator_ctor": CHECKED,
    "numpy.random._pickle:__generator_ctor": MAKES,
    "numpy.random._pickle:__randomstate_ctor": MAKES,
    "numpy.random.bit_generator:__pyx_unpickle_SeedSequence": MAKES,
    "sklearn._loss._loss:__pyx_unpickle_CyHalfMultinomialLoss": MAKES,
    "sklearn.metrics._dist_metrics:newObj": MAKES,
    "sklearn.neighbors._ball_tree:newObj": MAKES,
    "sklearn.neighbors._kd_tree:newObj": MAKES,
    "numpy:mean": PURE,
    "numpy:median": PURE,
    "sklearn.cluster._kmeans:_kmeans_single_elkan": PURE,
    "sklearn.cluster._kmeans:_kmeans_single_lloyd": PURE,
    "scipy._lib.array_api_compat.numpy._aliases:asarray": PURE,
}
# Prefixes of modules whose public functions are pure, where a parameter may name one of them.
PURE_MODULES = (
    "sklearn.metrics._classification:",
    "sklearn.metrics._ranking:",
    "sklearn.metrics._regression:",
    "sklearn.metrics._scorer:",
    "sklearn.metrics.cluster.",
    "sklearn.feature_selection._univariate_selection:",
    "sklearn.feature_selection._mutual_info:",
)
UFUNCS = tuple(
    f"numpy:{name}"
    for name in ("abs", "cbrt", "exp", "expm1", "log", "log10", "log1p", "log2", "sqrt", "square")
)
SCALARS = (
    "bool", "float16", "float32", "float64", "int8", "int16", "int32", "int64", "object_", "str_",
    "uint8", "uint16", "uint32", "uint64",
)  # fmt: skip
# What other releases of numpy and scipy call the same things.
OTHER_RELEASES: dict[Name, Use] = {("scipy.interpolate._bsplines", "_BSpline"): "new"}


_Unpickler: Any = pickle._Unpickler


class Recorder(_Unpickler):  # type: ignore[misc]
    """Loads our own pickles and notes what they name and what they do with it."""

    dispatch: ClassVar[dict[int, Callable[[Any], None]]] = dict(_Unpickler.dispatch)

    def __init__(self, data: bytes, found: dict[Name, Use]) -> None:
        super().__init__(io.BytesIO(data))
        self.found = found
        self.names: dict[int, Name] = {}

    def find_class(self, module: str, name: str) -> object:
        target = super().find_class(module, name)
        key = modern(module), name
        self.names[id(target)] = key
        self.found.setdefault(key, "value")
        return target

    def load_reduce(self) -> None:
        self.note(self.stack[-2], "call")
        super().load_reduce()

    def load_newobj(self) -> None:
        self.note(self.stack[-2], "call" if self.stack[-1] else "new")
        super().load_newobj()

    def note(self, target: object, use: Use) -> None:
        key = self.names[id(target)]
        self.found[key] = max(self.found[key], use, key=RANK.__getitem__)


Recorder.dispatch[pickle.REDUCE[0]] = Recorder.load_reduce
Recorder.dispatch[pickle.NEWOBJ[0]] = Recorder.load_newobj


def record(sample: object, found: dict[Name, Use]) -> None:
    """Add what the pickles of a sample need."""
    for protocol in PROTOCOLS:
        with contextlib.suppress(pickle.PicklingError, AttributeError):
            Recorder(pickle.dumps(sample, protocol), found).load()


# --- what is pickled ------------------------------------------------------------------------


def estimators() -> Iterator[Any]:
    """Every estimator of scikit-learn, fitted if some small data set will do."""
    for _, cls in all_estimators():
        for instance in instances(cls):
            yield fitted(instance)


def instances(cls: type) -> Iterator[Any]:
    """The class made with whatever parameters it must have."""
    from sklearn.utils._test_common import instance_generator
    from sklearn.utils._testing import SkipTest

    try:
        yield from instance_generator._construct_instances(cls)
    except SkipTest:
        from sklearn.linear_model import LogisticRegression

        yield cls(LogisticRegression())


def fitted(instance: Any) -> Any:
    """The instance fitted on the first data that it takes, or as it was."""
    for features, target in data_sets():
        try:
            return sklearn.clone(instance).fit(features, target)
        except Exception:  # noqa: BLE001 - the next data set may be the right one
            continue
    return instance


def data_sets() -> Iterator[tuple[Any, Any]]:
    """Small data of each kind that estimators are made for."""
    random = np.random.RandomState(0)
    table = random.uniform(0.1, 1, (40, 4))
    binary = np.arange(40) % 2
    texts = ["good great fun", "bad awful sad"] * 20
    yield table, binary
    yield table, random.uniform(0.1, 1, 40)
    yield texts, binary
    yield table[:, 0], binary
    yield table, np.stack([binary, 1 - binary], axis=1)
    yield table, table[:, :2]
    yield binary, None
    yield [{"a": 1.0, "b": "x"}, {"a": 2.0, "b": "y"}] * 20, None
    yield [["x"], ["y"]] * 20, None
    yield random.uniform(size=(4, 8, 8)), None
    yield table[:4, :4] @ table[:4, :4].T, None


def pipelines() -> Iterator[Any]:
    """What people build from the estimators."""
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
    from sklearn.experimental import enable_iterative_imputer  # noqa: F401 - it opens the import
    from sklearn.feature_extraction import DictVectorizer, FeatureHasher
    from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer, TfidfVectorizer
    from sklearn.feature_selection import SelectKBest, chi2
    from sklearn.impute import IterativeImputer, SimpleImputer
    from sklearn.linear_model import LogisticRegression, Ridge, SGDClassifier
    from sklearn.model_selection import GridSearchCV
    from sklearn.multiclass import OneVsRestClassifier
    from sklearn.naive_bayes import MultinomialNB
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.pipeline import make_pipeline, make_union
    from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler
    from sklearn.svm import SVC, LinearSVC

    random = np.random.RandomState(1)
    table, binary = random.uniform(0.1, 1, (40, 4)), np.arange(40) % 2
    texts, names = ["good great fun", "bad awful sad"] * 20, np.array(["pos", "neg"] * 20)
    mixed = np.array([["x", 1.0], ["y", 2.0]] * 20, dtype=object)
    for vectorizer in (TfidfVectorizer(), CountVectorizer(), HashingVectorizer(n_features=32)):
        yield make_pipeline(vectorizer, SGDClassifier(loss="log_loss")).fit(texts, names)
    words = make_union(TfidfVectorizer(), TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 3)))
    yield make_pipeline(words, SelectKBest(chi2, k=3), MultinomialNB()).fit(texts, names)
    yield make_pipeline(TfidfVectorizer(), CalibratedClassifierCV(LinearSVC())).fit(texts, names)
    search = GridSearchCV(make_pipeline(TfidfVectorizer(), LogisticRegression()), {
        "logisticregression__C": [0.1, 1.0], "tfidfvectorizer__ngram_range": [(1, 1), (1, 2)],
    }, scoring="f1_macro", cv=2)  # fmt: skip
    yield search.fit(texts, names)
    columns = ColumnTransformer([
        ("kind", OneHotEncoder(handle_unknown="ignore"), [0]),
        ("size", make_pipeline(SimpleImputer(), StandardScaler()), [1]),
    ], remainder="passthrough")  # fmt: skip
    yield make_pipeline(columns, LogisticRegression()).fit(mixed, names)
    yield make_pipeline(columns, Ridge()).fit(mixed, binary)
    records = [{"city": "Oslo", "age": 3.0}, {"city": "Bonn", "age": 5.0}] * 20
    yield make_pipeline(DictVectorizer(), LogisticRegression()).fit(records, names)
    yield make_pipeline(FeatureHasher(8), LogisticRegression()).fit(records, names)
    yield make_pipeline(FunctionTransformer(np.log1p), LogisticRegression()).fit(table, names)
    yield TransformedTargetRegressor(Ridge(), func=np.log1p, inverse_func=np.expm1).fit(
        table, table[:, 0]
    )
    yield IterativeImputer().fit(table)
    always = np.stack([binary, np.ones(40, dtype=int)], axis=1)
    yield OneVsRestClassifier(LogisticRegression()).fit(table, always)
    for metric in ("euclidean", "manhattan", "chebyshev", "minkowski", "hamming"):
        for algorithm in ("ball_tree", "kd_tree", "brute"):
            with contextlib.suppress(ValueError):
                yield KNeighborsClassifier(algorithm=algorithm, metric=metric).fit(table, names)
    for kernel in ("linear", "poly", "rbf", "sigmoid"):
        yield SVC(kernel=kernel).fit(table, names)


def ensembles() -> Iterator[Any]:
    """Boosting with every loss, on two and on three classes."""
    from sklearn.ensemble import (
        GradientBoostingClassifier,
        GradientBoostingRegressor,
        HistGradientBoostingClassifier,
        HistGradientBoostingRegressor,
    )
    from sklearn.linear_model import SGDClassifier, SGDRegressor

    random = np.random.RandomState(2)
    table, number = random.uniform(0.1, 1, (60, 3)), random.uniform(0.1, 1, 60)
    for classes in (2, 3):
        names = np.array(["a", "b", "c"])[np.arange(60) % classes]
        yield HistGradientBoostingClassifier(max_iter=2, early_stopping=True).fit(table, names)
        yield GradientBoostingClassifier(n_estimators=2).fit(table, names)
    yield GradientBoostingClassifier(n_estimators=2, loss="exponential").fit(table, names == "a")
    for loss in ("squared_error", "absolute_error", "gamma", "poisson", "quantile"):
        yield HistGradientBoostingRegressor(loss=loss, quantile=0.5, max_iter=2).fit(table, number)
    for loss in ("squared_error", "absolute_error", "huber", "quantile"):
        yield GradientBoostingRegressor(loss=loss, n_estimators=2).fit(table, number)
    for loss in ("hinge", "log_loss", "modified_huber", "squared_hinge", "perceptron"):
        yield SGDClassifier(loss=loss).fit(table, names)
    for loss in ("squared_error", "huber", "epsilon_insensitive", "squared_epsilon_insensitive"):
        yield SGDRegressor(loss=loss).fit(table, number)


def parameters() -> Iterator[Any]:
    """Objects that estimators are given: kernels, splitters, scorers, random states, dtypes."""
    import sklearn.gaussian_process.kernels as kernels
    from scipy import sparse
    from sklearn import feature_selection, metrics, model_selection

    simple = ["RBF", "ConstantKernel", "WhiteKernel", "Matern", "RationalQuadratic"]
    made = [getattr(kernels, name)() for name in (*simple, "ExpSineSquared", "DotProduct")]
    pairwise = kernels.PairwiseKernel()
    yield [*made, pairwise, made[0] + made[1], made[0] * made[1], made[0] ** 2]
    yield kernels.CompoundKernel(made)
    for name in metrics.get_scorer_names():
        yield metrics.get_scorer(name)
    for name in ("chi2", "f_classif", "f_regression", "r_regression",
                 "mutual_info_classif", "mutual_info_regression"):  # fmt: skip
        yield getattr(feature_selection, name)
    for name in ("KFold", "StratifiedKFold", "GroupKFold", "StratifiedGroupKFold", "LeaveOneOut",
                 "ShuffleSplit", "StratifiedShuffleSplit", "TimeSeriesSplit", "GroupShuffleSplit",
                 "RepeatedKFold", "RepeatedStratifiedKFold"):  # fmt: skip
        yield getattr(model_selection, name)()
    yield [np.random.RandomState(0), np.random.default_rng(0)]
    yield [np.random.Generator(np.random.MT19937(0)), np.random.Generator(np.random.PCG64(0))]
    yield [np.float32(1), np.int64(1), np.array(["a"], dtype=object), np.array(["a"])]
    yield [np.median, np.array([1, 2], dtype=">i4"), np.ma.masked_less(np.arange(3), 1)]
    for kind in ("csr", "csc", "coo"):
        for shape in ("matrix", "array"):
            yield getattr(sparse, f"{kind}_{shape}")(np.eye(2))
    yield slice(1)


def fixed() -> dict[Name, Use]:
    """Names that only ever are parameters: element types and elementwise functions."""
    names = (*SCALARS, *(key.removeprefix("numpy:") for key in UFUNCS))
    found: dict[Name, Use] = {("numpy", name): "value" for name in names}
    return found | OTHER_RELEASES


# --- the list -------------------------------------------------------------------------------


def collect() -> dict[Name, Use]:
    """All names with their uses, each of them reviewed."""
    found = fixed()
    # Some estimators draw from the global generator, and what they pickle depends on the draw.
    np.random.seed(0)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        for source in (estimators, pipelines, ensembles, parameters):
            for sample in source():
                record(sample, found)
    strange = [":".join(key) for key, use in found.items() if not is_justified(*key, use)]
    if strange:
        raise SystemExit(f"functions: justify them in FUNCTIONS or leave them out: {strange}")
    return found


def is_justified(module: str, name: str, use: Use) -> bool:
    """Whether it is a class, or a function whose use somebody has thought about."""
    key = f"{module}:{name}"
    if isinstance(getattr(sys.modules[module], name, type), type) or key in FUNCTIONS:
        return True
    return use == "value" and (key.startswith(PURE_MODULES) or key in UFUNCS)


def render(found: dict[Name, Use]) -> str:
    """The list as text."""
    import scipy

    lines = sorted(f"{module}:{name} {use}" for (module, name), use in found.items())
    versions = f"scikit-learn {sklearn.__version__}, numpy {np.__version__}"
    head = f"# By scripts/generate_allowlist.py with {versions}, scipy {scipy.__version__}.\n"
    return head + "\n".join(lines) + "\n"


# --- what attributes hold -------------------------------------------------------------------


def render_states(found: dict[Name, Use]) -> str:
    """The reviewed list as text, with each `*` replaced by what the allow-list has."""
    lines = []
    for entry in STATES:
        listed = [one for part in entry.listed.split() for one in spelt_out(part, found)]
        lines += [" ".join((name, entry.shape, *listed)) for name in entry.names.split()]
    return "# By scripts/generate_allowlist.py from scripts/reviewed_states.py.\n" + "".join(
        f"{line}\n" for line in sorted(lines)
    )


def spelt_out(part: str, found: dict[Name, Use]) -> list[str]:
    """What a listed name stands for."""
    prefix, star, call = part.partition("*")
    if not star:
        return [part]
    names = sorted(":".join(name) for name in found)
    return [name + call for name in names if name.startswith(prefix)]


def unreviewed(places: set[Site]) -> list[str]:
    """Places in the source that nobody has reviewed, and attributes that have no shape."""
    reviewed = {place for places in LOOKUPS.values() for place in places.split()}
    shapes = attributes.parse(render_states({}))
    slots = {name for name, rule in shapes.items() if rule.shape in ("only", "named")}
    splats = {name for name, rule in shapes.items() if rule.shape == "keywords"} | set(SPLATTED)
    known = {"lookup": reviewed, "asked": slots, "splatted": splats}
    return sorted(
        f"{site.kind} {site.what} in {site.place}"
        for site in places
        if (site.place if site.kind == "lookup" else site.what) not in known[site.kind]
    )


def main(arguments: list[str]) -> int:
    """Write or check the lists."""
    if strange := unreviewed(sites()):
        raise SystemExit("review them in scripts/reviewed_states.py:\n" + "\n".join(strange))
    found = collect()
    texts = {FILE: render(found), attributes.FILE: render_states(found)}
    if "--check" not in arguments:
        for name, text in texts.items():
            (FOLDER / name).write_text(text, encoding="utf-8")
            print(f"{FOLDER / name}: {text.count(chr(10)) - 1} lines")
        return 0
    same = all((FOLDER / name).read_text("utf-8") == text for name, text in texts.items())
    print("the lists are up to date" if same else "the lists differ: run this script, review them")
    return not same


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
