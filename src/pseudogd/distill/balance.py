"""How hard geometry pulls at the encoder compared with language, read off one ordinary backward pass."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from torch import Tensor


class GradientBalance:
    """Gradient norms at the taps.

    The head reads an alias of a hidden state h. A hook on the alias sees geometry's gradient alone, a hook on h sees
    the sum of geometry's and language's: their difference is language's, with no second backward pass.
    """

    def __init__(self) -> None:
        self._geometry: dict[str, Tensor] = {}
        self._norms: dict[str, tuple[Tensor, Tensor]] = {}

    def watch(self, name: str, h: Tensor) -> Tensor:
        """Return the alias of h that the geometry head must read. Without a graph h itself is returned."""
        if not h.requires_grad:
            return h
        alias = h.view_as(h)
        alias.register_hook(lambda gradient: self._geometry.__setitem__(name, gradient.detach()))
        h.register_hook(lambda gradient: self._both(name, gradient.detach()))
        return alias

    def _both(self, name: str, total: Tensor) -> None:
        """Keep two norms: the gradients themselves may go."""
        geometry = self._geometry.pop(name, None)
        if geometry is not None:
            self._norms[name] = (geometry.float().norm(), (total - geometry).float().norm())

    def read(self) -> dict[str, tuple[float, float]]:
        """(|geometry|, |language|) of every tap since the last call; call it after `backward`."""
        found = {name: (float(geometry), float(language)) for name, (geometry, language) in self._norms.items()}
        self._norms.clear()
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


class LambdaController:
    """Moves lambda every `every` steps so that the gradient ratio nears `target`; off where `target` is None.

    The ratio is averaged over the taps and, exponentially with rate 1 / `every`, over the steps.

    Attributes:
        factor: what lambda is multiplied by now.
    """

    def __init__(self, target: float | None, every: int = 100):
        self.target, self.every = target, every
        self.factor = 1.0
        self._mean: float | None = None
        self._steps = 0

    def update(self, ratios: Mapping[str, float]) -> None:
        """Take in the ratios of one step."""
        found = [r for r in ratios.values() if r > 0 and math.isfinite(r)]
        if self.target is None or not found:
            return
        ratio = math.exp(sum(map(math.log, found)) / len(found))
        self._mean = ratio if self._mean is None else self._mean + (ratio - self._mean) / self.every
        self._steps += 1
        if self._steps % self.every == 0:
            moved = adjusted_lambda(1.0, self._mean, self.target)
            self.factor *= moved
            self._mean *= moved  # the ratio is proportional to lambda, so the mean of the old one would be stale

    def state(self) -> dict[str, float | int | None]:
        """What a resumed run needs."""
        return {"factor": self.factor, "mean": self._mean, "steps": self._steps}

    def load(self, state: Mapping[str, Any]) -> None:
        """Go on from `state()`."""
        self.factor, self._mean, self._steps = float(state["factor"]), state["mean"], int(state["steps"])
