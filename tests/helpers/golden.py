"""Scenes of upright boxes on a floor, ray cast in closed form: the truth of every answer is in the numbers given."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from pseudogd.geometry.camera import Camera
from pseudogd.geometry.types import Geometry, Scale, TeacherInfo, Up
from pseudogd.objects.masks import encode
from pseudogd.vqa.build import build_scene
from pseudogd.vqa.scene import SceneSettings

TEACHER = TeacherInfo("golden", "1", "", "none")
SURE = SceneSettings(depth_sigma=0.005, up_sigma=0.002)


@dataclass(frozen=True)
class Block:
    """An upright box, sides along x and z of the gravity frame: middle (x, z), sizes, height of its underside."""

    name: str
    x: float
    z: float
    width: float
    height: float
    depth: float = 0.02
    base: float = 0.0

    @property
    def category(self):
        return self.name.split()[-1]

    def turned(self, angle):
        """Moved by a yaw of the world about the camera (cards stay facing the camera's own forward)."""
        c, s = math.cos(angle), math.sin(angle)
        return Block(
            self.name, c * self.x + s * self.z, -s * self.x + c * self.z, self.width, self.height, self.depth, self.base
        )


def cast(blocks, eye=1.2, pitch_deg=0.0, roll_deg=0.0, side=192, fov=70.0, far=12.0):
    """(camera, up, depth (H, W), index of the block at each pixel or -1 (floor, wall))."""
    camera = Camera.from_fov(side, side, fov_x_deg=fov)
    p, r = math.radians(pitch_deg), math.radians(roll_deg)
    tilt = np.array([[1, 0, 0], [0, math.cos(p), math.sin(p)], [0, -math.sin(p), math.cos(p)]])
    spin = np.array([[math.cos(r), -math.sin(r), 0], [math.sin(r), math.cos(r), 0], [0, 0, 1]])
    # The smallest rotation to gravity keeps the heading: build the frame from up itself, as the package does.
    up = (tilt @ spin).T @ np.array([0.0, -1.0, 0.0])
    from pseudogd.geometry.gravity import gravity_rotation

    rays = camera.rays() @ gravity_rotation(up).T
    z = np.full((side, side), np.inf)
    index = np.full((side, side), -1)
    with np.errstate(divide="ignore", invalid="ignore"):
        floor = np.where(rays[..., 1] > 1e-6, eye / rays[..., 1], np.inf)
        wall = np.where(rays[..., 2] > 1e-6, far / rays[..., 2], np.inf)
        z = np.minimum(floor, wall)
        for k, b in enumerate(blocks):
            low = np.array([b.x - b.width / 2, eye - b.base - b.height, b.z - b.depth / 2])
            high = np.array([b.x + b.width / 2, eye - b.base, b.z + b.depth / 2])
            t1, t2 = low / rays, high / rays
            enter, leave = np.minimum(t1, t2).max(axis=-1), np.maximum(t1, t2).min(axis=-1)
            hit = (enter <= leave) & (enter > 0) & (enter < z)
            z = np.where(hit, enter, z)
            index[hit] = k
    return camera, up, z.astype(np.float32), index


def rows_of(blocks, index):
    """Object rows of what is visible; the id of a block is its place in the list."""
    rows = []
    for k, block in enumerate(blocks):
        mask = index == k
        if mask.sum() >= 12:
            ys, xs = np.nonzero(mask)
            box = [float(xs.min()), float(ys.min()), float(np.ptp(xs) + 1), float(np.ptp(ys) + 1)]
            rows.append(
                {
                    "object_id": str(k),
                    "name": block.name,
                    "category": block.category,
                    "bbox": box,
                    "rle": encode(mask),
                    "score": 1.0,
                    "source": "golden",
                    "attributes": {},
                }
            )
    return rows


def golden(blocks, scale=Scale.METRIC, factor=1.0, with_camera=True, up_confidence=1.0, mirror=False, **view):
    """A measured scene of the blocks."""
    camera, up, depth, index = cast(blocks, **view)
    if mirror:
        camera, depth, index = camera.mirrored(), depth[:, ::-1], index[:, ::-1]
        up = up * [-1, 1, 1]
    geometry = Geometry(
        np.ascontiguousarray(depth) * np.float32(factor),
        camera if with_camera else None,
        up=None if up_confidence is None else Up(up, up_confidence),
        scale=scale,
        teacher=TEACHER,
    )
    side = depth.shape[0]
    return build_scene(geometry, rows_of(blocks, index), image_id="golden", size=(side, side), settings=SURE)


ROOM = [
    Block("red card", -1.1, 3.0, 0.6, 0.9),
    Block("blue card", 1.0, 3.4, 0.5, 0.5),
    Block("green card", 0.1, 5.0, 0.9, 1.6),
    Block("yellow card", 2.2, 6.0, 0.7, 1.1),
    Block("white card", -0.3, 2.0, 0.4, 0.3),
    Block("black card", -2.6, 6.5, 0.6, 0.7, base=0.9),
]
"""Thin cards that face the camera: the middle of what is seen is the middle of the card."""
EYE = 1.2


def middle(block, eye=EYE):
    """Centre of a card's near face in the gravity frame."""
    return np.array([block.x, eye - block.base - block.height / 2, block.z - block.depth / 2])
