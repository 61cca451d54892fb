"""What every family of vision-language models must say about itself, and how an adapter is found.

A new family is one new file in this folder: a subclass of `FamilyAdapter` that names its `model_types`;
docs/new-family.md walks through it. Nothing here touches a tensor before it is asked to, so that a data worker can
compute views without torch.
"""

from __future__ import annotations

import importlib
import pkgutil
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pseudogd.errors import InputError

if TYPE_CHECKING:
    import torch
    from torch import nn

PLACES = ("encoder", "projector")


@dataclass(frozen=True)
class View:
    """One rectangular grid of visual tokens and where in the photo each of them looks.

    Attributes:
        name: for people, such as "centre crop".
        grid: (h, w) cells.
        tokens: (h*w,) int64. `tokens[i]` is the flat index of row-major cell i among this photo's own tokens in the
            tower's output (class token and the like counted), or in the projector's output for place "projector".
        boxes: (h*w, 4) float64, x0, y0, x1, y1 in pixels of the original upright photo: edges, so that the whole
            photo is (0, 0, width, height). A box may stick out of the photo where the input was padded.
        is_global: whether the view shows the whole photo (not a tile of it).
        cell: side of a cell in pixels of the tower's input: the patch, or several of them where the projector merges.
            Not a whole number where it resamples.
    """

    name: str
    grid: tuple[int, int]
    tokens: np.ndarray
    boxes: np.ndarray
    is_global: bool
    cell: float


@dataclass
class Encoded:
    """The vision side of one forward pass.

    Attributes:
        output: what the tower and projector returned, to be handed on to the language model.
        hidden_states: the tower's states, embeddings first, or None if they were not asked for.
        tokens: (all visual tokens of the batch, D_text): what the language model reads.
    """

    output: Any
    hidden_states: tuple[torch.Tensor, ...] | None
    tokens: torch.Tensor


class FamilyAdapter(ABC):
    """Arithmetic and names of one family. Knows configs and processors; holds no weights.

    Attributes:
        model_types: the `model_type`s of configs that this adapter is for.
        pixel_keys: what of the processor's output the tower reads.
        kept_keys: those of `pixel_keys` that the language model wants too (Qwen-VL counts positions by the grid).
        lora_pattern: full-match regular expression of every linear layer of the tower's blocks, and of nothing else.
        shares_photos: whether `encode_distinct` and `repeated` exist, so that several questions can share one photo.
        shares_prefix: whether a photo can be read by the language model before the question that follows it, so that
            several questions can share that; not where tokens see later ones, under masks of the model's own.
        max_turns: questions that one conversation may hold; None for any number.
        chat_template: Jinja template for checkpoints of the family that have none of their own.
    """

    model_types: tuple[str, ...] = ()
    pixel_keys: tuple[str, ...] = ("pixel_values",)
    kept_keys: tuple[str, ...] = ()
    lora_pattern: str = ""
    shares_photos: bool = False
    shares_prefix: bool = True
    max_turns: int | None = None
    chat_template: str | None = None

    def __init__(self, config: Any, processor: Any = None):
        self.config = config
        self.processor = processor

    # ------------------------------------------------------------------------------------ what the config says
    @property
    def depth(self) -> int:
        """Number of blocks of the tower; it has depth + 1 hidden states."""
        return int(self.config.vision_config.num_hidden_layers)

    @property
    def tower_width(self) -> int:
        """Width of the tower's hidden states."""
        return int(self.config.vision_config.hidden_size)

    @property
    def text_width(self) -> int:
        """Width of the tokens that leave the projector."""
        return int(self.config.text_config.hidden_size)

    @property
    def last_read(self) -> int:
        """Index (0..depth) of the deepest hidden state that the projector reads."""
        return self.depth

    def default_taps(self) -> list[int]:
        """Up to four hidden states, evenly over the last three quarters of the depth, none that language never sees."""
        first = max(1, round(self.depth / 4))
        return sorted({int(v) for v in np.rint(np.linspace(min(first, self.last_read), self.last_read, 4))})

    @property
    def image_token_id(self) -> int:
        """The token in whose places the language model reads the photo."""
        return int(self.config.image_token_id)

    @property
    def text_depth(self) -> int:
        """Number of layers of the language model; it has text_depth + 1 hidden states."""
        return int(self.config.get_text_config().num_hidden_layers)

    def tap_width(self, place: str) -> int:
        """Width of what a tap at `place` ("encoder", "projector" or "llm") reads."""
        if place == "llm":
            return int(self.config.get_text_config().hidden_size)
        return self.text_width if place == "projector" else self.tower_width

    # ------------------------------------------------------------------------------------------ where tokens look
    @abstractmethod
    def views(
        self, image_size: tuple[int, int], encoding: Mapping[str, Any], index: int = 0, place: str = "encoder"
    ) -> list[View]:
        """The views of one photo.

        Args:
            image_size: (width, height) of the original upright photo, as `PIL.Image.size` gives it.
            encoding: what the processor returned for the photo, or for a batch of photos.
            index: which photo of `encoding`.
            place: "encoder" for the tower's tokens, "projector" for those that the language model reads.

        Raises:
            InputError: the processor does something that this adapter cannot follow.
        """

    @abstractmethod
    def token_count(
        self, image_size: tuple[int, int], encoding: Mapping[str, Any], index: int = 0, place: str = "encoder"
    ) -> int:
        """How many tokens of the flattened output are the photo's: class tokens, line ends, filling, all of them.

        Photos stand one after another in every output, so that these counts say where each begins. Arguments as of
        `views`.
        """

    def token_offsets(
        self, image_sizes: Sequence[tuple[int, int]], encoding: Mapping[str, Any], place: str = "encoder"
    ) -> np.ndarray:
        """Flat index of every photo's first token, (photos,) int64, in the output flattened to (all tokens, D)."""
        counts = [self.token_count(size, encoding, i, place) for i, size in enumerate(image_sizes)]
        return np.concatenate([[0], np.cumsum(counts)[:-1]]).astype(np.int64)

    # ------------------------------------------------------------------------------------------ what the tower reads
    def photo_text(self) -> str:
        """What stands for a photo in a prompt, before the processor writes the photo's own tokens in its place."""
        return self.processor.image_token

    def processed_text(self, prompt: str) -> str:
        """What the processor makes of a prompt that the chat template wrote, but for the photo's own tokens.

        The same, for nearly all: the template writes whatever stands around words and photo.
        """
        return prompt

    def encode_photo(self, image: Any, together: int = 1) -> dict[str, Any]:
        """What the processor makes of one photo for the tower: tensors whose first dimension is one photo's.

        By the processor, not by its image processor alone: it may have settings of its own (crops, for instance).

        Args:
            image: a PIL image, upright.
            together: how many photos its row has; some processors cut no tiles where there are several.
        """
        encoding = self.processor(images=[[image]], text=[self.photo_text()], return_tensors="pt")
        return self.pixel_inputs(encoding)

    def collate_pixels(self, photos: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """One batch of what `encode_photo` gave for each photo, as the processor would have made it of all of them.

        Raises:
            InputError: they do not fit into one batch.
        """
        return {name: joined([photo[name] for photo in photos], name) for name in photos[0]}

    def text_extras(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """What the language model wants beside input_ids, attention_mask and labels: made of these, (B, L) each."""
        return {}

    # ------------------------------------------------------------------------------------------ reaching the parts
    def tower(self, model: nn.Module) -> nn.Module:
        """The vision tower."""
        return model.get_encoder(modality="image")

    @abstractmethod
    def projector(self, model: nn.Module) -> nn.Module:
        """The modules between tower and language model."""

    @abstractmethod
    def unused_parameters(self, model: nn.Module) -> list[str]:
        """Full names of parameters that get no gradient from language: to be frozen.

        Left trainable they make data-parallel ranks wait for, or silently disagree about, gradients that never come.
        """

    def pixel_inputs(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """The part of `inputs` that the tower reads."""
        return {k: v for k, v in inputs.items() if k in self.pixel_keys}

    def text_inputs(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """The part of `inputs` that goes to the language model beside the encoded photo."""
        return {k: v for k, v in inputs.items() if k not in self.pixel_keys or k in self.kept_keys}

    def encode(self, model: nn.Module, inputs: Mapping[str, Any], hidden_states: bool = True) -> Encoded:
        """Run tower and projector once."""
        import torch

        # asking for True rather than a list: a list that lacks the layer the projector reads breaks the projector
        extra = {"output_hidden_states": True} if hidden_states else {}
        output = model.get_image_features(**self.pixel_inputs(inputs), **extra, return_dict=True)
        pooled = output.pooler_output
        tokens = torch.cat(list(pooled), dim=0) if isinstance(pooled, (list, tuple)) else pooled.flatten(0, -2)
        return Encoded(output, output.hidden_states if hidden_states else None, tokens)

    def encode_distinct(self, model: nn.Module, inputs: Mapping[str, Any], photos: Sequence[int]) -> Encoded:
        """Run tower and projector on some photos of the batch only; what comes out has one entry for each of them."""
        raise InputError(f"{type(self).__name__} cannot encode part of a batch")

    def repeated(self, encoded: Encoded, rows: Sequence[int]) -> Encoded:
        """The same photos in another order and number: entry i of the result is entry `rows[i]` of `encoded`."""
        raise InputError(f"{type(self).__name__} cannot repeat a photo")

    def language_inputs(self, inputs: Mapping[str, Any], encoded: Encoded) -> dict[str, Any]:
        """Arguments of the model's forward (or `generate`) that use `encoded` instead of the pixels."""
        return {**self.text_inputs(inputs), "mm_encoder_outputs": {"image": encoded.output}}


def grid_boxes(
    grid: tuple[int, int],
    patch: int,
    scale: tuple[float, float],
    offset: tuple[float, float] = (0.0, 0.0),
) -> np.ndarray:
    """Boxes of a patch grid in pixels of the original photo.

    original = (input - offset) * scale, where `offset` is where the photo's corner (0, 0) lies in the tower's input
    and `scale` = original pixels per input pixel, both as (x, y). Returns (h*w, 4) float64, row-major.
    """
    rows, cols = np.meshgrid(np.arange(grid[0]), np.arange(grid[1]), indexing="ij")
    x0 = (cols * patch - offset[0]) * scale[0]
    y0 = (rows * patch - offset[1]) * scale[1]
    boxes = np.stack([x0, y0, x0 + patch * scale[0], y0 + patch * scale[1]], axis=-1)
    return boxes.reshape(-1, 4).astype(np.float64)


def joined(tensors: Sequence[torch.Tensor], name: str) -> torch.Tensor:
    """Tensors of several photos one after another. Raises InputError where their shapes do not allow it."""
    import torch

    shapes = {tuple(t.shape[1:]) for t in tensors}
    if len(shapes) > 1:
        raise InputError(
            f"the image processor makes {name} of different shapes ({', '.join(map(str, sorted(shapes)))}), which "
            "cannot be one batch; set optim.batch_size=1 with optim.grad_accum, or a fixed size in its settings"
        )
    return torch.cat(list(tensors))


def adapters() -> dict[str, type[FamilyAdapter]]:
    """Every supported `model_type` and its adapter, found by listing this folder."""
    package = importlib.import_module(__package__ or "pseudogd.student.families")
    found: dict[str, type[FamilyAdapter]] = {}
    for info in pkgutil.iter_modules(package.__path__):
        if info.name == "base" or info.name.startswith("_"):
            continue
        module = importlib.import_module(f"{package.__name__}.{info.name}")
        for value in vars(module).values():
            if isinstance(value, type) and issubclass(value, FamilyAdapter):
                found.update({t: value for t in value.model_types})
    return found


def get_family(config: Any, processor: Any = None) -> FamilyAdapter:
    """The adapter for a model's config (and its processor, without which views cannot be computed).

    Raises:
        InputError: the config's `model_type` is not supported; the message names those that are.
    """
    known = adapters()
    model_type = getattr(config, "model_type", None)
    if model_type not in known:
        names: Sequence[str] = sorted(known)
        raise InputError(
            f"model_type {model_type!r} is not supported; supported are: {', '.join(names)} "
            "(docs/new-family.md says how to add one)"
        )
    return known[model_type](config, processor)
