import pytest
import torch

from pseudogd.errors import InputError
from pseudogd.student.head import GeometryHead


def test_a_new_head_says_nothing_but_its_biases():
    head = GeometryHead(24, taps=2, width=16, s_bias=1.2, phi_bias=-0.3)
    p = head([torch.randn(3, 12, 24), torch.randn(3, 12, 24)], (3, 4))
    assert p.structure.shape == (3, 12) and p.normal.shape == (3, 12, 3) and p.sky.shape == (3, 12)
    assert (p.structure == 0).all() and (p.sky == 0).all()
    assert torch.equal(p.normal, torch.tensor([0.0, 0.0, -1.0]).expand(3, 12, 3))
    assert torch.allclose(p.s, torch.full((3,), 1.2)) and torch.allclose(p.phi, torch.full((3,), -0.3))


def test_default_size_is_one_to_two_million():
    n = sum(p.numel() for p in GeometryHead(1024, taps=4).parameters())
    assert 1e6 < n < 3e6


def test_cells_keep_their_places():
    """Turning the taps upside down turns the structure upside down, if the convolutions are symmetric."""
    torch.manual_seed(0)
    head = GeometryHead(8, taps=1, width=8)
    with torch.no_grad():
        head.cell.weight.normal_()
        for block in (head.mix[0], head.mix[1]):
            block.conv.weight.copy_((block.conv.weight + block.conv.weight.flip(2)) / 2)
    x = torch.randn(1, 3 * 5, 8)
    upside_down = x.unflatten(1, (3, 5)).flip(1).flatten(1, 2)
    a, b = head([x], (3, 5)).structure, head([upside_down], (3, 5)).structure
    assert torch.allclose(a.unflatten(1, (3, 5)).flip(1).flatten(1), b, atol=1e-6)
    assert a.std() > 0.01


def test_save_and_load(tmp_path):
    torch.manual_seed(0)
    head = GeometryHead(24, taps=2, width=16, s_bias=1.2)
    path = tmp_path / "geometry_head.safetensors"
    head.save(path, {"taps": [1, 3]})
    loaded, extra = GeometryHead.load(path)
    assert extra == {"taps": [1, 3]} and loaded.settings == head.settings
    assert all(torch.equal(a, b) for a, b in zip(head.state_dict().values(), loaded.state_dict().values()))


def test_what_is_not_a_head_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"missing\.safetensors"):
        GeometryHead.load(tmp_path / "missing.safetensors")
    (tmp_path / "x.safetensors").write_bytes(b"not a head")
    with pytest.raises(InputError, match=r"x\.safetensors"):
        GeometryHead.load(tmp_path / "x.safetensors")
