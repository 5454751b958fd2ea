"""Request ids: one answer and one row of the log, however often a request is sent."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from mlreg.entities.predictions import Prediction
from mlreg.errors import Conflict, InvalidInput
from mlreg.inputs import Input
from mlreg.jsonable import canonical
from mlreg.names import check_text, safe
from mlreg.services.privacy import Privacy
from mlreg.store.predictions import Entry

if TYPE_CHECKING:
    from mlreg.store.models import ModelRow
    from mlreg.store.store import Transaction

LONGEST = 256


def check_unit(unit: str | None) -> None:
    """Nothing, if this can be a user.

    Raises:
        InvalidInput: It cannot.
    """
    if unit is not None:
        check_text(unit, "user", longest=LONGEST)
        if not unit:
            raise InvalidInput("the user must not be empty")


def check_request_id(request_id: object) -> str:
    """The caller's own id of a request, if it can be one.

    Raises:
        InvalidInput: It cannot.
    """
    if not check_text(request_id, "request id", longest=LONGEST):
        raise InvalidInput("the request id must not be empty")
    return str(request_id)


class Token(NamedTuple):
    """What makes two requests the same: the caller's id, and the input's digest to prove it.

    Attributes:
        fits: Whether an earlier digest may be that of this input.
    """

    model_key: int
    request_id: str
    digest: str
    fits: Callable[[str], bool]


def token_of(privacy: Privacy, model: ModelRow, request_id: str, value: Input) -> Token:
    """The token of a request."""
    check_request_id(request_id)
    text, salt = canonical(value), model.salt
    digest = privacy.request_digest(text, salt)
    fits = partial(privacy.is_same_input, text=text, salt=salt)
    return Token(model.key, request_id, digest, fits)


def known_answer(tx: Transaction, token: Token) -> Prediction | None:
    """The answer that this request got before.

    Raises:
        Conflict: The request id was used for another input.
    """
    known = tx.predictions.find_request(token.model_key, token.request_id)
    if known is None:
        return None
    prediction_id, digest = known
    if not token.fits(digest):
        raise Conflict(f"the request id {safe(token.request_id)} was used for another input")
    row = tx.predictions.find(prediction_id)
    return None if row is None else row.answer()


def append_once(
    tx: Transaction, entries: Sequence[tuple[Entry, Token | None]]
) -> list[int | Prediction | Conflict]:
    """Log what is new, and say for each entry its id, or what its request got before.

    Args:
        tx: A transaction that writes.
        entries: Rows; those that no retry may repeat have a token.
    """
    found: list[int | Prediction | Conflict | None] = [
        _before(tx, token) if token else None for _, token in entries
    ]
    fresh = [place for place, known in enumerate(found) if known is None]
    first = {token.request_id: place for place in reversed(fresh) if (token := entries[place][1])}
    # Of two that came together the later one is a retry as well.
    again = {p for p in fresh if (t := entries[p][1]) and first[t.request_id] != p}
    fresh = [place for place in fresh if place not in again]
    ids = tx.predictions.append_many([entries[place][0] for place in fresh]) if fresh else []
    for place, key in zip(fresh, ids, strict=True):
        found[place] = key
        if token := entries[place][1]:
            tx.predictions.remember_request(token.model_key, token.request_id, key, token.digest)
    for place in again:
        token = entries[place][1]
        found[place] = _before(tx, token) if token else None
    return [known for known in found if known is not None]


def _before(tx: Transaction, token: Token) -> Prediction | Conflict | None:
    try:
        return known_answer(tx, token)
    except Conflict as problem:
        return problem
