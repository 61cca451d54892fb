"""The examples of docs/teachers.md for networks that cannot be had here: their code as it stands there, run.

The networks are stood in for by modules of their names, with the signatures, shapes, units and pixel conventions that
their public source states. They know the painting, not the network: a photo's red tells the depth of a plane, so what
they answer is right if they were shown the photo right, and comes back as metres if their answer is read right.
"""

import importlib
import math
import re
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from pseudogd.geometry.camera import Camera
from pseudogd.geometry.types import Scale
from pseudogd.teachers import load_teacher

PAGE = (Path(__file__).parents[2] / "docs" / "teachers.md").read_text(encoding="utf-8")
NORMAL = np.array([0.2, -0.5, -0.84]) / np.linalg.norm([0.2, -0.5, -0.84])
NEAREST, FURTHEST = 1.0, 7.0
"""Metres at red 0 and 255."""
PHOTOS = [(640, 480, 60.0), (300, 400, 50.0), (900, 500, 75.0)]
"""Width, height, horizontal field of view: wide, upright, and such that whole patches do not fit."""


def example(name):
    """The indented code after a bold name."""
    _, _, rest = PAGE.partition(f"**{name}**")
    code = re.search(r"\n\n((?:    .*\n|\n)+)", rest)
    return re.sub(r"^    ", "", code.group(1), flags=re.M)


@pytest.fixture
def documented(monkeypatch, tmp_path):
    """The example's function as a teacher, loaded as a user would: from a file of the working directory."""

    def load(heading, function):
        (tmp_path / f"{function}_example.py").write_text(example(heading), encoding="utf-8")
        monkeypatch.chdir(tmp_path)
        monkeypatch.syspath_prepend(str(tmp_path))
        importlib.invalidate_caches()
        monkeypatch.delitem(sys.modules, f"{function}_example", raising=False)
        return load_teacher(f"call:{function}_example:{function}", accept_licence=True)

    return load


def install(monkeypatch, **modules):
    """Modules by their dotted names, `_` for the dot, with what they hold."""
    for dotted, names in modules.items():
        path = dotted.replace("__", ".")
        for end in range(1, path.count(".") + 2):
            part = ".".join(path.split(".")[:end])
            if part not in sys.modules:
                monkeypatch.setitem(sys.modules, part, ModuleType(part))
        for name, value in names.items():
            monkeypatch.setattr(sys.modules[path], name, value, raising=False)


def plane(camera, height, width):
    """Depth of the plane NORMAL . X = -2.4 on a grid over the camera's picture."""
    return -2.4 / (camera.resized(width, height).rays(height, width) @ NORMAL)


def scene(width, height, fov, sky=0):
    """(photo, camera): red tells depth, no green, all blue; the uppermost `sky` rows have no blue."""
    camera = Camera.from_fov(width, height, fov)
    depth = plane(camera, height, width)
    assert depth.min() > NEAREST and depth.max() < FURTHEST
    photo = np.zeros((height, width, 3))
    photo[..., 0] = 255 * (depth - NEAREST) / (FURTHEST - NEAREST)
    photo[sky:, :, 2] = 255
    return Image.fromarray(np.rint(photo).astype(np.uint8)), camera


def painted_depth(red):
    """Metres of red from 0 to 1."""
    return NEAREST + red * (FURTHEST - NEAREST)


def assert_is_the_plane(found, camera, factor=1.0):
    wanted = factor * plane(camera, *found.depth.shape)
    assert min(found.depth.shape) > 200
    np.testing.assert_allclose(found.depth, wanted, rtol=0.015)  # a map's rim is up to half a patch off


class Standin:
    """What every network has."""

    taken = None

    @classmethod
    def from_pretrained(cls, name):
        cls.taken = name
        return cls()

    def to(self, device):
        return self

    def eval(self):
        return self


@pytest.mark.parametrize("size", PHOTOS)
def test_metric3d(documented, monkeypatch, size):
    """hubconf.py: input (1, 3, 616, 1064), normalised; depth for a focal length of 1000, (1, 1, 616, 1064); normals and
    their confidence (1, 4, 616, 1064)."""
    photo, camera = scene(*size)
    mean, std = ([123.675, 116.28, 103.53], [58.395, 57.12, 57.375])

    class Metric3D(Standin):
        def inference(self, data):
            (pixels,) = data["input"]
            assert pixels.shape == (3, 616, 1064) and pixels.dtype == torch.float32
            colours = pixels * torch.tensor(std)[:, None, None] + torch.tensor(mean)[:, None, None]
            inside = colours[1] < 50  # what is padded has the mean's green
            rows, columns = (int(inside.any(axis).sum()) for axis in (1, 0))
            assert (rows == 616) or (columns == 1064)
            focal = camera.fx * columns / camera.width
            depth = torch.where(inside, painted_depth(colours[0] / 255) * 1000 / focal, torch.tensor(99.0))
            normals = torch.from_numpy(np.append(-NORMAL, 3.0)).float()[:, None, None].expand(4, 616, 1064)
            return depth[None, None], torch.ones(1, 1, 616, 1064), {"prediction_normal": normals[None]}

    def load(repo, model, pretrain=False):
        assert (repo, model, pretrain) == ("yvanyin/metric3d", "metric3d_vit_small", True)
        return Metric3D()

    monkeypatch.setattr(torch.hub, "load", load)
    teacher = documented("Metric3D v2", "metric3d")
    found = teacher.predict(photo, camera)
    assert found.scale is Scale.METRIC and found.teacher.licence == "BSD-2-Clause"
    assert_is_the_plane(found, camera)
    np.testing.assert_allclose(found.normals, np.broadcast_to(NORMAL, found.normals.shape), atol=1e-5)
    assert teacher.predict(photo).scale is Scale.UP_TO_SCALE


@pytest.mark.parametrize("size", PHOTOS)
def test_unidepth(documented, monkeypatch, size):
    """unidepthv2.py: rgb (3, H, W) of 0 to 255, camera (1, 3, 3); depth (1, 1, H, W), intrinsics (1, 3, 3); the first
    pixel's centre is (0.5, 0.5) (utils/coordinate.py)."""
    photo, camera = scene(*size)
    theirs = camera.matrix.copy()
    theirs[:2, 2] += 0.5
    asked = []

    class UniDepthV2(Standin):
        def infer(self, rgb, camera=None, normalize=True):
            assert rgb.dtype == torch.uint8 and rgb.shape == (3, size[1], size[0])
            assert camera is None or camera.shape == (1, 3, 3)
            asked.append(camera)
            depth = painted_depth(rgb[0].float() / 255)[None, None]
            return {"depth": depth, "intrinsics": torch.from_numpy(theirs).float()[None], "confidence": depth}

    install(monkeypatch, unidepth__models={"UniDepthV2": UniDepthV2})
    teacher = documented("UniDepth", "unidepth")
    found = teacher.predict(photo, camera)
    np.testing.assert_allclose(asked[0][0], theirs, rtol=1e-6)
    assert found.scale is Scale.METRIC and UniDepthV2.taken == teacher.info.name
    assert_is_the_plane(found, camera)
    alone = teacher.predict(photo)
    assert asked[1] is None and alone.scale is Scale.METRIC
    assert alone.camera.to_dict() == pytest.approx(camera.to_dict(), rel=1e-5)


@pytest.mark.parametrize("size", PHOTOS)
def test_vggt(documented, monkeypatch, size):
    """models/vggt.py: images (S, 3, H, W) in 0 to 1; depth (1, S, H, W, 1), depth_conf (1, S, H, W) from 1 on, pose_enc
    (1, S, 9) ending in the vertical and horizontal field of view; utils/pose_enc.py: principal point (W / 2, H / 2)."""
    photo, camera = scene(*size)

    class VGGT(Standin):
        def __call__(self, images):
            count, channels, height, width = images.shape
            assert (count, channels, images.dtype) == (1, 3, torch.float32) and 0 <= images.min() <= images.max() <= 1
            assert height % 14 == 0 and width == 518 and height <= 518
            inside = images[0, 1] < 0.2  # what is padded is white
            rows, columns = (int(inside.any(axis).sum()) for axis in (1, 0))
            assert max(rows, columns) == 518
            focal = (camera.fx * columns / camera.width, camera.fy * rows / camera.height)
            views = [2 * math.atan(side / 2 / f) for side, f in zip((width, height), focal)]
            depth = torch.where(inside, 0.3 * painted_depth(images[0, 0]), torch.tensor(9.0))
            return {
                "pose_enc": torch.tensor([0.0, 0, 0, 0, 0, 0, 1, views[1], views[0]])[None, None],
                "depth": depth[None, None, ..., None],
                "depth_conf": torch.where(inside, 4.0, 1.0)[None, None],
            }

    def pose_encoding_to_extri_intri(
        pose_encoding, image_size_hw=None, pose_encoding_type="absT_quaR_FoV", build_intrinsics=True
    ):
        height, width = image_size_hw
        matrix = torch.eye(3).repeat(1, 1, 1, 1)
        matrix[..., 0, 0] = width / 2 / torch.tan(pose_encoding[..., 8] / 2)
        matrix[..., 1, 1] = height / 2 / torch.tan(pose_encoding[..., 7] / 2)
        matrix[..., 0, 2], matrix[..., 1, 2] = width / 2, height / 2
        return torch.zeros(1, 1, 3, 4), matrix

    install(
        monkeypatch,
        vggt__models__vggt={"VGGT": VGGT},
        vggt__utils__pose_enc={"pose_encoding_to_extri_intri": pose_encoding_to_extri_intri},
    )
    found = documented("VGGT", "vggt").predict(photo)
    assert found.scale is Scale.UP_TO_SCALE and "non-commercial" in found.teacher.licence
    assert found.camera.to_dict() == pytest.approx(camera.to_dict(), rel=1e-4)
    assert_is_the_plane(found, camera, 0.3)
    np.testing.assert_allclose(found.confidence, 0.75)


@pytest.mark.parametrize("size", PHOTOS)
def test_depth_anything_3(documented, monkeypatch, size):
    """api.py: a list of pictures, brought to 504 pixels and whole patches of 14; depth (N, H, W), metres = f * depth /
    300 (README); sky (N, H, W) of booleans or None (specs.py, output_processor.py)."""
    photo, camera = scene(*size, sky=size[1] // 5)

    class DepthAnything3(Standin):
        def inference(self, image, process_res=504, process_res_method="upper_bound_resize"):
            (picture,) = image
            shrink = process_res / max(picture.shape)
            rows, columns = (round(side * shrink / 14) * 14 for side in picture.shape[:2])
            seen = np.asarray(Image.fromarray(picture).resize((columns, rows))) / 255.0
            focal = (camera.fx * columns / camera.width + camera.fy * rows / camera.height) / 2
            depth = (painted_depth(seen[..., 0]) * 300 / focal).astype(np.float32)
            sky = seen[..., 2] < 0.5
            depth[sky] = np.quantile(depth[~sky], 0.99)
            return SimpleNamespace(depth=depth[None], is_metric=1, sky=sky[None], conf=None, intrinsics=None)

    install(monkeypatch, depth_anything_3__api={"DepthAnything3": DepthAnything3})
    teacher = documented("Depth Anything 3", "da3")
    found = teacher.predict(photo, camera)
    assert found.scale is Scale.METRIC and found.teacher.licence == "Apache-2.0"
    sky = np.isposinf(found.depth)
    np.testing.assert_allclose(sky.mean(), 0.2, atol=0.02)
    np.testing.assert_allclose(found.depth[~sky], plane(camera, *found.depth.shape)[~sky], rtol=0.015)
    assert teacher.predict(photo).scale is Scale.UP_TO_SCALE
