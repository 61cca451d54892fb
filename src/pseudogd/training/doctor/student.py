"""Looks at the student: its family, processor, taps and parameters. No weights are read."""

from __future__ import annotations

from typing import Any

import torch

from pseudogd.errors import InputError
from pseudogd.student.families.base import get_family
from pseudogd.student.head import GeometryHead
from pseudogd.student.load import Student, load_config, load_processor, load_skeleton
from pseudogd.student.taps import Taps, resolve_taps
from pseudogd.training.doctor.case import PASS, WARN, Case, Finding
from pseudogd.training.doctor.estimate import part_sizes
from pseudogd.training.doctor.words import amount
from pseudogd.training.parameters import prepare
from pseudogd.training.recipe import Recipe
from pseudogd.training.setup import with_turns
from pseudogd.training.train import quiet_library


def family(case: Case) -> Finding:
    case.config = load_config(case.recipe.model.path)
    family = get_family(case.config)
    text = case.config.get_text_config()
    said = (
        f"{case.config.model_type}: {family.depth} blocks of width {family.tower_width} in the tower, "
        f"{family.text_depth} layers of width {text.hidden_size} in the language model ({text.model_type})"
    )
    if case.instead_of is None:
        return PASS, said
    return WARN, f"{said}; {case.recipe.model.path} stands in for {case.instead_of}, and all sizes are its own"


def processor(case: Case) -> Finding:
    case.processor = load_processor(case.recipe.model.path, case.config)
    case.student = load_skeleton(case.recipe.model.path, case.config, case.processor, case.recipe.model.dtype)
    case.recipe = with_turns(case.recipe, case.student)
    template = getattr(case.processor, "chat_template", None)
    if not template:
        raise InputError(f"{case.recipe.model.path}: no chat template; add a chat_template.jinja to its folder")
    image = type(case.processor.image_processor).__name__
    return PASS, f"{type(case.processor).__name__} ({image}), chat template of {len(template):,} characters"


def taps(case: Case) -> Finding:
    geometry, family = case.recipe.geometry, case.student.family
    if not case.recipe.uses_geometry:
        return PASS, f"none: arm {case.recipe.arm} has no geometry"
    case.taps = resolve_taps(geometry.taps, family, geometry.place)
    states = family.text_depth if case.taps.place == "llm" else family.depth
    where = f"of {states} blocks" if case.taps.layers else "the tokens that the language model reads"
    kind = "default" if geometry.taps is None else "chosen"
    layers = f"hidden states {', '.join(map(str, case.taps.layers))} " if case.taps.layers else ""
    read = f"; language reads state {family.last_read}" if case.taps.place == "encoder" else ""
    return PASS, f"{case.taps.place}, {kind}: {layers}{where}{read}"


def parameters(case: Case) -> Finding:
    case.model, case.head = prepared(case.student, case.recipe, case.taps if case.recipe.uses_geometry else None)
    case.found.parameters = part_sizes(case.model, case.student.family, case.head)
    sizes = {part: size for part, size in case.found.parameters.items() if size.total}
    total, trained = (sum(getattr(size, name) for size in sizes.values()) for name in ("total", "trained"))
    each = ", ".join(
        f"{part} {size.how}" + (f" {amount(size.trained)}" if size.trained else f" {amount(size.total)}")
        for part, size in sizes.items()
    )
    return PASS, f"{amount(trained)} of {amount(total)} are trained: {each}"


def prepared(student: Student, recipe: Recipe, taps: Taps | None) -> tuple[Any, GeometryHead | None]:
    """Model and head as they are trained, without values; no taps, no head. The student is changed in place."""
    geometry, head = recipe.geometry, None
    with torch.device("meta"):
        with quiet_library():
            model = prepare(student.model, student.family, recipe)
        if taps is not None:
            shape = {"blocks": geometry.head_blocks, "subcells": geometry.subcells}
            head = GeometryHead.for_family(student.family, taps, geometry.head_width, **shape)
            head.requires_grad_(recipe.optim.lr.head > 0)
    return model, head
