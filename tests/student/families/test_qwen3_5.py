"""What is particular to Qwen3.5: a template that can think, a language model of two kinds of layers, no DeepStack."""

import re

import pytest
import torch
import transformers as hf
from helpers.painted import batch_of
from helpers.tiny import qwen3_5 as tiny
from torch import nn

from pseudogd.student.chat import chat_text, user_turn
from pseudogd.student.families.qwen3_5 import Qwen35Adapter
from pseudogd.student.load import load_student
from pseudogd.student.lora import llm_pattern
from pseudogd.student.prefix import can_share
from pseudogd.training.turns import TurnEncoder


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tiny.save(tmp_path_factory.mktemp("qwen3_5"))


@pytest.fixture
def student(folder):
    return load_student(folder)


def exchange(question, answer):
    return user_turn(question), {"role": "assistant", "content": [{"type": "text", "text": answer}]}


@pytest.mark.parametrize("thinks", [True, False])
def test_answers_are_asked_for_and_learnt_after_thoughts_that_are_empty(thinks, tmp_path):
    processor = load_student(tiny.save(tmp_path, thinks=thinks)).processor
    asked = chat_text(processor, [user_turn("how far ?")], ask=True)
    assert asked.endswith("<|im_start|>assistant\n<think>\n\n</think>\n\n")
    tokens = TurnEncoder(processor).chat([exchange("how far ?", "2 m")])
    assert processor.tokenizer.decode(tokens.ids[tokens.learn]) == "2 m<|im_end|>"
    assert processor.tokenizer.decode(tokens.ids[~tokens.learn]) == asked


def test_every_answer_of_a_row_stands_after_empty_thoughts_not_the_last_alone(student):
    processor = student.processor
    exchanges = [exchange("how far ?", "2 m"), exchange("which ?", "A"), exchange("where ?", "left")]
    tokens = TurnEncoder(processor).chat(exchanges)
    text = processor.tokenizer.decode(tokens.ids)
    assert text.count("<|im_start|>assistant\n<think>\n\n</think>\n\n") == 3 == text.count("<think>")
    assert processor.tokenizer.decode(tokens.ids[tokens.learn]) == "2 m<|im_end|>A<|im_end|>left<|im_end|>"
    flat = [message for pair in exchanges for message in pair]
    flat[2], flat[4] = ({**m, "content": m["content"][1:]} for m in (flat[2], flat[4]))
    plain = processor.apply_chat_template(flat, tokenize=False)
    assert plain.count("<think>") == 1
    assert text.replace("<think>\n\n</think>\n\n", "") + "\n" == plain.replace("<think>\n\n</think>\n\n", "")


@pytest.mark.parametrize("depth, want", [(12, [3, 6, 9, 12]), (24, [6, 12, 18, 24]), (27, [7, 14, 20, 27])])
def test_taps(depth, want):
    family = Qwen35Adapter(hf.Qwen3_5Config(vision_config=dict(depth=depth)))
    assert family.default_taps() == want and family.last_read == depth


def test_adapters_of_the_language_model_reach_layers_of_both_kinds(student):
    pattern = llm_pattern(student.model)
    hit = {n for n, m in student.model.named_modules() if isinstance(m, nn.Linear) and re.fullmatch(pattern, n)}
    layers = student.model.model.language_model.layers
    assert len(hit) == sum(isinstance(m, nn.Linear) for m in layers.modules())
    assert any(n.endswith("linear_attn.in_proj_qkv") for n in hit)
    assert any(n.endswith("self_attn.q_proj") for n in hit)
    assert not can_share(student)


def test_filling_on_either_side_changes_nothing_for_the_running_state(student):
    """Layers of linear attention have no mask over pairs of tokens: what fills a row must not enter their state."""
    inputs = batch_of(student, [(64, 64)])
    pad = student.processor.tokenizer.pad_token_id
    with torch.no_grad():
        want = student.model(**inputs).logits
        for before, after in ((7, 0), (0, 7)):
            filled = dict(inputs)
            for key, value in (("input_ids", pad), ("attention_mask", 0), ("mm_token_type_ids", 0)):
                filled[key] = nn.functional.pad(inputs[key], (before, after), value=value)
            got = student.model(**filled).logits[:, before : before + want.shape[1]]
            assert torch.allclose(got, want, atol=1e-4)
