"""docs/teachers.md says what the program does."""

import re
from pathlib import Path

import numpy as np
import pytest
import yaml

from pseudogd.geometry.types import Scale
from pseudogd.teachers import SPECS
from pseudogd.teachers.callable import _UNITS
from pseudogd.teachers.confidence import agreement
from pseudogd.teachers.families import PREFIXES
from pseudogd.teachers.licences import LICENCES, licence_of
from pseudogd.teachers.onnx_card import OnnxCard, OutputCard
from pseudogd.teachers.units import unit_of
from pseudogd.vqa.scene import KINDS, Scene, SceneSettings

PAGE = (Path(__file__).parents[2] / "docs" / "teachers.md").read_text(encoding="utf-8")
EXAMPLES = [
    re.sub(r"(?m)^    ", "", block)
    for block in re.findall(r"(?m)(?:^(?:    .*)?\n)+", PAGE)
    if re.search(r"(?m)^    import ", block)
]


def section(heading):
    return PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]


def test_every_kind_of_teacher_has_a_row():
    lines = [line for line in PAGE.split("\n## ")[0].splitlines() if line.startswith("| `")]
    cells = [line.split("|")[1] for line in lines if "`--teacher`" not in line]
    kinds = {re.match(r" `([\w-]+)", cell).group(1) for cell in cells}
    assert kinds == {*PREFIXES, "embedded", "moge", "onnx", "call", "files"}
    assert all(kind in SPECS for kind in kinds)


def test_the_table_of_cameras_is_obeyed():
    from pseudogd.geometry.camera import Camera
    from pseudogd.geometry.types import Geometry, TeacherInfo

    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in section("Cameras").splitlines() if "|" in line]
    assert len(rows) == 2 + 2 * len(Scale)
    for depth, known, questions, _ in rows[2:]:
        camera = Camera.from_fov(4, 4, 60) if known == "known" else None
        info = TeacherInfo("t", "", "", "")
        geometry = Geometry(np.ones((4, 4)), camera, scale=Scale(depth.replace(" ", "_")), teacher=info)
        scene = Scene("id", geometry, SceneSettings(), (), geometry.depth, np.zeros((4, 4), np.int16))
        assert [kind for kind in KINDS if scene.supports(kind)] == questions.split(", ")


def test_the_card_is_one():
    card = OnnxCard.model_validate(yaml.safe_load(re.search(r"```yaml\n(.*?)```", PAGE, re.S).group(1)))
    assert card.preprocessing().multiple == 14
    for name in OutputCard.model_fields:
        assert f"`{name}`" in section("An ONNX file") or f"{name}:" in section("An ONNX file")


@pytest.mark.parametrize("source", EXAMPLES, ids=[str(index) for index in range(len(EXAMPLES))])
def test_examples_are_python_and_declare_what_is_needed(source):
    compile(source, "example", "exec")
    (unit,) = re.findall(r'\w+\.unit(?:, [\w.]+)? = "([\w -]+)"', source)
    assert unit in _UNITS
    assert ("canonical_focal" in source) == (unit == "canonical depth")


def test_there_are_the_examples_that_were_promised():
    assert len(EXAMPLES) == 5


def test_examples_have_the_unit_and_licence_of_the_tables():
    for source in EXAMPLES[1:]:
        name = re.search(r'name(?:, \w+\.licence)? = "([^"]+)"', source).group(1)
        unit = re.search(r'\.unit(?:, [\w.]+)? = "([\w -]+)"', source).group(1)
        assert unit_of(name).output is _UNITS[unit] and licence_of(name) in LICENCES
        focal = re.search(r'canonical_focal = "canonical depth", ([\d.]+)', source)
        assert (float(focal.group(1)) if focal else None) == unit_of(name).canonical_focal


def test_confidence_by_example():
    for percent, said in re.findall(r"(\d+) %(?: apart is)? (\.\d\d)", section("Confidence").split("So ")[1]):
        flat = np.full((2, 2), 2.0)
        found = agreement(flat, flat * np.exp(int(percent) / 100), Scale.METRIC)
        assert found == pytest.approx(float(said), abs=0.01)
