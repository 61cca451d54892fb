"""Frozen depth models and depth files: photo to geometry."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pseudogd.teachers.base import Teacher

SPECS = (
    "embedded | moge:HUB_ID_OR_FILE | FOLDER_OR_HUB_ID of a transformers depth model (or with depth-anything:, "
    "depth-pro:, zoedepth:, dpt:, glpn:, tipsv2: before it) | onnx:FILE.yaml | call:MODULE:FUNCTION | "
    "files:DEPTH_FOLDER"
)
_CALLABLE = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*")


def load_teacher(
    spec: str | os.PathLike[str] | Teacher,
    *,
    confidence: str | None = None,
    second_teacher: str | Teacher | None = None,
    **options: Any,
) -> Teacher:
    """A teacher by its name; docs/teachers.md has the table.

    Args:
        spec: one of `SPECS`, or a Teacher, which takes no further options. `embedded` is the tiny checkpoint that comes
            with the package.
        confidence: "flip" gives every pixel a confidence by asking again about the mirrored photo.
        second_teacher: a teacher whose agreement is the confidence; it gets `device` and `accept_licence` of `options`.
        options: for the teacher itself.

    Raises InputError for a name, option or checkpoint that cannot be used.
    """
    from pseudogd.errors import InputError

    if confidence not in (None, "flip"):
        raise InputError(f"confidence = {confidence!r}: can be flip, or leave it out")
    spec = os.fspath(spec) if isinstance(spec, os.PathLike) else spec
    teacher = _load(spec, options) if isinstance(spec, str) else _as_it_is(spec, options)
    if confidence is not None:
        from pseudogd.teachers.confidence import FlipConsistency

        teacher = FlipConsistency(teacher)
    if second_teacher is not None:
        from pseudogd.teachers.confidence import Agreement

        if isinstance(second_teacher, str):
            kept = ("accept_licence",) if second_teacher.startswith("files:") else ("device", "accept_licence")
            shared = {key: options[key] for key in kept if key in options}
            second_teacher = _load(second_teacher, shared)
        teacher = Agreement(teacher, second_teacher)
    return teacher


def _as_it_is(teacher: Teacher, options: dict[str, Any]) -> Teacher:
    from pseudogd.errors import InputError

    if options:
        raise InputError(
            f"{teacher.info.name}: a teacher in memory takes no option {next(iter(options))!r}; leave it out"
        )
    return teacher


def _load(spec: str, options: dict[str, Any]) -> Teacher:
    from pseudogd.errors import InputError
    from pseudogd.teachers.families import PREFIXES

    kind, colon, rest = spec.partition(":")
    if spec == "moge" or (colon and kind == "moge"):
        from pseudogd.teachers.moge import MoGe

        return MoGe.load(rest, **options)
    if colon and kind in ("files", "onnx", "call"):
        return _other(kind, rest, options)
    if colon and kind not in (*PREFIXES, "transformers") and not os.path.exists(spec):
        if not _CALLABLE.fullmatch(spec):
            raise InputError(f"teacher {spec!r}: unknown kind; give {SPECS}")
        return _other("call", spec, options)
    if not spec or (spec.isidentifier() and spec != "embedded" and not os.path.exists(spec)):
        raise InputError(f"teacher {spec!r}: unknown kind; give {SPECS}")
    from pseudogd.teachers.network import NetworkTeacher

    if spec == "embedded":
        from pseudogd.world import checkpoint

        options = {"name": "pseudogd-embedded-teacher", "licence": "Apache-2.0", **options}
        return NetworkTeacher.load(str(checkpoint("teacher")), **options)
    if colon and kind in PREFIXES:
        return NetworkTeacher.load(rest, **options, kind=kind)
    return NetworkTeacher.load(rest if colon and kind == "transformers" else spec, **options)


def _other(kind: str, rest: str, options: dict[str, Any]) -> Teacher:
    """Teachers that are no checkpoint of transformers."""
    if kind == "files":
        from pseudogd.teachers.files import DepthFiles

        options = {key: value for key, value in options.items() if key != "accept_licence"}  # the files are the user's
        return DepthFiles(rest, **options)
    if kind == "onnx":
        from pseudogd.teachers.onnx import OnnxTeacher

        return OnnxTeacher.load(rest, **options)
    from pseudogd.teachers.callable import CallableTeacher

    return CallableTeacher.load(rest, **options)
