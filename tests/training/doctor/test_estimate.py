"""Bytes and operations of a step follow from a model's shapes and a batch's sizes; here they are counted by hand."""

from dataclasses import replace

import pytest

from pseudogd.student.load import load_student
from pseudogd.training.doctor.estimate import ADAM_BYTES, LOGIT_BYTES, Estimate
from pseudogd.training.parameters import PARTS, parts_of, prepare
from pseudogd.training.recipe import changed

LR = {"tower": 1e-3, "projector": 1e-3, "llm": 1e-3, "head": 1e-3}


def again(case, batch=None, on_cpu=False, world=1, **changes):
    """The case's estimate under another batch, on another device, or of a recipe that differs in costs alone."""
    recipe = changed(case.recipe, {key.replace("__", "."): value for key, value in changes.items()})
    family, batch = case.student.family, batch or case.found.batch
    return Estimate(case.model, family, case.head, recipe, batch, on_cpu, world)


def numbers(case, part=None, trained=False):
    """Parameters of a part, or of all; those that are trained alone."""
    parts = parts_of(case.model, case.student.family, case.head)
    chosen = PARTS if part is None else (part,)
    return sum(p.numel() for name in chosen for p in parts[name] if p.requires_grad or not trained)


def operations(estimate):
    return estimate.work.linear + estimate.work.full + estimate.work.attention


# ------------------------------------------------------------------------------------------------------ parameters
def test_in_full_a_trained_number_takes_four_bytes_of_weight_four_of_gradient_and_eight_of_adamw(case_of):
    case = case_of(geometry__weights={"anchor": 0.0})
    need, trained = again(case).memory, numbers(case, trained=True)
    assert need.weights == 4 * numbers(case)
    assert (need.gradients, need.optimizer) == (4 * trained, 8 * trained)


def test_what_is_frozen_has_neither_gradient_nor_moments(case_of):
    case = case_of(optim__lr=LR | {"llm": 0.0}, geometry__weights={"anchor": 0.0})
    kept = sum(numbers(case, part, trained=True) for part in ("tower", "projector", "head"))
    need = again(case).memory
    assert 0 < kept < numbers(case) - numbers(case, "llm")
    assert (need.gradients, need.optimizer) == (4 * kept, ADAM_BYTES * kept)


def test_adapters_alone_are_trained_and_what_is_frozen_takes_two_bytes(case_of):
    r = 3
    case = case_of(
        lora={"tower": {"r": r}, "llm": {"r": r}},
        model__dtype="bfloat16",
        optim__precision="bf16",
        optim__lr=LR | {"projector": 0.0, "head": 0.0},
        geometry__weights={"anchor": 0.0},
    )
    # of width 32 with inner width 64: q, k, v and out of each block, and the two layers of the tower's MLP or the
    # three of the language model's. Language reads the last but one of the tower's four blocks; the model has two.
    tower, text = r * (4 * (32 + 32) + 2 * (32 + 64)), r * (4 * (32 + 32) + 3 * (32 + 64))
    trained = 3 * tower + 2 * text
    assert numbers(case, trained=True) == trained
    need = again(case).memory
    assert (need.gradients, need.optimizer) == (4 * trained, 8 * trained)
    full = numbers(case, "head") + trained  # float32 whatever the checkpoint's type
    assert need.weights == 2 * (numbers(case) - full) + 4 * full


def test_the_anchor_adds_a_copy_of_what_is_trained_of_tower_and_projector_alone(case_of):
    case = case_of(optim__lr=LR | {"tower": 0.0})
    weights = {w: again(case, geometry__weights={"anchor": w}).memory.weights for w in (0.0, 0.1)}
    assert weights[0.1] - weights[0.0] == 4 * numbers(case, "projector") > 0
    case = case_of()
    weights = {w: again(case, geometry__weights={"anchor": w}).memory.weights for w in (0.0, 0.1)}
    seen = numbers(case, "tower", trained=True) + numbers(case, "projector", trained=True)
    assert weights[0.1] - weights[0.0] == 4 * seen


def test_processes_share_what_fsdp_shares(case_of):
    case = case_of(geometry__weights={"anchor": 0.0})
    one, eight = again(case).memory, again(case, world=8, optim__fsdp=True).memory
    assert again(case, world=8).memory == one  # without fsdp each process has all of it
    assert eight.optimizer == one.optimizer // 8
    tower, text = case.student.family.tower(case.model).encoder.layers, case.model.get_decoder().layers
    words = (case.model.get_input_embeddings(), case.model.get_output_embeddings())
    assert words[0].weight is not words[1].weight  # then each is gathered on its own
    sizes = [sum(p.numel() for p in unit.parameters()) for unit in (*tower, *text, *words)]
    outside = numbers(case) - sum(sizes)  # projector, head, the tower's embeddings: in full on all of them
    assert eight.weights == one.weights // 8 + 2 * 4 * max(sizes) + 4 * outside
    shared = one.gradients / 8 + 4 * max(sizes)
    assert shared < eight.gradients <= shared + 4 * outside


# ----------------------------------------------------------------------------------------------------- activations
def test_logits_are_those_of_the_answers_alone(case_of):
    case = case_of()
    answers, words = case.found.batch.answers, case.model.config.get_text_config().vocab_size
    assert again(case).memory.logits == LOGIT_BYTES * answers * words
    assert again(case, arm="geometry_only").memory.logits == 0


def test_twice_the_photos_are_twice_the_activations(case_of):
    case = case_of()
    batch = case.found.batch
    sizes = ("rows", "answers", "tower_tokens", "visual_tokens", "cells")
    double = replace(batch, **{name: 2 * getattr(batch, name) for name in sizes})
    one, two = again(case), again(case, double)
    assert two.memory.activations == 2 * one.memory.activations
    for kind in ("linear", "full", "attention"):
        assert getattr(two.work, kind) == 2 * getattr(one.work, kind) > 0
    assert two.memory.weights == one.memory.weights


@pytest.mark.parametrize("size", ["rows", "length", "answers", "tower_tokens", "tower_reach", "visual_tokens", "cells"])
@pytest.mark.parametrize("changes", [{}, {"optim__gradient_checkpointing": True, "optim__precision": "bf16"}])
def test_nothing_gets_cheaper_by_more_of_anything(size, changes, case_of):
    case = case_of()
    batch = case.found.batch
    less, more = (again(case, b, **changes) for b in (batch, replace(batch, **{size: 3 * getattr(batch, size)})))
    assert more.memory.peak >= less.memory.peak
    assert operations(more) > operations(less)


def test_recomputing_blocks_takes_memory_away_and_adds_work(case_of):
    case = case_of()
    plain, again_made = again(case), again(case, optim__gradient_checkpointing=True)
    assert again_made.memory.activations < plain.memory.activations
    assert plain.work.linear < again_made.work.linear < 4 / 3 * plain.work.linear
    assert again_made.memory.weights == plain.memory.weights


def test_the_peak_is_below_the_sum_of_all_and_above_every_part_of_it(case_of):
    case = case_of()
    for need in (again(case).memory, again(case, on_cpu=True).memory):
        always = need.weights + need.optimizer + need.heap
        assert always + max(need.gradients, need.activations + need.logits) <= need.peak
        assert need.peak <= always + need.gradients + need.activations + need.logits


def test_accumulated_gradients_are_all_there_when_the_next_batch_is_read(case_of):
    case = case_of()
    once, thrice = again(case), again(case, optim__grad_accum=3)
    assert thrice.memory.peak == sum(
        getattr(thrice.memory, kind) for kind in ("weights", "gradients", "optimizer", "activations", "logits")
    )
    assert operations(thrice) == 3 * operations(once)
    assert thrice.work.update == once.work.update  # there is one step


def test_an_arm_without_geometry_has_no_head_and_no_anchor(case_of):
    joint, words = case_of(), case_of(arm="vqa_only")
    assert words.head is None and words.found.batch.cells == 0
    plain = sum(p.numel() for p in words.model.parameters())
    assert again(words).memory.weights == 4 * plain < again(joint).memory.weights


def test_sizes_of_parts_add_up_to_the_model(recipe_of, student_path, case_of):
    student = load_student(student_path)
    model = prepare(student.model, student.family, recipe_of())
    case = case_of()
    assert sum(case.found.parameters[part].total for part in ("tower", "projector", "llm")) == sum(
        p.numel() for p in model.parameters()
    )
