"""Fill in what follows from depth and camera: surface normals and the direction of up."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from PIL import Image

from pseudogd.geometry.gravity import up_from_normals
from pseudogd.geometry.normals import normals_from_depth
from pseudogd.geometry.types import Geometry, Scale
from pseudogd.geometry.uprights import Edges, steep_edges

_LOOKED_AT = 256  # pixels on the longer side in which edges are looked for


def edges_of(image: Image.Image) -> Edges:
    """Steep edges of a photo, for `complete`."""
    grey = image.convert("L")
    if max(grey.size) > _LOOKED_AT:
        grey.thumbnail((_LOOKED_AT, _LOOKED_AT), Image.Resampling.BOX)
    return steep_edges(np.asarray(grey))


def complete(geometry: Geometry, edges: Edges | None = None) -> Geometry:
    """The same geometry with `normals` and `up`, where the teacher gave none and they can be known.

    Both need the shape of space: a camera, and depth that is metric or right up to one factor. Without them they stay
    None: an unknown focal length is not guessed, and the order of depths has no surface.
    The photo's `edges`, where given, make `up` the more exact.
    """
    if geometry.camera is None or geometry.scale is Scale.AFFINE_DISPARITY:
        return geometry
    normals, up = geometry.normals, geometry.up
    if normals is None:
        normals = normals_from_depth(geometry.depth, geometry.camera)
        if not np.isfinite(normals).any():
            return geometry
    if up is None:
        up = up_from_normals(normals, edges=edges, camera=geometry.camera)
    return replace(geometry, normals=normals, up=up)
