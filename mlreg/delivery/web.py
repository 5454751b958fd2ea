"""One request: to where the name led when it was looked at, and within its time."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Mapping
from contextlib import suppress
from http.client import HTTPConnection, HTTPException, HTTPResponse
from threading import Timer
from typing import Any

from mlreg.delivery.addresses import PORTS, Allowed, Place, Refused, Resolve, reachable
from mlreg.delivery.message import Outcome

_LONGEST_ANSWER = 4096
_GONE = 410


def post(
    place: Place,
    body: str,
    headers: Mapping[str, str],
    *,
    allowed: Allowed,
    seconds: float,
    resolve: Resolve = socket.getaddrinfo,
) -> Outcome:
    """Send a request; whatever goes wrong is its outcome.

    Args:
        place: Where to.
        body: What.
        headers: With what.
        allowed: What may be reached beside the open internet.
        seconds: How long all of it may take.
        resolve: Looks names up.
    """
    with _Deadline(seconds) as deadline:
        try:
            addresses = reachable(place, allowed, resolve)
            return _exchange(place, addresses, body, headers, deadline)
        except Refused as refusal:
            return Outcome(False, str(refusal))
        except (OSError, HTTPException, ValueError) as error:
            # A time limit of the socket, which has no errno, may end a moment before the deadline.
            is_late = isinstance(error, TimeoutError) and error.errno is None
            if deadline.has_passed or is_late:
                return Outcome(False, f"took longer than {seconds:g} s")
            return Outcome(False, _reason(error))


class _Deadline:
    """Cuts a connection off when its time is over, whatever it waits for."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.has_passed = False
        self._socket: socket.socket | None = None
        self._timer = Timer(seconds, self._pass)
        self._timer.daemon = True

    def __enter__(self) -> _Deadline:
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        if self._socket is not None:
            self._socket.close()

    def watch(self, connected: socket.socket) -> None:
        """From now on this is the connection."""
        self._socket = connected
        if self.has_passed:
            self._cut()

    def _pass(self) -> None:
        self.has_passed = True
        self._cut()

    def _cut(self) -> None:
        if self._socket is not None:
            with suppress(OSError):
                # Not that of TLS, which would take its state from under a thread that reads.
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)


def _exchange(
    place: Place,
    addresses: list[tuple[int, Any]],
    body: str,
    headers: Mapping[str, str],
    deadline: _Deadline,
) -> Outcome:
    connection = HTTPConnection(place.host, place.port)
    connection.default_port = PORTS[place.scheme]
    # It connects by itself only where it has no socket: here, to the address that was looked at.
    connection.sock = _secured(place, _connected(addresses, deadline), deadline)
    connection.request("POST", place.path, body.encode(), dict(headers))
    response = connection.getresponse()
    if deadline.has_passed:  # then what looks like the end of the head is where it was cut off
        raise TimeoutError
    return _outcome(response, _beginning(response))


def _connected(addresses: list[tuple[int, Any]], deadline: _Deadline) -> socket.socket:
    """A connection to the first address that takes one."""
    problem: OSError = OSError("the name stands for no address")
    for family, where in addresses:
        connected = socket.socket(family, socket.SOCK_STREAM)
        deadline.watch(connected)
        try:
            connected.settimeout(deadline.seconds)
            connected.connect(where)
            return connected
        except OSError as error:
            connected.close()
            problem = error
            if deadline.has_passed:
                break
    raise problem


def _secured(place: Place, connected: socket.socket, deadline: _Deadline) -> socket.socket:
    if place.scheme != "https":
        return connected
    context = ssl.create_default_context()
    wrapped = context.wrap_socket(
        connected, server_hostname=place.host, do_handshake_on_connect=False
    )
    deadline.watch(wrapped)
    wrapped.do_handshake()
    return wrapped


def _outcome(response: HTTPResponse, answer: str) -> Outcome:
    status = response.status
    said = f"answered {status}"
    if 300 <= status < 400:
        said += ", and is not followed to another address"
    return Outcome(
        200 <= status < 300,
        said,
        is_gone=status == _GONE,
        wait_seconds=_seconds(response.getheader("retry-after", "")),
        answer=answer,
    )


def _beginning(response: HTTPResponse) -> str:
    """The beginning of an answer; what counts is its status, which is there already."""
    with suppress(OSError, HTTPException, ValueError):
        return response.read(_LONGEST_ANSWER).decode("utf-8", "replace")
    return ""


def _seconds(text: str | None) -> float:
    """A wait in seconds; what else may stand there, a date, is left to the back-off."""
    return float(text) if text and text.isascii() and text.isdigit() and len(text) < 9 else 0.0


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the certificate does not hold: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return f"no secure connection: {error.reason or 'it was cut off'}"
    if isinstance(error, socket.gaierror):
        return "the name of the host stands for no address"
    if isinstance(error, TimeoutError):
        return "took too long"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return f"answered something else than HTTP ({type(error).__name__})"
