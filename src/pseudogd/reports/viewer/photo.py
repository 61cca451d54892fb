"""One photo of a data folder as plain values for the page: pictures, objects, the view from above, its questions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pseudogd.errors import InputError
from pseudogd.geometry.types import Geometry, Scale
from pseudogd.reports import drawings
from pseudogd.reports.margins import margin_unit
from pseudogd.reports.viewer import layers
from pseudogd.reports.viewer.draw import Canvas
from pseudogd.reports.viewer.evidence import lettered, marks_of
from pseudogd.reports.viewer.ground import plan_data, plan_of
from pseudogd.reports.viewer.words import columns, listed, measure, objects_of, other, text_of
from pseudogd.store.dataset import Store
from pseudogd.store.photos import load_photo
from pseudogd.vqa.build import build_scene
from pseudogd.vqa.scene import Q50, Scene, SceneObject, SceneSettings

_SCALES = {
    Scale.METRIC: "depth in meters",
    Scale.UP_TO_SCALE: "depth up to one factor (no meters)",
    Scale.AFFINE_DISPARITY: "order of depth alone",
}


_SOURCES = {"file": ", from a file", "exif": ", from EXIF", "teacher": ", by the teacher's own estimate"}


def photo_data(
    store: Store,
    photo: Mapping[str, Any],
    rows: Sequence[Mapping[str, Any]],
    questions: Sequence[Mapping[str, Any]],
    settings: SceneSettings,
    reasons: Sequence[str],
    side: int,
) -> dict[str, Any]:
    """Everything about one photo. ``rows`` are its objects, ``reasons`` what the ledger says of it."""
    size = photo["width"], photo["height"]
    geometry = store.geometry(photo["image_id"])
    scene, flaws = _scene(geometry, rows, photo, settings)
    plan = plan_of(scene)
    canvas = Canvas(scene, size, plan)
    names = {str(row["object_id"]): row["name"] for row in rows}
    url, missing = _photo_url(store, photo, side)
    pictures = {question.get("picture") for question in questions} - {None}
    marked = {name: _photo_url(store, photo, side, name) for name in sorted(pictures)}
    flaws += [f"questions: {reason}" for _, reason in marked.values() if reason]
    return {
        "id": photo["image_id"],
        "path": photo["path"],
        "size": list(size),
        "url": url,
        "missing": missing,
        "depth": layers.depth_layer(geometry),
        "normals": layers.normals_layer(geometry),
        "confidence": layers.confidence_layer(geometry),
        "objects": [_object(scene, thing, k, size) for k, thing in enumerate(scene.objects)],
        "skipped": [[names.get(object_id, object_id), reason] for object_id, reason in scene.skipped],
        "reasons": [*reasons, *flaws],
        "facts": _facts(scene, geometry),
        "plan": None if plan is None else plan_data(plan),
        "questions": [
            {**question_data(question, canvas), "picture": question.get("picture")} for question in questions
        ],
        "marked": {name: shown for name, (shown, _) in marked.items() if shown},
    }


def failed_data(store: Store, path: str, reasons: Sequence[str], side: int) -> dict[str, Any]:
    """A photo that has no geometry: the picture, if it can be read, and why."""
    from pseudogd.store.photos import safe_join

    url = size = None
    try:
        picture = load_photo(safe_join(store.photos_folder, path))
        url, size = layers.photo_layer(picture.copy(), side), list(picture.size)
    except InputError:
        pass
    return {"id": "", "path": path, "size": size or [4, 3], "url": url, "reasons": list(reasons), "failed": True} | {
        "missing": None if url else "the photo cannot be read",
        **{"depth": None, "normals": None, "confidence": None, "plan": None},
        **{"objects": [], "skipped": [], "facts": [], "questions": []},
    }


def _photo_url(
    store: Store, photo: Mapping[str, Any], side: int, picture: str | None = None
) -> tuple[str | None, str | None]:
    """The photo, or the copy of it with marks, or why it cannot be shown."""
    try:
        return layers.photo_layer(load_photo(store.picture_path(photo["image_id"], picture)), side), None
    except InputError:
        return None, "the photo is no longer there" if picture is None else f"{picture} is no longer there"


# ---------------------------------------------------------------- the scene
def _scene(
    geometry: Geometry, rows: Sequence[Mapping[str, Any]], photo: Mapping[str, Any], settings: SceneSettings
) -> tuple[Scene, list[str]]:
    """The measured scene; of objects that do not fit the photo only the reason is left, as in the ledger of `synth`."""
    more: dict[str, Any] = {"image_id": photo["image_id"], "size": (photo["width"], photo["height"])}
    try:
        return build_scene(geometry, rows, settings=settings, **more), []
    except InputError as error:
        return build_scene(geometry, [], settings=settings, **more), [f"objects: {error}"]


def _object(scene: Scene, thing: SceneObject, k: int, size: tuple[int, int]) -> dict[str, Any]:
    width, height = size
    return {
        "id": thing.object_id,
        "name": thing.name,
        "colour": drawings.colour_of(k),
        "outline": str(drawings.outline(thing, size)),
        "tag": [round(float(thing.u[Q50]) * width, 1), round(float(thing.v[Q50]) * height, 1)],
        "numbers": _sizes(scene, thing),
        "flags": _flags(thing),
    }


def _sizes(scene: Scene, thing: SceneObject) -> list[list[str]]:
    """What was measured of a thing, as far as the geometry carries it; lengths without a unit are relative."""
    unit = " m" if scene.supports("metric") else ""
    found: list[list[str]] = []
    if scene.geometry.scale is not Scale.AFFINE_DISPARITY:
        found.append(["depth", f"{thing.z[Q50]:.2f}{unit}"])
    if thing.distance is not None and scene.has_camera:
        found.append(["distance", f"{thing.distance[Q50]:.2f}{unit}"])
    found += [[name, f"{value:.2f}{unit}"] for name, value in (("height", thing.tall), ("width", thing.wide)) if value]
    if thing.ground_gap is not None:
        found.append(["above floor", f"{thing.ground_gap:.2f}{unit}"])
    return found


def _flags(thing: SceneObject) -> list[str]:
    flags = {
        "box only, no mask": thing.boxes_only,
        "cut off by the border": thing.truncated,
        f"{100 * thing.occluded:.0f} % of its outline hidden": thing.occluded >= 0.05,
        f"depth known for {100 * thing.known:.0f} %": thing.known < 0.95,
        "can be stood at": thing.standable,
        "has a front": thing.has_front,
    }
    return [text for text, holds in flags.items() if holds]


def _facts(scene: Scene, geometry: Geometry) -> list[str]:
    """What the geometry of this photo is able to say, in a few words each."""
    camera, up = geometry.camera, geometry.up
    said = [" ".join(part for part in ("teacher", geometry.teacher.name, geometry.teacher.revision) if part)]
    if geometry.teacher.licence:
        said.append(f"license {geometry.teacher.licence}")
    said.append(_SCALES[geometry.scale])
    if camera is None:
        said.append("focal length unknown: no lengths, bearings or real sizes")
    else:
        whence = _SOURCES.get(geometry.camera_source or "", "")
        said.append(f"focal length {camera.fx:.0f} px ({np.degrees(camera.fov_x):.0f}° wide){whence}")
    if up is None:
        said.append("gravity unknown")
    else:
        pitch = np.degrees(np.arcsin(np.clip(-up.vector[2], -1, 1)))
        believed = "" if scene.has_gravity else ", not believed"
        word = "down" if pitch >= 0 else "up"
        said.append(f"camera tilted {abs(pitch):.0f}° {word} (confidence {up.confidence:.2f}{believed})")
    if scene.ground is not None:
        unit = " m" if scene.supports("metric") else " (relative)"
        said.append(f"camera {scene.ground.camera_height:.2f}{unit} above the floor")
    return said


# ---------------------------------------------------------------- one question
def question_data(question: Mapping[str, Any], canvas: Canvas) -> dict[str, Any]:
    """One question with its drawings and numbers."""
    evidence = question["evidence"] if isinstance(question["evidence"], Mapping) else {"evidence": question["evidence"]}
    entries, points = objects_of(evidence), lettered(question, evidence)
    by_object, by_point, used = columns(evidence, len(entries), len(points))
    marks, undrawn = marks_of(question, evidence, canvas)
    teacher = evidence.get("teacher")
    data = {
        "id": question["question_id"],
        "task": question["task"],
        "kind": question["kind"],
        "frame": question["frame"],
        "frameWords": _frame(question["frame"], canvas, entries),
        "form": str(evidence.get("form", "")),
        "format": _format(question, evidence),
        "stem": str(evidence.get("question") or question["text"]),
        "prompt": question["text"],
        "options": question["options"],
        "right": question["answer_index"],
        "answer": question["answer"],
        "reply": _reply(question),
        "value": measure(question),
        "sigma": text_of(evidence["sigma"]) if "sigma" in evidence else None,
        "margin": question["margin"],
        "marginUnit": margin_unit(evidence),
        "stability": question["stability"],
        "formula": text_of(evidence.get("formula", "")),
        "shortcut": evidence.get("shortcut") if isinstance(evidence.get("shortcut"), Mapping) else None,
        "operands": [
            [
                canvas.index.get(str(entry.get("id"))),
                text_of(entry.get("role", "")),
                text_of(entry.get("name", "")),
                row,
            ]
            for entry, row in zip(entries, by_object)
        ],
        "points": [
            [letter, right, _where(entry, canvas), row]
            for (letter, right, entry), row in sorted(zip(points, by_point), key=lambda pair: pair[0][0])
        ],
        "marks": marks,
        "undrawn": undrawn,
        "other": other(evidence, used),
        "fact": text_of(evidence["fact"]) if "fact" in evidence else None,
        "twin": evidence.get("twin"),
        "seed": evidence.get("seed"),
        "teacher": teacher.get("name") if isinstance(teacher, Mapping) else teacher,
    }
    return {key: value for key, value in data.items() if value not in (None, "", [])}


def _format(question: Mapping[str, Any], evidence: Mapping[str, Any]) -> str:
    said = evidence.get("format")
    if isinstance(said, str):
        return said
    return "mc" if question["options"] else "open"


def _frame(frame: str, canvas: Canvas, entries: Sequence[Mapping[str, Any]]) -> str:
    """``stand:25 face:27`` with names in place of ids."""
    names = {thing.object_id: thing.name for thing in canvas.scene.objects}
    names |= {str(entry.get("id")): str(entry.get("name")) for entry in entries}
    words = [part.partition(":") for part in frame.split()]
    return ", ".join(f"{head} {names.get(tail, tail)}" if colon else head for head, colon, tail in words)


def _where(entry: Any, canvas: Canvas) -> str:
    """On what a marked point lies."""
    if not isinstance(entry, Mapping):
        return ""
    k = canvas.index.get(str(entry.get("on")))
    name = canvas.scene.objects[k].name if k is not None else ""
    return f"on {name}" if name else "on the floor" if entry.get("floor") is True else ""


def _reply(question: Mapping[str, Any]) -> str | None:
    """What the model learns to say, where that is more than the answer."""
    for turn in listed(question.get("messages")):
        if isinstance(turn, Mapping) and turn.get("role") == "assistant":
            content = turn.get("content")
            parts = [content] if isinstance(content, str) else [p.get("text") for p in content or () if p]
            text = "\n".join(part for part in parts if isinstance(part, str))
            return text if text != question["answer"] else None
    return None
