"""What is particular to Qwen2-VL; the rest is said of Qwen2.5-VL in test_qwen2_5_vl.py."""

import torch
import transformers as hf
from helpers.tiny import qwen2_vl as tiny

from pseudogd.student.families.qwen2_vl import Qwen2VLAdapter
from pseudogd.student.load import load_student


def test_blocks_come_row_by_row_and_patches_block_by_block():
    family = Qwen2VLAdapter(hf.Qwen2VLConfig())
    encoding = {"image_grid_thw": torch.tensor([[1, 2, 2], [1, 4, 6]])}
    (view,) = family.views((84, 56), encoding, 1)
    assert view.tokens.reshape(4, 6).tolist() == [
        [0, 1, 4, 5, 8, 9],
        [2, 3, 6, 7, 10, 11],
        [12, 13, 16, 17, 20, 21],
        [14, 15, 18, 19, 22, 23],
    ]
    sizes = [(28, 28), (84, 56)]
    assert family.token_offsets(sizes, encoding).tolist() == [0, 4]
    assert family.token_offsets(sizes, encoding, "projector").tolist() == [0, 1]


def test_the_config_calls_the_projectors_width_hidden_size(tmp_path):
    family = Qwen2VLAdapter(hf.Qwen2VLConfig())
    assert (family.tower_width, family.config.vision_config.hidden_size) == (1280, 3584)
    assert family.default_taps() == [8, 16, 24, 32]
    student = load_student(tiny.save(tmp_path))
    assert (student.family.tap_width("encoder"), student.family.tap_width("projector")) == (40, 32)
