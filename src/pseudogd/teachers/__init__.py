"""Frozen depth models and depth files: photo to geometry."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pseudogd.teachers.base import Teacher

SPECS = "embedded | depth-anything:FOLDER_OR_HUB_ID | files:DEPTH_FOLDER | FOLDER_OR_HUB_ID"


def load_teacher(spec: str, **options: Any) -> Teacher:
    """A teacher by its name.

    `embedded` is the tiny checkpoint that comes with the package; `depth-anything:` (or nothing) before a folder or hub
    id loads a Depth Anything checkpoint, see `DepthAnything.load`; `files:` before a folder reads depth that another
    program made, see `DepthFiles`. `options` go there. Raises InputError for a name or checkpoint that cannot be used.
    """
    from pseudogd.errors import InputError

    kind, colon, rest = spec.partition(":")
    if colon and kind == "files":
        from pseudogd.teachers.files import DepthFiles

        return DepthFiles(rest, **options)
    if not spec or (colon and kind != "depth-anything" and not os.path.isdir(spec)):
        raise InputError(f"teacher {spec!r}: unknown kind; give {SPECS}")
    from pseudogd.teachers.depth_anything import DepthAnything

    if spec == "embedded":
        from pseudogd.world import checkpoint

        options = {"name": "pseudogd-embedded-teacher", "licence": "Apache-2.0", **options}
        return DepthAnything.load(str(checkpoint("teacher")), **options)
    return DepthAnything.load(rest if colon and kind == "depth-anything" else spec, **options)
