"""Batches: what a token sees, where it stands, and that packing turns together changes no loss."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from pseudogd.errors import InputError
from pseudogd.student.batch import PhotoTargets
from pseudogd.student.families.base import joined
from pseudogd.student.load import load_student
from pseudogd.training.collator import LENGTH_STEP, JointCollator, turn_mask, turn_positions
from pseudogd.training.rows import Row
from pseudogd.training.tokens import Tokens
from pseudogd.training.turns import TurnEncoder

turns = st.lists(st.integers(1, 4), min_size=1, max_size=5).map(
    lambda sizes: np.repeat(np.arange(len(sizes)), sizes).astype(np.int16)
)


@given(turns, st.integers(0, 3))
def test_a_token_sees_itself_the_shared_part_and_its_own_turn(turn, filling):
    padded = np.concatenate([turn, np.full(filling, -1, np.int16)])
    mask = turn_mask(torch.from_numpy(padded)[None], torch.float32)[0, 0]
    for i in range(len(padded)):
        for j in range(len(padded)):
            sees = j <= i and (padded[j] == padded[i] or padded[j] == 0)
            assert (mask[i, j] == 0) == sees
            assert sees or mask[i, j] == float("-inf")


@given(turns)
def test_every_turn_stands_where_it_would_stand_alone(turn):
    positions = turn_positions(turn)
    for k in range(1, turn.max() + 1):
        assert positions[(turn == 0) | (turn == k)].tolist() == list(range(int(((turn == 0) | (turn == k)).sum())))


@pytest.fixture(scope="module")
def student(student_path):
    return load_student(student_path)


class OnePhoto:
    """Every photo is the same picture, without targets."""

    def __init__(self, student):
        picture = Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8))
        self.family = student.family
        self.pixels = student.family.encode_photo(picture)
        self.targets = PhotoTargets([], 0)

    def __getitem__(self, image_id):
        return self


EXCHANGES = [
    (
        {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": question}]},
        {"role": "assistant", "content": [{"type": "text", "text": answer}]},
    )
    for question, answer in [
        ("which is nearer ?\nA. chair\nB. sofa", "B"),
        ("how far is the table from the camera ?", "2.4 m"),
        ("how far ?", "yes"),
    ]
]


def row(student, tokens: Tokens) -> Row:
    encoder = TurnEncoder(student.processor)
    photo = encoder.photo_tokens(Image.new("RGB", (64, 64)))
    at = int(np.argmax(tokens.ids == encoder.image_id))
    spread = [1] * len(tokens.ids)
    spread[at] = len(photo.ids)
    return Row(
        ("x",),
        np.repeat(tokens.ids, spread).astype(np.int64),
        np.repeat(tokens.learn, spread),
        np.repeat(tokens.turn, spread),
    )


def losses(student, rows, isolated):
    """Loss of every label token of a batch, row by row."""
    collator = JointCollator(OnePhoto(student), 0, isolated, geometry=False)
    inputs = collator(rows)["inputs"]
    labels = inputs.pop("labels")
    with torch.no_grad():
        logits = student.model(**inputs).logits
    each = torch.nn.functional.cross_entropy(logits[:, :-1].transpose(1, 2), labels[:, 1:], reduction="none")
    return [each[i][labels[i, 1:] != -100] for i in range(len(rows))]


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_isolated_turns_cost_what_they_cost_alone(student, attention):
    encoder = TurnEncoder(student.processor)
    student.model.set_attn_implementation(attention)
    packed = losses(student, [row(student, encoder.isolated(EXCHANGES))], isolated=True)[0]
    alone = torch.cat([losses(student, [row(student, encoder.chat([e]))], isolated=False)[0] for e in EXCHANGES])
    assert len(packed) == len(alone) > 5
    assert torch.allclose(packed, alone, atol=1e-4)
    chat = losses(student, [row(student, encoder.chat(EXCHANGES))], isolated=False)[0]
    assert len(chat) == len(alone) and not torch.allclose(chat, alone, atol=1e-2)


@pytest.mark.parametrize("isolated", [True, False])
def test_filling_changes_no_loss(student, isolated):
    encoder = TurnEncoder(student.processor)
    write = encoder.isolated if isolated else encoder.chat
    rows = [row(student, write(EXCHANGES)), row(student, write(EXCHANGES[2:]))]
    together = losses(student, rows, isolated)
    for one, alone in zip(together, rows):
        assert torch.allclose(one, losses(student, [alone], isolated)[0], atol=1e-4)


@pytest.mark.parametrize("length", [1, LENGTH_STEP, LENGTH_STEP + 1])
def test_rows_come_in_few_lengths_and_filling_is_not_learnt(length):
    ids = np.full(length, 7, np.int64)
    only = Row(("a",), ids, np.ones(length, np.bool_), np.zeros(length, np.int16))
    text = JointCollator({}, pad_id=0, isolated=True, geometry=False).text([only])
    filled = -(-length // LENGTH_STEP) * LENGTH_STEP
    assert text["input_ids"].shape == text["labels"].shape == (1, filled)
    assert (text["labels"] == -100).sum() == (text["input_ids"] == 0).sum() == filled - length


def test_labels_are_the_answers_alone(student):
    encoder = TurnEncoder(student.processor)
    collator = JointCollator(OnePhoto(student), 0, True, geometry=False)
    inputs = collator.text([row(student, encoder.isolated(EXCHANGES)), row(student, encoder.isolated(EXCHANGES[:1]))])
    labels, ids = inputs["labels"], inputs["input_ids"]
    assert (labels[labels != -100] == ids[labels != -100]).all()
    assert not (labels == encoder.image_id).any()
    assert student.processor.tokenizer.decode(labels[1][labels[1] != -100]).split() == ["B", "</s>"]


def test_pixels_of_different_shapes_are_refused_with_a_mend():
    with pytest.raises(InputError, match=r"optim\.batch_size=1"):
        joined([torch.zeros(1, 3, 4, 4), torch.zeros(1, 3, 4, 5)], "pixel_values")
