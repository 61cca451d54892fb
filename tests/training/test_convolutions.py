"""A convolution over one patch is a matrix product, and is again a convolution afterwards."""

import pytest
import torch
from torch import nn

from pseudogd.training.convolutions import patches_by_products, product


@pytest.mark.parametrize("bias", [True, False])
def test_a_kernel_that_covers_its_patch_is_a_product(bias):
    layer = nn.Conv3d(3, 8, (2, 4, 4), (2, 4, 4), bias=bias)
    patches = torch.randn(5, 3, 2, 4, 4, requires_grad=True)
    want = layer(patches)
    (grad,) = torch.autograd.grad(want.square().sum(), patches)
    found = product(layer, patches)
    (mine,) = torch.autograd.grad(found.square().sum(), patches)
    torch.testing.assert_close(found, want)
    torch.testing.assert_close(mine, grad)


def test_others_stay_convolutions():
    wider, padded = nn.Conv3d(3, 4, 2, 2), nn.Conv3d(3, 4, 2, 2, padding=1)
    for layer, size in ((wider, 6), (padded, 2)):
        x = torch.randn(2, 3, size, size, size)
        assert torch.equal(product(layer, x), layer(x))


def test_the_context_leaves_nothing_behind():
    model = nn.Sequential(nn.Conv3d(3, 4, 2, 2), nn.Conv3d(4, 4, 1, groups=2))
    names, x = list(model.state_dict()), torch.randn(2, 3, 2, 2, 2)
    want = model(x)
    with pytest.raises(KeyError), patches_by_products([model]):
        assert "forward" in vars(model[0]) and "forward" not in vars(model[1])
        torch.testing.assert_close(model(x), want)
        assert list(model.state_dict()) == names
        raise KeyError
    assert "forward" not in vars(model[0]) and torch.equal(model(x), want)
