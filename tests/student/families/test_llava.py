"""What is particular to LLaVA; what every family must do is in test_every_family.py."""

from types import SimpleNamespace

import pytest
import torch
import transformers as hf
from helpers.painted import make_identity, painted, worst_error
from helpers.tiny.llava import SIZES
from helpers.tiny_llava import save_tiny_llava, tiny_tokenizer
from torch import nn

from pseudogd.errors import InputError, PseudoGDError
from pseudogd.student.families.base import adapters, get_family, grid_boxes
from pseudogd.student.families.llava import LlavaAdapter
from pseudogd.student.load import load_student


def test_a_crop_that_pads_and_a_processor_that_pads_to_a_square(tmp_path):
    student = load_student(save_tiny_llava(tmp_path, tower="clip"))
    make_identity(student)
    student.processor.image_processor = hf.CLIPImageProcessorPil(
        size={"shortest_edge": 41}, crop_size={"height": 56, "width": 56}
    )
    worst, compared = worst_error(student, SIZES)
    assert worst < 0.05 and compared > 50
    student.processor.image_processor = hf.LlavaImageProcessorPil(
        size={"shortest_edge": 56}, crop_size={"height": 56, "width": 56}, do_pad=True
    )
    worst, compared = worst_error(student, [(150, 97), (97, 150), (64, 64), (200, 160)])
    assert worst < 0.05 and compared > 50


def test_centre_crop_boxes_in_closed_form(clip_folder):
    student = load_student(clip_folder)
    encoding = {"pixel_values": torch.zeros(1, 3, 56, 56)}
    (view,) = student.family.views((112, 56), encoding)
    assert view.grid == (4, 4) and view.is_global
    assert view.boxes[0].tolist() == [28, 0, 42, 14] and view.boxes[-1].tolist() == [70, 42, 84, 56]
    assert view.tokens.tolist() == list(range(1, 17))


def test_views_of_the_projector_index_what_the_language_model_reads(clip_folder, siglip_folder):
    for folder in (clip_folder, siglip_folder):
        student = load_student(folder)
        encoding = student.processor(images=[painted(90, 70)] * 2, text=["<image>"] * 2, return_tensors="pt")
        encoded = student.family.encode(student.model, encoding)
        tower_state = encoded.hidden_states[student.family.last_read]
        (a,) = student.family.views((90, 70), encoding, 1)
        (b,) = student.family.views((90, 70), encoding, 1, place="projector")
        sizes = [(90, 70)] * 2
        at_tower = student.family.token_offsets(sizes, encoding)[1] + torch.from_numpy(a.tokens)
        at_text = student.family.token_offsets(sizes, encoding, "projector")[1] + torch.from_numpy(b.tokens)
        want = student.family.projector(student.model)(tower_state.reshape(-1, tower_state.shape[-1])[at_tower])
        assert torch.allclose(encoded.tokens[at_text], want, atol=1e-6)


def test_only_unused_parameters_get_no_gradient(clip_folder, siglip_folder, tmp_path):
    deep = save_tiny_llava(tmp_path, tower="siglip", layer=-3)
    for folder in (clip_folder, siglip_folder, deep):
        student = load_student(folder)
        encoding = student.processor(images=[painted(90, 70)], text=["<image> which is nearer"], return_tensors="pt")
        student.model(**encoding).logits.square().mean().backward()
        silent = {n for n, p in student.model.named_parameters() if p.grad is None}
        assert set(student.family.unused_parameters(student.model)) == silent
        assert len(silent) > 0


def test_lora_pattern_takes_the_linears_of_the_blocks_and_nothing_else(clip_folder, siglip_folder):
    import re

    for folder in (clip_folder, siglip_folder):
        student = load_student(folder)
        tower = student.family.tower(student.model)
        blocks = {m for m in tower.encoder.layers.modules() if isinstance(m, nn.Linear)}
        hit = {m for n, m in student.model.named_modules() if re.fullmatch(student.family.lora_pattern, n)}
        assert hit == blocks and len(blocks) == 4 * 6


@pytest.mark.parametrize(
    "depth, layer, want",
    [(24, -2, [6, 12, 17, 23]), (4, -2, [1, 2, 3]), (4, -1, [1, 2, 3, 4]), (27, -1, [7, 14, 20, 27]), (2, -2, [1])],
)
def test_default_taps(depth, layer, want):
    config = hf.LlavaConfig(
        vision_config=hf.CLIPVisionConfig(num_hidden_layers=depth),
        vision_feature_layer=layer,
    )
    taps = LlavaAdapter(config).default_taps()
    assert taps == want
    assert max(taps) <= LlavaAdapter(config).last_read


def test_several_read_layers():
    config = hf.LlavaConfig(vision_config=hf.CLIPVisionConfig(num_hidden_layers=8), vision_feature_layer=[-5, 6, -8])
    assert LlavaAdapter(config).last_read == 6


def test_unknown_families_are_named_with_the_known():
    assert "llava" in adapters()
    with pytest.raises(InputError, match=r"'paintbox'.*llava"):
        get_family(SimpleNamespace(model_type="paintbox"))


def test_what_llava_cannot_follow_is_said():
    with pytest.raises(InputError, match="pixtral"):
        get_family(hf.LlavaConfig(vision_config=hf.PixtralVisionConfig()))
    siglip = hf.SiglipVisionConfig()
    with pytest.raises(InputError, match="class token"):
        get_family(hf.LlavaConfig(vision_config=siglip, vision_feature_select_strategy="default"))
    config = hf.LlavaConfig(vision_config=hf.CLIPVisionConfig(image_size=56, patch_size=14))
    odd = hf.CLIPImageProcessorPil(size={"shortest_edge": 20, "longest_edge": 56}, do_center_crop=False)
    family = get_family(config, SimpleNamespace(image_processor=odd, tokenizer=tiny_tokenizer()))
    with pytest.raises(PseudoGDError, match="shortest_edge"):
        family.views((80, 60), {"pixel_values": torch.zeros(1, 3, 56, 56)})
    plain = hf.CLIPImageProcessorPil(size={"shortest_edge": 56}, crop_size={"height": 56, "width": 56})
    family = get_family(config, SimpleNamespace(image_processor=plain))
    with pytest.raises(PseudoGDError, match="70x70"):
        family.views((80, 60), {"pixel_values": torch.zeros(1, 3, 70, 70)})


def test_grid_boxes_tile_the_photo():
    boxes = grid_boxes((2, 3), 10, (4.0, 2.0))
    assert boxes.shape == (6, 4)
    assert boxes[0].tolist() == [0, 0, 40, 20] and boxes[-1].tolist() == [80, 20, 120, 40]
    assert ((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])).sum() == 120 * 40
