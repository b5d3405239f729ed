"""Both ways of alerting, as a test sees them: a command that keeps what it is given, and a webhook on this machine."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

END_OF_A_CALL = "-- told --\n"


@contextmanager
def webhook(status: int = 200) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """The address of a webhook that answers with ``status``, and what it has got: body, path and authorization of each request."""
    got: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            got.append({"path": self.path, "authorization": self.headers["Authorization"], **json.loads(body)})
            self.send_response(status)
            self.send_header("Location", "http://127.0.0.1:9/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Keep the tests' output clean."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/secret-path", got
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def keeping(file: Path) -> str:
    """A command that adds what it is given to a file."""
    return f'sh -c \'cat >> "$0"; printf -- "{END_OF_A_CALL.rstrip()}\\n" >> "$0"\' {file}'


def calls(file: Path) -> list[str]:
    """What the command was given, call by call."""
    return file.read_text(encoding="utf-8").split(END_OF_A_CALL)[:-1] if file.exists() else []
