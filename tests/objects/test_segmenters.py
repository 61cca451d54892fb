"""SAM and SAM2 from disk: boxes and masks go to the network's square and back to the photo's own pixels."""

import numpy as np
import pytest
import torch
from helpers.photos import scene
from helpers.tiny_detectors import save_tiny_owlv2, save_tiny_sam, save_tiny_sam2
from transformers import SamModel, SamProcessor
from transformers.models.sam.image_processing_pil_sam import SamImageProcessorPil

from pseudogd.errors import InputError
from pseudogd.objects.masks import box_of
from pseudogd.objects.segmenters import Frame, load_segmenter

BOXES = np.array([[10.0, 10, 50, 40], [60, 5, 95, 55]])


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("segmenters")
    save_tiny_sam(root / "sam")
    save_tiny_sam2(root / "sam2")
    return root


@pytest.mark.parametrize("size", [(100, 60), (60, 100), (64, 64), (640, 48), (7, 300)])
@pytest.mark.parametrize("kind", ["sam", "sam2"])
def test_a_painted_box_comes_back_where_it_was(folders, kind, size):
    frame = load_segmenter(f"{kind}:{folders / kind}", device="cpu").prepare(scene(0, *size)).frame
    w, h = size
    box = np.array([[0.25 * w, 0.2 * h, 0.75 * w, 0.9 * h]])
    x0, y0, x1, y1 = frame.boxes(box)[0]
    assert 0 <= x0 < x1 <= 64 and 0 <= y0 < y1 <= 64
    logits = torch.full((256, 256), -5.0)  # four to the network's pixel
    logits[round(4 * y0) : round(4 * y1), round(4 * x0) : round(4 * x1)] = 5.0
    mask = frame.mask(logits).numpy()
    assert mask.shape == (h, w)
    x, y, mw, mh = box_of(mask)
    assert np.abs(np.array([x, y, x + mw, y + mh]) - box[0]).max() <= 1 + max(size) / 64


def test_padding_is_cut_off_and_proportions_are_kept():
    frame = Frame((200, 100), (64, 32), (64, 64))
    logits = torch.full((32, 32), -1.0)
    logits[16:] = 1.0  # in the padding below
    mask = frame.mask(logits)
    assert not mask[:95].any()
    assert frame.boxes(np.array([[0.0, 0, 200, 100]])).tolist() == [[0, 0, 64, 32]]


def test_sam_agrees_with_the_librarys_processor(folders):
    folder, photo = folders / "sam", scene(1, 100, 60)
    ours = load_segmenter(f"sam:{folder}", device="cpu")
    prepared = ours.prepare(photo)
    processor = SamProcessor(SamImageProcessorPil.from_pretrained(folder))
    inputs = processor(images=photo, input_boxes=[BOXES.tolist()], return_tensors="pt")
    assert np.abs(prepared.pixels - inputs["pixel_values"][0].numpy()).max() < 1e-5
    assert prepared.frame.boxes(BOXES) == pytest.approx(inputs["input_boxes"][0].numpy(), abs=1e-4)
    network = SamModel.from_pretrained(folder).eval()
    with torch.no_grad():
        out = network(
            pixel_values=inputs["pixel_values"], input_boxes=inputs["input_boxes"].float(), multimask_output=False
        )
    theirs = processor.image_processor.post_process_masks(
        out.pred_masks, inputs["original_sizes"], inputs["reshaped_input_sizes"]
    )[0]
    (features,) = ours.features([prepared])
    found = list(ours.masks(features, prepared.frame, BOXES))
    assert len(found) == 2
    for (mask, score), their_mask, their_score in zip(found, theirs[:, 0], out.iou_scores[0, :, 0]):
        assert (mask != their_mask.numpy()).mean() < 0.002
        assert score == pytest.approx(min(max(float(their_score), 0), 1), abs=1e-5)


def test_sam2_stretches_and_normalises(folders):
    prepared = load_segmenter(f"sam2:{folders / 'sam2'}", device="cpu").prepare(scene(1, 64, 64))
    values = np.asarray(scene(1, 64, 64)) / 255.0
    expected = ((values - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]).transpose(2, 0, 1)
    assert np.abs(prepared.pixels - expected).max() < 1e-5
    wide = load_segmenter(f"sam2:{folders / 'sam2'}", device="cpu").prepare(scene(1, 128, 32))
    assert wide.frame.boxes(np.array([[0.0, 0, 128, 32]])).tolist() == [[0, 0, 64, 64]]


@pytest.mark.parametrize("kind", ["sam", "sam2"])
def test_masks_do_not_depend_on_the_batch_or_on_other_boxes(folders, kind):
    segmenter = load_segmenter(f"{kind}:{folders / kind}", device="cpu")
    batch = [segmenter.prepare(scene(seed, 100, 60)) for seed in range(3)]
    together = segmenter.features(batch)
    for one, features in zip(batch, together):
        (alone,) = segmenter.features([one])
        first = list(segmenter.masks(features, one.frame, BOXES))
        second = [next(iter(segmenter.masks(alone, one.frame, BOXES[k : k + 1]))) for k in range(2)]
        for (mask, score), (other, other_score) in zip(first, second):
            assert (mask != other).mean() < 0.002 and score == pytest.approx(other_score, abs=1e-4)
            assert mask.shape == (60, 100)


def test_wrong_use_is_one_line(folders, tmp_path):
    save_tiny_owlv2(tmp_path / "owl")
    for spec, match in (
        ("sam2", "write sam:FOLDER"),
        ("fastsam:x", "write sam:FOLDER"),
        (f"sam2:{folders / 'sam'}", "write --segmenter sam:"),
        (f"sam:{tmp_path / 'owl'}", "'owlv2' model"),
        (f"sam:{tmp_path / 'gone'}", "no such checkpoint folder"),
    ):
        with pytest.raises(InputError, match=match) as caught:
            load_segmenter(spec)
        assert "\n" not in str(caught.value)
