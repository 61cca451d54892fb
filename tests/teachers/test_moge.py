"""MoGe-2: its real class with random weights where dlr-moge is installed; what it says becomes our conventions."""

import math
import sys

import numpy as np
import pytest
import torch
from helpers.photos import scene

from pseudogd.errors import InputError
from pseudogd.geometry.camera import Camera
from pseudogd.geometry.types import Scale, TeacherInfo
from pseudogd.teachers import load_teacher
from pseudogd.teachers.base import Photo
from pseudogd.teachers.moge import MoGe

WIDTH, HEIGHT = 112, 84
CAMERA = Camera.from_fov(WIDTH, HEIGHT, 50)
INFO = TeacherInfo("moge", "", "", "MIT")
SETTINGS = {"metric": True, "size": 1024, "tokens": 48, "masked": "unknown", "dtype": "float32"}


def test_without_the_package_the_mend_is_said(monkeypatch):
    monkeypatch.setitem(sys.modules, "moge.model.v2", None)
    with pytest.raises(InputError, match=r"pip install 'pseudogd\[moge\]'") as caught:
        load_teacher("moge")
    assert "\n" not in str(caught.value)


class Room(torch.nn.Module):
    """Speaks as `MoGeModel.infer` does (dlr-moge 2.0.0): a wall 3 m away, unseen above, and what it was asked."""

    device = torch.device("cpu")

    def infer(self, image, num_tokens=None, fov_x=None, use_fp16=True):
        self.asked = fov_x
        batch, _, height, width = image.shape
        focal = torch.full((batch,), 0.8) if fov_x is None else 0.5 / torch.tan(torch.deg2rad(fov_x) / 2)
        depth = torch.full((batch, height, width), 3.0)
        depth[:, : height // 4] = torch.inf
        normal = torch.zeros(batch, height, width, 3)
        normal[:, height // 4 :, : width // 2, 2] = -1.0
        normal[:, height // 4 :, width // 2 :, 2] = 1.0
        intrinsics = torch.zeros(batch, 3, 3)
        intrinsics[:, 0, 0], intrinsics[:, 1, 1] = focal, focal * width / height
        intrinsics[:, :2, 2], intrinsics[:, 2, 2] = 0.5, 1.0
        return {"depth": depth, "normal": normal, "intrinsics": intrinsics, "mask": depth.isfinite()}


def test_what_it_says_becomes_our_conventions():
    found = MoGe(Room(), INFO, SETTINGS).predict(scene(1, WIDTH, HEIGHT))
    assert found.scale is Scale.METRIC
    camera = found.camera
    assert (camera.fx, camera.fy) == pytest.approx((0.8 * WIDTH, 0.8 * WIDTH))
    assert (camera.cx, camera.cy) == ((WIDTH - 1) / 2, (HEIGHT - 1) / 2)  # the middle of the photo
    assert np.isnan(found.depth[: HEIGHT // 4]).all() and (found.depth[HEIGHT // 4 :] == 3).all()
    assert np.isnan(found.normals[: HEIGHT // 4]).all()
    assert (found.normals[HEIGHT // 4 :, :, 2] == -1).all()  # all of them face the camera


def test_a_known_camera_is_handed_on_and_kept():
    model = Room()
    found = MoGe(model, INFO, SETTINGS).predict(scene(1, WIDTH, HEIGHT), CAMERA)
    assert found.camera == CAMERA and model.asked.tolist() == pytest.approx([50.0])


def test_masked_may_mean_sky_and_no_scale_means_no_metres():
    sky = MoGe(Room(), INFO, {**SETTINGS, "masked": "sky"}).predict(scene(1, WIDTH, HEIGHT))
    assert sky.sky[: HEIGHT // 4].all() and not sky.sky[HEIGHT // 4 :].any()
    assert MoGe(Room(), INFO, {**SETTINGS, "metric": False}).predict(scene()).scale is Scale.UP_TO_SCALE


def test_photos_with_and_without_camera_do_not_share_a_batch():
    teacher = MoGe(Room(), INFO, SETTINGS)
    photos = [Photo(scene(1, WIDTH, HEIGHT), camera) for camera in (None, CAMERA, None)]
    cameras = [found.camera for found in teacher.predict_batch(photos)]
    assert cameras[1] == CAMERA and cameras[0] == cameras[2] != CAMERA


def test_large_photos_are_shrunk_and_strips_refused():
    teacher = MoGe(Room(), INFO, {**SETTINGS, "size": 56})
    found = teacher.predict(scene(1, 224, 112))
    assert found.depth.shape == (28, 56) and found.camera.width == 224 and found.camera.fx == pytest.approx(0.8 * 224)
    with pytest.raises(InputError, match="longer than 4:1"):
        teacher.prepare(Photo(scene(1, 500, 20), None, "strip.jpg"))


# ------------------------------------------------------------------------------------- the real class, where it is
@pytest.fixture(scope="module")
def checkpoint_file(tmp_path_factory):
    module = pytest.importorskip("moge.model.v2", reason="dlr-moge is not installed")
    torch.manual_seed(0)
    stack = {"dim_res_blocks": [16, 8, 8, 8, 8], "resamplers": ["bilinear"] * 4, "res_block_hidden_norm": "none"}
    levels = [18, 2, 2, 2, 2]
    inner = {"dim_in": [16, 8, 8, 8, 8], **stack}
    config = {
        "encoder": {"backbone": "dinov2_vits14", "intermediate_layers": 2, "dim_out": 16},
        "neck": {"dim_in": levels, "dim_out": [None] * 5, **stack},
        "points_head": {**inner, "dim_out": [None] * 4 + [3]},
        "mask_head": {**inner, "dim_out": [None] * 4 + [1]},
        "normal_head": {**inner, "dim_out": [None] * 4 + [3]},
        "scale_head": {"dims": [384, 8, 1]},
        "remap_output": "exp",
        "num_tokens_range": [40, 80],
    }
    model = module.MoGeModel(**config)
    with torch.no_grad():
        model.mask_head.output_blocks[-1].bias.fill_(5.0)  # everything is seen
    path = tmp_path_factory.mktemp("moge") / "model.pt"
    torch.save({"model_config": config, "model": model.state_dict()}, path)
    return path


def test_the_real_class_from_a_file_gives_metres_cameras_and_normals(checkpoint_file):
    teacher = load_teacher(f"moge:{checkpoint_file.parent}", device="cpu", tokens=48)
    assert teacher.settings["metric"] and len(teacher.info.revision) == 16
    photo = scene(1, WIDTH, HEIGHT)
    found = teacher.predict(photo, CAMERA)
    assert found.camera == CAMERA and found.scale is Scale.METRIC and found.depth.shape == (HEIGHT, WIDTH)
    rays = CAMERA.rays()
    known = np.isfinite(found.normals).all(-1)
    assert known.any() and (np.einsum("hwc,hwc->hw", found.normals, rays)[known] <= 1e-6).all()
    estimated = teacher.predict(photo).camera
    if estimated is not None:  # a random network may see no field of view at all
        assert 0 < math.degrees(estimated.fov_x) < 180
    with torch.inference_mode():
        theirs = teacher.model.infer(
            torch.from_numpy(teacher.prepare(Photo(photo)).pixels),
            num_tokens=48,
            fov_x=torch.tensor([50.0]),
            use_fp16=False,
        )
    depth = np.where(np.isfinite(found.depth), found.depth, np.inf)
    assert depth == pytest.approx(theirs["depth"].numpy(), rel=1e-4)


def test_what_is_no_moge_checkpoint_is_one_line(tmp_path):
    pytest.importorskip("moge.model.v2", reason="dlr-moge is not installed")
    with pytest.raises(InputError, match=r"no model\.pt"):
        load_teacher(f"moge:{tmp_path}/gone")
    (tmp_path / "model.pt").write_bytes(b"no torch file")
    with pytest.raises(InputError, match="cannot be loaded as a MoGe-2 checkpoint"):
        load_teacher(f"moge:{tmp_path}")
    with pytest.raises(InputError, match="masked"):
        load_teacher(f"moge:{tmp_path}", masked="holes")


def test_missing_weights_are_not_made_up(checkpoint_file, tmp_path):
    content = torch.load(checkpoint_file, weights_only=True)
    first = next(name for name in content["model"] if name.startswith("scale_head"))
    del content["model"][first]
    torch.save(content, tmp_path / "model.pt")
    with pytest.raises(InputError, match=f"lacks weights .{first}"):
        load_teacher(f"moge:{tmp_path}", device="cpu")
