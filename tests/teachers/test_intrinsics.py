"""The table of docs/teachers.md: what an unknown focal length forbids is not made, whoever the teacher is."""

import numpy as np
import pytest
from helpers.photos import as_bytes, scene

from pseudogd.geometry.camera import Camera
from pseudogd.geometry.types import Geometry, Scale, TeacherInfo
from pseudogd.stages.label import label
from pseudogd.store.dataset import Store
from pseudogd.teachers.base import Teacher
from pseudogd.vqa.scene import KINDS, CannotAnswer, Scene, SceneSettings

WIDTH, HEIGHT = 96, 72
OWN = Camera.from_fov(WIDTH, HEIGHT, 40)
GIVEN = Camera.from_fov(WIDTH, HEIGHT, 70)

TABLE = {
    # (scale, camera known): kinds of questions, normals and gravity
    (Scale.METRIC, True): (set(KINDS), True),
    (Scale.METRIC, False): ({"ordinal"}, False),
    (Scale.UP_TO_SCALE, True): ({"ordinal", "ratio", "bearing"}, True),
    (Scale.UP_TO_SCALE, False): ({"ordinal"}, False),
    (Scale.AFFINE_DISPARITY, True): ({"ordinal"}, False),
    (Scale.AFFINE_DISPARITY, False): ({"ordinal"}, False),
}


class Floor(Teacher):
    """A floor 1.5 m below a level camera with a wall 5 m away, and a camera of the teacher's own, perhaps."""

    settings = {"kind": "floor", "name": "floor"}  # noqa: RUF012
    info = TeacherInfo("floor", "1", "hash", "MIT")

    def __init__(self, scale=Scale.METRIC, own=None):
        self.scale, self.own = scale, own

    def prepare(self, photo):
        return photo.camera

    def infer(self, prepared):
        down = OWN.rays()[..., 1]
        with np.errstate(divide="ignore"):
            depth = np.minimum(np.where(down > 0, 1.5 / down, np.inf), 5.0).astype(np.float32)
        return [Geometry(depth, camera or self.own, scale=self.scale, teacher=self.info) for camera in prepared]


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    (folder / "a.jpg").write_bytes(as_bytes(scene(1, WIDTH, HEIGHT), "JPEG"))
    return folder


def labelled(photos, teacher, out, **options):
    label(photos, teacher, out, quiet=True, **options)
    store = Store(out)
    return store.geometry(store.geometry_ids()[0])


@pytest.mark.parametrize(("scale", "known"), TABLE)
def test_the_table_is_obeyed(tmp_path, photos, scale, known):
    kinds, shape = TABLE[scale, known]
    geometry = labelled(photos, Floor(scale, OWN if known else None), tmp_path / "data")
    assert (geometry.camera is not None) == known
    assert (geometry.normals is not None) == (geometry.up is not None) == shape
    depth = geometry.depth
    labels = np.full(depth.shape, -1, np.int16)
    seen = Scene("id", geometry, SceneSettings(), (), depth, labels)
    assert {kind for kind in KINDS if seen.supports(kind)} == kinds
    for kind in set(KINDS) - kinds:
        with pytest.raises(CannotAnswer, match=f"a {kind} question cannot be answered"):
            seen.require(kind)


def exif_photo(folder):
    from PIL import Image

    exif = Image.Exif()
    exif.get_ifd(0x8769)[0xA405] = 28
    (folder / "a.jpg").write_bytes(as_bytes(scene(1, WIDTH, HEIGHT), "JPEG", exif=exif))
    return Camera.from_exif(exif, WIDTH, HEIGHT)


def test_given_goes_before_exif_before_the_teacher_before_unknown(tmp_path, photos):
    import json

    cameras = tmp_path / "cameras.json"
    cameras.write_text(json.dumps({"a.jpg": GIVEN.to_dict()}))
    nothing = tmp_path / "null.json"
    nothing.write_text(json.dumps({"a.jpg": None}))
    assert labelled(photos, Floor(), tmp_path / "0").camera is None
    assert labelled(photos, Floor(own=OWN), tmp_path / "1").camera == OWN
    assert labelled(photos, Floor(own=OWN), tmp_path / "2", cameras=nothing).camera == OWN
    of_exif = exif_photo(photos)
    assert labelled(photos, Floor(own=OWN), tmp_path / "3").camera == of_exif
    assert labelled(photos, Floor(own=OWN), tmp_path / "4", cameras=cameras).camera == GIVEN
