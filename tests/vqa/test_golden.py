"""Every form of every task against closed-form truth, and the symmetries that truth must have."""

import math

import numpy as np
import pytest
from helpers.golden import EYE, ROOM, Block, golden, middle

from pseudogd.geometry.types import Scale
from pseudogd.vqa.settings import SynthSettings
from pseudogd.vqa.synth import task_facts
from pseudogd.vqa.vocabulary import PLAIN_TASKS as TASKS

VIEWS = [{"eye": EYE}, {"eye": EYE, "pitch_deg": 12.0}, {"eye": EYE, "pitch_deg": 8.0, "roll_deg": 4.0}]
SETTINGS = SynthSettings()


def all_facts(scene, seeds=range(3)):
    return [fact for seed in seeds for task in TASKS for fact in task_facts(scene, task, SETTINGS, seed)]


@pytest.fixture(scope="module", params=range(len(VIEWS)))
def scene(request):
    return golden(ROOM, **VIEWS[request.param])


def block(operand):
    return ROOM[int(operand)]


def test_measures_are_those_of_the_blocks(scene):
    for obj in scene.objects:
        b = block(obj.object_id)
        assert np.linalg.norm(obj.centre - middle(b)) < 0.04
        assert obj.tall == pytest.approx(b.height, rel=0.06, abs=0.03)
        assert obj.wide == pytest.approx(b.width, rel=0.08, abs=0.03)
        assert obj.ground_gap == pytest.approx(b.base, abs=0.04)
        assert obj.standable == (b.base < 0.1)
        assert not obj.truncated and obj.known == 1.0


def test_pole_and_plank():
    """A height must not be read off a width: neither here nor in the questions about them."""
    blocks = [Block("pole", -0.8, 3.0, 0.1, 1.4), Block("plank", 0.7, 3.0, 1.4, 0.1), Block("cube", 0, 4.5, 0.5, 0.5)]
    scene = golden(blocks)
    sizes = {obj.name: (obj.wide, obj.tall) for obj in scene.objects}
    assert sizes["pole"] == (pytest.approx(0.1, abs=0.03), pytest.approx(1.4, rel=0.05))
    assert sizes["plank"] == (pytest.approx(1.4, rel=0.05), pytest.approx(0.1, abs=0.03))
    for fact in task_facts(scene, "size"):
        if set(fact.operands) == {"0", "1"}:
            tall = fact.form.split(".")[1] in ("taller", "narrower")
            assert fact.answer == ("pole" if tall else "plank")


def test_solid_boxes_keep_their_sizes():
    scene = golden([Block("box", 0.3, 3.0, 0.5, 0.8, depth=0.5)], eye=1.5, pitch_deg=15)
    (box,) = scene.objects
    assert box.tall == pytest.approx(0.8, rel=0.1)
    assert box.box.size[1] == pytest.approx(0.8, rel=0.15)


# ---------------------------------------------------------------- symmetries
def keyed(scene, **wanted):
    facts = {}
    for fact in all_facts(scene, seeds=[0]):
        if fact.style != "point":
            # what the question starts from stays first: nearest to whom
            fixed = {"value": len(fact.operands), "among": int(fact.task == "localization")}.get(fact.style, 0)
            facts[fact.form, fact.operands[:fixed], tuple(sorted(fact.operands[fixed:]))] = fact
    return facts


def test_mirror_swaps_left_and_right_and_nothing_else():
    mirrored = golden(ROOM, mirror=True, **VIEWS[0])
    there, here = keyed(mirrored), keyed(golden(ROOM, **VIEWS[0]))
    swap = {"left": "right", "right": "left"}
    common = set(there) & set(here)
    assert {key[0].split(".")[0] for key in common} == set(TASKS)
    for key in common:
        old, new = here[key], there[key]
        if old.form.startswith(("direction.side", "hypothetical")):
            assert new.answer == swap.get(old.answer, old.answer)
        elif old.form == "direction.quadrant":
            side, depth = old.answer.split("_")
            assert new.answer == f"{swap[side]}_{depth}"
        elif old.task == "distance":
            # Which pixels are sampled has no mirror symmetry; the length has.
            assert new.value == pytest.approx(old.value, rel=0.03)
        else:
            assert new.answer == old.answer


def test_twice_the_depth_is_twice_the_metres_and_the_same_order():
    here, there = keyed(golden(ROOM)), keyed(golden(ROOM, factor=2.0))
    common = set(there) & set(here)
    assert {key[0].split(".")[0] for key in common} == set(TASKS)
    for key in common:
        if here[key].task == "distance":
            assert there[key].value == pytest.approx(2 * here[key].value, rel=1e-4)
        else:
            assert there[key].answer == here[key].answer


def test_a_yaw_of_the_world_leaves_hypothetical_answers_alone():
    turned = [b.turned(math.radians(6)) for b in ROOM]
    here, there = keyed(golden(ROOM, fov=80)), keyed(golden(turned, fov=80))
    common = [key for key in set(here) & set(there) if key[0].startswith("hypothetical")]
    assert len(common) > 20
    for key in common:
        assert here[key].answer == there[key].answer
        assert here[key].value == pytest.approx(there[key].value, abs=3)


def test_new_names_and_another_order_of_objects_change_no_relation():
    names = {b.name: f"thing {k}" for k, b in enumerate(ROOM)}
    renamed = [Block(names[b.name], b.x, b.z, b.width, b.height, b.depth, b.base) for b in ROOM]
    here = keyed(golden(ROOM))
    there = {key: fact for key, fact in keyed(golden(renamed)).items() if key in here}
    assert len(there) > 40
    for key, fact in there.items():
        assert fact.answer == names.get(here[key].answer, here[key].answer)


def test_left_of_is_right_of_the_other_way_round():
    from pseudogd.vqa.tasks.direction import side_margin

    scene = golden(ROOM)
    seen = 0
    for a in scene.objects:
        for b in scene.objects:
            if side_margin(a, b, SETTINGS.margins) is not None:
                seen += 1
                assert side_margin(b, a, SETTINGS.margins) is None
    assert seen >= 8
    both = {}
    for seed in range(6):
        for fact in task_facts(scene, "direction", SETTINGS, seed):
            if fact.form == "direction.side":
                both[fact.operands] = fact.answer
    swapped = [(pair, both[pair[::-1]]) for pair in both if pair[::-1] in both]
    assert swapped
    assert all(both[pair] != other for pair, other in swapped)


def test_distances_are_symmetric():
    scene = golden(ROOM)
    for matrix in (scene.distances, scene.gaps, scene.distance_errors):
        assert np.allclose(matrix, matrix.T)
        assert np.allclose(np.diag(matrix), 0)


def test_front_and_behind_are_the_same_before_and_after_gravity_alignment():
    level, tilted = golden(ROOM), golden(ROOM, pitch_deg=15)
    blind = golden(ROOM, pitch_deg=15, up_confidence=None)
    for scene in (level, tilted, blind):
        order = [o.name for o in sorted(scene.objects, key=lambda o: o.z[1])]
        want = [b.name for b in sorted(ROOM, key=lambda b: b.z) if b.name in order]
        assert order == want
        assert all(o.centre[2] > 0 for o in scene.objects)


def test_dropping_an_object_leaves_ids_and_names_paired():
    whole = {o.object_id: o.name for o in golden(ROOM).objects}
    hidden = [*ROOM[:2], Block("green card", 0.1, 5.0, 0.001, 0.001), *ROOM[3:]]
    fewer = {o.object_id: o.name for o in golden(hidden).objects}
    assert "2" in whole and "2" not in fewer
    assert fewer == {k: v for k, v in whole.items() if k != "2"}


def test_twins_are_opposite(scene):
    opposite = {"front": "behind", "behind": "front", "left": "right", "right": "left"}
    twins = {}
    for fact in task_facts(scene, "hypothetical"):
        twins.setdefault(fact.twin, []).append(fact)
    assert len(twins) > 5
    for first, second in twins.values():
        assert {first.form, second.form} == {"hypothetical.facing", "hypothetical.away"}
        assert first.answer == opposite[second.answer]
        assert abs(first.value - second.value) == pytest.approx(180)


def test_twins_share_a_shortcut_that_takes_the_picture_for_a_map(scene):
    """From the boxes alone: the foot of Z, turned by the line from the foot of X to that of Y."""
    sides, told = ("front", "right", "behind", "left"), []
    for fact in task_facts(scene, "hypothetical"):
        feet = [(x + w / 2) - 1j * (y + h) for x, y, w, h in (entry["bbox"] for entry in fact.evidence["objects"])]
        turned = (feet[2] - feet[0]) / (feet[1] - feet[0]) * (-1 if fact.form.endswith("away") else 1)
        quarters = -np.angle(turned) / (math.pi / 2)
        if abs(quarters - round(quarters)) < 0.45:  # medians of columns are not exactly the middle of a box
            told.append(fact.answer == sides[round(quarters) % 4])
            assert fact.evidence["shortcut"]["right"] == told[-1]
    assert {True, False} == set(told)


def test_metres_are_refused_without_metric_depth():
    for scale, camera in ((Scale.UP_TO_SCALE, True), (Scale.AFFINE_DISPARITY, True), (Scale.METRIC, False)):
        scene = golden(ROOM, scale=scale, with_camera=camera)
        assert not [fact for fact in all_facts(scene, [0]) if fact.kind == "metric"]


def test_only_order_survives_an_affine_disparity():
    kinds = {fact.kind for fact in all_facts(golden(ROOM, scale=Scale.AFFINE_DISPARITY), [0])}
    assert kinds == {"ordinal"}


def test_without_metres_or_gravity_the_rest_is_still_asked():
    up_to_scale = golden(ROOM, scale=Scale.UP_TO_SCALE, factor=0.2)
    assert {f.task for f in all_facts(up_to_scale, [0])} == set(TASKS) - {"distance"}
    unsure = golden(ROOM, up_confidence=0.2)
    forms = {f.form for f in all_facts(unsure, [0])}
    assert "distance.centre" in forms and "nearer.pair_near" in forms
    assert not [form for form in forms if form.startswith(("size", "hypothetical", "direction.height"))]


def test_a_foot_behind_something_is_no_height():
    """Hardly any of the outline is hidden, but the whole lower end is."""
    pole = Block("pole", 0.0, 4.0, 0.12, 1.9)
    free, hidden = golden([pole]), golden([pole, Block("board", 0.0, 2.5, 0.6, 0.6)])
    assert not free.objects[0].cut and free.objects[0].tall == pytest.approx(1.9, rel=0.05)
    # The line from the eye over the board's edge meets the pole at 1.2 - 4 * 0.6 / 2.5 = 0.24 m.
    assert hidden.objects[0].cut and hidden.objects[0].tall == pytest.approx(1.66, rel=0.03)
    assert not hidden.objects[1].cut
    assert not [f for f in task_facts(hidden, "size") if "0" in f.operands]


def test_the_floor_in_front_hides_nothing():
    scene = golden([Block("card", x, 9.0, 0.8, 0.5) for x in (-2.5, 0.0, 2.5)], eye=1.0)
    assert len(scene) == 3
    assert all(obj.occluded == 0 and not obj.cut for obj in scene.objects)
