"""What the first steps of a run refuse to go on with."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from helpers import tiny_data
from torch import nn

from pseudogd.errors import InputError, PseudoGDError
from pseudogd.store.dataset import Store
from pseudogd.training import setup
from pseudogd.training.arms import mix_at, parts_reached
from pseudogd.training.checks import FirstSteps, check_coverage, coverage
from pseudogd.training.train import run_training


def with_gradient(*values):
    parameters = [nn.Parameter(torch.zeros(2)) for _ in values]
    for p, value in zip(parameters, values):
        p.grad = None if value is None else torch.full((2,), float(value))
    return parameters


def test_a_part_may_be_late_but_not_forever():
    tower, head = with_gradient(0, None), with_gradient(1)
    look = FirstSteps({"tower": tower, "head": head, "llm": []})
    look.look(["tower", "head", "llm"])
    look.look(["tower", "head"])
    assert not look.done
    with pytest.raises(PseudoGDError, match="no gradient reached tower in 3 steps"):
        look.look(["tower", "head"])
    late = FirstSteps({"tower": tower})
    late.look(["tower"])
    tower[0].grad = torch.ones(2)
    late.look(["tower"])
    assert late.done
    tower[0].grad = None
    for _ in range(5):
        late.look(["tower"])


def test_each_arm_expects_the_parts_that_it_reaches(recipe_of):
    def reached(arm, place):
        return set(parts_reached(mix_at(recipe_of(arm=arm), 0, 10), place))

    assert reached("joint", "encoder") == {"tower", "projector", "llm", "head"}
    assert reached("vqa_only", "encoder") == {"tower", "projector", "llm"}
    assert reached("geometry_only", "encoder") == reached("two_stage", "encoder") == {"tower", "head"}
    assert reached("geometry_only", "projector") == {"tower", "projector", "head"}
    assert reached("geometry_only", "llm") == {"tower", "projector", "llm", "head"}


@pytest.mark.parametrize("arm", ["joint", "vqa_only", "geometry_only", "two_stage"])
@pytest.mark.parametrize("place", ["encoder", "projector", "llm"])
def test_every_arm_at_every_place_passes_them(arm, place, recipe_of):
    result = run_training(recipe_of(arm=arm, geometry__place=place, checkpoint__every=0), quiet=True, check=False)
    assert result.steps == 4


def test_a_tower_that_is_cut_off_is_noticed(recipe_of, data_path, monkeypatch):
    recipe = recipe_of(optim__steps=5)
    real = setup.load_student

    def cut(*args, **kwargs):
        student = real(*args, **kwargs)
        encode = student.family.encode

        def detached(model, inputs, hidden_states=True):
            encoded = encode(model, inputs, hidden_states)
            states = None if encoded.hidden_states is None else tuple(h.detach() for h in encoded.hidden_states)
            return type(encoded)(encoded.output, states, encoded.tokens)

        student.family.encode = detached
        return student

    monkeypatch.setattr(setup, "load_student", cut)
    with pytest.raises(PseudoGDError, match=r"encoder\.1.*carries no gradient"):
        run_training(recipe, quiet=True, check=False)


def test_coverage_counts_cells_with_a_target(recipe_of, data_path):
    made = setup.build(recipe_of(), Store(data_path))
    targets = [made.photos[image].targets for image in dict.fromkeys(made.rows.image_ids)]
    weights = np.concatenate([t.weight for photo in targets for _, t in photo.views])
    assert coverage(targets) == pytest.approx((weights > 0).mean()) and coverage([]) == 0
    check_coverage(0.5, 0.5, 3)
    with pytest.raises(InputError, match=r"3\.0%.*min_coverage=5%"):
        check_coverage(0.03, 0.05, 3)


def test_labels_that_say_too_little_stop_the_run_before_it_starts(recipe_of, tmp_path, monkeypatch):
    plane = tiny_data.plane

    def unknown(rng, width, height):
        geometry = plane(rng, width, height)
        return replace(geometry, depth=np.full_like(geometry.depth, np.nan))

    monkeypatch.setattr(tiny_data, "plane", unknown)
    data = tiny_data.save_tiny_data(tmp_path / "bare", photos=2, turns=2)
    with pytest.raises(InputError, match=r"0\.0%"):
        setup.build(recipe_of(data__path=str(data)), Store(data))
    assert setup.build(recipe_of(data__path=str(data), arm="vqa_only"), Store(data)).rows
