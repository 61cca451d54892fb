"""The same scene as it would be if the geometry were wrong in one plausible way.

Whatever a measured scene holds is derived from points along viewing rays. An error of depth moves an object's points
along their rays by one factor; an error of the focal length or of gravity is one linear map of all points. So a changed
scene is made from the measured one, without measuring again, and only what somebody asks for is computed.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import fields
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pseudogd.geometry.boxes import YawBox
from pseudogd.geometry.gravity import Plane
from pseudogd.vqa.outlines import around, eroded
from pseudogd.vqa.scene import Q50, Array, Scene, SceneObject, median, quantiles

_SHARED = {field.name for field in fields(Scene)} - {"objects", "depth", "points", "ground", "unit"}
_OWN = {
    "z",
    "rank",
    "distance",
    "points",
    "centre",
    "skin",
    "surface",
    "height",
    "tall",
    "wide",
    "ground_gap",
    "box",
    "footprint",
    "placed",
}
_MOST_POINTS = 256
_SAME = np.eye(3)


def changed(scene: Scene, factors: Array, behind: float = 1.0, linear: Array | None = None) -> Scene:
    """The scene with the depth of object i times ``factors[i]`` and of all else times ``behind``.

    ``linear`` (3, 3) is applied to every point, in the scene's frame, before that.
    """
    return _Changed(scene, np.asarray(factors, dtype=np.float64), behind, _SAME if linear is None else linear)


def scaled(scene: Scene, factor: float) -> Scene:
    """All depths times one factor."""
    return changed(scene, np.full(len(scene), factor), factor)


def shifted(scene: Scene, share: float) -> Scene:
    """All depths plus a share of the photo's median depth: of something far it changes less than of something near."""
    middle, far = scene.typical_depths
    step = share * middle
    z = np.array([thing.z[Q50] for thing in scene.objects])
    return changed(scene, np.maximum(1.0 + step / z, 0.05), max(1.0 + step / far, 0.05))


def refocused(scene: Scene, factor: float) -> Scene:
    """The focal length times ``factor``: the same pixels then lie nearer to the optical axis."""
    squeeze = np.diag([1.0 / factor, 1.0 / factor, 1.0])
    if scene.rotation is not None:
        squeeze = scene.rotation @ squeeze @ scene.rotation.T
    return changed(scene, np.ones(len(scene)), 1.0, squeeze)


def tilted(scene: Scene, pitch: float = 0.0, roll: float = 0.0) -> Scene:
    """Gravity wrong by ``pitch`` and ``roll`` radians; the same scene where gravity is unknown."""
    if scene.rotation is None:
        return scene
    c, s = math.cos(pitch), math.sin(pitch)
    about_x = np.array([[1.0, 0.0, 0.0], [0.0, c, -s], [0.0, s, c]])
    c, s = math.cos(roll), math.sin(roll)
    about_z = np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])
    return changed(scene, np.ones(len(scene)), 1.0, about_z @ about_x)


def shrunk(scene: Scene, pixels: int) -> Scene:
    """Every object measured again on its mask less ``pixels`` all around; thin ones keep what they have."""
    return _Shrunk(scene, pixels)


class _Changed(Scene):
    """A scene whose maps and objects are computed when they are asked for."""

    def __init__(self, scene: Scene, factors: Array, behind: float, linear: Array) -> None:
        own = self.__dict__  # the class is frozen
        of = scene.__dict__
        own.update({name: of[name] for name in _SHARED})
        own.update(_source=scene, _factors=factors, _behind=behind, _map=linear, _places=scene._places)
        own["unit"] = scene.unit * behind

    @cached_property
    def objects(self) -> tuple[SceneObject, ...]:  # type: ignore[override]
        factors = self.__dict__["_factors"]
        maps = self._linear.T * factors[:, None, None]
        even = self._linear is _SAME
        parts = zip(self.measured.objects, factors.tolist(), maps)
        return tuple(_ChangedObject(thing, factor, own, even) for thing, factor, own in parts)

    @cached_property
    def centres(self) -> Array:
        turned = self.measured.centres if self._linear is _SAME else self.measured.centres @ self._linear.T
        return turned * self.__dict__["_factors"][:, None]

    @cached_property
    def ground(self) -> Plane | None:  # type: ignore[override]
        ground = self.measured.ground
        return None if ground is None else _moved(ground, self._linear, self.__dict__["_behind"])

    @cached_property
    def normals(self) -> NDArray[np.float32] | None:
        """Those of the source: what is changed are places."""
        return self.measured.normals

    @property
    def measured(self) -> Scene:
        source: Scene = self.__dict__["_source"]
        return source

    def at(self, rows: NDArray[np.int64], columns: NDArray[np.int64]) -> tuple[Array, Array | None]:
        return self.moved(*self.measured.at(rows, columns), self.labels[rows, columns])

    def factor(self, label: int) -> float:
        return float(self._factors_by_label[label])

    def moved(self, z: Array, points: Array | None, label: NDArray[np.int16]) -> tuple[Array, Array | None]:
        factor = self._factors_by_label[label]
        if points is not None:
            points = (points if self._linear is _SAME else points @ self._linear.T) * factor[:, None]
        return z * factor, points

    @property
    def _linear(self) -> Array:
        linear: Array = self.__dict__["_map"]
        return linear

    @cached_property
    def _factors_by_label(self) -> Array:
        """Labels -1 and -2 are the last two."""
        return np.append(self.__dict__["_factors"], [self.__dict__["_behind"]] * 2)

    @cached_property
    def _factor_map(self) -> NDArray[np.float32]:
        map_: NDArray[np.float32] = self._factors_by_label.astype(np.float32)[self.labels]
        return map_

    @cached_property
    def depth(self) -> NDArray[np.float32]:  # type: ignore[override]
        depth: NDArray[np.float32] = self.measured.depth * self._factor_map
        return depth

    @cached_property
    def points(self) -> NDArray[np.float32] | None:  # type: ignore[override]
        points = self.measured.points
        if points is None:
            return None
        turned: NDArray[np.float32] = points @ self._linear.T.astype(np.float32)
        return turned * self._factor_map[..., None]


class _ChangedObject(SceneObject):
    """An object whose points lie elsewhere on their rays."""

    def __init__(self, thing: SceneObject, factor: float, linear: Array, even: bool) -> None:
        own = self.__dict__
        own.update(thing.__dict__)
        for name in _OWN.intersection(own):
            del own[name]
        own.update(_source=thing, _factor=factor, _map=linear, _even=even)
        own["z"] = thing.z * factor
        own["rank"] = thing.rank  # an order within the photo: small errors leave it nearly where it is

    def _turned(self, name: str) -> Any:
        values = getattr(self.__dict__["_source"], name)
        if values is None:
            return None
        return values * self.__dict__["_factor"] if self.__dict__["_even"] else values @ self.__dict__["_map"]

    @cached_property
    def box(self) -> YawBox:
        if not self.__dict__["_even"]:
            return super().box
        box, factor = self.__dict__["_source"].box, self.__dict__["_factor"]
        return YawBox(box.center * factor, box.size * factor, box.yaw)

    @cached_property
    def points(self) -> Array | None:  # type: ignore[override]
        return self._turned("points")

    @cached_property
    def centre(self) -> Array | None:  # type: ignore[override]
        return self._turned("centre")

    @cached_property
    def skin(self) -> Array | None:  # type: ignore[override]
        return self._turned("skin")

    @cached_property
    def surface(self) -> Array | None:  # type: ignore[override]
        return self._turned("surface")

    @cached_property
    def distance(self) -> Array | None:  # type: ignore[override]
        own = self.__dict__
        if own["_even"]:
            return None if own["_source"].distance is None else own["_source"].distance * own["_factor"]
        return None if self.points is None else quantiles(np.linalg.norm(self.points, axis=1))

    @cached_property
    def height(self) -> Array | None:  # type: ignore[override]
        height: Array | None = self.__dict__["_source"].height
        if height is None or self.__dict__["_even"]:
            return None if height is None else height * self.__dict__["_factor"]
        if self.points is None:
            return None
        return quantiles(-self.points[:, 1])

    @cached_property
    def tall(self) -> float | None:  # type: ignore[override]
        return self._extent("tall", np.array([0.0, 1.0, 0.0]))

    @cached_property
    def wide(self) -> float | None:  # type: ignore[override]
        centre = self.__dict__["_source"].centre
        if centre is None:
            return None
        sight = math.hypot(centre[0], centre[2]) or 1.0
        return self._extent("wide", np.array([centre[2], 0.0, -centre[0]]) / sight)

    @cached_property
    def ground_gap(self) -> float | None:  # type: ignore[override]
        gap = self.__dict__["_source"].ground_gap
        return None if gap is None else gap * self.__dict__["_factor"]

    def _extent(self, name: str, along: Array) -> float | None:
        """A length along ``along`` after the change."""
        length = getattr(self.__dict__["_source"], name)
        if length is not None and self.__dict__["_even"]:
            return float(length * self.__dict__["_factor"])
        return None if length is None else float(length * np.linalg.norm(along @ self.__dict__["_map"]))


def _moved(plane: Plane, linear: Array, factor: float) -> Plane:
    """The plane on which the changed points of a plane lie."""
    if linear is _SAME:
        return Plane(plane.normal, plane.offset * factor, plane.inlier_fraction)
    normal = np.linalg.solve(linear.T, plane.normal).astype(np.float64)
    length = float(np.linalg.norm(normal))
    return Plane(normal / length, plane.offset * factor / length, plane.inlier_fraction)


class _Shrunk(_Changed):
    """A scene of objects that are measured again on smaller masks; all else is as it was."""

    def __init__(self, scene: Scene, pixels: int) -> None:
        super().__init__(scene, np.ones(len(scene)), 1.0, _SAME)
        self.__dict__["_pixels"] = pixels

    @cached_property
    def objects(self) -> tuple[SceneObject, ...]:  # type: ignore[override]
        scene, pixels = self.measured, self.__dict__["_pixels"]
        return tuple(_shrunk(scene, thing, pixels) for thing in scene.objects)

    @cached_property
    def centres(self) -> Array:
        return np.array([thing.centre for thing in self.objects], dtype=np.float64).reshape(-1, 3)


def _shrunk(scene: Scene, thing: SceneObject, pixels: int) -> SceneObject:
    if thing.boxes_only:
        return thing
    rows, columns = around(thing.mask)
    mask, depth = thing.mask[rows, columns], scene.depth[rows, columns]
    known = np.isfinite(depth)
    for _ in range(pixels):
        smaller = eroded(mask)
        if int((smaller & known).sum()) < scene.settings.min_pixels:
            return thing
        mask = smaller
    ys, xs = np.nonzero(mask & known)
    height, width = thing.mask.shape
    u, v = quantiles((xs + columns.start + 0.5) / width), quantiles((ys + rows.start + 0.5) / height)
    step = max(1, len(ys) // _MOST_POINTS)
    ys, xs = ys[::step], xs[::step]
    z = depth[ys, xs].astype(np.float64)
    log = np.log(z)
    away = np.abs(log - median(log))
    keep = away <= 4.0 * 1.4826 * median(away) + 0.04  # as the object was measured at first
    ys, xs, z = ys[keep] + rows.start, xs[keep] + columns.start, z[keep]
    whole = np.zeros(thing.mask.shape, bool)
    whole[rows, columns] = mask
    values: dict[str, Any] = {"mask": whole, "u": u, "v": v, "z": quantiles(z)}
    if scene.points is not None and thing.centre is not None:
        points = scene.points[ys, xs].astype(np.float64)
        values |= {"points": points, "centre": median(points), "skin": points[:: max(1, len(points) // 66)]}
        values["surface"] = points
        values["distance"] = quantiles(np.sqrt((points * points).sum(axis=1)))
        if thing.height is not None:
            values["height"] = quantiles(-points[:, 1])
    return SceneObject(**{**{field.name: getattr(thing, field.name) for field in fields(SceneObject)}, **values})


def noisy(scene: Scene, draws: int, rng: np.random.Generator) -> Iterator[Scene]:
    """Scenes with independent errors of the objects' depths, of the size that the scene believes, in pairs of signs."""
    sigma = np.array([thing.sigma for thing in scene.objects])
    for _ in range((draws + 1) // 2):
        step = sigma * rng.standard_normal(len(scene))
        behind = scene.settings.depth_sigma * float(rng.standard_normal())
        for sign in (1.0, -1.0):
            yield changed(scene, np.exp(sign * step), math.exp(sign * behind))
