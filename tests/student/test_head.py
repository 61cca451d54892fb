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


def test_without_blocks_a_cell_speaks_for_itself_alone():
    torch.manual_seed(0)
    head = GeometryHead(8, taps=2, width=8, blocks=0)
    with torch.no_grad():
        head.cell.weight.normal_()
    taps = [torch.randn(1, 12, 8, requires_grad=True) for _ in range(2)]
    head(taps, (3, 4)).structure[0, 5].backward()
    for tap in taps:
        moved = tap.grad[0].abs().sum(-1) > 0
        assert moved[5] and moved.sum() == 1


def test_parts_of_a_cell_lie_in_it_row_by_row():
    """Each cell says its own number plus 0.1, 0.2 ... for its parts: the map must show the one and the other."""
    head = GeometryHead(6, taps=1, width=1, blocks=0, subcells=2)
    head.read[0] = torch.nn.Identity()
    with torch.no_grad():
        head.cell.weight[:4] = 1.0
        head.cell.bias[:4] = torch.tensor([0.1, 0.2, 0.3, 0.4])
    p = head([torch.arange(6.0).view(1, 6, 1)], (2, 3))
    assert p.structure.shape == (1, 24) and p.normal.shape == (1, 24, 3) and p.sky.shape == (1, 24)
    rows = p.structure.view(4, 6)
    assert torch.allclose(rows[0], torch.tensor([0.1, 0.2, 1.1, 1.2, 2.1, 2.2]))
    assert torch.allclose(rows[1], torch.tensor([0.3, 0.4, 1.3, 1.4, 2.3, 2.4]))
    assert torch.allclose(rows[3], torch.tensor([3.3, 3.4, 4.3, 4.4, 5.3, 5.4]))
    assert torch.equal(p.normal, torch.tensor([0.0, 0.0, -1.0]).expand(1, 24, 3))


@pytest.mark.parametrize("shape", [{}, {"blocks": 0, "subcells": 2}])
def test_save_and_load(tmp_path, shape):
    torch.manual_seed(0)
    head = GeometryHead(24, taps=2, width=16, s_bias=1.2, **shape)
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
