"""What an estimate is of, and what comes out of it."""

from __future__ import annotations

from dataclasses import dataclass

from pseudogd.training.doctor.speed import Machine


@dataclass(frozen=True)
class PartSize:
    """Parameters of one part: how many there are, how many are trained, and how ("full", "LoRA" or "frozen")."""

    total: int
    trained: int
    how: str


@dataclass(frozen=True)
class Batch:
    """What one micro-batch of one process holds.

    Attributes:
        rows: photos with their questions.
        length: tokens of each row, filling counted.
        answers: label tokens of all rows together.
        tower_tokens: tokens that the tower reads of all photos, class tokens counted.
        tower_reach: tokens of the tower that attend to one another (those of one tile).
        visual_tokens: tokens of all photos that the language model reads.
        cells: cells of all views that the geometry head answers for.
    """

    rows: int
    length: int
    answers: int
    tower_tokens: int
    tower_reach: int
    visual_tokens: int
    cells: int


@dataclass(frozen=True)
class Memory:
    """Bytes of one process, by kind. `peak` is less than their sum: gradients come as activations go.

    `heap` is what a process holds beside these, on a CPU alone: libraries, buffers, freed memory that is kept.
    """

    weights: int
    gradients: int
    optimizer: int
    activations: int
    logits: int
    heap: int
    peak: int


@dataclass(frozen=True)
class Work:
    """What one process does in one optimizer step.

    Attributes:
        linear, full, attention: operations; `full` those of linear layers in float32 whatever the precision.
        between: bytes that are kept, or made again, for the backward pass.
        cast: bytes that are copied: bf16 copies of float32 weights, what adapters read and add.
        update: parameters that AdamW moves.
        blocks: passes through a block.
    """

    linear: int
    full: int
    attention: int
    between: int
    cast: int
    update: int
    blocks: int

    def seconds(self, machine: Machine) -> float:
        """One after the other, at the rates of `machine`."""
        return (
            self.linear / machine.linear
            + self.full / machine.full
            + self.attention / machine.attention
            + self.between / machine.between
            + self.cast / machine.cast
            + self.update / machine.update
            + self.blocks * machine.per_block
        )
