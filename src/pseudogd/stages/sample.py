"""A small data folder of simulated rooms, for whoever has none yet."""

from __future__ import annotations

from pathlib import Path

from pseudogd.stages.annotate import annotate
from pseudogd.stages.label import label
from pseudogd.stages.synth import synth
from pseudogd.world import render_folder

_ROOMS, _PIXELS = 8, 256


def sample_data(folder: Path) -> Path:
    """Render rooms and make questions about them; geometry is the rooms' own. Returns the data folder in `folder`."""
    photos, data = folder / "photos", folder / "data"
    render_folder(photos, _ROOMS, "train", seed=0, size=_PIXELS)
    truth = {"name": "simulated rooms", "licence": "Apache-2.0"}
    label(photos, f"files:{photos / 'depth'}", data, photos / "cameras.json", quiet=True, **truth)
    annotate(data, f"coco:{photos / 'annotations.json'}", quiet=True)
    synth(data, quiet=True)
    return data
