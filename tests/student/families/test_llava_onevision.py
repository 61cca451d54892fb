"""What is particular to LLaVA-OneVision; what every family must do is in test_every_family.py."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import transformers as hf
from helpers.painted import batch_of, make_identity, painted, worst_error
from helpers.tiny.llava_onevision import MIXED, SIZES, VARIANTS, VIDEO, save
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from pseudogd.distill.targets import log_view_focal
from pseudogd.errors import InputError
from pseudogd.geometry.camera import Camera
from pseudogd.student.families._anyres import resampled_boxes
from pseudogd.student.families.base import get_family, grid_boxes
from pseudogd.student.load import load_student

LARGE = (800, 601)
ORDINARY = next(iter(VARIANTS))


@pytest.fixture(scope="module")
def student_of(tmp_path_factory):
    made = {}

    def make(variant=ORDINARY):
        if variant not in made:
            made[variant] = save(tmp_path_factory.mktemp("onevision"), **VARIANTS[variant])
        return load_student(made[variant])

    return make


def views(student, size, place="encoder"):
    return student.family.views(size, batch_of(student, [size]), 0, place)


def test_the_last_pixels_of_every_tile_are_unseen(student_of):
    base, left, right = views(student_of(), (120, 60))
    assert base.boxes[-1].tolist() == [84, 42, 112, 56] and base.is_global
    assert left.boxes[-1].tolist() == [42, 42, 56, 56] and right.boxes[0].tolist() == [60, 0, 74, 14]
    assert right.tokens.tolist() == list(range(32, 48)) and not right.is_global
    base, canvas = views(student_of(), (120, 60), "projector")
    assert canvas.grid == (4, 8) and canvas.boxes.reshape(4, 8, 4)[0, 3:5, 0].tolist() == [42, 60]


@pytest.mark.parametrize("variant", [v for v in VARIANTS if "several" not in v])
def test_what_language_reads_comes_from_where_the_views_say(variant, student_of):
    """Also where the canvas is resampled: a box lies around the mean place of what is mixed into its token."""
    student = student_of(variant)
    make_identity(student)
    student.model.model.multi_modal_projector = nn.Identity()
    worst, compared = worst_error(student, SIZES, place="projector")
    assert worst < 0.05 and compared > 50
    worst, compared = worst_error(student, SIZES[:3], batch_of(student, SIZES[:3], rows=[2, 1]), place="projector")
    assert worst < 0.05 and compared > 20


@pytest.mark.parametrize("rows", [None, [2, 1, 1, 3]], ids=["one a row", "several a row"])
@pytest.mark.parametrize("variant", VARIANTS)
def test_tokens_of_no_view_are_line_ends(variant, rows, student_of):
    student = student_of(variant)
    encoding = batch_of(student, SIZES, rows)
    tokens = student.family.encode(student.model, encoding).tokens
    offsets = student.family.token_offsets(SIZES, encoding, "projector")
    seen = np.zeros(len(tokens), int)
    for i, size in enumerate(SIZES):
        for view in student.family.views(size, encoding, i, "projector"):
            seen[view.tokens + offsets[i]] += 1
    assert seen.max() == 1
    ends = (tokens == student.model.model.image_newline).all(-1).numpy()
    assert (ends == (seen == 0)).all() and ends.any()


def test_a_large_canvas_is_resampled_and_keeps_its_focal_length(student_of):
    camera = Camera.from_fov(*LARGE, fov_x_deg=60.0)
    grids, focals = [], []
    for variant in (ORDINARY, *MIXED):
        base, canvas = views(student_of(variant), LARGE, "projector")
        rows, columns = canvas.grid
        grids.append(rows * columns)
        focals.append(log_view_focal(camera, canvas.boxes, canvas.cell))
        assert rows * columns <= student_of(variant).family.max_tiles * 16 * 1.21
    tile = views(student_of(), LARGE)[1]
    assert grids == sorted(grids, reverse=True) and len(set(grids)) == 3
    assert np.allclose(focals, log_view_focal(camera, tile.boxes, tile.cell), atol=1e-6)
    assert focals[0] > log_view_focal(camera, base.boxes, base.cell) + 1  # the base view is zoomed out


def test_resampled_boxes_in_closed_form():
    """By a factor of two every box is that of the four cells that are mixed."""
    boxes = grid_boxes((4, 6), 14, (2.0, 1.0), (0.0, 3.0)).reshape(4, 6, 4)
    halved = resampled_boxes(boxes, (2, 3))
    want = np.concatenate([boxes[::2, ::2, :2], boxes[1::2, 1::2, 2:]], axis=-1)
    assert np.allclose(halved, want)
    third = resampled_boxes(boxes, (4, 4))  # 6 columns to 4: centres of 1.5 cells each
    assert np.allclose((third[0, :, 0] + third[0, :, 2]) / 2 / 28, [0.75, 2.25, 3.75, 5.25])
    assert np.allclose(third[0, :, 2] - third[0, :, 0], 1.5 * 28)
    assert np.allclose(third[:, :, 1::2], boxes[:, :4, 1::2])


# --------------------------------------------------------------------------------------------- several photos a row
def test_photos_of_one_row_are_squares_without_tiles(student_of):
    student = student_of()
    sizes = [(120, 60), (60, 120)]
    encoding = batch_of(student, sizes, rows=[2])
    assert encoding["batch_num_images"].tolist() == [2]
    for i, corner in enumerate(([0, -30], [-30, 0])):
        (view,) = student.family.views(sizes[i], encoding, i)
        assert view.boxes[0].tolist() == [*corner, corner[0] + 28, corner[1] + 28]
        assert view.grid == (4, 4) and view.is_global
        assert student.family.token_count(sizes[i], encoding, i) == 16
        assert student.family.token_count(sizes[i], encoding, i, "projector") == 17
    written = int((encoding["input_ids"] == student.family.image_token_id).sum())
    assert written == 34
    mixed = batch_of(student, [*sizes, sizes[0]], rows=[2, 1])
    assert [len(student.family.views(size, mixed, i)) for i, size in enumerate([*sizes, sizes[0]])] == [1, 1, 3]


def test_photos_prepared_one_by_one_for_rows_of_several(student_of):
    student = student_of()
    sizes, rows = SIZES[:6], [1, 2, 3]
    whole = student.family.pixel_inputs(batch_of(student, sizes, rows))
    together = [n for n in rows for _ in range(n)]
    parts = [student.family.encode_photo(painted(*size), n) for size, n in zip(sizes, together)]
    for size, part in zip(sizes, parts):
        views_alone = student.family.views(size, part)
        assert len(views_alone) == (1 if int(part["batch_num_images"][0]) > 1 else 7)
    batch = student.family.collate_pixels(parts)
    assert batch.keys() == whole.keys()
    for key, want in whole.items():
        assert torch.equal(batch[key], want), key
    for broken in (parts[:2], [parts[1], parts[3]], parts[3:5]):
        with pytest.raises(ValueError, match="whole rows"):
            student.family.collate_pixels(broken)
    with pytest.raises(InputError, match="several photos"):
        student.family.encode_distinct(student.model, batch, [0])


# ---------------------------------------------------------------------------------------------- published settings
def published():
    """Config and processor as the published checkpoints have them, without weights."""
    config = hf.LlavaOnevisionConfig(
        vision_config=hf.SiglipVisionConfig(image_size=384, patch_size=14, num_hidden_layers=26)
    )
    ip = hf.LlavaOnevisionImageProcessorPil()
    tok = SimpleNamespace(image_token="<image>", video_token="<video>", image_token_id=1, video_token_id=2)
    processor = SimpleNamespace(
        image_processor=ip,
        num_image_tokens=729,
        vision_feature_select_strategy="full",
        vision_aspect_ratio="anyres_max_9",
        tokenizer=tok,
    )
    own = hf.LlavaOnevisionProcessor
    processor._get_unpadded_features = lambda *a: own._get_unpadded_features(processor, *a)
    processor.count = lambda size: own._get_number_of_features(processor, size[1], size[0], 384, 384)
    return get_family(config, processor), processor


@settings(max_examples=200, deadline=None)
@given(st.tuples(st.integers(16, 6000), st.integers(16, 6000)))
def test_counts_at_published_settings_are_those_of_the_processor(size):
    family, processor = published()
    encoding = {"pixel_values": np.empty((1, 1, 3, 384, 384), np.float32)}
    assert family.token_count(size, encoding, 0, "projector") == processor.count(size)
    for place in ("encoder", "projector"):
        tokens = np.concatenate([view.tokens for view in family.views(size, encoding, 0, place)])
        assert len(np.unique(tokens)) == len(tokens)
        assert tokens.min() >= 0 and tokens.max() < family.token_count(size, encoding, 0, place)


# --------------------------------------------------------------------------------------------------- what is said
def test_what_cannot_be_followed_is_said():
    small = dict(vision_config=hf.SiglipVisionConfig(image_size=60, patch_size=14))
    for ratio in ("pad", "anyres", "anyres_max_0"):
        with pytest.raises(InputError, match=f"vision_aspect_ratio '{ratio}'.*'anyres_max_9'"):
            get_family(hf.LlavaOnevisionConfig(**small, vision_aspect_ratio=ratio))
    with pytest.raises(InputError, match="class token"):
        get_family(hf.LlavaOnevisionConfig(**small, vision_feature_select_strategy="default"))
    own = dict(num_image_tokens=16, vision_feature_select_strategy="full", vision_aspect_ratio="anyres_max_9")
    for change, says in (
        (dict(num_image_tokens=17), "num_image_tokens 17.* set them to 16 and 'full'"),
        (dict(num_image_tokens=None), "num_image_tokens None.* set them to 16"),
        (dict(vision_feature_select_strategy="default"), "'default', which is not"),
        (dict(vision_aspect_ratio="anyres_max_4"), "'anyres_max_4' in processor_config.json.*'anyres_max_9'"),
    ):
        with pytest.raises(InputError, match=says):
            get_family(hf.LlavaOnevisionConfig(**small), SimpleNamespace(**own | change))


def test_settings_of_the_video_processor_are_kept(student_of, tmp_path):
    student_of().processor.save_pretrained(tmp_path)
    assert json.loads((tmp_path / "processor_config.json").read_text())["video_processor"] == VIDEO
