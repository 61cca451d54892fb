"""Recipes: complete, strict about keys, and the same after a round trip."""

import pytest
import yaml

from pseudogd.errors import InputError
from pseudogd.training.recipe import KNOWN_KEYS, differences, load_recipe, parse_recipe, recipe_text

NEEDED = {"out": "run", "model": {"path": "student"}, "data": {"path": "data"}}


def test_a_recipe_written_out_reads_back_as_the_same_recipe(tmp_path):
    recipe = parse_recipe({**NEEDED, "optim": {"steps": 7, "lr": {"head": 0.002}}, "geometry": {"lambda": 0.5}})
    path = tmp_path / "recipe.yaml"
    path.write_text(recipe_text(recipe))
    assert load_recipe(path) == recipe
    assert recipe.geometry.lam == 0.5


def test_every_default_is_written_out():
    written = yaml.safe_load(recipe_text(parse_recipe(NEEDED)))

    def keys(values, prefix=""):
        for name, value in values.items():
            yield prefix + name
            if isinstance(value, dict):
                yield from keys(value, f"{prefix}{name}.")

    assert set(keys(written)) == {key for key in KNOWN_KEYS if not key.startswith("data.mix.")}  # null by default


@pytest.mark.parametrize(
    ("values", "wrong", "nearest"),
    [
        ({"optim": {"stepz": 3}}, "optim.stepz", "optim.steps"),
        ({"batch_size": 3}, "batch_size", "optim.batch_size"),
        ({"geometry": {"lamda": 1}}, "geometry.lamda", "geometry.lambda"),
        ({"optim": {"lr": {"towr": 1}}}, "optim.lr.towr", "optim.lr.tower"),
        ({"sed": 1}, "sed", "seed"),
    ],
)
def test_an_unknown_key_is_named_with_the_nearest_right_one(values, wrong, nearest, tmp_path):
    path = tmp_path / "bad.yaml"
    path.write_text(yaml.safe_dump({**values, "out": "x"}))
    with pytest.raises(InputError) as caught:
        load_recipe(path)
    message = str(caught.value)
    assert "\n" not in message and str(path) in message and repr(wrong) in message and repr(nearest) in message


def test_overrides_go_on_top_and_are_yaml(tmp_path):
    path = tmp_path / "r.yaml"
    path.write_text(yaml.safe_dump({**NEEDED, "optim": {"steps": 5, "batch_size": 4}}))
    recipe = load_recipe(
        path, ["optim.steps=9", "data.tasks=[size, distance]", "geometry.lambda=1e-2", "optim.lr.tower=0"]
    )
    assert (recipe.optim.steps, recipe.optim.batch_size) == (9, 4)
    assert recipe.data.tasks == ["size", "distance"]
    assert recipe.geometry.lam == 0.01
    assert load_recipe(path, {"optim.steps": 9}).optim.steps == 9


@pytest.mark.parametrize(
    ("override", "word"),
    [
        ("optim.step=3", "optim.steps"),
        ("optim.steps", "key=value"),
        ("optim.steps=-3", "greater than 0"),
        ("optim.steps=many", "optim.steps"),
        ("arm=both", "vqa_only"),
        ("optim=3", "optim"),
        ("data.tasks=[", "YAML"),
    ],
)
def test_a_bad_override_is_one_clear_line(override, word, tmp_path):
    path = tmp_path / "r.yaml"
    path.write_text(yaml.safe_dump(NEEDED))
    with pytest.raises(InputError, match=word) as caught:
        load_recipe(path, [override])
    assert "\n" not in str(caught.value)


def test_a_missing_value_and_a_broken_file_are_named(tmp_path):
    with pytest.raises(InputError, match="model"):
        parse_recipe({"out": "x", "data": {"path": "d"}})
    with pytest.raises(InputError, match="cannot be read"):
        load_recipe(tmp_path / "none.yaml")
    (tmp_path / "list.yaml").write_text("- 1\n- 2\n")
    with pytest.raises(InputError, match="mapping"):
        load_recipe(tmp_path / "list.yaml")
    (tmp_path / "broken.yaml").write_text("a: [1\n")
    with pytest.raises(InputError, match="not YAML"):
        load_recipe(tmp_path / "broken.yaml")


def test_a_model_whose_every_part_is_frozen_is_refused():
    frozen = {"lr": {"tower": 0, "projector": 0, "llm": 0}}
    with pytest.raises(InputError, match="would not learn"):
        parse_recipe({**NEEDED, "optim": frozen})


def test_differences_name_what_changes_the_weights_and_nothing_else():
    old = parse_recipe(NEEDED)
    same = parse_recipe({**NEEDED, "out": "elsewhere", "log_every": 1, "checkpoint": {"every": 3}})
    other = parse_recipe({**NEEDED, "seed": 1, "geometry": {"lambda": 1.0}})
    assert differences(old, same) == []
    assert differences(old, other) == ["seed: 0 -> 1", "geometry.lambda: 0.3 -> 1.0"]


def test_shares_are_given_in_the_file_or_one_by_one(tmp_path):
    path = tmp_path / "r.yaml"
    path.write_text(yaml.safe_dump({**NEEDED, "data": {"path": "d", "mix": None}}))
    assert load_recipe(path).data.mix is None
    recipe = load_recipe(path, ["data.mix.both=50", "data.mix.general=10", "data.general=g.jsonl"])
    assert recipe.data.mix.shares == (50, 0, 0, 10)
    assert recipe == load_recipe(path, ["data.mix={both: 50, general: 10}", "data.general=g.jsonl"])
    assert parse_recipe(recipe.to_dict()) == recipe
    assert "data.mix.both: None -> 50.0" in differences(load_recipe(path), recipe)
    with pytest.raises(InputError, match=r"data\.mix\.geometri.*data\.mix\.geometry"):
        load_recipe(path, ["data.mix.geometri=3"])


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"general": "g.jsonl"}, r"data\.mix\.general=10"),
        ({"mix": {}}, "every share is 0"),
        ({"mix": {"both": -1}}, r"data\.mix\.both"),
        ({"mix": {"both": float("inf")}}, r"data\.mix\.both"),
        ({"mix": {"both": 1, "general": 1}}, r"data\.general names no file"),
        ({"mix": {"vqa": 1}}, "neither both nor geometry"),
        ({"mix": {"geometry": 1}}, "none of both, vqa and general"),
    ],
)
def test_a_mix_that_cannot_be_trained_on_is_said(changes, says):
    with pytest.raises(InputError, match=says) as caught:
        parse_recipe({**NEEDED, "data": {"path": "d", **changes}})
    assert "\n" not in str(caught.value)


def test_what_an_arm_has_no_use_for_may_be_in_its_mix():
    for arm, mix in (("vqa_only", {"vqa": 1, "geometry": 1}), ("geometry_only", {"geometry": 1, "vqa": 1})):
        assert parse_recipe({**NEEDED, "arm": arm, "data": {"path": "d", "mix": mix}}).data.mix is not None
    for arm, mix in (("vqa_only", {"geometry": 1}), ("geometry_only", {"vqa": 1})):
        with pytest.raises(InputError, match=f"arm {arm} learns from"):
            parse_recipe({**NEEDED, "arm": arm, "data": {"path": "d", "mix": mix}})
