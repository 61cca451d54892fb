"""The gravity frame: where up is, and turning points so that gravity points along +y."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pseudogd.geometry.ground import Plane, fit_ground
from pseudogd.geometry.types import Up

__all__ = ["Plane", "UpPrior", "fit_ground", "gravity_rotation", "up_from_normals"]

_MIN_NORMALS = 50
_MIN_BLOCKS = 48  # a map of normals is averaged to about this many blocks along its shorter side
_MIN_AGREEMENT = 0.8  # length of the mean normal of a block that is one surface and not all noise
_CELLS_PER_UNIT = 11  # normals closer than about 5 degrees are counted together
_ENOUGH_VARIETY = 0.05  # share of normals that stand across the main direction
_SHARES = (0.34, 0.03, 0.33, 0.30)  # parallel to up, opposite, perpendicular, anything
_INDEPENDENT = 40.0  # how many independent normals one photo is worth (see up_from_normals)
_COARSE_SIGMAS, _FINE_SIGMAS = (4.0, 8.0, 14.0), (1.5, 3.0, 6.0, 12.0)


def gravity_rotation(up: ArrayLike) -> NDArray[np.float64]:
    """(3, 3) rotation R from camera axes to the gravity frame: R @ up = (0, -1, 0), points turn by ``p @ R.T``.

    R is the smallest such rotation, so the camera's own heading is kept. For a camera upside down, where every smallest
    rotation turns by 180 degrees, the one about the z axis is taken. Raises ValueError on a zero or non-finite ``up``.
    """
    u = Up(np.asarray(up), 1.0).vector
    between = u + np.array([0.0, -1.0, 0.0])
    length = float(np.linalg.norm(between))
    if length < 1e-7:
        return np.diag([-1.0, -1.0, 1.0])
    # two reflections make a rotation by twice the angle between their mirrors, in the plane of the two normals
    return _reflection(between / length) @ _reflection(u)


def _reflection(unit: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.eye(3) - 2.0 * np.outer(unit, unit)


@dataclass(frozen=True)
class UpPrior:
    """What is believed of a photo before looking at it, in degrees: held roughly upright, more often tilted down.

    Gaussian in pitch (> 0 looks down) and roll; beyond ``max_pitch`` and ``max_roll`` nothing is considered.
    """

    pitch: float = 11.0
    pitch_spread: float = 14.0
    roll_spread: float = 5.0
    max_pitch: float = 60.0
    max_roll: float = 24.0


def up_from_normals(normals: ArrayLike, prior: UpPrior | None = None, within: float = 5.0) -> Up | None:
    """Up direction of a scene of floors and walls from unit normals (..., 3) in camera axes, facing the camera.

    Model of one normal given up u: parallel to u (floors, table tops), opposite (ceilings), perpendicular (walls) or
    anything (clutter); each is a proper density on the sphere, so that the wide band of perpendicular directions wins
    nothing by its size alone. The posterior over pitch and roll under ``prior`` is put on a grid and its peak refined.
    The normals of one photo belong to a handful of surfaces, so their likelihood counts as that of 40 independent ones.
    ``confidence`` is the posterior mass within ``within`` degrees of the answer, and 0 where the peak lies on the limit
    of the prior; it is halved for a single surface, which may be a floor or a facade that the camera looks up at. It
    knows scatter and ambiguity, not a bend of the whole depth map that all normals share.
    None with too few normals to tell.
    """
    n = np.asarray(normals, dtype=np.float64)
    if n.shape[-1:] != (3,):
        raise ValueError(f"normals must have shape (..., 3), got {n.shape}")
    n = _averaged(np.where(np.isfinite(n).all(axis=-1, keepdims=True), n, np.nan)).reshape(-1, 3)
    usable = n[np.isfinite(n).all(axis=1)]
    if len(usable) < _MIN_NORMALS:
        return None
    prior = prior or UpPrior()
    directions, weights = _grouped(usable)
    variety = np.linalg.eigvalsh(directions.T @ (weights[:, None] * directions))[1]  # 0 = all normals are parallel
    weights *= _INDEPENDENT * len(usable) / len(n)
    pitch, roll = np.meshgrid(_axis(prior.max_pitch, 3.0), _axis(prior.max_roll, 3.0), indexing="ij")
    posterior = np.logaddexp.reduce(
        [_log_posterior(directions, weights, pitch, roll, s, prior) for s in _COARSE_SIGMAS]
    )
    peak = np.unravel_index(int(np.argmax(posterior)), posterior.shape)
    if abs(pitch[peak]) == pitch.max() or abs(roll[peak]) == roll.max():
        return Up(_up(pitch[peak], roll[peak]), 0.0)
    best = _refined(directions, weights, float(pitch[peak]), float(roll[peak]), prior)
    mass = np.exp(posterior - posterior.max()) * np.cos(np.radians(pitch))  # solid angle of a grid cell
    near = _up(pitch, roll) @ best >= math.cos(math.radians(within))
    return Up(best, float(mass[near].sum() / mass.sum()) * (0.5 + 0.5 * min(1.0, variety / _ENOUGH_VARIETY)))


def _averaged(normals: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean normals of the square blocks of an (H, W, 3) map; nan where half is unknown or the block has a crease."""
    block = min(normals.shape[:2]) // _MIN_BLOCKS if normals.ndim == 3 else 1
    if block <= 1:
        return normals
    rows, columns = normals.shape[0] // block, normals.shape[1] // block
    cut = normals[: rows * block, : columns * block].reshape(rows, block, columns, block, 3)
    known: NDArray[np.bool_] = np.isfinite(cut[..., 0])
    count = known.sum(axis=(1, 3))
    mean = np.where(known[..., None], cut, 0.0).sum(axis=(1, 3)) / np.maximum(count, 1)[..., None]
    length = np.linalg.norm(mean, axis=-1)
    mean /= np.maximum(length, 1e-9)[..., None]
    mean[(2 * count < block * block) | (length <= _MIN_AGREEMENT)] = np.nan
    return mean


def _axis(limit: float, step: float) -> NDArray[np.float64]:
    half = math.floor(limit / step)
    return step * np.arange(-half, half + 1, dtype=np.float64)


def _up(pitch: NDArray[np.float64], roll: NDArray[np.float64]) -> NDArray[np.float64]:
    """(..., 3) up in camera axes of a camera that looks down by ``pitch`` and is turned by ``roll`` degrees."""
    p, r = np.radians(pitch), np.radians(roll)
    return np.stack([np.sin(r) * np.cos(p), -np.cos(r) * np.cos(p), -np.sin(p)], axis=-1)


def _grouped(normals: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean direction (M, 3) and share (M,) of the normals in every occupied cell of a grid of directions."""
    cell = np.rint(normals * _CELLS_PER_UNIT).astype(np.int64) + _CELLS_PER_UNIT
    side = 2 * _CELLS_PER_UNIT + 1
    key = (cell[:, 0] * side + cell[:, 1]) * side + cell[:, 2]
    _, group, count = np.unique(key, return_inverse=True, return_counts=True)
    mean = np.stack([np.bincount(group, normals[:, k]) for k in range(3)], axis=1)
    return mean / np.linalg.norm(mean, axis=1, keepdims=True), count / len(normals)


def _log_posterior(
    directions: NDArray[np.float64],
    weights: NDArray[np.float64],
    pitch: NDArray[np.float64],
    roll: NDArray[np.float64],
    sigma_deg: float,
    prior: UpPrior,
) -> NDArray[np.float64]:
    """Unnormalised log posterior of every (pitch, roll), for normals that scatter by ``sigma_deg``."""
    sigma = math.radians(sigma_deg)
    cosine = (_up(pitch, roll) @ directions.T).astype(np.float32)  # float32 in place: four times as fast, same answer
    parallel, opposite, perpendicular, anything = _SHARES
    cap = 1.0 / (2 * math.pi * sigma**2)  # von Mises-Fisher, of high concentration 1 / sigma^2
    band = 1.0 / ((2 * math.pi) ** 1.5 * sigma)
    # of the two caps only the one on the normal's own side counts: the other is below exp(-1 / sigma^2)
    share = np.where(cosine > 0, np.float32(parallel * cap), np.float32(opposite * cap))
    density = np.abs(cosine)
    density -= 1.0
    density /= np.float32(sigma**2)
    np.exp(density, out=density)
    density *= share
    cosine *= cosine
    cosine *= np.float32(-0.5 / sigma**2)
    np.exp(cosine, out=cosine)
    cosine *= np.float32(perpendicular * band)
    density += cosine
    density += np.float32(anything / (2 * math.pi))
    np.log(density, out=density)
    belief = ((pitch - prior.pitch) / prior.pitch_spread) ** 2 + (roll / prior.roll_spread) ** 2
    return density @ weights.astype(np.float32) - 0.5 * belief


def _refined(
    directions: NDArray[np.float64], weights: NDArray[np.float64], pitch: float, roll: float, prior: UpPrior
) -> NDArray[np.float64]:
    """Up (3,) at the peak near (pitch, roll), on ever finer grids, for the scatter that explains the normals best."""
    for step in (1.2, 0.4, 0.13, 0.05):
        p, r = np.meshgrid(pitch + step * np.arange(-3, 4), roll + step * np.arange(-3, 4), indexing="ij")
        value = np.max([_log_posterior(directions, weights, p, r, s, prior) for s in _FINE_SIGMAS], axis=0)
        peak = np.unravel_index(int(np.argmax(value)), value.shape)
        pitch, roll = float(p[peak]), float(r[peak])
    return _up(np.asarray(pitch), np.asarray(roll))
