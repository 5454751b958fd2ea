"""A receiver of webhooks on the loopback: a real server that answers as it is told to."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Event, Thread
from typing import NamedTuple

Reply = Callable[[socket.socket, Event], None]


class Request(NamedTuple):
    """What was received."""

    line: str
    headers: dict[str, str]
    body: str


class Receiver:
    """Listens on a port of its own until its block ends.

    Attributes:
        requests: What it received, in order.
        over: Set at the end, for replies that would go on for ever.
    """

    def __init__(self, reply: Reply, tls: ssl.SSLContext | None) -> None:
        self.requests: list[Request] = []
        self.over = Event()
        self.reply = reply
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._thread = Thread(target=self._serve, daemon=True)
        self._thread.start()

    def url(self, path: str = "/hooks", scheme: str = "http", host: str = "127.0.0.1") -> str:
        return f"{scheme}://{host}:{self.port}{path}"

    def close(self) -> None:
        self.over.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(10)

    def _serve(self) -> None:
        while not self.over.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with suppress(OSError, ValueError), connection:  # such as TLS where none is spoken
            if self._tls is not None:
                connection = self._tls.wrap_socket(connection, server_side=True)
            with connection:
                self.requests.append(_read(connection))
                self.reply(connection, self.over)


def _read(connection: socket.socket) -> Request:
    data = b""
    while b"\r\n\r\n" not in data:
        data += connection.recv(65536) or b"\r\n\r\n"
    head, _, body = data.partition(b"\r\n\r\n")
    line, *rest = head.decode().split("\r\n")
    headers = {k.lower(): v for k, _, v in (one.partition(": ") for one in rest)}
    while len(body) < int(headers.get("content-length", 0)):
        body += connection.recv(65536)
    return Request(line, headers, body.decode())


def answering(status: int, *headers: str, body: str = "") -> Reply:
    """Answers with a status, at once."""
    lines = [f"HTTP/1.1 {status} X", f"content-length: {len(body)}", *headers, "", body]

    def reply(connection: socket.socket, over: Event) -> None:
        connection.sendall("\r\n".join(lines).encode())

    return reply


def silent(connection: socket.socket, over: Event) -> None:
    """Never answers."""
    over.wait(60)


def dripping(connection: socket.socket, over: Event) -> None:
    """Sends the head of an answer, a letter at a time, and never ends it."""
    connection.sendall(b"HTTP/1.1 200 OK\r\n")
    while not over.wait(0.02):
        connection.sendall(b"x")


def endless(connection: socket.socket, over: Event) -> None:
    """Answers well, and goes on for ever."""
    connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    while not over.is_set():
        connection.sendall(b"x" * 65536)


def resetting(connection: socket.socket, over: Event) -> None:
    """Tears the connection down."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")


def babbling(connection: socket.socket, over: Event) -> None:
    """Speaks another language."""
    connection.sendall(b"SSH-2.0-OpenSSH_9.9\r\n")


@contextmanager
def receiver(reply: Reply | None = None, tls: ssl.SSLContext | None = None) -> Iterator[Receiver]:
    """A receiver for this block."""
    found = Receiver(reply or answering(200), tls)
    try:
        yield found
    finally:
        found.close()
