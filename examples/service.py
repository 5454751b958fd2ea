"""Answers over HTTP with nothing but the library and the standard library.

    python examples/service.py FOLDER [PORT]

    POST /predict   {"input": …, "user": "alice", "request_id": "…"}   an answer and its id
    POST /feedback  {"prediction_id": 7, "label": "positive"}          the truth about it

The registry in FOLDER is opened once; when the traffic is changed by `mlreg`, the next answer
follows. This server is for a demonstration: it knows neither TLS nor users.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import mlreg
from mlreg.errors import InvalidInput, NoActiveVersion, NotFound
from mlreg.jsonable import dumps

STATUS = {InvalidInput: 400, NotFound: 404, NoActiveVersion: 503}


class Handler(BaseHTTPRequestHandler):
    """One request."""

    registry: mlreg.Registry

    def do_POST(self) -> None:
        """Answer, or say as JSON what is wrong."""
        known = {"/predict": self.predict, "/feedback": self.feedback}
        try:
            action = known.get(self.path)
            if action is None:
                raise NotFound(f"POST to {' or '.join(known)}")
            self.reply(200, action(self.body()))
        except mlreg.MlregError as error:
            status = next((STATUS[cls] for cls in type(error).__mro__ if cls in STATUS), 500)
            self.reply(status, {"error": {"code": error.code, "message": error.message}})

    def predict(self, asked: dict[str, Any]) -> object:
        """An answer from the version that the traffic picks."""
        return self.registry.predictions.predict(
            asked.get("input"),
            model=asked.get("model"),
            unit=asked.get("user"),
            request_id=asked.get("request_id"),
        )

    def feedback(self, told: dict[str, Any]) -> object:
        """A receipt for the truth about an answer."""
        return self.registry.feedback.record(told.get("prediction_id", 0), told.get("label"))

    def body(self) -> dict[str, Any]:
        """The JSON object that was posted."""
        try:
            found = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))))
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise InvalidInput("the body must be a JSON object")
        return found

    def reply(self, status: int, document: object) -> None:
        """Send a record as JSON."""
        data = dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    log_message: Callable[..., None] = lambda *_: None  # the registry has the log


def main(folder: str, port: int) -> None:
    """Serve until interrupted."""
    with mlreg.open(folder, actor="service") as Handler.registry:
        server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        print(f"http://127.0.0.1:{server.server_port}", flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            server.server_close()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 8000)
