"""What is said about a version besides its artifact, checked, and told in the audit trail."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from mlreg.entities.versions import InputKind, Signature
from mlreg.errors import InvalidInput
from mlreg.jsonable import jsonable
from mlreg.names import check_key, check_text
from mlreg.tallies import LARGEST_MEASURE

if TYPE_CHECKING:
    from mlreg.entities.traffic import Change
    from mlreg.entities.versions import Version
    from mlreg.services.context import Context
    from mlreg.store.store import Transaction


class Details(NamedTuple):
    """What is said about a version besides its artifact, checked.

    Attributes:
        external: A program of the user's runs it.
    """

    metrics: dict[str, float]
    metadata: dict[str, object]
    tags: list[str]
    description: str
    external: bool = False


def check_details(
    metrics: Mapping[str, float],
    metadata: Mapping[str, object],
    tags: Iterable[str],
    description: str,
) -> Details:
    scores: dict[str, float] = {}
    for name, value in metrics.items():
        scores[check_key(name, "metric")] = _score(name, value)
    accuracy = scores.get("accuracy", 0.0)
    if not 0 <= accuracy <= 1:
        raise InvalidInput(f"accuracy must be between 0 and 1, not {accuracy:g}")
    for name, item in metadata.items():
        check_key(name, "metadata key")
        if isinstance(item, str):
            check_text(item, f"metadata value of {name}")
    _check_cost(metadata.get("cost_per_request", 0))
    checked_tags = list(dict.fromkeys(check_key(tag, "tag") for tag in tags))
    return Details(scores, _plain(metadata), checked_tags, check_text(description, "description"))


def _score(name: str, value: object) -> float:
    try:
        number = float(value)  # type: ignore[arg-type]  # whatever a caller gave
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise InvalidInput(f"the metric {name} must be a finite number")
    return number


def _check_cost(cost: object) -> None:
    is_number = isinstance(cost, int | float) and not isinstance(cost, bool)
    if not (is_number and 0 <= cost <= LARGEST_MEASURE):  # type: ignore[operator]  # a number by now
        raise InvalidInput(f"cost_per_request must be a number from 0 to {LARGEST_MEASURE:g}")


def _plain(metadata: Mapping[str, object]) -> dict[str, object]:
    try:
        return {name: jsonable(item) for name, item in metadata.items()}
    except (TypeError, RecursionError) as error:
        raise InvalidInput(f"metadata must be plain values: {error}") from None


def confirm(signature: Signature, kind: InputKind | None) -> Signature:
    """The inferred signature, if it agrees with what was said.

    Raises:
        InvalidInput: It does not.
    """
    if kind in (None, signature.input):
        return signature
    is_unknown = signature.input == "vector" and signature.length is None
    if is_unknown:  # nothing spoke for a vector, it is what is assumed: the caller knows better
        return replace(signature, input=kind)
    if signature.input == "record" and kind == "vector":
        return replace(signature, input=kind, fields=(), types=(), length=len(signature.fields))
    raise InvalidInput(f"the artifact takes a {signature.input}, not a {kind}")


def tell(
    context: Context,
    tx: Transaction,
    action: str,
    version: Version,
    change: Change,
    *,
    before: object = None,
    after: object = None,
) -> None:
    """Write the event of a change of a version."""
    tx.events.append(
        action=action,
        object=version.ref,
        actor=context.actor_of(change),
        at=context.clock(),
        model_key=version.model_key,
        model=version.name,
        reason=check_text(change.reason, "reason"),
        before=before,
        after=after,
    )
