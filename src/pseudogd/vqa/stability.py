"""Whether an answer survives plausible errors of the geometry: each fact is answered again in changed scenes.

The score of a fact is the share of the changes under which its answer stays the same; a number stays the same within a
factor of 1.25, which is half-way to the nearest wrong option. Margins say that *one* error of the believed size does
not turn the answer; this says it of depth, focal length, gravity, outlines and, where there is one, a second teacher.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from pseudogd.geometry.types import Scale
from pseudogd.vqa import perturb
from pseudogd.vqa.fact import Fact
from pseudogd.vqa.scene import Scene
from pseudogd.vqa.tasks import answer_in, answer_of

SAME_LENGTH = 1.25
SECOND = "second teacher"
_LEAVES = {
    "scale": ("ordinal", "ratio", "bearing"),
    "focal": ("ordinal",),
    "pitch": ("ordinal",),
    "roll": ("ordinal",),
}
"""By the first word of a change: the kinds of question that it leaves alone by what they are."""


@dataclass(frozen=True)
class StabilitySettings:
    """``least``: the share of changes that an answer must survive (0: all are kept, and the score is still stored);
    ``measure``: whether it is measured at all.

    The changes: ``draws`` of independent depth errors of the objects, each of the size that the scene believes;
    ``scale`` and ``shift`` of all depths (shares; the shift is one of the median depth); ``focal`` (share); ``tilt`` of
    gravity in pitch and in roll (degrees); ``erosion``: pixels of 1,000 by which outlines shrink. Zero leaves one out.
    """

    measure: bool = True
    least: float = 1.0
    draws: int = 4
    scale: float = 0.1
    shift: float = 0.05
    focal: float = 0.1
    tilt: float = 2.0
    erosion: float = 12.0


class Stability:
    """The changed scenes of one scene, made when the first fact is asked about."""

    def __init__(
        self, scene: Scene, settings: StabilitySettings, rng: np.random.Generator, second: Scene | None = None
    ) -> None:
        self._scene, self._settings, self._rng, self._second = scene, settings, rng, second

    def of(self, fact: Fact, least: float = 0.0) -> tuple[float, tuple[str, ...]]:
        """Score in [0, 1], and the changes that turn the answer.

        Once so many turn it that the score is below ``least``, the other changes are not looked at.
        """
        asked, scenes = answer_of(fact.task), self._scenes_for(fact.kind)
        can = self._scene.supports(fact.kind) and all(self._scene.find(o) is not None for o in fact.operands)
        # A changed scene has the same objects and says as much as the first one.
        turned: list[str] = []
        second = self._second
        if second is not None and not all(second.find(operand) is not None for operand in fact.operands):
            second = None  # the second teacher does not see them well enough to say anything
        count = len(scenes) + (second is not None)
        for name, scene in scenes:
            if not (can and same(fact, asked(scene, fact))):
                turned.append(name)
                if 1.0 - len(turned) / count < least:
                    break
        if second is not None and not same(fact, answer_in(second, fact)):
            turned.append(SECOND)
        return (1.0 - len(turned) / count if count else 1.0), tuple(turned)

    def _scenes_for(self, kind: str) -> list[tuple[str, Scene]]:
        """The changed scenes by name, without those that leave this kind of question alone by what they are."""
        if kind not in self._by_kind:
            left = [name for name, kinds in _LEAVES.items() if kind in kinds]
            self._by_kind[kind] = [(name, scene) for name, scene in self._scenes.items() if name.split()[0] not in left]
        return self._by_kind[kind]

    @cached_property
    def _by_kind(self) -> dict[str, list[tuple[str, Scene]]]:
        return {}

    @cached_property
    def _scenes(self) -> dict[str, Scene]:
        return dict(self._changes())

    def _changes(self) -> Iterator[tuple[str, Scene]]:
        scene, settings = self._scene, self._settings
        for k, noisy in enumerate(perturb.noisy(scene, settings.draws, self._rng)):
            yield f"depth {k + 1}", noisy
        shape = scene.geometry.scale is not Scale.AFFINE_DISPARITY and scene.geometry.camera is not None
        for sign, name in ((1, "+"), (-1, "-")):
            if settings.scale and shape:
                yield f"scale {name}{settings.scale:.0%}", perturb.scaled(scene, 1 + sign * settings.scale)
            if settings.shift:
                yield f"shift {name}{settings.shift:.0%}", perturb.shifted(scene, sign * settings.shift)
            if settings.focal and shape:
                yield f"focal {name}{settings.focal:.0%}", perturb.refocused(scene, 1 + sign * settings.focal)
            if settings.tilt and scene.has_gravity:
                angle = sign * math.radians(settings.tilt)
                yield f"pitch {name}{settings.tilt:g}", perturb.tilted(scene, pitch=angle)
                yield f"roll {name}{settings.tilt:g}", perturb.tilted(scene, roll=angle)
        if settings.erosion:
            pixels = max(1, round(settings.erosion / 1000 * max(scene.depth.shape)))
            yield "outline", perturb.shrunk(scene, pixels)


def same(fact: Fact, said: str | float | None) -> bool:
    """Whether an answer in another scene is the fact's own."""
    if fact.style != "number":
        return said == fact.answer
    if not isinstance(said, (int, float)) or not math.isfinite(said):
        return False
    if fact.value <= 0 or said <= 0:
        return math.isclose(float(said), fact.value, rel_tol=SAME_LENGTH - 1, abs_tol=1e-9)
    return max(said / fact.value, fact.value / said) <= SAME_LENGTH
