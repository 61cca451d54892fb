"""What differs between the depth networks of transformers, a file per family."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pseudogd.errors import InputError

if TYPE_CHECKING:
    from pseudogd.teachers.families.base import Family

PREFIXES = {
    "depth-anything": "depth_anything",
    "depth-pro": "depth_pro",
    "zoedepth": "zoedepth",
    "dpt": "dpt",
    "glpn": "glpn",
    "tipsv2": "tipsv2_dpt",
}
"""What stands before a checkpoint's name on the command line, and the model type that it asks for."""
_REFUSED = {
    "prompt_depth_anything": "gives metres only with a sparse metric depth map beside each photo",
    "chmv2": "gives the height of trees seen from above, which is no depth",
}


def family_of(model_type: str, path: str, kind: str | None = None) -> Family:
    """The family of a checkpoint by its config's `model_type`. InputError when there is none, or not `kind`."""
    from pseudogd.teachers.families.depth_anything import DepthAnything
    from pseudogd.teachers.families.depth_pro import DepthPro
    from pseudogd.teachers.families.dpt import Dpt
    from pseudogd.teachers.families.glpn import Glpn
    from pseudogd.teachers.families.tipsv2 import Tipsv2
    from pseudogd.teachers.families.zoedepth import ZoeDepth

    families = {family.model_type: family for family in (DepthAnything, DepthPro, Dpt, Glpn, Tipsv2, ZoeDepth)}
    if model_type in _REFUSED:
        raise InputError(f"{path}: a {model_type!r} model {_REFUSED[model_type]}; choose another teacher")
    if kind is not None and PREFIXES[kind] != model_type:
        raise InputError(
            f"{path}: is a {model_type!r} model, and {kind}: needs {PREFIXES[kind]!r}; leave the prefix out"
        )
    if model_type not in families:
        raise InputError(
            f"{path}: is a {model_type!r} model; depth teachers are {', '.join(sorted(families))} "
            "(for any other model write a few lines of Python, call:MODULE:FUNCTION, or its depth to files:FOLDER)"
        )
    return families[model_type]()
