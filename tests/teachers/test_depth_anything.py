"""Checkpoints from disk give depth in the unit that their config names, batched or alone."""

import json
import shutil

import numpy as np
import pytest
import torch
from helpers.photos import scene
from safetensors.torch import load_file, save_file
from transformers import AutoModelForDepthEstimation, DPTImageProcessorPil

from pseudogd.errors import InputError
from pseudogd.geometry.camera import Camera
from pseudogd.geometry.types import Scale
from pseudogd.teachers import load_teacher
from pseudogd.teachers.base import Photo

CAMERA = Camera.from_fov(56, 56, 60)


@pytest.fixture(scope="module")
def metric(metric_folder):
    return load_teacher(f"depth-anything:{metric_folder}", device="cpu")


def test_same_depth_as_the_network_behind_transformers_own_processor(metric, metric_folder):
    photo = scene(1, 112, 84)
    processor = DPTImageProcessorPil(size={"height": 56, "width": 56}, keep_aspect_ratio=True, ensure_multiple_of=14,
                                     image_mean=[0.485, 0.456, 0.406], image_std=[0.229, 0.224, 0.225])  # fmt: skip
    network = AutoModelForDepthEstimation.from_pretrained(metric_folder).eval()
    with torch.no_grad():
        theirs = network(**processor(photo, return_tensors="pt")).predicted_depth[0].numpy()
    ours = metric.predict(photo).depth
    assert ours.shape == theirs.shape == (56, 70)
    assert np.abs(ours / theirs - 1).max() < 1e-4
    assert ours.std() > 0.01  # a random network, but no constant


def test_metric_depth_without_a_camera_has_no_normals_and_no_up(metric):
    found = metric.predict(scene(1, 56, 56))
    assert metric.scale is found.scale is Scale.METRIC
    assert found.camera is found.normals is found.up is None
    assert np.isfinite(found.depth).all() and found.depth.min() > 0 and found.depth.max() <= 10


def test_metric_depth_with_a_camera_has_normals(metric):
    found = metric.predict(scene(1, 56, 56), CAMERA)
    assert found.camera == CAMERA and found.normals.shape == (56, 56, 3)


def test_relative_depth_is_an_order_and_nothing_else(relative_folder):
    teacher = load_teacher(str(relative_folder), device="cpu")
    photo = scene(2, 56, 56)
    prepared = teacher.prepare(Photo(photo))
    with torch.no_grad():
        disparity = teacher.model(pixel_values=torch.from_numpy(prepared.pixels[None])).predicted_depth[0].numpy()
    found = teacher.predict(photo, CAMERA)
    assert teacher.scale is found.scale is Scale.AFFINE_DISPARITY
    assert found.normals is None and found.up is None
    order = np.argsort(disparity.ravel())
    assert disparity.std() > 0 and (np.diff(found.depth.ravel()[order]) <= 0).all()


def test_canonical_depth_is_brought_to_the_photos_focal_length(metric, canonical_folder):
    teacher = load_teacher(str(canonical_folder), device="cpu")
    photo = scene(3, 112, 112)
    raw = metric.predict(photo).depth
    wide, narrow = Camera.from_fov(112, 112, 90), Camera.from_fov(112, 112, 30)
    for camera in (wide, narrow):
        found = teacher.predict(photo, camera)
        seen_focal = camera.fx / 2  # the network sees 56 of the photo's 112 pixels
        assert found.scale is Scale.METRIC
        assert found.depth == pytest.approx(raw * seen_focal / 50.0, rel=1e-4)
    unknown = teacher.predict(photo)
    assert unknown.scale is Scale.UP_TO_SCALE and unknown.depth == pytest.approx(raw, rel=1e-4)


def test_a_batch_is_its_photos_in_order(metric):
    sizes = [(56, 56), (112, 84), (56, 56), (84, 112), (112, 84), (20, 20)]
    photos = [Photo(scene(seed, *size), None, str(seed)) for seed, size in enumerate(sizes)]
    together = metric.predict_batch(photos)
    assert len({found.depth.shape for found in together}) == 4
    for photo, found in zip(photos, together):
        assert found.depth == pytest.approx(metric.predict(photo.image).depth, rel=1e-4)


def test_depth_is_never_larger_than_the_photo(metric):
    assert metric.predict(scene(0, 20, 20)).depth.shape == (20, 20)
    assert metric.predict(scene(0, 1, 1)).depth.shape == (1, 1)
    rows, columns = metric.predict(scene(0, 3000, 20)).depth.shape
    assert rows <= 20 and columns <= 3000


def test_depth_of_a_smaller_photo_is_sampled_never_blended(metric):
    photo = scene(1, 30, 22)
    prepared = metric.prepare(Photo(photo))
    with torch.no_grad():
        seen = metric.model(pixel_values=torch.from_numpy(prepared.pixels[None])).predicted_depth[0].numpy()
    found = metric.predict(photo).depth
    assert found.shape == (22, 30) and seen.size > found.size
    assert np.abs(found[..., None] - seen.ravel()).min(-1).max() < 1e-5


def test_options(metric, metric_folder):
    larger = load_teacher(str(metric_folder), size=112, device="cpu", name="mine", licence="MIT")
    assert larger.predict(scene(1, 112, 112)).depth.shape == (112, 112)
    assert (larger.info.name, larger.info.licence) == ("mine", "MIT")
    assert larger.info.settings_hash != metric.info.settings_hash and larger.info.revision == metric.info.revision
    half = load_teacher(str(metric_folder), dtype="bfloat16", device="cpu").predict(scene(1, 56, 56)).depth
    assert half == pytest.approx(metric.predict(scene(1, 56, 56)).depth, rel=0.1)


def test_what_is_noted_is_plain_json_and_names_the_weights(metric, metric_folder, relative_folder):
    assert json.loads(json.dumps(metric.settings)) == metric.settings
    assert metric.info.name == "tiny-metric" and metric.info.licence == "unknown"
    assert len(metric.info.revision) == 16
    assert metric.info.revision == load_teacher(str(metric_folder), device="cpu").info.revision
    assert metric.info.revision != load_teacher(str(relative_folder), device="cpu").info.revision


def test_a_preprocessor_file_is_followed(metric_folder, tmp_path):
    folder = tmp_path / "own"
    shutil.copytree(metric_folder, folder)
    values = {"size": {"height": 28, "width": 28}, "image_mean": [0.5] * 3, "image_std": [0.5] * 3}
    (folder / "preprocessor_config.json").write_text(json.dumps(values))
    teacher = load_teacher(str(folder), device="cpu")
    pixels = teacher.prepare(Photo(scene(0, 56, 56))).pixels
    assert pixels.shape == (3, 28, 28) and pixels.min() >= -1 and pixels.max() <= 1
    (folder / "preprocessor_config.json").write_text("{")
    with pytest.raises(InputError, match="is not JSON"):
        load_teacher(str(folder), device="cpu")


def refused(spec, match, **options):
    with pytest.raises(InputError, match=match) as caught:
        load_teacher(spec, **options)
    assert "\n" not in str(caught.value)


def test_what_is_no_checkpoint_is_one_line(tmp_path, metric_folder):
    refused(str(tmp_path / "gone"), "no such checkpoint folder")
    refused("./gone/deeper", "no such checkpoint folder")
    refused(str(tmp_path), r"holds no config\.json")
    refused("", "unknown kind")
    refused("embeded", r"'embeded': unknown kind; give embedded \| moge")
    refused("metric3d:large", "unknown kind")
    refused(str(metric_folder), "dtype 'int8'", dtype="int8")
    refused(str(metric_folder), "device", device="toaster")
    (tmp_path / "config.json").write_text("{")
    refused(str(tmp_path), "cannot be loaded")
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    refused(str(tmp_path), "'bert' model")


def test_broken_or_missing_weights_are_one_line(tmp_path, metric_folder):
    folder = tmp_path / "copy"
    shutil.copytree(metric_folder, folder)
    weights = folder / "model.safetensors"
    tensors = load_file(weights)
    save_file({name: tensor for name, tensor in tensors.items() if "head" not in name}, weights, {"format": "pt"})
    refused(str(folder), "lacks weights")
    weights.write_bytes(weights.read_bytes()[:1000])
    refused(str(folder), "weights cannot be loaded")
    weights.unlink()
    refused(str(folder), "weights cannot be loaded")
    torch.save(tensors, folder / "pytorch_model.bin")
    refused(str(folder), "weights cannot be loaded")


def test_an_absurd_canonical_focal_length_is_refused(tmp_path, metric_folder):
    folder = tmp_path / "copy"
    shutil.copytree(metric_folder, folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "canonical_focal_px": -1}))
    refused(str(folder), "canonical_focal_px")


def test_restricted_weights_have_to_be_accepted():
    refused("depth-anything/Depth-Anything-V2-Large-hf", "accept_licence=true")
    refused("depth-anything:depth-anything/Depth-Anything-V2-Metric-Indoor-Base-hf", "conflicting")


def test_the_embedded_teacher_is_what_it_was():
    """Data folders were labelled under this hash: with another one nobody could go on with them."""
    embedded = load_teacher("embedded", device="cpu")
    assert (embedded.info.revision, embedded.info.settings_hash) == ("d0bd807511aadc25", "1cf69da91e0064b4")
    assert embedded.info.licence == "Apache-2.0"
