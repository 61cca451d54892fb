"""Tokens of questions and answers: only answers and their end are learnt, in the form in which they will be asked."""

import string
from types import SimpleNamespace

import numpy as np
import pytest
from helpers.tiny_llava import save_tiny_llava
from tokenizers import Regex, Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from pseudogd.errors import InputError
from pseudogd.student.load import load_processor
from pseudogd.training.tokens import PhotoTokens, Tokens, with_photos
from pseudogd.training.turns import TurnEncoder

LLAVA_TEMPLATE = (
    "{% for m in messages %}{{ m['role'].upper() + ' : ' }}"
    "{% for c in m['content'] %}{% if c['type'] == 'image' %}{{ '<image>\n' }}{% endif %}{% endfor %}"
    "{% for c in m['content'] %}{% if c['type'] == 'text' %}{{ c['text'] + ' ' }}{% endif %}{% endfor %}{% endfor %}"
    "{% if add_generation_prompt %}{{ 'ASSISTANT :' }}{% endif %}"
)


def exchange(question: str, answer: str):
    return (
        {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": question}]},
        {"role": "assistant", "content": [{"type": "text", "text": answer}]},
    )


EXCHANGES = [
    exchange("which is nearer ?\nA. red chair\nB. blue sofa", "B"),
    exchange("how far is the table ?", "2.4 m"),
    exchange("is the ball left ?", "yes"),
]


@pytest.fixture(scope="module")
def processor(tmp_path_factory):
    return load_processor(save_tiny_llava(tmp_path_factory.mktemp("student")))


@pytest.fixture(params=["own", "without end token", "as a start token"])
def encoder(processor, request, monkeypatch):
    if request.param == "without end token":
        monkeypatch.setattr(processor, "chat_template", LLAVA_TEMPLATE)
    if request.param == "as a start token":
        monkeypatch.setattr(processor, "chat_template", "{{ bos_token }}" + processor.chat_template)
    return TurnEncoder(processor)


def words(encoder, ids):
    return encoder.tokenizer.decode([int(i) for i in ids])


def learnt(encoder, tokens):
    """The learnt stretches of a row, as text."""
    edges = np.flatnonzero(np.diff(np.r_[0, tokens.learn.astype(int), 0]))
    return [words(encoder, tokens.ids[a:b]).split() for a, b in zip(edges[::2], edges[1::2])]


@pytest.mark.parametrize("how", ["isolated", "chat"])
def test_only_answers_and_their_end_are_learnt(encoder, how):
    tokens = getattr(encoder, how)(EXCHANGES)
    parts = learnt(encoder, tokens)
    assert [[w for w in part if w != "</s>"] for part in parts] == [["B"], ["2", ".", "4", "m"], ["yes"]]
    # a template without an end token leaves only the last turn of a conversation to say that answers end
    every = how == "isolated" or "</s>" in encoder.processor.chat_template
    assert [part[-1] == "</s>" for part in parts] == [every, every, True]
    assert not tokens.learn[tokens.ids == encoder.image_id].any()
    assert (tokens.ids == encoder.image_id).sum() == 1


def test_an_isolated_turn_is_the_conversation_that_will_be_asked(encoder):
    tokens = encoder.isolated(EXCHANGES)
    for number, (user, _) in enumerate(EXCHANGES, 1):
        seen = tokens.ids[(tokens.turn == 0) | (tokens.turn == number)]
        prompt = encoder.processor.apply_chat_template([user], tokenize=False, add_generation_prompt=True)
        asked = encoder.tokenizer(prompt, add_special_tokens=not prompt.startswith("<s>"))["input_ids"]
        assert seen[: len(asked)].tolist() == asked
        assert tokens.learn[(tokens.turn == 0) | (tokens.turn == number)].tolist() == [False] * len(asked) + [True] * (
            len(seen) - len(asked)
        )


def test_chat_is_the_template_s_own_conversation(processor):
    encoder = TurnEncoder(processor)
    tokens = encoder.chat(EXCHANGES)
    messages = [EXCHANGES[0][0], EXCHANGES[0][1]]
    for user, answer in EXCHANGES[1:]:
        messages += [{"role": "user", "content": user["content"][1:]}, answer]
    text = processor.apply_chat_template(messages, tokenize=False)
    assert tokens.ids.tolist() == processor.tokenizer(text)["input_ids"]
    assert (tokens.turn == 0).all()


def test_photo_tokens_complete_the_prompt_as_the_processor_writes_it(processor):
    from PIL import Image

    encoder = TurnEncoder(processor)
    image = Image.new("RGB", (70, 56))
    tokens = encoder.isolated(EXCHANGES[:1])
    at = int(np.flatnonzero(tokens.ids == encoder.image_id)[0])
    ours = [*tokens.ids[:at], *encoder.photo_tokens(image).ids, *tokens.ids[at + 1 :]]
    prompt = processor.apply_chat_template([EXCHANGES[0][0]], tokenize=False, add_generation_prompt=True)
    theirs = processor(text=[prompt], images=[image])["input_ids"][0]
    assert [int(t) for t in ours[: len(theirs)]] == [int(t) for t in theirs]


BLANKS_DIFFER = (
    "{% for m in messages %}{{ '<|' + m['role'] + ' ' }}"
    "{% for c in m['content'] %}{{ '<image>' if c['type'] == 'image' else '\n' + c['text'] }}{% endfor %}"
    "{{ '</s>' }}{% endfor %}{% if add_generation_prompt %}{{ '<|assistant\n' }}{% endif %}"
)
MISSPELT_END = (
    "{% for m in messages %}{{ '[INST] ' if m['role'] == 'user' else ' ' }}"
    "{% for c in m['content'] %}{{ '<image>\n' if c['type'] == 'image' else c['text'] }}{% endfor %}"
    r"{{ ' [/INST]' if m['role'] == 'user' else '<\s> ' }}{% endfor %}"
)


def letters(*specials):
    """A tokenizer with a token for every character, so that blanks count."""
    vocabulary = ["<unk>", *string.printable]
    core = Tokenizer(models.WordLevel({c: i for i, c in enumerate(vocabulary)}, "<unk>"))
    core.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\s\S]"), "isolated")
    return PreTrainedTokenizerFast(
        tokenizer_object=core, unk_token="<unk>", eos_token="</s>", additional_special_tokens=list(specials)
    )


@pytest.mark.parametrize("template", [BLANKS_DIFFER, MISSPELT_END], ids=["blanks differ", "misspelt end"])
def test_answers_of_odd_templates_follow_the_prompt_as_asked_and_end_with_the_end_token(
    processor, template, monkeypatch
):
    monkeypatch.setattr(processor, "chat_template", template)
    monkeypatch.setattr(processor, "tokenizer", letters("<image>"))
    encoder = TurnEncoder(processor)
    said = [answer["content"][0]["text"] for _, answer in EXCHANGES]

    def text(ids):
        return "".join(encoder.tokenizer.convert_ids_to_tokens([int(i) for i in ids]))

    for (user, _), answer, (ids, length) in zip(EXCHANGES, said, encoder.single(EXCHANGES)):
        prompt = processor.apply_chat_template([user], tokenize=False, add_generation_prompt=True)
        assert text(ids[:length]) == prompt and text(ids[length:]).lstrip(" ") == answer + "</s>"
    tokens = encoder.chat(EXCHANGES)
    edges = np.flatnonzero(np.diff(np.r_[0, tokens.learn.astype(int), 0]))
    learnt = [text(tokens.ids[a:b]).strip() for a, b in zip(edges[::2], edges[1::2])]
    assert learnt[-1] == said[-1] + "</s>" and text(tokens.ids).endswith(said[-1] + "</s>")
    if template == BLANKS_DIFFER:
        assert learnt == [answer + "</s>" for answer in said]
        assert text(tokens.ids).count("<|assistant\n") == 3 and "<|assistant \n" not in text(tokens.ids)
    else:
        assert learnt[:-1] == said[:-1]


def test_a_token_that_straddles_prompt_and_answer_does_not_change_the_prompt(processor, monkeypatch):
    """A tokenizer that glues ': ' and the first letter: the prompt must still be what it is when asked."""
    encoder = TurnEncoder(processor)
    real = processor.tokenizer

    def gluing(texts, add_special_tokens=True, **_):
        rows = []
        for text in texts:
            ids = real(text, add_special_tokens=add_special_tokens)["input_ids"]
            b, colon = real.convert_tokens_to_ids("B"), real.convert_tokens_to_ids(":")
            glued, i = [], 0
            while i < len(ids):
                pair = ids[i : i + 2] == [colon, b]
                glued.append(99 if pair else ids[i])
                i += 2 if pair else 1
            rows.append(glued)
        return {"input_ids": rows}

    monkeypatch.setattr(
        encoder, "tokenizer", SimpleNamespace(__call__=gluing, bos_token="<s>", eos_token_id=real.eos_token_id)
    )
    monkeypatch.setattr(encoder, "_tokenize", lambda texts, special=None: gluing(texts, special is None)["input_ids"])
    (ids, prompt_length) = encoder.single(EXCHANGES[:1])[0]
    assert 99 not in ids
    assert words(TurnEncoder(processor), ids[prompt_length:]).split() == ["B", "</s>"]


def test_what_a_checkpoint_lacks_is_said(processor, monkeypatch):
    monkeypatch.setattr(processor, "chat_template", None)
    with pytest.raises(InputError, match="chat template"):
        TurnEncoder(processor)


def test_a_template_with_the_question_first_needs_chat(processor, monkeypatch):
    late = processor.chat_template.replace("{{ '<image> ' }}", "").replace(
        "{{ ' ' if m['role'] == 'user'", "{{ ' <image> ' if m['role'] == 'user'"
    )
    monkeypatch.setattr(processor, "chat_template", late)
    with pytest.raises(InputError, match=r"data\.turns=chat"):
        TurnEncoder(processor).isolated(EXCHANGES)


def test_a_template_that_rewrites_the_question_is_refused(processor, monkeypatch):
    monkeypatch.setattr(processor, "chat_template", "{{ messages | length }}" + processor.chat_template)
    with pytest.raises(InputError, match="differently once it is answered"):
        TurnEncoder(processor).isolated(EXCHANGES)


def said(role, *parts):
    as_parts = [{"type": "image"} if part is None else {"type": "text", "text": part} for part in parts]
    return {"role": role, "content": as_parts}


TALK = [
    said("user", None, "what colour ? ", None),
    said("assistant", "red and blue"),
    said("user", "and the ball ? ", None),
    said("assistant", "no"),
    said("user", "why ?"),
]


def test_of_any_conversation_the_assistant_s_turns_are_learnt(encoder):
    tokens = encoder.conversation(TALK)
    parts = learnt(encoder, tokens)
    assert [[w for w in part if w != "</s>"] for part in parts] == [["red", "and", "blue"], ["no"]]
    assert (tokens.ids == encoder.image_id).sum() == 3 and (tokens.turn == 0).all()
    assert tokens.learn[-1] and tokens.ids[-1] == 3  # what is asked last and not answered is not there


def test_exchanges_are_one_kind_of_conversation(encoder):
    messages = [EXCHANGES[0][0], EXCHANGES[0][1]]
    for user, answer in EXCHANGES[1:]:
        messages += [{**user, "content": user["content"][1:]}, answer]
    one, other = encoder.chat(EXCHANGES), encoder.conversation(messages)
    for field in ("ids", "learn", "turn"):
        assert np.array_equal(getattr(one, field), getattr(other, field))


@pytest.mark.parametrize(
    "messages, says",
    [
        (TALK[:1], "no turn of the assistant"),
        (TALK[1:], "begins with the assistant"),
        ([TALK[0], said("assistant", "here", None)], "in the assistant's own turn"),
        ([said("user", "a <image> b"), said("assistant", "B")], "1 of the model's image tokens .* 0 pictures"),
        ([said("user", None, "a"), said("assistant", "<image>")], "2 of the model's image tokens .* 1 pictures"),
    ],
)
def test_a_conversation_that_cannot_be_learnt_is_said(processor, messages, says):
    with pytest.raises(InputError, match=says):
        TurnEncoder(processor).conversation(messages)


def test_photos_are_put_where_their_placeholders_stand():
    short = Tokens(np.array([7, 1, 8, 1, 9]), np.array([0, 0, 0, 0, 1], bool), np.array([0, 0, 1, 1, 1], np.int16))
    photos = [PhotoTokens(np.array([1, 1, 1])), PhotoTokens(np.array([5, 1, 6]), before=1)]
    whole = with_photos(short, 1, photos)
    assert whole.ids.tolist() == [7, 1, 1, 1, 5, 1, 6, 9]
    assert whole.turn.tolist() == [0, 0, 0, 0, 1, 1, 1, 1]
    assert whole.learn.tolist() == [False] * 7 + [True]
    assert len(whole.ids) - len(short.ids) == sum(photo.longer for photo in photos)
