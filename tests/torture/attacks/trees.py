"""Trees and boosted trees whose nodes compiled code believes."""

from __future__ import annotations

from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.ensemble import (
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    IsolationForest,
    RandomForestClassifier,
)  # fmt: skip
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from tests.torture.attacks.campaign import attack
from tests.torture.attacks.kit import (
    arrays,
    dumped,
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


@attack(
    "Boosted trees of 400,000 classes: each adds to a sum that has one place.", "crash", ask=THREE
)
def boosting_of_many_classes(scratch: Path) -> bytes:
    model = GradientBoostingClassifier(n_estimators=1).fit(*arrays(200, 3))
    many = np.empty((1, 400_000), dtype=object)
    many[:] = model.estimators_[0, 0]
    model.estimators_ = many
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
