import json

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco

from pseudogd.errors import InputError
from pseudogd.world import render_folder
from pseudogd.world.folder import render_photo
from pseudogd.world.render import may_fork


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return render_folder(tmp_path_factory.mktemp("world"), 4, "held_out", seed=2, size=64)


def test_files_agree_with_the_renderer(folder):
    data = json.loads((folder / "annotations.json").read_text())
    cameras = json.loads((folder / "cameras.json").read_text())
    assert len(data["images"]) == len(cameras) == 4
    for index, image in enumerate(data["images"]):
        name = image["file_name"].removesuffix(".png")
        picture = render_photo("held_out", 2, index, 64)
        assert np.array_equal(np.asarray(Image.open(folder / "images" / image["file_name"])), picture.image)
        depth = np.asarray(Image.open(folder / "depth" / f"{name}.png")) / 1000
        assert np.abs(depth - picture.depth).max() <= 5.1e-4
        assert cameras[name]["fx"] == picture.camera.fx
        assert np.isclose(np.linalg.norm(image["up_camera"]), 1)
        rows = [a for a in data["annotations"] if a["image_id"] == image["id"]]
        assert len({a["name"] for a in rows}) == len(rows) >= 3
        for row in rows:
            mask = coco.decode(row["segmentation"]).astype(bool)
            (i,) = np.unique(picture.ids[mask])
            assert picture.room.things[i].name == row["name"]
            assert mask.sum() == row["area"] == (picture.ids == i).sum()


def test_photos_do_not_depend_on_count_start_or_workers(folder, tmp_path):
    assert not may_fork()  # this process has cast rays for the fixture; a fork of it could hang
    render_folder(tmp_path, 2, "held_out", seed=2, size=64, start=2, workers=2)
    for path in sorted((tmp_path / "images").iterdir()):
        assert path.read_bytes() == (folder / "images" / path.name).read_bytes()
    assert len(list((tmp_path / "images").iterdir())) == 2


@pytest.mark.parametrize("kwargs", [{"split": "test"}, {"n": 0}, {"size": 5}])
def test_wrong_use_is_one_line(tmp_path, kwargs):
    with pytest.raises(InputError) as error:
        render_folder(tmp_path, **{"n": 1, **kwargs})
    assert "\n" not in str(error.value)
