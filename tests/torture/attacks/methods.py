"""What scikit-learn calls by a name that the state holds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from scipy._lib.array_api_compat.numpy import asarray
from sklearn.calibration import CalibratedClassifierCV, _CalibratedClassifier
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.ensemble import VotingClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.preprocessing import FunctionTransformer, MinMaxScaler, StandardScaler
from sklearn.semi_supervised import SelfTrainingClassifier

from tests.torture.attacks.campaign import attack, probe
from tests.torture.attacks.kit import (
    always,
    chain,
    classifier,
    content,
    dumped,
    filled,
    floats_that_spell,
    poured,
    spelled,
    stack,
    stack_of_numbers,
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


# --- methods of what is no estimator ---------------------------------------------------------------


@attack("`str.format` by name walks from the input to the environment; the error tells it.", "read")
def format_tells_the_environment(scratch: Path) -> bytes:
    """The input becomes an estimator; its methods' globals lead to `os`."""
    boxed = np.empty((1, 1), dtype=object)
    boxed[0, 0] = classifier()
    found = "0[0][0].__init__.__globals__[warnings].sys.modules[os].environ[CANARY]"
    as_object = FunctionTransformer(asarray, kw_args={"dtype": np.object_})
    return dumped(
        chain(as_object, poured(boxed), stack(["{0[0][0].C:{" + found + "}}"], ["format"]))
    )


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
