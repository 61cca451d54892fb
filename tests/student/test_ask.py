import numpy as np
import pytest
import torch
from PIL import Image

from pseudogd.errors import InputError
from pseudogd.student.ask import generate_answers
from pseudogd.student.chat import chat_text, encode_chats, user_turn
from pseudogd.student.load import load_student
from pseudogd.student.prefix import can_share, shared_length

QUESTIONS = [
    "how far is the red chair from the camera ?",
    "which is nearer ?",
    "is the blue lamp left of the white sofa or right of the green table ? A . left B . right",
    "where is it",
    "what ?",
]


def photo(seed, size=(90, 60)):
    rng = np.random.default_rng(seed)
    return Image.fromarray((rng.random((size[1], size[0], 3)) ** (seed + 1) * 255).astype(np.uint8))


@pytest.fixture
def student(clip_folder):
    return load_student(clip_folder)


@pytest.fixture
def items():
    photos = [photo(0), photo(1, (64, 80)), photo(2, (200, 50))]
    return [(photos[i % 3], QUESTIONS[i % 5]) for i in range(12)]


def alone(student, image, question):
    """One question by the plain calls of transformers, without anything of ours."""
    messages = [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": question}]}]
    text = student.processor.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
    inputs = student.processor(images=[image], text=[text], return_tensors="pt")
    out = student.model.generate(**inputs, max_new_tokens=6, do_sample=False)
    return student.processor.batch_decode(out[:, inputs["input_ids"].shape[1] :], skip_special_tokens=True)[0].strip()


def test_answers_are_those_of_plain_transformers_whatever_the_batch(student, items):
    want = [alone(student, *item) for item in items]
    assert len(set(want)) > 2
    for batch_size in (1, 5, 64):
        assert generate_answers(student, items, max_new_tokens=6, batch_size=batch_size) == want


def test_a_checkpoints_habits_when_it_samples_do_not_bend_a_greedy_answer(student, items):
    want = generate_answers(student, items, max_new_tokens=6)
    own = student.model.generation_config
    own.do_sample, own.temperature, own.top_k, own.repetition_penalty, own.no_repeat_ngram_size = True, 2.0, 3, 1.7, 1
    assert generate_answers(student, items, max_new_tokens=6) == want


def test_without_a_class_token_too(siglip_folder, items):
    student = load_student(siglip_folder)
    want = [alone(student, *item) for item in items]
    assert generate_answers(student, items, max_new_tokens=6, batch_size=7) == want


def test_a_photo_is_encoded_once_for_all_its_questions(student, items):
    seen = []
    tower = student.family.tower(student.model)
    tower.register_forward_hook(lambda m, a, k, out: seen.append(len(out.last_hidden_state)), with_kwargs=True)
    generate_answers(student, items, max_new_tokens=4, batch_size=64)
    assert seen == [3]
    seen.clear()
    generate_answers(student, items, max_new_tokens=4, batch_size=4)
    assert seen == [1, 1, 1]


def test_paths_progress_and_mode(student, items, tmp_path):
    path = tmp_path / "a photo.png"
    items[0][0].save(path)
    done = []
    student.model.train()
    by_path = generate_answers(student, [(path, QUESTIONS[0]), (str(path), QUESTIONS[1])], 4, 1, progress=done.append)
    assert student.model.training and done == [1, 1]
    assert by_path == generate_answers(student, [(items[0][0], q) for q in QUESTIONS[:2]], max_new_tokens=4)


def test_no_questions_no_answers(student):
    assert generate_answers(student, []) == []


def test_bf16_answers_are_words(student, items):
    answers = generate_answers(student, items, max_new_tokens=4, precision="bf16")
    assert len(answers) == 12 and all(isinstance(a, str) for a in answers)
    with pytest.raises(ValueError, match="fp64"):
        generate_answers(student, items, precision="fp64")


def test_a_template_that_writes_the_start_token_gets_only_one(student):
    tokenizer = student.processor.tokenizer
    from tokenizers.processors import TemplateProcessing

    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", tokenizer.bos_token_id)]
    )
    for text in ("<image> what ?", "<s> <image> what ?"):
        ids = encode_chats(student.processor, [text], [photo(0)])["input_ids"][0]
        assert (ids == tokenizer.bos_token_id).sum() == 1 and ids[0] == tokenizer.bos_token_id


def test_left_padding_and_a_borrowed_pad_token(student):
    student.processor.tokenizer.pad_token = None
    inputs = encode_chats(student.processor, ["<image> what ?", "<image> what is it ?"], [photo(0), photo(1)])
    assert inputs["attention_mask"][0, 0] == 0 and inputs["attention_mask"][:, -1].all()
    assert torch.equal(inputs["input_ids"][0, :2], torch.full((2,), student.processor.tokenizer.eos_token_id))


def test_no_chat_template_is_said(student):
    student.processor.chat_template = None
    student.processor.tokenizer.chat_template = None
    with pytest.raises(InputError, match="chat template"):
        chat_text(student.processor, [user_turn("what ?")])


def test_the_language_model_reads_a_shared_photo_once(student, items):
    read = []
    language = student.model.model.language_model
    language.register_forward_hook(lambda m, a, k, out: read.append(k["inputs_embeds"].shape[:2]), with_kwargs=True)
    generate_answers(student, items, max_new_tokens=1, batch_size=64)
    assert [r[0] for r in read] == [3, 12] and read[0][1] > 16
    assert read[1][1] < 40  # the longest question, without the 16 tokens of the photo


def test_a_template_that_puts_the_question_first_gives_the_same_answers_as_one_at_a_time(student, items):
    student.processor.chat_template = (
        "{% for m in messages %}{{ 'USER : ' }}{% for c in m['content'] | reverse %}"
        "{% if c['type'] == 'image' %}{{ ' <image> ' }}{% else %}{{ c['text'] }}{% endif %}{% endfor %}{% endfor %}"
        "{{ ' ASSISTANT : ' }}"
    )
    assert generate_answers(student, items, 6, 64) == [alone(student, *item) for item in items]


def test_shared_length_in_closed_form():
    image, pad = 9, 0
    ids = torch.tensor([[pad, 1, 9, 9, 2, 3], [1, 9, 9, 2, 4, 5]])
    mask = (ids != pad).long()
    assert shared_length(ids, mask, image) == 4
    assert shared_length(ids[[1, 1]], mask[[1, 1]], image) == 5  # one token is left to be read
    early = torch.tensor([[1, 2, 9], [1, 3, 9]])
    assert shared_length(early, torch.ones_like(early), image) == 0


def test_only_an_ordinary_cache_is_shared(student):
    assert can_share(student)
    student.model.config.get_text_config().sliding_window = 8
    assert not can_share(student)
