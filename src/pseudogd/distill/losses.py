"""Geometry losses: pure functions of tensors, per view, in float32, finite on empty masks.

Cell tensors are (V views, N row-major cells). z is the head's structure, y the target log depth, w >= 0 the cells'
weights. With nothing valid a loss is 0 and its gradients exist and are 0 (data-parallel training needs them to exist).
What must never mix: structure, gradient and order ignore scale altogether, the scale terms ignore structure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
import torch.nn.functional as nnf
from torch import Tensor

from pseudogd.distill.kinds import TERMS, JointWeights

ORDER_PAIRS = 256
ORDER_MARGIN = 0.05
GRAM_COLUMNS = 256
TRIM = 0.05
SCALES = 3
HUBER_BETA = 0.1
_EPS = 1e-6


def weighted_mean(x: Tensor, w: Tensor) -> Tensor:
    """Weighted mean over the last axis: 0 with a zero gradient (never nan) where there is no weight."""
    return (x * w).sum(-1) / w.sum(-1).clamp_min(_EPS)


def structure_loss(z: Tensor, y: Tensor, w: Tensor, trim: float = TRIM) -> Tensor:
    """<|e - <e>|> with e = z - y, the worst `trim` of the valid cells left out. (V,)

    Invariant to adding a constant to z or to y: to the scale of the label. Trimming as in MiDaS (Ranftl et al. 2020).
    """
    e = z - y
    off = (e - weighted_mean(e, w)[..., None]).abs()
    with torch.no_grad():
        limit = torch.where(w > 0, off, torch.nan).nanquantile(1 - trim, dim=-1, keepdim=True).nan_to_num(0.0)
        kept = w * (off <= limit)
    return weighted_mean(off, kept)


def gradient_loss(z: Tensor, y: Tensor, w: Tensor, grid: tuple[int, int], scales: int = SCALES) -> Tensor:
    """Mean over `scales` of <|dx e|> + <|dy e|>, e = z - y, each scale half as fine. (V,)

    A difference weighs as little as the lighter of its two ends; pooling averages valid cells only. Multi-scale
    gradient matching as in MegaDepth (Li & Snavely 2018).
    """
    e, w = (z - y).unflatten(-1, grid), w.unflatten(-1, grid)
    total = (e * 0).sum((-1, -2))
    for _ in range(scales):
        for axis in (-1, -2):
            n = e.shape[axis] - 1
            if n < 1:
                continue
            step = (e.narrow(axis, 1, n) - e.narrow(axis, 0, n)).abs()
            both = torch.minimum(w.narrow(axis, 1, n), w.narrow(axis, 0, n))
            total = total + weighted_mean(step.flatten(-2), both.flatten(-2))
        if min(e.shape[-2:]) < 4:
            break
        pooled = nnf.avg_pool2d(w.unsqueeze(-3), 2).squeeze(-3)
        e = nnf.avg_pool2d((e * w).unsqueeze(-3), 2).squeeze(-3) / pooled.clamp_min(_EPS)
        w = pooled
    return total / scales


def normal_loss(n: Tensor, target: Tensor, w: Tensor) -> Tensor:
    """<1 - cos(n, target)> with weight w |target|. (V,)

    n, target: (V, N, 3). `target` is the MEAN of a cell's unit normals, so that rough cells, whose mean is short,
    weigh little. The floor under |n| bounds the gradient of a prediction near zero.
    """
    cos = nnf.cosine_similarity(n, target, dim=-1, eps=1e-3)
    # a perfect prediction of a short mean must still cost 0: the floor may shorten the prediction, not the target
    return weighted_mean(1 - cos, w * target.norm(dim=-1) * (target.norm(dim=-1) > 1e-2))


def order_loss(
    z: Tensor,
    y: Tensor,
    w: Tensor,
    pairs: int = ORDER_PAIRS,
    margin: float = ORDER_MARGIN,
    generator: torch.Generator | None = None,
) -> Tensor:
    """<log(1 + exp(-sign(y_i - y_j) (z_i - z_j)))> over random pairs with |y_i - y_j| > margin. (V,)

    Ranking loss of Chen et al. 2016 (depth in the wild). All views have the same pairs of cells: what one costs
    does not depend on which others are in its batch.
    """
    drawn = torch.randint(z.shape[-1], (2, 1, pairs), generator=generator, device="cpu").to(z.device)
    i, j = drawn.expand(2, z.shape[0], pairs)
    dy = y.gather(-1, i) - y.gather(-1, j)
    both = torch.minimum(w.gather(-1, i), w.gather(-1, j)) * (dy.abs() > margin)
    return weighted_mean(nnf.softplus(-dy.sign() * (z.gather(-1, i) - z.gather(-1, j))), both)


def sky_loss(logit: Tensor, fraction: Tensor, w: Tensor) -> Tensor:
    """Binary cross-entropy of the sky logit against the share of sky in the cell. (V,)"""
    return weighted_mean(nnf.binary_cross_entropy_with_logits(logit, fraction, reduction="none"), w)


def huber(x: Tensor) -> Tensor:
    """Quadratic below HUBER_BETA, then |x| - HUBER_BETA / 2."""
    return nnf.smooth_l1_loss(x, torch.zeros_like(x), beta=HUBER_BETA, reduction="none")


def scale_losses(s: Tensor, phi: Tensor, y: Tensor, w: Tensor, log_focal: Tensor) -> dict[str, Tensor]:
    """The three ways to learn scale, each (V,): which of them a view pays is its label kind's affair.

    With m = <y> (log metres): `s` compares s with m - log_focal (canonical scale), `phi` compares phi with log_focal,
    `s_phi` compares their sum with m (metres whose focal length nobody knows).
    """
    m = weighted_mean(y, w)
    return {"s": huber(s - (m - log_focal)), "phi": huber(phi - log_focal), "s_phi": huber(s + phi - m)}


def anchor_loss(tokens: Tensor, frozen: Tensor) -> Tensor:
    """Mean 1 - cos between what the language model reads now and what the frozen model gave it. Scalar in [0, 2]."""
    return (1 - nnf.cosine_similarity(tokens.float(), frozen.float(), dim=-1)).mean()


def gram_loss(
    tokens: Tensor, frozen: Tensor, rows: Sequence[int], seed: int | None = None, columns: int = GRAM_COLUMNS
) -> Tensor:
    """Mean |cos(t_i, t_j) - cos(f_i, f_j)| over all tokens i and at most `columns` random j of the same row. Scalar.

    Keeps how alike the tokens of a row's photos are, though all of them may turn together: the Gram anchoring of DINOv3
    (Simeoni et al. 2025), in L1 and against the base.

    Args:
        tokens, frozen: (T, D), what the language model reads now and what the frozen model gave it.
        rows: how many of the tokens each row has, in their order.
        seed: of the columns j, which depend on it and on the row's number of tokens alone; None draws anew.
    """
    with torch.autocast(device_type=tokens.device.type, enabled=False):
        t, f = (nnf.normalize(a.float(), dim=-1) for a in (tokens, frozen))
        total = t.sum() * 0.0
        for now, base in zip(t.split(list(rows)), f.split(list(rows))):
            generator = None if seed is None else torch.Generator().manual_seed(seed)
            chosen = torch.randperm(len(now), generator=generator)[:columns].to(now.device)
            if len(now):
                total = total + (now @ now[chosen].T - base @ base[chosen].T).abs().mean(1).sum()
        return total / max(len(tokens), 1)


@dataclass
class Prediction:
    """What the head says of V views of N cells: structure (V, N), normal (V, N, 3), sky logit (V, N), s, phi (V,)."""

    structure: Tensor
    normal: Tensor
    sky: Tensor
    s: Tensor
    phi: Tensor


class Targets(Protocol):
    """The fields of a group of views that the losses read (see `student.batch.ViewGroup`)."""

    @property
    def grid(self) -> tuple[int, int]: ...
    @property
    def log_depth(self) -> Tensor: ...
    @property
    def weight(self) -> Tensor: ...
    @property
    def normals(self) -> Tensor: ...
    @property
    def normal_weight(self) -> Tensor: ...
    @property
    def sky(self) -> Tensor: ...
    @property
    def sky_weight(self) -> Tensor: ...
    @property
    def log_focal(self) -> Tensor: ...
    @property
    def pays(self) -> Tensor: ...


def payers(t: Targets) -> Tensor:
    """(V, len(TERMS)): 1 where a view's kind of label pays a term and has anything valid for it."""
    any_depth, any_normal, any_sky = ((a.sum(-1) > 0).float() for a in (t.weight, t.normal_weight, t.sky_weight))
    has = torch.stack([{"normal": any_normal, "sky": any_sky}.get(name, any_depth) for name in TERMS], dim=-1)
    return t.pays * has


def view_losses(p: Prediction, t: Targets, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
    """Every term of every view.

    Returns:
        losses (V, len(TERMS)) and `payers` of the targets.
    """
    with torch.autocast(device_type=p.structure.device.type, enabled=False):
        z, n, sky, s, phi = (a.float() for a in (p.structure, p.normal, p.sky, p.s, p.phi))
        y, w = t.log_depth, t.weight
        by_name = {
            "structure": structure_loss(z, y, w),
            "gradient": gradient_loss(z, y, w, t.grid),
            "normal": normal_loss(n, t.normals, t.normal_weight),
            "order": order_loss(z, y, w, generator=generator),
            "sky": sky_loss(sky, t.sky, t.sky_weight),
            **scale_losses(s, phi, y, w, t.log_focal),
        }
        losses = torch.stack([by_name[name] for name in TERMS], dim=-1)
        return losses, payers(t)


def geometry_loss(
    losses: Tensor, payers: Tensor, weights: JointWeights, items: Tensor | None = None
) -> tuple[Tensor, dict[str, Tensor]]:
    """One number out of (views, terms): each term averaged over the views that pay it, then the weighted sum.

    Args:
        losses, payers: (V, len(TERMS)), see `view_losses`.
        weights: of the terms.
        items: (len(TERMS),) how many views pay each term in all, where these V are a part of a larger batch.

    Returns:
        the loss (before lambda) and its unweighted parts: structure, gradient, normal, order, sky, scale.
    """
    mean = (losses * payers).sum(0) / (payers.sum(0) if items is None else items).clamp_min(1.0)
    by_name = dict(zip(TERMS, mean))
    parts = {name: by_name[name] for name in ("structure", "gradient", "normal", "order", "sky")}
    parts["scale"] = by_name["s"] + by_name["phi"] + by_name["s_phi"]
    total = torch.stack([getattr(weights, name) * value for name, value in parts.items()]).sum()
    return total, parts
