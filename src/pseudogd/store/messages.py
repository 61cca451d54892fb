"""Messages of a conversation as they stand in files, in one form: what chat templates of all checkpoints can read."""

from __future__ import annotations

import json
from typing import Any

from pseudogd.errors import InputError

ROLES = ("system", "user", "assistant")


def read_messages(value: Any) -> list[dict[str, Any]]:
    """Messages whose content is a list of `{"type": "text", "text"}` and `{"type": "image"}`, whatever else was there.

    Raises:
        InputError: no messages, an unknown role, or a part that is neither text nor image.
    """
    if isinstance(value, str):  # Parquet writers without nested types
        try:
            value = json.loads(value)
        except (ValueError, RecursionError) as error:
            raise InputError(f"messages are not JSON ({error})") from error
    if not isinstance(value, list) or not value:
        raise InputError("has no messages")
    return [_message(message) for message in value]


def _message(message: Any) -> dict[str, Any]:
    role = message.get("role") if isinstance(message, dict) else None
    if role not in ROLES:
        raise InputError(f"role {role!r} is not one of {', '.join(ROLES)}")
    content = message.get("content")
    if isinstance(content, str):
        content = [{"type": "text", "text": content}]
    if not isinstance(content, list):
        raise InputError(f"a message of the {role} has no content")
    return {"role": role, "content": [_part(part) for part in content]}


def _part(part: Any) -> dict[str, Any]:
    kind = part.get("type") if isinstance(part, dict) else None
    if kind == "image":
        return {"type": "image"}
    if kind == "text" and isinstance(part.get("text"), str):
        return {"type": "text", "text": part["text"]}
    raise InputError(f"a part of type {kind!r} is neither text nor image")
