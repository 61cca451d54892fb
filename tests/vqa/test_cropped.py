"""What is true in a part of a picture is true in the whole: questions of crops against the uncropped scene."""

from __future__ import annotations

import math
from collections import Counter
from itertools import islice

import numpy as np
import pytest
from helpers.golden import TEACHER

from pseudogd.benchmarks.truth import true_photos
from pseudogd.geometry.types import Geometry
from pseudogd.objects.masks import box_of, decode, encode
from pseudogd.vqa.build import build_scene
from pseudogd.vqa.scene import Q05, Q50
from pseudogd.vqa.settings import SynthSettings
from pseudogd.vqa.synth import task_facts
from pseudogd.vqa.tasks import TASKS, answer_in
from pseudogd.vqa.tasks.hypothetical import SECTORS, sector_index
from pseudogd.vqa.vocabulary import PLAIN_TASKS
from pseudogd.world.folder import render_folder

pytestmark = pytest.mark.slow

SIDE, PART = 160, 104
CORNERS = [(0, 0), (0, SIDE - PART), (SIDE - PART, 0), (SIDE - PART, SIDE - PART)]
LEAST_VISIBLE = 40
ABOUT_THE_PICTURE = ("camera_move", "cannot_tell")
"""Where the border runs is part of these questions."""


def crop(photo, top, left):
    """The scene of one square part of a photo."""
    rows = []
    for row in photo.objects:
        mask = decode(row["rle"])[top : top + PART, left : left + PART]
        if mask.sum() >= LEAST_VISIBLE:
            rows.append({**row, "rle": encode(mask), "bbox": box_of(mask)})
    whole = photo.geometry
    depth = whole.depth[top : top + PART, left : left + PART].copy()
    camera = whole.camera.cropped(left, top, PART, PART)
    part = Geometry(depth, camera, up=whole.up, scale=whole.scale, teacher=TEACHER)
    return build_scene(part, rows, image_id=f"{photo.name}-{top}-{left}")


def holds(fact, scene, index):
    """Whether the statement is true of the same things in the uncropped scene; None if it is not about things alone."""
    things = [scene.objects[index[i]] for i in fact.operands]
    places = [index[i] for i in fact.operands]
    name = fact.form.split(".")[1]
    if fact.task in ABOUT_THE_PICTURE:
        return None
    if fact.task not in PLAIN_TASKS:
        true = answer_in(scene, fact)
        if fact.style != "number" or true is None:
            return None if true is None or fact.style == "point" else true == fact.answer
        said = [abs(math.log(float(text.split()[0]) / true)) for text in (fact.answer, *fact.wrong)]
        return said[0] == min(said)
    if fact.task == "nearer":
        depths = [thing.z[Q05] for thing in things]
        return depths[0] == (max if name == "farthest" else min)(depths)
    if fact.task == "size" and name in ("taller", "shorter", "tallest"):
        return things[0].tall == max(thing.tall for thing in things)
    if name in ("nearest_object", "farthest_object"):
        gaps = scene.gaps[places[0], places[1:]]
        return gaps[0] == (min if name == "nearest_object" else max)(gaps)
    if name == "side":
        return (things[0].u[Q50] < things[1].u[Q50]) == (fact.answer == "left")
    if name == "height":
        return (things[0].height[Q50] > things[1].height[Q50]) == (fact.answer == "higher")
    if fact.task == "hypothetical":
        stand, other, asked = scene.centres[places][:, ::2]
        ahead = other - stand if name == "facing" else stand - other
        turn = math.atan2(*(asked - stand)) - math.atan2(*ahead)
        return SECTORS[int(sector_index(np.array(turn)))] == fact.answer
    if fact.task == "distance":
        true = {
            "camera": lambda: np.linalg.norm(scene.centres[places[0]]),
            "centre": lambda: scene.distances[places[0], places[1]],
            "gap": lambda: scene.gaps[places[0], places[1]],
        }[name]()
        # Nearer in ratio to the number given than to the nearest wrong one could be (a factor of 1.6 away).
        return max(true / fact.value, fact.value / true) < math.sqrt(1.6)
    return None


@pytest.fixture(scope="module")
def counts(tmp_path_factory):
    """(task, whether an operand is cut off by the crop) -> [statements, false ones]."""
    folder = tmp_path_factory.mktemp("world")
    render_folder(folder, 9, split="train", seed=5, size=SIDE)
    asked, false = Counter(), Counter()
    for photo in true_photos(folder, normals=False):
        scene = build_scene(photo.geometry, photo.objects, image_id=photo.name)
        index = {thing.object_id: k for k, thing in enumerate(scene.objects)}
        known = {thing.object_id for thing in scene.objects if not thing.truncated}
        for corner in CORNERS:
            part = crop(photo, *corner)
            cut = {thing.object_id for thing in part.objects if thing.truncated}
            for task in TASKS:
                for fact in islice(task_facts(part, task, SynthSettings(fair=False)), 24):
                    true = holds(fact, scene, index) if known.issuperset(fact.operands) else None
                    if true is not None:
                        key = task, bool(cut.intersection(fact.operands))
                        asked[key] += 1
                        false[key] += not true
    return asked, false


def test_statements_about_whole_things_are_true_in_the_uncropped_scene(counts):
    asked, false = counts
    whole = [task for task in TASKS if asked[task, False]]
    assert len(whole) >= 5 and sum(asked[task, False] for task in whole) > 60
    assert [task for task in whole if false[task, False]] == []


def test_statements_about_cut_off_things_are_seldom_false(counts):
    """Their unseen part cannot be known: a fifth of a bed says little of where the bed's middle is."""
    asked, false = counts
    assert sum(asked[task, True] for task in TASKS) > 200
    assert sum(false[task, True] for task in TASKS) <= 0.03 * sum(asked[task, True] for task in TASKS)
    for task in TASKS:
        assert false[task, True] <= 0.08 * asked[task, True], task
