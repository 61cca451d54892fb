import numpy as np
import pytest

from pseudogd.geometry.camera import Camera
from pseudogd.geometry.types import Geometry, Scale, TeacherInfo, Up

TEACHER = TeacherInfo("test", "r1", "s1", "CC0-1.0")


def geometry(**changes):
    values = {"depth": np.ones((4, 6)), "camera": None, "scale": Scale.METRIC, "teacher": TEACHER, **changes}
    return Geometry(**values)


def test_known_and_sky():
    g = geometry(depth=np.array([[1.0, np.nan, np.inf]]))
    assert g.depth.dtype == np.float32
    assert g.known.tolist() == [[True, False, False]]
    assert g.sky.tolist() == [[False, False, True]]


def test_scale_may_be_given_by_its_name_but_must_be_given():
    assert geometry(scale="affine_disparity").scale is Scale.AFFINE_DISPARITY
    with pytest.raises(ValueError):
        geometry(scale="furlongs")
    with pytest.raises(TypeError):
        Geometry(np.ones((2, 2)), None)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"depth": np.zeros((4, 6))}, "24 pixels"),
        ({"depth": np.full((4, 6), -np.inf)}, "depth"),
        ({"depth": np.ones((4, 6, 1))}, "shape"),
        ({"depth": np.ones((0, 6))}, "shape"),
        ({"normals": np.zeros((4, 6, 3))}, "unit"),
        ({"normals": np.zeros((6, 4, 3))}, "shape"),
        ({"confidence": np.full((4, 6), 1.5)}, "confidence"),
        ({"confidence": np.full((4, 6), np.nan)}, "confidence"),
        ({"confidence": np.ones((4, 5))}, "shape"),
        ({"camera": {"fx": 1}}, "Camera"),
        ({"up": np.array([0, -1, 0])}, "Up"),
    ],
)
def test_what_does_not_fit_is_refused(change, says):
    with pytest.raises(ValueError, match=says):
        geometry(**change)


def test_unit_normals_and_gaps_are_accepted():
    normals = np.full((4, 6, 3), np.nan)
    normals[:2] = [0, 0, -1]
    g = geometry(normals=normals, camera=Camera.from_fov(60, 40, fov_x_deg=60), up=Up(np.array([0, -1, 0]), 0.5))
    assert g.normals is not None and g.normals.dtype == np.float32


def test_up_is_normalised_and_cannot_be_changed():
    vector = np.array([0, -3, 4])
    up = Up(vector, 1)
    assert up.vector.tolist() == [0, -0.6, 0.8] and vector.tolist() == [0, -3, 4]
    with pytest.raises(ValueError):
        up.vector[0] = 1


@pytest.mark.parametrize("vector", [[0, 0, 0], [np.nan, 0, 1], [1, 0], [[0, 1, 0]]])
def test_no_direction_is_refused(vector):
    with pytest.raises(ValueError):
        Up(np.array(vector), 1.0)


@pytest.mark.parametrize("confidence", [-0.1, 1.1, np.nan])
def test_confidence_of_up_is_a_probability(confidence):
    with pytest.raises(ValueError, match="confidence"):
        Up(np.array([0, -1, 0]), confidence)


def test_a_teacher_has_a_name():
    with pytest.raises(ValueError):
        TeacherInfo("", "", "", "")
