"""The gravity frame: where up is, and turning points so that gravity points along +y."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pseudogd.geometry.camera import Camera
from pseudogd.geometry.ground import Plane, fit_ground
from pseudogd.geometry.types import Up
from pseudogd.geometry.uprights import ROLL_SHARE, Edges, with_uprights

__all__ = ["Plane", "UpPrior", "fit_ground", "gravity_rotation", "up_from_normals"]

_MIN_NORMALS = 50
_MIN_BLOCKS = 48  # a map of normals is averaged to about this many blocks along its shorter side
_MIN_AGREEMENT = 0.8  # length of the mean normal of a block that is one surface and not all noise
_CELLS_PER_UNIT, _COARSE_CELLS_PER_UNIT = 11, 7  # normals closer than about 5, or 8, degrees are counted together
_ENOUGH_VARIETY = 0.05  # share of normals that stand across the main direction
_SHARES = (0.34, 0.03, 0.33, 0.30)  # parallel to up, opposite, perpendicular, anything
_INDEPENDENT = 40.0  # how many independent normals one photo is worth (see up_from_normals)
_COARSE_SIGMAS, _FINE_SIGMAS = (4.0, 8.0, 14.0), (1.5, 3.0, 6.0, 12.0)
_HALF_TABLE = 8192  # entries of a table for cosines from 0 to 1: the steps tell 1 from 0.9 degrees, near 0 degrees
_ERROR_PER_SCATTER = 0.4  # up's error in pitch, by the normals' median angle with it: a bend they share shows there
_LEAST_ERROR = 0.05  # degrees
_TAILS = 4.0  # degrees of freedom of the error's Student distribution (see up_from_normals)
_AT_A_TIME = 96  # directions of up: what is computed for so many stays in the processor's cache


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


def up_from_normals(
    normals: ArrayLike,
    prior: UpPrior | None = None,
    within: float = 5.0,
    *,
    edges: Edges | None = None,
    camera: Camera | None = None,
) -> Up | None:
    """Up direction of a scene of floors and walls from unit normals (..., 3) in camera axes, facing the camera.

    Model of one normal given up u: parallel to u (floors, table tops), opposite (ceilings), perpendicular (walls) or
    anything (clutter); each is a proper density on the sphere, so that the wide band of perpendicular directions wins
    nothing by its size alone. The posterior over pitch and roll under ``prior`` is put on a grid and its peak refined.
    The normals of one photo belong to a handful of surfaces, so their likelihood counts as that of 40 independent ones.
    With the ``edges`` of the photo and its ``camera``, upright edges correct what a bend of the whole depth map, shared
    by all normals, does to it (`with_uprights`); exact normals leave them nothing to say.

    ``confidence`` is the chance that the answer is right to ``within`` degrees: the posterior mass there, times that of
    an error of sigma degrees each way with the tails of a Student distribution of 4 degrees of freedom,
    1 - (1 + within^2 / (4 sigma^2))^-2. Sigma is the normals' median angle with the model times 0.4 in pitch and 0.2
    in roll, and with edges what the least squares leave of it. The confidence is 0 where the peak lies on the limit of
    the prior, and halved for a single surface, which may be a floor or a facade that the camera looks up at.
    None with too few normals to tell.
    """
    n = np.asarray(normals)
    if n.shape[-1:] != (3,):
        raise ValueError(f"normals must have shape (..., 3), got {n.shape}")
    n = _averaged(n).reshape(-1, 3).astype(np.float64)
    usable = n[np.isfinite(n @ np.ones(3))]
    if len(usable) < _MIN_NORMALS:
        return None
    prior = prior or UpPrior()
    known = _INDEPENDENT * len(usable) / len(n)
    directions, weights = _grouped(usable, _COARSE_CELLS_PER_UNIT)
    pitch, roll, ups = _grid(prior)
    posterior = _coarse_log_posterior(directions, known * weights, ups) - 0.5 * _belief(pitch, roll, prior)
    peak = np.unravel_index(int(np.argmax(posterior)), posterior.shape)
    if abs(pitch[peak]) == pitch.max() or abs(roll[peak]) == roll.max():
        return Up(_up(pitch[peak], roll[peak]), 0.0)
    directions, weights = _grouped(usable, _CELLS_PER_UNIT)
    variety = np.linalg.eigvalsh(directions.T @ (weights[:, None] * directions))[1]  # 0 = all normals are parallel
    best = _refined(directions, known * weights, float(pitch[peak]), float(roll[peak]), prior)
    mass = np.exp(posterior - posterior.max()) * np.cos(np.radians(pitch))  # solid angle of a grid cell
    near = ups @ best >= math.cos(math.radians(within))
    one_surface = 0.5 + 0.5 * min(1.0, variety / _ENOUGH_VARIETY)
    sigma = max(_ERROR_PER_SCATTER * _scatter(usable, best), _LEAST_ERROR)
    if edges is not None and camera is not None:
        best, sigma = with_uprights(best, sigma, edges, camera)
    else:
        sigma *= math.sqrt(0.5 * (1 + ROLL_SHARE**2))
    exact = 1.0 - (1.0 + within**2 / (_TAILS * sigma**2)) ** (-0.5 * _TAILS)
    return Up(best, float(mass[near].sum() / mass.sum()) * one_surface * exact)


def _scatter(normals: NDArray[np.float64], up: NDArray[np.float64]) -> float:
    """Median of the degrees by which normals miss being parallel or perpendicular to up, whichever is nearer."""
    cosine = np.abs(normals @ up)
    off = np.minimum(cosine, np.sqrt(np.maximum(1.0 - cosine**2, 0.0)))
    return math.degrees(math.asin(min(1.0, float(np.median(off)))))


def _averaged(normals: NDArray[Any]) -> NDArray[Any]:
    """Mean normals of the square blocks of an (H, W, 3) map; nan where half is unknown or the block has a crease."""
    block = min(normals.shape[:2]) // _MIN_BLOCKS if normals.ndim == 3 else 1
    if block <= 1:
        return normals
    rows, columns = normals.shape[0] // block, normals.shape[1] // block
    cut = normals[: rows * block, : columns * block]
    with np.errstate(invalid="ignore"):
        known = np.isfinite(cut[..., 0] + cut[..., 1] + cut[..., 2])
    count = known.reshape(rows, block, -1).sum(axis=1, dtype=np.int32).reshape(rows, columns, block).sum(axis=2)
    if not known.all():
        cut = cut.copy()
        cut[~known] = 0
    lines = cut.reshape(rows, block, columns * block * 3).sum(axis=1).reshape(rows, columns, block, 3)
    mean = lines[:, :, 0].copy()
    for k in range(1, block):
        mean += lines[:, :, k]
    mean /= np.maximum(count, 1).astype(mean.dtype)[..., None]
    length = np.sqrt(np.einsum("rck,rck->rc", mean, mean))
    mean /= np.maximum(length, 1e-9)[..., None]
    mean[(2 * count < block * block) | (length <= _MIN_AGREEMENT)] = np.nan
    return mean


@cache
def _grid(prior: UpPrior) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Pitch and roll in degrees, and up (..., 3), on a grid as wide as the prior."""
    pitch, roll = np.meshgrid(_axis(prior.max_pitch, 4.0), _axis(prior.max_roll, 4.0), indexing="ij")
    return pitch, roll, _up(pitch, roll)


def _axis(limit: float, step: float) -> NDArray[np.float64]:
    half = math.floor(limit / step)
    return step * np.arange(-half, half + 1, dtype=np.float64)


def _up(pitch: NDArray[np.float64], roll: NDArray[np.float64]) -> NDArray[np.float64]:
    """(..., 3) up in camera axes of a camera that looks down by ``pitch`` and is turned by ``roll`` degrees."""
    p, r = np.radians(pitch), np.radians(roll)
    return np.stack([np.sin(r) * np.cos(p), -np.cos(r) * np.cos(p), -np.sin(p)], axis=-1)


def _grouped(normals: NDArray[np.float64], per_unit: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean direction (M, 3) and share (M,) of the normals in every occupied cell of a grid of directions."""
    cell = np.rint(normals * per_unit).astype(np.int64) + per_unit
    side = 2 * per_unit + 1
    key = (cell[:, 0] * side + cell[:, 1]) * side + cell[:, 2]
    count = np.bincount(key)
    mean = np.stack([np.bincount(key, normals[:, k]) for k in range(3)], axis=1)[count > 0]
    return mean / np.linalg.norm(mean, axis=1, keepdims=True), count[count > 0] / len(normals)


def _coarse_log_posterior(
    directions: NDArray[np.float64], weights: NDArray[np.float64], ups: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Log likelihood of every one of `ups` (..., 3), summed over what the normals may scatter by."""
    scaled = (_HALF_TABLE * ups.reshape(-1, 3)).astype(np.float32)
    toward, shares = directions.T.astype(np.float32), weights.astype(np.float32)
    found = np.empty((len(_COARSE_SIGMAS), len(scaled)), np.float32)
    for start in range(0, len(scaled), _AT_A_TIME):
        part = slice(start, start + _AT_A_TIME)
        place = scaled[part] @ toward
        place += np.float32(_HALF_TABLE + 0.5)
        index = place.astype(np.intp)
        for k, table in enumerate(_tables()):
            np.take(table, index, out=place, mode="clip")
            np.matmul(place, shares, out=found[k, part])
    return np.logaddexp.reduce(found.astype(np.float64)).reshape(ups.shape[:-1])


@cache
def _tables() -> list[NDArray[np.float32]]:
    """For each coarse scatter the log density of a normal by its cosine with up, from -1 to 1."""
    cosine = np.arange(-_HALF_TABLE, _HALF_TABLE + 1, dtype=np.float32) / np.float32(_HALF_TABLE)
    return [_log_density(cosine.copy(), sigma) for sigma in _COARSE_SIGMAS]


def _belief(pitch: NDArray[np.float64], roll: NDArray[np.float64], prior: UpPrior) -> NDArray[np.float64]:
    return ((pitch - prior.pitch) / prior.pitch_spread) ** 2 + (roll / prior.roll_spread) ** 2


def _log_density(cosine: NDArray[np.float32], sigma_deg: float) -> NDArray[np.float32]:
    """Log density of normals by their cosine with up, which is overwritten, for normals that scatter by `sigma_deg`."""
    sigma = math.radians(sigma_deg)
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
    return np.log(density, out=density)


def _refined(
    directions: NDArray[np.float64], weights: NDArray[np.float64], pitch: float, roll: float, prior: UpPrior
) -> NDArray[np.float64]:
    """Up (3,) at the peak near (pitch, roll), for the scatter that explains the normals best.

    A grid around the peak of the coarse one, a finer grid around its best, and the top of the parabola through that.
    """
    toward, shares = directions.T.astype(np.float32), weights.astype(np.float32)
    sigmas: tuple[float, ...] = _FINE_SIGMAS
    for step in (1.2, 0.4, 0.13):
        p, r = np.meshgrid(pitch + step * np.arange(-2, 3), roll + step * np.arange(-2, 3), indexing="ij")
        cosine = _up(p, r).astype(np.float32) @ toward
        values = [_log_density(cosine.copy(), s) @ shares - 0.5 * _belief(p, r, prior) for s in sigmas]
        best = int(np.argmax([value.max() for value in values]))
        sigmas, value = (sigmas[best],), values[best]
        i, j = np.unravel_index(int(np.argmax(value)), value.shape)
        pitch, roll = float(p[i, j]), float(r[i, j])
    return _up(np.asarray(pitch + step * _top(value[:, j], i)), np.asarray(roll + step * _top(value[i], j)))


def _top(values: NDArray[np.float64], place: Any) -> float:
    """Where the parabola through a maximum and its neighbours has its top, in steps from the maximum."""
    if not 0 < place < len(values) - 1:
        return 0.0
    before, here, after = values[place - 1 : place + 2]
    bend = before - 2 * here + after
    return float(0.5 * (before - after) / bend) if bend < 0 else 0.0
