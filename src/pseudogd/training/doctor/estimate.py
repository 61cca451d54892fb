"""What a training step needs before it is made: parameters by part, memory and time, by the formulas of docs/doctor.md.

Everything is read off a model without weights (on torch's meta device) and the sizes of one batch. The rule behind the
numbers is the same for every family: a linear layer costs 2 in out operations a token, keeps what it reads (if it is
trained) and what it gives, and a norm keeps what it reads.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import nn

from pseudogd.student.families.base import FamilyAdapter
from pseudogd.student.frozen import shared_parameters
from pseudogd.student.head import GeometryHead
from pseudogd.training.attention import LONGEST
from pseudogd.training.doctor.layers import Layer, blocks_of, count, layers_of, nbytes, plain
from pseudogd.training.doctor.sizes import Batch, Memory, PartSize, Work
from pseudogd.training.parameters import PARTS, parts_of
from pseudogd.training.recipe import Recipe
from pseudogd.training.sharding import units

ADAM_BYTES = 8
"""Of a trained parameter's two moments, float32."""
LOGIT_BYTES = 12
"""Of a logit at most: itself in bf16, log-probability and gradient in float32, the gradient in bf16."""
LIBRARIES, WORKING_SHARE = 72 << 20, 0.1
"""On a CPU: what libraries hold, and what operations at work take, as a share of the activations."""
FREED_SHARE, FREED_BYTES = 0.45, 400 << 20
"""On a CPU: freed memory that the C library keeps, as a share of what blocks leave behind, recomputed or not; and at
most, since it gives large pieces (of 32 MiB and more) back at once. Read off tools/doctor_accuracy.py, as are the two
above."""


@dataclass
class _Pass:
    """One part under one batch.

    Attributes:
        through: whether a gradient goes through it.
        forward, backward: operations of its linear layers. again: of its blocks' forward pass.
        attention: operations of its blocks' attention, forward.
        kept: bytes that wait for the backward pass, `scores` of them attention's.
        passing: bytes that adapters move, forward.
        casts: bytes of bf16 copies of float32 weights, which wait too.
        entries: bytes of what enters its blocks. block: kept bytes and casts of the largest block.
        blocks: how many there are.
    """

    through: bool = False
    forward: int = 0
    backward: int = 0
    again: int = 0
    attention: int = 0
    kept: int = 0
    scores: int = 0
    passing: int = 0
    casts: int = 0
    entries: int = 0
    block: int = 0
    blocks: int = 0


def part_sizes(model: nn.Module, family: FamilyAdapter, head: nn.Module | None) -> dict[str, PartSize]:
    """part -> its size. Adapters count to the part that they sit in."""
    adapters = {id(p) for name, p in model.named_parameters() if ".lora_" in name}
    found = {}
    for part, parameters in parts_of(model, family, head).items():
        trained = [p for p in parameters if p.requires_grad]
        how = "frozen" if not trained else "LoRA" if any(id(p) in adapters for p in trained) else "full"
        found[part] = PartSize(count(parameters), count(trained), how)
    return found


class Estimate:
    """Memory and work of one optimizer step.

    Args:
        model: prepared (`parameters.prepare`), on any device; its values are not read.
        family, head: as in training; no head where the arm has none.
        recipe: precision, recomputation, accumulation, sharding and anchor are read.
        batch: the micro-batch.
        on_cpu: whether it runs there, where attention keeps its weights (`training.attention`).
        world: processes that share weights, gradients and optimizer under `optim.fsdp`.
    """

    def __init__(
        self,
        model: nn.Module,
        family: FamilyAdapter,
        head: GeometryHead | None,
        recipe: Recipe,
        batch: Batch,
        on_cpu: bool = False,
        world: int = 1,
    ):
        self.model, self.family, self.head = model, family, head
        self.recipe, self.batch, self.on_cpu = recipe, batch, on_cpu
        self.world = world if recipe.optim.fsdp else 1
        self.size = 2 if recipe.optim.precision == "bf16" else 4
        self.text = model.config.get_text_config()
        self.parts = parts_of(model, family, head)
        self._modules = {"tower": family.tower(model), "llm": plain(model).get_decoder()}
        self.passes = self._passes()

    # ------------------------------------------------------------------------------------------------------ memory
    @property
    def memory(self) -> Memory:
        everything = [p for members in self.parts.values() for p in members]
        weights = nbytes(everything) // self.world + self._frozen_copy()
        gradients = {part: nbytes(self._trained(part)) // self.world for part in PARTS}
        optimizer = ADAM_BYTES * sum(count(self._trained(part)) for part in PARTS) // self.world
        whole = 0
        if self.world > 1:
            shared = [list(unit.parameters()) for unit in units(self.model, self.family)]
            inside = {id(p) for unit in shared for p in unit}
            outside = [p for p in everything if id(p) not in inside]
            # FSDP2 has two units in full, the one at work and the next, and for the whole step what is in none
            weights += 2 * max(map(nbytes, shared)) + nbytes(outside)
            whole = max(_trained_bytes(unit) for unit in shared) + _trained_bytes(outside)
        kept = {part: self._kept(part) for part in PARTS}
        logits = LOGIT_BYTES * self.logits
        activations = sum(kept.values())
        heap = self._heap(activations) if self.on_cpu else 0
        peak = weights + optimizer + heap + whole + self._most(gradients, kept, logits)
        return Memory(weights, sum(gradients.values()) + whole, optimizer, activations, logits, heap, peak)

    def _most(self, gradients: Mapping[str, int], kept: Mapping[str, int], logits: int) -> int:
        """The largest sum of gradients and of what waits for the backward pass, which walks from head to tower."""
        begun = sum(kept.values()) + logits
        if self.recipe.optim.grad_accum > 1:
            return sum(gradients.values()) + begun
        order = ("head", "llm", "projector", "tower")
        moments = [begun]
        for place in range(1, len(order) + 1):
            done, left = order[:place], order[place:]
            moments.append(sum(gradients[part] for part in done) + sum(kept[part] for part in left))
        return max(moments)

    def _kept(self, part: str) -> int:
        own = self.passes[part]
        if not (self.recipe.optim.gradient_checkpointing and own.entries):
            return own.kept + own.casts
        # copies of trained weights live until the forward pass is over, even where blocks are recomputed
        casts = sum(2 * p.numel() // self.world for p in self._trained(part) if p.ndim > 1) if self.size == 2 else 0
        return own.entries + max(own.block, casts)

    def _heap(self, activations: int) -> int:
        """What a process holds beyond the tensors that wait, on a CPU."""
        left = sum(own.kept + own.casts for own in self.passes.values())
        return LIBRARIES + int(WORKING_SHARE * activations) + min(int(FREED_SHARE * left), FREED_BYTES)

    def _frozen_copy(self) -> int:
        """The anchor's copy of whatever is trained of tower and projector; matrices at the type that they run in.

        What is not trained it shares with the model; FSDP2 gives the model shards of its own, and the copy keeps the
        whole on every process.
        """
        if not self._anchored:
            return 0
        copied = [p for part in ("tower", "projector") for p in self._trained(part)]
        shared = nbytes(shared_parameters(self.model)) if self.world > 1 else 0
        return sum(p.numel() * (self.size if p.ndim > 1 else 4) for p in copied) + shared

    @property
    def _anchored(self) -> bool:
        return self.recipe.uses_geometry and self.recipe.geometry.weights.frozen

    @property
    def logits(self) -> int:
        """How many logits a micro-batch computes."""
        return self.batch.answers * int(self.text.vocab_size) if self.recipe.arm != "geometry_only" else 0

    def _trained(self, part: str) -> Iterable[nn.Parameter]:
        return [p for p in self.parts[part] if p.requires_grad]

    # -------------------------------------------------------------------------------------------------------- work
    @property
    def work(self) -> Work:
        passes, again = self.passes.values(), self.recipe.optim.gradient_checkpointing
        head = self.passes["head"]
        linear = sum(own.forward + own.backward + again * own.again for own in passes if own is not head)
        linear += 6 * self.logits * int(self.text.hidden_size)
        attention = sum(own.attention * (1 + 2 * own.through + again * own.through) for own in passes)
        between = sum((own.kept - own.scores) * (3 + again) // 3 for own in passes)
        between += LOGIT_BYTES * self.logits
        if self._anchored:
            linear += self.passes["tower"].forward + self.passes["projector"].forward
            attention += self.passes["tower"].attention
            between += self.passes["tower"].kept // 3
        blocks = sum(own.blocks * (1 + again / 3) for own in passes)
        accum = self.recipe.optim.grad_accum
        trained = sum(count(self._trained(part)) for part in PARTS)
        return Work(
            linear=accum * linear,
            full=accum * (head.forward + head.backward),
            attention=accum * attention,
            between=accum * between,
            cast=accum * sum(own.casts + own.passing * (3 + again) for own in passes),
            update=trained // self.world,
            blocks=round(accum * blocks),
        )

    # ------------------------------------------------------------------------------------------------------ passes
    def _passes(self) -> dict[str, _Pass]:
        batch, learns = self.batch, {part: bool(self._trained(part)) for part in PARTS}
        through = learns["tower"]
        projector = self.family.projector(self.model)
        tower = self._pass(layers_of(self._modules["tower"], projector), batch.tower_tokens, through)
        self._add_blocks(tower, "tower", batch.tower_tokens, batch.tower_reach, through)
        through |= learns["projector"]
        joined = self._pass(layers_of(projector), batch.visual_tokens, through)
        through |= learns["llm"]
        llm, tokens = _Pass(), batch.rows * batch.length
        if self.recipe.arm != "geometry_only" or self.recipe.geometry.place == "llm":
            llm = self._pass(layers_of(self._modules["llm"]), tokens, through)
            self._add_blocks(llm, "llm", tokens, batch.length, through)
        return {"tower": tower, "projector": joined, "llm": llm, "head": self._head()}

    def _pass(self, layers: Iterable[Layer], tokens: int, through: bool) -> _Pass:
        """`through`: whether a gradient goes through these layers; without one nothing waits for it."""
        found = _Pass(through)
        for layer in layers:
            if not layer.norm:
                operations = 2 * layer.size * tokens
                found.forward += operations
                found.backward += through * operations * (2 if layer.trained else 1)
                found.casts += through * layer.full * (self.size == 2) * 2 * layer.size // self.world
                found.passing += through * tokens * self._adapter_bytes(layer)
            found.kept += through * tokens * self._layer_bytes(layer)
        return found

    def _adapter_bytes(self, layer: Layer) -> int:
        """Moved forward for one token by half an adapter, whose products are too narrow to take long.

        Its input is copied to float32 and back (`peft` and autocast), then read; its output is written, scaled, added.
        """
        return layer.enters * (8 if self.size == 2 else 4) * layer.reads + layer.added * 3 * self.size * layer.gives

    def _layer_bytes(self, layer: Layer) -> int:
        """Kept of one token. Norms run in float32; one that is written out keeps what it multiplies its weight by."""
        if layer.norm:
            return 4 * layer.reads * (2 if layer.written_out and layer.trained else 1)
        read = layer.trained and not (layer.shares and self.size == 4)  # in bf16 each layer has a copy of its own
        gives = not (layer.added or layer.summed)
        return self.size * (layer.reads * read + layer.gives * gives + layer.between)

    def _add_blocks(self, found: _Pass, part: str, tokens: int, reach: int, through: bool) -> None:
        """What attention adds, and what is left of the blocks where they are recomputed."""
        config = self.model.config.vision_config if part == "tower" else self.text
        heads = int(getattr(config, "num_attention_heads", None) or config.num_heads)
        hidden = self.family.tower_width if part == "tower" else int(self.text.hidden_size)
        width = int(getattr(config, "head_dim", None) or hidden // heads) * heads
        attention = 4 * tokens * reach * width  # of queries and keys, and of weights and values
        groups = int(getattr(config, "num_key_value_heads", None) or heads)
        repeated = through * 2 * self.size * tokens * width * (heads - groups) // heads
        scores = through * self._score_bytes(config, part, heads, reach) * tokens * reach
        embeddings = plain(self.model).get_input_embeddings().weight
        stream = max(self.size, embeddings.element_size())
        fused = through and config._attn_implementation != "eager" and not self.by_products(reach)
        for block in blocks_of(self._modules[part]):
            layers = layers_of(block)
            inner = self._pass(layers, tokens, through)
            last = [layer.size for layer in layers if not layer.norm][-1]  # nothing waits for what it gives
            # a fused kernel keeps what it gives; a trained layer that reads it keeps the same
            output = fused * (not any(layer.trained for layer in layers)) * self.size * tokens * width
            found.blocks += 1
            found.attention += attention
            found.kept += repeated + scores + output
            found.scores += scores
            found.again += through * (inner.forward - 2 * last * tokens)
            found.block = max(found.block, inner.kept + repeated + scores + output + inner.casts)
            found.entries += through * tokens * hidden * stream

    def _score_bytes(self, config: Any, part: str, heads: int, reach: int) -> int:
        """Kept for each pair of tokens; nothing by kernels that make them again, but for a CPU's copy of the mask."""
        if config._attn_implementation == "eager":
            return heads * (self.size + 4)
        if self.by_products(reach):
            return heads * self.size
        return self.size * (self.on_cpu and part == "llm" and self.recipe.data.turns == "chat")

    def by_products(self, reach: int) -> bool:
        """Whether attention over `reach` tokens is made of two products, see `training.attention`."""
        return self.on_cpu and self.size == 2 and self.recipe.data.turns == "isolated" and reach <= LONGEST

    def _head(self) -> _Pass:
        """Float32 always: every tap's tokens as they came and normalised, and maps between its convolutions."""
        if self.head is None:
            return _Pass()
        told, cells = self.head.settings, self.batch.cells
        size = sum(p.numel() for p in self.head.parameters() if p.ndim > 1)
        numbers = 2 * told["taps"] * told["in_width"] + told["width"] * (2 * told["blocks"] + 2)
        return _Pass(True, forward=2 * size * cells, backward=4 * size * cells, kept=4 * cells * numbers)


def _trained_bytes(parameters: Iterable[nn.Parameter]) -> int:
    return nbytes(p for p in parameters if p.requires_grad)
