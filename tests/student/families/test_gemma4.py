"""What is particular to Gemma 4; what every family must do is in test_every_family.py."""

import json

import numpy as np
import pytest
import torch
import transformers as hf
from helpers.painted import batch_of, painted
from helpers.tiny import gemma4

from pseudogd.errors import InputError
from pseudogd.student.ask import generate_answers
from pseudogd.student.chat import chat_text, encode_chats, user_turn
from pseudogd.student.families.base import get_family
from pseudogd.student.load import load_student
from pseudogd.student.prefix import can_share
from pseudogd.training.export import write_plain
from pseudogd.training.turns import TurnEncoder

MOST = 70 * 3 * 3
"""Patches of the largest photo, pooled by 3 x 3 to 70 tokens."""


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    return {
        name: gemma4.save(tmp_path_factory.mktemp("gemma4"), **options) for name, options in gemma4.VARIANTS.items()
    }


@pytest.fixture
def student(folders):
    return load_student(next(iter(folders.values())))


@pytest.fixture(params=list(gemma4.VARIANTS))
def every(folders, request):
    return load_student(folders[request.param])


def test_boxes_in_closed_form(student):
    # 630 patches of 8 px have the area of a photo of 284 x 142 px; sides are rounded down to multiples of 3 * 8
    encoding = student.family.encode_photo(painted(400, 200))
    (view,) = student.family.views((400, 200), encoding)
    assert view.grid == (15, 33) and view.is_global and view.cell == 8
    assert view.boxes[0] == pytest.approx([0, 0, 400 / 33, 200 / 15])
    assert view.boxes[-1] == pytest.approx([400 - 400 / 33, 200 - 200 / 15, 400, 200])
    assert view.tokens.tolist() == list(range(15 * 33))
    assert student.family.token_count((400, 200), encoding) == MOST
    (above,) = student.family.views((400, 200), encoding, place="projector")
    assert above.grid == (5, 11) and above.cell == 24
    assert above.boxes[1] == pytest.approx([400 / 11, 0, 800 / 11, 40])
    assert student.family.token_count((400, 200), encoding, place="projector") == 55


@pytest.mark.parametrize("size, grid", [((900, 12), (3, 210)), ((9, 400), (165, 3)), ((2000, 10), (3, 210))])
def test_strips_keep_one_row_of_tokens(student, size, grid):
    encoding = student.family.encode_photo(painted(*size))
    (view,) = student.family.views(size, encoding)
    assert view.grid == grid and view.boxes[-1][2:] == pytest.approx(size)
    written = batch_of(student, [size])["input_ids"] == student.family.image_token_id
    assert int(written.sum()) == student.family.token_count(size, encoding, place="projector") == np.prod(grid) // 9


def test_every_state_has_the_filling_and_the_deepest_is_not_pooled(every):
    inputs = batch_of(every, [(400, 200), (64, 64)])
    patches = inputs["pixel_values"].shape[1]
    encoded = every.family.encode(every.model, inputs)
    assert {tuple(state.shape) for state in encoded.hidden_states} == {(2, patches, every.family.tower_width)}
    assert len(encoded.tokens) == int((inputs["input_ids"] == every.family.image_token_id).sum())
    assert not every.family.tower(every.model).encoder._forward_hooks
    # the deepest state leads to the tokens: pooled and projected, it is them
    last = encoded.hidden_states[-1][0]
    (below,), (above,) = (every.family.views((400, 200), inputs, 0, place) for place in ("encoder", "projector"))
    pooled = above.cell // below.cell
    blocks = last[: len(below.tokens)].unflatten(0, below.grid).unfold(0, pooled, pooled).unfold(1, pooled, pooled)
    mean = blocks.mean((-1, -2)).flatten(0, 1) * every.family.tower_width**0.5
    want = every.family.projector(every.model)(inputs_embeds=mean)
    torch.testing.assert_close(encoded.tokens[: len(above.tokens)], want, rtol=1e-4, atol=1e-5)


def test_a_photo_taken_as_it_is(student):
    """Sides that are multiples of a pooled cell need no resizing; others cannot be pooled, and that is said."""
    student.processor.image_processor.do_resize = False
    (view,) = student.family.views((72, 48), student.family.encode_photo(painted(72, 48)))
    assert view.grid == (6, 9) and view.boxes[0].tolist() == [0, 0, 8, 8]
    with pytest.raises(InputError, match=r"8x6 patches of a photo of 64x48.*pool by 3x3.*do_resize"):
        student.family.views((64, 48), student.family.encode_photo(painted(64, 48)))


def test_a_processor_that_pools_otherwise_is_refused(student):
    student.processor.image_processor.pooling_kernel_size = 2
    encoding = student.family.encode_photo(painted(64, 64))
    with pytest.raises(InputError, match="pooling_kernel_size=3"):
        student.family.views((64, 64), encoding)


def test_more_tokens_a_photo_where_the_settings_say_so(student):
    student.processor.image_processor.max_soft_tokens = 140
    encoding = student.family.encode_photo(painted(400, 200))
    (view,) = student.family.views((400, 200), encoding)
    assert view.grid == (24, 48) and student.family.token_count((400, 200), encoding) == 2 * MOST


def test_who_sees_photos_in_both_directions(folders):
    small, large = (load_student(folders[name]) for name in list(gemma4.VARIANTS)[:2])
    assert small.family.shares_prefix and not large.family.shares_prefix
    assert not can_share(small) and not can_share(large)  # its caches slide


def test_answers_with_shared_photos_are_the_models_own(every):
    photos = [painted(150, 60), painted(64, 64)]
    items = [(photos[i % 2], f"which is nearer , {i} ?") for i in range(5)]
    own = []
    for photo, question in items:
        text = chat_text(every.processor, [user_turn(question)], ask=True)
        inputs = encode_chats(every.processor, [text], [photo])
        out = every.model.generate(**inputs, max_new_tokens=4, do_sample=False)
        new = out[0, inputs["input_ids"].shape[1] :]
        own.append(every.processor.tokenizer.decode(new, skip_special_tokens=True).strip())
    assert generate_answers(every, items, max_new_tokens=4) == own
    assert len(set(own)) > 1


def test_answers_are_learnt_after_the_empty_thought_that_asks_for_them(folders):
    processor = load_student(folders["large, opens with an empty thought"]).processor
    answer = {"role": "assistant", "content": [{"type": "text", "text": "2 m"}]}
    chats = [(user_turn("how far is the table ?"), answer), (user_turn("which is nearer ?"), answer)]
    ends = [processor.tokenizer.convert_tokens_to_ids("<turn|>")]
    tokens = TurnEncoder(processor, ends, "<|image|>").chat(chats)
    asked = "<|turn>model\n<|channel>thought\n<channel|>"
    text = processor.tokenizer.decode(tokens.ids)
    assert text.count(asked) == 2 and text.count("<|channel>") == 2
    assert text.startswith(chat_text(processor, [chats[0][0]], ask=True))
    assert processor.tokenizer.decode(tokens.ids[tokens.learn]) == "2 m<turn|>2 m<turn|>"


def test_settings_of_sounds_and_videos_leave_with_the_model(student, folders, tmp_path):
    write_plain(student.model, student.processor, tmp_path, "card")
    before, after = (
        json.loads((folder / "processor_config.json").read_text())
        for folder in (next(iter(folders.values())), tmp_path)
    )
    assert after == before
    assert after["feature_extractor"] == gemma4.AUDIO and after["video_processor"] == gemma4.VIDEO


def test_one_without_a_tower_is_refused():
    text = hf.Gemma4TextConfig(num_hidden_layers=2)
    with pytest.raises(InputError, match="no vision tower"):
        get_family(hf.Gemma4Config(text_config=text, vision_config=None, audio_config=None))
