"""From a recipe to what is trained."""

import pytest
from helpers.tiny import FAMILIES
from helpers.tiny_data import save_tiny_data

from pseudogd.errors import InputError
from pseudogd.store.dataset import Store
from pseudogd.training.setup import build


@pytest.mark.parametrize(
    "family, isolated",
    [("llava", True), ("smolvlm", True), ("internvl", True), ("qwen2_5_vl", False), ("gemma3", False)],
)
def test_questions_are_isolated_wherever_the_language_model_can(family, isolated, recipe_of, data_path, tmp_path):
    student = FAMILIES[family].save(tmp_path / "student")
    recipe = recipe_of(model__path=str(student), data__turns="auto")
    made = build(recipe, Store(data_path))
    assert made.isolated == isolated
    assert ("position_ids" in made.collator.text([made.rows[0]])) == isolated
    if not isolated:
        with pytest.raises(InputError, match=r"data\.turns=chat"):
            build(recipe_of(model__path=str(student), data__turns="isolated"), Store(data_path))


def test_a_photo_that_the_processor_refuses_is_left_out_and_the_others_train(recipe_of, tmp_path):
    student = FAMILIES["qwen2_5_vl"].save(tmp_path / "student")
    data = save_tiny_data(tmp_path / "data", photos=3, turns=2, size=[(64, 64), (1300, 5), (90, 60)])
    rows = build(recipe_of(model__path=str(student), data__path=str(data)), Store(data)).rows
    assert len(set(rows.image_ids)) == 2
    (left_out,) = rows.left_out
    assert left_out.questions == 2 and "cannot read photos of 1300x5" in left_out.reason
