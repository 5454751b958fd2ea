"""State that compiled code believes: indices, sizes, pointers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse
from scipy.interpolate import BSpline
from sklearn.cluster import Birch
from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KernelDensity, KNeighborsClassifier, RadiusNeighborsClassifier
from sklearn.preprocessing import (
    FunctionTransformer,
    SplineTransformer,
    StandardScaler,
)
from sklearn.random_projection import SparseRandomProjection
from sklearn.svm import SVC, OneClassSVM

from tests.torture.attacks.campaign import attack, probe
from tests.torture.attacks.kit import (
    arrays,
    called,
    chain,
    classifier,
    dumped,
    filled,
    inner,
    instance,
    named,
    stack,
    text,
    whole,
)  # fmt: skip

THREE = "[0.1, 0.2, 0.3]"
FAR = 2**30


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


@attack(
    "Numbers of support vectors that are right in sum, and wrong one by one.", "crash", ask=THREE
)
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


@attack(
    "A support vector machine with the intercept of two classes and 30,000 classes.",
    "crash",
    ask=THREE,
)
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
    model = RadiusNeighborsClassifier(5.0, algorithm="brute", metric="manhattan").fit(
        *arrays(100, 3)
    )
    model._y = np.full(100, -(2**40), dtype=np.int64)
    return dumped(chain(StandardScaler().fit(arrays(100, 3)[0]), model))


@attack("A clustering with one norm for four million centres.", "crash")
def norms_of_centres(scratch: Path) -> bytes:
    model = Birch(n_clusters=None).fit([[0.0], [1.0]])
    model.subcluster_centers_ = np.zeros((4_000_000, 1))
    model.subcluster_labels_ = np.zeros(4_000_000, dtype=np.int8)
    model._subcluster_norms = np.zeros(1)
    return dumped(stack([model], ["predict"]), compress=1)


@probe("Words hashed into no columns at all.", "crash", ask="a", kind="text")
def hashed_into_nothing(scratch: Path) -> bytes:
    return dumped(chain(HashingVectorizer(n_features=0), classifier()))


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
    empty = called(
        named("sklearn.neighbors._kd_tree", "newObj"), named("sklearn.neighbors._kd_tree", "KDTree")
    )
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


@attack(
    "A spline as the function of a step: many knots, one row of coefficients.",
    "crash",
    ask="[90000.5]",
)
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
