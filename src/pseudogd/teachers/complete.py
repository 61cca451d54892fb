"""Fill in what follows from depth and camera: surface normals and the direction of up."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from pseudogd.geometry.gravity import up_from_normals
from pseudogd.geometry.normals import normals_from_depth
from pseudogd.geometry.types import Geometry, Scale


def complete(geometry: Geometry) -> Geometry:
    """The same geometry with `normals` and `up`, where the teacher gave none and they can be known.

    Both need the shape of space: a camera, and depth that is metric or right up to one factor. Without them they stay
    None: an unknown focal length is not guessed, and the order of depths has no surface.
    """
    if geometry.camera is None or geometry.scale is Scale.AFFINE_DISPARITY:
        return geometry
    normals, up = geometry.normals, geometry.up
    if normals is None:
        normals = normals_from_depth(geometry.depth, geometry.camera)
        if not np.isfinite(normals).any():
            return geometry
    return replace(geometry, normals=normals, up=up_from_normals(normals) if up is None else up)
