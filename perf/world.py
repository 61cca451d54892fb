"""Milliseconds per rendered picture on one core, against the rays alone.

    python perf/world.py --photos 40

`whole` draws the room, builds its mesh and renders; `floor` casts one primary ray per pixel and one shadow ray per hit
into meshes that stand already: with ray casting no picture with shadows can cost less. `written` adds PNG and COCO.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from common import arguments, emit, in_turns, per, ratio

from pseudogd.geometry.camera import Camera
from pseudogd.world import render_folder
from pseudogd.world.folder import render_photo
from pseudogd.world.layout import Room
from pseudogd.world.render import _Mesh


class Rays:
    """The primary and shadow rays of one room, ready to be cast."""

    def __init__(self, room: Room, size: int) -> None:
        self.mesh, camera = _Mesh(room), Camera.from_fov(size, size, fov_x_deg=float(np.degrees(room.pose.fov_x)))
        self.directions = (camera.rays().reshape(-1, 3).astype(np.float32)) @ room.pose.rotation.astype(np.float32)
        self.eyes = np.broadcast_to(room.pose.position.astype(np.float32), self.directions.shape).copy()
        self.light = room.light.astype(np.float32)

    def __call__(self) -> None:
        _, t = self.mesh.cast(self.eyes, self.directions)
        points = self.eyes + self.directions * (t * np.float32(0.999))[:, None]
        self.mesh.cast(points, self.light - points)


def main() -> None:
    args = arguments(__doc__, photos=40, size=128, rounds=5).parse_args()
    rays = [Rays(render_photo("train", 900_000, i, args.size).room, args.size) for i in range(args.photos)]

    def written() -> None:
        with tempfile.TemporaryDirectory() as folder:
            render_folder(Path(folder), args.photos, "train", 900_000, args.size)

    jobs = {
        "written": written,
        "whole": lambda: [render_photo("train", 900_000, i, args.size) for i in range(args.photos)],
        "floor": lambda: [cast() for cast in rays],
    }
    times = in_turns(jobs, args.rounds)
    result = {
        "ms_per_photo": per(times, args.photos),
        "ratio_whole_to_floor": ratio(times, "whole", "floor"),
        "ratio_written_to_floor": ratio(times, "written", "floor"),
        "floor": "one primary ray per pixel and one shadow ray per hit, cast by embree into standing meshes",
    }
    emit("world", args, result)


if __name__ == "__main__":
    main()
