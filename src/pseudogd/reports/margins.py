"""In which unit the margin of a question is given; the tasks themselves say why."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_UNITS = {
    "nearer": "log of the ratio of depths",
    "direction.side": "free share of the picture's width",
    "direction.height": "standard errors",
    "direction.quadrant": "the smaller of width share and log depth ratio",
    "distance": "standard errors",
    "hypothetical": "degrees to the next sector",
    "localization.point_between": "shares of the line to the zone's end",
    "localization": "lead over the next",
    "size": "log of the ratio of sizes",
    "ranking": "log of the smallest ratio",
    "in_front": "log of the smallest ratio",
    "occlusion": "log of the smallest ratio",
    "times": "standard errors",
    "ground_distance": "standard errors",
    "extent": "standard errors",
    "camera_height": "standard errors",
    "clock": "degrees to the next hour",
    "octant": "degrees to the next sector",
    "turn": "degrees to the next answer",
}


def margin_unit(evidence: Mapping[str, Any]) -> str:
    """What the evidence itself says (``margin_unit``), else that of the form or the task; empty where nobody says."""
    said = evidence.get("margin_unit")
    form = str(evidence.get("form", ""))
    return said if isinstance(said, str) else _UNITS.get(form) or _UNITS.get(form.split(".")[0], "")
