"""What every family must do, on tiny random checkpoints of its real classes, loaded from disk as a user's would be."""

import re

import numpy as np
import pytest
import torch
from helpers import painted as helper
from helpers.painted import batch_of, blocks_of, painted, worst_error
from helpers.tiny import FAMILIES
from peft import LoraConfig, get_peft_model
from PIL import Image
from torch import nn

from pseudogd.distill.kinds import JointWeights
from pseudogd.student.ask import generate_answers
from pseudogd.student.chat import chat_text, encode_chats, user_turn
from pseudogd.student.families.base import adapters
from pseudogd.student.joint import Joint
from pseudogd.student.load import load_student

CASES = [(name, variant) for name, module in FAMILIES.items() for variant in module.VARIANTS]
LIMIT = 0.05
"""Of a cell: what rounding colours to 8 bits and resampling filters leave."""


@pytest.fixture(scope="module")
def folder_of(tmp_path_factory):
    made = {}

    def make(name, variant=None):
        module = FAMILIES[name]
        variant = variant or next(iter(module.VARIANTS))
        if (name, variant) not in made:
            made[name, variant] = module.save(tmp_path_factory.mktemp(name), **module.VARIANTS[variant])
        return made[name, variant]

    return make


@pytest.fixture
def load(folder_of):
    def made(name, variant=None):
        student, module = load_student(folder_of(name, variant)), FAMILIES[name]
        options = module.VARIANTS[variant or next(iter(module.VARIANTS))]
        getattr(module, "after_load", lambda *_, **__: None)(student, **options)
        return student

    return made


def reading(name, student):
    """The student made an identity, and the function that reads colours off its states."""
    module = FAMILIES[name]
    getattr(module, "make_identity", helper.make_identity)(student)
    return getattr(module, "colours", helper.colours)


def test_every_adapter_has_a_tiny_checkpoint():
    assert set(adapters()) <= set(FAMILIES)


@pytest.mark.column("painted picture")
@pytest.mark.parametrize("name, variant", CASES)
def test_painted_pictures_read_back_their_own_place(name, variant, load):
    student, sizes = load(name, variant), FAMILIES[name].SIZES
    read = reading(name, student)
    worst, compared = worst_error(student, sizes, read=read)
    assert worst < LIMIT and compared > 50
    for size in sizes:
        alone, seen = worst_error(student, [size], read=read)
        assert alone < LIMIT and seen > 0


@pytest.mark.parametrize("name, variant", CASES)
def test_several_photos_of_one_row(name, variant, load):
    student, sizes = load(name, variant), FAMILIES[name].SIZES[:3]
    if student.family.max_turns == 1:
        pytest.skip("one photo a prompt")
    read = reading(name, student)
    worst, compared = worst_error(student, sizes, batch_of(student, sizes, rows=[2, 1]), read)
    assert worst < LIMIT and compared > 20


@pytest.mark.parametrize("name", FAMILIES)
def test_a_wrong_order_would_be_noticed(name, load, monkeypatch):
    student = load(name)
    read = reading(name, student)
    views = student.family.views

    def turned(*args, **kwargs):
        return [type(v)(**{**vars(v), "tokens": np.roll(v.tokens, 1)}) for v in views(*args, **kwargs)]

    monkeypatch.setattr(student.family, "views", turned)
    monkeypatch.setattr(student.family, "token_count", lambda *a, **k: total)
    size = FAMILIES[name].SIZES[0]
    encoding = batch_of(student, [size])
    total = student.family.encode(student.model, encoding).hidden_states[0].shape[:-1].numel()
    assert worst_error(student, [size], encoding, read)[0] > 0.5


@pytest.mark.parametrize("name, variant", CASES)
def test_photos_joined_one_by_one_are_what_the_processor_makes_of_all(name, variant, load):
    student, sizes = load(name, variant), FAMILIES[name].SIZES[:4]
    whole = student.family.pixel_inputs(batch_of(student, sizes))
    parts = student.family.collate_pixels([student.family.encode_photo(painted(*size)) for size in sizes])
    assert set(parts) == set(whole)
    for key, want in whole.items():
        assert parts[key].dtype == want.dtype and torch.equal(parts[key], want), key


@pytest.mark.parametrize("name, variant", CASES)
def test_tokens_of_the_projector_come_from_their_own_cells(name, variant, load):
    """The gradient of what the language model reads says which cells of the tower it came from."""
    student, sizes = load(name, variant), FAMILIES[name].SIZES[:2]
    family = student.family
    encoding = batch_of(student, sizes)
    encoded = family.encode(student.model, encoding)
    last = encoded.hidden_states[family.last_read]
    at_tower, at_text = family.token_offsets(sizes, encoding), family.token_offsets(sizes, encoding, "projector")
    size = sizes[1]
    assert at_text[1] + family.token_count(size, encoding, 1, "projector") == len(encoded.tokens)
    below, above = family.views(size, encoding, 1), family.views(size, encoding, 1, "projector")
    boxes = np.concatenate([v.boxes for v in below])
    tokens = np.concatenate([v.tokens for v in below]) + at_tower[1]
    checked = 0
    for view in above:
        for cell in {0, len(view.tokens) // 2, len(view.tokens) - 1}:
            encoded_token = encoded.tokens[at_text[1] + int(view.tokens[cell])]
            (grad,) = torch.autograd.grad(encoded_token.sum(), last, retain_graph=True)
            strength = grad.reshape(-1, grad.shape[-1]).norm(dim=-1)
            seen = set(torch.nonzero(strength > 1e-3 * strength.max()).flatten().tolist())
            near = (boxes[:, :2] >= view.boxes[cell, :2] - 1e-6) & (boxes[:, 2:] <= view.boxes[cell, 2:] + 1e-6)
            own = set(tokens[near.all(axis=1)].tolist())
            if getattr(FAMILIES[name], "EXACT", True) and variant not in getattr(FAMILIES[name], "MIXED", ()):
                of_view = own & seen
                assert seen == of_view and len(of_view) > 0
            else:
                assert int(strength.argmax()) in own or not own
            checked += 1
    assert checked >= 3


@pytest.mark.parametrize("name, variant", CASES)
def test_the_tower_runs_once_and_the_logits_are_the_same(name, variant, load):
    student, sizes = load(name, variant), FAMILIES[name].SIZES[:2]
    inputs = batch_of(student, sizes)
    runs = []
    blocks_of(student.family.tower(student.model))[0].register_forward_hook(lambda *_: runs.append(1))
    with torch.no_grad():
        want = student.model(**inputs).logits
        encoded = student.family.encode(student.model, inputs)
        got = student.model(**student.family.language_inputs(inputs, encoded)).logits
    assert len(runs) == 2 and torch.equal(got, want)
    assert len(encoded.hidden_states) == student.family.depth + 1
    assert encoded.hidden_states[1].shape[-1] == student.family.tower_width
    assert encoded.tokens.shape[-1] == student.family.text_width


@pytest.mark.parametrize("name, variant", CASES)
def test_only_unused_parameters_get_no_gradient(name, variant, load):
    student = load(name, variant)
    student.model(**batch_of(student, FAMILIES[name].SIZES[:1])).logits.square().mean().backward()
    silent = {n for n, p in student.model.named_parameters() if p.grad is None}
    assert set(student.family.unused_parameters(student.model)) == silent


@pytest.mark.parametrize("name", FAMILIES)
def test_lora_pattern_takes_the_linears_of_the_blocks_and_nothing_else(name, load):
    student = load(name)
    blocks = {m for m in blocks_of(student.family.tower(student.model)).modules() if isinstance(m, nn.Linear)}
    hit = {m for n, m in student.model.named_modules() if re.fullmatch(student.family.lora_pattern, n)}
    assert hit == blocks and len(blocks) >= 4 * 4


@pytest.mark.parametrize("name, variant", CASES)
def test_taps_are_states_that_language_reads(name, variant, load):
    student = load(name, variant)
    taps = student.family.default_taps()
    assert 1 <= len(taps) <= 4 and taps == sorted(set(taps)) and taps[0] >= 1
    encoded = student.family.encode(student.model, batch_of(student, FAMILIES[name].SIZES[:1]))
    for tap in taps:
        (grad,) = torch.autograd.grad(encoded.tokens.square().sum(), encoded.hidden_states[tap], retain_graph=True)
        assert grad.abs().sum() > 0
    assert max(taps) == student.family.last_read


@pytest.mark.column("checkpointing")
@pytest.mark.parametrize("lora", [False, True], ids=["full", "lora"])
@pytest.mark.parametrize("name", FAMILIES)
def test_gradients_reach_the_first_block_under_activation_checkpointing(name, lora, load):
    student = load(name)
    inputs = batch_of(student, FAMILIES[name].SIZES[:1])

    def gradients(checkpointing):
        if checkpointing:
            student.model.activation_checkpointing_enable({"use_reentrant": False})
        model.train()
        model.zero_grad()
        encoded = student.family.encode(model, inputs)
        tapped = encoded.hidden_states[student.family.default_taps()[-1]]
        assert tapped.requires_grad
        tapped.float().square().mean().backward()
        first = blocks_of(student.family.tower(student.model))[0]
        return {n: p.grad.clone() for n, p in first.named_parameters() if p.grad is not None}

    model = student.model
    if lora:
        settings = LoraConfig(r=2, target_modules=student.family.lora_pattern, init_lora_weights=False)
        model = get_peft_model(model, settings)
    plain, checked = gradients(False), gradients(True)
    assert plain and plain.keys() == checked.keys()
    for key, grad in plain.items():
        assert torch.allclose(grad, checked[key], atol=1e-6), key
    assert any(grad.abs().sum() > 0 for grad in plain.values())


@pytest.mark.parametrize("name", FAMILIES)
def test_answers_do_not_depend_on_the_batch(name, load):
    student = load(name)
    photos = [painted(*size) for size in FAMILIES[name].SIZES[:3]]
    items = [(photo, f"which is nearer , {i} ?") for i, photo in enumerate([*photos, photos[0]])]
    together = generate_answers(student, items, max_new_tokens=4, batch_size=4)
    alone = [generate_answers(student, [item], max_new_tokens=4)[0] for item in items]
    assert together == alone


@pytest.mark.parametrize("name", FAMILIES)
def test_answers_are_those_of_plain_transformers(name, load):
    """Also where several questions about photos of one size are asked together, and a photo is read once for all."""
    student = load(name)
    noise = np.random.default_rng(0).random((3, 48, 64, 3)) ** np.array([0.3, 3.3, 6.3]).reshape(3, 1, 1, 1)
    photos = [Image.fromarray((255 * each).astype(np.uint8)) for each in noise]
    questions = ("which is nearer ?", "how far is the table ?", "what ?", "is the lamp left of the sofa ? A . left")
    items = [(photo, question) for question in questions for photo in photos]
    want = []
    for photo, question in items:
        text = chat_text(student.processor, [user_turn(question)], ask=True)
        inputs = encode_chats(student.processor, [text], [photo])
        out = student.model.generate(**inputs, max_new_tokens=8, do_sample=False)[0, inputs["input_ids"].shape[1] :]
        want.append(student.processor.tokenizer.decode(out, skip_special_tokens=True).strip())
    assert generate_answers(student, items, max_new_tokens=8, batch_size=12) == want
    assert len(set(want)) > 1


@pytest.mark.parametrize("name", FAMILIES)
def test_a_frozen_copy_at_the_type_of_autocast_loses_nothing(name, load):
    student = load(name)
    inputs = batch_of(student, FAMILIES[name].SIZES[:2])
    inputs = {k: v.bfloat16() if v.is_floating_point() else v for k, v in inputs.items()}  # as the collator keeps them
    weights, tokens = JointWeights(anchor=1.0), []
    for dtype in (None, torch.bfloat16):
        joint = Joint(student.model, student.family, weights=weights, anchor="frozen", anchor_dtype=dtype)
        with torch.autocast("cpu", torch.bfloat16):
            tokens.append(joint._anchor_tokens(inputs))
    assert tokens[0].abs().max() > 0 and torch.equal(*tokens)


@pytest.mark.parametrize("name", FAMILIES)
def test_the_frozen_copy_stays_what_it_was_whatever_is_trained(name, load):
    student = load(name)
    inputs = batch_of(student, FAMILIES[name].SIZES[:2])
    joint = Joint(student.model, student.family, weights=JointWeights(anchor=1.0), anchor="frozen")
    with torch.no_grad():
        before = student.family.encode(student.model, inputs, hidden_states=False).tokens
        assert torch.equal(joint._anchor_tokens(inputs), before)
        for parameter in student.model.parameters():
            parameter.add_(0.05)
    assert torch.equal(joint._anchor_tokens(inputs), before)
