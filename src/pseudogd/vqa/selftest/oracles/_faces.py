"""The faces of blocks, the floor and the wall: which of them a ray meets, and its outward normal."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pseudogd.geometry.boxes import yaw_rotation
from pseudogd.vqa.scene import Scene
from pseudogd.vqa.selftest.golden import Array, Room, crossing
from pseudogd.vqa.selftest.oracles._conditions import ray

FAR = 12.0


def face_at(room: Room, scene: Scene, percent: Sequence[float]) -> tuple[Array, Array]:
    """(normal, place) of the surface that is seen at a place of the picture in percent, in the gravity frame."""
    camera = scene.geometry.camera
    assert camera is not None
    x, y = (np.floor(np.array(percent) / 100 * camera.width) + 0.5) / camera.width
    way = ray(scene, float(x), float(y))
    seen = [(room.eye / way[1], np.array([0.0, -1.0, 0.0]))] if way[1] > 0 else []
    seen.append((FAR / way[2], np.array([0.0, 0.0, -1.0])))
    for block in room.blocks:
        enter, leave = crossing(block, way, room.eye)
        if 0 < enter <= leave:
            own = yaw_rotation(block.yaw)
            size = np.array([block.width, block.height, block.depth])
            middle = np.array([block.x, room.eye - block.base - block.height / 2, block.z])
            place = (way * enter - middle) @ own / size
            axis = int(np.abs(place).argmax())
            seen.append((float(enter), own[:, axis] * np.sign(place[axis])))
    times, normal = min(seen, key=lambda entry: entry[0])
    return normal, way * times
