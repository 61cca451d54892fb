"""Greedy answers to questions about photos, in batches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from os import PathLike
from typing import Any

import torch

from pseudogd.student.chat import chat_text, encode_chats, user_turn
from pseudogd.student.load import Student
from pseudogd.student.prefix import can_share, shared_length, with_shared_prefix

_THOUGHT = "</think>"  # ends what a model that thinks aloud says before its answer

Photo = Any
"""A PIL image (upright, RGB), or the path of a photo, which is then read when its batch is due."""


@torch.inference_mode()
def generate_answers(
    student: Student,
    items: Sequence[tuple[Photo, str]],
    max_new_tokens: int = 16,
    batch_size: int = 32,
    precision: str = "fp32",
    progress: Callable[[int], None] | None = None,
) -> list[str]:
    """Answer (photo, prompt) pairs, in order.

    Questions about one photo (the same object, or the same path) are asked together: the photo is encoded once, and the
    language model reads it once where the chat template puts it before the question.
    Prompts are padded on the left, so that in float32 an answer does not depend on its batch.

    Args:
        student: model, processor and family.
        items: photos and the user's text about each.
        max_new_tokens: at most so many tokens an answer.
        batch_size: questions at a time.
        precision: "fp32" (the weights' own) or "bf16" (autocast: faster, and no longer independent of the batch).
        progress: called with the number of questions answered since the last call.

    Raises:
        InputError: a photo cannot be read, or the checkpoint has no chat template.
    """
    keys = [_key(photo) for photo, _ in items]
    first = {key: i for i, key in reversed(list(enumerate(keys)))}
    order = sorted(range(len(items)), key=lambda i: (first[keys[i]], i))
    answers = [""] * len(items)
    was_training = student.model.training
    student.model.eval()
    for start in range(0, len(order), batch_size):
        batch = order[start : start + batch_size]
        texts = _answer_batch(student, [items[i] for i in batch], [keys[i] for i in batch], max_new_tokens, precision)
        for i, text in zip(batch, texts):
            answers[i] = text
        if progress is not None:
            progress(len(batch))
    student.model.train(was_training)
    return answers


def _answer_batch(
    student: Student, items: Sequence[tuple[Photo, str]], keys: Sequence[Any], max_new_tokens: int, precision: str
) -> list[str]:
    images: dict[Any, Any] = {}
    for key, (photo, _) in zip(keys, items):
        if key not in images:
            images[key] = _read(photo)
    texts = [chat_text(student.processor, [user_turn(prompt)], ask=True) for _, prompt in items]
    inputs = encode_chats(student.processor, texts, [images[k] for k in keys]).to(student.device)
    with _autocast(student, precision):
        arguments = _arguments(student, inputs, [keys.index(k) for k in keys])
        out = student.model.generate(**arguments, generation_config=_greedy(student, max_new_tokens))
    new = out[:, arguments["input_ids"].shape[1] :]
    texts = student.processor.tokenizer.batch_decode(new, skip_special_tokens=True)
    return [text.rpartition(_THOUGHT)[2].strip() for text in texts]


def _arguments(student: Student, inputs: Any, same: Sequence[int]) -> dict[str, Any]:
    """Arguments of `generate`; `same[i]` is the first prompt that is about prompt i's photo."""
    family, model = student.family, student.model
    if not family.shares_photos:
        return dict(inputs)
    distinct = sorted(set(same))
    encoded = family.encode_distinct(model, inputs, distinct)
    rows = [distinct.index(photo) for photo in same]
    if len(distinct) < len(same) and can_share(student):
        length = shared_length(inputs["input_ids"], inputs["attention_mask"], model.config.image_token_id)
        if length:
            return with_shared_prefix(student, inputs, encoded, rows, length)
    return family.language_inputs(inputs, family.repeated(encoded, rows))


def _greedy(student: Student, max_new_tokens: int) -> Any:
    from transformers import GenerationConfig

    own = student.model.generation_config
    tokenizer = student.processor.tokenizer
    end = own.eos_token_id if own.eos_token_id is not None else tokenizer.eos_token_id
    return GenerationConfig(
        max_new_tokens=max_new_tokens,
        do_sample=False,
        num_beams=1,
        # what is not said here would come from the checkpoint, whose penalties are meant for sampling
        repetition_penalty=1.0,
        no_repeat_ngram_size=0,
        eos_token_id=end,
        pad_token_id=tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id,
    )


def _autocast(student: Student, precision: str) -> Any:
    if precision == "fp32":
        return nullcontext()
    if precision != "bf16":
        raise ValueError(f"precision {precision!r} is not one of 'fp32', 'bf16'")
    return torch.autocast(student.device.type, dtype=torch.bfloat16)


def _key(photo: Photo) -> Any:
    return str(photo) if isinstance(photo, (str, PathLike)) else id(photo)


def _read(photo: Photo) -> Any:
    if not isinstance(photo, (str, PathLike)):
        return photo
    from pseudogd.store.photos import load_photo

    return load_photo(photo)
