"""What is particular to LLaVA-NeXT; what every family must do is in test_every_family.py."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
import transformers as hf
from helpers.painted import batch_of, blocks_of, make_identity, painted, worst_error
from helpers.tiny.llava_next import SIZES, VARIANTS, save
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from pseudogd.errors import InputError
from pseudogd.student.ask import generate_answers
from pseudogd.student.families.base import get_family
from pseudogd.student.load import load_student


@pytest.fixture(scope="module")
def student(tmp_path_factory):
    return load_student(save(tmp_path_factory.mktemp("next")))


def views(student, size, place="encoder"):
    return student.family.views(size, batch_of(student, [size]), 0, place)


def test_base_view_and_tiles_in_closed_form(student):
    base, left, right = views(student, (112, 56))
    assert [v.name for v in (base, left, right)] == ["whole, squashed", "tile 0,0", "tile 0,1"]
    assert [v.is_global for v in (base, left, right)] == [True, False, False]
    assert base.boxes[0].tolist() == [0, 0, 28, 14] and base.boxes[-1].tolist() == [84, 42, 112, 56]
    assert left.boxes[0].tolist() == [0, 0, 14, 14] and left.boxes[-1].tolist() == [42, 42, 56, 56]
    assert right.boxes[0].tolist() == [56, 0, 70, 14] and right.boxes[-1].tolist() == [98, 42, 112, 56]
    for number, view in enumerate((base, left, right)):
        assert view.tokens.tolist() == list(range(17 * number + 1, 17 * number + 17))
        assert view.grid == (4, 4) and view.cell == 14


def test_padding_is_half_on_either_side_and_the_model_drops_whole_cells_of_it(student):
    _, left, _ = views(student, (112, 40))  # on a canvas of 112 x 56: 8 rows of padding above and below
    assert left.boxes[0].tolist() == [0, -8, 14, 6] and left.boxes[-1].tolist() == [42, 34, 56, 48]
    base, canvas = views(student, (112, 40), "projector")
    assert base.tokens.tolist() == list(range(16))
    assert canvas.grid == (2, 8) and not canvas.is_global
    assert canvas.boxes[0].tolist() == [0, 6, 14, 20] and canvas.boxes[-1].tolist() == [98, 20, 112, 34]
    # a line end after every row of eight
    assert canvas.tokens.tolist() == [*range(16, 24), *range(25, 33)]
    assert student.family.token_count((112, 40), batch_of(student, [(112, 40)]), 0, "projector") == 16 + 2 * 9


@pytest.mark.parametrize("variant", [v for v in VARIANTS if "several" not in v])
def test_what_language_reads_comes_from_where_the_views_say(variant, tmp_path):
    student = load_student(save(tmp_path, **VARIANTS[variant]))
    make_identity(student)
    student.model.model.multi_modal_projector = nn.Identity()
    worst, compared = worst_error(student, SIZES, place="projector")
    assert worst < 0.05 and compared > 50


@pytest.mark.parametrize("variant", VARIANTS)
def test_tokens_of_no_view_are_line_ends(variant, tmp_path):
    student = load_student(save(tmp_path, **VARIANTS[variant]))
    encoding = batch_of(student, SIZES)
    tokens = student.family.encode(student.model, encoding).tokens
    offsets = student.family.token_offsets(SIZES, encoding, "projector")
    seen = np.zeros(len(tokens), int)
    for i, size in enumerate(SIZES):
        for view in student.family.views(size, encoding, i, "projector"):
            seen[view.tokens + offsets[i]] += 1
    assert seen.max() == 1
    ends = (tokens == student.model.model.image_newline).all(-1).numpy()
    assert (ends == (seen == 0)).all() and ends.any()


def test_tiles_of_padding_alone_have_no_view(tmp_path):
    student = load_student(save(tmp_path, pinpoints=[(3, 3)]))
    found = views(student, (300, 60))
    assert [v.name for v in found] == ["whole, squashed", "tile 1,0", "tile 1,1", "tile 1,2"]
    assert found[1].tokens[0] == 4 * 17 + 1
    assert student.family.token_count((300, 60), batch_of(student, [(300, 60)])) == 10 * 17


def test_of_a_photo_that_is_thinner_than_a_cell_language_reads_the_base_view_alone(student):
    encoding = batch_of(student, [(1, 400)])
    with torch.no_grad():
        tokens = student.family.encode(student.model, encoding).tokens
    (base,) = student.family.views((1, 400), encoding, 0, "projector")
    assert len(base.tokens) == 16
    assert student.family.token_count((1, 400), encoding, 0, "projector") == len(tokens) == 16 + 4  # line ends


def test_photos_asked_about_twice_are_encoded_once(student):
    photos = [painted(150, 97), painted(40, 40)]
    items = [(photo, f"which is nearer {word} ?") for word in ("red", "blue") for photo in photos]
    alone = [generate_answers(student, [item], max_new_tokens=4)[0] for item in items]
    tiles = []
    hook = blocks_of(student.family.tower(student.model))[0].register_forward_hook(
        lambda module, arguments, output: tiles.append(len(arguments[0]))
    )
    assert generate_answers(student, items, max_new_tokens=4) == alone
    hook.remove()
    assert tiles == [1 + 4 + 1 + 2]  # of both photos together


@settings(max_examples=200, deadline=None)
@given(st.tuples(st.integers(16, 4000), st.integers(16, 4000)))
def test_counts_at_published_settings_are_those_of_the_processor(size):
    config = hf.LlavaNextConfig()
    square = {"height": 336, "width": 336}
    own = SimpleNamespace(
        image_processor=hf.LlavaNextImageProcessorPil(size={"shortest_edge": 336}, crop_size=square),
        patch_size=14,
        num_additional_image_tokens=1,
        vision_feature_select_strategy="default",
    )
    own._get_unpadded_features = lambda *a: hf.LlavaNextProcessor._get_unpadded_features(own, *a)
    family = get_family(config, own)
    encoding = {"pixel_values": np.empty((1, 1, 3, 336, 336), np.float32)}
    written = hf.LlavaNextProcessor._get_number_of_features(own, size[1], size[0], 336, 336) - 1
    assert family.token_count(size, encoding, 0, "projector") == written
    assert family.token_count(size, encoding) % 577 == 0
    for place in ("encoder", "projector"):
        tokens = np.concatenate([view.tokens for view in family.views(size, encoding, 0, place)])
        assert len(np.unique(tokens)) == len(tokens)
        assert tokens.min() >= 0 and tokens.max() < family.token_count(size, encoding, 0, place)


def test_what_cannot_be_followed_is_said(student):
    small = dict(vision_config=hf.CLIPVisionConfig(image_size=56, patch_size=14), image_grid_pinpoints=[[56, 112]])
    with pytest.raises(InputError, match=r"class token.*'default'"):
        get_family(hf.LlavaNextConfig(**small, vision_feature_select_strategy="full"))
    with pytest.raises(InputError, match="SigLIP tower has no class token"):
        get_family(hf.LlavaNextConfig(vision_config=hf.SiglipVisionConfig(), vision_feature_select_strategy="default"))
    with pytest.raises(InputError, match="'pixtral' is not supported in llava_next"):
        get_family(hf.LlavaNextConfig(vision_config=hf.PixtralVisionConfig()))

    def family(ip=None, **changes):
        images = hf.LlavaNextImageProcessorPil(
            **dict(size={"shortest_edge": 56}, crop_size={"height": 56, "width": 56}, image_grid_pinpoints=[[56, 112]])
            | (ip or {})
        )
        own = dict(patch_size=14, num_additional_image_tokens=1, vision_feature_select_strategy="default")
        return get_family(hf.LlavaNextConfig(**small), SimpleNamespace(image_processor=images, **own | changes))

    for changes, says in (
        (dict(patch_size=16), "patch_size 16.* is 14"),
        (dict(patch_size=None), "patch_size None.* is 14"),
        (dict(num_additional_image_tokens=0), "num_additional_image_tokens 0.* set them to 1 and 'default'"),
        (dict(vision_feature_select_strategy="full"), "'full', which is not"),
    ):
        with pytest.raises(InputError, match=says):
            family(**changes)
    encoding = {"pixel_values": torch.zeros(1, 3, 3, 56, 56), "image_sizes": torch.tensor([[56, 112]])}
    assert len(family().views((112, 56), encoding)) == 3
    wide = {"height": 64, "width": 64}
    for ip, says in (
        (dict(image_grid_pinpoints=[[112, 112]]), "differ"),
        (dict(crop_size=wide), "tiles of 64 pixels.* 56"),
        (dict(size={"shortest_edge": 20, "longest_edge": 56}), "shortest_edge"),
        (dict(size={"height": 56, "width": 112}, do_center_crop=False), "made 56x56 pixels where .* 112x56"),
    ):
        with pytest.raises(InputError, match=says):
            family(ip).views((112, 56), encoding)
    odd = hf.LlavaNextConfig(**small | dict(image_grid_pinpoints=[[56, 120]]))
    other = family(dict(image_grid_pinpoints=[[56, 120]])).processor
    with pytest.raises(InputError, match=r"56x120.* 56-pixel tiles"):
        get_family(odd, other).views((112, 56), encoding)
    with pytest.raises(ValueError, match="place"):
        family().views((112, 56), encoding, place="nowhere")
    with pytest.raises(ValueError, match="processor"):
        get_family(hf.LlavaNextConfig(**small)).token_count((112, 56), encoding)
