"""What a label cannot know must get exactly zero gradient, row by row of the label-kind table."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from pseudogd.distill.kinds import KINDS, TERMS, JointWeights, kind_of, pays
from pseudogd.distill.losses import Prediction, geometry_loss, view_losses
from pseudogd.distill.targets import cell_targets
from pseudogd.geometry.camera import Camera
from pseudogd.geometry.types import Geometry, Scale, TeacherInfo
from pseudogd.student.batch import GeometryBatch, PhotoTargets
from pseudogd.student.families.base import View, grid_boxes

GRID = (4, 4)
N = 16
ROWS = {
    "metric+focal": (Scale.METRIC, True),
    "metric": (Scale.METRIC, False),
    "up_to_scale+focal": (Scale.UP_TO_SCALE, True),
    "up_to_scale": (Scale.UP_TO_SCALE, False),
    "affine_disparity": (Scale.AFFINE_DISPARITY, False),
}


def geometry(scale, has_camera, factor=1.0, power=1.0, empty=False):
    rng = np.random.default_rng(0)
    depth = np.kron(rng.uniform(1, 4, GRID), np.ones((14, 14))).astype(np.float32)
    depth = factor * depth**power
    depth[:14, :14] = np.inf
    if empty:
        depth[:] = np.nan
    normals = np.zeros((56, 56, 3), np.float32)
    normals[..., 0] = -1
    if empty:
        normals[:] = np.nan
    camera = Camera(70.0, 70.0, 28.0, 28.0, 56, 56) if has_camera else None
    return Geometry(depth, camera, normals=normals, scale=scale, teacher=TeacherInfo("t", "r", "h", "l"))


def batch(geo, is_global=True):
    boxes = grid_boxes(GRID, 14, (1.0, 1.0))
    view = View("whole", GRID, np.arange(N), boxes, is_global, 14)
    return GeometryBatch.collate([PhotoTargets([(view, cell_targets(geo, boxes, GRID, 14, is_global))], N)])


def prediction():
    g = torch.Generator().manual_seed(1)
    shapes = dict(structure=(1, N), normal=(1, N, 3), sky=(1, N), s=(1,), phi=(1,))
    return Prediction(**{k: torch.randn(v, generator=g).requires_grad_() for k, v in shapes.items()})


def loss_and_gradients(geo, is_global=True, weights=None):
    p = prediction()
    group = batch(geo, is_global).groups[0]
    losses, payers = view_losses(p, group, torch.Generator().manual_seed(2))
    total, parts = geometry_loss(losses, payers, weights or JointWeights())
    total.backward()
    grads = {k: getattr(p, k).grad for k in ("structure", "normal", "sky", "s", "phi")}
    return total.detach(), {k: v.item() for k, v in parts.items()}, grads


def reached(grads):
    return {k for k, g in grads.items() if (g != 0).any()}


WHOLE = {
    "metric+focal": {"structure", "normal", "sky", "s", "phi"},
    "metric": {"structure", "normal", "sky", "s", "phi"},
    "up_to_scale+focal": {"structure", "normal", "sky", "phi"},
    "up_to_scale": {"structure", "normal", "sky"},
    "affine_disparity": {"structure"},
}
TILE = {**WHOLE, "metric+focal": WHOLE["metric+focal"] - {"phi"}, "metric": WHOLE["up_to_scale"]}
TILE["up_to_scale+focal"] = WHOLE["up_to_scale"]


def test_every_row_is_tested_and_names_real_terms():
    assert set(ROWS) == set(KINDS) == set(WHOLE)
    assert all(set(terms) <= set(TERMS) for terms in KINDS.values())


@pytest.mark.parametrize("kind", ROWS)
@pytest.mark.parametrize("is_global", [True, False])
def test_only_what_a_label_knows_is_taught(kind, is_global):
    geo = geometry(*ROWS[kind])
    assert kind_of(geo) == kind
    _, parts, grads = loss_and_gradients(geo, is_global)
    assert reached(grads) == (WHOLE if is_global else TILE)[kind]
    assert all(torch.isfinite(g).all() for g in grads.values())
    for name in ("structure", "gradient", "normal", "order", "sky"):
        assert (parts[name] > 0) == (name in KINDS[kind])


def test_metres_without_focal_teach_only_the_sum():
    _, _, grads = loss_and_gradients(geometry(Scale.METRIC, False))
    assert torch.equal(grads["s"], grads["phi"])


@pytest.mark.parametrize("kind", ["up_to_scale+focal", "up_to_scale"])
def test_a_label_up_to_scale_gives_the_same_loss_at_every_scale(kind):
    one, _, grads_one = loss_and_gradients(geometry(*ROWS[kind]))
    ten, _, grads_ten = loss_and_gradients(geometry(*ROWS[kind], factor=10.0))
    assert one.item() == pytest.approx(ten.item(), rel=1e-5)
    assert all(torch.allclose(grads_one[k], grads_ten[k], atol=1e-6) for k in grads_one)


def test_a_metric_label_does_not():
    one, _, _ = loss_and_gradients(geometry(Scale.METRIC, True))
    ten, _, _ = loss_and_gradients(geometry(Scale.METRIC, True, factor=10.0))
    assert abs(one - ten) > 0.1


def test_a_relative_label_gives_the_same_loss_after_every_monotone_change():
    one, _, grads_one = loss_and_gradients(geometry(Scale.AFFINE_DISPARITY, False))
    two, _, grads_two = loss_and_gradients(geometry(Scale.AFFINE_DISPARITY, False, factor=0.2, power=3.0))
    assert torch.equal(one, two) and torch.equal(grads_one["structure"], grads_two["structure"])


@pytest.mark.parametrize("kind", ROWS)
def test_a_label_that_knows_nothing_costs_nothing_and_its_gradients_exist(kind):
    total, parts, grads = loss_and_gradients(geometry(*ROWS[kind], empty=True), weights=JointWeights(sky=0.1))
    assert total.item() == 0 and all(v == 0 for v in parts.values())
    assert all(g is not None and (g == 0).all() for g in grads.values())


def test_scale_weights_reach_nothing_but_scale():
    geo = geometry(Scale.METRIC, True)
    _, _, light = loss_and_gradients(geo, weights=JointWeights(scale=0.0))
    _, _, heavy = loss_and_gradients(geo, weights=JointWeights(scale=9.0))
    assert reached(light) == {"structure", "normal", "sky"}
    assert torch.equal(light["structure"], heavy["structure"])


def test_pays_by_name():
    assert dict(zip(TERMS, pays("metric", True)))["s_phi"]
    assert not dict(zip(TERMS, pays("metric", False)))["s_phi"]
    with pytest.raises(KeyError):
        pays("centimetres", True)


def test_kind_reads_scale_and_camera_only():
    geo = SimpleNamespace(scale=Scale.AFFINE_DISPARITY, camera=Camera(1.0, 1.0, 0.0, 0.0, 2, 2))
    assert kind_of(geo) == "affine_disparity"
    assert math.isnan(cell_targets(geometry(Scale.METRIC, False), np.zeros((1, 4)), (1, 1), 14, True).log_focal)
