"""Where CLIP- and SigLIP-like image processors put a photo: arithmetic that several families share."""

from __future__ import annotations

from typing import Any

from pseudogd.errors import InputError

Pair = tuple[float, float]


def in_force(processor: Any, name: str) -> Any:
    """A setting of the image processor as it is when the processor calls it, with settings of its own on top."""
    defaults = getattr(getattr(processor, "valid_processor_kwargs", None), "_defaults", {}).get("images_kwargs", {})
    own = {**getattr(processor, "images_kwargs", {}), **defaults}
    return own[name] if name in own else getattr(processor.image_processor, name, None)


def placement(ip: Any, image_size: tuple[int, int]) -> tuple[Pair, Pair, tuple[int, int]]:
    """Where a CLIP- or SigLIP-like image processor puts a photo.

    Returns (scale, offset, made), each (x, y): original pixels per input pixel, where the photo's corner (0, 0) lies in
    the input, and the input's size.
    """
    if not getattr(ip, "do_pad", False):
        return resized_and_cropped(ip, image_size)
    if not hasattr(ip, "pad_to_square"):
        raise InputError(f"{type(ip).__name__} pads (do_pad), which is supported for LlavaImageProcessor only")
    return padded_to_square(ip, image_size)


def padded_to_square(ip: Any, image_size: tuple[int, int]) -> tuple[Pair, Pair, tuple[int, int]]:
    """`placement` where the photo is padded to a square before it is resized and cropped."""
    side = max(image_size)
    scale, offset, made = resized_and_cropped(ip, (side, side))
    pad = [(side - length) // 2 for length in image_size]
    return scale, (pad[0] / scale[0] + offset[0], pad[1] / scale[1] + offset[1]), made


def resized_and_cropped(ip: Any, image_size: tuple[int, int]) -> tuple[Pair, Pair, tuple[int, int]]:
    """`placement` by resize and centre crop alone."""
    width, height = image_size
    new_w, new_h = _resized(ip, width, height)
    scale = (width / new_w, height / new_h)
    if not getattr(ip, "do_center_crop", False):
        return scale, (0.0, 0.0), (new_w, new_h)
    made = (int(ip.crop_size["width"]), int(ip.crop_size["height"]))
    return scale, (-_crop_start(new_w, made[0]), -_crop_start(new_h, made[1])), made


def _crop_start(size: int, crop: int) -> int:
    """First kept pixel of a centre crop; negative where the processor pads a side that is too short."""
    return (size - crop) // 2


def _resized(ip: Any, width: int, height: int) -> tuple[int, int]:
    """(width, height) after the processor's resize; the same roundings as its own."""
    if not getattr(ip, "do_resize", True):
        return width, height
    size = ip.size
    short, long = size.get("shortest_edge"), size.get("longest_edge")
    if short and not long:
        ratio_long = int(short * max(width, height) / min(width, height))
        return (short, ratio_long) if width <= height else (ratio_long, short)
    if size.get("height") and size.get("width"):
        return int(size["width"]), int(size["height"])
    raise InputError(f"image processor size {dict(size)} is not supported; use shortest_edge, or height and width")
