"""Idefics3."""

from helpers.tiny import _idefics
from helpers.tiny._idefics import SIZES

__all__ = ["SIZES", "VARIANTS", "save"]

VARIANTS = {
    "3 tiles, 2x2 patches a token": dict(),
    "no image splitting": dict(image_settings=dict(do_image_splitting=False)),
    "photos at their own size": dict(image_settings=dict(do_resize=False)),
    "as the first SmolVLM": dict(side=64, patch=8, factor=4, start="<|im_start|>", end="<end_of_utterance>"),
}


def save(folder, **options):
    """Options as of `_idefics.save`."""
    real = dict(side=56, patch=14, factor=2, start="<|begin_of_text|>", end="<|end_of_text|>")
    return _idefics.save(folder, "Idefics3", **real | options)
