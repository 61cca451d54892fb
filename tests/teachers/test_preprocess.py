"""The numbers that the network sees are those of transformers' own processor."""

import numpy as np
import pytest
from helpers.photos import scene
from transformers import DPTImageProcessorPil

from pseudogd.errors import InputError
from pseudogd.teachers.preprocess import Preprocessing

CONFIG = {
    "size": {"height": 56, "width": 56},
    "ensure_multiple_of": 14,
    "keep_aspect_ratio": True,
    "resample": 3,
    "image_mean": [0.485, 0.456, 0.406],
    "image_std": [0.229, 0.224, 0.225],
}


@pytest.mark.parametrize("size", [(56, 56), (128, 128), (640, 480), (480, 640), (31, 45), (100, 57), (57, 100)])
@pytest.mark.parametrize("keep", [True, False])
def test_same_numbers_as_transformers(size, keep):
    config = {**CONFIG, "keep_aspect_ratio": keep}
    photo = scene(3, *size)
    theirs = DPTImageProcessorPil(**config)(photo, return_tensors="np")["pixel_values"][0]
    ours = Preprocessing.from_config(config, patch=14, side=518, size=None).pixels(photo)
    assert ours.shape == theirs.shape and ours.dtype == np.float32
    assert np.abs(ours - theirs).max() < 1e-5


def test_without_a_file_the_defaults_are_those_of_depth_anything():
    theirs = Preprocessing.from_config(CONFIG, patch=14, side=56, size=None)
    assert Preprocessing.from_config(None, patch=14, side=56, size=None) == theirs


def test_what_a_file_may_leave_out():
    bare = {"do_normalize": False, "do_rescale": False, "size": 28}
    pixels = Preprocessing.from_config(bare, patch=14, side=56, size=None).pixels(scene(0, 28, 28))
    assert (pixels == np.asarray(scene(0, 28, 28)).transpose(2, 0, 1)).all()
    assert Preprocessing.from_config(CONFIG, patch=14, side=56, size=112).target_size(300, 300) == (112, 112)


@pytest.mark.parametrize("size", [(1, 1), (5000, 3), (3, 5000), (20_000, 20), (700, 100)])
def test_extreme_shapes_stay_whole_patches_and_bounded(size):
    preprocessing = Preprocessing.from_config(CONFIG, patch=14, side=56, size=None)
    width, height = preprocessing.target_size(*size)
    assert width % 14 == height % 14 == 0
    assert min(width, height) >= 14 and max(width, height) <= 4 * 56


def test_the_multiple_is_one_of_whole_patches():
    assert Preprocessing.from_config({**CONFIG, "ensure_multiple_of": 32}, patch=14, side=56, size=None).multiple == 224
    assert Preprocessing.from_config({**CONFIG, "ensure_multiple_of": 1}, patch=8, side=56, size=None).multiple == 8


def test_nonsense_is_refused():
    with pytest.raises(InputError, match="sizes must be positive"):
        Preprocessing.from_config({**CONFIG, "size": {"height": 0, "width": 56}}, patch=14, side=56, size=None)
