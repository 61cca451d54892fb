"""Looks at the data folder: rows, views of a photo, labels, and whose geometry it is."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pseudogd.distill.kinds import TERMS, pays
from pseudogd.errors import InputError
from pseudogd.store.dataset import Store
from pseudogd.teachers.licences import Terms, judged
from pseudogd.training.arms import total_steps
from pseudogd.training.checks import check_coverage, coverage
from pseudogd.training.doctor.case import PASS, WARN, Case, Finding, SeenPhoto
from pseudogd.training.doctor.words import plural, reasons
from pseudogd.training.recipe import changed
from pseudogd.training.setup import conversations_of, photos_of, rows_of

_PHOTOS = 200
"""Rows are made of so many photos at most, labels looked at in `_LABELS`, views and teachers in `_VIEWED`."""
_LABELS, _VIEWED = 64, 16
_LEFT_OUT = 0.1
"""A larger share of questions that cannot be trained on is a warning."""


def data(case: Case) -> Finding:
    folder, status, said = Path(case.recipe.data.path), PASS, ""
    if not folder.exists():
        status, said = WARN, f"{folder} is not there; a few simulated rooms stand in for it: "
        folder = case.sample()
        case.recipe = changed(case.recipe, {"data.path": str(folder)})
    case.store = Store(folder)
    case.store.require("geometry")
    if case.recipe.uses_questions:
        case.store.require("questions")
    case.general = conversations_of(case.recipe)
    ids = case.store.geometry_ids()
    if not ids:
        raise InputError(f"{folder}: holds no photo; run `pseudogd label` on a folder with photos")
    some = spread(ids, _LABELS)
    gone = [path for path in map(case.store.photo_path, some) if not path.is_file()]
    if gone:
        said += f"{len(gone)} of {len(some)} photos are no longer there, such as {gone[0]}; "
        status = WARN
    questions = case.store.counts("questions")["rows"] if case.recipe.uses_questions else 0
    return status, f"{said}{len(ids):,} photos with geometry, {questions:,} questions"


def rows(case: Case) -> Finding:
    limit = min(_PHOTOS, case.recipe.data.photos or _PHOTOS)
    fewer = changed(case.recipe, {"data.photos": limit, "optim.steps": 1})
    case.rows = rows_of(fewer, case.store, case.student, case.general)
    case.photos = photos_of(case.recipe, case.store, case.student.family, case.general)
    lengths, most = case.rows.lengths, case.recipe.data.max_length
    whole = _photos_of_run(case)
    looked = min(limit, whole)
    case.steps = total_steps(case.recipe, round(case.rows.epoch * whole / looked))
    shown = [f"{count} {kind}" for kind, count in case.rows.by_kind().items() if count]
    kinds = f" ({', '.join(shown)})" if len(shown) > 1 else ""
    said = (
        f"{len(case.rows):,} rows{kinds} with {case.rows.questions:,} questions of the first {looked:,} photos, turns "
        f"{case.recipe.data.turns}; tokens of a row: {int(np.median(lengths)):,} at the median, {lengths.max():,} "
        f"at most, of {most:,}"
    )
    lost = [item for item in case.rows.left_out if "data.balance" not in item.reason]
    if case.rows.left_out:
        said += f"; left out: {reasons(case.rows.left_out)}"
    share = sum(item.questions for item in lost) / max(1, case.rows.questions)
    return WARN if share > _LEFT_OUT else PASS, said


def views(case: Case) -> Finding:
    some = list(dict.fromkeys(case.rows.image_ids))[:_VIEWED]
    if not some:
        raise InputError("no row has a photo of the data folder; raise data.mix.both or data.mix.geometry")
    place, family = case.photos.place or "encoder", case.student.family
    seen = {}
    for image_id in some:
        size = case.photos.size_of(image_id)
        seen[image_id] = size, family.views(size, case.photos[image_id].pixels, place=place)
    chosen = max(seen, key=lambda image_id: len(seen[image_id][1]))
    size, seen_views = seen[chosen]
    targets = case.photos[chosen].targets.views
    path = case.store.photo_path(chosen)
    case.found.photo = SeenPhoto(
        name=path.name,
        path=path,
        size=size,
        views=targets or [(view, None) for view in seen_views],
        metric=bool(targets) and not targets[0][1].kind.startswith("affine"),
    )
    grids = ", ".join(f"{plural(n, 'view')} of {w}x{h}" for (h, w), n in Counter(v.grid for v in seen_views).items())
    padded = sum(int(outside(view.boxes, size).sum()) for view in seen_views)
    tail = f", {padded} of them padding" if padded else ""
    cells = sum(v.grid[0] * v.grid[1] for v in seen_views)
    return PASS, f"{path.name} ({size[0]}x{size[1]}): {grids}, {cells:,} cells{tail}"


def labels(case: Case) -> Finding:
    if not case.recipe.uses_geometry:
        return PASS, f"none: arm {case.recipe.arm} has no geometry"
    some = spread(list(dict.fromkeys(case.rows.geometry_ids)), _LABELS)
    photos = [case.photos[image_id].targets for image_id in some]
    kinds = Counter(targets.kind for photo in photos for _, targets in photo.views)
    share = coverage(photos)
    check_coverage(share, case.recipe.geometry.min_coverage, len(photos))
    paid = {term for kind in kinds for term, pay in zip(TERMS, pays(kind, True)) if pay}
    counted = ", ".join(f"{n} {kind.replace('_', ' ').replace('+', ' with ')}" for kind, n in kinds.most_common())
    said = f"views of {len(photos)} photos: {counted}; geometry says something about {share:.0%} of the cells"
    if not paid & {"s", "s_phi"}:
        return WARN, f"{said}; no label knows metres, so no metric scale is taught"
    return PASS, said


def licence(case: Case) -> Finding:
    if not case.recipe.uses_geometry and not case.recipe.uses_questions:
        return PASS, "no teacher's geometry is used"
    found: dict[str, tuple[str, Terms]] = {}
    for image_id in spread(case.store.geometry_ids(), _VIEWED):
        teacher = case.store.geometry(image_id).teacher
        found[teacher.name] = teacher.licence, judged(teacher.name, teacher.licence)
    said = "; ".join(f"{name}: {licence} ({terms.value})" for name, (licence, terms) in found.items())
    doubtful = [name for name, (_, terms) in found.items() if terms is not Terms.PERMISSIVE]
    if not doubtful:
        return PASS, said
    return WARN, f"{said}; see whether you may train on what {', '.join(doubtful)} made"


def _photos_of_run(case: Case) -> int:
    """How many photos of the data folder the run has."""
    if not case.recipe.uses_questions:
        return len(case.store.geometry_ids())
    asked = len(case.store.questions(["image_id"])["image_id"].unique())
    return max(1, min(asked, case.recipe.data.photos or asked))


def outside(boxes: NDArray[np.float64], size: tuple[int, int]) -> NDArray[np.bool_]:
    """(N,) bool: boxes whose middle lies outside of a photo of `size` (width, height), where the input is padded."""
    x, y = (boxes[:, 0] + boxes[:, 2]) / 2, (boxes[:, 1] + boxes[:, 3]) / 2
    return (x < 0) | (y < 0) | (x >= size[0]) | (y >= size[1])


def spread(items: list[str], count: int) -> list[str]:
    """At most `count` of them, evenly chosen."""
    return items[:: max(1, -(-len(items) // count))]
