"""Whether a proposal keeps its promise on photos that it was not chosen by.

Photos are dealt into folds. What each fold's facts come to is told by the margins that the other folds propose, so no
margin is judged by a fact that chose it (cross-fitting). Facts of one photo always share a fold.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from typing import Any

from pseudogd.vqa.calibration import Tried, error_sizes, figures_of, propose

FOLDS = 5
ENOUGH_PHOTOS = 10
"""Fewer photos with facts tell nothing of others."""


def folds(photos: Iterable[str], count: int = FOLDS) -> dict[str, int]:
    """Fold of each photo: dealt in turn, in the order of a hash of their ids. The order given does not matter."""
    order = sorted(set(photos), key=lambda photo: (sha256(photo.encode()).digest(), photo))
    return {photo: place % count for place, photo in enumerate(order)}


def cross_fitted(tried: Sequence[Tried], wanted: float) -> list[Tried]:
    """Facts of each fold that are still asked with what `propose` makes of the other folds' facts."""
    asked = [one for one in tried if not one.loose]
    fold = folds(one.photo for one in asked)
    found: list[Tried] = []
    for k in range(FOLDS):
        proposal = propose([one for one in asked if fold[one.photo] != k], wanted)
        found += proposal.kept(one for one in asked if fold[one.photo] == k)
    return found


def held_out(tried: Sequence[Tried], wanted: float, errors: Mapping[str, Sequence[float]]) -> dict[str, Any]:
    """What is promised (by all photos, of themselves) and what held (of each fold, by the others), per task and in all.

    ``errors``: `object_errors` by photo, of which ``depth_errors`` tells how much the sizes of errors differ from fold
    to fold: those are proposed from all photos, and not anew for each fold. A task of fewer than `ENOUGH_PHOTOS` photos
    gets the verdict ``few`` and no share; else ``pass`` (what held is at least what is wanted), ``warn`` (it is not,
    but its interval reaches there) or ``fail``.
    """
    asked = [one for one in tried if not one.loose]
    promised = propose(asked, wanted).kept(asked)
    held = cross_fitted(asked, wanted)
    return {
        "folds": FOLDS,
        "wanted": wanted,
        "photos_needed": ENOUGH_PHOTOS,
        "photos": len({one.photo for one in asked}),
        "all": _compared(promised, held, wanted),
        "tasks": {
            task: _compared(
                [one for one in promised if one.task == task], [one for one in held if one.task == task], wanted
            )
            for task in sorted({one.task for one in asked})
        },
        "depth_errors": _by_fold(errors),
    }


def _compared(promised: Sequence[Tried], held: Sequence[Tried], wanted: float) -> dict[str, Any]:
    found = figures_of(held)
    if found["photos"] < ENOUGH_PHOTOS:
        few = {name: found[name] for name in ("count", "photos")}
        return {"promised": figures_of(promised), "held": {**few, "share": None}, "verdict": "few"}
    verdict = "pass" if found["share"] >= wanted else "warn" if found["interval"][1] >= wanted else "fail"
    return {"promised": figures_of(promised), "held": found, "verdict": verdict}


def _by_fold(errors: Mapping[str, Sequence[float]]) -> list[dict[str, float]]:
    """`error_sizes` of the photos outside of each fold."""
    fold = folds(errors)
    return [error_sizes([own for photo, own in errors.items() if fold[photo] != k]) for k in range(FOLDS)]
