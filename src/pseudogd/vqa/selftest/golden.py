"""Scenes of upright boxes on a floor, ray cast in closed form: the truth of every answer is in the numbers given."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pseudogd.geometry.boxes import yaw_rotation
from pseudogd.geometry.camera import Camera
from pseudogd.geometry.gravity import gravity_rotation
from pseudogd.geometry.normals import normals_from_depth
from pseudogd.geometry.types import Geometry, Scale, TeacherInfo, Up
from pseudogd.objects.masks import encode
from pseudogd.vqa.build import build_scene
from pseudogd.vqa.scene import Scene, SceneSettings

Array = NDArray[np.float64]

TEACHER = TeacherInfo("golden", "1", "", "none")
SURE = SceneSettings(
    depth_sigma=0.005,
    up_sigma=0.002,
    hidden_doubt=1.0,
    lifted_doubt=1.0,
    thin_doubt=1.0,
    deep_doubt=1.0,
    foot_doubt=0.0,
)
LEAST_PIXELS = 12


@dataclass(frozen=True)
class Block:
    """An upright box: middle (x, z) in the gravity frame, sizes in metres, height of its underside, yaw in radians.

    ``width`` is along its own x axis and ``depth`` along its own z axis, which has the bearing ``yaw`` (atan2(x, z));
    ``front``: bearing in radians to which its front looks, None where it has none.
    """

    name: str
    x: float
    z: float
    width: float
    height: float
    depth: float = 0.02
    base: float = 0.0
    yaw: float = 0.0
    front: float | None = None

    @property
    def category(self) -> str:
        """Last word of the name."""
        return self.name.split()[-1]

    def turned(self, angle: float) -> Block:
        """Moved by a yaw of the world about the camera (cards stay facing the camera's own forward)."""
        c, s = math.cos(angle), math.sin(angle)
        return replace(self, x=c * self.x + s * self.z, z=-s * self.x + c * self.z)


def cast(
    blocks: Sequence[Block],
    eye: float = 1.2,
    pitch_deg: float = 0.0,
    roll_deg: float = 0.0,
    side: int = 192,
    fov: float = 70.0,
    far: float = 12.0,
) -> tuple[Camera, Array, NDArray[np.float32], NDArray[np.int64]]:
    """(camera, up, depth (H, W), index of the block at each pixel or -1 (floor, wall))."""
    camera = Camera.from_fov(side, side, fov_x_deg=fov)
    p, r = math.radians(pitch_deg), math.radians(roll_deg)
    tilt = np.array([[1, 0, 0], [0, math.cos(p), math.sin(p)], [0, -math.sin(p), math.cos(p)]])
    spin = np.array([[math.cos(r), -math.sin(r), 0], [math.sin(r), math.cos(r), 0], [0, 0, 1]])
    # The smallest rotation to gravity keeps the heading: build the frame from up itself, as the package does.
    up = (tilt @ spin).T @ np.array([0.0, -1.0, 0.0])
    rays = camera.rays() @ gravity_rotation(up).T
    index = np.full((side, side), -1)
    with np.errstate(divide="ignore", invalid="ignore"):
        floor = np.where(rays[..., 1] > 1e-6, eye / rays[..., 1], np.inf)
        wall = np.where(rays[..., 2] > 1e-6, far / rays[..., 2], np.inf)
        z = np.minimum(floor, wall)
        for k, block in enumerate(blocks):
            enter, leave = crossing(block, rays, eye)
            hit = (enter <= leave) & (enter > 0) & (enter < z)
            z = np.where(hit, enter, z)
            index[hit] = k
    return camera, up, z.astype(np.float32), index


def crossing(block: Block, rays: Array, eye: float) -> tuple[Array, Array]:
    """Where rays from the origin enter and leave a block, in multiples of the ray."""
    half = np.array([block.width, block.height, block.depth]) / 2
    middle = np.array([block.x, eye - block.base - block.height / 2, block.z])
    if block.yaw:
        own = yaw_rotation(block.yaw)
        rays, middle = rays @ own, middle @ own
    with np.errstate(divide="ignore", invalid="ignore"):
        t1, t2 = (middle - half) / rays, (middle + half) / rays
    return np.minimum(t1, t2).max(axis=-1), np.maximum(t1, t2).min(axis=-1)


def rows_of(blocks: Sequence[Block], index: NDArray[np.int64], turn: Array | None = None) -> list[dict[str, Any]]:
    """Object rows of what is visible; the id of a block is its place in the list.

    ``turn``: rotation from camera axes to the gravity frame, needed where a block has a front.
    """
    rows = []
    for k, block in enumerate(blocks):
        mask = index == k
        if mask.sum() < LEAST_PIXELS:
            continue
        ys, xs = np.nonzero(mask)
        row: dict[str, Any] = {
            "object_id": str(k),
            "name": block.name,
            "category": block.category,
            "bbox": [float(xs.min()), float(ys.min()), float(np.ptp(xs) + 1), float(np.ptp(ys) + 1)],
            "rle": encode(mask),
            "score": 1.0,
            "source": "golden",
            "attributes": {},
        }
        if block.front is not None:
            front = np.array([math.sin(block.front), 0.0, math.cos(block.front)])
            row["front"] = [float(value) for value in (front if turn is None else front @ turn)]
            row["front_confidence"] = 1.0
        rows.append(row)
    return rows


def golden(
    blocks: Sequence[Block],
    scale: Scale = Scale.METRIC,
    factor: float = 1.0,
    with_camera: bool = True,
    up_confidence: float | None = 1.0,
    mirror: bool = False,
    settings: SceneSettings = SURE,
    normals: bool = True,
    **view: Any,
) -> Scene:
    """A measured scene of the blocks. ``view``: see `cast`; ``factor``: on all depths; ``mirror``: left for right."""
    camera, up, depth, index = cast(blocks, **view)
    turn = gravity_rotation(up)
    rows = rows_of(blocks, index[:, ::-1] if mirror else index, turn)
    if mirror:
        camera, depth = camera.mirrored(), depth[:, ::-1]
        up = up * [-1, 1, 1]
        for row in rows:
            if "front" in row:
                row["front"][0] = -row["front"][0]
    depth = np.ascontiguousarray(depth) * np.float32(factor)
    geometry = Geometry(
        depth,
        camera if with_camera else None,
        normals=normals_from_depth(depth, camera) if normals and with_camera else None,
        up=None if up_confidence is None else Up(up, up_confidence),
        scale=scale,
        teacher=TEACHER,
    )
    side = depth.shape[0]
    return build_scene(geometry, rows, image_id="golden", size=(side, side), settings=settings)


@dataclass(frozen=True)
class Room:
    """Blocks and how they are looked at: what an oracle tells the truth from."""

    blocks: Sequence[Block]
    view: Mapping[str, float] = field(default_factory=dict)

    @property
    def eye(self) -> float:
        """Height of the camera over the floor in metres."""
        return float(self.view.get("eye", EYE))

    def block(self, operand: str) -> Block:
        """The block of an object id."""
        return self.blocks[int(operand)]

    def scene(self, **changes: Any) -> Scene:
        """The measured scene; ``changes`` go to `golden`."""
        return golden(self.blocks, **{**self.view, **changes})


EYE = 1.2
CARDS = (
    Block("red card", -1.1, 3.0, 0.6, 0.9),
    Block("blue card", 1.0, 3.4, 0.5, 0.5),
    Block("green card", 0.1, 5.0, 0.9, 1.6),
    Block("yellow card", 2.2, 6.0, 0.7, 1.1),
    Block("white card", -0.3, 2.0, 0.4, 0.3),
    Block("black card", -2.6, 6.5, 0.6, 0.7, base=0.9),
)
"""Thin cards that face the camera: the middle of what is seen is the middle of the card."""
ROOMS = tuple(
    Room(CARDS, view)
    for view in ({"eye": EYE}, {"eye": EYE, "pitch_deg": 12.0}, {"eye": EYE, "pitch_deg": 8.0, "roll_deg": 4.0})
)


def middle(block: Block, eye: float = EYE) -> Array:
    """Centre of a card's near face in the gravity frame."""
    return np.array([block.x, eye - block.base - block.height / 2, block.z - block.depth / 2])
