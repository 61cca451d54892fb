"""The example recipes are valid, say what they seem to say, and differ only where they should."""

from pathlib import Path

import pytest
import yaml

from pseudogd.embedded import RECIPE
from pseudogd.training.recipe import Recipe, load_recipe

FOLDER = Path(__file__).parents[1] / "recipes"
EXAMPLES = sorted(FOLDER.glob("*.yaml"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_every_example_is_a_valid_recipe(path):
    recipe = load_recipe(path, ["optim.steps=7", "data.path=elsewhere"])
    assert (recipe.optim.steps, recipe.data.path) == (7, "elsewhere")


def test_there_are_examples_of_both_arms():
    assert {load_recipe(path).arm for path in EXAMPLES} >= {"joint", "vqa_only"}


def test_the_arms_differ_in_geometry_alone():
    joint, other = (load_recipe(FOLDER / f"{arm}.yaml").to_dict() for arm in ("joint", "vqa_only"))
    for values in (joint, other):
        for key in ("arm", "out", "geometry"):
            values.pop(key)
    assert joint == other


def test_joint_writes_out_the_defaults_of_the_geometry_branch():
    recipe = load_recipe(FOLDER / "joint.yaml")
    default = Recipe.model_validate({"out": "x", "model": {"path": "m"}, "data": {"path": "d"}})
    assert recipe.geometry == default.geometry
    assert recipe.optim.lr == default.optim.lr
    assert recipe.optim.batch_size * recipe.optim.grad_accum == default.optim.batch_size
    assert set(yaml.safe_load((FOLDER / "joint.yaml").read_text())["geometry"]) <= set(recipe.to_dict()["geometry"])


def test_the_embedded_example_is_what_the_demo_trains():
    recipe = load_recipe(FOLDER / "embedded.yaml").to_dict()
    for section in ("data", "optim", "geometry"):
        for key, value in RECIPE[section].items():
            got = recipe[section][key]
            assert {k: got[k] for k in value} == value if isinstance(value, dict) else got == value, (
                f"{section}.{key}: the demo has {value}, recipes/embedded.yaml {got}"
            )
