"""Detectors from disk: boxes in pixels of the photo by closed form, scores as the library's own post-processing."""

import json
import shutil

import numpy as np
import pytest
import torch
from helpers.photos import scene
from helpers.tiny_detectors import save_tiny_grounding_dino, save_tiny_owlv2
from safetensors.torch import load_file, save_file
from transformers import AutoModelForZeroShotObjectDetection, AutoTokenizer
from transformers.models.grounding_dino.image_processing_pil_grounding_dino import GroundingDinoImageProcessorPil
from transformers.models.owlv2.image_processing_pil_owlv2 import Owlv2ImageProcessorPil

from pseudogd.errors import InputError
from pseudogd.objects.detectors import load_detector

CLASSES = ["chair", "dining table", "lamp"]
SIZES = [(100, 60), (60, 100), (64, 64), (300, 20), (1, 1)]


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("detectors")
    save_tiny_grounding_dino(root / "grounding-dino")
    save_tiny_grounding_dino(root / "mm-grounding-dino", "mm-grounding-dino")
    save_tiny_owlv2(root / "owlv2")
    return root


def load(folders, kind, **options):
    # the contrast of MM-Grounding-DINO begins at a bias of -4.6: no random one says more than 2 %
    low = {"box_threshold": 1e-3} | ({} if kind == "owlv2" else {"text_threshold": 1e-3})
    return load_detector(f"{kind}:{folders / kind}", CLASSES, **{**low, "device": "cpu", **options})


KINDS = ["grounding-dino", "mm-grounding-dino", "owlv2"]


@pytest.mark.parametrize("kind", KINDS[:2])
@pytest.mark.parametrize("size", SIZES[:4])
def test_grounding_dino_boxes_are_its_proposals_in_pixels_of_the_photo(folders, kind, size):
    detector = load(folders, kind)
    prepared = detector.prepare(scene(1, *size))
    (found,) = detector.detect([prepared])
    assert len(found.boxes)
    width, height = size
    rows, columns = prepared.pixels.shape[1:]
    for box in found.boxes:
        sizes = (box[2:] - box[:2]) / size
        whole = (box > 0).all() and (box < [width, height, width, height]).all()
        # strides of the four maps; each has the middles of its cells and boxes of 5, 10, 20, 40 %
        fits = []
        for level, stride in enumerate((8, 16, 32, 64)):
            grid = np.array([-(-columns // stride), -(-rows // stride)])
            place = (box[:2] + box[2:]) / 2 / size * grid - 0.5
            fits.append(np.abs(place - place.round()).max() < 1e-3 and np.allclose(sizes, 0.05 * 2**level, atol=1e-4))
        assert any(fits) or not whole


@pytest.mark.parametrize("size", SIZES[:4])
def test_owlv2_boxes_are_one_for_each_patch_of_the_padded_square(folders, size):
    detector = load(folders, "owlv2")
    (found,) = detector.detect([detector.prepare(scene(1, *size))])
    side = max(size)
    # the bias puts the middle of a box on the far corner of its patch, one patch wide: it ends at 1.5, 2.5 ... patches
    ends = np.array([x for x in found.boxes[:, 2] if x < size[0] - 1]) / side * 8 - 0.5
    assert len(ends) and np.abs(ends - ends.round()).max() < 0.02
    assert (found.boxes >= 0).all() and (found.boxes[:, 2] <= size[0]).all() and (found.boxes[:, 3] <= size[1]).all()


def test_grounding_dino_agrees_with_the_librarys_processor(folders):
    folder, photo = folders / "grounding-dino", scene(2, 100, 60)
    detector = load_detector(f"grounding-dino:{folder}", ["chair", "lamp"], box_threshold=0.01, text_threshold=0.01)
    (ours,) = detector.detect([detector.prepare(photo)])
    processor = GroundingDinoImageProcessorPil.from_pretrained(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    network = AutoModelForZeroShotObjectDetection.from_pretrained(folder).eval()
    text = tokenizer("chair. lamp.", return_tensors="pt")
    assert text["input_ids"][0].tolist() == detector.sentences[0][0]
    with torch.no_grad():
        out = network(**processor(photo, return_tensors="pt"), **text)
    theirs = processor.post_process_object_detection(out, threshold=0.01, target_sizes=[(60, 100)])[0]
    # theirs counts the separators as well; ours are the words' own shares
    share = out.logits[0].sigmoid()[:, [1, 3]]
    assert ours.scores == pytest.approx(share.max(dim=1).values.numpy(), abs=1e-5)
    assert ours.classes.tolist() == share.argmax(dim=1).tolist()
    assert ours.boxes == pytest.approx(theirs["boxes"].numpy().clip(0, [100, 60, 100, 60]), abs=1e-3)


def test_owlv2_agrees_with_the_librarys_processor(folders):
    folder, photo = folders / "owlv2", scene(2, 100, 60)
    detector = load_detector(f"owlv2:{folder}", CLASSES, box_threshold=0.01, template="a photo of a {}")
    (ours,) = detector.detect([detector.prepare(photo)])
    processor, tokenizer = Owlv2ImageProcessorPil.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    network = AutoModelForZeroShotObjectDetection.from_pretrained(folder).eval()
    texts = [f"a photo of a {name}" for name in CLASSES]
    text = tokenizer(texts, padding="max_length", max_length=16, truncation=True, return_tensors="pt")
    with torch.no_grad():
        out = network(**processor(photo, return_tensors="pt"), **text)
    theirs = processor.post_process_object_detection(out, threshold=0.006, target_sizes=[(60, 100)])[0]
    boxes = theirs["boxes"].numpy().clip(0, [100, 60, 100, 60])
    inside = ((boxes[:, 2:] - boxes[:, :2]) >= 1).all(axis=1)  # patches of the padding hold nothing of the photo
    assert ours.boxes == pytest.approx(boxes[inside], abs=1e-2)
    assert ours.scores == pytest.approx(theirs["scores"].numpy()[inside], abs=1e-5)
    assert ours.classes.tolist() == theirs["labels"][torch.from_numpy(inside)].tolist()


@pytest.mark.parametrize("kind", KINDS)
def test_a_photo_says_the_same_alone_and_in_a_batch(folders, kind):
    detector = load(folders, kind)
    prepared = [detector.prepare(scene(seed, 80, 60)) for seed in range(3)]
    together = detector.detect(prepared)
    for one, found in zip(prepared, together):
        (alone,) = detector.detect([one])
        assert alone.boxes == pytest.approx(found.boxes, abs=1e-3)
        assert alone.scores == pytest.approx(found.scores, abs=1e-4)
    assert len({len(found.boxes) for found in together}) >= 1 and together[0].scores.std() > 0


@pytest.mark.parametrize("kind", KINDS)
def test_any_shape_of_photo_can_be_read(folders, kind):
    detector = load(folders, kind)
    for size in SIZES:
        (found,) = detector.detect([detector.prepare(scene(0, *size))])
        assert len(found.boxes) == len(found.scores) == len(found.classes)


def test_long_vocabularies_are_asked_in_several_sentences(folders):
    names = ["chair", "dining table", "lamp", "red box", "ball", "person", "red chair", "dining chair", "red lamp"]
    detector = load_detector(f"grounding-dino:{folders / 'grounding-dino'}", names, box_threshold=1e-3)
    assert len(detector.sentences) > 1 and all(len(ids) <= 24 for ids, _ in detector.sentences)
    tokenizer = AutoTokenizer.from_pretrained(folders / "grounding-dino")
    asked = []
    for ids, spans in detector.sentences:
        assert tokenizer(". ".join(names[k] for k in spans) + ".")["input_ids"] == ids
        for number, span in spans.items():
            assert tokenizer.decode(ids[span]) == names[number]
            asked.append(number)
    assert asked == list(range(len(names)))
    (found,) = detector.detect([detector.prepare(scene(1, 80, 60))])
    assert set(found.classes) - set(range(4))


def test_what_is_noted_is_plain_json_and_names_the_weights(folders):
    for kind in KINDS:
        detector = load(folders, kind)
        assert json.loads(json.dumps(detector.settings)) == detector.settings
        assert detector.settings["detector"] == kind and len(detector.settings["weights"]) == 16


def refused(match, spec, classes=CLASSES, **options):
    with pytest.raises(InputError, match=match) as caught:
        load_detector(spec, classes, **options)
    assert "\n" not in str(caught.value)


def test_wrong_use_is_one_line(folders, tmp_path):
    dino = folders / "grounding-dino"
    refused("write FAMILY:FOLDER_OR_HUB_ID", "grounding-dino")
    refused("no such checkpoint folder", f"grounding-dino:{tmp_path / 'gone'}")
    refused(r"holds no config\.json", f"owlv2:{tmp_path}")
    refused("write --source grounding-dino:", f"owlv2:{dino}")
    refused("no option 'text_threshold'", f"owlv2:{folders / 'owlv2'}", text_threshold=0.2)
    refused("device 'toaster'", f"grounding-dino:{dino}", device="toaster")
    refused("dtype 'int8'", f"grounding-dino:{dino}", dtype="int8")
    refused("knows no part of 'xylophone'", f"grounding-dino:{dino}", ["chair", "xylophone"])
    refused("needs one", f"owlv2:{folders / 'owlv2'}", template="a photo")
    (tmp_path / "config.json").write_text('{"model_type": "detr"}')
    refused("'detr' model", f"grounding-dino:{tmp_path}")
    (tmp_path / "config.json").write_text("{")
    refused("is not JSON", f"grounding-dino:{tmp_path}")


def test_broken_weights_are_one_line(folders, tmp_path):
    folder = shutil.copytree(folders / "owlv2", tmp_path / "copy")
    weights = folder / "model.safetensors"
    tensors = load_file(weights)
    save_file({n: t for n, t in tensors.items() if "box_head" not in n}, weights, {"format": "pt"})
    refused("lacks weights", f"owlv2:{folder}")
    weights.write_bytes(weights.read_bytes()[:100])
    refused("weights cannot be loaded", f"owlv2:{folder}")
    weights.unlink()
    torch.save(tensors, folder / "pytorch_model.bin")
    refused("weights cannot be loaded", f"owlv2:{folder}")
