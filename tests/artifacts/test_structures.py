"""Structures that would lead compiled code outside itself, and generators made of other things."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import sparse
from sklearn.cluster import KMeans
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import (
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.feature_extraction import DictVectorizer
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KernelDensity, KNeighborsClassifier
from sklearn.preprocessing import OneHotEncoder
from sklearn.svm import SVC

from mlreg.errors import ArtifactUntrusted
from tests.artifacts.conftest import Call, calling
from tests.artifacts.test_states import (
    TABLE,
    TARGET,
    TEXTS,
    dumped,
    linear,
    load,
    neighbours,
    tree,
    with_state,
)

pytestmark = pytest.mark.filterwarnings("ignore:Trying to unpickle")

# --- generators of random numbers -----------------------------------------------------------

make_state = np.random.RandomState(0).__reduce__()[0]
make_generator = np.random.default_rng(0).__reduce__()[0]
GENERATORS = {
    "calls bytes": (make_state, 10**9, bytes),
    "calls an array": (make_state, 10**12, np.ndarray),
    "calls a function": (make_generator, (1, 2), np.mean),
    "calls a model": (make_generator, "l2", LogisticRegression),
    "names another generator": (make_state, "Mersenne"),
    "makes one of a list": (make_generator, [1]),
}


@pytest.mark.parametrize("name", GENERATORS)
def test_a_generator_is_made_of_nothing_else(name: str) -> None:
    with pytest.raises(ArtifactUntrusted, match=r"strange arguments|which is not allowed"):
        load(calling(*GENERATORS[name]))


def test_honest_generators_still_load() -> None:
    for kind in ("MT19937", "PCG64"):
        generator = np.random.Generator(getattr(np.random, kind)(1))
        assert load(pickle.dumps(generator)).random() == generator.random()
    state = np.random.RandomState(1)
    assert load(pickle.dumps(state)).rand() == state.rand()


@pytest.mark.parametrize("position", [-1, 625, 2**31 - 1])
def test_a_generator_does_not_read_beyond_its_key(position: int) -> None:
    maker, arguments, state = np.random.RandomState(0).__reduce__()
    state["state"]["pos"] = position
    with pytest.raises(ArtifactUntrusted, match="leads outside itself"):
        load(calling(maker, *arguments, state=state))


# --- what compiled code walks ---------------------------------------------------------------


def histogram(**changes: Any) -> Any:
    model = HistGradientBoostingClassifier(max_iter=1, min_samples_leaf=2).fit(TABLE, TARGET)
    predictor = model._predictors[0][0]
    predictor.nodes = predictor.nodes.copy()
    for name, value in changes.items():
        predictor.nodes[name][0] = value
    return model


def searched(algorithm: str, change: Callable[[list[Any]], None]) -> Any:
    model = KNeighborsClassifier(algorithm=algorithm, leaf_size=5).fit(TABLE, TARGET)
    maker, arguments, state = model._tree.__reduce__()
    parts = [part.copy() if isinstance(part, np.ndarray) else part for part in state]
    change(parts)
    return with_state(model, _tree=Call(maker, *arguments, state=tuple(parts)))


def put(place: int, value: Any, field: Any = slice(None)) -> Callable[[list[Any]], None]:
    def change(parts: list[Any]) -> None:
        if isinstance(parts[place], np.ndarray):
            parts[place][field] = value
        else:
            parts[place] = value

    return change


def planted(features: int, feature: int, **changes: Any) -> Any:
    model = tree()
    maker, arguments, state = model.tree_.__reduce__()
    state["nodes"]["feature"][0] = feature
    return with_state(model, tree_=Call(maker, features, *arguments[1:], state=state | changes))


def compressed(kind: str = "csr_matrix", **changes: Any) -> Any:
    matrix = getattr(sparse, kind)(np.eye(3))
    return with_state(linear(), coef_=with_state(matrix, **changes))


def machine(**changes: Any) -> Any:
    return with_state(SVC().fit(TABLE, TARGET), **changes)


def boosting(**changes: Any) -> Any:
    """Three columns of trees that begin with two, or trees that were changed."""
    model = GradientBoostingClassifier(n_estimators=1).fit(TABLE, np.arange(60) % 3)
    if changes:
        with_state(model.estimators_[0, 0], **changes)
        return model
    return with_state(model, init_=DummyClassifier(strategy="prior").fit(TABLE, TARGET))


def searched_tree() -> Any:
    return KernelDensity().fit(TABLE).tree_


class Zero:
    """An array of many items of no bytes, however it is pickled."""

    def __init__(self, kind: str) -> None:
        self.kind = kind

    def __reduce__(self) -> Any:
        maker = np.zeros(1).__reduce__()[0]
        return maker, (np.ndarray, (0,), b"b"), (1, (10**6,), np.dtype(self.kind), False, b"")


FORGED: dict[str, Callable[[], Any]] = {
    "a tree of more features than its model": lambda: planted(2**20, 2**20 - 1),
    "a tree of more nodes than it has": lambda: planted(3, 0, node_count=10**6),
    "a forest of wider trees": lambda: with_state(
        RandomForestClassifier(2).fit(TABLE, TARGET), n_features_in_=1
    ),
    "a forest that does not say its features": lambda: with_state(
        RandomForestClassifier(2).fit(TABLE, TARGET), n_features_in_=None
    ),
    "boosting of wider trees": lambda: with_state(
        GradientBoostingClassifier(n_estimators=1).fit(TABLE, TARGET), n_features_in_=1
    ),
    "a histogram that goes in circles": lambda: histogram(left=0, right=0),
    "a histogram that leads outside": lambda: histogram(left=10**6),
    "a histogram of a feature too many": lambda: histogram(feature_idx=2**31 - 1),
    "a histogram of a feature before the first": lambda: histogram(feature_idx=-1),
    "a histogram of categories that are not there": lambda: histogram(
        is_categorical=1, bitset_idx=99
    ),
    "points of a k-d tree": lambda: searched("kd_tree", put(1, 2**50)),
    "points of a ball tree": lambda: searched("ball_tree", put(1, -1)),
    "ends of a node": lambda: searched("kd_tree", put(2, 10**6, "idx_end")),
    "leaves that are none": lambda: searched("kd_tree", put(2, 0, "is_leaf")),
    "a number of nodes": lambda: searched("ball_tree", put(6, 10**6)),
    "columns of a sparse matrix": lambda: compressed(indices=np.full(3, 2**30)),
    "negative columns": lambda: compressed("csc_array", indices=np.array([-1, 0, 1])),
    "rows of a sparse matrix": lambda: compressed(indptr=np.array([0, 9, 1, 3])),
    "too few pointers": lambda: compressed(indptr=np.array([0, 3])),
    "a larger shape": lambda: compressed(_shape=(10**6, 3)),
    "coordinates": lambda: compressed("coo_array", coords=(np.full(3, 9), np.arange(3))),
    "support vectors": lambda: machine(_n_support=np.array([2**30, 2**30], dtype=np.int32)),
    "coefficients of support vectors": lambda: machine(_dual_coef_=np.zeros((1, 1))),
    "intercepts": lambda: machine(_intercept_=np.zeros(0)),
    "narrower centres": lambda: with_state(
        KMeans(2, n_init=1).fit(TABLE), cluster_centers_=np.zeros((2, 4))
    ),
    "very many threads": lambda: with_state(KMeans(2, n_init=1).fit(TABLE), _n_threads=10**6),
    "votes for classes that are not there": lambda: neighbours(_y=np.full(60, 2**40)),
    "boosting of more columns than it began with": boosting,
    "boosting of trees that are none": lambda: boosting(tree_=searched_tree()),
    "words of a column beyond the last": lambda: with_state(
        CountVectorizer().fit(TEXTS), vocabulary_={"good": 0, "bad": 2**31 - 1}
    ),
    "keys of a column before the first": lambda: with_state(
        DictVectorizer().fit([{"a": 1}]), vocabulary_={"a": -1}
    ),
    "more categories than columns": lambda: with_state(
        OneHotEncoder().fit(TABLE), _n_features_outs=[1, 1, 1]
    ),
    "hashing to nowhere": lambda: with_state(HashingVectorizer(), n_features=0),
    "a million texts of no bytes": lambda: with_state(linear(), classes_=Zero("U0")),
    "a million records of no bytes": lambda: with_state(linear(), classes_=Zero("V0")),
}


@pytest.mark.parametrize("name", FORGED)
def test_a_structure_that_leads_outside_itself_is_refused(name: str) -> None:
    with pytest.raises(ArtifactUntrusted, match=r"leads outside itself|an array strangely"):
        load(dumped(FORGED[name]()))


def test_the_same_structures_load_as_they_are() -> None:
    rows = TABLE[:5]
    unchanged = [planted(3, 0), histogram(), machine(), searched("kd_tree", lambda _: None),
                 searched("ball_tree", lambda _: None)]  # fmt: skip
    for model in unchanged:
        assert len(load(dumped(model)).predict(rows)) == 5
    for kind in ("csr_matrix", "csc_array", "coo_array"):
        assert load(dumped(compressed(kind))).coef_.shape == (3, 3)


def test_a_tree_that_was_never_given_its_nodes_is_refused() -> None:
    maker, arguments, _ = tree().tree_.__reduce__()
    with pytest.raises(ArtifactUntrusted, match="leads outside itself"):
        load(dumped(with_state(tree(), tree_=Call(maker, *arguments))))
    with pytest.raises(ArtifactUntrusted, match="strange arguments"):
        load(calling(maker, 3, np.array([2]), 10**6))
