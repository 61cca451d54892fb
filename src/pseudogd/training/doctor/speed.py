"""How fast a device is at what a training step is made of: a second of small work, timed."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from pseudogd.training.attention import products_attention

_SECONDS, _CALLS = 0.1, 6
_NUMBERS = 1 << 23
_BLOCK_OPERATIONS = 4
"""A block of a language model calls so many times as many operations as the one that is timed here."""


@dataclass(frozen=True)
class Machine:
    """Rates of a device.

    Attributes:
        linear: operations a second of matrix products in linear layers. full: the same in float32.
        attention: the same of attention, softmax and all.
        between: bytes a second of what is kept for the backward pass, for norms, activations and sums around products.
        cast: bytes a second of copies of float32 weights in bfloat16.
        update: parameters a second that are clipped and moved by AdamW.
        per_block: seconds that a block's forward and backward pass cost at the least.
    """

    linear: float
    full: float
    attention: float
    between: float
    cast: float
    update: float
    per_block: float


@dataclass(frozen=True)
class Shapes:
    """Sizes to time at: those of the language model's blocks, and how many tokens a batch and a row of it have.

    `by_products`: see `training.attention`.
    """

    tokens: int
    width: int
    inner: int
    heads: int
    head_width: int
    length: int
    by_products: bool


def calibrate(device: torch.device, half: bool, shapes: Shapes) -> Machine:
    """Time `device` in bfloat16 autocast (`half`) or float32."""
    dtype = torch.bfloat16 if half else torch.float32
    timer = _Timer(device)
    x = torch.randn(shapes.tokens, shapes.width, device=device)
    block = _Block(shapes.width, shapes.inner).to(device)
    narrow, weight = x.to(dtype), block.up.weight.detach().to(dtype)
    square = torch.randn(shapes.width, shapes.width, device=device)
    product = timer.best(lambda: nn.functional.linear(narrow, weight))
    linear = 2 * shapes.tokens * shapes.width * shapes.inner / product
    full = 2 * shapes.tokens * shapes.width**2 / timer.best(lambda: nn.functional.linear(x, square)) if half else linear

    def both_ways(x: Tensor) -> None:
        with torch.autocast(device.type, torch.bfloat16) if half else nullcontext():
            out = block(x)
        out.backward(out.detach())

    x.requires_grad_()
    whole, one = timer.best(lambda: both_ways(x)), timer.best(lambda: both_ways(x[:1]))
    size = dtype.itemsize
    products = 6 * 2 * shapes.tokens * shapes.width * shapes.inner / linear
    kept = shapes.tokens * (4 * shapes.width + size * 2 * (shapes.width + shapes.inner))
    weights = torch.ones(_NUMBERS, device=device)
    return Machine(
        linear=linear,
        full=full,
        attention=_attention(timer, dtype, shapes),
        between=kept / max(whole - products, 0.05 * whole),
        cast=2 * _NUMBERS / timer.best(lambda: weights.to(torch.bfloat16)),
        update=_NUMBERS / timer.best(_update(weights)),
        per_block=_BLOCK_OPERATIONS * one,
    )


class _Block(nn.Module):
    """x + down(gelu(up(norm(x))))."""

    def __init__(self, width: int, inner: int):
        super().__init__()
        self.norm, self.up, self.down = nn.LayerNorm(width), nn.Linear(width, inner), nn.Linear(inner, width)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.down(nn.functional.gelu(self.up(self.norm(x))))


def _attention(timer: _Timer, dtype: torch.dtype, shapes: Shapes) -> float:
    q, k, v = (
        torch.randn(
            1, shapes.heads, shapes.length, shapes.head_width, device=timer.device, dtype=dtype
        ).requires_grad_()
        for _ in range(3)
    )
    sees = torch.ones(1, 1, shapes.length, shapes.length, device=timer.device, dtype=torch.bool).tril()
    mask = torch.zeros(sees.shape, device=timer.device, dtype=dtype)

    def both_ways() -> None:
        if shapes.by_products:
            out, _ = products_attention(nn.Module(), q, k, v, mask)
        else:  # rows of several lengths have a mask, under which kernels do the whole square
            out = nn.functional.scaled_dot_product_attention(q, k, v, sees)
        out.backward(out.detach())

    return 12 * shapes.length**2 * shapes.heads * shapes.head_width / timer.best(both_ways)


def _update(weights: Tensor) -> Callable[[], None]:
    weights = nn.Parameter(weights)
    optimizer = torch.optim.AdamW([weights], fused=True)

    def step() -> None:
        weights.grad = torch.ones_like(weights)
        nn.utils.clip_grad_norm_([weights], 1.0)
        optimizer.step()

    return step


class _Timer:
    """Processor time on one thread of a CPU, which does not count what else the machine does; else the clock."""

    def __init__(self, device: torch.device):
        self.device = device
        alone = device.type == "cpu" and torch.get_num_threads() == 1
        self._clock: Callable[[], float] = time.process_time if alone else time.perf_counter

    def best(self, work: Callable[[], object]) -> float:
        """Seconds of one call, the fastest of `_CALLS` or of as many as fit into `_SECONDS`; a GPU has many queued."""
        work()
        best, begun, calls, made = float("inf"), time.perf_counter(), 1, 0
        while made < _CALLS or time.perf_counter() - begun < _SECONDS:
            made += 1
            self._wait()
            start = self._clock()
            for _ in range(calls):
                work()
            self._wait()
            best = min(best, (self._clock() - start) / calls)
            calls = min(2 * calls, 64) if self.device.type != "cpu" else 1
        return best

    def _wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
