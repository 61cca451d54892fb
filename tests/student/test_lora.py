"""Adapters where they are meant and nowhere else; merged, the model says the same."""

import pytest
import torch
from helpers.painted import painted

from pseudogd.errors import InputError
from pseudogd.student.load import load_student
from pseudogd.student.lora import LoraPart, add_lora, is_adapted, llm_pattern, merged


def adapters(model):
    return {name: m for name, m in model.named_modules() if hasattr(m, "lora_A")}


def shaken(model):
    """As after some steps: a fresh adapter changes nothing."""
    with torch.no_grad():
        for name, p in model.named_parameters():
            if "lora_B" in name:
                p.normal_(0, 0.05)
    return model


@pytest.mark.parametrize("parts", ["tower", "llm", "both"])
def test_each_part_has_its_own_rank_and_nothing_else_is_hit(clip_folder, parts):
    student = load_student(clip_folder)
    tower = LoraPart(3, 5.0) if parts != "llm" else None
    llm = LoraPart(7) if parts != "tower" else None
    model = add_lora(student.model, student.family, tower, llm)
    found = adapters(model)
    assert found and is_adapted(model)
    for name, module in found.items():
        in_tower = "vision_tower" in name
        part = tower if in_tower else llm
        assert part is not None
        assert module.lora_A["default"].weight.shape[0] == part.r
        assert module.scaling["default"] == pytest.approx(part.scale / part.r)
    used = 3 * 6 if tower else 0  # LLaVA never reads the last of four blocks
    assert sum("vision_tower" in name for name in found) == used
    assert sum("language_model" in name for name in found) == (2 * 7 if llm else 0)
    assert not any("projector" in name or "lm_head" in name for name in found)


def test_the_pattern_of_the_language_model_hits_its_layers_alone(clip_folder):
    import re

    model = load_student(clip_folder).model
    hit = {n for n, _ in model.named_modules() if re.fullmatch(llm_pattern(model), n)}
    linears = {n for n, m in model.named_modules() if isinstance(m, torch.nn.Linear) and "language_model.layers" in n}
    assert hit == linears and len(hit) == 14


def test_a_merged_model_is_plain_and_answers_the_same(clip_folder):
    student = load_student(clip_folder)
    inputs = student.processor(images=[[painted(90, 70)]], text=["<image> which"], return_tensors="pt")
    with torch.no_grad():
        base = student.model(**inputs).logits
        model = shaken(add_lora(student.model, student.family, LoraPart(4), LoraPart(4)))
        adapted = model(**inputs).logits
        names = {n for n, _ in load_student(clip_folder).model.named_parameters()}
        plain = merged(model)
        after = plain(**inputs).logits
    assert not torch.allclose(base, adapted, atol=1e-2)
    assert torch.allclose(adapted, after, atol=1e-5)
    assert {n for n, _ in plain.named_parameters()} == names and not is_adapted(plain)
    assert merged(plain) is plain


def test_patterns_that_miss_or_go_astray_are_said(clip_folder, monkeypatch):
    student = load_student(clip_folder)
    with pytest.raises(InputError, match=r"lora\.tower\.r"):
        add_lora(student.model, student.family, None, None)
    for wrong in (r".*nothing", r".*q_proj"):
        monkeypatch.setattr(student.family, "lora_pattern", wrong)
        with pytest.raises(InputError, match="does not fit"):
            add_lora(student.model, student.family, LoraPart(2), None)
