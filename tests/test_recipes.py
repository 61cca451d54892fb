"""The example recipes are valid, say what they seem to say, and differ only where they should."""

import json
from pathlib import Path

import pytest
import yaml
from helpers.tiny import FAMILIES
from helpers.tiny_data import save_tiny_data

from pseudogd import cli, exits
from pseudogd.embedded import RECIPE
from pseudogd.student.load import load_student
from pseudogd.training.doctor import LOOKS
from pseudogd.training.recipe import Recipe, load_recipe
from pseudogd.training.train import run_training

FOLDER = Path(__file__).parents[1] / "recipes"
EXAMPLES = sorted(FOLDER.glob("*.yaml"))


FAMILY_OF = {
    "qwen2_5_vl": "qwen2_5_vl",
    "qwen3_vl": "qwen3_vl",
    "internvl3": "internvl",
    "llava_onevision": "llava_onevision",
    "smolvlm2": "smolvlm",
    "gemma3": "gemma3",
    "llava_1_5": "llava",
}
"""Beginning of a recipe's name -> the family of its model."""
NAMED = [path for path in EXAMPLES if path.stem.endswith(("_lora", "_full"))]
HOW = {"lora": "LoRA", "full": "full"}


def family_of(path):
    (family,) = (family for begin, family in FAMILY_OF.items() if path.stem.startswith(begin))
    return family


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """A data folder, and one checkpoint of each family."""
    folder, made = tmp_path_factory.mktemp("recipes"), {}

    def of(family):
        if family not in made:
            made[family] = FAMILIES[family].save(folder / family)
        return made[family]

    return save_tiny_data(folder / "data", photos=4, turns=3, size=[(150, 97), (97, 150)]), of


def test_the_models_that_people_own_have_a_recipe_of_each_way():
    assert len(NAMED) == 20 and {path.stem.rpartition("_")[0] for path in NAMED} == {
        *("qwen2_5_vl_3b", "qwen2_5_vl_7b", "qwen3_vl_4b", "qwen3_vl_8b", "internvl3_2b", "internvl3_8b"),
        *("llava_onevision_7b", "smolvlm2_2b", "gemma3_4b", "llava_1_5_7b"),
    }


@pytest.mark.slow
@pytest.mark.parametrize("path", NAMED, ids=lambda path: path.stem)
def test_every_named_recipe_passes_the_doctor_with_a_tiny_checkpoint_of_its_family(path, tiny, tmp_path, monkeypatch):
    data, checkpoint_of = tiny
    monkeypatch.chdir(tmp_path)  # the recipe's own `out` is relative
    command = [
        "doctor",
        path,
        f"data.path={data}",
        "device=cpu",
        "--offline",
        "--model",
        checkpoint_of(family_of(path)),
    ]
    assert exits.run(cli.app, [str(word) for word in (*command, "--out", "looked", "--quiet")]) == 0
    told = json.loads(Path("looked/doctor.json").read_text(encoding="utf-8"))
    assert {check["name"]: check["status"] for check in told["checks"] if check["status"] in ("fail", "skip")} == {}
    assert {check["name"] for check in told["checks"]} == set(LOOKS)
    assert {told["parameters"][part]["how"] for part in ("tower", "llm")} == {HOW[path.stem.rpartition("_")[2]]}
    assert told["measured"]["loss"] > 0 and told["measured"]["untaught"] == []
    assert not Path("runs").exists()


@pytest.mark.slow
@pytest.mark.parametrize("family", list(FAMILY_OF.values()))
def test_a_named_recipe_of_each_family_trains_a_tiny_checkpoint(family, tiny, tmp_path):
    data, checkpoint_of = tiny
    path = next(path for path in NAMED if family_of(path) == family and path.stem.endswith("_lora"))
    smaller = {"optim.steps": 1, "optim.batch_size": 2, "optim.grad_accum": 1, "device": "cpu"}
    places = {"model.path": str(checkpoint_of(family)), "data.path": str(data), "out": str(tmp_path / "run")}
    recipe = load_recipe(path, smaller | places)
    assert recipe.uses_lora
    result = run_training(recipe, quiet=True, check=False)
    assert result.steps == 1 and result.metrics["geometry_loss"] > 0 and not result.left_out
    assert load_student(result.model).family.model_types[0] == family


@pytest.mark.parametrize("path", NAMED, ids=lambda path: path.stem)
def test_a_step_of_every_named_recipe_has_64_rows(path):
    recipe = load_recipe(path)
    processes = 8 if recipe.optim.fsdp else 1
    assert recipe.optim.batch_size * recipe.optim.grad_accum * processes == 64


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
