"""Messages of a conversation, in the form that chat templates take: who speaks, and what, words and photos."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pseudogd.errors import InputError

Message = dict[str, Any]
Exchange = tuple[Message, Message]
"""A question of the user (with the photo) and the assistant's answer."""


def up_to_last_answer(messages: Sequence[Message]) -> list[Message]:
    """The messages up to the assistant's last.

    Raises:
        InputError: the assistant says nothing, begins, or shows a photo.
    """
    answers = [index for index, message in enumerate(messages) if message["role"] == "assistant"]
    if not answers:
        raise InputError("has no turn of the assistant, so there is nothing to learn")
    if answers[0] == 0:
        raise InputError("begins with the assistant; a conversation begins with the user")
    if any(photo_count(messages[index]) for index in answers):
        raise InputError("a picture stands in the assistant's own turn")
    return list(messages[: answers[-1] + 1])


def words(message: Message) -> str:
    """What is said in it."""
    content = message["content"]
    return content if isinstance(content, str) else "".join(part.get("text", "") for part in content)


def photo_count(message: Message) -> int:
    """How many photos are shown in it."""
    content = message["content"]
    return 0 if isinstance(content, str) else sum(part["type"] == "image" for part in content)


def without_photos(message: Message) -> Message:
    """The same words alone."""
    return {**message, "content": [part for part in message["content"] if part["type"] != "image"]}
