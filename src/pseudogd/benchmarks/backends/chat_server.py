"""A model behind an OpenAI-compatible server (transformers serve, vLLM and others): one photo, one text, one reply."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pseudogd.benchmarks.backends.transport import Response, fetch
from pseudogd.errors import InputError

KEY_VARIABLE = "PSEUDOGD_API_KEY"
TIMEOUT = 120.0
"""Seconds; a server on a CPU that loads a model at the first question needs most of them."""
_WITHOUT_NAME = (400, 404, 422, 500)
"""How servers refuse a request that names no model."""
_SHOWN = 300
_QUALITY = 95
_SENT_AS_IT_IS = {"JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp"}
_ORIENTATION = 0x0112


class ChatServer:
    """Asks greedily, by ``POST /v1/chat/completions`` with the photo as a data URL, without streaming.

    Args:
        url: of the server (``http://localhost:8000``), or of its API where that is elsewhere (``https://host/api/v1``).
        model: the name it serves the model under. None leaves the choice to the server; one that wants a name is asked
            which it has, and if that is one, it is taken.
        api_key: sent as a bearer token; None takes the environment variable PSEUDOGD_API_KEY, if it is set.
        timeout: seconds for one reply.

    Raises:
        InputError: an address or a key that cannot be used.
    """

    def __init__(self, url: str, model: str | None = None, api_key: str | None = None, timeout: float = TIMEOUT):
        self.url = api_address(url)
        self.model = model
        self.timeout = timeout
        key = (os.environ.get(KEY_VARIABLE, "") if api_key is None else api_key).strip()
        if not (key.isascii() and key.isprintable()):
            raise InputError(f"the API key holds characters that no key has; mend --api-key or {KEY_VARIABLE}")
        if timeout <= 0:
            raise InputError(f"time-out {timeout:g}: must be more than 0 seconds")
        self._key = key

    def reply(self, image: str | os.PathLike[str], text: str, max_new_tokens: int) -> str | None:
        """The reply to `text` about a photo; None where the server sends none (all tokens went into reasoning).

        Raises:
            InputError: the photo cannot be read, nothing answers, or the server refuses or does not speak the protocol.
        """
        parts = [{"type": "image_url", "image_url": {"url": data_url(image)}}, {"type": "text", "text": text}]
        # no penalty: transformers serve would take one from the checkpoint, and a local greedy answer knows none
        request: dict[str, Any] = {"messages": [{"role": "user", "content": parts}], "max_tokens": max_new_tokens}
        request |= {"temperature": 0, "frequency_penalty": 0, "stream": False}
        if self.model is not None:
            return self._text(self._post(request | {"model": self.model}))
        response = self._post(request)
        if response.status in _WITHOUT_NAME and (name := self._only_model()) is not None:
            self.model = name
            response = self._post(request | {"model": name})
        return self._text(response)

    def models(self) -> list[str]:
        """Names of the models that the server lists; an empty list where it lists none or has no such list."""
        response = fetch(f"{self.url}/models", self._headers(), self.timeout)
        listed = _json(response.body)
        rows = listed.get("data") if isinstance(listed, dict) and _is_good(response) else None
        rows = rows if isinstance(rows, list) else []
        return [row["id"] for row in rows if isinstance(row, dict) and isinstance(row.get("id"), str)]

    def _only_model(self) -> str | None:
        names = self.models()
        if len(names) > 1:
            raise InputError(f"{self.url}: say which model is meant; the server has {_listed(names)}")
        return names[0] if names else None

    def _models_if_listed(self) -> list[str]:
        try:
            return self.models()
        except InputError:
            return []

    def _post(self, request: Mapping[str, Any]) -> Response:
        body = json.dumps(request).encode()
        headers = self._headers() | {"Content-Type": "application/json"}
        return fetch(f"{self.url}/chat/completions", headers, self.timeout, body)

    def _headers(self) -> dict[str, str]:
        from pseudogd import __version__

        key = {"Authorization": f"Bearer {self._key}"} if self._key else {}
        return {"Accept": "application/json", "User-Agent": f"pseudogd/{__version__}", **key}

    def _text(self, response: Response) -> str | None:
        if not _is_good(response):
            raise InputError(f"{self.url}: {self._refusal(response)}")
        if response.kind == "text/event-stream":
            raise InputError(
                f"{self.url}: the server streams its answer though it was asked not to; turn that off there"
            )
        answer = _json(response.body)
        if answer is None:
            raise InputError(
                f"{self.url}: the answer is {response.kind or 'of no type'} and not JSON; this is no OpenAI-compatible "
                "server, or its API has another address (often ending with /v1)"
            )
        try:
            content = answer["choices"][0]["message"]["content"]
        except (KeyError, IndexError, TypeError):
            said = _message(answer)
            raise InputError(f"{self.url}: {self._said(said) if said else 'JSON without a reply in it'}") from None
        if isinstance(content, list):  # in parts, as a request's content is
            content = "".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
        return content.strip() if isinstance(content, str) else None

    def _refusal(self, response: Response) -> str:
        status, said = response.status, _message(_json(response.body)) or _plain(response)
        if 300 <= status < 400:
            return f"leads on to {response.headers.get('location', 'nowhere')}; give the address of the server itself"
        if status in (401, 403):
            return f"the server does not take the key ({self._said(said, status)}); set {KEY_VARIABLE} or --api-key"
        if status == 404:
            names = self._models_if_listed()
            if names and self.model not in names:
                return f"has no model {self.model!r}; it has {_listed(names)}"
            return f"has no such model, or no chat completions at this address ({self._said(said, status)})"
        if status == 500 and not said:
            return "the server failed (500) and does not say why; its log does"
        return self._said(said, status)

    def _said(self, text: str, status: int | None = None) -> str:
        """The server's own words on one line, without our key."""
        words = " ".join(text.split()) or "nothing more"
        if self._key:
            words = words.replace(self._key, "[key]")
        short = words if len(words) <= _SHOWN else words[:_SHOWN] + "..."
        return f"the server says{'' if status is None else f' {status}'}: {short}"


def api_address(url: str) -> str:
    """``http://host:8000`` -> ``http://host:8000/v1``; an address with a path is taken as it is.

    Raises:
        InputError: not an address of a server.
    """
    text = str(url).strip().rstrip("/")
    if any(letter.isspace() or not letter.isprintable() for letter in text):
        raise InputError(f"{text!r}: not the address of a server; write it like http://localhost:8000")
    try:
        parts = urlsplit(text)
        usable = bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        parts, usable = urlsplit(""), False
    if parts.scheme not in ("http", "https") or not usable or parts.query or parts.fragment:
        raise InputError(f"{url}: not the address of a server; write it like http://localhost:8000")
    if parts.username is not None or parts.password is not None:
        raise InputError(f"{parts.scheme}://...@{parts.hostname}: leave the name out; give a key by {KEY_VARIABLE}")
    text = text.removesuffix("/chat/completions")
    return text if urlsplit(text).path else f"{text}/v1"


def data_url(image: str | os.PathLike[str]) -> str:
    """A photo as every server reads it: the file's own bytes where it is a plain upright RGB picture, else a PNG of it.

    A JPEG so large that it is read reduced is sent as it is read, as JPEG again.

    Raises:
        InputError: the file is no photo that can be read.
    """
    from PIL import Image

    from pseudogd.store.photos import open_photo

    path, buffer = Path(image), BytesIO()
    loaded = open_photo(path)
    if loaded.is_reduced:
        loaded.image.save(buffer, "JPEG", quality=_QUALITY)
        return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"
    data = path.read_bytes()
    with Image.open(BytesIO(data)) as there:
        plain = there.mode == "RGB" and loaded.exif.get(_ORIENTATION, 1) == 1 and getattr(there, "n_frames", 1) == 1
        kind = _SENT_AS_IT_IS.get(there.format or "") if plain else None
    if kind is None:
        kind = "image/png"
        loaded.image.save(buffer, "PNG")
        data = buffer.getvalue()
    return f"data:{kind};base64,{base64.b64encode(data).decode('ascii')}"


def _is_good(response: Response) -> bool:
    return 200 <= response.status < 300


def _json(body: bytes) -> Any:
    """What JSON says, or None."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _message(answer: Any) -> str:
    """A server's words about an error, in the ways that servers put them; empty where there are none."""
    if isinstance(answer, str):
        return answer
    if isinstance(answer, list):
        return "; ".join(filter(None, map(_message, answer)))
    if isinstance(answer, dict):
        return next((text for key in ("error", "detail", "message", "msg") if (text := _message(answer.get(key)))), "")
    return ""


def _plain(response: Response) -> str:
    """The body where it is text that says something; a page or a standard phrase says nothing."""
    text = response.body[: 4 * _SHOWN].decode("utf-8", "replace").strip()
    return text if response.kind == "text/plain" and text.lower() != "internal server error" else ""


def _listed(names: list[str], most: int = 8) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
