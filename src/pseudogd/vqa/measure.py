"""What is measured of each thing of a photo: extents, place, errors, flags."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pseudogd.errors import InputError
from pseudogd.geometry.gravity import Plane, fit_ground, gravity_rotation
from pseudogd.geometry.types import Geometry, Scale
from pseudogd.objects.masks import decode_at
from pseudogd.vqa.categories import has_front, is_standable
from pseudogd.vqa.footing import disagreement, floor_distance
from pseudogd.vqa.outlines import Hiding, around, depth_edges, eroded, slimness
from pseudogd.vqa.scene import (
    Q02,
    Q10,
    Q50,
    Q90,
    Q98,
    SHARES,
    Array,
    SceneObject,
    SceneSettings,
    counted_quantiles,
    median,
    quantiles,
)
from pseudogd.vqa.surface import outline_first, own_pixels, scattered

Mask = NDArray[np.bool_]

GROUND_POINTS = 600
RESTS_WITHIN = 0.12
HANGS_FROM = 0.5
HARDLY_HIDDEN = 0.01
FOOT_ELSEWHERE = 0.6
"""Share of the lower end that is on (or behind) another thing, from which the floor does not say where a thing is."""
SLIM = 0.1
DEEP = 1.5
OUTLINE_POINTS = 512
SPREAD_POINTS = 40
# Towards the 26 neighbours of a cube: where the outline reaches farthest, gaps begin.
DIRECTIONS = np.array([d for d in itertools.product((-1.0, 0.0, 1.0), repeat=3) if any(d)])
TYPICAL_CAMERA_HEIGHT = 1.4
TYPICAL_DEPTH = 3.0


@dataclass(frozen=True)
class Seen:
    """A mask cut out with a row and a column of its surroundings, and which depths are known and off edges there."""

    mask: Mask
    top: int
    left: int
    known: Mask
    clear: Mask

    def pixels(self, chosen: Mask) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Rows and columns in the whole picture."""
        ys, xs = np.nonzero(chosen)
        return ys + self.top, xs + self.left


class Measure:
    """What all objects of one photo share while they are measured."""

    def __init__(
        self,
        geometry: Geometry,
        settings: SceneSettings,
        depth: NDArray[np.float32],
        rows: Any,
        columns: Any,
        size: tuple[int, int],
    ):
        self.geometry, self.settings, self.depth = geometry, settings, depth
        self.size = size
        height, width = depth.shape
        full_height, full_width = geometry.depth.shape
        # Where the centre of each kept depth pixel lies in the photo's masks.
        self.mask_rows = ((rows + 0.5) * size[1] / full_height).astype(int)
        self.mask_columns = ((columns + 0.5) * size[0] / full_width).astype(int)
        self.known = np.isfinite(depth)
        self.clear = self.known & ~depth_edges(depth, settings.edge)
        self.confidence = None if geometry.confidence is None else geometry.confidence[np.ix_(rows, columns)]
        self.points: NDArray[np.float32] | None = None
        self.rotation: Array | None = None
        if geometry.camera is not None and geometry.scale is not Scale.AFFINE_DISPARITY:
            points = geometry.camera.unproject(geometry.depth)[np.ix_(rows, columns)]
            if geometry.up is not None and geometry.up.confidence >= settings.up_confidence:
                self.rotation = gravity_rotation(geometry.up.vector)
                points = points @ self.rotation.T.astype(np.float32)
            self.points = points
        ordered = np.sort(depth[self.known])
        self.ordered = ordered[:: max(1, ordered.size // 1024)]
        self.erosion = max(1, round(0.008 * max(height, width)))
        self.hiding: Hiding

    def mask(self, row: Mapping[str, Any]) -> Mask:
        """The object's mask at depth resolution; the middle of its box if it has none."""
        if row.get("rle") is not None:
            return decode_at(row["rle"], self.mask_rows, self.mask_columns)
        x, y, w, h = row["bbox"]
        inside_x = np.abs(self.mask_columns + 0.5 - (x + w / 2)) <= w / 4
        inside_y = np.abs(self.mask_rows + 0.5 - (y + h / 2)) <= h / 4
        return inside_y[:, None] & inside_x[None, :]

    def ground(self, labels: NDArray[np.int16]) -> tuple[Plane | None, float]:
        """The floor, and the length of a metre in the unit of the depth map (a guess if that is not metres)."""
        plane = None
        if self.points is not None and self.rotation is not None:
            free = self.points[self.clear & (labels < 0)]
            free = free[:: max(1, len(free) // GROUND_POINTS)].astype(np.float64)
            plane = fit_ground(free, np.array([0.0, -1.0, 0.0])) if len(free) >= 30 else None
        if self.geometry.scale is Scale.METRIC or self.points is None:
            return plane, 1.0
        if plane is not None and abs(plane.offset) > 0:
            return plane, abs(float(plane.offset)) / TYPICAL_CAMERA_HEIGHT
        return plane, float(np.median(self.ordered)) / TYPICAL_DEPTH

    def object(
        self, row: Mapping[str, Any], mask: Mask, bare: bool, ground: Plane | None, unit: float, foot: float
    ) -> SceneObject:
        """One object with all its numbers; ``foot``: share of its lower end that is on another one."""
        x, y, w, h = (float(n) for n in row["bbox"])
        window = around(mask)
        rows, columns = window
        seen = Seen(mask[window], rows.start, columns.start, self.known[window], self.clear[window])
        ys, xs = self._sample(seen)
        z = self.depth[ys, xs].astype(np.float64)
        if bare:
            u = _even(x / self.size[0], (x + w) / self.size[0])
            v = _even(y / self.size[1], (y + h) / self.size[1])
        else:
            u = (columns.start + counted_quantiles(seen.mask.sum(axis=0)) + 0.5) / mask.shape[1]
            v = (rows.start + counted_quantiles(seen.mask.sum(axis=1)) + 0.5) / mask.shape[0]
        edge_x, edge_y = 0.75 * self.size[0] / mask.shape[1] + 0.25, 0.75 * self.size[1] / mask.shape[0] + 0.25
        depths = quantiles(z)
        values: dict[str, Any] = {}
        if self.points is not None:
            values = self._metric_values(self.points[ys, xs].astype(np.float64), seen, depths, ground)
        gap = values.get("ground_gap")
        hidden, cut = (0.0, False) if bare else self.hiding.of(mask)
        category = str(row.get("category") or "")
        return SceneObject(
            object_id=str(row["object_id"]),
            name=str(row["name"]),
            category=category,
            bbox=(x, y, w, h),
            mask=mask,
            boxes_only=bare,
            truncated=x < edge_x or y < edge_y or x + w > self.size[0] - edge_x or y + h > self.size[1] - edge_y,
            occluded=hidden,
            cut=cut,
            known=float((seen.mask & seen.known).sum() / seen.mask.sum()),
            sigma=math.hypot(
                self._sigma(ys, xs, bare)
                * self._place_doubt(hidden, gap, unit, foot)
                * self._shape_doubt(seen.mask, depths, values.get("wide"), bare),
                0.0 if bare else self._foot_doubt(seen, values, ground, self._rests(gap, unit, foot)),
            ),
            u=u,
            v=v,
            z=depths,
            rank=np.searchsorted(self.ordered, depths) / max(1, self.ordered.size),
            standable=_standable(category, gap, unit),
            has_front=has_front(category),
            **self._front(row),
            **values,
        )

    def _front(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """The facing direction that the row states in camera axes, turned into the scene's frame."""
        stated = row.get("front")
        if stated is None or self.points is None:
            return {}
        front = np.asarray(stated, np.float64)
        length = float(np.linalg.norm(front)) if front.shape == (3,) else math.nan
        if not (math.isfinite(length) and length > 0):
            raise InputError(f"{row['name']}: front {stated!r} is no direction; write three numbers, not all zero")
        front = front / length if self.rotation is None else self.rotation @ front / length
        return {"front": front, "front_confidence": float(row.get("front_confidence", 1.0))}

    def _sample(self, seen: Seen) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Pixels that stand for the object: off its outline, off depth edges, without outliers, thinned evenly."""
        wanted = max(self.settings.min_pixels, int(seen.mask.sum()) // 4)
        inner = seen.mask
        for _ in range(self.erosion):
            smaller = eroded(inner)
            if int((smaller & seen.clear).sum()) < wanted:
                break
            inner = smaller
        chosen = inner & seen.clear
        if int(chosen.sum()) < self.settings.min_pixels:
            chosen = seen.mask & seen.known
        ys, xs = seen.pixels(chosen)
        log = np.log(self.depth[ys, xs])
        away = np.abs(log - median(log))
        # 1.4826 turns a median deviation into a standard deviation; the floor keeps flat things whole.
        keep = away <= 4.0 * 1.4826 * median(away) + 0.04
        ys, xs = ys[keep], xs[keep]
        step = len(ys) / self.settings.max_points
        if step > 1:
            chosen_index = ((np.arange(self.settings.max_points) + 0.5) * step).astype(int)
            ys, xs = ys[chosen_index], xs[chosen_index]
        return ys, xs

    def _metric_values(self, points: Array, seen: Seen, depths: Array, ground: Plane | None) -> dict[str, Any]:
        assert self.points is not None
        outline, pixel = self._outline(seen, depths)
        centre = median(points)
        own = self._own_pixels(seen)
        ys, xs = outline_first(own).T
        surface = self.points[ys + seen.top, xs + seen.left].astype(np.float64)
        reach = surface[np.argmax(surface @ DIRECTIONS.T, axis=0)]
        values: dict[str, Any] = {
            "points": points,
            "centre": centre,
            "surface": surface,
            "skin": np.concatenate([reach, surface[scattered(len(surface), SPREAD_POINTS)]]),
            "distance": quantiles(np.sqrt((points**2).sum(axis=1))),
        }
        if self.rotation is not None:
            values["height"] = quantiles(-points[:, 1])
            sight = math.hypot(centre[0], centre[2]) or 1.0
            low, high = _ends(-outline[:, 1])
            left, right = _ends((outline[:, 0] * centre[2] - outline[:, 2] * centre[0]) / sight)
            # Extents go from edge to edge, pixels from middle to middle: one pixel is missing.
            values["tall"], values["wide"] = high - low + pixel, right - left + pixel
            if ground is not None:
                foot = low - pixel / 2 - float(values["height"][Q50])
                values["ground_gap"] = foot + float(ground.height(centre))
        return values

    def _own_pixels(self, seen: Seen) -> Mask:
        """Pixels of the cut-out mask that show the thing itself; all with known depth if there are hardly any."""
        assert self.geometry.camera is not None
        view = self.geometry.camera.resized(self.depth.shape[1], self.depth.shape[0])
        rows, columns = np.flatnonzero(seen.mask.any(axis=1)), np.flatnonzero(seen.mask.any(axis=0))
        span = min((rows[-1] - rows[0] + 1) / view.fy, (columns[-1] - columns[0] + 1) / view.fx)
        window = slice(seen.top, seen.top + seen.mask.shape[0]), slice(seen.left, seen.left + seen.mask.shape[1])
        own = own_pixels(seen.mask, self.depth[window], seen.clear, self.settings.edge, self.erosion, float(span))
        return own if int(own.sum()) >= self.settings.min_pixels else seen.mask & seen.known

    def _outline(self, seen: Seen, depths: Array) -> tuple[Array, float]:
        """(n, 3) points of the whole mask, outline included, and the size of a pixel there.

        The sample keeps off the outline, so its own extent is short: a lamp's pole is three pixels wide at 128. Here
        every pixel of the mask counts, but none lies nearer or farther than the sample does (2-98 %), whatever depth
        bled in from behind.
        """
        assert self.points is not None and self.geometry.camera is not None
        ys, xs = seen.pixels(seen.mask & seen.known)
        chosen = scattered(len(ys), OUTLINE_POINTS)
        ys, xs = ys[chosen], xs[chosen]
        z = self.depth[ys, xs].astype(np.float64)
        points = self.points[ys, xs] * (np.clip(z, depths[Q02], depths[Q98]) / z)[:, None]
        view = self.geometry.camera.resized(self.depth.shape[1], self.depth.shape[0])
        return points, float(depths[Q50] / view.fy)

    def _sigma(self, ys: NDArray[np.intp], xs: NDArray[np.intp], bare: bool) -> float:
        """Relative depth error: the set one, up to doubled where the teacher doubts itself, doubled for a bare box."""
        doubt = 0.0 if self.confidence is None else 1.0 - float(self.confidence[ys, xs].mean())
        return self.settings.depth_sigma * (1.0 + doubt) * (2.0 if bare else 1.0)

    def _place_doubt(self, hidden: float, gap: float | None, unit: float, foot: float) -> float:
        """How much farther off than others a thing may be: see `SceneSettings.hidden_doubt`."""
        doubt = self.settings.hidden_doubt if hidden > HARDLY_HIDDEN else 1.0
        return doubt * (1.0 if self._rests(gap, unit, foot) else self.settings.lifted_doubt)

    def _rests(self, gap: float | None, unit: float, foot: float) -> bool:
        """Whether a thing is seen to rest on the floor, or no floor is known."""
        return gap is None or not (gap > RESTS_WITHIN * unit or foot > FOOT_ELSEWHERE)

    def _foot_doubt(self, seen: Seen, values: Mapping[str, Any], ground: Plane | None, rests: bool) -> float:
        """Relative error that comes to the others: see `SceneSettings.foot_doubt`."""
        wide = values.get("wide")
        if not self.settings.foot_doubt or ground is None or wide is None:
            return 0.0
        assert self.geometry.camera is not None and self.rotation is not None  # what is wide has both
        height, width = self.depth.shape
        view = self.geometry.camera.resized(width, height)
        rows = np.flatnonzero(seen.mask.any(axis=1))
        column = float(np.median(np.flatnonzero(seen.mask[rows[-1]])))
        lowest = seen.top + int(rows[-1]) + 1
        ray = np.array([(seen.left + column - view.cx) / view.fx, (lowest - 0.5 - view.cy) / view.fy, 1.0])
        place = math.hypot(values["centre"][0], values["centre"][2])
        whole = lowest < height  # else it goes on below the picture
        foot = floor_distance(self.rotation @ ray, ground)
        return self.settings.foot_doubt * disagreement(place, foot, wide, rests and whole)

    def _shape_doubt(self, mask: Mask, depths: Array, wide: float | None, bare: bool) -> float:
        """The same for its shape: see `SceneSettings.thin_doubt`."""
        if bare:
            return 1.0
        doubt = self.settings.thin_doubt if slimness(mask) < SLIM else 1.0
        deep = wide is not None and depths[Q90] - depths[Q10] > DEEP * wide
        return doubt * (self.settings.deep_doubt if deep else 1.0)


def _standable(category: str, gap: float | None, unit: float) -> bool:
    """Whether a person could stand there: it rests on the floor, or is of a kind that does and is not seen high up."""
    if gap is None:
        return is_standable(category)
    return abs(gap) < RESTS_WITHIN * unit or (is_standable(category) and abs(gap) < HANGS_FROM * unit)


def _ends(values: Array) -> tuple[float, float]:
    """1 and 99 % quantiles of (n,) finite values, by the nearest rank."""
    ordered = np.sort(values)
    last = len(ordered) - 1
    return float(ordered[round(0.01 * last)]), float(ordered[round(0.99 * last)])


def _even(low: float, high: float) -> Array:
    return low + (high - low) * SHARES
