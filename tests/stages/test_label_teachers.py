"""Whatever a teacher does to one photo, only that photo fails, and the ledger says why."""

import json

import numpy as np
import pytest
from helpers import photos as make

from pseudogd.api import label as verb
from pseudogd.errors import InputError
from pseudogd.geometry.camera import Camera
from pseudogd.geometry.types import Geometry, Scale, TeacherInfo
from pseudogd.stages.label import label
from pseudogd.store.dataset import Store
from pseudogd.teachers.base import OutOfMemory, Teacher

BAD = 3
COUNT = 6


class Plain(Teacher):
    """Depth from the brightness of the picture, and something else on the photo `BAD`."""

    scale = Scale.METRIC
    settings = {"kind": "plain", "name": "plain"}  # noqa: RUF012
    info = TeacherInfo("plain", "1", "hash", "MIT")

    def __init__(self, bad=None):
        self.bad, self.batches = bad, []

    def prepare(self, photo):
        return np.asarray(photo.image, np.float32).mean(-1), photo.camera, photo.name == f"{BAD}.png"

    def infer(self, prepared):
        self.batches.append(len(prepared))
        if self.bad is not None and any(bad for _, _, bad in prepared):
            return self.bad(self, prepared)
        return [self.one(*item) for item in prepared]

    def one(self, values, camera, bad):
        return Geometry(1 + values / 64, camera, scale=self.scale, teacher=self.info)

    def replaced(self, prepared, **changes):
        """Answers whose bad one has other maps."""
        found = []
        for values, camera, bad in prepared:
            given = {"depth": 1 + values / 64, "camera": camera, "scale": self.scale, "teacher": self.info}
            found.append(Geometry(**{**given, **(changes if bad else {})}))
        return found


def raises(teacher, prepared):
    raise RuntimeError("a kernel failed\nand a long story")


def full(value):
    return lambda teacher, prepared: teacher.replaced(prepared, depth=np.full((32, 48), value, np.float32))


FAULTS = {
    "raises": (raises, "plain failed on this photo (RuntimeError: a kernel failed)"),
    "our own error": (lambda t, p: (_ for _ in ()).throw(InputError("plain: too dark")), "plain: too dark"),
    "nan": (full(np.nan), "plain gave no depth for this photo"),
    "all sky": (full(np.inf), "plain gave no depth for this photo"),
    "zeros": (full(0.0), "depth must be > 0"),
    "too large": (
        lambda t, p: t.replaced(p, depth=np.ones((64, 96), np.float32)),
        "its map is 96 x 64, larger than the photo (48 x 32)",
    ),
    "three axes": (
        lambda t, p: t.replaced(p, depth=np.ones((1, 32, 48), np.float32)),
        "must be a non-empty (H, W) map",
    ),
    "another camera": (
        lambda t, p: t.replaced(p, camera=Camera.from_fov(640, 480, 60)),
        "its camera is for 640 x 480 pixels, the photo has 48 x 32",
    ),
    "one too few": (lambda t, p: [t.one(*item) for item in p[1:]], "0 answers for 1 photos"),
    "one too many": (lambda t, p: [t.one(*item) for item in [*p, p[0]]], "2 answers for 1 photos"),
    "nothing": (lambda t, p: None, "TypeError"),
    "no geometry": (lambda t, p: [np.ones((32, 48)) if bad else t.one(v, c, bad) for v, c, bad in p], "with a ndarray"),
    "memory": (lambda t, p: (_ for _ in ()).throw(MemoryError()), "this photo alone does not fit in memory"),
}


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for index in range(COUNT):
        (folder / f"{index}.png").write_bytes(make.as_bytes(make.scene(index)))
    return folder


@pytest.mark.parametrize("fault", sorted(FAULTS))
def test_only_the_bad_photo_fails(tmp_path, photos, fault):
    bad, reason = FAULTS[fault]
    result = label(photos, Plain(bad), tmp_path / "data", quiet=True, batch_size=4)
    store = Store(tmp_path / "data")
    assert (result.rows, result.failures) == (COUNT - 1, 1)
    (failure,) = store.failures().to_pylist()
    assert failure["image"] == f"{BAD}.png" and reason in failure["reason"] and "\n" not in failure["reason"]
    label(photos, Plain(), tmp_path / "good", quiet=True, batch_size=4)
    good = Store(tmp_path / "good")
    for image_id in store.geometry_ids():
        assert (store.geometry(image_id).depth == good.geometry(image_id).depth).all()


class Small(Plain):
    """Its memory holds so many photos at a time."""

    def __init__(self, most, error):
        super().__init__()
        self.most, self.error = most, error

    def infer(self, prepared):
        self.batches.append(len(prepared))
        if len(prepared) > self.most:
            raise self.error
        return [self.one(*item) for item in prepared]


@pytest.mark.parametrize(
    "error",
    [OutOfMemory("full"), MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried")],
    ids=["ours", "python", "torch"],
)
def test_a_batch_that_does_not_fit_is_halved_and_the_next_ones_are_small(tmp_path, photos, error, capsys):
    teacher = Small(2, error)
    result = label(photos, teacher, tmp_path / "data", batch_size=5)
    assert (result.rows, result.failures) == (COUNT, 0)
    assert teacher.batches == [5, 2, 2, 1, 1]
    assert "do not fit in memory; going on with 2 at a time" in capsys.readouterr().err


def test_ctrl_c_in_a_teacher_stops_at_once(tmp_path, photos):
    def pressed(teacher, prepared):
        raise KeyboardInterrupt

    teacher = Plain(pressed)
    with pytest.raises(KeyboardInterrupt):
        label(photos, teacher, tmp_path / "data", quiet=True, batch_size=4)
    assert len(teacher.batches) <= 2  # one may be on its way beside it
    assert not list((tmp_path / "data" / "geometry").glob("part-*.parquet"))


def test_a_teacher_in_memory_takes_no_options_but_a_confidence(tmp_path, photos):
    with pytest.raises(InputError, match="takes no option 'size'"):
        label(photos, Plain(), tmp_path / "data", quiet=True, size=7)
    verb(photos, Plain(), tmp_path / "data", quiet=True, confidence="flip")
    store = Store(tmp_path / "data")
    assert store.geometry(store.geometry_ids()[0]).confidence is not None
    assert json.loads(json.dumps(store.settings("geometry")["teacher"]))["confidence"]["kind"] == "flip"
