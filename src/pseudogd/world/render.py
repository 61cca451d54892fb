"""Ray casting of a room with embree: picture, z-depth, normals, instance ids, all exact at pixel centres.

Primary rays are shot at pixel centres with directions whose camera z is 1, so the hit parameter is z-depth. Colours at
object borders are smoothed by four more rays; depth, normals and ids never are. Shading: ambient by facing, one point
light with shadow rays, one fill light from the camera's side.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from embreex.mesh_construction import TriangleMesh
from embreex.rtcore_scene import EmbreeScene

from pseudogd.geometry.camera import Camera
from pseudogd.world.layout import Room
from pseudogd.world.textures import brightness

LEAF = np.array((0.10, 0.34, 0.08))
_has_cast = False


def may_fork() -> bool:
    """Whether no ray has been cast yet: after that embree has threads, for which a fork would wait for ever."""
    return not _has_cast


@dataclass
class Rendering:
    """image (H, W, 3) uint8; depth (H, W) float32 metres (z); normals (H, W, 3) float32 in the camera frame, facing the
    camera; ids (H, W) int32: index into `room.things`, -1 for walls, floor and ceiling; up (3,) in the camera frame."""

    image: np.ndarray
    depth: np.ndarray
    normals: np.ndarray
    ids: np.ndarray
    camera: Camera
    up: np.ndarray
    room: Room


class _Mesh:
    """All triangles of a room with what each belongs to: surface 0-5, or 6 + thing index; and its colour slot."""

    def __init__(self, room: Room) -> None:
        shell = _shell(room)
        triangles, owner, slot = [shell], [np.repeat(np.arange(6), 2)], [np.zeros(12, np.int32)]
        for i, thing in enumerate(room.things):
            t, s = thing.triangles()
            triangles.append(t)
            owner.append(np.full(len(t), 6 + i))
            slot.append(s)
        self.triangles = np.ascontiguousarray(np.concatenate(triangles), dtype=np.float32)
        self.owner = np.concatenate(owner).astype(np.int32)
        self.slot = np.concatenate(slot)
        e = self.triangles[:, 1:] - self.triangles[:, :1]
        normal = np.cross(e[:, 0], e[:, 1])
        self.normals = normal / np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-12)
        self.scene = EmbreeScene()
        TriangleMesh(self.scene, self.triangles)

    def cast(self, origins: np.ndarray, directions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Triangle index (-1 = none) and hit parameter, for float32 rays (n, 3)."""
        global _has_cast
        _has_cast = True
        hit = self.scene.run(np.ascontiguousarray(origins), np.ascontiguousarray(directions), output=True)
        return hit["primID"], hit["tfar"]


def _shell(room: Room) -> np.ndarray:
    """(12, 3, 3) triangles: floor, ceiling, walls -x, +x, -z, +z."""
    (x, z), h = room.half, room.height
    quads = [
        [(-x, 0, -z), (x, 0, -z), (x, 0, z), (-x, 0, z)],
        [(-x, -h, -z), (x, -h, -z), (x, -h, z), (-x, -h, z)],
        [(-x, 0, -z), (-x, 0, z), (-x, -h, z), (-x, -h, -z)],
        [(x, 0, -z), (x, 0, z), (x, -h, z), (x, -h, -z)],
        [(-x, 0, -z), (x, 0, -z), (x, -h, -z), (-x, -h, -z)],
        [(-x, 0, z), (x, 0, z), (x, -h, z), (-x, -h, z)],
    ]
    return np.array([[q[i] for i in tri] for q in quads for tri in ((0, 1, 2), (0, 2, 3))], dtype=np.float32)


def _surface_coordinates(points: np.ndarray, normals: np.ndarray) -> np.ndarray:
    """(n, 2) metres on the surface: drop the axis that the normal points along most."""
    axis = np.abs(normals).argmax(1)
    u = np.where(axis == 0, points[:, 2], points[:, 0])
    v = np.where(axis == 1, points[:, 2], points[:, 1])
    return np.stack([u, v], -1)


def _albedo(room: Room, owner: np.ndarray, slot: np.ndarray, points: np.ndarray, normals: np.ndarray) -> np.ndarray:
    """(n, 3) RGB. The pattern is evaluated once per owner: a room has about a dozen."""
    rgb = np.empty((len(owner), 3), dtype=np.float32)
    uv = _surface_coordinates(points, normals)
    order = np.argsort(owner, kind="stable")
    ends = np.searchsorted(owner[order], np.arange(6 + len(room.things) + 1))
    for k in np.flatnonzero(np.diff(ends)):
        where = order[ends[k] : ends[k + 1]]
        if k < 6:
            surface = room.surfaces[k]
            rgb[where] = (
                surface.rgb * brightness(surface.texture[0], uv[where], surface.seed, *surface.texture[1:])[:, None]
            )
        else:
            thing = room.things[k - 6]
            palette = np.stack([thing.rgb, thing.neutral, LEAF])
            factor = brightness(thing.texture[0], uv[where], thing.seed, *thing.texture[1:])
            rgb[where] = palette[slot[where]] * factor[:, None]
    return rgb


def _shade(
    room: Room, mesh: _Mesh, eye: np.ndarray, directions: np.ndarray, prim: np.ndarray, t: np.ndarray
) -> np.ndarray:
    """(n, 3) linear colour of primary hits."""
    points = eye + directions * t[:, None]
    normals = mesh.normals[prim]
    normals = normals * -np.sign((normals * directions).sum(1, keepdims=True))
    albedo = _albedo(room, mesh.owner[prim], mesh.slot[prim], points, normals)
    to_light = room.light.astype(np.float32) - points
    distance = np.linalg.norm(to_light, axis=1)
    to_light /= distance[:, None]
    cosine = (normals * to_light).sum(1)
    lit = cosine > 0
    start = points[lit] + normals[lit] * 1e-3
    _, reach = mesh.cast(start, to_light[lit])
    visible = np.zeros(len(points), dtype=np.float32)
    visible[lit] = reach >= distance[lit] - 0.25  # the lamp hangs 15 cm below the ceiling
    fill = np.clip(-(normals * directions).sum(1) / np.linalg.norm(directions, axis=1), 0, 1)
    sky = 0.5 - 0.5 * normals[:, 1]  # facing up gets more of the ambient light
    falloff = 1 / (1 + 0.05 * distance**2)
    light = room.ambient * (0.55 + 0.45 * sky) + 0.75 * np.clip(cosine, 0, 1) * visible * falloff + 0.22 * fill
    return albedo * light[:, None]


def _border(ids: np.ndarray, normals: np.ndarray) -> np.ndarray:
    """(H, W) pixels on either side of a change of object or of facing, to the right or below."""
    edge = np.zeros(ids.shape, dtype=bool)
    for a, b in ((np.s_[:, :-1], np.s_[:, 1:]), (np.s_[:-1], np.s_[1:])):
        differs = (ids[a] != ids[b]) | ((normals[a] * normals[b]).sum(-1) < 0.9)
        edge[a] |= differs
        edge[b] |= differs
    return edge


def render(room: Room, size: int, rng: np.random.Generator) -> Rendering:
    """Render a square picture of `size` pixels. `rng` draws exposure, white balance and sensor noise."""
    camera = Camera.from_fov(size, size, fov_x_deg=float(np.degrees(room.pose.fov_x)))
    mesh = _Mesh(room)
    rotation = room.pose.rotation.astype(np.float32)
    eye = room.pose.position.astype(np.float32)
    pixels = np.stack(np.meshgrid(np.arange(size), np.arange(size)), -1).reshape(-1, 2).astype(np.float32)

    def rays(uv: np.ndarray) -> np.ndarray:
        local = np.stack([(uv[:, 0] - camera.cx) / camera.fx, (uv[:, 1] - camera.cy) / camera.fy, np.ones(len(uv))], -1)
        return (local.astype(np.float32)) @ rotation

    directions = rays(pixels)
    prim, depth = mesh.cast(np.broadcast_to(eye, directions.shape), directions)
    normals = mesh.normals[prim] @ rotation.T
    local = directions @ rotation.T
    normals *= -np.sign((normals * local).sum(1, keepdims=True))
    ids = mesh.owner[prim].reshape(size, size)
    edge = np.flatnonzero(_border(ids, normals.reshape(size, size, 3)))
    jitter = np.array([(-0.25, -0.25), (0.25, -0.25), (-0.25, 0.25), (0.25, 0.25)], dtype=np.float32)
    extra = rays((pixels[edge][:, None] + jitter).reshape(-1, 2))
    extra_prim, extra_t = mesh.cast(np.broadcast_to(eye, extra.shape), extra)
    every = _shade(
        room, mesh, eye, np.concatenate([directions, extra]), np.concatenate([prim, extra_prim]),
        np.concatenate([depth, extra_t]),
    )  # fmt: skip
    color = every[: size * size]
    color[edge] = every[size * size :].reshape(-1, 4, 3).mean(1)
    return Rendering(
        _develop(color.reshape(size, size, 3), rng), depth.reshape(size, size),
        normals.reshape(size, size, 3).astype(np.float32), np.maximum(ids - 6, -1), camera,
        room.pose.rotation @ np.array((0.0, -1.0, 0.0)), room,
    )  # fmt: skip


def _develop(linear: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Exposure, white balance, gamma and sensor noise: linear float to uint8."""
    gain = rng.uniform(0.9, 1.15) * (1 + rng.uniform(-0.06, 0.06, 3))
    image = np.clip(linear * gain.astype(np.float32) * 1.15, 0, 1) ** np.float32(1 / 2.0)
    noise = rng.standard_normal(image.shape, dtype=np.float32) * np.float32(rng.uniform(0.003, 0.012))
    return (np.clip(image + noise, 0, 1) * 255 + 0.5).astype(np.uint8)
