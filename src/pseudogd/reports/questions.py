"""Data folder -> one page: every photo with its depth and objects, and every question with its evidence drawn.

The page is for a person who asks "is that true?": the drawings are made from the evidence that each question carries.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup
from PIL import Image

from pseudogd.errors import InputError
from pseudogd.reports import drawings
from pseudogd.reports.asked import objects_asked
from pseudogd.reports.drawings import Plan, colour_of
from pseudogd.reports.margins import margin_unit
from pseudogd.reports.page import environment, style
from pseudogd.reports.pictures import LONG_SIDE, depth_picture, depth_range, picture_url
from pseudogd.store.dataset import Store
from pseudogd.store.manifest import NAME as MANIFEST
from pseudogd.store.photos import load_photo
from pseudogd.store.shards import write_atomic
from pseudogd.vqa.build import build_scene
from pseudogd.vqa.phrasing import LETTERS
from pseudogd.vqa.scene import Scene, SceneSettings

MOST_PHOTOS = 200
PAGE = "report.html"
IN_OVERVIEW, IN_CARD = 1 / 26, 1 / 20  # size of text as share of a drawing's width


def is_data_folder(path: str | Path) -> bool:
    """Whether the folder was made by `label` (it has a manifest)."""
    return (Path(path) / MANIFEST).is_file()


def build_questions_page(data: str | Path, out: str | Path | None = None, most_photos: int = MOST_PHOTOS) -> Path:
    """Write ``report.html`` of a data folder with questions, into the folder itself or into ``out``; returns its path.

    At most ``most_photos`` photos, evenly chosen, are shown. Raises InputError where `synth` has not been run.
    """
    store = Store(data)
    page = _page(store, most_photos)
    target = Path(data if out is None else out)
    write_atomic(target / PAGE, page.encode("utf-8"))
    return target / PAGE


def _page(store: Store, most_photos: int) -> str:
    questions = [{**row, "evidence": json.loads(row["evidence"])} for row in store.questions().to_pylist()]
    photos = store.photos().to_pylist()
    chosen = [photos[i] for i in np.unique(np.linspace(0, len(photos) - 1, min(most_photos, len(photos))).astype(int))]
    by_photo: dict[str, list[dict[str, Any]]] = {}
    for question in questions:
        by_photo.setdefault(question["image_id"], []).append(question)
    settings = SceneSettings(**store.settings("questions")["scene"])
    return (
        environment()
        .get_template("questions.html.j2")
        .render(
            title=store.root.resolve().name,
            style=style("report.css", "questions.css"),
            questions=len(questions),
            photos=len(photos),
            shown=len(chosen),
            tasks=sorted(Counter(question["task"] for question in questions).items()),
            answers=_answers(questions),
            failures=store.failures().to_pylist(),
            cards=[
                _photo(store, photo, by_photo.get(photo["image_id"], []), settings, number)
                for number, photo in enumerate(chosen)
            ],
            plan=drawings.PLAN,
        )
    )


def _answers(questions: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """How often each fixed answer occurs: a prior would show here."""
    letters = Counter(q["answer"] for q in questions if q["options"] is not None)
    claims = Counter(q["answer"] for q in questions if q["evidence"]["format"] == "yesno")
    sides = Counter(
        _in_words(q) for q in questions if q["task"] == "hypothetical" and q["evidence"]["format"] != "yesno"
    )
    return [
        (name, ", ".join(f"{answer} {count}" for answer, count in sorted(counted.items())))
        for name, counted in (("letters", letters), ("yes/no", claims), ("hypothetical", sides))
        if counted
    ]


def _in_words(question: Mapping[str, Any]) -> str:
    return question["answer"] if question["options"] is None else question["options"][question["answer_index"]]


# ---------------------------------------------------------------- one photo
def _photo(
    store: Store, photo: Mapping[str, Any], questions: Sequence[dict[str, Any]], settings: SceneSettings, number: int
) -> dict[str, Any]:
    size = photo["width"], photo["height"]
    geometry = store.geometry(photo["image_id"])
    rows = objects_asked(store, photo)
    scene = build_scene(geometry, rows, image_id=photo["image_id"], size=size, settings=settings)
    near, far = depth_range({"depth": geometry.depth})
    plan = Plan(scene) if scene.has_camera else None
    names = {row["object_id"]: row["name"] for row in rows}
    tags = [(thing, thing.name, colour_of(k)) for k, thing in enumerate(scene.objects)]
    depth = depth_picture(geometry.depth, near, far)
    return {
        "id": f"p{number}",
        "name": photo["path"],
        "size": size,
        "url": _photo_url(store, photo),
        "marked": next((_photo_url(store, photo, q["picture"]) for q in questions if q.get("picture")), None),
        "depth": picture_url(depth.resize(_fitted(size), Image.Resampling.NEAREST)),
        "near": near,
        "far": far,
        "facts": _facts(scene),
        "outlines": [(drawings.outline(thing, size), colour_of(k)) for k, thing in enumerate(scene.objects)],
        "tags": drawings.name_tags(tags, size, IN_OVERVIEW),
        "plan": None if plan is None else plan.ground(),
        "things": None if plan is None else plan.things(_places(scene), IN_OVERVIEW * drawings.PLAN),
        "skipped": [(names[object_id], reason) for object_id, reason in scene.skipped],
        "questions": [_question(question, scene, plan, size) for question in questions],
    }


def _places(scene: Scene) -> list[tuple[np.ndarray, str, str]]:
    return [
        (thing.centre, thing.name, colour_of(k)) for k, thing in enumerate(scene.objects) if thing.centre is not None
    ]


def _photo_url(store: Store, photo: Mapping[str, Any], picture: str | None = None) -> str | None:
    try:
        return picture_url(load_photo(store.picture_path(photo["image_id"], picture)))
    except InputError:
        return None


def _fitted(size: tuple[int, int]) -> tuple[int, int]:
    share = min(1.0, LONG_SIDE / max(size))
    return max(1, round(size[0] * share)), max(1, round(size[1] * share))


def _facts(scene: Scene) -> list[str]:
    """What the geometry of this photo is able to say, in a few words each."""
    geometry = scene.geometry
    camera, up = geometry.camera, geometry.up
    teacher = " ".join(part for part in (geometry.teacher.name, geometry.teacher.revision) if part)
    said = [
        f"teacher {teacher}",
        f"licence {geometry.teacher.licence}",
        f"{geometry.scale.value.replace('_', ' ')} depth",
    ]
    if camera is None:
        said.append("focal length unknown: no lengths, bearings or real sizes")
    else:
        said.append(f"focal length {camera.fx:.0f} px ({np.degrees(camera.fov_x):.0f}° wide)")
    if not scene.has_gravity:
        said.append("gravity unknown")
    elif up is not None:
        axes = ", ".join(f"{value + 0.0:.2f}" for value in np.round(up.vector, 2))
        said.append(f"up ({axes}), confidence {up.confidence:.2f}")
    if scene.ground is not None:
        unit = " m" if scene.supports("metric") else ""
        said.append(f"camera {scene.ground.camera_height:.2f}{unit} above the floor")
    return said


# ---------------------------------------------------------------- one question
def _question(question: dict[str, Any], scene: Scene, plan: Plan | None, size: tuple[int, int]) -> dict[str, Any]:
    evidence = question["evidence"]
    index = {thing.object_id: k for k, thing in enumerate(scene.objects)}
    operands = [entry for entry in evidence["objects"] if entry["id"] in index]
    tags = [(scene.objects[index[o["id"]]], o["name"], colour_of(index[o["id"]])) for o in operands]
    marks = _marks(question)
    on_photo = drawings.photo_points(
        [(x * size[0] / 100, y * size[1] / 100, text, ok) for (x, y), _, text, ok in marks], size
    )
    return {
        "id": question["question_id"],
        "task": question["task"],
        "shows_marks": question.get("picture") is not None,
        "stem": evidence["question"],
        "options": question["options"],
        "right": question["answer_index"],
        "answer": question["answer"],
        "roles": [
            (o["role"], o["name"], colour_of(index[o["id"]]), _numbers(evidence, k)) for k, o in enumerate(operands)
        ],
        "marks": [
            (text, ok, _mark_numbers(evidence, k)) for k, (_, _, text, ok) in enumerate(_in_evidence_order(question))
        ],
        "measure": _measure(question),
        "margin": f"{question['margin']:.3g} {margin_unit(evidence)}".rstrip(),
        "frame": _frame(question, operands),
        "formula": evidence["formula"],
        "sigma": evidence.get("sigma"),
        "shortcut": evidence.get("shortcut"),
        "teacher": evidence["teacher"]["name"],
        "used": [index[o["id"]] for o in operands],
        "overlay": _ends_on_photo(evidence, scene, size) + drawings.name_tags(tags, size, IN_CARD) + on_photo,
        "plan": None if plan is None else _evidence_plan(evidence, plan, operands, index, marks),
    }


def _evidence_plan(
    evidence: Mapping[str, Any], plan: Plan, operands: Sequence[Mapping[str, Any]], index: Mapping[str, int], marks: Any
) -> Markup:
    """The evidence seen from above; the centres are those written down, not those of the scene."""
    drawn = Markup("")
    centres = [entry["centre"] for entry in operands if "centre" in entry]
    form = evidence["form"]
    if form.startswith("hypothetical.") and len(centres) == 3:
        drawn += plan.facing(centres[0], centres[1], form.endswith("away"), centres[2])
    elif "ends" in evidence:
        drawn += plan.line(*evidence["ends"])
    elif form == "distance.camera" and centres:
        drawn += plan.line([0.0, 0.0, 0.0], centres[0])
    elif form in ("distance.centre", "localization.point_between") and len(centres) == 2:
        drawn += plan.line(*centres)
    named = [(e["centre"], e["name"], colour_of(index[e["id"]])) for e in operands if "centre" in e]
    return (
        drawn
        + plan.things(named, IN_CARD * drawings.PLAN)
        + plan.points([(space, text, ok) for _, space, text, ok in marks if space is not None])
    )


def _ends_on_photo(evidence: Mapping[str, Any], scene: Scene, size: tuple[int, int]) -> Markup:
    """The gap that was measured, as a line on the photo."""
    camera = scene.geometry.camera
    if "ends" not in evidence or camera is None:
        return Markup("")
    ends = np.array(evidence["ends"], dtype=np.float64)
    if scene.rotation is not None:
        ends = ends @ scene.rotation
    start, end = camera.project(ends)
    return drawings.photo_line(start, end, size[0])


Mark = tuple[Sequence[float], "Sequence[float] | None", str, bool]


def _in_evidence_order(question: Mapping[str, Any]) -> list[Mark]:
    """Marked points: place in percent, in space, its letter (or number) and whether it is the right one.

    Evidence lists the right point first; the letter is that of the option with the same text.
    """
    found: list[Mark] = []
    for k, entry in enumerate(question["evidence"].get("points", ())):
        x, y = entry["percent"]
        text = f"({x}, {y})"
        options = question["options"] or []
        letter = LETTERS[options.index(text)] if text in options else str(k + 1)
        found.append(((x, y), entry.get("space"), letter, k == 0))
    return found


def _marks(question: Mapping[str, Any]) -> list[Mark]:
    return sorted(_in_evidence_order(question), key=lambda mark: mark[2])


def _numbers(evidence: Mapping[str, Any], place: int) -> str:
    """What was measured of the ``place``-th operand, as text."""
    said = []
    if isinstance(depth := _at(evidence, "z05", place), float):
        said.append(f"{depth:.2f} deep (5 %)")
    if isinstance(size := _at(evidence, "sizes", place), Mapping) and {"tall", "wide"} <= set(size):
        said.append(f"{size['tall']:.2f} tall, {size['wide']:.2f} wide")
    gap, centre = _at(evidence, "gaps", place - 1), _at(evidence, "centres", place - 1)
    if isinstance(gap, float) and isinstance(centre, float):
        said.append(f"gap {gap:.2f}, centres {centre:.2f}")
    return "; ".join(said)


def _at(evidence: Mapping[str, Any], key: str, place: int) -> Any:
    """An entry of a list in the evidence; None where there is none: each task has lists of its own."""
    values = evidence.get(key)
    return values[place] if isinstance(values, list) and 0 <= place < len(values) else None


def _mark_numbers(evidence: Mapping[str, Any], place: int) -> str:
    names = {
        "distances": "distance",
        "z": "depth",
        "away": "from the place",
        "along": "along",
        "aside": "aside",
        "height": "height",
    }
    return ", ".join(f"{word} {evidence[key][place]:.2f}" for key, word in names.items() if key in evidence)


def _measure(question: Mapping[str, Any]) -> str:
    unit = {"deg": "°", "ratio": " (ratio)", "width": " of the width"}.get(question["unit"], f" {question['unit']}")
    return f"{question['value']:.3g}{unit}"


def _frame(question: Mapping[str, Any], operands: Sequence[Mapping[str, Any]]) -> str:
    """``stand:25 face:27`` with names in place of ids."""
    names = {entry["id"]: entry["name"] for entry in operands}
    words = [part.partition(":") for part in question["frame"].split()]
    return " ".join(f"{head} {names.get(tail, tail)}" if colon else head for head, colon, tail in words)
