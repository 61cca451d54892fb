"""SmolVLM2."""

import json

from helpers.tiny import _idefics
from helpers.tiny._idefics import SIZES

__all__ = ["SIZES", "VARIANTS", "save"]

VARIANTS = {
    "3 tiles, 4x4 patches a token": dict(),
    "last pixels unseen, 3x3 patches a token, tied embeddings": dict(side=86, patch=14, factor=3, tied=True),
    "no image splitting": dict(image_settings=dict(do_image_splitting=False)),
    "one tile": dict(tiles=1),
    "fixed canvas, places spelt out": dict(marks=False, image_settings=dict(size={"height": 128, "width": 192})),
}

VIDEO = dict(video_processor_type="SmolVLMVideoProcessor", fps=1, num_frames=64, size={"longest_edge": 64})


def save(folder, **options):
    """Options as of `_idefics.save`."""
    _idefics.save(folder, "SmolVLM", **options)
    (folder / "video_preprocessor_config.json").write_text(json.dumps(VIDEO))
    return folder
