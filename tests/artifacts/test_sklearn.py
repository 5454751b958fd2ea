from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.cluster import KMeans
from sklearn.compose import ColumnTransformer
from sklearn.datasets import make_classification
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.model_selection import FixedThresholdClassifier
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils import all_estimators

from mlreg.artifacts.flavors import flavor, outcomes
from mlreg.artifacts.flavors import sklearn as module
from mlreg.artifacts.runner import Answer, Failure
from mlreg.entities.versions import Signature
from mlreg.errors import ArtifactUnloadable

TABLE = [[0.0, 1.0], [1.0, 0.0]] * 5
NAMES = ["no", "yes"] * 5
VECTOR = Signature(input="vector")
OPTIONS: dict[str, dict[str, Any]] = {
    "SGDClassifier": {"loss": "log_loss"},
    "QuadraticDiscriminantAnalysis": {"reg_param": 0.1},
    "GradientBoostingClassifier": {"n_estimators": 5},
    "HistGradientBoostingClassifier": {"max_iter": 2},
    "CategoricalNB": {"min_categories": 20},
    "MLPClassifier": {"max_iter": 20},
    "RandomForestClassifier": {"n_estimators": 5},
    "ExtraTreesClassifier": {"n_estimators": 5},
}


def loaded(estimator: Any, *, trusted: bool = False) -> module.Model:
    return module.load(pickle.dumps(estimator), trusted=trusted)


def ask(estimator: Any, *inputs: Any, signature: Signature | None = None) -> Any:
    model = loaded(estimator)
    return module.predict(model, signature or module.signature(model), inputs)


def test_the_label_is_the_most_probable_one(text_pipeline: Any) -> None:
    texts = ["great product", "hate it"]
    answers = ask(text_pipeline, *texts)
    assert [answer.output for answer in answers] == list(text_pipeline.predict(texts))
    wanted = text_pipeline.predict_proba(texts).max(axis=1)
    assert [answer.confidence for answer in answers] == pytest.approx(wanted)
    assert ask(text_pipeline, texts[0]) == [answers[0]]


@pytest.mark.parametrize(
    "estimator",
    [LinearRegression(), make_pipeline(StandardScaler(), Ridge()), KNeighborsRegressor(2)],
    ids=lambda found: type(found).__name__,
)
def test_a_regressor_with_several_outputs_is_refused_when_it_is_looked_at(estimator: Any) -> None:
    with pytest.raises(ArtifactUnloadable, match="gives several outputs for one input"):
        module.signature(loaded(estimator.fit(TABLE, TABLE)))
    assert module.signature(loaded(estimator.fit(TABLE, [1.0, 2.0] * 5))).output == "number"
    one = module.signature(loaded(estimator.fit(TABLE, [[1.0], [2.0]] * 5)))
    assert one.output == "number"


def test_a_regression_has_no_confidence(number_pipeline: Any) -> None:
    (answer,) = ask(number_pipeline, [1.0, 2.0])
    assert type(answer.output) is float
    assert answer.confidence is None


def test_a_column_of_numbers_is_as_good_as_a_list() -> None:
    model = LinearRegression().fit(TABLE, [[0.0], [1.0]] * 5)
    assert [answer.output for answer in ask(model, *TABLE[:2])] == pytest.approx([0.0, 1.0])


def test_labels_become_plain_values() -> None:
    for label, kind in ((1, int), (True, bool), (2.0, float), ("yes", str)):
        model = DecisionTreeClassifier().fit(TABLE, np.array([label, type(label)(0)] * 5))
        (answer,) = ask(model, TABLE[0])
        assert (answer.output, type(answer.output)) == (label, kind)


def test_a_threshold_decides_the_label_and_not_the_probability() -> None:
    model = FixedThresholdClassifier(LogisticRegression(), threshold=0.99, pos_label="yes")
    model.fit(TABLE, NAMES)
    (answer,) = ask(model, [1.0, 0.0])
    assert answer.output == model.predict([[1.0, 0.0]])[0] == "no"
    assert answer.confidence == pytest.approx(model.predict_proba([[1.0, 0.0]])[0][0])


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("classes", [2, 3])
def test_every_classifier_answers_what_its_predict_says(classes: int) -> None:
    rows, target = make_classification(
        120, 6, n_informative=4, n_classes=classes, flip_y=0.3, random_state=3
    )
    rows -= rows.min()
    asked = 0
    for name, cls in all_estimators(type_filter="classifier"):
        if name not in module._ARGMAX:
            continue
        options = OPTIONS.get(name, {})
        model = cls(**options).fit(rows[:80], target[:80])
        assert module.is_argmax(model) is (name != "SGDClassifier" or classes == 2)
        answers = ask(model, *rows[80:].tolist(), signature=VECTOR)
        assert [answer.output for answer in answers] == model.predict(rows[80:]).tolist()
        asked += 1
    assert asked == len(module._ARGMAX)


@pytest.mark.parametrize(
    "model",
    [SVC(), KMeans(2, n_init=1), KNeighborsClassifier(1), CalibratedClassifierCV(SVC(), cv=2)],
    ids=lambda model: type(model).__name__,
)
def test_models_without_and_with_probabilities_answer(model: Any) -> None:
    (answer,) = ask(model.fit(TABLE, NAMES), TABLE[0])
    assert isinstance(answer, Answer)
    assert (answer.confidence is None) is not hasattr(model, "predict_proba")


def test_records_are_taken_in_the_order_of_training(record_pipeline: Any) -> None:
    record = {"plan": "pro", "visits": 1.0, "age": 30.0}
    (answer,) = ask(record_pipeline, record)
    assert answer.output == record_pipeline.predict([record])[0]
    assert record == {"plan": "pro", "visits": 1.0, "age": 30.0}


def test_a_model_of_named_columns_takes_records_without_a_warning() -> None:
    pipeline = make_pipeline(StandardScaler(), LogisticRegression()).fit(TABLE, NAMES)
    pipeline.steps[0][1].feature_names_in_ = np.array(["a", "b"], dtype=object)
    assert ask(pipeline, {"b": 1.0, "a": 0.0})[0] == ask(pipeline, {"a": 0.0, "b": 1.0})[0]
    assert ask(pipeline, {"b": 1.0, "a": 0.0})[0].output == "no"


def test_columns_by_name_need_pandas(monkeypatch: pytest.MonkeyPatch) -> None:
    columns = ColumnTransformer([("all", StandardScaler(), [0, 1])])
    pipeline = make_pipeline(columns, LogisticRegression()).fit(TABLE, NAMES)
    pipeline.steps[0][1].feature_names_in_ = np.array(["a", "b"], dtype=object)
    monkeypatch.setitem(__import__("sys").modules, "pandas", None)
    with pytest.raises(ArtifactUnloadable, match="columns by name, for which pandas is needed"):
        loaded(pipeline)


def test_columns_by_name_are_fed_from_records() -> None:
    pandas = pytest.importorskip("pandas")
    columns = ColumnTransformer([("all", StandardScaler(), ["a", "b"])])
    frame = pandas.DataFrame(TABLE, columns=["a", "b"])
    pipeline = make_pipeline(columns, LogisticRegression()).fit(frame, NAMES)
    assert ask(pipeline, {"b": 1.0, "a": 0.0})[0].output == "no"


# --- what is refused ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("held", "reason"),
    [
        ({"predict": 1}, "holds an object of type dict, which has no predict"),
        (StandardScaler().fit(TABLE), "StandardScaler, which has no predict"),
        (LogisticRegression(), "LogisticRegression in the artifact is not fitted"),
        (make_pipeline(StandardScaler(), LogisticRegression()), "is not fitted"),
        (LogisticRegression, "holds the class LogisticRegression"),
        (
            DecisionTreeClassifier().fit(TABLE, [["a", "b"], ["b", "a"]] * 5),
            "gives several outputs for one input",
        ),
    ],
)
def test_what_is_no_fitted_model_is_refused(held: Any, reason: str) -> None:
    with pytest.raises(ArtifactUnloadable, match=reason):
        loaded(held)


def test_another_version_of_scikit_learn_is_a_note() -> None:
    data = pickle.dumps(LogisticRegression().fit(TABLE, NAMES), 4)
    version = __import__("sklearn").__version__.encode()
    assert version in data
    model = module.load(data.replace(version, b"0" + version[1:]), trusted=False)
    assert len(module.notes(model)) == 1
    assert "answers may differ" in module.notes(model)[0]


def test_an_unknown_flavor_is_refused() -> None:
    with pytest.raises(ArtifactUnloadable, match="no flavor 'onnx'"):
        flavor("onnx")


# --- what misbehaves ------------------------------------------------------------------------

SHAPES = [
    (None, "returned None"),
    ([None], "returned None, which is no label"),
    (np.zeros((2, 3)), r"shape \(2, 3\)"),
    (np.zeros(7), "7 outputs for 1 input"),
    (np.broadcast_to(0, (10**9,)), "1,000,000,000 outputs"),
    ([float("nan")], "returned NaN"),
    (np.array([-np.inf]), "an infinite number"),
    ([2**70], "beyond 64 bits"),
    ([object()], "object of type object, which is no label"),
    (["x" * 20_000], "a label of 20,000 characters"),
    (["\ud800"], "no valid Unicode text"),
    ("yes", "an object of type str and no list"),
    (7, "an object of type int and no list"),
    ([[1]], "an object of type list"),
    ([b"x"], "an object of type bytes"),
    ([1 + 2j], "an object of type complex"),
]


@pytest.mark.parametrize(("result", "reason"), SHAPES, ids=[reason for _, reason in SHAPES])
def test_what_is_no_list_of_labels_is_a_failure_of_shape(misbehaving, result, reason) -> None:
    model = module.Model(misbehaving.Returns(result), VECTOR, "array", "plain", (), ())
    failure: Any
    (failure,) = module.predict(model, VECTOR, [[1.0]])
    assert failure.kind == "shape"
    assert pytest.importorskip("re").search(reason, failure.message)


@pytest.mark.parametrize(
    "error", [ValueError("why"), SystemExit(0), KeyboardInterrupt(), RecursionError(), Warning()]
)
def test_whatever_a_model_raises_is_its_failure(misbehaving: Any, error: BaseException) -> None:
    model = module.Model(misbehaving.Raises(error), VECTOR, "array", "plain", (), ())
    failure: Any
    (failure,) = module.predict(model, VECTOR, [[1.0]])
    assert failure.kind == "error"
    assert failure.message.startswith(type(error).__name__)


def test_one_bad_input_does_not_fail_its_neighbours(misbehaving: Any) -> None:
    model = module.Model(misbehaving.RaisesOnNegative(), VECTOR, "array", "plain", (), ())
    answers = module.predict(model, VECTOR, [[1.0], [-1.0], [2.0]])
    failure = Failure("error", "ValueError: a negative number \\x1b[31m")
    assert answers == [Answer(0, None), failure, Answer(0, None)]


def test_a_model_that_changes_its_input_changes_a_copy(misbehaving: Any) -> None:
    rows: list[Any] = [[1.0], [2.0]]
    model = module.Model(misbehaving.Mutates(), VECTOR, "array", "plain", (), ())
    module.predict(model, VECTOR, rows)
    assert rows == [[1.0], [2.0]]


class Odd:
    """A classifier whose probabilities are what it was given."""

    classes_ = np.array(["a", "b"])

    def __init__(self, shares: Any) -> None:
        self.shares = shares

    def predict(self, rows: Any) -> Any:
        return ["a"] * len(rows)

    def predict_proba(self, rows: Any) -> Any:
        return self.shares


@pytest.mark.parametrize(
    "shares",
    [np.array([[np.nan, 1.0]]), np.array([[2.0, -1.0]]), np.array([[0.5, 0.3, 0.2]]), [[0.5, 0.5]],
     np.array([["a", "b"]]), None],
)  # fmt: skip
@pytest.mark.parametrize("method", ["probability", "both"])
def test_odd_probabilities_are_a_failure_of_shape(shares: Any, method: Any) -> None:
    model = module.Model(Odd(shares), VECTOR, "array", method, ("a", "b"), ())
    failure: Any
    (failure,) = module.predict(model, VECTOR, [[1.0]])
    assert failure.kind == "shape"
    assert "predict_proba returned" in failure.message


def test_odd_probabilities_of_one_row_fail_that_row_alone() -> None:
    shares = np.array([[0.9, 0.1], [np.nan, 1.0], [0.2, 0.8]])
    model = module.Model(Odd(shares), VECTOR, "array", "probability", ("a", "b"), ())
    first, second, third = module.predict(model, VECTOR, [[1.0]] * 3)
    assert (first, third) == (Answer("a", 0.9), Answer("b", 0.8))
    assert isinstance(second, Failure)


def test_nothing_asked_is_nothing_answered(text_pipeline: Any) -> None:
    assert ask(text_pipeline) == []


def test_an_error_that_cannot_be_printed_has_its_name() -> None:
    class Mute(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    assert outcomes.describe(Mute()) == "Mute"
    assert len(outcomes.describe(ValueError("x" * 1000))) == 300


def test_a_real_interrupt_is_not_taken_for_the_models(misbehaving: Any) -> None:
    import os
    import signal

    class Interrupted(misbehaving.Model):  # type: ignore[misc]
        def predict(self, rows: Any) -> Any:
            os.kill(os.getpid(), signal.SIGINT)
            return super().predict(rows)

    model = module.Model(Interrupted(), VECTOR, "array", "plain", (), ())
    with pytest.raises(KeyboardInterrupt):
        module.predict(model, VECTOR, [[1.0]])
