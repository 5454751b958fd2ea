from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.cluster import KMeans
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, VotingClassifier
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer, TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler
from sklearn.svm import LinearSVC

from mlreg.artifacts.flavors.signatures import infer

TEXTS = ["good great fun", "bad awful sad"] * 5
NAMES = ["pos", "neg"] * 5
TABLE = [[0.0, 1.0], [1.0, 0.0]] * 5
MIXED = np.array([["x", 1.0], ["y", 2.0]] * 5, dtype=object)

TEXT_MODELS = [
    make_pipeline(TfidfVectorizer(), LogisticRegression()),
    make_pipeline(HashingVectorizer(n_features=16), LogisticRegression()),
    make_pipeline(FunctionTransformer(), CountVectorizer(), LogisticRegression()),
    make_pipeline(make_union(TfidfVectorizer(), CountVectorizer()), LogisticRegression()),
    GridSearchCV(make_pipeline(TfidfVectorizer(), LogisticRegression()), {}, cv=2),
    CalibratedClassifierCV(make_pipeline(TfidfVectorizer(), LinearSVC()), cv=2),
    VotingClassifier([("a", make_pipeline(TfidfVectorizer(), LogisticRegression()))]),
]


@pytest.mark.parametrize("model", TEXT_MODELS, ids=lambda model: type(model).__name__)
def test_what_begins_with_a_text_vectoriser_takes_text(model: Any) -> None:
    signature = infer(model.fit(TEXTS, NAMES))
    assert (signature.input, signature.output) == ("text", "class")
    assert signature.classes == ("neg", "pos")
    assert not signature.nullable


def test_an_estimator_is_named_by_its_steps() -> None:
    pipeline = make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(TEXTS, NAMES)
    assert infer(pipeline).estimator == "TfidfVectorizer → LogisticRegression"
    search = GridSearchCV(pipeline, {}, cv=2).fit(TEXTS, NAMES)
    assert infer(search).estimator == "GridSearchCV(TfidfVectorizer → LogisticRegression)"


def test_an_array_model_takes_a_vector_of_known_length() -> None:
    signature = infer(LogisticRegression().fit(TABLE, [0, 1] * 5))
    assert (signature.input, signature.length, signature.classes) == ("vector", 2, (0, 1))


def test_a_regression_gives_a_number() -> None:
    signature = infer(make_pipeline(StandardScaler(), Ridge()).fit(TABLE, [0.0, 1.0] * 5))
    assert (signature.output, signature.classes) == ("number", ())


def test_a_clustering_gives_classes_that_are_not_known() -> None:
    signature = infer(KMeans(2, n_init=1).fit(TABLE))
    assert (signature.output, signature.classes) == ("class", ())


def test_a_dict_vectoriser_names_its_fields_and_their_types(record_pipeline: Any) -> None:
    signature = infer(record_pipeline)
    assert signature.input == "record"
    assert dict(zip(signature.fields, signature.types, strict=True)) == {
        "age": "number",
        "plan": "text",
        "visits": "number",
    }
    assert signature.classes == (0, 1)


def with_names(model: Any, names: list[str]) -> Any:
    """As it would be had it been fitted on a table with these columns."""
    for part in (model, *(step for _, step in getattr(model, "steps", []))):
        part.__dict__["feature_names_in_"] = np.array(names, dtype=object)
    return model


def test_column_names_make_a_record() -> None:
    model = with_names(LogisticRegression().fit(TABLE, NAMES), ["age", "income"])
    signature = infer(model)
    assert (signature.input, signature.fields) == ("record", ("age", "income"))
    assert signature.types == ("number", "number")


def test_each_column_has_the_type_of_its_transformer() -> None:
    columns = ColumnTransformer(
        [
            ("kind", make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder()), [0]),
            ("size", StandardScaler(), [1]),
        ]
    )
    model = make_pipeline(columns, LogisticRegression()).fit(MIXED, NAMES)
    model.steps[0][1].feature_names_in_ = np.array(["kind", "size"], dtype=object)
    signature = infer(model)
    assert (signature.fields, signature.types) == (("kind", "size"), ("text", "number"))
    assert signature.nullable


@pytest.mark.parametrize(
    ("model", "nullable"),
    [
        (LogisticRegression(), False),
        (HistGradientBoostingClassifier(max_iter=2), True),
        (make_pipeline(SimpleImputer(), LogisticRegression()), True),
        (make_pipeline(StandardScaler(), LogisticRegression()), False),
        (make_pipeline(StandardScaler(), HistGradientBoostingClassifier(max_iter=2)), True),
    ],
)
def test_null_is_an_input_where_something_takes_it(model: Any, nullable: bool) -> None:
    assert infer(model.fit(TABLE, NAMES)).nullable is nullable


def test_foreign_objects_have_a_signature_too(misbehaving: Any) -> None:
    signature = infer(misbehaving.Poisonous())
    assert (signature.input, signature.length, signature.classes) == ("vector", 1, (0, 1))
    assert signature.estimator == "Poisonous"


def test_a_pipeline_that_contains_itself_has_an_end() -> None:
    pipeline = make_pipeline(StandardScaler(), LogisticRegression()).fit(TABLE, NAMES)
    pipeline.steps[0] = ("again", pipeline)
    assert infer(pipeline).input == "vector"
