"""Pictures of the maps: values can be read back from their colours, and they are small."""

import base64
import io
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image

from pseudogd.geometry.types import Geometry, Scale, TeacherInfo
from pseudogd.reports.viewer import layers

TEACHER = TeacherInfo("t", "1", "", "none")


def opened(url):
    assert url.startswith("data:image/")
    return Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2])))


def codes(url, palette):
    """Steps of a palette picture by its colours, as the page's script finds them."""
    colours = np.frombuffer(bytes.fromhex(layers.full_palettes()[palette]), np.uint8).reshape(-1, 3)
    found = np.zeros(1 << 24, np.int16)
    found[one_number(colours)] = np.arange(len(colours)) + 1
    return found[one_number(np.asarray(opened(url).convert("RGB")))]


def one_number(rgb):
    return rgb.astype(int) @ [65536, 256, 1]


def geometry(depth, scale=Scale.METRIC, **more):
    return Geometry(depth.astype(np.float32), None, scale=scale, teacher=TEACHER, **more)


def test_depth_is_read_back_from_its_colours_and_unknown_and_sky_are_told_apart():
    depth = np.geomspace(0.5, 8, 240 * 320).reshape(240, 320)
    depth[:10], depth[-10:] = np.nan, np.inf
    layer = layers.depth_layer(geometry(depth))
    steps = codes(layer["url"], "depth")
    found = layer["near"] * (layer["far"] / layer["near"]) ** ((steps - 1) / 253)
    inside = (depth > layer["near"]) & (depth < layer["far"])
    step = np.log(layer["far"] / layer["near"]) / 253
    assert np.abs(np.log(found[inside] / depth[inside])).max() < 1.6 * step < 0.02
    assert (steps[:10] == 0).all() and (steps[-10:] == 0).all()
    picture = np.asarray(opened(layer["url"]).convert("RGB"))
    assert picture[0, 0].min() > 150 and picture[-1, 0].max() < 60
    assert layer["unknown"] == pytest.approx(1 / 24, abs=1e-3) and layer["sky"] == pytest.approx(1 / 24, abs=1e-3)


@pytest.mark.parametrize(("near", "far"), [(0.4, 0.6), (1.2, 30), (0.01, 500), (2, 2.0001)])
def test_ticks_are_round_in_order_and_apart(near, far):
    layer = layers.depth_layer(geometry(np.geomspace(near, far, 4000).reshape(50, 80)))
    places = [place for place, _ in layer["ticks"]]
    assert all(0 <= place <= 1 for place in places) and all(b - a > 0.12 for a, b in pairwise(places))
    for place, text in layer["ticks"]:
        assert layer["near"] * (layer["far"] / layer["near"]) ** place == pytest.approx(float(text), rel=0.01)


def test_each_scale_says_what_its_numbers_are():
    depth = np.full((4, 4), 2.0)
    said = {scale: layers.depth_layer(geometry(depth, scale)) for scale in Scale}
    assert [said[scale]["unit"] for scale in Scale] == ["m", "relative", "order"]
    assert said[Scale.AFFINE_DISPARITY]["ticks"] == []


def test_a_depth_map_without_any_depth_is_grey():
    layer = layers.depth_layer(geometry(np.full((5, 7), np.nan)))
    assert (codes(layer["url"], "depth") == 0).all() and layer["unknown"] == 1


def test_normals_are_coloured_by_where_they_face():
    normals = np.zeros((2, 2, 3), np.float32)
    normals[0, 0], normals[0, 1], normals[1, 0], normals[1, 1] = (1, 0, 0), (0, -1, 0), (0, 0, -1), np.nan
    big = np.kron(normals, np.ones((40, 40, 1), np.float32))
    rgb = np.asarray(opened(layers.normals_layer(geometry(np.ones((80, 80)), normals=big))).convert("RGB"))
    for (row, column), channel in {(20, 20): 0, (20, 60): 1, (60, 20): 2}.items():
        assert rgb[row, column].argmax() == channel and rgb[row, column].max() > 220
    assert np.ptp(rgb[60, 60].astype(int)) < 25
    assert layers.normals_layer(geometry(np.ones((3, 3)))) is None


def test_confidence_is_read_back_and_may_be_missing():
    confidence = np.linspace(0, 1, 4000, dtype=np.float32).reshape(50, 80)
    layer = layers.confidence_layer(geometry(np.ones((50, 80)), confidence=confidence))
    assert (codes(layer["url"], "confidence") - 1) / 253 == pytest.approx(confidence, abs=0.008)
    assert layer["mean"] == pytest.approx(0.5, abs=1e-3) and layers.confidence_layer(geometry(np.ones((3, 3)))) is None


@pytest.mark.parametrize("side", [96, 320, 640])
def test_photos_are_scaled_to_the_side_and_small_ones_kept_exactly(side):
    noise = np.random.default_rng(0).integers(0, 255, (30, 40, 3), np.uint8)
    photo = Image.fromarray(noise).resize((1600, 1200))
    made = opened(layers.photo_layer(photo.copy(), side))
    assert max(made.size) == side and made.size[0] / made.size[1] == pytest.approx(4 / 3, abs=0.02)
    assert len(layers.photo_layer(photo.copy(), side)) < 0.6 * side**2
    small = opened(layers.photo_layer(Image.fromarray(noise), side))
    assert (np.asarray(small.convert("RGB")) == noise).all()


def test_a_pillow_without_webp_still_makes_pictures(monkeypatch):
    monkeypatch.delitem(Image.SAVE, "WEBP", raising=False)
    monkeypatch.setattr(Image, "preinit", lambda: None)
    monkeypatch.setattr(Image, "init", lambda: False)
    assert opened(layers.photo_layer(Image.new("RGB", (400, 300)))).format == "JPEG"
