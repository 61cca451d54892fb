"""Samples are those of torch's interpolate and numpy's pad, from the few pixels that count."""

import numpy as np
import pytest
import torch
from torch.nn.functional import interpolate

from pseudogd.teachers.sampling import bilinear, half_pixel, mirrored

SIZES = [((9, 13), (5, 20)), ((1, 1), (4, 3)), ((2, 7), (2, 1)), ((40, 30), (7, 7)), ((3, 3), (3, 3))]


def picture(size):
    return np.random.default_rng(0).integers(0, 255, (*size, 3), dtype=np.uint8)


def theirs(values, size, align):
    tensor = torch.from_numpy(values.astype(np.float32)).permute(2, 0, 1)[None]
    return interpolate(tensor, size, mode="bilinear", align_corners=align)[0].permute(1, 2, 0).numpy()


@pytest.mark.parametrize(("size", "wanted"), SIZES)
def test_half_pixel_centres(size, wanted):
    values = picture(size)
    ours = bilinear(values, half_pixel(size[0], wanted[0]), half_pixel(size[1], wanted[1]))
    assert ours.dtype == np.float32 and np.abs(ours - theirs(values, wanted, False)).max() < 1e-3


@pytest.mark.parametrize(("size", "wanted"), SIZES)
@pytest.mark.parametrize("pads", [(0, 0), (1, 2), (6, 40)])
def test_aligned_corners_of_a_mirrored_rim(size, wanted, pads):
    values = picture(size)
    padded = np.pad(values, ((pads[0],) * 2, (pads[1],) * 2, (0, 0)), mode="reflect")
    lines = [mirrored(*both) for both in zip(size, wanted, pads)]
    assert np.abs(bilinear(values, *lines) - theirs(padded, wanted, True)).max() < 1e-2
