"""What is particular to Idefics3 and to SmolVLM, which read photos alike; the rest is in test_every_family.py."""

from types import SimpleNamespace

import pytest
import torch
import transformers as hf
from helpers.painted import painted
from helpers.tiny import FAMILIES
from PIL import Image

from pseudogd.errors import InputError
from pseudogd.student.ask import generate_answers
from pseudogd.student.families.base import get_family
from pseudogd.student.families.idefics3 import Idefics3Adapter
from pseudogd.student.families.smolvlm import SmolVLMAdapter
from pseudogd.student.load import load_student


@pytest.fixture(scope="module", params=["idefics3", "smolvlm"])
def student(request, tmp_path_factory):
    return load_student(
        FAMILIES[request.param].save(tmp_path_factory.mktemp(request.param), side=56, patch=14, factor=2)
    )


def family_of(config=None, **settings):
    """An adapter whose image processor has these settings; 364-pixel tiles of 26 x 26 patches, joined 2 x 2."""
    vision = dict(image_size=364, patch_size=14, num_hidden_layers=27, hidden_size=1152)
    config = hf.Idefics3Config(vision_config=vision, scale_factor=2, **config or {})
    ip = hf.Idefics3ImageProcessorPil(**{"size": {"longest_edge": 4 * 364}, **settings})
    return get_family(config, SimpleNamespace(image_processor=ip))


def encoding(side, tiles=1):
    return {"pixel_values": torch.zeros(1, tiles, 3, side, side)}


def test_tiles_and_the_whole_in_closed_form():
    family = family_of()
    # 800x400 -> 1456x728 -> 4 x 2 tiles of 364: the canvas has the photo's own shape
    views = family.views((800, 400), encoding(364))
    assert [v.name for v in views] == [*(f"tile {r},{c}" for r in range(2) for c in range(4)), "whole"]
    assert [v.is_global for v in views] == [False] * 8 + [True]
    assert all(v.grid == (26, 26) and v.cell == 14 for v in views)
    last_tile, whole = views[7], views[8]
    cell = 14 * 800 / 1456
    assert last_tile.boxes[0] == pytest.approx([600, 200, 600 + cell, 200 + cell])
    assert last_tile.boxes[-1] == pytest.approx([800 - cell, 400 - cell, 800, 400])
    assert whole.boxes[0] == pytest.approx([0, 0, 800 / 26, 400 / 26])
    assert last_tile.tokens[0] == 7 * 676 and whole.tokens.tolist() == list(range(8 * 676, 9 * 676))
    assert family.token_count((800, 400), encoding(364)) == 9 * 676
    joined = family.views((800, 400), encoding(364), place="projector")
    assert joined[7].grid == (13, 13) and joined[7].cell == 28 and joined[7].tokens[0] == 7 * 169
    assert joined[7].boxes[0] == pytest.approx([600, 200, 600 + 2 * cell, 200 + 2 * cell])
    assert family.token_count((800, 400), encoding(364), place="projector") == 9 * 169


def test_a_canvas_of_another_shape_than_the_photo_squashes_it():
    # 300x100 -> 1456x486 -> 4 x 2 tiles, so that 486 rows are stretched to 728
    tile = family_of().views((300, 100), encoding(364))[4]
    assert tile.name == "tile 1,0"
    assert tile.boxes[0] == pytest.approx([0, 50, 75 / 26, 50 + 50 / 26])


def test_a_photo_that_fits_one_tile_is_one_view_and_so_is_every_photo_without_splitting():
    own_size, unsplit = family_of(do_resize=False), family_of(do_image_splitting=False)
    for family, size in ((own_size, (300, 200)), (own_size, (364, 364)), (unsplit, (5000, 100))):
        (view,) = family.views(size, encoding(364))
        assert view.is_global and view.boxes[-1, 2:] == pytest.approx(size)
    assert len(own_size.views((365, 364), encoding(364))) == 2 * 2 + 1


@pytest.mark.parametrize("tall", [False, True])
def test_a_side_is_never_larger_than_the_processors_own_bound(tall):
    family = family_of(size={"longest_edge": 20 * 364})
    views = family.views((100, 1000) if tall else (1000, 100), encoding(364))
    assert len(views) == 12 * 2 + 1  # 4096 x 409 pixels, each side up to a multiple of 364


@pytest.mark.parametrize(
    "settings, config, words",
    [
        (dict(size={"shortest_edge": 364}), {}, "shortest_edge"),
        (dict(max_image_size={"longest_edge": 378}), {}, "multiple of 28"),
    ],
)
def test_settings_that_cannot_be_followed_are_named(settings, config, words):
    with pytest.raises(InputError, match=words):
        family_of(config, **settings).views((800, 400), encoding(364))


def test_a_processor_that_writes_another_number_of_tokens_is_noticed(student, monkeypatch):
    monkeypatch.setattr(student.processor, "image_seq_len", 9)
    with pytest.raises(InputError, match=r"writes 9 tokens for a tile of 56 pixels.*set image_seq_len=4"):
        student.family.views((80, 60), encoding(56))


def test_a_processor_that_does_something_else_is_noticed(student):
    with pytest.raises(InputError, match="64x64 pixels where its settings say 56x56"):
        student.family.views((80, 60), encoding(64))

    class Halved(type(student.processor.image_processor)):
        def split_images(self, image, **kwargs):
            frames, rows, cols = super().split_images(image, **kwargs)
            return frames[1:], rows, cols

    plain = student.processor.image_processor
    try:
        student.processor.image_processor = Halved(**plain.to_dict())
        with pytest.raises(InputError, match="made 6 tiles of a 150x97 photo where its settings say 7: Halved"):
            student.family.encode_photo(painted(150, 97))
    finally:
        student.processor.image_processor = plain


def test_black_tiles_that_the_model_would_drop_are_refused(student):
    black = Image.new("RGB", (150, 97))
    student.family.encode_photo(black)
    plain = student.processor.image_processor
    try:
        student.processor.image_processor = type(plain)(**{**plain.to_dict(), "do_normalize": False})
        with pytest.raises(InputError, match="do_normalize=true"):
            student.family.encode_photo(black)
    finally:
        student.processor.image_processor = plain


@torch.no_grad()
def test_filling_of_photos_with_fewer_tiles_is_dropped_by_the_model(student):
    photos = [student.family.encode_photo(painted(*size)) for size in ((311, 97), (72, 72), (30, 200))]
    together = student.family.collate_pixels(photos)
    assert together["pixel_values"].shape[:2] == (3, 10)
    assert (together["pixel_attention_mask"].flatten(2).amax(-1).sum(1)).tolist() == [4, 10, 4]
    apart = [student.family.encode(student.model, photo).tokens for photo in photos]
    got = student.family.encode(student.model, together).tokens
    assert torch.allclose(got, torch.cat(apart), atol=1e-5)


def test_questions_about_one_photo_read_it_once(student):
    squares = []
    hook = student.family.tower(student.model).register_forward_pre_hook(
        lambda _, args, kwargs: squares.append(len(kwargs["pixel_values"])), with_kwargs=True
    )
    photos = [painted(150, 97), painted(72, 72)]
    items = [(photos[i], f"how far is the table {i} {j} ?") for i in (0, 1) for j in range(3)]
    shared = generate_answers(student, items, max_new_tokens=3)
    hook.remove()
    assert squares == [7 + 10]
    assert shared == [generate_answers(student, [item], max_new_tokens=3)[0] for item in items]


def test_adapters_go_by_the_name_in_the_config():
    assert isinstance(get_family(hf.Idefics3Config()), Idefics3Adapter)
    assert isinstance(get_family(hf.SmolVLMConfig()), SmolVLMAdapter)
    family = get_family(hf.SmolVLMConfig(vision_config=dict(num_hidden_layers=27)))
    assert family.default_taps() == [7, 14, 20, 27] and family.unused_parameters(None) == []
