"""What a fitted scikit-learn estimator takes and gives, read off the fitted object.

Attributes of a foreign object can raise or lie; whatever they do, there is an answer.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from mlreg.artifacts.flavors.outcomes import output
from mlreg.artifacts.runner import Failure, Output
from mlreg.entities.versions import FieldType, InputKind, OutputKind, Signature
from mlreg.names import safe

MAX_CLASSES = 1000
_MAX_DEPTH = 12
_TEXT = {"CountVectorizer", "HashingVectorizer"}
_RECORDS = {"DictVectorizer"}
_INNER = ("best_estimator_", "estimator_", "regressor_")
# They take missing values and give none; every other transformer may pass them on.
_ABSORBING = {
    "SimpleImputer", "KNNImputer", "IterativeImputer", "MissingIndicator",
    "OneHotEncoder", "TargetEncoder", "DictVectorizer",
}  # fmt: skip


def attribute(target: Any, name: str, default: Any = None) -> Any:
    """An attribute of a foreign object, or the default whatever goes wrong."""
    try:
        return getattr(target, name, default)
    except Exception:  # noqa: BLE001 - a property of a foreign object can raise anything
        return default


def is_a(target: Any, names: set[str]) -> bool:
    """Whether it, or a class it derives from, has one of the names; imports nothing."""
    return any(cls.__name__ in names for cls in type(target).__mro__)


def infer(estimator: Any) -> Signature:
    """The signature of a fitted estimator."""
    kind = input_kind(estimator)
    fields = field_names(estimator) if kind == "record" else ()
    return Signature(
        input=kind,
        fields=fields,
        types=field_types(estimator, fields),
        length=_length(estimator) if kind == "vector" else None,
        nullable=kind != "text" and absorbs_missing(estimator),
        output=_output_kind(estimator),
        classes=_classes(estimator),
        estimator=describe(estimator),
    )


def input_kind(estimator: Any) -> InputKind:
    """`text` if all that sees the input are text vectorisers, `record` if fields have names."""
    seen = entrances(estimator)
    if all(is_a(part, _TEXT) for part in seen):
        return "text"
    if field_names(estimator) or any(is_a(part, _RECORDS) for part in seen):
        return "record"
    return "vector"


def describe(estimator: Any) -> str:
    """The classes of the estimator and its steps, as people speak of them."""
    return safe(_describe(estimator, 0))


def _describe(estimator: Any, depth: int) -> str:
    steps = pipeline_steps(estimator)
    if steps and depth < _MAX_DEPTH:
        return " → ".join(_describe(step, depth + 1) for step in steps)
    name = type(estimator).__name__
    inner = attribute(estimator, "best_estimator_")
    if inner is None or depth >= _MAX_DEPTH:
        return name
    return f"{name}({_describe(inner, depth + 1)})"


def pipeline_steps(estimator: Any) -> list[Any]:
    """The steps of a pipeline that do something; empty for everything else."""
    steps = attribute(estimator, "steps")
    if type(steps) is not list or not is_a(estimator, {"Pipeline"}):
        return []
    return [pair[1] for pair in steps if not isinstance(pair[1], str) and pair[1] is not None]


def entrances(estimator: Any, depth: int = 0) -> list[Any]:
    """The fitted parts that see the input itself."""
    parts = _inner_parts(estimator) if depth < _MAX_DEPTH else []
    if not parts:
        return [estimator]
    return [found for part in parts for found in entrances(part, depth + 1)]


def _inner_parts(estimator: Any) -> list[Any]:
    if steps := pipeline_steps(estimator):
        return [next((s for s in steps if not is_a(s, {"FunctionTransformer"})), steps[0])]
    if is_a(estimator, {"FeatureUnion"}):
        pairs = attribute(estimator, "transformer_list", [])
        return [part for _, part in pairs if not isinstance(part, str)]
    core = _unwrap_once(estimator)
    return [] if core is None else [core]


def _unwrap_once(estimator: Any) -> Any:
    """What a search, a calibration or an ensemble is wrapped around, or None."""
    for name in _INNER:
        if (inner := attribute(estimator, name)) is not None:
            return inner
    calibrated = attribute(estimator, "calibrated_classifiers_")
    if type(calibrated) is list and calibrated:
        return attribute(calibrated[0], "estimator")
    members = attribute(estimator, "estimators_")
    return members[0] if type(members) is list and members else None


def _unwrap(estimator: Any) -> Any:
    """The pipeline or plain estimator inside all wrappers."""
    for _ in range(_MAX_DEPTH):
        if pipeline_steps(estimator) or (inner := _unwrap_once(estimator)) is None:
            return estimator
        estimator = inner
    return estimator


# --- fields ---------------------------------------------------------------------------------


def field_names(estimator: Any) -> tuple[str, ...]:
    """The names of a record's fields, in the order of training."""
    for part in (estimator, *entrances(estimator)):
        if is_a(part, _RECORDS):
            return tuple(_vectorised_fields(part))
        names = attribute(part, "feature_names_in_")
        if isinstance(names, np.ndarray) and names.ndim == 1:
            return tuple(str(name) for name in names.tolist())
    return ()


def field_types(estimator: Any, fields: tuple[str, ...]) -> tuple[FieldType, ...]:
    """What each field holds."""
    if not fields:
        return ()
    first = entrances(estimator)[0]
    if is_a(first, _RECORDS):
        return tuple(_vectorised_fields(first).values())
    if is_a(first, {"ColumnTransformer"}):
        return tuple(_transformed_types(first, len(fields)))
    core = _unwrap(estimator)
    return tuple(_column_type(core, position) for position in range(len(fields)))


def _vectorised_fields(vectorizer: Any) -> dict[str, FieldType]:
    """`city=Berlin` is one value of the text field `city`; a bare name is a number."""
    separator = attribute(vectorizer, "separator", "=")
    found: dict[str, FieldType] = {}
    for feature in attribute(vectorizer, "feature_names_", []):
        field, equals, _ = str(feature).partition(separator)
        kind: FieldType = "text" if equals else "number"
        found[field] = kind if found.get(field, kind) == kind else "any"
    return found


def _transformed_types(transformer: Any, count: int) -> list[FieldType]:
    found: list[FieldType] = ["any"] * count
    positions = attribute(transformer, "_transformer_to_input_indices", {})
    for name, part, _ in attribute(transformer, "transformers_", []):
        if isinstance(part, str):
            continue
        for position, index in enumerate(positions.get(name, ())):
            if 0 <= index < count:
                found[index] = _column_type(part, position)
    return found


def _column_type(part: Any, position: int) -> FieldType:
    for step in pipeline_steps(part) or [part]:
        if is_a(step, _TEXT):
            return "text"
        if not type(step).__module__.startswith("sklearn.") or is_a(step, {"FunctionTransformer"}):
            return "any"
        categories = attribute(step, "categories_")
        if type(categories) is list and position < len(categories):
            return _category_type(categories[position])
    return "number"


def _category_type(categories: Any) -> FieldType:
    present = [item for item in np.asarray(categories).tolist() if item is not None]
    present = [item for item in present if item == item]
    if present and all(isinstance(item, str) for item in present):
        return "text"
    numbers = present and all(isinstance(item, int | float) for item in present)
    return "number" if numbers else "any"


def _length(estimator: Any) -> int | None:
    for part in (estimator, *entrances(estimator)):
        count = attribute(part, "n_features_in_")
        if isinstance(count, int | np.integer):
            return int(count)
    return None


def absorbs_missing(estimator: Any) -> bool:
    """Whether a missing value can be answered."""
    first = entrances(estimator)[0]
    if is_a(first, {"ColumnTransformer"}):
        parts = attribute(first, "transformers_", [])
        return any(_absorbs(part) for _, part, _ in parts if not isinstance(part, str))
    return _absorbs(_unwrap(estimator))


def _absorbs(part: Any) -> bool:
    for step in pipeline_steps(part) or [part]:
        if not _allows_missing(step):
            return False
        if is_a(step, _ABSORBING):
            return True
    return attribute(part, "predict") is not None


def _allows_missing(step: Any) -> bool:
    try:
        return bool(step.__sklearn_tags__().input_tags.allow_nan)
    except Exception:  # noqa: BLE001 - no scikit-learn estimator, or one of before 1.6
        return False


# --- outputs --------------------------------------------------------------------------------


def labels(estimator: Any) -> tuple[Output, ...]:
    """The labels of the columns of predict_proba; empty if some have no plain value."""
    classes = attribute(estimator, "classes_")
    if not isinstance(classes, np.ndarray) or classes.ndim != 1:
        return ()
    found = tuple(_plain_labels(classes))
    return found if len(found) == len(classes) else ()


def _plain_labels(classes: np.ndarray[Any, Any]) -> Iterator[Output]:
    for item in classes.tolist():
        label = output(item)
        if not isinstance(label, Failure):
            yield label


def _classes(estimator: Any) -> tuple[Output, ...]:
    found = labels(estimator)
    return found if len(found) <= MAX_CLASSES else ()


def _output_kind(estimator: Any) -> OutputKind:
    if attribute(estimator, "classes_") is not None:
        return "class"
    kind = attribute(estimator, "_estimator_type")
    if kind is None:
        try:
            kind = estimator.__sklearn_tags__().estimator_type
        except Exception:  # noqa: BLE001 - no scikit-learn estimator, or one of before 1.6
            kind = None
    return "number" if kind == "regressor" else "class"
