"""What is sound when it is loaded and is changed later, and what only training should do."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.cluster import AgglomerativeClustering, FeatureAgglomeration, KMeans
from sklearn.model_selection import FixedThresholdClassifier
from sklearn.multioutput import ClassifierChain, RegressorChain
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from tests.torture.attacks.campaign import attack
from tests.torture.attacks.kit import (
    again,
    always,
    array,
    chain,
    classifier,
    content,
    data,
    dumped,
    filled,
    inner,
    instance,
    items,
    kept,
    mapping,
    named,
    poured,
    reading_words,
    spelled,
    stack,
    text,
    whole,
)  # fmt: skip

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
    rewrite = _rewriting(numbers)
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
    union = _union(rewriting, writing)
    return whole(shared, _pipeline([union, inner(classifier())]))


def _union(first: bytes, second: bytes) -> bytes:
    return instance(
        "sklearn.pipeline", "FeatureUnion",
        mapping(
            transformer_list=b"](" + items(text("a"), first) + items(text("b"), second) + b"e",
            n_jobs=b"N", transformer_weights=b"N", verbose=b"\x89",
            verbose_feature_names_out=b"\x88",
        ),
    )  # fmt: skip


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
    state = machine.__getstate__() | {"shape_fit_": (len(spells), 1)}
    del state["kernel"]
    entries = b"".join(text(key) + inner(value) for key, value in state.items())
    entries += text("kernel") + named("numpy", "abs")
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


@attack(
    "A reader of texts becomes a reader of files: `input` lies on the bytes of an `out`.",
    "read",
    ask="{scratch}/secret.txt",
    kind="text",
)
def input_rewritten_by_a_ufunc(scratch: Path) -> bytes:
    """The codes are a constant of the state; only the file's name is the user's."""
    width = 300
    raw = "content".ljust(width, "\0").encode("utf-32-le")
    source = array(inner(np.dtype(f"<U{width}")), (), again(5000))
    codes = array(inner(np.dtype("<u4")), (1, width), again(5000))
    wanted = [float(ord(letter)) for letter in "filename".ljust(width, "\0")]
    counting = reading_words(("never",)).steps[0][1].fit(["never"])
    constant = [counting, *always(np.array(wanted)), _rewriting(codes)]
    reader, model = (step for _, step in reading_words(("canary", "7c1e90")).steps)
    reader.fit(["none"])
    state = {key: value for key, value in reader.__getstate__().items() if key != "input"}
    entries = b"".join(text(key) + inner(value) for key, value in state.items())
    reading = instance(
        "sklearn.feature_extraction.text",
        "CountVectorizer",
        b"}(" + entries + text("input") + source + b"u",
    )
    first = _pipeline([step if isinstance(step, bytes) else inner(step) for step in constant])
    union = _union(first, _pipeline([reading]))
    model.coef_ = np.concatenate([np.zeros((1, width)), model.coef_], axis=1)
    model.n_features_in_ = width + 2
    return whole(data(raw), kept(5000), b"0", _pipeline([union, inner(model)]))


def _rewriting(numbers: bytes) -> bytes:
    """A step that copies its input onto these numbers."""
    return instance(
        "sklearn.preprocessing._function_transformer",
        "FunctionTransformer",
        mapping(
            func=named("numpy", "abs"),
            validate=b"\x89",
            accept_sparse=b"\x89",
            check_inverse=b"\x89",
            feature_names_out=b"N",
            inverse_func=b"N",
            inv_kw_args=b"N",
            kw_args=b"}" + text("out") + numbers + b"s" + text("casting") + text("unsafe") + b"s",
        ),
    )


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
    return dumped(stack([fitted], ["predict"], classifier(2)))


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
    with suppress(AttributeError):
        model.predict([[0.5]])
    for result in keeping.rglob("output.pkl"):
        result.write_bytes(pickle.dumps(Payload()))
    return dumped(model)
