"""A few real steps: what they say, what they leave behind, and that a part which learns nothing is found."""

import sys

import pytest
import torch

from pseudogd.student.load import load_student
from pseudogd.training.doctor.trial import HighWater, run_steps
from pseudogd.training.setup import assemble


def tried(case, detached=False, **options):
    student = load_student(case.recipe.model.path, dtype=case.recipe.model.dtype)
    setup = assemble(case.recipe, student, case.rows, case.photos)
    if detached:
        student.family.projector(setup.joint.plain_model()).register_forward_hook(lambda m, args, out: out.detach())
    return run_steps(case.recipe, setup, case.heaviest, HighWater(case.device), **options)


def test_real_steps_are_measured_and_leave_nothing_behind(case_of, tmp_path):
    case = case_of()
    before = sorted(tmp_path.rglob("*"))
    measured = tried(case, steps=3)
    assert measured.device == "cpu" and measured.untaught == ()
    assert 0 < measured.loss < 100 and measured.seconds > 0 and measured.processor_seconds > 0
    assert sorted(tmp_path.rglob("*")) == before


def test_a_part_that_no_gradient_reaches_is_named(case_of):
    assert tried(case_of(geometry__weights={"anchor": 0.0}), detached=True).untaught == ("projector",)


def test_an_accumulated_step_is_told_as_a_whole(case_of):
    one, many = tried(case_of()), tried(case_of(optim__grad_accum=64))
    assert many.processor_seconds > 8 * one.processor_seconds  # 64 micro-batches, of which two are run


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux alone tells a process's peak")
def test_the_high_water_mark_stays_after_the_flood():
    water = HighWater(torch.device("cpu"))
    if water.peak is None:
        pytest.skip("this system does not let the peak be reset")
    flood = torch.ones(64 << 20, dtype=torch.uint8)
    del flood
    assert 60 << 20 < water.peak < 96 << 20
    assert HighWater(torch.device("cpu")).peak < 16 << 20  # one that is made later starts from where it is
