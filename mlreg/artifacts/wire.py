"""What travels between mlreg and the process that runs models: JSON, each with its length before.

Nothing that comes from that process is believed: it runs other people's code.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any, cast, get_args

from mlreg.artifacts.runner import Answer, Failure, FailureKind, Inspection
from mlreg.entities.versions import Signature
from mlreg.errors import (
    ArtifactAltered,
    ArtifactError,
    ArtifactMissing,
    ArtifactUnloadable,
    ArtifactUntrusted,
    MlregError,
)
from mlreg.jsonable import restore
from mlreg.names import safe

HEADER = 4
LARGEST_REPLY = 64 << 20
OUT_OF_MEMORY = 77

_LONGEST = 500
_KINDS = get_args(FailureKind)
_ERRORS: dict[str, type[MlregError]] = {
    kind.code: kind
    for kind in (
        ArtifactError, ArtifactMissing, ArtifactAltered, ArtifactUntrusted, ArtifactUnloadable,
    )
}  # fmt: skip


class Nonsense(Exception):
    """A reply that no sound process sends."""


def frame(message: object) -> bytes:
    """A message as it travels; lone surrogates in it survive."""
    body = json.dumps(message, separators=(",", ":")).encode("ascii")
    return len(body).to_bytes(HEADER, "big") + body


def parse(body: bytes | bytearray) -> dict[str, Any]:
    """A reply's object.

    Raises:
        Nonsense: It is none.
    """
    try:
        message = json.loads(body)
    except (ValueError, RecursionError):
        raise Nonsense from None
    if not isinstance(message, dict):
        raise Nonsense
    return message


def pack(outcomes: Sequence[Answer | Failure]) -> list[list[Any]]:
    """Outcomes as JSON: an answer is a pair, a failure a triple."""
    return [[*outcome] if isinstance(outcome, Answer) else [*outcome, None] for outcome in outcomes]


def unpack(items: Any, count: int) -> list[Answer | Failure]:
    """The outcomes of a reply, each checked.

    Raises:
        Nonsense: They are not one for each input, or one is malformed.
    """
    if type(items) is not list or len(items) != count:
        raise Nonsense
    return [_outcome(item) for item in items]


def _outcome(item: Any) -> Answer | Failure:
    if type(item) is list and len(item) == 2:
        output, confidence = item
        if _is_output(output) and (confidence is None or _is_share(confidence)):
            return Answer(output, confidence)
    if type(item) is list and len(item) == 3 and item[0] in _KINDS and type(item[1]) is str:
        return Failure(cast("FailureKind", item[0]), safe(item[1], longest=_LONGEST))
    raise Nonsense


def _is_output(value: Any) -> bool:
    kind = type(value)
    return kind is str or kind is bool or kind is int or (kind is float and math.isfinite(value))


def _is_share(value: Any) -> bool:
    return type(value) is float and 0.0 <= value <= 1.0


def pack_error(error: MlregError) -> dict[str, Any]:
    """An error as JSON."""
    return {"error": [error.code, error.message, error.hint]}


def unpack_error(reply: dict[str, Any]) -> MlregError | None:
    """The error in a reply, or None."""
    found = reply.get("error")
    if found is None:
        return None
    if type(found) is not list or len(found) != 3 or {type(part) for part in found} != {str}:
        raise Nonsense
    code, message, hint = found
    kind = _ERRORS.get(code, ArtifactUnloadable)
    return kind(safe(message, longest=_LONGEST), hint=safe(hint, longest=_LONGEST))


def pack_signature(signature: Signature) -> dict[str, Any]:
    """A signature as JSON."""
    return {name: getattr(signature, name) for name in Signature.__slots__}


def unpack_signature(found: Any) -> Signature:
    """The signature in a message, checked."""
    try:
        signature = restore(Signature, found)
    except ValueError:
        raise Nonsense from None
    if signature.length is not None and signature.length < 0:
        raise Nonsense
    return signature


def unpack_inspection(reply: dict[str, Any]) -> Inspection:
    """What inspecting an artifact revealed, checked."""
    notes = reply.get("notes")
    if type(notes) is not list:
        raise Nonsense
    lines = tuple(safe(_text(line), longest=_LONGEST) for line in notes)
    return Inspection(_text(reply.get("flavor")), unpack_signature(reply.get("signature")), lines)


def _text(value: Any) -> str:
    if type(value) is not str:
        raise Nonsense
    return value
