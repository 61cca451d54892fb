"""What is particular to InternVL; what every family must do is in test_every_family.py."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
import transformers as hf
from helpers.painted import batch_of, painted
from helpers.tiny.internvl import save
from hypothesis import given, settings
from hypothesis import strategies as st

from pseudogd.errors import InputError
from pseudogd.student.ask import generate_answers
from pseudogd.student.families.base import get_family
from pseudogd.student.families.internvl import _canvas
from pseudogd.student.load import load_student

CROPS = {"crop_to_patches": True}


@pytest.fixture(scope="module")
def student(tmp_path_factory):
    return load_student(save(tmp_path_factory.mktemp("internvl")))


def family_of(config=None, forced=CROPS, **settings):
    """An adapter of a real size: 448-pixel tiles of 32 x 32 patches, joined 2 x 2; the image processor's settings."""
    ip = hf.GotOcr2ImageProcessorPil(**{"size": {"height": 448, "width": 448}, **settings})
    return get_family(hf.InternVLConfig(**config or {}), SimpleNamespace(image_processor=ip, images_kwargs=forced))


def encoding(side=448, tiles=1):
    return {"pixel_values": torch.zeros(tiles, 3, side, side)}


def test_tiles_and_the_whole_in_closed_form():
    family = family_of()
    views = family.views((1200, 800), encoding())  # 3:2, of which 3 x 2 is the largest canvas of up to 12 tiles
    assert [v.name for v in views] == [*(f"tile {r},{c}" for r in range(2) for c in range(3)), "whole"]
    assert [v.is_global for v in views] == [False] * 6 + [True]
    assert all(v.grid == (32, 32) and v.cell == 14 for v in views)
    assert views[5].boxes[0] == pytest.approx([800, 400, 812.5, 412.5])
    assert views[5].boxes[-1] == pytest.approx([1187.5, 787.5, 1200, 800])
    assert views[6].boxes[0] == pytest.approx([0, 0, 37.5, 25])
    with_class = 1 + 32 * 32
    assert views[5].tokens.tolist() == list(range(5 * with_class + 1, 6 * with_class))
    assert family.token_count((1200, 800), encoding()) == 7 * with_class
    joined = family.views((1200, 800), encoding(), place="projector")
    assert joined[5].grid == (16, 16) and joined[5].cell == 28 and joined[5].tokens[0] == 5 * 256
    assert joined[5].boxes[0] == pytest.approx([800, 400, 825, 425])
    assert family.token_count((1200, 800), encoding(), place="projector") == 7 * 256


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 3000), st.integers(1, 3000), st.integers(1, 4), st.integers(1, 13))
def test_the_canvas_is_the_librarys(width, height, fewest, most):
    from transformers.models.got_ocr2.image_processing_pil_got_ocr2 import get_optimal_tiled_canvas

    cols, rows = get_optimal_tiled_canvas((height, width), (448, 448), fewest, most)
    assert _canvas((width, height), 448, fewest, most) == (rows, cols)


def test_of_two_canvases_of_the_photos_shape_a_large_photo_gets_the_larger():
    family = family_of()
    assert len(family.views((448, 448), encoding())) == 1
    assert len(family.views((800, 800), encoding())) == 2 * 2 + 1
    assert len(family.views((1400, 1400), encoding())) == 3 * 3 + 1


def test_the_processor_asks_for_tiles_whatever_the_image_processor_says(student):
    assert student.processor.image_processor.crop_to_patches is False
    assert len(batch_of(student, [(150, 97)])["pixel_values"]) == 7
    assert student.family.tiling((150, 97)).images == 7
    try:
        student.processor.images_kwargs = {"crop_to_patches": False}
        assert len(batch_of(student, [(150, 97)])["pixel_values"]) == 1
        assert student.family.tiling((150, 97)).images == 1
    finally:
        del student.processor.images_kwargs
    assert len(family_of(forced={}).views((1200, 800), encoding())) == 1


@pytest.mark.parametrize(
    "config, words",
    [
        (dict(vision_feature_layer=[-2, -1]), "one layer"),
        (dict(vision_feature_select_strategy="full"), "'default'"),
        (dict(vision_config=hf.InternVLVisionConfig(patch_size=[14, 16])), "square"),
    ],
)
def test_configs_that_the_model_cannot_run_are_refused(config, words):
    with pytest.raises(InputError, match=words):
        family_of(config)


@pytest.mark.parametrize(
    "changes, words",
    [
        (dict(size={"height": 448, "width": 336}), "must be the same"),
        (dict(size={"height": 462, "width": 462}), "33 patches of 14 wide.*multiple of 28"),
        (dict(forced={}, do_resize=False), "do_resize=false"),
    ],
)
def test_settings_that_cannot_be_followed_are_named(changes, words):
    with pytest.raises(InputError, match=words):
        family_of(**changes).views((800, 400), encoding())


def test_a_processor_that_writes_another_number_of_tokens_is_noticed(student, monkeypatch):
    monkeypatch.setattr(student.processor, "image_seq_length", 9)
    with pytest.raises(InputError, match=r"writes 9 tokens for a tile of 56 pixels.*set image_seq_length=4"):
        student.family.views((80, 60), encoding(56))


def test_a_processor_that_does_something_else_is_noticed(student):
    with pytest.raises(InputError, match="64x64 pixels where its settings say 56x56"):
        student.family.views((80, 60), encoding(64))

    class WithoutWhole(hf.GotOcr2ImageProcessorPil):
        def crop_image_to_patches(self, *args, **kwargs):
            return super().crop_image_to_patches(*args, **kwargs, use_thumbnail=False)

    plain = student.processor.image_processor
    try:
        student.processor.image_processor = WithoutWhole(**plain.to_dict())
        with pytest.raises(InputError, match="made 6 tiles of a 150x97 photo where its settings say 7: WithoutWhole"):
            student.family.encode_photo(painted(150, 97))
    finally:
        student.processor.image_processor = plain


def test_class_tokens_are_in_no_view(student):
    sizes = [(150, 97), (72, 72)]
    inputs = batch_of(student, sizes)
    offsets = student.family.token_offsets(sizes, inputs)
    seen = np.concatenate(
        [v.tokens + offsets[i] for i, size in enumerate(sizes) for v in student.family.views(size, inputs, i)]
    )
    everything = np.arange(8 * 17)
    assert sorted(set(everything) - set(seen)) == list(range(0, 8 * 17, 17)) and len(set(seen)) == len(seen)


@torch.no_grad()
def test_photos_of_a_batch_are_told_apart_by_their_prompts(student):
    sizes = [(150, 97), (72, 72), (311, 97)]
    inputs = batch_of(student, sizes)
    apart = [student.family.encode(student.model, batch_of(student, [size])).tokens for size in sizes]
    distinct = student.family.encode_distinct(student.model, inputs, [0, 2])
    assert torch.allclose(distinct.tokens, torch.cat([apart[0], apart[2]]), atol=1e-5)
    again = student.family.repeated(distinct, [1, 0, 1])
    assert torch.allclose(again.tokens, torch.cat([apart[2], apart[0], apart[2]]), atol=1e-5)


def test_questions_about_one_photo_read_it_once(student):
    tiles = []
    hook = student.family.tower(student.model).register_forward_pre_hook(
        lambda _, args, kwargs: tiles.append(len(kwargs["pixel_values"])), with_kwargs=True
    )
    photos = [painted(150, 97), painted(72, 72)]
    items = [(photos[i], f"how far is the table {i} {j} ?") for i in (0, 1) for j in range(3)]
    shared = generate_answers(student, items, max_new_tokens=3)
    hook.remove()
    assert tiles == [7 + 1]
    assert shared == [generate_answers(student, [item], max_new_tokens=3)[0] for item in items]


@pytest.mark.parametrize(
    "layer, last, taps", [(-1, 24, [6, 12, 18, 24]), (-4, 21, [6, 11, 16, 21]), (9, 9, [6, 7, 8, 9])]
)
def test_taps_are_never_deeper_than_the_layer_that_is_read(layer, last, taps):
    family = family_of(dict(vision_feature_layer=layer))
    assert family.last_read == last and family.default_taps() == taps
