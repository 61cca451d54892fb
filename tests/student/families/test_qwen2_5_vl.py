"""What is particular to Qwen2.5-VL, and to the blocks that all Qwen models pack their patches in."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import transformers as hf
from helpers.painted import batch_of, colours, make_identity, painted
from helpers.tiny import qwen2_5_vl as tiny
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers.vision_utils import get_vision_window_index

from pseudogd.errors import InputError
from pseudogd.student.ask import generate_answers
from pseudogd.student.families.base import get_family
from pseudogd.student.families.qwen2_5_vl import Qwen25VLAdapter
from pseudogd.student.load import load_processor, load_student
from pseudogd.training.turns import TurnEncoder


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tiny.save(tmp_path_factory.mktemp("qwen2_5_vl"))


@pytest.fixture
def student(folder):
    return load_student(folder)


def adapter(depth=4, window=56, merge=2):
    vision = dict(depth=depth, window_size=window, patch_size=14, spatial_merge_size=merge)
    return Qwen25VLAdapter(hf.Qwen2_5_VLConfig(vision_config=vision))


def grid(rows, columns):
    return {"image_grid_thw": torch.tensor([[1, rows, columns]])}


def test_blocks_and_windows_in_closed_form():
    """A photo of 6 x 8 patches has 3 x 4 blocks: two windows of 2 x 2 blocks, and two of what is left below them."""
    (view,) = adapter().views((112, 84), grid(6, 8))
    assert view.grid == (6, 8) and view.is_global and view.cell == 14
    assert view.boxes[0].tolist() == [0, 0, 14, 14] and view.boxes[-1].tolist() == [98, 70, 112, 84]
    tokens = view.tokens.reshape(6, 8)
    assert tokens[:2, :2].tolist() == [[0, 1], [2, 3]]
    assert tokens[0, ::2].tolist() == [0, 4, 16, 20]  # the third block of the top row comes after a whole window
    assert tokens[2, ::2].tolist() == [8, 12, 24, 28]
    assert tokens[4, ::2].tolist() == [32, 36, 40, 44]
    (merged,) = adapter().views((112, 84), grid(6, 8), place="projector")
    assert merged.grid == (3, 4) and merged.cell == 28 and merged.tokens.tolist() == list(range(12))
    assert merged.boxes[5].tolist() == [28, 28, 56, 56]


def test_a_photo_is_squashed_by_what_its_sides_lack_of_a_multiple():
    (view,) = adapter().views((100, 90), grid(6, 8))
    assert view.boxes[-1] == pytest.approx([100 * 7 / 8, 90 * 5 / 6, 100, 90])


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 9), st.integers(1, 9), st.sampled_from([(28, 2), (56, 2), (112, 2), (84, 2), (56, 1), (112, 4)]))
def test_the_order_is_the_towers_own(rows, columns, sizes):
    window, merge = sizes
    rows, columns = rows * merge, columns * merge
    order, _ = get_vision_window_index(torch.tensor([[1, rows, columns]]), merge, window, 14)
    at = torch.arange(rows * columns).view(rows // merge, merge, columns // merge, merge).transpose(1, 2)
    cells = at.reshape(-1, merge**2)[order].flatten()  # the cell that every token of the tower shows
    (view,) = adapter(window=window, merge=merge).views((70, 50), grid(rows, columns))
    assert view.tokens.tolist() == torch.argsort(cells).tolist()


def test_rows_of_tokens_taken_as_they_come_would_be_wrong(student):
    make_identity(student)
    encoding = batch_of(student, [(150, 97)])
    (view,) = student.family.views((150, 97), encoding)
    hidden = student.family.encode(student.model, encoding).hidden_states[-1]
    x = colours(student, hidden)[:, 0].detach().numpy() * 150
    centres = view.boxes[:, ::2].mean(1)
    width = view.boxes[0, 2] - view.boxes[0, 0]
    assert (np.abs(x - centres) > width).mean() > 0.5
    assert np.abs(x[view.tokens] - centres).max() < 0.05 * width


def test_taps_of_the_real_depth_follow_the_blocks_that_see_the_whole_photo():
    family = adapter(depth=32)
    assert family.default_taps() == [index + 1 for index in family.config.vision_config.fullatt_block_indexes]
    assert family.last_read == 32


def test_pixel_limits_are_obeyed_by_their_old_names_too(tmp_path):
    few = load_student(tiny.save(tmp_path, least=28 * 28 * 4, most=28 * 28 * 12, hub_files=True))
    for size, blocks in [((800, 601), (3, 3)), ((20, 14), (2, 3)), ((100, 90), (3, 4))]:
        (view,) = few.family.views(size, few.family.encode_photo(painted(*size)), place="projector")
        assert view.grid == blocks
        assert len(few.processor(images=[[painted(*size)]], text=["<|image_pad|>"])["input_ids"][0]) == len(view.tokens)


def test_an_image_processor_for_another_tower_is_refused(folder, tmp_path):
    processor = load_processor(folder)
    for name, value in (("patch_size", 16), ("merge_size", 1), ("temporal_patch_size", 1)):
        changed = SimpleNamespace(
            image_processor=SimpleNamespace(**processor.image_processor.to_dict() | {name: value})
        )
        with pytest.raises(InputError, match=f"{name} is {value}.*made for"):
            get_family(adapter().config, changed)


def test_a_place_that_does_not_exist(student):
    with pytest.raises(ValueError, match="'merger'"):
        student.family.views((64, 64), grid(4, 4), place="merger")


def test_a_photo_that_is_too_narrow_is_said_in_one_line(student):
    strip = painted(1010, 5)
    with pytest.raises(InputError, match="1010x5 pixels: absolute aspect ratio"):
        TurnEncoder(student.processor).photo_tokens(strip)
    with pytest.raises(InputError, match="1010x5"):
        generate_answers(student, [(strip, "which is nearer ?")])
    assert len(TurnEncoder(student.processor).photo_tokens(painted(990, 5)).ids) > 1


def test_a_photo_is_encoded_once_for_all_its_questions(student):
    seen = []
    student.family.tower(student.model).register_forward_hook(lambda m, a, out: seen.append(len(out.pooler_output)))
    a, b = painted(64, 64), painted(150, 97)
    generate_answers(student, [(a, "what ?"), (b, "what ?"), (a, "which ?"), (a, "how far ?")], 2, batch_size=4)
    counts = [student.family.token_count(p.size, student.family.encode_photo(p), place="projector") for p in (a, b)]
    assert seen == [sum(counts)]


def test_settings_for_videos_outlive_loading_and_saving(folder, tmp_path):
    load_processor(folder).save_pretrained(tmp_path)
    before, after = (json.loads((f / "processor_config.json").read_text()) for f in (folder, tmp_path))
    assert after == before and after["video_processor"]["fps"] == 2
