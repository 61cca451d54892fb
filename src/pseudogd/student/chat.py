"""Turn messages into the text and tensors of a checkpoint's own chat template: the same in training and in use."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pseudogd.errors import InputError

Message = dict[str, Any]


def user_turn(text: str, with_image: bool = True) -> Message:
    """One user message; the photo, if any, comes before the text."""
    content: list[dict[str, str]] = [{"type": "image"}] if with_image else []
    return {"role": "user", "content": [*content, {"type": "text", "text": text}]}


def chat_text(processor: Any, messages: Sequence[Message], ask: bool = False) -> str:
    """The conversation as the template writes it; with `ask`, up to where the assistant begins to speak.

    Raises:
        InputError: the checkpoint has no chat template.
    """
    if not (getattr(processor, "chat_template", None) or getattr(processor.tokenizer, "chat_template", None)):
        raise InputError("this checkpoint has no chat template; add chat_template.jinja to its folder")
    settings = template_settings(processor)
    return processor.apply_chat_template(list(messages), add_generation_prompt=ask, tokenize=False, **settings)


def template_settings(processor: Any) -> dict[str, Any]:
    """What the checkpoint's template is told beside the messages.

    Answers are asked for at once: a model that thinks aloud first would need many tokens to get to one, and training on
    answers alone would teach it that thoughts are empty. Templates that know no such switch are told nothing.
    """
    template = getattr(processor, "chat_template", None) or getattr(processor.tokenizer, "chat_template", None)
    return {"enable_thinking": False} if "enable_thinking" in str(template) else {}


def encode_chats(processor: Any, texts: Sequence[str], images: Sequence[Any], padding_side: str = "left") -> Any:
    """Token ids, mask and pixels of a batch of conversations, one photo each.

    A template that writes the start token itself must not get a second one from the tokenizer.

    Raises:
        InputError: the processor refuses a photo.
    """
    tokenizer = processor.tokenizer
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    bos = tokenizer.bos_token
    return run_processor(
        processor,
        images=[[image] for image in images],  # one list each: some processors take a flat one for a single prompt's
        text=list(texts),
        padding=True,
        padding_side=padding_side,
        add_special_tokens=not (bos and texts[0].startswith(bos)),
        return_tensors="pt",
    )


def run_processor(processor: Any, images: Sequence[Sequence[Any]], **arguments: Any) -> Any:
    """What the processor makes of photos and text.

    Raises:
        InputError: it refuses a photo (some take none that is 200 times as long as wide).
    """
    try:
        return processor(images=images, **arguments)
    except ValueError as e:
        sizes = ", ".join(f"{photo.width}x{photo.height}" for photos in images for photo in photos)
        raise InputError(f"the processor cannot read photos of {sizes} pixels: {e}") from e
