"""What is particular to Qwen3-VL: DeepStack. Blocks and photos are packed as test_qwen2_5_vl.py says."""

import pytest
import torch
import transformers as hf
from helpers.painted import batch_of, painted
from helpers.tiny import qwen3_vl as tiny

from pseudogd.errors import InputError
from pseudogd.student.ask import generate_answers
from pseudogd.student.chat import user_turn
from pseudogd.student.families.qwen3_vl import Qwen3VLAdapter
from pseudogd.student.load import load_student
from pseudogd.student.taps import resolve_taps
from pseudogd.training.turns import TurnEncoder


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tiny.save(tmp_path_factory.mktemp("qwen3_vl"))


@pytest.fixture
def student(folder):
    return load_student(folder)


def adapter(depth, deep):
    return Qwen3VLAdapter(hf.Qwen3VLConfig(vision_config=dict(depth=depth, deepstack_visual_indexes=deep)))


@pytest.mark.parametrize(
    "depth, deep, want",
    [
        (27, [8, 16, 24], [9, 17, 25, 27]),  # 8B and larger
        (24, [5, 11, 17], [6, 12, 18, 24]),  # 2B and 4B
        (24, [17, 5], [6, 18, 24]),
        (24, [23], [24]),
        (24, [0, 4, 8, 12, 16, 20], [1, 9, 21, 24]),
        (24, [], [6, 12, 18, 24]),
    ],
)
def test_taps_are_the_states_of_deepstack_and_the_last(depth, deep, want):
    family = adapter(depth, deep)
    assert family.default_taps() == want and family.last_read == depth
    assert list(resolve_taps(None, family).layers) == want


def test_blocks_are_not_sorted_by_window():
    """A photo of 4 x 6 patches: blocks of 2 x 2 row by row."""
    encoding = {"image_grid_thw": torch.tensor([[1, 4, 6]])}
    (view,) = adapter(4, [1]).views((192, 64), encoding)
    assert view.tokens.reshape(4, 6).tolist() == [
        [0, 1, 4, 5, 8, 9],
        [2, 3, 6, 7, 10, 11],
        [12, 13, 16, 17, 20, 21],
        [14, 15, 18, 19, 22, 23],
    ]
    assert view.cell == 16 and view.boxes[0].tolist() == [0, 0, 32, 16]


def test_a_state_of_deepstack_is_what_its_own_projector_reads(student):
    encoded = student.family.encode(student.model, batch_of(student, [(150, 97)]))
    tower = student.family.tower(student.model)
    for merger, state, features in zip(
        tower.deepstack_merger_list, student.family.deep_states, encoded.output.deepstack_features
    ):
        assert torch.equal(merger(encoded.hidden_states[state]), torch.cat(list(features)))


def test_language_reads_a_photo_through_deepstack_even_without_its_tokens(student):
    """What goes on to the language model must hold the deep features; they are not among the projector's tokens."""
    inputs = batch_of(student, [(64, 64), (150, 97)])
    with torch.no_grad():
        encoded = student.family.encode(student.model, inputs)
        want = student.model(**student.family.language_inputs(inputs, encoded)).logits
        again = student.family.repeated(student.family.encode_distinct(student.model, inputs, [1, 0]), [1, 0])
        got = student.model(**student.family.language_inputs(inputs, again)).logits
        for layer in encoded.output.deepstack_features:
            for features in layer:
                features.zero_()
        without = student.model(**student.family.language_inputs(inputs, encoded)).logits
    assert torch.allclose(got, want, atol=1e-5) and not torch.allclose(without, want, atol=1e-2)


def test_all_projectors_are_the_projector_and_no_block_is(student):
    found = {id(p) for p in student.family.projector(student.model).parameters()}
    names = {n for n, p in student.model.named_parameters() if id(p) in found}
    assert names == {n for n, _ in student.model.named_parameters() if "merger" in n}
    assert any("deepstack_merger_list.1." in n for n in names)


def test_projectors_that_no_layer_is_left_for_are_frozen(tmp_path):
    """Three taps of DeepStack, given in any order, and two layers to add them to: the deepest is never read."""
    student = load_student(tiny.save(tmp_path, deep=(2, 0, 1), layers=2))
    silent = student.family.unused_parameters(student.model)
    assert silent and all("deepstack_merger_list.0." in name for name in silent)


def exchange(question, answer):
    return user_turn(question), {"role": "assistant", "content": [{"type": "text", "text": answer}]}


def test_a_model_that_always_thinks_learns_to_answer_at_once(tmp_path, monkeypatch):
    """Its template opens thoughts in the prompt, whatever it is told; only a last answer shows that they end."""
    student = load_student(tiny.save(tmp_path, thinking=True))
    tok, encoder = student.processor.tokenizer, TurnEncoder(student.processor)
    tokens = encoder.chat([exchange("how far ?", "2 m")])
    assert tok.decode(tokens.ids[tokens.learn]) == "\n</think>\n\n2 m<|im_end|>"
    with pytest.raises(InputError, match=r"data\.turns_per_row=1"):
        encoder.chat([exchange("how far ?", "2 m"), exchange("which ?", "A")])
    said = tok("nearer than 3 m\n</think>\n\n2 m<|im_end|>", return_tensors="pt")["input_ids"]
    monkeypatch.setattr(student.model, "generate", lambda input_ids, **_: torch.cat([input_ids, said], dim=1))
    assert generate_answers(student, [(painted(64, 64), "how far ?")]) == ["2 m"]
