"""From a recipe to what is trained: student, geometry head, rows, collator."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from pseudogd.distill.balance import GradientBalance
from pseudogd.distill.kinds import JointWeights
from pseudogd.errors import InputError
from pseudogd.store.conversations import Conversations
from pseudogd.store.dataset import Store
from pseudogd.student.families.base import FamilyAdapter
from pseudogd.student.head import GeometryHead
from pseudogd.student.joint import Joint
from pseudogd.student.load import Student, load_student
from pseudogd.student.taps import resolve_taps
from pseudogd.training.checks import check_coverage, coverage
from pseudogd.training.collator import JointCollator
from pseudogd.training.dataset import build_rows
from pseudogd.training.mix import Reader, mixed_rows
from pseudogd.training.parameters import prepare
from pseudogd.training.photos import PhotoInputs, head_biases
from pseudogd.training.recipe import Recipe
from pseudogd.training.rows import Rows, Size
from pseudogd.training.tokens import PhotoTokens
from pseudogd.training.turns import TurnEncoder

_BIAS_PHOTOS = 64
_SAMPLE_BYTES = 1 << 20
# language models that take a 4-D mask and plain positions; others count positions in ways that a mask cannot mend
_TAKES_MASK = frozenset({"llama", "mistral", "qwen2", "qwen3", "phi3", "gemma", "gemma2", "smollm3", "granite"})


@dataclass
class Setup:
    """Everything a trainer needs."""

    student: Student
    joint: Joint
    rows: Rows
    collator: JointCollator
    photos: PhotoInputs
    isolated: bool


def build(recipe: Recipe, store: Store) -> Setup:
    """Load and join the parts. The same recipe, data and base give the same start, whatever the arm.

    Raises:
        InputError: a part cannot be loaded, or the parts do not fit.
    """
    student = load_student(recipe.model.path, dtype=recipe.model.dtype)
    recipe = with_turns(recipe, student)
    general = conversations_of(recipe)
    rows = rows_of(recipe, store, student, general)
    return assemble(recipe, student, rows, photos_of(recipe, store, student.family, general))


def photos_of(recipe: Recipe, store: Store, family: FamilyAdapter, general: Conversations | None) -> PhotoInputs:
    """The photos as the student reads them, with targets where the arm has geometry."""
    encoder = recipe.geometry.place == "encoder"
    place = ("encoder" if encoder else "projector") if recipe.uses_geometry else None
    cache, parts = recipe.data.cache_mb, recipe.geometry.subcells
    return PhotoInputs(store, family, place, _half(recipe), cache, parts, general)


def assemble(recipe: Recipe, student: Student, rows: Rows, photos: PhotoInputs) -> Setup:
    """The parts of `build`, joined; the student is changed in place."""
    student.model = prepare(student.model, student.family, recipe)
    if recipe.optim.gradient_checkpointing:
        _checkpoint_activations(student.model)
    joint = _joint(recipe, student, photos, rows)
    collator = collator_of(recipe, student.processor, photos)
    return Setup(student, joint, rows, collator, photos, collator.isolated)


def collator_of(recipe: Recipe, processor: Any, photos: PhotoInputs) -> JointCollator:
    """What makes batches of rows."""
    tokenizer = processor.tokenizer
    pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id
    isolated, words = recipe.data.turns == "isolated", recipe.arm != "geometry_only"
    return JointCollator(photos, pad, isolated, recipe.uses_geometry, _half(recipe), words)


def _half(recipe: Recipe) -> torch.dtype:
    return torch.bfloat16 if recipe.optim.precision == "bf16" else torch.float32


def _checkpoint_activations(model: Any) -> None:
    """Recompute activations in the backward pass; never reentrant, which can lose the tower's gradient silently."""
    enable = getattr(model, "activation_checkpointing_enable", None) or model.gradient_checkpointing_enable
    enable({"use_reentrant": False})


def model_digest(path: str) -> str:
    """A hash that tells one base checkpoint from another: names, sizes and samples of its weights and configs.

    A hub id stands for itself.
    """
    folder = Path(path)
    if not folder.is_dir():
        return path
    digest = hashlib.sha256()
    for file in sorted(folder.glob("*")):
        if file.suffix not in (".safetensors", ".json", ".jinja", ".model"):
            continue
        size = file.stat().st_size
        digest.update(f"{file.name} {size}\n".encode())
        with file.open("rb") as handle:
            digest.update(handle.read(_SAMPLE_BYTES))
            handle.seek(max(size - _SAMPLE_BYTES, 0))
            digest.update(handle.read(_SAMPLE_BYTES))
    return digest.hexdigest()


def conversations_of(recipe: Recipe) -> Conversations | None:
    """The conversations that are mixed in, if any."""
    return Conversations(str(recipe.data.general)) if recipe.uses_general else None


def rows_of(recipe: Recipe, store: Store, student: Student, general: Conversations | None) -> Rows:
    """The rows of a recipe whose turns are decided; of the student its processor and configs alone are read.

    Raises:
        InputError: as `dataset.build_rows` and `mix.mixed_rows`.
    """
    from PIL import Image

    family = student.family
    text = student.model.config.get_text_config()
    encoder = TurnEncoder(student.processor, _end_ids(student.model), family.photo_text(), family.processed_text)

    def photo_tokens(size: Size, together: int) -> PhotoTokens:
        return encoder.photo_tokens(Image.new("RGB", size), together)

    positions = getattr(text, "max_position_embeddings", None)
    if recipe.data.mix is None:
        return build_rows(store, encoder, recipe.data, recipe.seed, photo_tokens, positions, family.max_turns)
    reader = Reader(encoder, photo_tokens, positions, family.max_turns)
    return mixed_rows(recipe, store, reader, general)


def with_turns(recipe: Recipe, student: Student) -> Recipe:
    """The recipe with data.turns decided: isolated where the language model can do it, else chat.

    Raises:
        InputError: isolated was asked for and cannot be done.
    """
    turns, reason = recipe.data.turns, _not_isolated(student)
    if turns == "isolated" and reason:
        raise InputError(f"{reason}; set data.turns=chat")
    if turns == "auto":
        turns = "chat" if reason else "isolated"
    return recipe.model_copy(update={"data": recipe.data.model_copy(update={"turns": turns})})


def _not_isolated(student: Student) -> str | None:
    """Why questions of one photo cannot be kept from seeing each other, or None."""
    if not student.family.shares_prefix:
        return (
            f"data.turns=isolated gives the language model a mask of ours, but {student.family.config.model_type!r} "
            "makes its own, in which tokens of the photo see later ones"
        )
    text = student.model.config.get_text_config()
    attention = getattr(text, "_attn_implementation", "eager")
    if text.model_type not in _TAKES_MASK or attention not in ("eager", "sdpa"):
        return (
            f"data.turns=isolated needs a language model that takes a 4-D mask; {text.model_type!r} with attention "
            f"{attention!r} is not known to"
        )
    return None


def _end_ids(model: Any) -> list[int]:
    ends = model.generation_config.eos_token_id
    return [ends] if isinstance(ends, int) else list(ends or ())


def _joint(recipe: Recipe, student: Student, photos: PhotoInputs, rows: Rows) -> Joint:
    if not recipe.uses_geometry:
        return Joint(student.model, student.family, answer_logits=True)
    geometry = recipe.geometry
    taps = resolve_taps(geometry.taps, student.family, geometry.place)
    names = list(dict.fromkeys(rows.geometry_ids))
    sample = names[:: max(1, len(names) // _BIAS_PHOTOS)]
    seen = [photos[name].targets for name in sample]
    check_coverage(coverage(seen), geometry.min_coverage, len(seen))
    biases = head_biases(seen)
    torch.manual_seed(recipe.seed)
    shape = {"blocks": geometry.head_blocks, "subcells": geometry.subcells}
    head = GeometryHead.for_family(student.family, taps, geometry.head_width, **biases, **shape)
    weights = JointWeights(**geometry.weights.model_dump())
    anchor = "frozen" if geometry.weights.frozen else None
    balance = GradientBalance()
    head.requires_grad_(recipe.optim.lr.head > 0)
    options = {"answer_logits": True, "anchor_dtype": _half(recipe)}
    return Joint(student.model, student.family, head, weights, taps, anchor, balance, **options)
