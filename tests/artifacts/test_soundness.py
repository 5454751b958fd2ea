"""Which models are shown to be harmless to the process that they run in."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_extraction import DictVectorizer
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer, TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge, SGDClassifier
from sklearn.naive_bayes import BernoulliNB, ComplementNB, GaussianNB, MultinomialNB
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from sklearn.svm import LinearSVC

from mlreg.artifacts import unpickling
from mlreg.artifacts.soundness import NotProved
from mlreg.errors import ArtifactUntrusted
from tests.artifacts.test_states import dumped, with_state, writing_model

TABLE = np.random.RandomState(0).uniform(size=(60, 3))
TARGET = np.arange(60) % 3
TEXTS, WORDS = ["good great fun", "bad awful sad", "so so"] * 4, ["yes", "no", "well"] * 4
RECORDS = [{"city": "Oslo", "age": 3.0}, {"city": "Bonn", "age": 5.0}, {"age": 1.0}] * 4

TEXT_MODELS = [
    make_pipeline(vectorizer, classifier)
    for vectorizer in (
        TfidfVectorizer(),
        TfidfVectorizer(max_features=4, ngram_range=(1, 2), stop_words="english", dtype=np.float32),
        CountVectorizer(analyzer="char_wb", ngram_range=(2, 3)),
        HashingVectorizer(n_features=64, alternate_sign=False),
        make_union(TfidfVectorizer(), CountVectorizer()),
    )
    for classifier in (LogisticRegression(), MultinomialNB())
]
TABLE_MODELS = [
    make_pipeline(StandardScaler(), LogisticRegression()),
    make_pipeline(MinMaxScaler(), SGDClassifier(loss="log_loss")),
    make_pipeline(SimpleImputer(), LinearSVC()),
    SGDClassifier(),
    LinearRegression(),
    Ridge(),
    ComplementNB(),
    BernoulliNB(),
    GaussianNB(),
]


@pytest.mark.parametrize("model", [*TEXT_MODELS, *TABLE_MODELS], ids=str)
def test_the_usual_models_are_proved_and_answer_the_same(model: Any) -> None:
    is_text = model in TEXT_MODELS
    data, target = (TEXTS, WORDS) if is_text else (TABLE, TARGET)
    model.fit(data, target)
    for form in (dumped(model), pickle.dumps(model, 2), pickle.dumps(model, 5)):
        assert list(unpickling.load_proved(form).predict(data)) == list(model.predict(data))


def test_a_model_of_records_is_proved() -> None:
    model = make_pipeline(DictVectorizer(), LogisticRegression()).fit(RECORDS, WORDS)
    assert list(unpickling.load_proved(dumped(model)).predict(RECORDS)) == list(
        model.predict(RECORDS)
    )


def text(**attributes: Any) -> Any:
    model = make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(TEXTS, WORDS)
    with_state(model.steps[0][1], **attributes)
    return model


def linear(**attributes: Any) -> Any:
    return with_state(LogisticRegression().fit(TABLE, TARGET), **attributes)


UNPROVED: dict[tuple[str, str], Callable[[], Any]] = {
    ("a column beyond the last", r"vocabulary_|TfidfVectorizer that leads"): lambda: text(
        vocabulary_={"good": 0, "bad": 2**31 - 1}
    ),
    ("a column before the first", r"vocabulary_|TfidfVectorizer that leads"): lambda: text(
        vocabulary_={"good": 0, "bad": -1}
    ),
    ("two words of one column", r"vocabulary_|TfidfVectorizer that leads"): lambda: text(
        vocabulary_={"good": 0, "bad": 0}
    ),
    ("a column that is no number", r"vocabulary_|TfidfVectorizer that leads"): lambda: text(
        vocabulary_={"good": 0, "bad": 1.0}
    ),
    ("a column of too many digits", r"vocabulary_|TfidfVectorizer that leads"): lambda: text(
        vocabulary_={"good": 0, "bad": 2**70}
    ),
    ("a word that is no text", r"vocabulary_|TfidfVectorizer that leads"): lambda: text(
        vocabulary_={1: 0}
    ),
    ("no vocabulary", r"vocabulary_|TfidfVectorizer that leads"): lambda: text(vocabulary_={}),
    ("another vocabulary than the weights", r"TfidfVectorizer$"): lambda: text(
        vocabulary_={"good": 0, "bad": 1}
    ),
    ("a pattern that takes for ever", r"token_pattern"): lambda: text(token_pattern=r"(a|a)+$"),
    ("very long runs", r"ngram_range"): lambda: text(ngram_range=(1, 10**6)),
    ("an unknown analyzer", r"analyzer"): lambda: text(analyzer="lines"),
    ("whole numbers as weights", r"int8"): lambda: text(dtype=np.int8),
    ("an unknown attribute", r"more"): lambda: text(more=1),
    ("an output of its own", r"_sklearn_output_config"): lambda: text(
        _sklearn_output_config={"transform": "pandas"}
    ),
    ("fewer coefficients than features", r"LogisticRegression$"): lambda: linear(
        coef_=np.zeros((3, 1))
    ),
    ("more rows than classes", r"LogisticRegression$"): lambda: linear(coef_=np.zeros((9, 3))),
    ("coefficients of objects", r"coef_"): lambda: linear(coef_=np.zeros((3, 3), dtype=object)),
    ("sparse coefficients", r"csr_matrix"): lambda: linear().sparsify(),
    ("classes of objects", r"classes_"): lambda: linear(
        classes_=np.array([1, None, "a"], dtype=object)
    ),
    ("no features", r"n_features_in_"): lambda: linear(n_features_in_=0),
    ("hashing to nowhere", r"HashingVectorizer"): lambda: make_pipeline(
        with_state(HashingVectorizer(), n_features=2**40), linear()
    ),
    ("a forest", r"RandomForestClassifier"): lambda: RandomForestClassifier(2).fit(TABLE, TARGET),
    ("an imputer of objects", r"statistics_"): lambda: make_pipeline(
        with_state(SimpleImputer().fit(TABLE), statistics_=np.array(["a"] * 3, dtype=object)),
        linear(),
    ),
    ("nothing that predicts", r"builtins:dict"): lambda: {"a": 1},
}


@pytest.mark.parametrize("case", UNPROVED, ids=lambda case: case[0])
def test_what_is_not_shown_to_be_sound_is_not_proved(case: tuple[str, str]) -> None:
    with pytest.raises((NotProved, ArtifactUntrusted), match=case[1]):
        unpickling.load_proved(dumped(UNPROVED[case]()))


def test_a_small_file_that_stands_for_a_huge_model_is_not_proved() -> None:
    model: Any = StandardScaler().fit(TABLE)
    for _ in range(8):
        model = make_union(*[model] * 8)
        for pair in model.transformer_list:
            assert pair[1] is model.transformer_list[0][1]
    with pytest.raises(NotProved, match="too many parts"):
        unpickling.load_proved(dumped(make_pipeline(model, linear())))


def test_work_that_is_thrown_away_ends_the_proof() -> None:
    with pytest.raises(NotProved, match="discards"):
        unpickling.load_proved(b"\x80\x04" + b"N0" * 100 + pickle.dumps(linear(), 4)[2:])


def test_names_outside_the_few_end_the_proof_before_anything_is_made(tmp_path: Any) -> None:
    with pytest.raises(NotProved, match="FunctionTransformer"):
        unpickling.load_proved(dumped(writing_model(tmp_path / "written")))
