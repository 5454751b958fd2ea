"""Models that are shown to be harmless to the process that they are used in.

A model that nobody trusts may run in the caller's process only if it is made of the few classes
below, and if of each of them all that compiled or unchecked code relies on has been looked at: no
index outside its array, no pattern that takes for ever, no value of another kind than `fit`
leaves. What is not shown is not refused; it runs in a process of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from mlreg.artifacts.sound_values import (
    MOST_PARTS,
    Check,
    is_among,
    is_between,
    is_encoding,
    is_flag,
    is_floats,
    is_labels,
    is_named,
    is_ngrams,
    is_none,
    is_number,
    is_number_dtype,
    is_pattern,
    is_plain,
    is_row,
    is_table,
    is_type,
    is_vocabulary,
    is_weights,
    is_word,
    is_words,
    maybe,
)

_MAX_DEPTH = 10
_MOST = 2**31 - 1


class NotProved(Exception):
    """It may be sound, but that is not shown; the message says at what it ended."""


def prove(model: Any) -> None:
    """Raise unless the model and all its parts are sound.

    Raises:
        NotProved: They may be, but it is not shown.
    """
    waiting, seen = [(model, 0)], 0
    while waiting:
        part, depth = waiting.pop()
        seen += 1
        # One that is used many times costs as many times, however small the file is.
        if seen > MOST_PARTS or depth > _MAX_DEPTH:
            raise NotProved("it has too many parts")
        _prove_one(part)
        waiting += [(inner, depth + 1) for inner in _parts(part)]


def _prove_one(part: Any) -> None:
    name = f"{type(part).__module__}:{type(part).__name__}"
    checks = CLASSES.get(name)
    if checks is None:
        raise NotProved(name)
    held = vars(part)
    parameters = type(part)._get_param_names()
    for attribute, value in held.items():
        check = checks.get(attribute) or COMMON.get(attribute)
        if check is None and attribute in parameters:
            check = is_plain
        if check is None or not check(value):
            raise NotProved(f"{name}.{attribute}")
    if agrees := AGREEMENTS.get(type(part).__name__):
        try:
            agreed = agrees(held)
        except (KeyError, TypeError, AttributeError, IndexError):
            agreed = False
        if not agreed:
            raise NotProved(name)


def _parts(part: Any) -> list[Any]:
    held = vars(part)
    several = [*held.get("steps", ()), *held.get("transformer_list", ())]
    return [pair[1] for pair in several] + [held[name] for name in ("_tfidf",) if name in held]


# --- classes --------------------------------------------------------------------------------


def _is_loss(value: Any) -> bool:
    """Only ever used by `fit`; made by the reader with numbers alone."""
    return f"{type(value).__module__}:{type(value).__name__}" in _LOSSES


COMMON: dict[str, Check] = {
    "_sklearn_version": is_word,
    "n_features_in_": is_between(1, _MOST),
    "feature_names_in_": is_words,
    "n_iter_": is_plain,
    "random_state": maybe(is_number),
    "copy": is_flag,
    "memory": is_none,
    "n_jobs": maybe(is_number),
}
_ANALYSIS: dict[str, Check] = {
    "input": is_among("content"),
    "encoding": is_encoding,
    "decode_error": is_among("strict", "ignore", "replace"),
    "strip_accents": is_among(None, "ascii", "unicode"),
    "lowercase": is_flag,
    "preprocessor": is_none,
    "tokenizer": is_none,
    "analyzer": is_among("word", "char", "char_wb"),
    "stop_words": lambda value: is_among(None, "english")(value) or is_words(value),
    "token_pattern": is_pattern,
    "ngram_range": is_ngrams,
    "binary": is_flag,
    "dtype": is_type("float64", "float32"),
    "_stop_words_id": is_number,
}
_COUNTS: dict[str, Check] = _ANALYSIS | {
    "vocabulary": maybe(is_vocabulary),
    "vocabulary_": is_vocabulary,
    "fixed_vocabulary_": is_flag,
    "stop_words_": is_words,
}
_WEIGHTS: dict[str, Check] = {
    "norm": is_among(None, "l1", "l2"),
    "use_idf": is_flag,
    "smooth_idf": is_flag,
    "sublinear_tf": is_flag,
}
_LINEAR: dict[str, Check] = {
    "classes_": is_labels,
    "coef_": is_table,
    "intercept_": lambda value: is_row(value) or is_number(value),
}
_REGRESSION: dict[str, Check] = {
    "coef_": lambda value: is_floats(value, 1, 2),
    "intercept_": lambda value: is_floats(value, 0, 1) or is_number(value),
}
_BAYES: dict[str, Check] = {
    "classes_": is_labels,
    "class_count_": is_row,
    "class_log_prior_": is_row,
    "feature_count_": is_table,
    "feature_log_prob_": is_table,
}
_LOSSES = {
    "sklearn._loss._loss:CyHalfBinomialLoss",
    "sklearn.linear_model._sgd_fast:Hinge",
    "sklearn.linear_model._sgd_fast:ModifiedHuber",
    "sklearn.linear_model._sgd_fast:SquaredHinge",
}

CLASSES: dict[str, dict[str, Check]] = {
    "sklearn.pipeline:Pipeline": {"steps": is_named, "transform_input": is_none},
    "sklearn.pipeline:FeatureUnion": {
        "transformer_list": is_named,
        "transformer_weights": maybe(is_weights),
        "n_jobs": is_among(None),
    },
    "sklearn.feature_extraction.text:CountVectorizer": _COUNTS
    | {"dtype": is_type("int64", "int32", "float64", "float32")},
    "sklearn.feature_extraction.text:TfidfVectorizer": _COUNTS
    | _WEIGHTS
    | {"_tfidf": lambda value: type(value).__name__ == "TfidfTransformer"},
    "sklearn.feature_extraction.text:TfidfTransformer": _WEIGHTS | {"idf_": is_row},
    "sklearn.feature_extraction.text:HashingVectorizer": _ANALYSIS
    | {
        "norm": is_among(None, "l1", "l2"),
        "n_features": is_between(1, _MOST),
        "alternate_sign": is_flag,
        "dtype": is_type("float64"),
    },
    "sklearn.feature_extraction._dict_vectorizer:DictVectorizer": {
        "vocabulary_": is_vocabulary,
        "feature_names_": is_words,
        "separator": is_word,
        "sparse": is_flag,
        "sort": is_flag,
        "dtype": is_type("float64", "float32"),
    },
    "sklearn.linear_model._logistic:LogisticRegression": _LINEAR | {"multi_class": is_word},
    "sklearn.linear_model._stochastic_gradient:SGDClassifier": _LINEAR
    | {
        "t_": is_number,
        "_expanded_class_weight": is_row,
        "_loss_function_": _is_loss,
        "loss_function_": _is_loss,
    },
    "sklearn.linear_model._base:LinearRegression": _REGRESSION
    | {"rank_": is_plain, "singular_": is_row},
    "sklearn.linear_model._ridge:Ridge": _REGRESSION | {"solver_": is_word},
    "sklearn.svm._classes:LinearSVC": _LINEAR,
    "sklearn.preprocessing._data:StandardScaler": {
        "mean_": maybe(is_row),
        "var_": maybe(is_row),
        "scale_": maybe(is_row),
        "n_samples_seen_": lambda value: is_number(value) or is_row(value),
        "with_mean": is_flag,
        "with_std": is_flag,
    },
    "sklearn.preprocessing._data:MinMaxScaler": {
        "n_samples_seen_": is_number,
        **dict.fromkeys(("scale_", "min_", "data_min_", "data_max_", "data_range_"), is_row),
        "clip": is_flag,
    },
    "sklearn.impute._base:SimpleImputer": {
        "statistics_": is_row,
        "indicator_": is_none,
        "add_indicator": is_among(False),
        "keep_empty_features": is_flag,
        "strategy": is_among("mean", "median", "most_frequent", "constant"),
        "missing_values": maybe(is_number),
        "fill_value": maybe(is_number),
        "_fit_dtype": is_number_dtype,
        "_fill_dtype": is_number_dtype,
    },
    "sklearn.naive_bayes:MultinomialNB": _BAYES,
    "sklearn.naive_bayes:ComplementNB": _BAYES | {"feature_all_": is_row, "norm": is_flag},
    "sklearn.naive_bayes:BernoulliNB": _BAYES | {"binarize": maybe(is_number)},
    "sklearn.naive_bayes:GaussianNB": {
        "classes_": is_labels,
        "class_count_": is_row,
        "class_prior_": is_row,
        "epsilon_": is_number,
        "theta_": is_table,
        "var_": is_table,
    },
}

# All that the reader may be asked for by an artifact that is to be proved.
NAMES = {
    *CLASSES,
    *_LOSSES,
    "joblib.numpy_pickle:NumpyArrayWrapper",
    "numpy:dtype",
    "numpy:ndarray",
    *(f"numpy:{name}" for name in ("float64", "float32", "int64", "int32")),
    "numpy._core.multiarray:_reconstruct",
    "numpy._core.multiarray:scalar",
    "numpy._core.numeric:_frombuffer",
    "_codecs:encode",
    "builtins:bytes",
}


# --- shapes that must agree -----------------------------------------------------------------


def _linear_agrees(held: Mapping[str, Any]) -> bool:
    classes = len(held["classes_"])
    rows = 1 if classes == 2 else classes
    intercept = held["intercept_"]
    fits = is_number(intercept) or intercept.shape == (rows,)
    return fits and bool(held["coef_"].shape == (rows, held["n_features_in_"]))


def _regression_agrees(held: Mapping[str, Any]) -> bool:
    return bool(held["coef_"].shape[-1] == held["n_features_in_"])


def _bayes_agrees(held: Mapping[str, Any]) -> bool:
    shape = len(held["classes_"]), held["n_features_in_"]
    tables = [held[name] for name in ("feature_log_prob_", "theta_", "var_") if name in held]
    rows = [held[name] for name in ("class_log_prior_", "class_prior_") if name in held]
    whole = all(table.shape == shape for table in tables)
    return whole and all(row.shape == shape[:1] for row in rows)


def _rows_agree(*names: str) -> Callable[[Mapping[str, Any]], bool]:
    def agree(held: Mapping[str, Any]) -> bool:
        rows = [held[name] for name in names if held.get(name) is not None]
        return all(len(row) == held["n_features_in_"] for row in rows)

    return agree


def _weights_agree(held: Mapping[str, Any]) -> bool:
    idf = vars(held["_tfidf"]).get("idf_")
    return idf is None or len(idf) == len(held["vocabulary_"])


def _names_agree(held: Mapping[str, Any]) -> bool:
    return len(held["feature_names_"]) == len(held["vocabulary_"])


AGREEMENTS: dict[str, Callable[[Mapping[str, Any]], bool]] = {
    **dict.fromkeys(("LogisticRegression", "SGDClassifier", "LinearSVC"), _linear_agrees),
    **dict.fromkeys(("LinearRegression", "Ridge"), _regression_agrees),
    **dict.fromkeys(("MultinomialNB", "ComplementNB", "BernoulliNB", "GaussianNB"), _bayes_agrees),
    "StandardScaler": _rows_agree("mean_", "var_", "scale_"),
    "MinMaxScaler": _rows_agree("scale_", "min_", "data_min_", "data_max_"),
    "SimpleImputer": _rows_agree("statistics_"),
    "TfidfTransformer": _rows_agree("idf_"),
    "TfidfVectorizer": _weights_agree,
    "DictVectorizer": _names_agree,
}
