"""What is particular to Gemma 3; what every family must do is in test_every_family.py."""

from types import SimpleNamespace

import pytest
import torch
import transformers as hf
from helpers.painted import batch_of, painted
from helpers.tiny import gemma3

from pseudogd.errors import InputError
from pseudogd.student.ask import generate_answers
from pseudogd.student.chat import chat_text, encode_chats, user_turn
from pseudogd.student.families.base import get_family
from pseudogd.student.load import load_student


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return gemma3.save(tmp_path_factory.mktemp("gemma3"))


@pytest.fixture
def student(folder):
    return load_student(folder)


@pytest.fixture
def scanning(student):
    gemma3.after_load(student, pan_and_scan=True)
    return student


PIXELS = {"pixel_values": torch.zeros(4, 3, 56, 56)}


def test_the_whole_photo_comes_first_and_strips_tile_it(scanning):
    whole, left, middle, right = scanning.family.views((100, 34), PIXELS)
    assert [v.is_global for v in (whole, left, middle, right)] == [True, False, False, False]
    assert whole.grid == (4, 4) and whole.boxes[0] == pytest.approx([0, 0, 25, 8.5])
    assert whole.boxes[-1] == pytest.approx([75, 25.5, 100, 34])
    # strips of ceil(100 / 3) = 34 pixels, the last one of what is left
    assert left.boxes[0] == pytest.approx([0, 0, 8.5, 8.5]) and left.boxes[-1] == pytest.approx([25.5, 25.5, 34, 34])
    assert middle.boxes[0] == pytest.approx([34, 0, 42.5, 8.5])
    assert right.boxes[0] == pytest.approx([68, 0, 76, 8.5]) and right.boxes[-1] == pytest.approx([92, 25.5, 100, 34])
    assert [v.tokens[0] for v in (whole, left, middle, right)] == [0, 16, 32, 48]
    tall = scanning.family.views((34, 100), PIXELS, place="projector")
    assert [v.grid for v in tall] == [(2, 2)] * 4 and tall[3].cell == 28
    assert tall[3].boxes[0] == pytest.approx([0, 68, 17, 84]) and tall[3].tokens.tolist() == [12, 13, 14, 15]


@pytest.mark.parametrize(
    "size, strips",
    [
        ((64, 64), 0),
        ((119, 100), 0),  # less than 1.2 to 1
        ((120, 100), 2),
        ((249, 100), 2),
        ((250, 100), 3),  # half a strip is rounded up
        ((900, 100), 4),  # no more than four
        ((50, 24), 2),  # 50 // 20 strips are wide enough
        ((38, 24), 0),  # strips would be narrower than 20
        ((100, 19), 0),
        ((100, 250), 3),
    ],
)
def test_how_many_strips_there_are(scanning, size, strips):
    assert len(scanning.family.parts(size)) == 1 + strips
    inputs = batch_of(scanning, [size])
    assert len(inputs["pixel_values"]) == 1 + strips
    assert int((inputs["input_ids"] == scanning.model.config.image_token_id).sum()) == 4 * (1 + strips)


def test_pan_and_scan_is_what_the_processor_does_not_what_the_image_processor_says(student):
    """`Gemma3Processor` calls it with settings of its own; the adapter must not believe the file."""
    student.processor.image_processor.do_pan_and_scan = True
    assert len(batch_of(student, [(300, 100)])["pixel_values"]) == 1
    assert len(student.family.views((300, 100), PIXELS)) == 1


def test_an_image_processor_that_makes_other_images_is_noticed(scanning, monkeypatch):
    monkeypatch.setattr(scanning.processor.image_processor, "pan_and_scan", lambda image, *_, **__: [])
    with pytest.raises(InputError, match=r"made 1 images of a photo of 300x100 .* say 4"):
        scanning.family.encode_photo(painted(300, 100))
    with pytest.raises(InputError, match="70x70"):
        scanning.family.views((300, 100), {"pixel_values": torch.zeros(1, 3, 70, 70)})


def test_answers_with_shared_photos_are_the_models_own(scanning):
    photos = [painted(150, 40), painted(64, 64)]
    items = [(photos[i % 2], f"which is nearer , {i} ?") for i in range(5)]
    own = []
    for photo, question in items:
        text = chat_text(scanning.processor, [user_turn(question)], ask=True)
        inputs = encode_chats(scanning.processor, [text], [photo])
        out = scanning.model.generate(**inputs, max_new_tokens=4, do_sample=False)
        new = out[0, inputs["input_ids"].shape[1] :]
        own.append(scanning.processor.tokenizer.decode(new, skip_special_tokens=True).strip())
    assert generate_answers(scanning, items, max_new_tokens=4) == own
    assert len(set(own)) > 1


def test_other_towers_are_refused_by_name():
    config = SimpleNamespace(model_type="gemma3", vision_config=hf.CLIPVisionConfig())
    with pytest.raises(InputError, match=r"clip_vision_model.*siglip_vision_model"):
        get_family(config)
