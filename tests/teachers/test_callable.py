"""Any Python function with a declared unit is a teacher; what it answers is checked."""

import math
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from helpers.photos import as_bytes, scene

from pseudogd.errors import InputError
from pseudogd.geometry.camera import Camera
from pseudogd.geometry.types import Scale
from pseudogd.stages.label import label
from pseudogd.store.dataset import Store
from pseudogd.teachers import load_teacher

CAMERA = Camera.from_fov(48, 32, 60)
RAMP = np.linspace(1, 3, 32)[:, None] * np.ones((1, 48))


def make(monkeypatch, answer, **attributes):
    """The teacher of a function that says `answer` (or what that function says), in a module of its own."""
    seen = []

    def function(image, camera):
        seen.append((image, camera))
        return answer(image, camera) if callable(answer) else answer

    for name, value in {"unit": "metres", **attributes}.items():
        if value is not None:
            setattr(function, name, value)
    monkeypatch.setitem(sys.modules, "my_teacher", SimpleNamespace(look=function, number=3))
    teacher = load_teacher("call:my_teacher:look")
    return teacher, seen


def test_it_sees_the_photo_and_the_camera(monkeypatch):
    teacher, seen = make(monkeypatch, RAMP)
    found = teacher.predict(scene(1), CAMERA)
    ((image, camera),) = seen
    assert image.dtype == np.uint8 and (image == np.asarray(scene(1))).all() and camera == CAMERA
    assert found.depth == pytest.approx(RAMP) and found.scale is Scale.METRIC and found.normals is not None


@pytest.mark.parametrize(
    ("unit", "focal", "camera", "factor", "scale"),
    [
        ("metres", None, None, 1.0, Scale.METRIC),
        ("metric depth", None, CAMERA, 1.0, Scale.METRIC),
        ("scale-free depth", None, CAMERA, 1.0, Scale.UP_TO_SCALE),
        ("canonical depth", 1000.0, CAMERA, CAMERA.fx / 1000, Scale.METRIC),
        ("canonical depth", 1000.0, None, 1.0, Scale.UP_TO_SCALE),
    ],
)
def test_the_declared_unit_is_the_unit(monkeypatch, unit, focal, camera, factor, scale):
    teacher, _ = make(monkeypatch, RAMP, unit=unit, canonical_focal=focal)
    found = teacher.predict(scene(1), camera)
    assert found.scale is scale and found.depth == pytest.approx(RAMP * factor, rel=1e-5)


def test_the_canonical_focal_length_is_of_the_returned_map(monkeypatch):
    """Metric3D shrinks the photo: its metres are depth times the shrunken focal length over 1000."""
    teacher, _ = make(monkeypatch, RAMP[::2, ::2], unit="canonical depth", canonical_focal=1000.0)
    assert teacher.predict(scene(1), CAMERA).depth == pytest.approx(RAMP[::2, ::2] * CAMERA.fx / 2 / 1000, rel=1e-5)


def test_inverse_depth_is_an_order(monkeypatch):
    teacher, _ = make(monkeypatch, RAMP, unit="inverse depth")
    found = teacher.predict(scene(1), CAMERA)
    assert found.scale is Scale.AFFINE_DISPARITY and found.normals is None and found.depth[0, 0] > found.depth[-1, 0]


def test_everything_that_may_be_answered(monkeypatch):
    normals = np.zeros((32, 48, 3))
    normals[..., 2] = 2.0  # away from the camera, and no unit vectors
    depth = RAMP.copy()
    depth[0, :3] = [np.nan, np.inf, -1]
    intrinsics = np.array([[60.0, 0, 20.0], [0, 61.0, 15.0], [0, 0, 1]])
    answer = {"depth": torch.tensor(depth)[None], "intrinsics": intrinsics, "normals": normals, "confidence": RAMP / 3}
    teacher, _ = make(monkeypatch, answer)
    found = teacher.predict(scene(1))
    assert found.camera == Camera(60, 61, 20, 15, 48, 32)
    assert np.isnan(found.depth[0, [0, 2]]).all() and np.isposinf(found.depth[0, 1])
    assert (found.normals[1:] == [0, 0, -1]).all()
    assert found.confidence == pytest.approx(RAMP / 3)
    assert teacher.predict(scene(1), CAMERA).camera == CAMERA  # the photo's own goes first


def test_a_unit_may_be_said_for_one_photo(monkeypatch):
    def answer(image, camera):
        return {"depth": RAMP, "unit": "metres" if camera else "scale-free depth"}

    teacher, _ = make(monkeypatch, answer)
    assert teacher.predict(scene(1), CAMERA).scale is Scale.METRIC
    assert teacher.predict(scene(1)).scale is Scale.UP_TO_SCALE


def test_normals_need_a_camera(monkeypatch):
    teacher, _ = make(monkeypatch, {"depth": RAMP, "normals": np.ones((32, 48, 3))})
    assert teacher.predict(scene(1)).normals is None


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (None, "answers no depth"),
        ({"metres": RAMP}, "answers 'metres'"),
        ({}, "answers no depth"),
        ("far", "no array of numbers"),
        (RAMP[0], r"must be \(H, W\), not \(48,\)"),
        (np.zeros((0, 3)), r"must be \(H, W\)"),
        (RAMP.T, "another aspect ratio"),
        ({"depth": RAMP, "unit": "feet"}, "unit 'feet' is none of"),
        ({"depth": RAMP, "intrinsics": np.eye(4)}, "must be 3 x 3, not 4 x 4"),
        ({"depth": RAMP, "intrinsics": np.eye(3)[::-1]}, "intrinsics camera fx"),
        ({"depth": RAMP, "intrinsics": np.diag([0.3, 0.2, 1])}, "is it in pixels"),
        ({"depth": RAMP, "confidence": RAMP}, r"confidence must lie in \[0, 1\]"),
        ({"depth": RAMP, "confidence": RAMP[:5] / 9}, "its confidence is 48 x 5, its depth 48 x 32"),
        ({"depth": RAMP, "normals": RAMP}, r"normals must be \(H, W, 3\)"),
    ],
)
def test_answers_that_cannot_be_are_one_line(monkeypatch, answer, reason):
    teacher, _ = make(monkeypatch, answer)
    with pytest.raises(InputError, match=reason) as caught:
        teacher.predict(scene(1))
    assert "\n" not in str(caught.value) and "my_teacher:look" in str(caught.value)


@pytest.mark.parametrize(
    ("attributes", "reason"),
    [
        ({"unit": None}, "does not say its unit; set its attribute unit"),
        ({"unit": "feet"}, "unit 'feet' is none of metres"),
        ({"unit": "canonical depth"}, "canonical_focal"),
        ({"licence": "CC-BY-NC-4.0"}, "--accept-license my_teacher:look"),
        ({"name": "lpiccinelli/unidepth-v2-vitl14"}, "restricted.*--accept-license unidepth-v2-vitl14"),
    ],
)
def test_functions_that_cannot_be_used_are_one_line(monkeypatch, attributes, reason):
    with pytest.raises(InputError, match=reason):
        make(monkeypatch, RAMP, **attributes)


@pytest.mark.parametrize(
    ("place", "reason"),
    [
        ("call:my_teacher:gone", "has no 'gone'"),
        ("my_teacher:number", "is a int, no function"),
        ("call:nowhere_at_all:look", "no Python module 'nowhere_at_all'"),
        ("call:look", "give call:MODULE:FUNCTION"),
        ("call:", "give call:MODULE:FUNCTION"),
    ],
)
def test_places_that_are_none_are_one_line(monkeypatch, place, reason):
    make(monkeypatch, RAMP)
    with pytest.raises(InputError, match=reason):
        load_teacher(place)


def test_a_module_of_the_working_directory_goes_through_label(tmp_path, monkeypatch):
    (tmp_path / "walls.py").write_text(
        "import numpy as np\n\n"
        "def wall(image, camera):\n"
        "    return np.full(image.shape[:2], 4.0)\n\n"
        "wall.unit, wall.licence = 'metres', 'MIT'\n"
    )
    (tmp_path / "broken.py").write_text("import no_such_module_anywhere\n")
    (tmp_path / "worse.py").write_text("1 / 0\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "photos").mkdir()
    for seed in range(2):
        (tmp_path / "photos" / f"{seed}.png").write_bytes(as_bytes(scene(seed)))
    label("photos", "walls:wall", "data", quiet=True)
    store = Store("data")
    found = store.geometry(store.geometry_ids()[0])
    assert np.median(found.depth) == pytest.approx(4, rel=1e-3) and found.teacher.licence == "MIT"
    assert len(found.teacher.revision) == 16  # of the source
    with pytest.raises(InputError, match="needs the module 'no_such_module_anywhere'"):
        load_teacher("call:broken:wall")
    with pytest.raises(InputError, match="cannot be imported"):
        load_teacher("call:worse:wall")


def test_a_field_of_view_becomes_intrinsics_as_the_documentation_does_it(monkeypatch):
    """VGGT gives K at the size it saw: brought to the photo's pixels by the ratio of the widths."""
    seen_width, focal = 518, 400.0

    def answer(image, camera):
        ratio = image.shape[1] / seen_width
        matrix = np.diag([focal * ratio, focal * ratio, 1.0])
        matrix[:2, 2] = (image.shape[1] - 1) / 2, (image.shape[0] - 1) / 2
        return {"depth": RAMP, "intrinsics": matrix}

    teacher, _ = make(monkeypatch, answer, unit="scale-free depth")
    found = teacher.predict(scene(1))
    assert math.degrees(found.camera.fov_x) == pytest.approx(2 * math.degrees(math.atan(seen_width / 2 / focal)))
    assert found.scale is Scale.UP_TO_SCALE


def test_a_large_photo_is_shrunk_with_its_camera(monkeypatch):
    def answer(image, camera):
        matrix = np.diag([image.shape[1] / 2, image.shape[1] / 2, 1.0])
        matrix[:2, 2] = (image.shape[1] - 1) / 2, (image.shape[0] - 1) / 2
        return {"depth": np.full(image.shape[:2], 2.0), "intrinsics": matrix}

    teacher, seen = make(monkeypatch, answer)
    wide = scene(1, 4096, 1024)
    found = teacher.predict(wide)
    assert seen[0][0].shape == (256, 1024, 3) and found.depth.shape == (256, 1024)
    assert found.camera.to_dict() == pytest.approx(Camera.from_fov(4096, 1024, 90).to_dict())
    given = Camera.from_fov(4096, 1024, 60)
    assert teacher.predict(wide, given).camera == given and seen[1][1] == given.resized(1024, 256)
    with pytest.raises(InputError, match="size = 0"):
        load_teacher("call:my_teacher:look", size=0)
