"""Which of two things hides a part of the other.

Frame: camera. Where two masks touch, the outline there belongs to the nearer one, and the farther one goes on behind
it. Depth is compared across the shared border, a few pixels inside of either mask, where teachers do not blur. Asked
only if nearly all of that border says the same by more than the margin and the propagated error: things that merely
stand on or beside one another have no step there. Needs depth order alone.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pseudogd.geometry.types import Scale
from pseudogd.vqa.fact import Fact, rounded
from pseudogd.vqa.guards import Margins, about, in_turns
from pseudogd.vqa.phrasing import meant, pair
from pseudogd.vqa.scene import Q50, Q98, Scene, SceneObject

QUOTA = 1.0
NEEDS = "ordinal"

FORMULA = "sign of the depth step across the shared border of two masks"
RULE = "lower in the picture hides the other"
LEAST_BORDER = 5
"""Pixels of the thinned depth map, and this share of the shorter side of its picture below."""
LEAST_SHARE = 0.025
APART = (1, 2, 3, 5)
"""Between a pixel of one mask and the other mask, along a row or a column; facts need the first two."""
INSIDE = 2
MOST = 0.8

_HIDES = (
    "Seen from the camera, which one hides a part of the other, the {a} or the {b}?",
    "In the camera's view, which partly covers the other, the {a} or the {b}?",
    "From the camera's point of view, which blocks the view of a part of the other, the {a} or the {b}?",
    "Which one covers a part of the other in the camera's view: the {a} or the {b}?",
    "Of the {a} and the {b}, which hides a part of the other as seen from the camera?",
)
_HIDES_CLAIM = (
    "Seen from the camera, does the {a} hide a part of the {b}?",
    "In the camera's view, does the {a} partly cover the {b}?",
    "From the camera's point of view, does the {a} block the view of a part of the {b}?",
)
_HIDDEN = (
    "Seen from the camera, which one is partly hidden by the other, the {a} or the {b}?",
    "In the camera's view, which is partly covered by the other, the {a} or the {b}?",
    "From the camera's point of view, which has a part hidden by the other, the {a} or the {b}?",
    "Which one is partly covered by the other in the camera's view: the {a} or the {b}?",
    "Of the {a} and the {b}, which is partly hidden by the other as seen from the camera?",
)
_HIDDEN_CLAIM = (
    "Seen from the camera, is the {a} partly hidden by the {b}?",
    "In the camera's view, is the {a} partly covered by the {b}?",
    "From the camera's point of view, is a part of the {a} hidden by the {b}?",
)
_ACTIVE, _PASSIVE = r"\bhides?\b|covers?\b|\bblocks?\b", r"\b(hidden|covered) by\b"
FORMS = meant(
    {
        "occlusion.hides": pair(*_HIDES, claim=_HIDES_CLAIM),
        "occlusion.hidden": pair(*_HIDDEN, claim=_HIDDEN_CLAIM),
    },
    {"occlusion.hides": (_ACTIVE, _PASSIVE), "occlusion.hidden": (_PASSIVE, _ACTIVE)},
)


@dataclass(frozen=True)
class Border:
    """Where two masks meet: ``steps``, log of the second's depth by the first's at each place; ``apart`` in pixels."""

    steps: NDArray[np.float64]
    apart: int


def facts(scene: Scene, rng: np.random.Generator, margins: Margins) -> Iterator[Fact]:
    """Pairs whose masks touch with a step of depth; see the module."""
    found = []
    for i, j in _touching(scene):
        a, b = scene.objects[i], scene.objects[j]
        border = None if a.boxes_only or b.boxes_only else border_of(scene, i, j)
        if border is None or border.apart > APART[1]:
            continue
        for hider, hidden, steps in ((a, b, border.steps), (b, a, -border.steps)):
            margin = hiding_margin(scene, hider, hidden, steps, margins)
            if margin is not None:
                found.append((hider, hidden, steps, margin, bool(hider.v[Q98] > hidden.v[Q98])))
    for k in in_turns([entry[4] for entry in found], rng):
        yield _fact(*found[k], asks_hider=bool(rng.integers(2)))


def answer(scene: Scene, fact: Fact) -> str | None:
    """Who is nearer at most of the shared border; None where the masks no longer meet."""
    i, j = (scene.index(operand) for operand in fact.operands)
    border = border_of(scene, i, j)
    if border is None:
        return None
    first = float(np.median(border.steps)) > 0
    hides = fact.form == "occlusion.hides"
    return scene.objects[i if first == hides else j].name


def steps(fact: Fact) -> list[str]:
    """Where the masks touch, who is nearer there, and what follows."""
    hider, hidden = (entry["name"] for entry in fact.evidence["objects"])
    return [
        f"The {hider} and the {hidden} touch in the picture.",
        f"Where they touch, the {hider} is nearer to the camera, so the outline there is its own.",
        f"The {hidden} goes on behind it: the {hider} hides a part of the {hidden}.",
    ]


def border_of(scene: Scene, i: int, j: int) -> Border | None:
    """The shared border of objects i and j on the depth map; None where there is (nearly) none."""
    window = _window(scene, scene.objects[i], scene.objects[j])
    if window is None:
        return None
    memo, key = scene.measured.memo, ("border", i, j, *((part.start, part.stop) for part in window))
    if key not in memo:
        memo[key] = _border(scene.measured, i, j, window)
    border: Border | None = memo[key]
    if border is None or scene is scene.measured:
        return border
    # Either side of the border has one object's depth alone.
    return Border(border.steps + math.log(scene.factor(j) / scene.factor(i)), border.apart)


def _border(scene: Scene, i: int, j: int, window: tuple[slice, slice]) -> Border | None:
    labels, depth = scene.labels[window], scene.depth[window]
    least = max(LEAST_BORDER, LEAST_SHARE * min(scene.depth.shape))
    for apart in APART:
        found = [
            sign * step
            for turned, far in ((labels, depth), (labels.T, depth.T))
            for one, two, sign in ((i, j, 1.0), (j, i, -1.0))
            for step in [_steps(turned, far, one, two, apart)]
        ]
        steps = np.concatenate(found)
        if len(steps) >= least:
            return Border(steps, apart)
    return None


def hiding_margin(
    scene: Scene, hider: SceneObject, hidden: SceneObject, steps: NDArray[np.float64], margins: Margins
) -> float | None:
    """How clearly the first hides a part of the second (log ratio of the depth step), or None if that is not sure."""
    affine = scene.geometry.scale is Scale.AFFINE_DISPARITY
    if affine and not hidden.rank[Q50] - hider.rank[Q50] > margins.rank_gap:
        return None
    needed = max(math.log(margins.depth_ratio), margins.sigmas * math.hypot(hider.sigma, hidden.sigma))
    margin = float(np.quantile(steps, 1 - MOST))
    return margin if margin > (0.0 if affine else needed) else None


def _touching(scene: Scene) -> list[tuple[int, int]]:
    """Pairs of objects i < j with pixels of the two at most `APART[1]` from one another along a row or column."""
    labels, count = scene.labels, len(scene)
    codes = []
    for apart in APART[:2]:
        for first, second in ((labels[:-apart], labels[apart:]), (labels[:, :-apart], labels[:, apart:])):
            meet = first != second
            pair = np.stack([first[meet], second[meet]]).astype(np.int32)
            low, high = pair.min(axis=0), pair.max(axis=0)
            codes.append((low * count + high)[low >= 0])
    return [divmod(int(code), count) for code in np.unique(np.concatenate(codes))]


def _window(scene: Scene, a: SceneObject, b: SceneObject) -> tuple[slice, slice] | None:
    """Rows and columns of the depth map where the two boxes overlap, with room for what lies inside of either."""
    slices, room = [], APART[-1] + INSIDE + 2
    for axis in (0, 1):
        low = max(a.window[axis], b.window[axis])
        high = min(a.window[axis + 2], b.window[axis + 2])
        if high < low - room:
            return None
        slices.append(slice(max(0, min(low, high) - room), max(low, high) + room + 1))
    return slices[0], slices[1]


def _steps(
    labels: NDArray[np.int16], depth: NDArray[np.float32], one: int, two: int, apart: int
) -> NDArray[np.float64]:
    """log(depth of two / depth of one) wherever one lies in front of two along rows, measured inside of both."""
    if labels.shape[0] <= apart:
        return np.zeros(0)
    rows, columns = np.nonzero((labels[:-apart] == one) & (labels[apart:] == two))
    far = rows + apart
    back, on = np.maximum(rows - INSIDE, 0), np.minimum(far + INSIDE, labels.shape[0] - 1)
    rows = np.where(labels[back, columns] == one, back, rows)
    far = np.where(labels[on, columns] == two, on, far)
    with np.errstate(invalid="ignore", divide="ignore"):
        steps = np.log(depth[far, columns].astype(np.float64)) - np.log(depth[rows, columns].astype(np.float64))
    return steps[np.isfinite(steps)]


def _fact(
    hider: SceneObject,
    hidden: SceneObject,
    steps: NDArray[np.float64],
    margin: float,
    shortcut: bool,
    asks_hider: bool,
) -> Fact:
    return Fact(
        task="occlusion",
        form="occlusion.hides" if asks_hider else "occlusion.hidden",
        kind="ordinal",
        frame="camera",
        operands=(hider.object_id, hidden.object_id),
        style="pair",
        answer=hider.name if asks_hider else hidden.name,
        wrong=(hidden.name if asks_hider else hider.name,),
        value=math.exp(float(np.median(steps))),
        unit="ratio",
        margin=margin,
        formula=FORMULA,
        evidence={
            "objects": [about(hider, "hides"), about(hidden, "hidden")],
            "border": len(steps),
            "step": rounded(math.exp(float(np.median(steps)))),
            "shortcut": {"rule": RULE, "right": shortcut},
        },
    )
