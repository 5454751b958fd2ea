"""What a model says, where it is printed, logged and turned into JSON."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from sklearn.cluster import KMeans
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.feature_extraction import DictVectorizer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from tests.torture.attacks.campaign import attack
from tests.torture.attacks.kit import (
    before_a_model,
    chain,
    classifier,
    dumped,
    inner,
    instance,
    named,
    stack,
    text,
    whole,
)  # fmt: skip

ESCAPE = "\x1b]0;owned\x07\x1b[2J"


def _label(value: Any) -> bytes:
    model = classifier()
    labels = np.empty(2, dtype=object)
    labels[:] = [value, value]
    model.classes_ = labels
    return dumped(model)


@attack("A label that clears the terminal and names its window.", "terminal")
def label_of_escapes(scratch: Path) -> bytes:
    return dumped(classifier(labels=("no", ESCAPE)))


@attack("An error whose text is the state's: it clears the terminal.", "terminal")
def error_of_escapes(scratch: Path) -> bytes:
    model = classifier()
    model.n_features_in_ = ESCAPE
    return dumped(model)


@attack("The name of a missing method clears the terminal.", "terminal")
def method_of_escapes(scratch: Path) -> bytes:
    return dumped(stack([classifier()], [f"{ESCAPE}predict"]))


@attack("A pipeline is fitted by name, and prints the names of its steps meanwhile.", "terminal")
def print_while_fitting(scratch: Path) -> bytes:
    steps = [(ESCAPE, StandardScaler()), (f"{ESCAPE}2", KMeans(1, n_init=1))]
    return dumped(stack([Pipeline(steps, verbose=True)], ["fit_predict"]))


@attack("A warning at load, with a version that clears the terminal.", "terminal")
def version_of_escapes(scratch: Path) -> bytes:
    state = classifier().__getstate__() | {"_sklearn_version": ESCAPE}
    entries = b"".join(text(key) + inner(value) for key, value in state.items())
    return whole(
        instance("sklearn.linear_model._logistic", "LogisticRegression", b"}(" + entries + b"u")
    )


@attack(
    "Columns whose names clear the terminal.",
    "terminal",
    ask='{"age": 1}',
    kind="record",
    fires=False,
)
def names_of_escapes(scratch: Path) -> bytes:
    vectorizer = DictVectorizer(sparse=False).fit([{f"age{ESCAPE}": 1.0}])
    vectorizer.dtype = f"float{ESCAPE}"
    return dumped(chain(vectorizer, classifier()))


@attack(
    "Verbose trees print to the standard output, where an answer is expected.",
    "terminal",
    fires=False,
)
def verbose_forest(scratch: Path) -> bytes:
    from sklearn.ensemble import RandomForestClassifier

    model = RandomForestClassifier(4).fit([[0.0], [1.0]], ["no", "yes"])
    model.verbose = 100
    return dumped(model)


def _odd(name: str, words: str, value: Any) -> None:
    @attack(f"A label that is {words}.", "refuse", name=f"label_{name}", fires=False)
    def make(scratch: Path) -> bytes:
        return _label(value)


def _itself() -> Any:
    step = FunctionTransformer()
    step.func = step
    return step


def _lists(depth: int) -> Any:
    return [_lists(depth - 1)] if depth else []


_ODD: tuple[tuple[str, str, Any], ...] = (
    (
        "half_a_character",
        "half a surrogate pair, which no terminal and no database takes",
        "a\ud800b",
    ),
    ("with_a_nul", "text with a NUL", "a\0b"),
    ("of_a_megabyte", "a megabyte of text", "x" * 5_000_000),
    ("beyond_sqlite", "a whole number beyond 64 bits", 2**70),
    ("of_5000_digits", "a whole number that Python refuses to print", 10**5000),
    ("not_a_number", "not a number", float("nan")),
    ("infinite", "infinite", float("inf")),
    ("complex", "complex", 1 + 2j),
    ("of_bytes", "bytes", b"\xff\xfe"),
    ("nothing", "None", None),
    ("a_list_of_itself", "an estimator that holds itself", _itself()),
    ("a_date", "a date without a time", np.datetime64("NaT")),
    ("nested", "lists in each other", _lists(150)),
)
for _name, _words, _value in _ODD:
    _odd(_name, _words, _value)


@attack("Numbers of features, classes and names that are no numbers.", "refuse", fires=False)
def signature_that_lies(scratch: Path) -> bytes:
    model = classifier()
    model.n_features_in_ = -(10**30)
    model.feature_names_in_ = np.array(["a\ud800", "\0", ESCAPE, 5], dtype=object)
    return dumped(model)


@attack("A vocabulary whose values are no columns.", "refuse", ask="a", kind="text", fires=False)
def vocabulary_that_lies(scratch: Path) -> bytes:
    from sklearn.feature_extraction.text import CountVectorizer

    vectorizer = CountVectorizer().fit(["ab cd"])
    vectorizer.vocabulary_ = {"ab": -5, "cd": 2**40, 7: None}
    return dumped(chain(vectorizer, classifier(2)))


@attack("A million names of columns.", "refuse", fires=False)
def names_without_number(scratch: Path) -> bytes:
    model = classifier()
    model.feature_names_in_ = np.array(["x" * 9] * 300_000, dtype=object)
    model.n_features_in_ = 300_000
    return dumped(model)


@attack("A probability that is a text, and more of them than labels.", "refuse", fires=False)
def probability_that_lies(scratch: Path) -> bytes:
    model = DummyClassifier(strategy="prior").fit([[0.0], [1.0]], ["no", "yes"])
    model.class_prior_ = np.array(["high", "low", ESCAPE])
    return dumped(model)


@attack("A regressor that answers with an object.", "refuse", fires=False)
def number_that_is_none(scratch: Path) -> bytes:
    model = DummyRegressor().fit([[0.0]], [1.0])
    model.constant_ = np.array([[10**400]], dtype=object)
    return dumped(model)


@attack(
    "A class is changed by slots in a state: its method, for all models of the process.", "poison"
)
def class_changed(scratch: Path) -> bytes:
    """BUILD with slots does `setattr` on what lies there; that may be a class."""
    change = b"(N}" + text("shape") + named("numpy", "mean") + b"stb0"
    classes = ("csr_matrix", "csr_array")
    return before_a_model(*(named("scipy.sparse._csr", name) + change for name in classes), b"N")
