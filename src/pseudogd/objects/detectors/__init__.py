"""Open-vocabulary detectors, one file for each family, and the one function that loads any of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pseudogd.errors import InputError
from pseudogd.objects.detectors.base import Detector

FAMILIES = {"grounding-dino": ("grounding-dino", "mm-grounding-dino"), "owlv2": ("owlv2",)}
"""Name after ``--source`` -> ``model_type`` in config.json."""
NAMES = (*FAMILIES, "mm-grounding-dino", "detector")


def is_detector(source: str) -> bool:
    """Whether a source is a detector: FAMILY:CHECKPOINT."""
    return source.partition(":")[0] in NAMES


def load_detector(source: str, classes: Sequence[str], **options: Any) -> Detector:
    """The detector of ``FAMILY:FOLDER_OR_HUB_ID``; what it is decides the checkpoint's own config.json.

    Raises `InputError` for a checkpoint of another family, or an option that the family does not have.
    """
    name, _, path = source.partition(":")
    if name not in NAMES or not path:
        raise InputError(f"source {source!r}: write FAMILY:FOLDER_OR_HUB_ID with one of {', '.join(NAMES)}")
    from pseudogd.objects.checkpoints import model_type
    from pseudogd.objects.detectors import grounding_dino, owlv2

    kind = model_type(path, options.get("revision"))
    cls: Any
    if kind in grounding_dino.MODEL_TYPES:
        cls = grounding_dino.GroundingDino
    elif kind in owlv2.MODEL_TYPES:
        cls = owlv2.Owlv2
    else:
        known = sorted({kind for kinds in FAMILIES.values() for kind in kinds})
        raise InputError(f"{path}: is a {kind!r} model; detectors are {', '.join(known)}")
    if kind not in FAMILIES.get(name, (name,)) and name != "detector":
        raise InputError(f"{path}: is a {kind!r} model; write --source {kind}:{path}")
    try:
        return cls(path, classes, **options)
    except TypeError as error:
        refused = next((option for option in options if f"argument {option!r}" in str(error)), None)
        if refused is None:
            raise
        raise InputError(f"{kind}: has no option {refused!r}; leave it out") from error
