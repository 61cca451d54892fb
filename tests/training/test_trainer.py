"""The trainer: one loss under gradient accumulation, learning rates by part, lambda over time."""

import pytest
import torch

from pseudogd.progress import SilentBar
from pseudogd.store.dataset import Store
from pseudogd.training import setup
from pseudogd.training.arms import mix_at
from pseudogd.training.interrupt import Interrupt
from pseudogd.training.parameters import parameter_groups, parts_of
from pseudogd.training.recipe import parse_recipe
from pseudogd.training.trainer import PseudoGDTrainer


def built(recipe):
    return setup.build(recipe, Store(recipe.data.path))


def trainer_of(recipe, made, steps):
    return PseudoGDTrainer(
        made.joint, recipe, made.rows, made.collator, steps, made.student.processor, {}, SilentBar(), Interrupt()
    )


def gradients(recipe):
    """Gradients of the first step, before they are used."""
    made = built(recipe)
    trainer = trainer_of(recipe, made, recipe.optim.steps)
    found = {}

    def keep(optimizer, args, kwargs):
        if not found:
            found.update({n: p.grad.clone() for n, p in made.joint.named_parameters() if p.grad is not None})

    trainer.create_optimizer().register_step_pre_hook(keep)
    trainer.train()
    return found


def test_four_at_once_is_two_times_two(recipe_of, tmp_path):
    """Labels per micro-batch differ, geometry is a mean: only a loss that shares both out rightly agrees."""
    common = {"optim__steps": 1, "optim__clip": 0, "geometry__lambda": 5.0, "geometry__warmup": 0}
    common["geometry__weights"] = {"order": 1.0, "anchor": 0.5}
    whole = gradients(recipe_of(optim__batch_size=4, **common))
    split = gradients(recipe_of(optim__batch_size=2, optim__grad_accum=2, out=str(tmp_path / "split"), **common))
    assert whole.keys() == split.keys() and any("head" in name for name in whole)
    for name, gradient in whole.items():
        assert torch.allclose(gradient, split[name], atol=1e-5, rtol=1e-3), name


def test_parts_are_told_apart_and_every_parameter_is_in_one(recipe_of):
    made = built(recipe_of())
    parts = parts_of(made.joint.model, made.joint.family, made.joint.head)
    name_of = {id(p): name for name, p in made.joint.named_parameters()}
    named = {part: [name_of[id(p)] for p in parameters] for part, parameters in parts.items()}
    assert sorted(n for names in named.values() for n in names) == sorted(name_of.values())
    assert all("vision_tower" in name for name in named["tower"])
    assert all("multi_modal_projector" in name for name in named["projector"])
    assert all("language_model" in name or "lm_head" in name for name in named["llm"])
    assert all(name.startswith("head.") for name in named["head"])
    assert all(named.values())


def test_groups_have_their_part_s_rate_and_spare_norms_and_biases_the_decay(recipe_of):
    rates = {"tower": 1.0, "projector": 2.0, "llm": 3.0, "head": 4.0}
    recipe = recipe_of(optim__lr=rates, optim__weight_decay=0.5)
    made = built(recipe)
    groups = {group["name"]: group for group in parameter_groups(made.joint, recipe.optim)}
    assert {name: group["lr"] for name, group in groups.items()} == rates | {f"{k}.plain": v for k, v in rates.items()}
    assert {group["weight_decay"] for name, group in groups.items() if name.endswith(".plain")} == {0.0}
    assert {group["weight_decay"] for name, group in groups.items() if not name.endswith(".plain")} == {0.5}
    plain = {id(p) for name, group in groups.items() if name.endswith(".plain") for p in group["params"]}
    for name, parameter in made.joint.named_parameters():
        if parameter.requires_grad and ("norm" in name or name.endswith(".bias")):
            assert id(parameter) in plain, name
        if parameter.ndim > 1:
            assert id(parameter) not in plain, name


def test_a_base_model_is_not_changed_by_how_it_is_trained(recipe_of):
    """The base class turns the model's cache off in the config that is exported."""
    recipe = recipe_of()
    made = built(recipe)
    before = made.joint.config.to_dict()
    trainer_of(recipe, made, 1)
    assert made.joint.config.to_dict() == before


def test_the_head_starts_at_the_scale_of_the_data(recipe_of):
    made = built(recipe_of())
    known = [targets for image in set(made.rows.image_ids) for _, targets in made.photos[image].targets.views]
    mean = sum((t.log_depth * t.weight).sum() / t.weight.sum() - t.log_focal for t in known) / len(known)
    assert made.joint.head.settings["s_bias"] == pytest.approx(float(mean), abs=1e-5)
    assert made.joint.head.settings["phi_bias"] == pytest.approx(float(known[0].log_focal), abs=1e-5)


def test_prepared_photos_are_kept_while_there_is_room(recipe_of):
    made = built(recipe_of())
    image = made.rows.image_ids[0]
    made.photos._kept.clear()
    made.photos.room = 0
    assert made.photos[image] is not made.photos[image]
    made.photos.room = made.photos[image].nbytes
    assert made.photos[image] is made.photos[image]
    other = next(i for i in made.rows.image_ids if i != image)
    assert made.photos[other] is not made.photos[other]


def recipe(arm, **geometry):
    values = {"arm": arm, "out": "x", "model": {"path": "m"}, "data": {"path": "d"}, "geometry": geometry}
    return parse_recipe(values)


def test_lambda_rises_in_a_line_and_stays():
    lams = [mix_at(recipe("joint", **{"lambda": 0.3, "warmup": 0.1}), step, 100).lam for step in range(100)]
    assert lams[:10] == pytest.approx([0.03 * (k + 1) for k in range(10)])
    assert set(lams[10:]) == {0.3}
    assert mix_at(recipe("joint", warmup=0), 0, 100).lam == 0.3


def test_what_counts_in_each_arm():
    def counts(arm, step):
        mix = mix_at(recipe(arm, first_stage=0.25), step, 8)
        return mix.language, mix.geometry

    assert [counts("joint", s) for s in (0, 7)] == [(True, True)] * 2
    assert [counts("vqa_only", s) for s in (0, 7)] == [(True, False)] * 2
    assert [counts("geometry_only", s) for s in (0, 7)] == [(False, True)] * 2
    assert [counts("two_stage", s) for s in (0, 1, 2, 7)] == [(False, True)] * 2 + [(True, False)] * 2
