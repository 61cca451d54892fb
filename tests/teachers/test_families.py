"""Every depth class of transformers, from a tiny random checkpoint on disk: its numbers come back in their unit."""

import json
import math

import numpy as np
import pytest
import torch
from helpers import tiny_teachers as tiny
from helpers.photos import as_bytes, scene
from PIL import Image

from pseudogd.errors import InputError
from pseudogd.geometry.camera import Camera
from pseudogd.geometry.types import Scale
from pseudogd.stages.label import label
from pseudogd.store.dataset import Store
from pseudogd.teachers import load_teacher
from pseudogd.teachers.base import Photo
from pseudogd.teachers.families import PREFIXES, family_of
from pseudogd.teachers.units import unit_of

WIDTH, HEIGHT = 96, 72
CAMERA = Camera.from_fov(WIDTH, HEIGHT, 80)
TANGENT = math.tan(math.radians(tiny.FIELD_OF_VIEW / 2))
NEW = ("depth-pro", "zoedepth", "dpt", "glpn", "tipsv2")


def photo(seed=1, width=WIDTH, height=HEIGHT):
    return scene(seed, width, height)


# ------------------------------------------------------------------ the unit of each row of the table, by closed form
@pytest.mark.parametrize(
    ("kind", "scale", "metres"),
    [
        ("depth-pro", Scale.METRIC, 0.5 / TANGENT / tiny.INVERSE),
        ("zoedepth", Scale.METRIC, tiny.METRES),
        ("dpt", Scale.AFFINE_DISPARITY, None),
        ("glpn", Scale.METRIC, tiny.METRES),
        ("tipsv2", Scale.METRIC, tiny.METRES),
    ],
)
def test_a_head_that_says_a_known_number_gives_it_in_metres(teacher_of, kind, scale, metres):
    teacher = teacher_of(kind, constant=True)
    found = teacher.predict(photo())
    assert teacher.scale is found.scale is scale
    assert np.isfinite(found.depth).all()
    if metres is None:
        assert np.ptp(found.depth) == 0  # one number everywhere has no order
    else:
        assert found.depth == pytest.approx(metres, rel=1e-4)
    assert (found.camera is not None) == (kind == "depth-pro")


@pytest.mark.parametrize("kind", sorted(tiny.SAVE))
def test_every_class_goes_through_label(tmp_path, folder_of, kind):
    photos = tmp_path / "photos"
    photos.mkdir()
    for seed, size in enumerate([(WIDTH, HEIGHT), (50, 80), (40, 40)]):
        (photos / f"{seed}.png").write_bytes(as_bytes(photo(seed, *size)))
    result = label(photos, f"{kind}:{folder_of(kind)}", tmp_path / "data", quiet=True, device="cpu")
    store = Store(tmp_path / "data")
    assert (result.rows, result.failures) == (3, 0)
    for row in store.photos().to_pylist():
        found = store.geometry(row["image_id"])
        rows, columns = found.depth.shape
        assert found.known.all() and rows <= row["height"] and columns <= row["width"]
        assert found.teacher.name == f"tiny-{kind}" and len(found.teacher.revision) == 16
    settings = store.settings("geometry")["teacher"]
    assert settings["kind"] == PREFIXES[kind] and settings == json.loads(json.dumps(settings))


@pytest.mark.parametrize(
    ("kind", "model"),
    [
        ("depth-pro", "apple/DepthPro-hf"),
        ("zoedepth", "Intel/zoedepth-nyu-kitti"),
        ("dpt", "Intel/dpt-large"),
        ("glpn", "vinvino02/glpn-nyu"),
        ("tipsv2", "google/tipsv2-b14-dpt"),
    ],
)
def test_the_family_says_what_the_table_says(teacher_of, kind, model):
    unit, row = teacher_of(kind).unit, unit_of(model)
    assert (unit.output, unit.intrinsics, unit.metres) == (row.output, row.intrinsics, row.metres)


@pytest.mark.parametrize("kind", sorted(tiny.SAVE))
@pytest.mark.parametrize("size", [(1, 1), (3, 200), (300, 20), (17, 31)])
def test_photos_of_any_shape(teacher_of, kind, size):
    found = teacher_of(kind).predict(photo(0, *size))
    assert found.depth.shape[0] <= size[1] and found.depth.shape[1] <= size[0] and found.known.all()


@pytest.mark.parametrize("kind", NEW)
def test_a_batch_is_its_photos_one_by_one(teacher_of, kind):
    teacher = teacher_of(kind)
    photos = [Photo(photo(seed)) for seed in range(3)]
    for item, found in zip(photos, teacher.predict_batch(photos)):
        assert found.depth == pytest.approx(teacher.predict(item.image).depth, rel=1e-3)


@pytest.mark.parametrize("kind", sorted(tiny.SAVE))
def test_half_precision_changes_little(folder_of, teacher_of, kind):
    half = load_teacher(folder_of(kind, constant=True), device="cpu", dtype="bfloat16").predict(photo())
    whole = teacher_of(kind, constant=True).predict(photo())
    assert half.depth == pytest.approx(whole.depth, rel=0.1) and half.scale is whole.scale


# -------------------------------------------------------------------------------------------------- ZoeDepth
@pytest.mark.parametrize("size", [(96, 72), (72, 96), (640, 480), (33, 200), (21, 19)])
def test_zoedepth_sees_what_transformers_shows_it(teacher_of, size):
    from transformers import ZoeDepthImageProcessorPil

    theirs = ZoeDepthImageProcessorPil(ensure_multiple_of=32)(photo(2, *size), return_tensors="np")["pixel_values"][0]
    ours = teacher_of("zoedepth").preprocessing.pixels(photo(2, *size))
    assert ours.shape == theirs.shape and np.abs(ours - theirs).max() < 1e-4


@pytest.mark.parametrize("size", [(96, 72), (300, 40), (21, 19)])
def test_the_mirrored_rim_is_taken_off(teacher_of, size):
    teacher = teacher_of("zoedepth")
    width, height = size
    y, x = np.mgrid[:height, :width]
    places = np.stack([x, y, np.zeros_like(x)], -1).astype(np.uint16)
    shown = teacher.preprocessing.__class__(**{**vars(teacher.preprocessing), "mean": (0,) * 3, "std": (1,) * 3})
    seen = shown.pixels(_Array(places)) * 255  # where in the photo each of the network's samples lies
    for channel, length in ((0, width), (1, height)):
        kept = teacher.family.over_photo(torch.from_numpy(seen[channel]), size, shown).numpy()
        line = kept[kept.shape[0] // 2] if channel == 0 else kept[:, kept.shape[1] // 2]
        cells = (np.arange(len(line)) + 0.5) * length / len(line) - 0.5
        assert np.abs(line - cells).max() <= 0.5 * length / len(line) + 0.51  # the next sample, and mirrored rim pixels


class _Array:
    """Numbers beyond 255 in the place of a picture."""

    def __init__(self, values):
        self.values, self.height, self.width = values, values.shape[0], values.shape[1]

    def __array__(self, dtype=None, copy=None):
        return self.values


def test_two_heads_vote_photo_by_photo(teacher_of):
    teacher = teacher_of("zoedepth", constant=True, domains=2)
    pictures = [Image.new("RGB", (64, 64), colour) for colour in ("white", "red", "blue", "black")]
    alone = [float(np.median(teacher.predict(picture).depth)) for picture in pictures]
    assert min(alone) == pytest.approx(tiny.METRES, rel=1e-3) and max(alone) == pytest.approx(25, rel=1e-3)
    together = teacher.predict_batch([Photo(picture) for picture in pictures])
    assert [float(np.median(found.depth)) for found in together] == pytest.approx(alone, rel=1e-4)


# ------------------------------------------------------------------------------------------------------ DPT
def test_dpt_keeps_the_order_of_its_network(folder_of, teacher_of):
    from transformers import AutoModelForDepthEstimation, DPTImageProcessorPil

    picture = photo(4, 32, 32)
    processor = DPTImageProcessorPil(size={"height": 32, "width": 32})
    network = AutoModelForDepthEstimation.from_pretrained(folder_of("dpt")).eval()
    with torch.no_grad():
        theirs = network(**processor(picture, return_tensors="pt")).predicted_depth[0].numpy()
    assert teacher_of("dpt").preprocessing.pixels(picture) == pytest.approx(
        processor(picture, return_tensors="np")["pixel_values"][0], abs=1e-5
    )
    seen = theirs[1::2, 1::2]  # nearest-exact halves 64 to 32 by taking the second of two
    ours = teacher_of("dpt").predict(picture).depth
    order = np.argsort(seen.ravel(), kind="stable")
    assert ours.shape == seen.shape and seen.std() > 0
    assert (np.diff(ours.ravel()[order]) <= 1e-4).all()  # larger is nearer


def test_a_dpt_that_may_be_metric_has_to_say_so(folder_of):
    path = str(folder_of("dpt", dinov2=True))
    with pytest.raises(InputError, match="output='inverse depth' or output='metric depth'"):
        load_teacher(path, device="cpu")
    with pytest.raises(InputError, match="choose 'inverse depth'"):
        load_teacher(path, device="cpu", output="metres")
    metric = load_teacher(path, device="cpu", output="metric depth").predict(photo(3, 40, 32))
    order = load_teacher(path, device="cpu", output="inverse depth").predict(photo(3, 40, 32))
    assert metric.scale is Scale.METRIC and order.scale is Scale.AFFINE_DISPARITY
    known = metric.depth > 0
    assert np.corrcoef(metric.depth[known], order.depth[known])[0, 1] < 0  # the same numbers, read the other way round


def test_what_is_known_is_not_argued_with(folder_of):
    with pytest.raises(InputError, match="gives metric depth, not inverse depth"):
        load_teacher(str(folder_of("glpn")), device="cpu", output="inverse depth")


# ----------------------------------------------------------------------------------------------------- GLPN
@pytest.mark.parametrize("size", [(96, 72), (640, 480), (33, 200), (32, 32), (70, 1000)])
def test_glpn_sees_what_transformers_shows_it(teacher_of, size):
    from transformers import GLPNImageProcessorPil

    theirs = GLPNImageProcessorPil()(photo(2, *size), return_tensors="np")["pixel_values"][0]
    ours = teacher_of("glpn").preprocessing.pixels(photo(2, *size))
    assert ours.shape == theirs.shape and np.abs(ours - theirs).max() < 1e-6


def test_glpn_has_a_bound_and_a_floor(teacher_of):
    preprocessing = teacher_of("glpn").preprocessing
    assert preprocessing.target_size(12_000, 9_000) == (1280, 960) and preprocessing.target_size(5, 40) == (32, 32)
    assert teacher_of("glpn", size=64).preprocessing.target_size(128, 128) == (64, 64)
    with pytest.raises(InputError, match="at least 32"):
        teacher_of("glpn", size=8)


# -------------------------------------------------------------------------------------------------- TIPSv2
def test_tipsv2_sees_values_from_0_to_1(teacher_of):
    pixels = teacher_of("tipsv2").preprocessing.pixels(Image.new("RGB", (200, 100), (255, 51, 0)))
    assert pixels.shape == (3, 56, 56)
    assert [float(np.ptp(channel)) for channel in pixels] == [0, 0, 0]
    assert pixels[:, 0, 0] == pytest.approx([1.0, 0.2, 0.0], abs=1e-6)


# ------------------------------------------------------------------------------------------------- refusals
def test_a_prefix_asks_for_its_family(folder_of):
    with pytest.raises(InputError, match="is a 'glpn' model, and dpt: needs 'dpt'"):
        load_teacher(f"dpt:{folder_of('glpn')}", device="cpu")
    assert load_teacher(f"transformers:{folder_of('glpn')}", device="cpu").family.model_type == "glpn"


@pytest.mark.parametrize(
    ("model_type", "reason"),
    [("prompt_depth_anything", "sparse metric depth"), ("chmv2", "height of trees"), ("bert", "depth teachers are")],
)
def test_what_is_no_teacher_is_one_line(model_type, reason):
    with pytest.raises(InputError, match=reason) as caught:
        family_of(model_type, "x")
    assert "\n" not in str(caught.value)
