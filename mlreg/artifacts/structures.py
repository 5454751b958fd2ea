"""Structures that compiled code walks without looking: trees, neighbours, sparse matrices.

The code in C believes the indices that it finds in them. Each check here refuses a structure that
no fit makes and that would have that code read or write memory that is not its own, or go round
in it for ever.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NoReturn

import numpy as np

from mlreg.artifacts.refusals import name_of, refuse

_WORDS_OF_MERSENNE = 624
_WORDS_OF_PHILOX = 4
_MOST_THREADS = 1024
_SPARSE_NAMES = {
    "_shape", "maxprint", "data", "indices", "indptr", "coords", "row", "col",
    "has_canonical_format", "_has_canonical_format", "_has_sorted_indices",
}  # fmt: skip


# --- before compiled code is given a state --------------------------------------------------


def check_tree(target: Any, state: Any) -> None:
    """Children must be nodes further down, and features must exist: the walk has no checks."""
    nodes = state["nodes"]
    if len(nodes) < 1 or state["node_count"] != len(nodes):
        _forged(target)
    left, right, feature = nodes["left_child"], nodes["right_child"], nodes["feature"]
    _check_children(target, left, right, left != -1)
    _check_within(target, feature[left != -1], target.n_features)


def check_neighbours(target: Any, state: Any) -> None:
    """A search reads points by their numbers, and nodes by theirs, as the state gives them."""
    from sklearn.metrics import DistanceMetric

    data, order, nodes, bounds = state[:4]
    points, count = len(data), state[6]
    _check_within(target, order, points)
    _check_within(target, nodes["idx_start"], points + 1)
    _check_within(target, nodes["idx_end"], points + 1)
    inner = np.flatnonzero(nodes["is_leaf"] == 0)
    sound = (
        isinstance(state[11], DistanceMetric)
        and data.ndim == bounds.ndim - 1 == 2
        and order.shape == (points,)
        and points > 0
        and type(count) is int
        and nodes.shape == (count,)
        and bounds.shape[1:] == (count, data.shape[1])
        and (2 * inner + 2 < count).all()
        and (nodes["idx_start"] <= nodes["idx_end"]).all()
        and (state[12] is None or state[12].shape == (points,))
        and len(state[11].__getstate__()[1]) in (0, 1, data.shape[1])
        and (len(state[11].__getstate__()[1]) != 1 or not _is_weighted(state[11]))
    )
    if not sound:
        _forged(target)


def _is_weighted(metric: Any) -> bool:
    """Whether it reads a weight for each feature; the others carry one number that they ignore."""
    return type(metric).__name__.startswith("Minkowski")


def check_mersenne(target: Any, state: Any) -> None:
    """The generator reads its key at the position that the state gives."""
    inner = _generator_state(state)
    if len(inner["key"]) != _WORDS_OF_MERSENNE or not 0 <= inner["pos"] <= _WORDS_OF_MERSENNE:
        _forged(target)


def check_philox(target: Any, state: Any) -> None:
    """The generator reads its buffer at the position that the state gives."""
    whole = state[0] if type(state) is tuple else state
    if not 0 <= whole["buffer_pos"] <= _WORDS_OF_PHILOX or len(whole["buffer"]) != _WORDS_OF_PHILOX:
        _forged(target)


def check_random_state(target: Any, state: Any) -> None:
    """It hands the state on to its generator."""
    if state["bit_generator"] == "MT19937":
        check_mersenne(target, state)


def _generator_state(state: Any) -> Any:
    return (state[0] if type(state) is tuple else state)["state"]


# --- when everything is loaded --------------------------------------------------------------


def check_structure(target: Any) -> None:
    """Refuse a loaded object that would lead compiled code astray."""
    if check := _CHECKS.get(type(target).__name__):
        check(target, vars(target))
    if "tree_" in getattr(target, "__dict__", ()):
        _check_own_tree(target, vars(target))


def check_filled(target: Any) -> None:
    """Refuse one of those that allocate memory by their state, and were never given one."""
    if type(target).__name__ in _NEED_STATE:
        _forged(target)


def _check_predictor(target: Any, held: Mapping[str, Any]) -> None:
    nodes = held["nodes"]
    inner = nodes["is_leaf"] == 0
    _check_children(target, nodes["left"], nodes["right"], inner)
    if len(nodes) < 1 or (nodes["feature_idx"][inner] < 0).any():
        _forged(target)
    split = inner & (nodes["is_categorical"] != 0)
    for name in ("binned_left_cat_bitsets", "raw_left_cat_bitsets"):
        _check_within(target, nodes["bitset_idx"][split], len(held[name]))


def _check_histogram(target: Any, held: Mapping[str, Any]) -> None:
    """Each row is read at the features that the nodes name, and categories at theirs."""
    for predictor in (one for several in held.get("_predictors", ()) for one in several):
        nodes = predictor.nodes
        inner = nodes["is_leaf"] == 0
        most = int(nodes["feature_idx"][inner].max(initial=-1)) + 1
        _check_features(target, held, most)
        if (nodes["is_categorical"][inner] != 0).any():
            mapper = held["_bin_mapper"]
            if not len(mapper.is_categorical_) >= most:
                _forged(target)


def _check_sparse(target: Any, held: Mapping[str, Any]) -> None:
    """The products of scipy read columns by their indices, and rows by their pointers."""
    shape = held["_shape"]
    sound = (
        set(held) <= _SPARSE_NAMES
        and type(shape) is tuple
        and all(type(length) is int and length >= 0 for length in shape)
        and type(held["data"]) is np.ndarray
        and held["data"].dtype.kind in "biufc"
    )
    if not sound:
        _forged(target)
    if "indptr" in held:
        _check_compressed(target, held)
    else:
        coords = held["coords"] if "coords" in held else (held["row"], held["col"])
        if len(coords) != len(shape) or any(len(one) != len(held["data"]) for one in coords):
            _forged(target)
        for one, length in zip(coords, shape, strict=True):
            _check_within(target, one, length)


def _check_compressed(target: Any, held: Mapping[str, Any]) -> None:
    pointers, indices, shape = held["indptr"], held["indices"], held["_shape"]
    major, minor = shape[-1::-1] if type(target).__name__.startswith("csc") else (1, *shape)[-2:]
    sound = (
        pointers.shape == (major + 1,)
        and pointers.dtype.kind == indices.dtype.kind == "i"
        and pointers[0] == 0
        and (np.diff(pointers) >= 0).all()
        and indices.ndim == 1
        and pointers[-1] == len(indices) == len(held["data"])
    )
    if not sound:
        _forged(target)
    _check_within(target, indices, minor)


def _check_support(target: Any, held: Mapping[str, Any]) -> None:
    """libsvm takes the number of support vectors from one array and reads others by it."""
    if "_n_support" not in held:
        return
    counts, vectors = held["_n_support"], held["support_vectors_"]
    several = "classes_" in held
    classes = len(held["classes_"]) if several else 2
    total, pairs = int(vectors.shape[0]), classes * (classes - 1) // 2
    coefficients = held["_dual_coef_"]
    sound = (
        (counts >= 0).all()
        and len(counts) == classes
        and len(held["support_"]) == total
        and (not several or int(counts.sum()) == total)
        and coefficients.shape == (classes - 1, total)
        and len(held["_intercept_"]) == pairs
        and all(len(held[name]) in (0, pairs) for name in ("_probA", "_probB") if name in held)
        and (not hasattr(coefficients, "indptr") or len(coefficients.data) == total * (classes - 1))
    )
    if not sound:
        _forged(target)
    _check_within(target, held["support_"], held["shape_fit_"][0])
    if held.get("kernel") != "precomputed":
        _check_features(target, held, vectors.shape[1])


def _check_centres(target: Any, held: Mapping[str, Any]) -> None:
    if "cluster_centers_" in held:
        _check_features(target, held, held["cluster_centers_"].shape[1])
    if not 1 <= held.get("_n_threads", 1) <= _MOST_THREADS:
        _forged(target)


def _check_labels(target: Any, held: Mapping[str, Any]) -> None:
    """Votes are counted in an array that has one place for each class."""
    labels, classes = held.get("_y"), held.get("classes_")
    if isinstance(classes, np.ndarray) and isinstance(labels, np.ndarray):
        _check_within(target, labels, len(classes))


def _check_hasher(target: Any, held: Mapping[str, Any]) -> None:
    if type(held.get("n_features", 1)) is not int or not 1 <= held.get("n_features", 1) < 2**31:
        _forged(target)


def _check_spline(target: Any, held: Mapping[str, Any]) -> None:
    degree = held["k"]
    knots, coefficients = held.get("_t", held.get("t")), held.get("_c", held.get("c"))
    sound = type(degree) is int and 0 <= degree <= 100 and knots.ndim == 1
    if not sound or len(knots) - degree - 1 > coefficients.shape[0] or len(knots) < 2 * degree + 2:
        _forged(target)


def _check_own_tree(target: Any, held: Mapping[str, Any]) -> None:
    if hasattr(held["tree_"], "n_features"):
        _check_features(target, held, held["tree_"].n_features)


def _check_forest(target: Any, held: Mapping[str, Any]) -> None:
    """A forest asks its trees without having them look at what they are given."""
    for tree in _trees_of(held):
        _check_features(target, held, tree.n_features)


def _check_isolation(target: Any, held: Mapping[str, Any]) -> None:
    """The same, but each tree sees some of the features."""
    features = held.get("_estimators_features", held.get("estimators_features_", ()))
    for tree, chosen in zip(_trees_of(held), features, strict=True):
        if tree.n_features > len(chosen):
            _forged(target)


def _trees_of(held: Mapping[str, Any]) -> Iterator[Any]:
    several = held.get("estimators_", ())
    several = several.ravel().tolist() if isinstance(several, np.ndarray) else several
    for one in several:
        tree = vars(one)["tree_"]
        # Compiled code takes it for one without asking.
        if type(tree).__module__ != "sklearn.tree._tree":
            _forged(one)
        yield tree


def _check_boosting(target: Any, held: Mapping[str, Any]) -> None:
    """Each column of trees adds to a column of what the boosting began with."""
    _check_forest(target, held)
    columns = held["estimators_"].shape[1] if "estimators_" in held else 1
    if columns == 1:
        return
    first = vars(held["init_"]) if not isinstance(held["init_"], str) else {}
    sound = (
        held.get("n_trees_per_iteration_", columns) == columns
        and all(
            len(first[name]) == columns for name in ("class_prior_", "classes_") if name in first
        )
        and type(held.get("_loss", held.get("loss_"))).__name__ == "HalfMultinomialLoss"
    )
    if not sound:
        _forged(target)


def _check_vocabulary(target: Any, held: Mapping[str, Any]) -> None:
    """The columns go into a sparse matrix, of which nobody looks whether it has so many."""
    columns = list(held.get("vocabulary_", {}).values())
    if columns:
        _check_within(target, np.array(columns), len(columns))


def _check_encoder(target: Any, held: Mapping[str, Any]) -> None:
    """The same, by the number of categories of each feature."""
    if "_n_features_outs" not in held:
        return
    categories, dropped = held["categories_"], held.get("drop_idx_")
    mappings = held.get("_default_to_infrequent_mappings", [None] * len(categories))
    for index, (names, mapping) in enumerate(zip(categories, mappings, strict=True)):
        most = len(names) if mapping is None else int(mapping.max()) + 1
        least = most - (dropped is not None and dropped[index] is not None)
        if not least <= held["_n_features_outs"][index] <= most:
            _forged(target)


def _check_features(target: Any, held: Mapping[str, Any], most: int) -> None:
    """scikit-learn compares rows with this number, and compiled code compares nothing."""
    known = held.get("n_features_in_")
    if type(known) is not int or most > known:
        _forged(target)


def _check_children(target: Any, left: Any, right: Any, inner: Any) -> None:
    """Both lead to later nodes, so that each walk ends."""
    own = np.arange(len(left))[inner]
    for child in (left[inner], right[inner]):
        if (child >= len(left)).any() or (child <= own).any():
            _forged(target)


def _check_within(target: Any, numbers: Any, bound: int) -> None:
    whole = isinstance(numbers, np.ndarray) and numbers.dtype.kind in "iu"
    if not whole or (numbers < 0).any() or (numbers >= bound).any():
        _forged(target)


def _forged(target: Any) -> NoReturn:
    raise refuse(f"holds a {name_of(type(target))} that leads outside itself")


_NEED_STATE = {"Tree", "KDTree", "BallTree"}
_CHECKS: dict[str, Callable[[Any, Mapping[str, Any]], None]] = {
    **dict.fromkeys(
        ("csr_matrix", "csr_array", "csc_matrix", "csc_array", "coo_matrix", "coo_array"),
        _check_sparse,
    ),
    **dict.fromkeys(("SVC", "SVR", "NuSVC", "NuSVR", "OneClassSVM"), _check_support),
    **dict.fromkeys(("KMeans", "MiniBatchKMeans", "BisectingKMeans"), _check_centres),
    **dict.fromkeys(("KNeighborsClassifier", "RadiusNeighborsClassifier"), _check_labels),
    **dict.fromkeys(("FeatureHasher", "HashingVectorizer"), _check_hasher),
    **dict.fromkeys(
        ("HistGradientBoostingClassifier", "HistGradientBoostingRegressor"), _check_histogram
    ),
    **dict.fromkeys(
        (
            "RandomForestClassifier",
            "RandomForestRegressor",
            "ExtraTreesClassifier",
            "ExtraTreesRegressor",
            "RandomTreesEmbedding",
        ),
        _check_forest,
    ),
    "IsolationForest": _check_isolation,
    **dict.fromkeys(("BSpline", "_BSpline"), _check_spline),
    **dict.fromkeys(("CountVectorizer", "TfidfVectorizer", "DictVectorizer"), _check_vocabulary),
    **dict.fromkeys(("GradientBoostingClassifier", "GradientBoostingRegressor"), _check_boosting),
    "OneHotEncoder": _check_encoder,
    "TreePredictor": _check_predictor,
}
