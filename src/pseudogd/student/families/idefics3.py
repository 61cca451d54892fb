"""Idefics3, and the first SmolVLM, whose checkpoints say `idefics3`: tiles row by row, then the squashed whole."""

from __future__ import annotations

from pseudogd.student.families._idefics import IdeficsAdapter


class Idefics3Adapter(IdeficsAdapter):
    """`Idefics3ForConditionalGeneration`."""

    model_types = ("idefics3",)
