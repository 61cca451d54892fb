"""A changed scene is the scene that would have been measured, and only steady answers are asked."""

import math
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from helpers.golden import ROOM, golden

from pseudogd.errors import InputError
from pseudogd.geometry.gravity import gravity_rotation
from pseudogd.geometry.types import Geometry, Scale, Up
from pseudogd.vqa import perturb
from pseudogd.vqa.build import build_scene
from pseudogd.vqa.selftest.golden import SURE, cast, rows_of
from pseudogd.vqa.settings import SynthSettings
from pseudogd.vqa.stability import SECOND, Stability, StabilitySettings, same
from pseudogd.vqa.synth import synthesise, task_facts
from pseudogd.vqa.tasks import TASKS, answer_in

PITCH = 10.0


def measured(depth=None, camera=None, up=None):
    """The golden room, measured from other depth, camera or gravity than its own."""
    own_camera, own_up, own_depth, index = cast(ROOM, pitch_deg=PITCH)
    geometry = Geometry(
        np.float32(own_depth if depth is None else depth(own_depth, index)),
        own_camera if camera is None else camera(own_camera),
        up=Up(own_up if up is None else up(own_up), 1.0),
        scale=Scale.METRIC,
        teacher=golden(ROOM).geometry.teacher,
    )
    side = own_depth.shape[0]
    return build_scene(geometry, rows_of(ROOM, index), image_id="golden", size=(side, side), settings=SURE)


@pytest.fixture(scope="module")
def scene():
    return golden(ROOM, pitch_deg=PITCH)


def alike(one, other, tolerance=0.02):
    """Whether two scenes agree in everything that questions are asked from."""
    assert [thing.object_id for thing in one.objects] == [thing.object_id for thing in other.objects]
    for a, b in zip(one.objects, other.objects):
        size = float(np.linalg.norm(b.centre))
        assert np.linalg.norm(a.centre - b.centre) < tolerance * size, a.name
        for name in ("z", "distance", "height"):
            assert np.allclose(getattr(a, name), getattr(b, name), atol=tolerance * size), (a.name, name)
        assert (a.tall, a.wide) == pytest.approx((b.tall, b.wide), rel=3 * tolerance, abs=0.02)
    known = np.isfinite(one.points).all(axis=-1) & np.isfinite(other.points).all(axis=-1)
    assert np.median(np.abs(one.points - other.points)[known]) < tolerance
    assert np.allclose(one.depth, other.depth, rtol=tolerance)


def test_scaled_is_measured_with_scaled_depth(scene):
    alike(perturb.scaled(scene, 1.3), measured(depth=lambda z, _: 1.3 * z))


def test_refocused_is_measured_with_another_focal_length(scene):
    found = perturb.refocused(scene, 1.1)
    alike(found, measured(camera=lambda c: replace(c, fx=1.1 * c.fx, fy=1.1 * c.fy)))
    assert found.ground is not None and abs(found.ground.offset - scene.ground.offset) > 0.01


@pytest.mark.parametrize("roll", [0.0, 3.0])
def test_tilted_is_measured_with_gravity_elsewhere(scene, roll):
    pitch, roll = math.radians(4.0), math.radians(roll)
    found = perturb.tilted(scene, pitch=pitch, roll=roll)
    # In the frame of the wrong gravity its up is (0, -1, 0): brought back to camera axes it is this.
    turn = np.linalg.lstsq(
        np.concatenate([thing.points for thing in scene.objects]),
        np.concatenate([thing.points for thing in found.objects]),
        rcond=None,
    )[0].T
    wrong_up = (turn @ scene.rotation).T @ np.array([0.0, -1.0, 0.0])
    other = measured(up=lambda _: wrong_up)
    # The frames may differ by a yaw, which no question knows of: heights and lengths are compared.
    for a, b in zip(found.objects, other.objects):
        assert np.allclose(a.height, b.height, atol=0.02)
        assert (a.tall, a.wide) == pytest.approx((b.tall, b.wide), rel=0.06, abs=0.03)
    assert np.allclose(found.distances, other.distances, atol=0.02)
    assert np.allclose(gravity_rotation(wrong_up) @ wrong_up, [0, -1, 0])


def test_an_objects_own_error_moves_it_alone(scene):
    factors = np.ones(len(scene))
    factors[1] = 0.9
    name = int(scene.objects[1].object_id)
    alike(
        perturb.changed(scene, factors),
        measured(depth=lambda z, index: np.where(index == name, 0.9 * z, z)),
        tolerance=0.03,
    )


def test_shift_adds_to_near_and_far_alike(scene):
    found = perturb.shifted(scene, 0.1)
    step = 0.1 * np.median(scene.depth)
    for a, b in zip(found.objects, scene.objects):
        assert a.z[3] - b.z[3] == pytest.approx(step, rel=1e-6)


def test_shrunk_keeps_the_middle_and_loses_the_rim(scene):
    found = perturb.shrunk(scene, 2)
    for a, b in zip(found.objects, scene.objects):
        assert a.mask.sum() < b.mask.sum() and not (a.mask & ~b.mask).any()
        assert np.linalg.norm(a.centre - b.centre) < 0.05
        assert a.u[-1] - a.u[0] < b.u[-1] - b.u[0]


def test_noise_comes_in_pairs_of_signs(scene):
    one, other = list(perturb.noisy(scene, 2, np.random.default_rng(0)))
    for a, b, c in zip(one.objects, other.objects, scene.objects):
        assert np.allclose(a.z * b.z, c.z**2)


def test_nothing_is_changed_in_the_scene_itself(scene):
    before = [(thing.centre.copy(), thing.z.copy()) for thing in scene.objects]
    list(Stability(scene, StabilitySettings(), np.random.default_rng(0))._scenes.values())
    for thing, (centre, z) in zip(scene.objects, before):
        assert (thing.centre == centre).all() and (thing.z == z).all()


def test_clear_facts_survive_everything(scene):
    """Nearly all facts of a sure scene survive errors of the size that the scene believes of itself."""
    steady = Stability(scene, StabilitySettings(focal=0, shift=0, tilt=0.2), np.random.default_rng(0))
    scores = Counter()
    for task in TASKS:
        for k, fact in enumerate(task_facts(scene, task)):
            if k == 40:
                break
            score, turned = steady.of(fact)
            scores[score == 1.0] += 1
            assert (score == 1.0) == (not turned)
    assert scores[True] > 0.95 * sum(scores.values())


def test_a_doubtful_fact_is_told_from_a_sure_one(scene):
    """Two cards 1 % apart in depth: 5 % noise turns their order, not that of two cards that are far apart."""
    from helpers.golden import Block

    blocks = [Block("red card", -0.5, 3.0, 0.5, 0.5), Block("blue card", 0.5, 3.03, 0.5, 0.5)]
    blocks.append(Block("green card", 0.0, 6.0, 0.8, 1.4))
    room = golden(blocks, settings=replace(SURE, depth_sigma=0.05))
    fact = next(iter(task_facts(golden(blocks), "nearer")))
    close = replace(fact, form="nearer.pair_near", operands=("0", "1"), answer="red card", wrong=("blue card",))
    clear = replace(close, operands=("0", "2"), wrong=("green card",))
    steady = Stability(room, StabilitySettings(draws=8), np.random.default_rng(1))
    assert steady.of(close)[0] < 1.0 == steady.of(clear)[0]
    assert all(name.startswith("depth") for name in steady.of(close)[1])


def test_a_second_teacher_that_disagrees_is_heard(scene):
    far_first = golden([replace(b, z=9.0 - b.z, x=b.x * (9.0 - b.z) / b.z) for b in ROOM], pitch_deg=PITCH)
    fact = next(f for f in task_facts(scene, "nearer") if far_first.find(f.operands[0]) is not None
                and far_first.find(f.operands[1]) is not None and len(f.operands) == 2)  # fmt: skip
    steady = Stability(scene, StabilitySettings(), np.random.default_rng(0), far_first)
    assert steady.of(fact)[1] == (SECOND,)


def test_numbers_are_the_same_within_a_quarter(scene):
    fact = next(f for f in task_facts(scene, "distance") if f.form == "distance.camera")
    value = fact.value
    assert same(fact, value * 1.2) and same(fact, value / 1.2)
    assert not same(fact, value * 1.3) and not same(fact, None) and not same(fact, math.nan)
    assert same(fact, answer_in(scene, fact))


@pytest.mark.parametrize("least", [0.0, 1.0])
def test_the_dial_and_the_stored_score(least):
    room = golden(ROOM, settings=replace(SURE, depth_sigma=0.03, up_sigma=0.05))
    plan = SynthSettings.from_dict({"stability": {"least": least}})
    questions = synthesise(room, settings=plan, seed=1)
    scores = [question.stability for question in questions]
    assert all(least <= score <= 1.0 for score in scores)
    for question in questions:
        assert ("turned_by" in question.evidence) == (question.stability < 1.0)
    if least == 0.0:
        assert min(scores) < 1.0
        unmeasured = synthesise(room, settings=SynthSettings.from_dict({"stability": {"measure": False}}), seed=1)
        assert [q.text for q in unmeasured] == [q.text for q in questions]
        assert {q.stability for q in unmeasured} == {None}


@pytest.mark.parametrize(
    ("values", "said"),
    [({"least": 2}, "at most 1"), ({"draws": 1.5}, "whole"), ({"measure": 1}, "true or false"), ({"tlit": 1}, "tilt")],
)
def test_settings_that_cannot_be(values, said):
    with pytest.raises(InputError, match=said):
        SynthSettings.from_dict({"stability": values})
