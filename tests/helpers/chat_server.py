"""A stand-in for somebody's server on this machine: it says what a test wants said, and keeps what it was asked.

with answering(Said(json={"choices": [...]})) as server:
    ... server.url, server.asked
"""

from __future__ import annotations

import contextlib
import json as json_
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Asked:
    """One request: method, path, headers by lower-case name, and its JSON body or None."""

    method: str
    path: str
    headers: dict[str, str]
    body: Any


@dataclass(frozen=True)
class Said:
    """One answer; `raw` writes to the connection itself instead."""

    json: Any = None
    status: int = 200
    kind: str = "application/json"
    text: str | None = None
    headers: dict[str, str] = field(default_factory=dict)
    raw: Callable[[Any], None] | None = None


@dataclass
class Server:
    url: str
    asked: list[Asked]


def reply(text: Any) -> Said:
    """A chat completion with this content."""
    return Said({"object": "chat.completion", "choices": [{"index": 0, "message": {"content": text}}]})


@contextlib.contextmanager
def answering(*says: Said | Callable[[Asked], Said], models: list[str] | None = None) -> Iterator[Server]:
    """A server whose chat completions are `says` one after another (the last again and again).

    `models` are what its list has; None: it has no such list.
    """
    asked: list[Asked] = []
    waiting = list(says)
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            pass

        def do_GET(self) -> None:
            self.take(None)

        def do_POST(self) -> None:
            self.take(json_.loads(self.rfile.read(int(self.headers["content-length"]))))

        def take(self, body: Any) -> None:
            request = Asked(self.command, self.path, {k.lower(): v for k, v in self.headers.items()}, body)
            with lock:
                asked.append(request)
                said = self.choose(request)
            said = said(request) if callable(said) else said
            if said.raw is not None:
                with contextlib.suppress(OSError):  # the client may have gone away
                    said.raw(self.wfile)
                return
            data = (json_.dumps(said.json) if said.text is None else said.text).encode()
            self.send_response(said.status)
            for name, value in {"content-type": said.kind, "content-length": str(len(data)), **said.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)

        def choose(self, request: Asked) -> Said | Callable[[Asked], Said]:
            if request.path.endswith("/models"):
                if models is None:
                    return Said({"error": {"message": "no list"}}, 404)
                return Said({"object": "list", "data": [{"id": name} for name in models]})
            return waiting.pop(0) if len(waiting) > 1 else waiting[0]

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield Server(f"http://127.0.0.1:{server.server_port}", asked)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
