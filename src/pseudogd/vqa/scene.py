"""A scene: one photo's geometry with its named objects measured in three dimensions, and how sure each number is.

Frames: *camera* (x right, y down, z forward) and *gravity* (same origin, smallest rotation that turns gravity to +y; x
right and z forward lie on the ground). All lengths are in the unit of the depth map: metres if the scale is metric.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pseudogd.errors import PseudoGDError
from pseudogd.geometry.boxes import YawBox, yaw_box
from pseudogd.geometry.gravity import Plane
from pseudogd.geometry.types import Geometry, Scale
from pseudogd.vqa.fact import rounded

Array = NDArray[np.float64]

KINDS = ("ordinal", "ratio", "bearing", "metric")
QUANTILES = (0.02, 0.05, 0.10, 0.50, 0.90, 0.95, 0.98)
Q02, Q05, Q10, Q50, Q90, Q95, Q98 = range(7)
SHARES = np.array(QUANTILES)
NOT_BELIEVED = -2
"""Label of pixels of a thing that was left out because its depth cannot be right."""


class CannotAnswer(PseudoGDError):
    """The geometry of this photo is of a kind that cannot answer such a question."""


@dataclass(frozen=True)
class SceneSettings:
    """How objects are measured.

    ``depth_sigma``: relative depth error of one object along its viewing ray, independent of the other objects;
    ``scale_sigma``: that of all depths of a photo together, which spoils lengths alone. ``hidden_doubt`` and
    ``lifted_doubt``: factors on the error of a thing of which something is hidden, and of one that does not rest on the
    floor (or whose depth says so, or whose foot is not seen on it because another thing is there): what stands free on
    the floor is seldom far off, as the floor says where it is. ``thin_doubt``: the same for poles, of which a depth map
    has seen little, and ``deep_doubt`` for what seems to reach much farther back than it is wide, as things do that
    have been given the depth of what is behind them. ``foot_doubt``: how many times the disagreement
    between where a thing is and where its foot is seen on the floor is an error besides the others (see `footing`).
    ``up_confidence``: least confidence at which gravity is believed; ``up_sigma``: its error in radians then.
    ``sunk``: a thing that reaches farther below the floor (metres) is left out: depth maps give thin things, such as
    the pole of a lamp, the depth of the wall behind them, and a ray that goes there through the floor shows it.
    ``max_points``: points kept per object; ``max_side``: depth maps longer than this are thinned.
    """

    depth_sigma: float = 0.05
    scale_sigma: float = 0.0
    hidden_doubt: float = 1.5
    lifted_doubt: float = 2.0
    thin_doubt: float = 2.0
    deep_doubt: float = 2.0
    foot_doubt: float = 1.5
    up_confidence: float = 0.5
    up_sigma: float = math.radians(3.0)
    sunk: float = 0.15
    max_points: int = 256
    max_side: int = 320
    min_pixels: int = 8
    edge: float = 0.08
    occluded: float = 0.15


@dataclass(frozen=True, eq=False)
class SceneObject:
    """One object as seen. Quantile rows follow `QUANTILES`; what needs a camera or gravity is None without it.

    ``u``/``v``: columns/rows of the mask as share of the picture; ``z``: z-depth; ``distance``: ray length;
    ``occluded``: share of the outline with something nearer right outside; ``cut``: so is one whole end of it;
    ``rank``: place of the depth within the photo, 0 nearest to 1 farthest; ``known``: share of the mask with depth;
    ``height``: along up from the camera; ``tall``, ``wide``: real extents along up and level across the line of sight;
    ``front``: unit vector (3,) in the scene's frame that the thing's own front faces, None if nobody said;
    ``front_confidence``: how sure that is, 0 to 1, None without a front;
    ``points``: (n, 3) sample in the scene's frame; ``centre``: its median; ``surface``: (n, 3) points that reach to
    the outline, to measure to the nearest part; ``skin``: (n, 3) fewer of them, to measure gaps from; ``sigma``:
    relative error along the viewing ray; ``ground_gap``: height of the lower end over the floor.
    """

    object_id: str
    name: str
    category: str
    bbox: tuple[float, float, float, float]
    mask: NDArray[np.bool_]
    boxes_only: bool
    truncated: bool
    occluded: float
    cut: bool
    known: float
    sigma: float
    u: Array
    v: Array
    z: Array
    rank: Array
    distance: Array | None = None
    points: Array | None = None
    centre: Array | None = None
    skin: Array | None = None
    surface: Array | None = None
    height: Array | None = None
    tall: float | None = None
    wide: float | None = None
    ground_gap: float | None = None
    standable: bool = False
    has_front: bool = False
    front: Array | None = None
    front_confidence: float | None = None

    @cached_property
    def box(self) -> YawBox:
        """Yaw-fitted box of the visible points; only in scenes with gravity."""
        if self.points is None or self.height is None:
            raise CannotAnswer("a box on the ground needs a camera and gravity")
        return yaw_box(self.points)

    @cached_property
    def placed(self) -> dict[str, Any]:
        """Where it is, as evidence: what several facts say and none should round again."""
        place: dict[str, Any] = {"bbox": rounded(list(self.bbox), 1)}
        if self.centre is not None:
            place["centre"] = rounded(self.centre.tolist(), 3)
        return place

    @cached_property
    def window(self) -> tuple[int, int, int, int]:
        """First row, first column, last row, last column of the mask (not empty), at the depth map's resolution."""
        rows, columns = np.flatnonzero(self.mask.any(axis=1)), np.flatnonzero(self.mask.any(axis=0))
        return int(rows[0]), int(columns[0]), int(rows[-1]), int(columns[-1])

    @cached_property
    def footprint(self) -> float:
        """Half the longer visible extent on the ground (x and z of the scene's frame)."""
        if self.points is None:
            raise CannotAnswer("a footprint needs a camera")
        low, high = _ends(self.points[:, ::2])
        return float((high - low).max() / 2)


def quantiles(values: Array) -> Array:
    """`QUANTILES` of (n,) finite values, by the nearest rank."""
    ordered = np.sort(values)
    return ordered[np.rint(SHARES * (len(ordered) - 1)).astype(int)].astype(np.float64)


def counted_quantiles(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """`QUANTILES`, by the nearest rank, of a sample in which each number k stands ``counts[k]`` times."""
    places = np.rint(SHARES * (int(counts.sum()) - 1))
    return np.searchsorted(np.cumsum(counts), places, side="right")


def median(values: NDArray[Any]) -> Any:
    """As `numpy.median` along the first axis, of finite values, in less time."""
    ordered, half = np.sort(values, axis=0), len(values) // 2
    return ordered[half] if len(values) % 2 else (ordered[half - 1] + ordered[half]) / 2


def kept_pixels(count: int, side: int) -> NDArray[np.int64]:
    """Which of ``count`` rows (or columns) stay when no more than ``side`` may."""
    if count <= side:
        return np.arange(count)
    return ((np.arange(side) + 0.5) * count / side).astype(np.int64)


def _ends(values: Array) -> tuple[Array, Array]:
    ordered = np.sort(values, axis=0)
    last = len(ordered) - 1
    return ordered[round(0.02 * last)], ordered[round(0.98 * last)]


@dataclass(frozen=True, eq=False)
class Scene:
    """Objects of one photo in one frame, with what the geometry is able to say.

    ``rotation``: camera to gravity frame, or None where gravity is unknown (objects then stay in the camera frame).
    ``depth``/``labels``: the thinned depth map, and for every pixel of it the index of the object there or -1
    (`NOT_BELIEVED` where a thing was left out because its depth cannot be right).
    ``floor``: pixels on the ground plane and on no object. ``skipped``: (object id, reason) of objects that are not
    asked about.
    """

    image_id: str
    geometry: Geometry
    settings: SceneSettings
    objects: tuple[SceneObject, ...]
    depth: NDArray[np.float32]
    labels: NDArray[np.int16]
    rotation: Array | None = None
    ground: Plane | None = None
    unit: float = 1.0
    points: NDArray[np.float32] | None = None
    floor: NDArray[np.bool_] = field(default_factory=lambda: np.zeros((0, 0), bool))
    skipped: Sequence[tuple[str, str]] = field(default=())

    def __len__(self) -> int:
        return len(self.objects)

    def find(self, object_id: str) -> int | None:
        """Index of an object by its id; None when it is not (or no longer) in the scene."""
        return self._places.get(object_id)

    def index(self, object_id: str) -> int:
        """Index of an object that is known to be there. KeyError otherwise."""
        return self._places[object_id]

    @cached_property
    def normals(self) -> NDArray[np.float32] | None:
        """(H, W, 3) unit normals at the pixels of ``depth``, in the scene's frame, nan where unknown.

        None where the teacher gave none, or without a camera: normals of depth of the wrong shape are wrong.
        """
        given = self.geometry.normals
        if given is None or not self.has_camera:
            return None
        rows, columns = (kept_pixels(n, self.settings.max_side) for n in given.shape[:2])
        seen = given[np.ix_(rows, columns)]
        return seen if self.rotation is None else seen @ self.rotation.T.astype(np.float32)

    @property
    def measured(self) -> Scene:
        """The scene as it was measured, where this is that scene with other numbers (see `perturb`); else itself."""
        return self

    @cached_property
    def memo(self) -> dict[Any, Any]:
        """What several facts of this scene need and none should compute twice; the key says what it is."""
        return {}

    def factor(self, label: int) -> float:
        """The depth of what has this label, by that in the measured scene."""
        return 1.0

    def moved(self, z: Array, points: Array | None, label: NDArray[np.int16]) -> tuple[Array, Array | None]:
        """z-depths and points of pixels in this scene, from those of the measured one."""
        return z, points

    @cached_property
    def typical_depths(self) -> tuple[float, float]:
        """The median of all known depths, and their 90 % quantile; 0 and 1 where none is known."""
        known = self.depth[np.isfinite(self.depth)]
        return (float(np.median(known)), float(np.quantile(known, 0.9))) if known.size else (0.0, 1.0)

    @cached_property
    def _places(self) -> dict[str, int]:
        return {thing.object_id: index for index, thing in enumerate(self.objects)}

    @property
    def has_camera(self) -> bool:
        return self.geometry.camera is not None and self.geometry.scale is not Scale.AFFINE_DISPARITY

    @property
    def has_gravity(self) -> bool:
        return self.rotation is not None

    def supports(self, kind: str) -> bool:
        """Whether the geometry can answer this kind of question.

        Order needs depth order alone; ratios and bearings need true shape (a camera and depth that is right up to one
        factor); numbers need metres as well.
        """
        if kind not in KINDS:
            raise ValueError(f"unknown kind {kind!r}, one of {', '.join(KINDS)}")
        if kind == "ordinal":
            return True
        if kind == "metric":
            return self.has_camera and self.geometry.scale is Scale.METRIC
        return self.has_camera

    def require(self, kind: str) -> None:
        """Raise `CannotAnswer` where `supports` is False."""
        if not self.supports(kind):
            camera = "known" if self.geometry.camera is not None else "unknown"
            raise CannotAnswer(
                f"{self.image_id}: a {kind} question cannot be answered from {self.geometry.scale.value} depth with "
                f"camera {camera} (teacher {self.geometry.teacher.name})"
            )

    def length_error(self, value: float, sigma: float) -> float:
        """Standard error of a length: that of its ends and that of the scale of all depths."""
        return math.hypot(sigma, self.settings.scale_sigma * value)

    # ------------------------------------------------------------ all objects at once (they need a camera)
    @cached_property
    def centres(self) -> Array:
        """(N, 3) centres in the scene's frame."""
        self.require("bearing")
        return np.array([o.centre for o in self.objects], dtype=np.float64).reshape(-1, 3)

    @cached_property
    def centre_list(self) -> list[list[float]]:
        """The same as plain numbers: arithmetic on a few of them is faster than on arrays."""
        listed: list[list[float]] = self.centres.tolist()
        return listed

    @cached_property
    def errors(self) -> Array:
        """(N, 3) one standard error of each centre: a step along its viewing ray."""
        return self.centres * np.array([o.sigma for o in self.objects])[:, None]

    @cached_property
    def distances(self) -> Array:
        """(N, N) distances between centres."""
        return np.linalg.norm(self.centres[:, None] - self.centres[None], axis=-1)

    @cached_property
    def distance_errors(self) -> Array:
        """(N, N) one standard error of `distances`, from `errors`."""
        with np.errstate(invalid="ignore", divide="ignore"):
            line = (self.centres[None] - self.centres[:, None]) / self.distances[..., None]
        along = np.nan_to_num(np.einsum("ijk,ik->ij", line, self.errors))
        return np.hypot(along, along.T)

    @cached_property
    def gaps(self) -> Array:
        """(N, N) distance between the closest visible parts.

        A low quantile of the nearest-neighbour distances of each side to the other, the smaller of the two sides: the
        very smallest distance may be that of an outlier, and the mean is not a gap at all.
        """
        self.require("bearing")
        samples = [o.skin for o in self.objects if o.skin is not None]
        if not samples:
            return np.zeros((0, 0))
        stacked = np.concatenate(samples)
        square = (stacked**2).sum(axis=1)
        all_pairs = square[:, None] + square[None] - 2 * stacked @ stacked.T
        starts = np.cumsum([0, *(len(sample) for sample in samples)])
        nearest = np.minimum.reduceat(all_pairs, starts[:-1], axis=1)  # of every point, to every object
        low = np.stack([_low(nearest[begin:end]) for begin, end in pairwise(starts.tolist())])
        gaps = np.sqrt(np.maximum(np.minimum(low, low.T), 0.0))
        np.fill_diagonal(gaps, 0.0)
        return gaps

    def gap(self, i: int, j: int) -> float:
        """`gaps` of one pair, for whoever needs no others."""
        if "gaps" in self.__dict__:
            return float(self.gaps[i, j])
        first, second = self.objects[i].skin, self.objects[j].skin
        assert first is not None and second is not None
        squared = (first**2).sum(axis=1)[:, None] + (second**2).sum(axis=1)[None] - 2 * first @ second.T
        return math.sqrt(max(min(float(_low(squared.min(axis=1))), float(_low(squared.min(axis=0)))), 0.0))

    def at(self, rows: NDArray[np.int64], columns: NDArray[np.int64]) -> tuple[Array, Array | None]:
        """(n,) z-depth and (n, 3) points in the scene's frame (None without a camera) at pixels of the depth map."""
        z = self.depth[rows, columns].astype(np.float64)
        return z, None if self.points is None else self.points[rows, columns].astype(np.float64)

    def closest_parts(self, i: int, j: int) -> Array:
        """(2, 3) the points of objects i and j between which `gaps` measures."""
        first, second = self.objects[i].skin, self.objects[j].skin
        assert first is not None and second is not None
        squared = ((first[:, None] - second[None]) ** 2).sum(axis=-1)
        sides = [squared.min(axis=1), squared.min(axis=0)]
        side = int(np.argmin([_low(nearest) for nearest in sides]))
        place = int(np.argsort(sides[side])[_low_place(len(sides[side]))])
        if side == 0:
            return np.stack([first[place], second[squared[place].argmin()]])
        return np.stack([first[squared[:, place].argmin()], second[place]])


def _low(squared: Array) -> Array:
    """A low quantile along the first axis."""
    place = _low_place(len(squared))
    low: Array = np.partition(squared, place, axis=0)[place]
    return low


def _low_place(count: int) -> int:
    """Rank of the 2 % quantile, and never the very smallest value."""
    return min(max(1, count // 50), count - 1)
