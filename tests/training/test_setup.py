"""From a recipe to what is trained."""

import pytest
from helpers.tiny import FAMILIES

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
