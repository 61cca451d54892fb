"""Rows that our collator builds from token ids are what the checkpoint's own processor makes of the same words."""

import json

import pytest
import torch
from helpers.tiny import FAMILIES
from helpers.tiny_data import save_tiny_data

from pseudogd.store.dataset import Store
from pseudogd.store.photos import load_photo
from pseudogd.student.load import load_student
from pseudogd.training.collator import IGNORED, JointCollator
from pseudogd.training.photos import PhotoInputs
from pseudogd.training.rows import Piece, Rows, WrittenPhotos
from pseudogd.training.turns import TurnEncoder

CASES = [(name, variant) for name, module in FAMILIES.items() for variant in module.VARIANTS]
SIZES = [(150, 97), (64, 64), (60, 233), (400, 301)]


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return Store(save_tiny_data(tmp_path_factory.mktemp("data"), photos=len(SIZES), turns=3, size=SIZES))


@pytest.fixture(scope="module")
def student_of(tmp_path_factory):
    made = {}

    def make(name, variant):
        if (name, variant) not in made:
            module = FAMILIES[name]
            folder = module.save(tmp_path_factory.mktemp(name), **module.VARIANTS[variant])
            made[name, variant] = load_student(folder)
            getattr(module, "after_load", lambda *_, **__: None)(made[name, variant], **module.VARIANTS[variant])
        return made[name, variant]

    return make


def conversations(store, most):
    """image_id -> its first `most` questions with their answers."""
    found = {}
    table = store.questions(["image_id", "messages"])
    for image_id, messages in zip(table["image_id"].to_pylist(), table["messages"].to_pylist()):
        found.setdefault(image_id, []).append(tuple(json.loads(messages)))
    return {image_id: exchanges[:most] for image_id, exchanges in found.items()}


def rows_of(student, store, chats):
    family = student.family
    ends = student.model.generation_config.eos_token_id
    encoder = TurnEncoder(
        student.processor, [ends] if isinstance(ends, int) else ends, family.photo_text(), family.processed_text
    )
    photos = {image_id: load_photo(store.photo_path(image_id)) for image_id in chats}
    pieces = [Piece((image_id,), (photos[image_id].size,), encoder.chat(chats[image_id])) for image_id in chats]
    by_size = {photo.size: photo for photo in photos.values()}
    written = WrittenPhotos(lambda size, together: encoder.photo_tokens(by_size[size], together))
    return Rows(pieces, written, encoder.image_id, [])


def flat(exchanges):
    """One conversation, its photo with the first question."""
    messages = []
    for number, (user, answer) in enumerate(exchanges):
        text = [part for part in user["content"] if part["type"] == "text"]
        messages += [user if number == 0 else {**user, "content": text}, answer]
    return messages


def encode_conversation(processor, messages, photo):
    text = processor.apply_chat_template(messages, tokenize=False)
    special = not (processor.tokenizer.bos_token and text.startswith(processor.tokenizer.bos_token))
    return processor(text=[text], images=[[photo]], add_special_tokens=special, return_tensors="pt")


@pytest.mark.parametrize("turns", [1, 3])
@pytest.mark.parametrize("name, variant", CASES)
def test_rows_are_what_the_processor_makes(name, variant, turns, store, student_of):
    student = student_of(name, variant)
    family, tok = student.family, student.processor.tokenizer
    if turns > (family.max_turns or turns):
        pytest.skip("one question a conversation")
    chats = conversations(store, turns)
    rows = rows_of(student, store, chats)
    photos = PhotoInputs(store, family, "encoder")
    batch = JointCollator(photos, tok.pad_token_id, isolated=False, geometry=True)([rows[i] for i in range(len(rows))])
    inputs = batch["inputs"]
    encode = getattr(FAMILIES[name], "encode_conversation", encode_conversation)
    known = {"input_ids", "attention_mask", "labels", *family.pixel_keys}
    for i, (image_id, exchanges) in enumerate(chats.items()):
        own = encode(student.processor, flat(exchanges), load_photo(store.photo_path(image_id)))
        want, length = own["input_ids"][0], int(inputs["attention_mask"][i].sum())
        got, same = inputs["input_ids"][i, :length], min(length, len(want))
        assert got[:same].tolist() == want[:same].tolist()
        assert got[same:].tolist() in ([], [tok.eos_token_id])  # where the template ends an answer by nothing
        assert tok.decode(want[same:]).strip() == ""  # and what it writes after the end is not learnt
        extras = {k for k in own if k not in known} - {k for k in family.kept_keys}
        assert set(inputs) - known == extras
        for key in extras:
            assert inputs[key].dtype == own[key].dtype
            assert inputs[key][i, :same].tolist() == own[key][0, :same].tolist(), key
            assert not inputs[key][i, length:].any(), key
        learnt = tok.decode(inputs["input_ids"][i][inputs["labels"][i] != IGNORED], skip_special_tokens=True)
        answers = "".join(answer["content"][0]["text"] for _, answer in exchanges)
        assert "".join(learnt.split()) == "".join(answers.split())


@pytest.mark.parametrize("name, variant", CASES)
def test_one_batch_of_different_sizes_gives_the_loss_of_its_rows(name, variant, store, student_of):
    """The model reads a batch of our collator as it reads each row by itself."""
    student = student_of(name, variant)
    rows = rows_of(student, store, conversations(store, 1))
    photos = PhotoInputs(store, student.family, None)
    collate = JointCollator(photos, student.processor.tokenizer.pad_token_id, isolated=False, geometry=False)
    with torch.no_grad():
        together = student.model(**collate([rows[i] for i in range(3)])["inputs"]).logits
        for i in range(3):
            one = collate([rows[i]])["inputs"]
            length = int(one["attention_mask"].sum())
            alone = student.model(**one).logits[0, :length]
            assert torch.allclose(together[i, :length], alone, atol=1e-4)
