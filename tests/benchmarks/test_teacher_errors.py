import numpy as np
import pytest
from PIL import Image

import pseudogd
from pseudogd.benchmarks.teacher_errors import teacher_errors
from pseudogd.errors import InputError
from pseudogd.world import render_folder


@pytest.fixture(scope="module")
def rooms(tmp_path_factory):
    return render_folder(tmp_path_factory.mktemp("rooms"), 3, "held_out", seed=4, size=48)


def scaled(rooms, folder, factor):
    """The rooms' depth files times a factor, as another program might have written them."""
    folder.mkdir()
    for path in (rooms / "depth").iterdir():
        depth = np.asarray(Image.open(path)).astype(float) * factor
        Image.fromarray(np.round(depth).astype(np.uint16)).save(folder / path.name)
    return folder


@pytest.mark.parametrize("factor", [1.0, 1.1, 0.85])
def test_a_wrong_scale_is_seen_raw_and_forgiven_aligned(rooms, tmp_path, factor):
    depth = scaled(rooms, tmp_path / "depth", factor)
    pseudogd.label(rooms, f"files:{depth}", tmp_path / "data", rooms / "cameras.json", quiet=True)
    result = teacher_errors(tmp_path / "data", rooms)
    assert result["n"] == 3
    assert result["abs_rel"] == pytest.approx(abs(factor - 1), abs=2e-3)
    assert result["aligned"]["abs_rel"] < 2e-3
    assert result["delta1"] == pytest.approx(1.0)


def test_no_common_photo_is_one_line(rooms, tmp_path):
    other = render_folder(tmp_path / "other", 1, "train", seed=4, size=48)
    pseudogd.label(other, f"files:{other / 'depth'}", tmp_path / "data", other / "cameras.json", quiet=True)
    with pytest.raises(InputError, match="none of its photos"):
        teacher_errors(tmp_path / "data", rooms)
