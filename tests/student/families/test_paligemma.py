"""What is particular to PaliGemma; what every family must do is in test_every_family.py."""

import pytest
import torch
from helpers.painted import painted
from helpers.tiny import paligemma
from transformers import AutoProcessor

from pseudogd.student.ask import generate_answers
from pseudogd.student.chat import chat_text, encode_chats, user_turn
from pseudogd.student.load import load_student
from pseudogd.student.prefix import can_share
from pseudogd.training.export import write_plain

QUESTION = "which is nearer ?\nA. the red chair\nB. the table"
PHOTO = painted(90, 50)


@pytest.fixture(scope="module", params=list(paligemma.VARIANTS))
def student(request, tmp_path_factory):
    return load_student(paligemma.save(tmp_path_factory.mktemp("paligemma"), **paligemma.VARIANTS[request.param]))


def answer(text):
    return {"role": "assistant", "content": [{"type": "text", "text": text}]}


def layout(student):
    """Photo, start token, question, line break: as the paper and the processor have it, each once."""
    tok, image = student.processor.tokenizer, student.processor.image_processor
    words = tok(QUESTION + "\n", add_special_tokens=False)["input_ids"]
    return [tok.convert_tokens_to_ids("<image>")] * image.image_seq_length + [tok.bos_token_id, *words]


def test_a_question_by_chat_template_is_the_processors_own_layout(student):
    text = chat_text(student.processor, [user_turn(QUESTION)], ask=True)
    inputs = encode_chats(student.processor, [text], [PHOTO])
    assert inputs["input_ids"][0].tolist() == layout(student)
    own = student.processor(text="<image>" + QUESTION, images=PHOTO, return_tensors="pt")
    assert torch.equal(inputs["input_ids"], own["input_ids"])
    assert student.family.processed_text(text) == "<image><bos>" + QUESTION + "\n"
    assert student.family.processed_text("no photo ?") == "<bos>no photo ?\n"


def test_an_answered_question_is_prefix_and_suffix(student):
    text = chat_text(student.processor, [user_turn(QUESTION), answer("B")])
    own = student.processor(text=["<image>" + QUESTION], images=[[PHOTO]], suffix=["B"], return_tensors="pt")
    marks = student.processor.image_processor.image_seq_length - 1
    ids = student.processor.tokenizer("<image>" * marks + text)["input_ids"]
    assert ids == own["input_ids"][0].tolist()


def test_the_template_leaves_with_the_model(student, tmp_path):
    """A user of the export asks by the library's own calls."""
    write_plain(student.model, student.processor, tmp_path, "card")
    processor = AutoProcessor.from_pretrained(tmp_path)
    content = [{"type": "image", "image": PHOTO}, {"type": "text", "text": QUESTION}]
    inputs = processor.apply_chat_template(
        [{"role": "user", "content": content}], tokenize=True, add_generation_prompt=True, return_dict=True
    )
    assert list(inputs["input_ids"][0]) == layout(student)


def test_the_prefix_sees_itself_in_both_directions_and_never_the_answer(student):
    text = ["<image>" + QUESTION]
    inputs = student.processor(text=text, images=[[PHOTO]], suffix=["the red chair"], return_tensors="pt")
    pixels = {"pixel_values": inputs["pixel_values"]}
    length = len(layout(student))

    def states(ids):
        labels = inputs["labels"]
        extras = student.family.text_extras({"input_ids": ids, "labels": labels})
        assert torch.equal(extras["token_type_ids"], inputs["token_type_ids"])
        with torch.no_grad():
            out = student.model.model(input_ids=ids, attention_mask=inputs["attention_mask"], **extras, **pixels)
        return out.last_hidden_state[0]

    before = states(inputs["input_ids"])
    asked, answered = inputs["input_ids"].clone(), inputs["input_ids"].clone()
    asked[0, length - 2] += 1
    answered[0, length] += 1
    assert not torch.equal(states(asked)[0], before[0])
    assert torch.equal(states(answered)[:length], before[:length])
    assert not torch.equal(states(answered)[length + 1], before[length + 1])


def test_answers_are_the_models_own_and_photos_are_shared_but_no_prefix(student):
    assert not can_share(student)
    photos = [PHOTO, painted(64, 64)]
    items = [(photos[i % 2], f"which is nearer , {i} ?") for i in range(5)]
    own = []
    for photo, question in items:
        inputs = student.processor(text="<image>" + question, images=photo, return_tensors="pt")
        inputs.pop("labels")
        out = student.model.generate(**inputs, max_new_tokens=4, do_sample=False)
        new = out[0, inputs["input_ids"].shape[1] :]
        own.append(student.processor.tokenizer.decode(new, skip_special_tokens=True).strip())
    assert generate_answers(student, items, max_new_tokens=4) == own
    assert len(set(own)) > 1
