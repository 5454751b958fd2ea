"""The `sklearn` flavor: fitted scikit-learn estimators and whatever else has a `predict`."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from sklearn import config_context
from sklearn.base import BaseEstimator

from mlreg.artifacts import unpickling
from mlreg.artifacts.flavors import outcomes
from mlreg.artifacts.flavors.outcomes import Outcomes
from mlreg.artifacts.flavors.signatures import (
    attribute,
    describe,
    entrances,
    infer,
    is_a,
    labels,
    pipeline_steps,
)
from mlreg.artifacts.runner import Answer, Failure, Input, Output
from mlreg.entities.versions import Signature
from mlreg.errors import ArtifactUnloadable
from mlreg.names import safe

Feed = Literal["texts", "dicts", "frame", "array"]
Method = Literal["probability", "both", "plain"]

# Classifiers whose `predict` is the argmax of their `predict_proba`. Others (thresholds, support
# vectors, foreign classes) may answer another label, so they are asked for both.
_ARGMAX = {
    "LogisticRegression", "LogisticRegressionCV", "SGDClassifier", "MLPClassifier",
    "GaussianNB", "MultinomialNB", "ComplementNB", "BernoulliNB", "CategoricalNB",
    "DecisionTreeClassifier", "ExtraTreeClassifier", "RandomForestClassifier",
    "ExtraTreesClassifier", "GradientBoostingClassifier", "HistGradientBoostingClassifier",
    "BaggingClassifier", "KNeighborsClassifier", "LinearDiscriminantAnalysis",
    "QuadraticDiscriminantAnalysis", "CalibratedClassifierCV",
}  # fmt: skip
_DELEGATING = ("best_estimator_", "estimator_")
_DELEGATES = {"GridSearchCV", "RandomizedSearchCV", "HalvingGridSearchCV", "RFE", "RFECV"}
_BY_NAME = {"ColumnTransformer", "FunctionTransformer"}
_MAX_PARTS = 10_000


@dataclass(slots=True)
class Model:
    """A loaded estimator, what it takes and gives, and how it is fed and asked."""

    estimator: Any
    signature: Signature
    feed: Feed
    method: Method
    labels: tuple[Output, ...]
    notes: tuple[str, ...]


def load(data: bytes, *, trusted: bool, proved: bool = False) -> Model:
    """The model in these bytes, ready to be asked."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        estimator = (
            unpickling.load_proved(data) if proved else unpickling.load(data, trusted=trusted)
        )
    _check_model(estimator)
    taken, found = infer(estimator), labels(estimator)
    feed, method = _feed(estimator, taken), _method(estimator, found)
    return Model(estimator, taken, feed, method, found, tuple(_notes(caught)))


def signature(model: Model) -> Signature:
    """What the model takes and gives.

    Raises:
        ArtifactUnloadable: It gives several numbers for one input.
    """
    if model.signature.output == "number" and _width(model) > 1:
        raise _several_outputs(model.estimator)
    return model.signature


def _width(model: Model) -> int:
    """How many numbers a regressor gives for one input: it is asked, since few say so."""
    try:
        fed = FEEDS[model.feed](model.signature, [_sample(model.signature)])
        shape = np.shape(model.estimator.predict(fed))
    except MemoryError:
        raise
    except BaseException as error:
        if outcomes.from_user(error):
            raise
        return 1  # what it says to a real input is told when one comes
    return int(shape[1]) if len(shape) == 2 else 1


def _sample(taken: Signature) -> Input:
    if taken.input == "text":
        return "text"
    if taken.input == "vector":
        return [0.0] * (taken.length or 1)
    words = zip(taken.fields, taken.types, strict=True)
    return {field: "text" if kind == "text" else 0.0 for field, kind in words}


def _several_outputs(estimator: Any) -> ArtifactUnloadable:
    return ArtifactUnloadable(
        f"the {describe(estimator)} in the artifact gives several outputs for one input",
        hint="register one model for each output",
    )


def notes(model: Model) -> tuple[str, ...]:
    """Warnings of scikit-learn about the artifact, such as another version's."""
    return model.notes


def predict(model: Model, signature: Signature, inputs: Sequence[Input]) -> Outcomes:
    """Answer each input; when the whole batch fails, each is asked for alone."""
    try:
        found = _ask(model, signature, inputs)
    except MemoryError:
        raise
    except BaseException as error:
        # A model may raise SystemExit or KeyboardInterrupt: that is its failure, not our end.
        if outcomes.from_user(error):
            raise
        found = outcomes.failed(error)
    if isinstance(found, list):
        return found
    if len(inputs) == 1:
        return [found]
    return [answer for item in inputs for answer in predict(model, signature, (item,))]


def _ask(model: Model, signature: Signature, inputs: Sequence[Input]) -> Outcomes | Failure:
    count, estimator = len(inputs), model.estimator
    if not count:
        return []
    feed = _feed_said(model, signature)
    fed = FEEDS[feed](signature, inputs)
    # Texts hold no NaN that validation could find, and parameters were validated by `fit`.
    with config_context(assume_finite=feed == "texts", skip_parameter_validation=True):
        if model.method == "probability":
            return outcomes.probable(estimator.predict_proba(fed), model.labels, count)
        items = outcomes.values(estimator.predict(fed), count)
        if isinstance(items, Failure):
            return items
        answers = outcomes.outputs(items, number=signature.output == "number")
        if model.method == "plain":
            return answers
        return _with_confidence(answers, estimator.predict_proba(fed), model.labels)


def _with_confidence(answers: Outcomes, result: Any, known: Sequence[Output]) -> Outcomes | Failure:
    """The label that `predict` gave, with the probability of that label."""
    likely = outcomes.probable(result, known, len(answers))
    if isinstance(likely, Failure):
        return likely
    column = {label: index for index, label in enumerate(known)}
    found: Outcomes = []
    for row, (answer, best) in enumerate(zip(answers, likely, strict=True)):
        if isinstance(answer, Failure) or isinstance(best, Failure):
            found.append(answer if isinstance(answer, Failure) else best)
        elif answer.output in column:
            share = float(result[row, column[answer.output]])
            found.append(Answer(answer.output, min(max(share, 0.0), 1.0)))
        else:
            found.append(outcomes.misshapen("predict returned a label that is not in classes_"))
    return found


# --- inputs: always copies, so that a model can do to them what it likes -----------------------


def _texts(_: Signature, inputs: Sequence[Any]) -> list[Any]:
    return list(inputs)


def _dicts(_: Signature, inputs: Sequence[Any]) -> list[dict[str, Any]]:
    return [dict(item) for item in inputs]


def _array(signature: Signature, inputs: Sequence[Any]) -> np.ndarray[Any, Any]:
    if signature.input != "record":
        return np.array(inputs, dtype=np.float64)
    rows = [[_present(item.get(field)) for field in signature.fields] for item in inputs]
    numbers = all(kind == "number" for kind in signature.types)
    return np.array(rows, dtype=np.float64 if numbers else object)


def _frame(signature: Signature, inputs: Sequence[Any]) -> Any:
    import pandas

    columns = {}
    for field, kind in zip(signature.fields, signature.types, strict=True):
        values = [_present(item.get(field)) for item in inputs]
        columns[field] = pandas.Series(values, dtype=np.float64 if kind == "number" else None)
        if kind == "text":
            columns[field] = columns[field].astype(object)
    return pandas.DataFrame(columns)


def _present(value: Any) -> Any:
    return np.nan if value is None else value


FEEDS: dict[Feed, Any] = {"texts": _texts, "dicts": _dicts, "array": _array, "frame": _frame}


# --- loading --------------------------------------------------------------------------------


def _check_model(estimator: Any) -> None:
    if isinstance(estimator, type) or not callable(attribute(estimator, "predict")):
        kind = (
            f"the class {estimator.__name__}"
            if isinstance(estimator, type)
            else (f"an object of type {type(estimator).__name__}")
        )
        raise ArtifactUnloadable(
            safe(f"the artifact holds {kind}, which has no predict"),
            hint="store the fitted estimator or pipeline itself",
        )
    if isinstance(estimator, BaseEstimator) and not _is_fitted(estimator):
        raise ArtifactUnloadable(
            f"the {describe(estimator)} in the artifact is not fitted",
            hint="call fit before you store it",
        )
    if type(attribute(estimator, "classes_")) is list:
        raise _several_outputs(estimator)


def _is_fitted(estimator: Any) -> bool:
    from sklearn.exceptions import NotFittedError
    from sklearn.utils.validation import check_is_fitted

    try:
        check_is_fitted(estimator)
    except NotFittedError:
        return False
    except Exception:  # noqa: BLE001 - what a foreign estimator says about itself decides nothing
        return True
    return True


def _feed_said(model: Model, signature: Signature) -> Feed:
    """How inputs are fed: as was found out, unless whoever registered it said something else."""
    if signature.input == model.signature.input:
        return model.feed
    said: dict[str, Feed] = {"text": "texts", "record": "dicts", "vector": "array"}
    return said[signature.input]


def _feed(estimator: Any, taken: Signature) -> Feed:
    if taken.input == "text":
        return "texts"
    if taken.input == "vector":
        return "array"
    if any(is_a(part, {"DictVectorizer", "FeatureHasher"}) for part in entrances(estimator)):
        return "dicts"
    if any(_takes_names(part) for part in _parts(estimator)):
        _check_pandas(estimator)
        return "frame"
    _forget_names(estimator)
    return "array"


def _takes_names(part: Any) -> bool:
    """Columns by name, or code of which nobody knows; scikit-learn's own takes positions."""
    return is_a(part, _BY_NAME) or not type(part).__module__.startswith("sklearn.")


def _check_pandas(estimator: Any) -> None:
    try:
        import pandas  # noqa: F401
    except ImportError:
        raise ArtifactUnloadable(
            f"the {describe(estimator)} takes columns by name, for which pandas is needed",
            hint="pip install pandas",
        ) from None


def _forget_names(estimator: Any) -> None:
    """Let the estimator take arrays without a warning each time that they have no names."""
    for part in _parts(estimator):
        vars(part).pop("feature_names_in_", None)


def _parts(estimator: Any) -> Iterator[Any]:
    """The estimator and all estimators inside it."""
    seen: set[int] = set()
    waiting = [estimator]
    while waiting and len(seen) < _MAX_PARTS:
        part = waiting.pop()
        if id(part) in seen:
            continue
        seen.add(id(part))
        if isinstance(part, list | tuple):
            waiting.extend(part)
        elif isinstance(part, dict):
            waiting.extend(part.values())
        elif callable(attribute(part, "fit")) and not isinstance(part, type):
            yield part
            waiting.extend(attribute(part, "__dict__", {}).values())


def _method(estimator: Any, known: Sequence[Output]) -> Method:
    if not known or not callable(attribute(estimator, "predict_proba")):
        return "plain"
    return "probability" if is_argmax(estimator) else "both"


def is_argmax(estimator: Any) -> bool:
    """Whether the label is known to be the one of the highest probability."""
    for _ in range(10):
        if steps := pipeline_steps(estimator):
            estimator = steps[-1]
        elif type(estimator).__name__ in _DELEGATES:
            inner = (attribute(estimator, name) for name in _DELEGATING)
            estimator = next((part for part in inner if part is not None), None)
        else:
            break
    cls = type(estimator)
    if not cls.__module__.startswith("sklearn.") or cls.__name__ not in _ARGMAX:
        return False
    return len(labels(estimator)) <= 2 or not _is_one_vs_rest(estimator)


def _is_one_vs_rest(estimator: Any) -> bool:
    """Whether the probability of each class saturates on its own, so that two can both be 1."""
    return (
        is_a(estimator, {"SGDClassifier"})
        or attribute(estimator, "solver") == "liblinear"
        or attribute(estimator, "multi_class") == "ovr"
    )


def _notes(caught: Sequence[warnings.WarningMessage]) -> Iterator[str]:
    """One line for all parts that were fitted by another version of scikit-learn."""
    others = {str(attribute(w.message, "original_sklearn_version", "")) for w in caught} - {""}
    if others:
        from sklearn import __version__

        yield (
            f"fitted by scikit-learn {safe(', '.join(sorted(others)), longest=60)}, "
            f"loaded by {__version__}: answers may differ"
        )
