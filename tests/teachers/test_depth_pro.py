"""Depth Pro: canonical inverse depth becomes metres by the photo's focal length, or the network's own."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from helpers import tiny_teachers as tiny
from helpers.photos import scene
from PIL import Image

from pseudogd.errors import InputError
from pseudogd.geometry.camera import Camera
from pseudogd.geometry.types import Scale, TeacherInfo
from pseudogd.teachers import load_teacher
from pseudogd.teachers.network import NetworkTeacher

WIDTH, HEIGHT = 96, 72
CAMERA = Camera.from_fov(WIDTH, HEIGHT, 80)
TANGENT = math.tan(math.radians(tiny.FIELD_OF_VIEW / 2))


def photo(seed=1, width=WIDTH, height=HEIGHT):
    return scene(seed, width, height)


def test_a_known_camera_goes_before_the_networks_own(teacher_of):
    found = teacher_of("depth-pro", constant=True).predict(photo(), CAMERA)
    assert found.camera == CAMERA and found.normals is not None
    assert found.depth == pytest.approx(CAMERA.fx / WIDTH / tiny.INVERSE, rel=1e-5)


def test_the_camera_is_estimated_from_the_field_of_view(teacher_of):
    found = teacher_of("depth-pro").predict(photo())
    assert found.camera == Camera.from_fov(WIDTH, HEIGHT, tiny.FIELD_OF_VIEW)
    assert math.degrees(found.camera.fov_x) == pytest.approx(tiny.FIELD_OF_VIEW, abs=1e-4)


@pytest.mark.parametrize("options", [{"fov": -3.0}, {"fov": 200.0}, {"use_fov_model": False}])
def test_without_a_field_of_view_there_are_no_metres(teacher_of, options):
    teacher = teacher_of("depth-pro", constant=True, **options)
    found = teacher.predict(photo())
    assert found.camera is None and found.normals is None and found.scale is Scale.UP_TO_SCALE
    assert teacher.predict(photo(), CAMERA).scale is Scale.METRIC


class Painted(torch.nn.Module):
    """A network that says one map, whatever it sees."""

    def __init__(self, raw, **said):
        super().__init__()
        self.config = SimpleNamespace(bin_configurations=[{}])
        self.raw = torch.nn.Parameter(torch.as_tensor(raw, dtype=torch.float32))
        self.said = said

    def forward(self, pixel_values):
        shown = {name: torch.full((len(pixel_values),), value) for name, value in self.said.items()}
        return SimpleNamespace(predicted_depth=self.raw.expand(len(pixel_values), -1, -1), **shown)


def painted(teacher, raw, **said):
    """The teacher with another network behind the same pre- and post-processing."""
    info = TeacherInfo("painted", "", "", "none")
    return NetworkTeacher(Painted(raw, **said), teacher.family, teacher.preprocessing, teacher.unit, info, {})


def test_painted_inverse_depth_comes_back_as_metres(teacher_of):
    side = 64
    y, x = np.mgrid[:side, :side]
    true = (
        1.0 + 4.0 * (x + 0.5) / side + 2.0 * (y + 0.5) / side
    )  # metres at places of the photo, as the square has them
    for camera in (None, CAMERA):
        focal = 0.5 * WIDTH / TANGENT if camera is None else camera.fx
        teacher = painted(teacher_of("depth-pro"), focal / (WIDTH * true), field_of_view=tiny.FIELD_OF_VIEW)
        found = teacher.predict(photo(), camera)
        rows, columns = found.depth.shape
        assert (columns, rows) == (64, 48)  # the photo's shape again
        v, u = np.mgrid[:rows, :columns]
        expected = 1.0 + 4.0 * (u + 0.5) / columns + 2.0 * (v + 0.5) / rows
        assert np.abs(found.depth - expected).max() <= 2.0 / side + 1e-5  # half a sample of the square down the rows


def test_depth_pro_normalises_then_resizes_without_antialias(teacher_of):
    preprocessing = teacher_of("depth-pro").preprocessing
    side = preprocessing.side
    values = np.random.default_rng(0).integers(0, 255, (4 * side, 4 * side, 3), dtype=np.uint8)
    found = preprocessing.pixels(Image.fromarray(values))
    blocks = values.reshape(side, 4, side, 4, 3)[:, 1:3, :, 1:3].astype(float).mean((1, 3))  # the two in the middle
    assert found == pytest.approx((blocks / 255 - 0.5).transpose(2, 0, 1) / 0.5, abs=1e-5)
    assert (preprocessing.mean, preprocessing.std) == ((0.5,) * 3, (0.5,) * 3)


def test_depth_pro_sees_one_size_only(folder_of):
    with pytest.raises(InputError, match="64 x 64 pixels; leave size out"):
        load_teacher(str(folder_of("depth-pro")), size=100, device="cpu")
