"""Conditions in space that one of several named things meets, and sentences that ask where that thing is."""

from __future__ import annotations

from collections.abc import Sequence

from pseudogd.vqa.phrasing import FAR, NEAR

CONDITIONS: dict[str, tuple[str, str]] = {
    "nearest": ("is closest to the {a} in space", "has the smallest real distance to the {a}"),
    "farthest": ("is farthest from the {a} in space", "has the largest real distance to the {a}"),
    "near_camera": ("is closest to the camera", "has the smallest distance to the camera"),
    "far_camera": ("is farthest from the camera", "has the largest distance to the camera"),
    "tallest": ("is tallest in the real scene", "has the greatest real height"),
}
ANCHORED = ("nearest", "farthest")
LARGEST = ("farthest", "far_camera", "tallest")

MEANINGS: dict[str, tuple[str, str]] = {
    "nearest": (NEAR + r".*\{a\}", FAR + "|camera"),
    "farthest": (FAR + r".*\{a\}", NEAR + "|camera"),
    "near_camera": (NEAR + ".*camera", FAR + r"|\{a\}"),
    "far_camera": (FAR + ".*camera", NEAR + r"|\{a\}"),
    "tallest": (r"real", NEAR + "|" + FAR + "|camera"),
}


def asked(condition: str, stems: Sequence[str]) -> tuple[str, ...]:
    """Every stem with every phrase of a condition in the place of ``<it>``."""
    return tuple(stem.replace("<it>", phrase) for phrase in CONDITIONS[condition] for stem in stems)
