"""A model behind a server as a backend of a bench: several questions under way at a time."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from pseudogd.benchmarks.backends.base import Request
from pseudogd.benchmarks.backends.chat_server import ChatServer


class ServedBackend:
    """Replies of a `ChatServer` that names its model.

    What the server runs is the server's affair: weights, precision, and whether a reply depends on its batch there.
    ``at_a_time``: questions under way; servers make batches of them.
    """

    def __init__(self, server: ChatServer, at_a_time: int = 8) -> None:
        self.server = server
        self.at_a_time = at_a_time

    def identity(self) -> dict[str, Any]:
        """The name and the server's address: nothing is known of the weights behind them."""
        return {"name": self.server.model, "server": self.server.url}

    def generate(self, requests: Sequence[Request]) -> list[str]:
        with ThreadPoolExecutor(self.at_a_time) as hands:
            return list(hands.map(self._reply, requests))

    def _reply(self, request: Request) -> str:
        # none at all is a wrong answer, as an empty one is
        return self.server.reply(request.image, request.text, request.max_new_tokens) or ""
