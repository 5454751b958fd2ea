"""Artifacts whose states would have scikit-learn, or compiled code, do more than predict."""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
from scipy import sparse
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import (
    BaggingClassifier,
    GradientBoostingClassifier,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.feature_selection import RFE, SelectFromModel, SelectKBest
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import FixedThresholdClassifier, GridSearchCV
from sklearn.multioutput import ClassifierChain
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

from mlreg.artifacts import unpickling
from mlreg.errors import ArtifactUntrusted

pytestmark = pytest.mark.filterwarnings("ignore:Trying to unpickle")

TABLE = np.random.RandomState(0).uniform(size=(60, 3))
TARGET = (TABLE[:, 0] > 0.5).astype(int)
TEXTS, WORDS = ["good fun", "bad dull"] * 4, ["yes", "no"] * 4


def load(data: bytes) -> Any:
    return unpickling.load(data, trusted=False)


def dumped(model: Any) -> bytes:
    buffer = io.BytesIO()
    joblib.dump(model, buffer)
    return buffer.getvalue()


def with_state(model: Any, **attributes: Any) -> Any:
    """The model with other attributes, whatever its class would say to that."""
    vars(model).update(attributes)
    return model


def linear() -> LogisticRegression:
    return LogisticRegression().fit(TABLE, TARGET)


def tree() -> DecisionTreeClassifier:
    return DecisionTreeClassifier(max_depth=2).fit(TABLE, TARGET)


# --- the artifact that wrote files ----------------------------------------------------------


def writing_model(target: Path) -> Pipeline:
    """A pipeline whose stacking step calls `tofile` of an array on a path made from arrays."""
    text = make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(TEXTS, WORDS)
    path = np.frombuffer(bytes(target), dtype=np.uint8).reshape(1, -1).copy()
    content = np.array(b"written", dtype="S7")
    stack = with_state(
        StackingClassifier([("inner", text)]),
        estimators_=[text, content],
        stack_method_=["__ne__", "tofile"],
        final_estimator_=text.steps[1][1],
        classes_=text.classes_,
    )
    ignored = {"out": path, "where": np.array(False), "casting": "unsafe"}
    return Pipeline(
        [
            ("path", FunctionTransformer(np.square, kw_args=ignored)),
            ("bytes", FunctionTransformer(bytes)),
            ("write", stack),
        ]
    )


def test_a_stack_that_writes_what_it_holds_to_a_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArtifactUntrusted, match="which is not allowed"):
        load(dumped(writing_model(tmp_path / "written")))
    assert not (tmp_path / "written").exists()


# --- look-ups, estimators, functions and their arguments ------------------------------------


def stack(**attributes: Any) -> StackingClassifier:
    model = StackingClassifier([("a", linear())], final_estimator=linear(), cv=2)
    return with_state(model.fit(TABLE, TARGET), **attributes)


def function(**attributes: Any) -> Pipeline:
    model = make_pipeline(FunctionTransformer(np.log1p), LogisticRegression()).fit(TABLE, TARGET)
    with_state(model.steps[0][1], **attributes)
    return model


def neighbours(**attributes: Any) -> KNeighborsClassifier:
    return with_state(KNeighborsClassifier().fit(TABLE, TARGET), **attributes)


def selected(**attributes: Any) -> SelectFromModel:
    return with_state(SelectFromModel(linear()).fit(TABLE, TARGET), **attributes)


ARRAY = np.array(b"x", dtype="S1")
STATES: dict[str, Callable[[], Any]] = {
    "StackingClassifier.stack_method_": lambda: stack(stack_method_=["tofile"]),
    "StackingClassifier.stack_method": lambda: stack(stack_method="dump"),
    "StackingClassifier.estimators_": lambda: stack(estimators_=[ARRAY]),
    "StackingClassifier.final_estimator_": lambda: stack(final_estimator_=ARRAY),
    "StackingClassifier.named_estimators_": lambda: stack(named_estimators_={"a": ARRAY}),
    "ClassifierChain.chain_method_": lambda: with_state(
        ClassifierChain(linear()), chain_method_="tofile"
    ),
    "FixedThresholdClassifier.response_method": lambda: with_state(
        FixedThresholdClassifier(linear()).fit(TABLE, TARGET), response_method=["tofile"]
    ),
    "SelectFromModel.importance_getter": lambda: selected(importance_getter="__class__.mro"),
    "SelectFromModel.estimator_": lambda: selected(estimator_=TABLE),
    "RFE.importance_getter": lambda: RFE(linear(), importance_getter="coef_.T.tofile"),
    "FunctionTransformer.func": lambda: function(func=bytes),
    "FunctionTransformer.inverse_func": lambda: function(inverse_func=np.median),
    "FunctionTransformer.kw_args": lambda: function(kw_args={"out": TABLE}),
    "FunctionTransformer.inv_kw_args": lambda: function(inv_kw_args={"dtype": "O"}),
    "FunctionTransformer.feature_names_out": lambda: function(feature_names_out=np.square),
    "KNeighborsClassifier.metric_params": lambda: neighbours(metric_params={"out": TABLE}),
    "KNeighborsClassifier.effective_metric_params_": lambda: neighbours(
        effective_metric_params_={"p": linear()}
    ),
    "KNeighborsClassifier.metric": lambda: neighbours(metric=np.median),
    "KNeighborsClassifier.weights": lambda: neighbours(weights=np.exp),
    "KNeighborsClassifier._tree": lambda: neighbours(_tree=linear()),
    "SVC.kernel": lambda: with_state(SVC().fit(TABLE, TARGET), kernel=np.median),
    "SelectKBest.score_func": lambda: with_state(SelectKBest(), score_func=np.median),
    "CountVectorizer.tokenizer": lambda: with_state(CountVectorizer(), tokenizer=np.median),
    "CountVectorizer.preprocessor": lambda: with_state(CountVectorizer(), preprocessor=bytes),
    "CountVectorizer.analyzer": lambda: with_state(CountVectorizer(), analyzer=np.square),
    "CountVectorizer.encoding": lambda: with_state(CountVectorizer(), encoding="zlib_codec"),
    "CountVectorizer.decode_error": lambda: with_state(CountVectorizer(), decode_error="own"),
    "CountVectorizer.dtype": lambda: with_state(CountVectorizer(), dtype=np.object_),
    "OneHotEncoder.dtype": lambda: with_state(OneHotEncoder(), dtype="O"),
    "Pipeline.steps": lambda: Pipeline([("a", ARRAY)]),
    "Pipeline.memory": lambda: Pipeline([("a", linear())], memory=linear()),
    "FeatureUnion.transformer_list": lambda: FeatureUnion([("a", TABLE)]),
    "ColumnTransformer.transformers": lambda: ColumnTransformer([("a", TABLE, [0])]),
    "ColumnTransformer.remainder": lambda: ColumnTransformer([], remainder=TABLE),
    "ColumnTransformer.verbose_feature_names_out": lambda: ColumnTransformer(
        [], verbose_feature_names_out="{feature_name.__class__}"
    ),
    "VotingClassifier.estimators_": lambda: with_state(
        VotingClassifier([("a", linear())]), estimators_=[np.square]
    ),
    "GridSearchCV.best_estimator_": lambda: with_state(
        GridSearchCV(linear(), {}), best_estimator_=TABLE
    ),
    "LogisticRegression.coef_": lambda: with_state(linear(), coef_=np.square),
    "LogisticRegression.classes_": lambda: with_state(linear(), classes_=tree()),
    "LogisticRegression.unheard_of": lambda: with_state(linear(), unheard_of=[{"a": (np.exp,)}]),
    "LogisticRegression.random_state": lambda: with_state(linear(), random_state=np.median),
    "GradientBoostingClassifier.init_": lambda: with_state(
        GradientBoostingClassifier(n_estimators=1).fit(TABLE, TARGET), init_=TABLE
    ),
}


@pytest.mark.parametrize("place", STATES)
def test_what_an_attribute_may_not_hold_is_refused_by_its_name(place: str) -> None:
    with pytest.raises(ArtifactUntrusted, match=rf"has .* in sklearn\..*{place}, which is not"):
        load(dumped(STATES[place]()))


def test_the_same_models_load_as_they_are() -> None:
    honest = [stack(), function(), neighbours(), selected(), tree(), linear()]
    for model in (*honest, *(joblib.load(io.BytesIO(dumped(model))) for model in honest)):
        assert type(load(dumped(model))) is type(model)


def test_a_path_to_the_importances_of_a_step_is_honest() -> None:
    inner = make_pipeline(StandardScaler(), LogisticRegression()).fit(TABLE, TARGET)
    getter = "named_steps.logisticregression.coef_"
    model = SelectFromModel(inner, importance_getter=getter).fit(TABLE, TARGET)
    assert load(dumped(model)).importance_getter == getter


def test_what_a_class_makes_of_its_state_is_honest() -> None:
    for count in (1, 5):
        model = IsotonicRegression().fit(np.arange(count), np.arange(count))
        assert load(dumped(model)).predict([0.0]) == [0.0]


def test_words_that_stand_for_an_estimator_are_honest() -> None:
    begun = GradientBoostingClassifier(n_estimators=1, init="zero").fit(TABLE, TARGET)
    old = with_state(BaggingClassifier(linear(), n_estimators=2), base_estimator="deprecated")
    for model in (begun, old.fit(TABLE, TARGET)):
        assert len(load(dumped(model)).predict(TABLE)) == len(TABLE)


def test_a_class_keeps_what_it_has_decided() -> None:
    for model in (
        with_state(SVC(), _impl="nu_svr"),
        with_state(sparse.csr_array([[1]]), _format="x"),
    ):
        with pytest.raises(ArtifactUntrusted, match="replaces"):
            load(dumped(model))


# --- what is put together by hand -----------------------------------------------------------


def opcodes(of: Any) -> bytes:
    return pickle.dumps(of, 2)[2:-1]


def named(cls: Any) -> bytes:
    return pickle.GLOBAL + f"{cls.__module__}\n{cls.__name__}\n".encode()


def test_a_list_that_grows_after_it_was_looked_at_is_looked_at_again() -> None:
    methods = pickle.EMPTY_LIST + pickle.BINPUT + b"\x63"
    later = pickle.BINGET + b"\x63" + opcodes("tofile") + pickle.APPEND + pickle.POP
    state = b"}" + opcodes("stack_method_") + methods + b"s"
    made = named(StackingClassifier) + b")\x81" + state + b"b"
    with pytest.raises(ArtifactUntrusted, match=r"'tofile' in .*stack_method_"):
        load(b"\x80\x02" + made + later + b".")


def test_an_array_that_came_complete_may_be_used_often() -> None:
    shared = np.arange(3.0)
    assert load(pickle.dumps([shared, shared], 5))[1].tolist() == [0.0, 1.0, 2.0]


def test_an_array_is_not_used_before_it_is_filled() -> None:
    empty = np.zeros(0).__reduce__()[0]
    made = named(empty) + opcodes((np.ndarray, (0,), b"b")) + b"R" + pickle.BINPUT + b"\x63"
    lent = b"0" + opcodes([]) + pickle.BINGET + b"\x63" + b"a."
    with pytest.raises(ArtifactUntrusted, match="array that it has not filled"):
        load(b"\x80\x02" + made + lent)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"}" + b")" + b"\x85" * 100_000 + b"K\x01s", "keys that no model needs"),
        (b"\x8f(" + b")" + b"\x85" * 100_000 + b"\x90", "keys that no model needs"),
        (named(LogisticRegression) + b")\x81}" + opcodes("coef_") + b"]" * 99 + b"a" * 98 + b"sb",
         "coef_ too deeply"),
        (opcodes([]) + b"2a", "opcode that no model needs"),
    ],
)  # fmt: skip
def test_nests_that_are_made_to_exhaust_the_stack_are_refused(data: bytes, reason: str) -> None:
    with pytest.raises(ArtifactUntrusted, match=reason):
        load(b"\x80\x04" + data + b".")


def test_a_model_that_is_part_of_itself_is_refused() -> None:
    ring = Pipeline([("a", linear())])
    ring.steps[0] = ("a", ring)
    with pytest.raises(ArtifactUntrusted, match="objects that hold one another"):
        load(dumped(ring))


def test_a_very_long_chain_of_models_is_refused() -> None:
    begin = named(Pipeline) + b")\x81}" + opcodes("steps") + b"](" + opcodes("a")
    data = b"\x80\x04" + begin * 400 + named(LogisticRegression) + b")\x81" + b"tasb" * 400 + b"."
    with pytest.raises(ArtifactUntrusted, match=r"hold one another|too long a chain"):
        load(data)
