"""Conversations with no, one and several pictures, in every family: rows are what the processor makes of them."""

from functools import cache

import pytest
import torch
from helpers.tiny import FAMILIES
from helpers.tiny_general import save_tiny_general

from pseudogd.store.conversations import Conversations
from pseudogd.student.head import GeometryHead
from pseudogd.student.joint import Joint, freeze_unused
from pseudogd.student.load import load_student
from pseudogd.student.taps import resolve_taps
from pseudogd.training.collator import IGNORED, JointCollator
from pseudogd.training.general import GeneralEncoder
from pseudogd.training.photos import PhotoInputs
from pseudogd.training.rows import Limits, Rows, WrittenPhotos
from pseudogd.training.setup import _end_ids
from pseudogd.training.turns import TurnEncoder

CASES = [(name, variant) for name, module in FAMILIES.items() for variant in module.VARIANTS]


@pytest.fixture(scope="module")
def conversations(tmp_path_factory):
    return Conversations(save_tiny_general(tmp_path_factory.mktemp("general"), "parquet"))


@pytest.fixture(scope="module")
def folder_of(tmp_path_factory):
    made = {}

    def make(name, variant):
        if (name, variant) not in made:
            module = FAMILIES[name]
            made[name, variant] = module.save(tmp_path_factory.mktemp(name), **module.VARIANTS[variant])
        return made[name, variant]

    return make


@pytest.fixture(scope="module")
def fresh(folder_of):
    def make(name, variant):
        student = load_student(folder_of(name, variant))
        getattr(FAMILIES[name], "after_load", lambda *_, **__: None)(student, **FAMILIES[name].VARIANTS[variant])
        return student

    return make


@pytest.fixture(scope="module")
def load(fresh):
    """A student that no test changes."""
    return cache(fresh)


def rows_of(student, conversations):
    from PIL import Image

    family = student.family
    encoder = TurnEncoder(student.processor, _end_ids(student.model), family.photo_text(), family.processed_text)
    written = WrittenPhotos(lambda size, together: encoder.photo_tokens(Image.new("RGB", size), together))
    maker = GeneralEncoder(encoder, written, Limits(4096, None, family.max_turns))
    pieces, left_out = maker.rows(conversations, None, seed=0)
    return Rows(pieces, written, encoder.image_id, left_out, (0, 0, 0, 1))


def collator_of(student, conversations, place=None):
    photos = PhotoInputs(None, student.family, place, general=conversations)
    return JointCollator(photos, student.processor.tokenizer.pad_token_id, isolated=False, geometry=place is not None)


def encode_conversation(processor, messages, *pictures):
    text = processor.apply_chat_template(messages, tokenize=False)
    special = not (processor.tokenizer.bos_token and text.startswith(processor.tokenizer.bos_token))
    images = [list(pictures)] if pictures else None
    return processor(text=[text], images=images, add_special_tokens=special, return_tensors="pt")


@pytest.mark.parametrize("name, variant", CASES)
def test_every_row_is_used_that_the_family_can_read(name, variant, load, conversations):
    student = load(name, variant)
    rows = rows_of(student, conversations)
    most = student.family.max_turns
    if most == 1:  # and such a family reads no words without a photo
        assert {len(photos) for photos in rows.photos} >= {1}
        assert all("answers" in item.reason or "pictures" in item.reason for item in rows.left_out)
        return
    assert not rows.left_out and sorted(len(photos) for photos in rows.photos) == [0, 1, 1, 2, 2]


@pytest.mark.parametrize("name, variant", CASES)
def test_rows_are_what_the_processor_makes_of_all_pictures_at_once(name, variant, load, conversations):
    student = load(name, variant)
    family, tok = student.family, student.processor.tokenizer
    if family.max_turns == 1:
        pytest.skip("the processor puts answers after a prefix of its own; see test_rows_of_every_family")
    rows, collate = rows_of(student, conversations), collator_of(student, conversations)
    encode = getattr(FAMILIES[name], "encode_conversation", encode_conversation)
    by_pictures = {row.pictures: row for row in conversations.rows(range(len(conversations)))}
    for index in range(len(rows)):
        row = rows[index]
        source = by_pictures[row.photos]
        own = encode(student.processor, source.messages, *map(conversations.picture, row.photos))
        got, want = row.ids.tolist(), own["input_ids"][0].tolist()
        same = min(len(got), len(want))
        assert got[:same] == want[:same]
        assert got[same:] in ([], [tok.eos_token_id]) and tok.decode(want[same:]).strip() == ""
        said = [part["text"] for m in source.messages if m["role"] == "assistant" for part in m["content"]]
        learnt = tok.decode(row.ids[row.learn], skip_special_tokens=True)
        assert "".join(learnt.split()) == "".join("".join(said).split())
        assert not row.learn[row.ids == family.image_token_id].any()
        pixels = family.pixel_inputs(collate([row])["inputs"])
        for key, value in family.pixel_inputs(own).items():
            assert torch.equal(pixels[key].flatten(0, pixels[key].ndim - value.ndim), value) or torch.equal(
                _without_filling(pixels[key]), _without_filling(value)
            ), key


def _without_filling(pixels):
    """The parts of photos that are none of a batch's filling, one after another."""
    flat = pixels.flatten(0, 1)
    return flat[(flat != 0).flatten(1).any(1)]


@pytest.mark.parametrize("name, variant", CASES)
def test_a_batch_of_all_of_them_gives_the_loss_of_its_rows(name, variant, load, conversations):
    student = load(name, variant)
    rows, collate = rows_of(student, conversations), collator_of(student, conversations)
    joint = Joint(student.model, student.family)

    def summed(indices):
        batch = collate([rows[i] for i in indices])
        with torch.no_grad():
            return float(joint(batch["inputs"], num_items_in_batch=1, dummy_photo=batch["dummy_photo"]).lm_loss)

    every = range(len(rows))
    assert summed(every) == pytest.approx(sum(summed([i]) for i in every), rel=1e-4)
    assert summed(every[::-1]) == pytest.approx(summed(every), rel=1e-4)


PLACES = ("encoder", "projector", "llm")


WHERE = [(name, PLACES[i % 3]) for i, name in enumerate(FAMILIES)] + [("llava", place) for place in PLACES]


@pytest.mark.parametrize("name, place", WHERE)
def test_words_alone_cost_what_they_cost_the_plain_model_and_every_gradient_exists(name, place, fresh, conversations):
    student = fresh(name, next(iter(FAMILIES[name].VARIANTS)))
    model, family = student.model, student.family
    rows = rows_of(student, conversations)
    collate = collator_of(student, conversations, "encoder" if place == "encoder" else "projector")
    words = next((rows[i] for i in range(len(rows)) if not rows[i].photos), None)
    batch = collate([collate._nothing() if words is None else words])
    assert batch["dummy_photo"] and not batch["geometry"].groups
    freeze_unused(model, family)
    inputs = batch["inputs"]
    text = {k: v for k, v in inputs.items() if k not in family.pixel_keys}
    taps = resolve_taps(None, family, place)
    joint = Joint(model, family, GeometryHead.for_family(family, taps, 16), taps=taps, anchor="frozen")
    out = joint(inputs, batch["geometry"], dummy_photo=True)
    out.loss.backward()
    found = {n: p.grad.clone() for n, p in joint.named_parameters() if p.grad is not None}
    assert set(found) == {n for n, p in joint.named_parameters() if p.requires_grad}
    tower = {id(p) for part in (family.tower(model), family.projector(model)) for p in part.parameters()}
    tower |= {id(p) for p in joint.head.parameters()}
    assert all(not found[n].any() for n, p in joint.named_parameters() if id(p) in tower and n in found)
    if words is None:
        assert out.loss.item() == 0
        return
    joint.zero_grad()
    plain = model(**text)
    assert out.loss.item() == out.lm_loss.item() == pytest.approx(plain.loss.item(), rel=1e-5)
    plain.loss.backward()
    for n, p in joint.named_parameters():
        if p.grad is not None and id(p) not in tower:
            assert torch.allclose(p.grad, found[n], atol=1e-5), n
    assert any(found[n].any() for n in found)


def test_the_pictures_of_a_batch_stand_in_the_order_of_their_placeholders(load, conversations):
    student = load("llava", next(iter(FAMILIES["llava"].VARIANTS)))
    rows, collate = rows_of(student, conversations), collator_of(student, conversations)
    batch = collate([rows[i] for i in range(len(rows))])["inputs"]
    names = [name for photos in rows.photos for name in photos]
    alone = [student.family.encode_photo(conversations.picture(name))["pixel_values"] for name in names]
    assert torch.equal(batch["pixel_values"], torch.cat(alone))
    counted = (batch["input_ids"] == student.family.image_token_id).sum(1) // 16
    assert counted.tolist() == [len(photos) for photos in rows.photos]
    assert (batch["labels"] != IGNORED).any(1).all()


def test_every_adapter_is_told_how_many_pictures_a_row_has():
    import inspect

    from pseudogd.student.families.base import adapters

    for adapter in set(adapters().values()):
        assert "together" in inspect.signature(adapter.encode_photo).parameters, adapter
