"""Confidence from a mirrored photo or a second teacher follows its formula, and nothing else changes."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers.photos import as_bytes, scene
from helpers.tiny_teachers import save_dpt
from PIL import Image

from pseudogd.errors import InputError
from pseudogd.geometry.camera import Camera
from pseudogd.geometry.types import Geometry, Scale, TeacherInfo
from pseudogd.stages.label import label
from pseudogd.store.dataset import Store
from pseudogd.teachers import load_teacher
from pseudogd.teachers.base import Photo, Teacher
from pseudogd.teachers.confidence import WIDTH, Agreement, FlipConsistency, agreement

CAMERA = Camera.from_fov(48, 32, 60)


class Says(Teacher):
    """Depth that a function of the picture's pixels makes."""

    def __init__(self, rule, scale=Scale.METRIC, licence="MIT", name="says"):
        self.rule, self.scale = rule, scale
        self.settings = {"kind": "says", "name": name}
        self.info = TeacherInfo(name, "1", "hash", licence)

    def prepare(self, photo):
        return np.asarray(photo.image, np.float32), photo.camera

    def infer(self, prepared):
        return [Geometry(self.rule(pixels), camera, scale=self.scale, teacher=self.info) for pixels, camera in prepared]


def bright(pixels):
    return 1 + pixels.mean(-1) / 64


def leaning(pixels):
    """Wrong by 20 % towards the right of whatever picture it is shown, so its mirror image is wrong on the left."""
    lean = np.exp(np.where(np.arange(pixels.shape[1]) >= pixels.shape[1] / 2, 0.2, 0.0))
    return bright(pixels) * lean


def test_a_teacher_that_does_not_care_is_sure():
    found = FlipConsistency(Says(bright)).predict(scene(1), CAMERA)
    assert found.confidence == pytest.approx(1, abs=1e-5)
    assert (found.depth == bright(np.asarray(scene(1), np.float32)).astype(np.float32)).all()
    assert found.camera == CAMERA


def test_a_teacher_that_leans_is_doubted_where_the_formula_says():
    found = FlipConsistency(Says(leaning)).predict(scene(1), CAMERA)
    # half the picture is off by +.2 and half by -.2; their median is one of them or between
    ratios = np.concatenate([np.full(24, -0.2), np.full(24, 0.2)])
    expected = np.exp(-np.abs(ratios - np.median(ratios)) / WIDTH)
    assert found.confidence == pytest.approx(np.broadcast_to(expected, (32, 48)), abs=1e-4)


@pytest.mark.parametrize("factor", [0.25, 3.0])
def test_alignment_is_what_the_kinds_allow(factor):
    depth = np.random.default_rng(0).uniform(1, 5, (8, 9))
    assert agreement(depth, factor * depth, Scale.UP_TO_SCALE) == pytest.approx(1)
    assert agreement(depth, factor * depth, Scale.METRIC) == pytest.approx(np.exp(-abs(np.log(factor)) / WIDTH))
    shifted = 1 / (factor / depth + 0.3)
    assert agreement(depth, shifted, Scale.AFFINE_DISPARITY) == pytest.approx(1)
    assert agreement(depth, shifted, Scale.UP_TO_SCALE).min() < 0.9


def test_the_numbers_of_the_documentation():
    flat = np.full((2, 2), 2.0)
    for off, said in ((0.01, 0.90), (0.05, 0.61), (0.10, 0.37)):
        assert agreement(flat, flat * np.exp(off), Scale.METRIC) == pytest.approx(said, abs=0.01)


def test_the_opposite_order_is_no_agreement():
    depth = np.linspace(1, 5, 50).reshape(5, 10)
    turned = 1 / (1.5 - 1 / depth)
    assert agreement(depth, turned, Scale.AFFINE_DISPARITY).mean() < 0.25


def test_one_odd_pixel_does_not_move_the_others():
    depth = np.full((9, 9), 2.0)
    other = depth.copy()
    other[0, 0] = 9
    found = agreement(depth, other, Scale.UP_TO_SCALE)
    assert found[0, 0] < 1e-3 and (np.delete(found.ravel(), 0) == 1).all()


def test_unknown_is_doubted_and_common_sky_is_not():
    depth, other = np.array([[np.nan, np.inf, np.inf, 2.0]]), np.array([[2.0, np.inf, 2.0, 2.0]])
    assert agreement(depth, other, Scale.METRIC).tolist() == [[0, 1, 0, 1]]
    assert not agreement(depth * np.nan, other, Scale.AFFINE_DISPARITY).any()


def test_flat_maps_agree_and_disagree():
    flat = np.full((3, 3), 2.0)
    assert agreement(flat, flat, Scale.AFFINE_DISPARITY).all()


def test_a_second_teacher_is_measured_and_only_measured():
    off = Says(lambda pixels: bright(pixels) * 1.1, licence="CC-BY-NC-4.0", name="second")
    teacher = Agreement(Says(bright), off)
    found = teacher.predict(scene(1), CAMERA)
    assert found.confidence == pytest.approx(np.exp(-np.log(1.1) / WIDTH), rel=1e-3)
    assert (found.depth == bright(np.asarray(scene(1), np.float32)).astype(np.float32)).all()
    assert found.teacher.licence == "MIT; confidence by second: CC-BY-NC-4.0"
    free = Agreement(Says(bright), Says(lambda p: bright(p) * 1.1, Scale.UP_TO_SCALE))
    assert free.predict(scene(1)).confidence == pytest.approx(1, abs=1e-5)


def test_a_second_map_of_another_size_is_sampled():
    coarse = Says(lambda pixels: bright(pixels)[::2, ::2])
    found = Agreement(Says(bright), coarse).predict(scene(1))
    assert found.confidence.shape == (32, 48) and found.confidence.mean() > 0.7


def test_the_teachers_own_confidence_counts_too():
    class Doubts(Says):
        def infer(self, prepared):
            return [replace(one, confidence=np.full(one.depth.shape, 0.5)) for one in super().infer(prepared)]

    assert FlipConsistency(Doubts(bright)).predict(scene(1)).confidence == pytest.approx(0.5, abs=1e-5)
    both = Agreement(FlipConsistency(Doubts(bright)), Says(bright))
    assert both.predict(scene(1)).confidence == pytest.approx(0.5, abs=1e-5)
    assert both.settings["confidence"]["and"]["kind"] == "flip"


def test_a_batch_is_its_photos():
    teacher = FlipConsistency(Says(leaning))
    photos = [Photo(scene(seed, *size)) for seed, size in enumerate([(48, 32), (20, 30), (48, 32)])]
    for photo, found in zip(photos, teacher.predict_batch(photos)):
        assert found.confidence == pytest.approx(teacher.predict(photo.image).confidence, abs=1e-6)


def test_files_cannot_be_asked_about_a_mirror_image(tmp_path):
    with pytest.raises(InputError, match="mirror image"):
        load_teacher(f"files:{tmp_path}", confidence="flip")
    with pytest.raises(InputError, match="can be flip"):
        load_teacher("embedded", confidence="high")


def photos_in(folder, count=3):
    folder.mkdir()
    for seed in range(count):
        (folder / f"{seed}.png").write_bytes(as_bytes(scene(seed)))
    return folder


def test_label_writes_confidence_and_says_how_in_the_manifest(tmp_path, metric_folder, relative_folder):
    photos = photos_in(tmp_path / "photos")
    plain = load_teacher(str(metric_folder), device="cpu")
    for name, options, kind in (
        ("flip", {"confidence": "flip"}, "flip"),
        ("second", {"second_teacher": str(relative_folder)}, "second teacher"),
        ("both", {"confidence": "flip", "second_teacher": str(save_dpt(tmp_path / "dpt"))}, "second teacher"),
    ):
        label(photos, str(metric_folder), tmp_path / name, quiet=True, device="cpu", **options)
        store = Store(tmp_path / name)
        found = [store.geometry(image_id) for image_id in store.geometry_ids()]
        assert all(one.confidence is not None and 0 < one.confidence.mean() < 1 for one in found)
        settings = store.settings("geometry")["teacher"]
        assert settings["confidence"]["kind"] == kind and settings == json.loads(json.dumps(settings))
        assert found[0].teacher.settings_hash != plain.info.settings_hash
        assert found[0].depth == pytest.approx(plain.predict(scene(0)).depth, rel=1e-3)
    label(photos, str(metric_folder), tmp_path / "none", quiet=True, device="cpu")
    store = Store(tmp_path / "none")
    assert store.settings("geometry")["teacher"] == plain.settings
    assert store.geometry(store.geometry_ids()[0]).confidence is None


def test_depth_files_may_be_the_second_teacher(tmp_path, metric_folder):
    photos, depth = photos_in(tmp_path / "photos", 2), tmp_path / "depth"
    depth.mkdir()
    Image.fromarray(np.full((32, 48), 3000, np.uint16)).save(depth / "0.png")
    result = label(
        photos,
        str(metric_folder),
        tmp_path / "data",
        quiet=True,
        device="cpu",
        second_teacher=f"files:{depth}",
        max_failures=1,
    )
    assert (result.rows, result.failures) == (1, 1)
    (failure,) = Store(tmp_path / "data").failures().to_pylist()
    assert "no depth map 1.png" in failure["reason"]


def test_in_rooms_error_falls_as_confidence_rises(tmp_path, monkeypatch):
    from pseudogd.world import render_folder

    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "tools"))
    from confidence_honesty import bands

    render_folder(tmp_path / "rooms", 16, "held_out", 5, workers=1)
    cameras = tmp_path / "rooms" / "cameras.json"
    label(tmp_path / "rooms", "embedded", tmp_path / "data", cameras, quiet=True, confidence="flip", device="cpu")
    rows = bands(tmp_path / "data", tmp_path / "rooms")
    assert sum(row["share"] for row in rows) == pytest.approx(1)
    unsure = [row["mean"] for row in rows if row["to"] <= 0.6]
    sure = [row["mean"] for row in rows if row["from"] >= 0.8]
    assert min(unsure) > 1.5 * max(sure)
