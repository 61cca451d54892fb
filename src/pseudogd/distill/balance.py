"""How hard geometry pulls at the encoder compared with language, read off one ordinary backward pass."""

from __future__ import annotations

import math

from torch import Tensor


class GradientBalance:
    """Gradient norms at the taps.

    The head reads an alias of a hidden state h. A hook on the alias sees geometry's gradient alone, a hook on h sees
    the sum of geometry's and language's: their difference is language's, with no second backward pass.
    """

    def __init__(self) -> None:
        self._geometry: dict[str, Tensor] = {}
        self._sum: dict[str, Tensor] = {}

    def watch(self, name: str, h: Tensor) -> Tensor:
        """Return the alias of h that the geometry head must read. Without a graph h itself is returned."""
        if not h.requires_grad:
            return h
        alias = h.view_as(h)
        alias.register_hook(lambda g: self._geometry.__setitem__(name, g.detach()))
        h.register_hook(lambda g: self._sum.__setitem__(name, g.detach()))
        return alias

    def read(self) -> dict[str, tuple[float, float]]:
        """(|geometry|, |language|) of every tap since the last call; call it after `backward`."""
        found = {}
        for name, geometry in self._geometry.items():
            if name in self._sum:
                found[name] = (float(geometry.float().norm()), float((self._sum[name] - geometry).float().norm()))
        self._geometry.clear()
        self._sum.clear()
        return found

    def ratios(self) -> dict[str, float]:
        """|geometry| / |language| of every tap where language has any gradient."""
        return {name: g / lm for name, (g, lm) in self.read().items() if lm > 0}


def adjusted_lambda(lam: float, ratio: float, target: float = 0.3, limits: tuple[float, float] = (0.8, 1.25)) -> float:
    """One optional step of lambda towards a gradient ratio: lam * clip(sqrt(target / ratio), *limits).

    `ratio` should be a running mean; a ratio that is not positive and finite leaves lambda as it is.
    """
    if not (ratio > 0 and math.isfinite(ratio)):
        return lam
    return lam * min(max(math.sqrt(target / ratio), limits[0]), limits[1])
