"""One request over HTTP with the standard library: bounded in time and size, no redirects, errors in one line."""

from __future__ import annotations

import http.client
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from pseudogd.errors import InputError

MAX_BYTES = 16 << 20
_PIECE = 1 << 16


@dataclass(frozen=True)
class Response:
    """What a server said: status, headers by lower-case name, body."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def kind(self) -> str:
        """The content type without its parameters, or an empty text."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()


class _AnyStatus(urllib.request.HTTPErrorProcessor):
    """Hands on every status as it is: a redirect that was followed would take the key to another server."""

    def http_response(self, request: Any, response: Any) -> Any:
        return response

    https_response = http_response


def fetch(url: str, headers: Mapping[str, str], timeout: float, body: bytes | None = None) -> Response:
    """GET, or POST of `body`.

    `timeout` in seconds bounds each wait for the server and the whole of its answer. A proxy that the environment names
    is used, but not for this machine's own address.

    Raises:
        InputError: nothing answers, the answer takes too long or is cut off, or it is larger than `MAX_BYTES`.
    """
    host = urlsplit(url).hostname or ""
    own = host in ("localhost", "::1") or host.startswith("127.")
    opener = urllib.request.build_opener(_AnyStatus, *([urllib.request.ProxyHandler({})] if own else []))
    try:
        request = urllib.request.Request(url, body, dict(headers))
        with opener.open(request, timeout=timeout) as response:
            return Response(
                response.status,
                {name.lower(): value for name, value in response.headers.items()},
                _read(response, url, timeout),
            )
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise InputError(f"{url}: {_why(error, timeout)}") from error


def _read(response: Any, url: str, timeout: float) -> bytes:
    """The body, piece by piece: a server that sends a byte now and then would never run into a socket's time-out."""
    end = time.monotonic() + timeout
    pieces: list[bytes] = []
    size = 0
    while piece := response.read1(_PIECE):
        pieces.append(piece)
        size += len(piece)
        if size > MAX_BYTES:
            raise InputError(f"{url}: the answer has more than {MAX_BYTES >> 20} MiB; this is no chat server")
        if time.monotonic() > end:
            raise TimeoutError
    if response.length:
        raise http.client.IncompleteRead(b"", response.length)
    return b"".join(pieces)


def _why(error: Exception, timeout: float) -> str:
    reason = getattr(error, "reason", None) if isinstance(error, urllib.error.URLError) else error
    if isinstance(reason, TimeoutError):
        return f"no answer within {timeout:g} s; raise --timeout, or look whether the server is at work"
    if isinstance(reason, ssl.SSLError):
        return f"no secure connection ({reason.reason or reason}); a server without a certificate wants http://"
    if isinstance(reason, (ConnectionResetError, BrokenPipeError, http.client.HTTPException)):
        return f"the server broke off ({type(reason).__name__}); its log may say why"
    if isinstance(reason, OSError):
        return f"no server answers there ({reason.strerror or reason}); start it, or mend the address"
    return f"cannot be asked ({reason})"
