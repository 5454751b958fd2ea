"""An event as it is told to others: body, headers and signature as Standard Webhooks has them.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Mapping
from typing import NamedTuple

from mlreg.clock import from_micros, isoformat
from mlreg.entities.audit import Event
from mlreg.errors import InvalidInput
from mlreg.jsonable import dumps

_PREFIX = "whsec_"
_LEAST_SECRET = 16
ENVIRONMENT = "env:"


class Outcome(NamedTuple):
    """How an attempt to tell somebody ended.

    Attributes:
        succeeded: Whether they have it.
        said: How it ended, in a few words and without what may be secret.
        is_gone: Whether they do not want to be told any more.
        wait_seconds: How long they asked to be left alone.
        answer: The beginning of what they answered; it is shown to whoever tests, and never kept.
    """

    succeeded: bool
    said: str
    is_gone: bool = False
    wait_seconds: float = 0.0
    answer: str = ""


class Message(NamedTuple):
    """One event on its way to somebody.

    Attributes:
        id: The same at each attempt, so that whoever gets it twice can tell.
        type: What happened.
        registry: The folder that it happened in.
    """

    id: str
    type: str
    event: Event
    registry: str

    @property
    def body(self) -> str:
        """What is sent: a JSON document."""
        event = self.event
        return dumps({"type": self.type, "timestamp": isoformat(event.time), "data": event})

    @property
    def title(self) -> str:
        """The event in a line for people."""
        return f"mlreg: {self.type} {self.event.model or self.event.object}"

    @property
    def text(self) -> str:
        """The event in a few lines for people."""
        event = self.event
        about = f"{self.type}: {event.object}, by {event.actor} at {isoformat(event.time)[:19]}Z"
        return "\n".join(line for line in (about, event.reason) if line)


def headers(message: Message, body: str, *, at: int, secret: str | None) -> dict[str, str]:
    """The headers of a request: which message it is, when it was sent, and by whom.

    Args:
        message: What is sent.
        body: Its body.
        at: The present in microseconds since 1970.
        secret: What the request is signed by; None: it is not signed.

    Raises:
        InvalidInput: The secret is none, or what signs is not installed.
    """
    found = {
        "content-type": "application/json",
        "user-agent": "mlreg",
        "webhook-id": message.id,
        "webhook-timestamp": str(at // 1_000_000),
    }
    if secret is not None:
        check_signing()
        from standardwebhooks import Webhook

        webhook = Webhook(_decoded(secret))
        found["webhook-signature"] = webhook.sign(message.id, from_micros(at), body)
    return found


def check_signing() -> None:
    """Nothing, if requests can be signed here.

    Raises:
        InvalidInput: What signs is not installed.
    """
    from importlib.util import find_spec

    if find_spec("standardwebhooks") is None:
        raise InvalidInput("requests cannot be signed here", hint="run: pip install 'mlreg[hooks]'")


def _decoded(secret: str) -> bytes:
    try:
        found = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        found = b""
    if len(found) < _LEAST_SECRET:
        raise InvalidInput(
            f"the secret is not {_PREFIX} and {_LEAST_SECRET} or more bytes in base64",
            hint=f"make one: echo {_PREFIX}$(openssl rand -base64 32)",
        )
    return found


def is_variable(text: str) -> bool:
    """Whether a text names a variable of the environment rather than being what it holds."""
    return text.startswith(ENVIRONMENT)


def looked_up(text: str, environ: Mapping[str, str] = os.environ) -> str:
    """A text, or for `env:NAME` what that variable holds.

    Raises:
        InvalidInput: It is not set.
    """
    return variable(text.removeprefix(ENVIRONMENT), environ) if is_variable(text) else text


def variable(name: str, environ: Mapping[str, str] = os.environ) -> str:
    """What a variable of the environment holds.

    Raises:
        InvalidInput: It is not set.
    """
    found = environ.get(name, "")
    if not found:
        raise InvalidInput(f"{name} is not set here")
    return found
