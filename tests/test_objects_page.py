"""What docs/objects.md states is what the program does."""

import inspect
import re
from dataclasses import fields
from pathlib import Path

from pseudogd.objects.detectors import FAMILIES
from pseudogd.objects.detectors.grounding_dino import GroundingDino
from pseudogd.objects.detectors.owlv2 import Owlv2
from pseudogd.objects.open_vocabulary import Filters
from pseudogd.stages.detect import BATCH_SIZE

PAGE = (Path(__file__).parents[1] / "docs" / "objects.md").read_text(encoding="utf-8")


def rows(heading):
    text = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    lines = [line for line in text.splitlines() if line.startswith("| `")]
    return {cells[1].strip(" `"): cells[2].strip() for line in lines if (cells := line.split("|"))}


def test_every_family_is_a_row():
    kinds = {kind for kinds in FAMILIES.values() for kind in kinds}
    assert {name.rstrip(":") for name in rows("Sources")} == kinds | {"coco:FILE"}


def test_every_option_is_a_row_with_its_default():
    said = rows("Options of a detector")
    for field in fields(Filters):
        assert float(said.pop(field.name)) == field.default
    assert int(said.pop("batch_size")) == BATCH_SIZE
    defaults = {}
    for cls in (Owlv2, GroundingDino):
        options = inspect.signature(cls).parameters.items()
        defaults |= {name: option.default for name, option in options if option.kind is option.KEYWORD_ONLY}
    low = inspect.signature(Owlv2).parameters["box_threshold"].default
    assert said.pop("box_threshold") == f"{defaults['box_threshold']}; {low} for OWLv2"
    for name in ("text_threshold", "doubt", "template"):
        assert said.pop(name) == str(defaults[name])
    rest = {name for key in said for name in re.findall(r"\w+", key)}
    assert rest == {"device", "dtype", "revision", "segmenter_revision"}
