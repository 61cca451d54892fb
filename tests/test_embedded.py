"""The demo end to end, small: every stage for real, and the report that it promises."""

import json
import re

import numpy as np
import pytest
from helpers.tiny import FAMILIES

import pseudogd
from pseudogd.benchmarks.probe import depth_probe, probe_maps
from pseudogd.benchmarks.truth import true_photos
from pseudogd.embedded import ARMS, RECIPE
from pseudogd.errors import InputError, PseudoGDError
from pseudogd.training.recipe import parse_recipe

SIZES = {"photos": 24, "items": 40, "split": "dev", "steps": 3, "workers": 2}
SUB_TASKS = {"Egocentric", "Hypothetical", "Localization", "Geometric_Reasoning"}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    out = tmp_path_factory.mktemp("demo") / "a demo"
    pseudogd.demo(out, quiet=True, **SIZES)
    return out


@pytest.mark.slow
def test_the_report_holds_what_the_demo_promises(run):
    report = json.loads((run / "report.json").read_text())
    for arm in ("base", "vqa_only", "joint"):
        accuracy = report["arms"][arm]["accuracy"]
        assert set(accuracy) == set(report["arms"][arm]["n"]) == set(report["arms"][arm]["ci95"])
        assert {"overall", *SUB_TASKS} <= set(accuracy)
        assert report["arms"][arm]["n"]["overall"] == SIZES["items"]
        low, high = report["arms"][arm]["ci95"]["overall"]
        assert 0 <= low <= accuracy["overall"] <= high <= 1
        assert report["depth_probe"][arm]["abs_rel"] > 0 and 0 <= report["depth_probe"][arm]["delta1"] <= 1
    for name in ("overall", *SUB_TASKS):
        row = report["joint_minus_vqa_only"][name]
        expected = report["arms"]["joint"]["accuracy"][name] - report["arms"]["vqa_only"]["accuracy"][name]
        assert row["delta"] == pytest.approx(expected)
        assert row["ci95"][0] <= row["delta"] <= row["ci95"][1] and 0 <= row["p"] <= 1
    assert 0 < report["teacher"]["abs_rel"] < 0.5 and report["teacher"]["delta1"] > 0.5
    assert report["export"]["max_abs_logit_diff"] == 0
    assert {"render", "label", "annotate", "synth", "audit", "train", "eval", "export"} <= set(report["seconds"])
    assert (run / "data" / "view.html").is_file() and (run / "data" / "audit.html").is_file()
    told = report["questions"]
    assert 0 < told["kept"] <= told["made"] == sum(told["tasks"].values()) and len(told["audit"]) > 8
    assert report["seed"] == 0 and {"python", "torch", "transformers"} <= set(report["versions"])


@pytest.mark.slow
def test_the_page_is_whole_and_opens_offline(run):
    page = (run / "report.html").read_text()
    assert not re.search(r'src="(?!data:)|<link|@import|url\((?!data:|#)', page)
    assert page.count("data:image/") >= 4


@pytest.mark.slow
def test_started_again_it_makes_nothing_anew(run):
    weights = (run / "joint" / "model" / "model.safetensors").stat().st_mtime_ns
    before = json.loads((run / "report.json").read_text())
    pseudogd.demo(run, quiet=True, **SIZES)
    after = json.loads((run / "report.json").read_text())
    assert (run / "joint" / "model" / "model.safetensors").stat().st_mtime_ns == weights
    assert after["arms"] == before["arms"]


def test_the_arms_differ_in_nothing_but_the_arm():
    recipes = [
        parse_recipe(
            {"arm": arm, "out": "x", "model": {"path": "m"}, **RECIPE, "data": {"path": "d", **RECIPE["data"]}}
        )
        for arm in ("vqa_only", "joint")
    ]
    a, b = (recipe.to_dict() for recipe in recipes)
    assert a.pop("arm") != b.pop("arm") and a == b


def test_the_demo_refuses_the_photos_that_trained_the_checkpoints(tmp_path):
    with pytest.raises(InputError, match="seed 1000"):
        pseudogd.demo(tmp_path / "demo", seed=1000, quiet=True)
    assert not (tmp_path / "demo").exists()


@pytest.mark.slow
@pytest.mark.parametrize("family", ["qwen2_5_vl", "smolvlm"])
def test_the_road_takes_students_of_other_families(family, run, tmp_path):
    """Photos at their own size and in tiles, chats and isolated questions: what the demo does with its student, by the
    same verbs in this process."""
    student, photos = FAMILIES[family].save(tmp_path / "student"), list(true_photos(run / "photos"))[:12]
    models = {"base": student, **{arm: tmp_path / arm / "model" for arm in ARMS}}
    for arm in ARMS:
        recipe = {"arm": arm, "out": str(tmp_path / arm), "model": {"path": str(student)}, **RECIPE}
        recipe |= {"data": {"path": str(run / "data"), **RECIPE["data"]}, "optim": {**RECIPE["optim"], "steps": 2}}
        assert pseudogd.train(parse_recipe(recipe), check=False, quiet=True).steps == 2
    for arm, model in models.items():
        pseudogd.evaluate(model, run / "bench" / "world", tmp_path / arm, limit=24, quiet=True)
        assert depth_probe(model, photos[:8], photos[8:])["abs_rel"] > 0
        (depth,) = probe_maps(model, photos[:8], photos[8:9])
        assert (depth[np.isfinite(depth)] > 0).any()
    assert pseudogd.export(tmp_path / "joint", tmp_path / "export", quiet=True).max_abs_logit_diff == 0
    assert json.loads((tmp_path / "export" / "config.json").read_text())["model_type"] == family
    assert pseudogd.report(tmp_path).is_file()
    report = json.loads((tmp_path / "report.json").read_text())
    assert {arm: report["arms"][arm]["n"]["overall"] for arm in models} == dict.fromkeys(models, 24)


@pytest.mark.slow
def test_another_student_in_the_same_folder_is_refused(run, tmp_path):
    student = FAMILIES["smolvlm"].save(tmp_path / "student")
    with pytest.raises(PseudoGDError, match=rf"another recipe .*model\.path: .* -> {re.escape(str(student))}"):
        pseudogd.demo(run, student=student, quiet=True, **SIZES)
