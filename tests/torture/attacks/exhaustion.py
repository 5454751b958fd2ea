"""Time and memory: what an honest-looking state makes a model do for ever."""

from __future__ import annotations

import gzip
import pickle
import struct
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.decomposition import NMF, LatentDirichletAllocation
from sklearn.experimental import enable_iterative_imputer  # noqa: F401
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.gaussian_process.kernels import RBF, Sum
from sklearn.impute import IterativeImputer
from sklearn.kernel_approximation import PolynomialCountSketch
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, PolynomialFeatures, StandardScaler

from tests.torture.attacks.campaign import attack, probe
from tests.torture.attacks.kit import (
    again,
    array,
    before_a_model,
    called,
    chain,
    classifier,
    dumped,
    inner,
    instance,
    items,
    kept,
    mapping,
    named,
    number,
    text,
    whole,
)  # fmt: skip

TRAP = "a" * 40 + "!"


def _text_model(**how: Any) -> Any:
    vectorizer = CountVectorizer(vocabulary=["a", "b"])
    for name, value in how.items():
        setattr(vectorizer, name, value)
    return chain(vectorizer, classifier(2))


@attack("A token pattern that backtracks.", "hang", ask=TRAP, kind="text")
def pattern_that_backtracks(scratch: Path) -> bytes:
    return dumped(_text_model(token_pattern=r"(?u)\b(?:a+)+\b(?=c)|(?:a|a)+$"))


@attack(
    "Counted repeats within counted repeats, which only compiling unfolds.",
    "hang",
    ask="a",
    kind="text",
)
def pattern_that_unfolds(scratch: Path) -> bytes:
    return dumped(
        _text_model(
            token_pattern="(?:" * 60 + "a" + "){0,9}" * 60 + "(?:[a-z]?" * 30 + "){1,4}" * 30 + "b"
        )
    )


@attack(
    "All n-grams of all lengths of the user's text.", "memory", ask="a b " * 12_000, kind="text"
)
def grams_of_all_lengths(scratch: Path) -> bytes:
    return dumped(_text_model(ngram_range=(1, 10**9), analyzer="char"))


def _endless() -> bytes:
    """No byte in the file and none in memory: the dtype has no size, the shape has no end."""
    none = called(named("numpy", "dtype"), text("S0"), b"\x89", b"\x88")
    return array(none, (2_000_000_000,), b"C\x00")


@attack("Factors that are looked for without an end.", "hang", ask="[0.5, 0.25]")
def factors_without_end(scratch: Path) -> bytes:
    model = NMF(2, init="random").fit(np.random.RandomState(0).rand(20, 2))
    model.max_iter, model.tol = 10**12, -1.0
    return dumped(chain(model, classifier(2)))


@attack("Topics that are looked for without an end, in compiled code.", "hang", ask="[1.0, 2.0]")
def topics_without_end(scratch: Path) -> bytes:
    model = LatentDirichletAllocation(2).fit([[1.0, 2.0], [3.0, 1.0]])
    model.max_doc_update_iter, model.mean_change_tol = 2**31 - 1, -1.0
    return dumped(chain(model, classifier(2)))


@attack("One imputation, held a hundred million times by one small array of references.", "hang",
        ask="[0.5, null]")  # fmt: skip
def imputations_without_end(scratch: Path) -> bytes:
    model = IterativeImputer(max_iter=1).fit([[0.0, 1.0], [1.0, np.nan], [2.0, 2.0]])
    one = model.imputation_sequence_[-1]
    model.imputation_sequence_ = [one] * 60_000
    return dumped(chain(model, classifier(2)))


@attack("Polynomials of a degree that no machine has room for.", "memory", ask=str([0.5] * 40))
def polynomials(scratch: Path) -> bytes:
    model = PolynomialFeatures(2).fit(np.zeros((2, 40)))
    model._max_degree = model.degree = 9
    model._n_out_full = model.n_output_features_ = 1_700_000_000
    return dumped(chain(model, classifier()))


@attack("One-hot of a million empty categories, dense.", "memory")
def categories_without_size(scratch: Path) -> bytes:
    model = OneHotEncoder(sparse_output=False, handle_unknown="ignore").fit([[0.0], [1.0]])
    state = model.__getstate__()
    del state["categories_"]
    entries = b"".join(text(key) + inner(value) for key, value in state.items())
    forged = instance(
        "sklearn.preprocessing._encoders", "OneHotEncoder",
        b"}(" + entries + text("categories_") + b"]" + _endless() + b"au",
    )  # fmt: skip
    steps = items(text("a"), forged) + items(text("b"), inner(classifier()))
    return whole(
        instance(
            "sklearn.pipeline", "Pipeline",
            mapping(steps=b"](" + steps + b"e", memory=b"N", verbose=b"\x89", transform_input=b"N"),
        )
    )  # fmt: skip


@attack("A regression whose coefficients turn one number into a billion.", "memory")
def outer_product(scratch: Path) -> bytes:
    line = LinearRegression().fit([[0.0], [1.0]], [[0.0] * 2, [1.0] * 2])
    line.coef_ = np.ones((40_000, 1))
    line.intercept_ = np.ones((40_000, 1))
    return dumped(line)


@attack("A sketch of polynomials with ten billion components.", "memory")
def sketch_of_polynomials(scratch: Path) -> bytes:
    model = PolynomialCountSketch(n_components=2).fit([[0.0], [1.0]])
    model.n_components = 10**10
    return dumped(chain(model, classifier(2)))


@attack("A version of scikit-learn whose text is a billion laughs, in a warning at load.", "memory")
def version_of_laughs(scratch: Path) -> bytes:
    return _laughing("_sklearn_version")


@attack("A number of features whose text is a billion laughs, in an error.", "memory")
def features_of_laughs(scratch: Path) -> bytes:
    return _laughing("n_features_in_")


def _laughing(attribute: str) -> bytes:
    laughs = b"](" + text("ha") + b"e" + kept(5000)
    for level in range(10):
        laughs += b"0](" + again(5000 + level) * 10 + b"e" + kept(5001 + level)
    state = classifier().__getstate__()
    del state[attribute]
    entries = b"".join(text(key) + inner(value) for key, value in state.items())
    body = b"}(" + entries + text(attribute) + laughs + b"u"
    return whole(instance("sklearn.linear_model._logistic", "LogisticRegression", body))


@attack("A gzip of two gigabytes of nothing, in the format that joblib reads.", "memory")
def bomb_of_zeros(scratch: Path) -> bytes:
    model = pickle.dumps(classifier(), 3)[2:]
    head = b"\x80\x04\x8e" + struct.pack("<Q", 2000 << 20)
    members = [
        gzip.compress(head),
        gzip.compress(bytes(50 << 20), 1) * 40,
        gzip.compress(b"0" + model),
    ]
    return b"".join(members)


@attack("Keys that all have one hash.", "hang")
def keys_of_one_hash(scratch: Path) -> bytes:
    step = 2**61 - 1
    keys = b"".join(number(place * step) + b"N" for place in range(1, 40_000))
    return before_a_model(b"}(" + keys + b"u")


@probe("A pipeline that is its own last step.", "crash")
def pipeline_of_itself(scratch: Path) -> bytes:
    model = Pipeline([("a", StandardScaler()), ("b", None)])
    model.steps = [("a", StandardScaler().fit([[0.0], [1.0]])), ("b", model)]
    return dumped(model)


@probe("A kernel that is the sum of itself and itself.", "hang")
def kernel_of_itself(scratch: Path) -> bytes:
    from sklearn.gaussian_process import GaussianProcessRegressor

    kernel = Sum(RBF(), RBF())
    kernel.k1 = kernel.k2 = kernel
    model = GaussianProcessRegressor(RBF()).fit([[0.0], [1.0]], [0.0, 1.0])
    model.kernel_ = kernel
    return dumped(model)


@probe("Lists within lists, half a million deep.", "crash")
def lists_within_lists(scratch: Path) -> bytes:
    return before_a_model(b"]" * 300_000 + b"a" * 299_999)
