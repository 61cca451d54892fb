"""Patch embeddings by a matrix product: a convolution whose kernel covers all that it is given is one.

Qwen's towers embed each patch by a convolution in three dimensions. In bfloat16 on a CPU its backward pass was measured
to be some eighty times as slow as the product's, and kernels of GPUs have been slow at it too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial

from torch import Tensor, nn


def product(layer: nn.Conv3d, patches: Tensor) -> Tensor:
    """What `layer` gives for patches (N, C, *kernel): (N, out, 1, 1, 1)."""
    if patches.shape[2:] != layer.kernel_size or any(layer.padding):
        return nn.Conv3d.forward(layer, patches)
    return nn.functional.linear(patches.flatten(1), layer.weight.flatten(1), layer.bias)[..., None, None, None]


@contextmanager
def patches_by_products(models: Iterable[nn.Module]) -> Iterator[None]:
    """Inside the context the models' convolutions in three dimensions are products; weights and names stay."""
    layers = [m for model in models for m in model.modules() if isinstance(m, nn.Conv3d) and m.groups == 1]
    for layer in layers:
        layer.forward = partial(product, layer)  # type: ignore[method-assign]
    try:
        yield
    finally:
        for layer in layers:
            layer.__dict__.pop("forward", None)
