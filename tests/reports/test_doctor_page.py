"""The doctor's page holds every check, shows what came from files as text, and needs nothing outside of itself."""

import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from helpers.tiny_data import plane
from PIL import Image

from pseudogd.distill.targets import cell_targets
from pseudogd.reports.doctor import write_doctor_page
from pseudogd.student.families.base import View, grid_boxes
from pseudogd.training.doctor import FAIL, PASS, SKIP, WARN, Check, Diagnosis, SeenPhoto
from pseudogd.training.doctor.sizes import Batch, Memory, PartSize
from pseudogd.training.doctor.trial import Measured
from pseudogd.training.recipe import load_recipe

HOSTILE = "<script>alert(1)</script><img src=x onerror='alert(2)'>&amp;\"quoted\""


class Page(HTMLParser):
    """Tags with their attributes, and all text."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.words = [], []
        self.feed(text)
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_data(self, data):
        self.words.append(data)


def seen_photo(folder, name="<b>&photo.png", grid=(4, 6)):
    """A photo of noise on a slanted plane, as a whole and its left half."""
    path = folder / name
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (80, 120, 3), dtype=np.uint8)).save(path)
    views = []
    for called, width in (("whole", 120), ("<u>tile</u>", 60)):
        boxes = grid_boxes(grid, 1, (width / grid[1], 80 / grid[0]))
        view = View(called, grid, np.arange(len(boxes)), boxes, called == "whole", 1)
        views.append((view, cell_targets(plane(np.random.default_rng(1), 120, 80), boxes, grid, 1, view.is_global)))
    return SeenPhoto(name, path, (120, 80), views, metric=True)


@pytest.fixture
def found(tmp_path):
    """A diagnosis in which everything that a file may have named is hostile."""
    recipe = load_recipe(None, {"out": f"runs/{HOSTILE}", "model.path": HOSTILE, "data.path": HOSTILE})
    checks = [
        Check("family", PASS, f"llava: {HOSTILE}"),
        Check("rows", WARN, "a warning with an <i>italic</i> word"),
        Check("views", FAIL, f"{HOSTILE}: no such folder"),
        Check("memory", SKIP, "not looked at, for it needs views"),
    ]
    return Diagnosis(
        recipe,
        checks=checks,
        parameters={"tower": PartSize(300, 100, "LoRA"), "llm": PartSize(10, 0, HOSTILE)},
        memory=Memory(1 << 30, 2 << 30, 3 << 30, 4 << 30, 5 << 20, 0, 9 << 30),
        seconds=0.25,
        measured=Measured(HOSTILE, 0.5, 0.5, None, 1.5, ()),
        batch=Batch(2, 100, 12, 34, 17, 32, 32),
    )


def written(found, folder):
    return write_doctor_page(found, folder).read_text(encoding="utf-8")


def test_what_files_and_recipes_say_is_text_and_never_markup(found, tmp_path):
    found.photo = seen_photo(tmp_path)
    text = written(found, tmp_path / "doctor")
    page = Page(text)
    assert not {"script", "u"} & {tag for tag, _ in page.tags}
    assert not [name for _, attributes in page.tags for name in attributes if name.startswith("on")]
    assert "<script" not in text and "<b>&photo" not in text and "<u>tile" not in text
    for shown in (HOSTILE, found.photo.name, "<u>tile</u>"):
        assert shown in page.text


def test_every_check_is_there_with_its_outcome(found, tmp_path):
    page = Page(written(found, tmp_path))
    places = []
    for check in found.checks:
        row = f"{check.status} {check.name} {' '.join(check.text.split())}"
        assert row in page.text
        places.append(page.text.index(row))
    assert places == sorted(places)  # in the order in which they were made
    assert "1 of 4 checks failed" in page.text


@pytest.mark.parametrize(
    ("statuses", "said"),
    [((PASS, PASS), "All 2 checks passed."), ((PASS, WARN), "Nothing failed; 1 of 2 checks"), ((FAIL, WARN), "1 of 2")],
)
def test_the_first_line_says_how_it_ended(statuses, said, found, tmp_path):
    found.checks = [Check(f"look {number}", status, "why") for number, status in enumerate(statuses)]
    assert said in Page(written(found, tmp_path)).text


def test_the_page_needs_nothing_outside_of_itself(found, tmp_path):
    found.photo = seen_photo(tmp_path)
    text = written(found, tmp_path / "doctor")
    page = Page(text)
    linked = [value for _, attributes in page.tags for key, value in attributes.items() if key in ("src", "href")]
    assert len(linked) == 1 + 2 * 2  # the photo, and two views beside their targets
    assert all(value.startswith("data:image/png;base64,") for value in linked)
    assert not re.search(r"url\(|@import|https?://|<link", re.sub(r"data:image/png;base64,[^\"]+", "", text))
    policy = [attributes["content"] for tag, attributes in page.tags if tag == "meta" and "http-equiv" in attributes]
    assert len(policy) == 1 and policy[0].startswith("default-src 'none'")


def test_what_is_not_known_is_left_out_and_an_old_picture_goes(found, tmp_path):
    found.photo = seen_photo(tmp_path)
    written(found, tmp_path)
    assert Image.open(tmp_path / "views.png").size[0] > 100
    found.photo = found.memory = found.measured = found.batch = found.seconds = None
    found.parameters = {}
    text = Page(written(found, tmp_path)).text
    assert not (tmp_path / "views.png").exists()
    for heading in ("What the student sees", "Parameters", "Cost of a step"):
        assert heading not in text


def test_the_numbers_beside_the_page_are_what_was_found(found, tmp_path):
    written(found, tmp_path)
    told = json.loads((tmp_path / "doctor.json").read_text(encoding="utf-8"))
    assert [(c["name"], c["status"], c["text"]) for c in told["checks"]] == [
        (c.name, c.status, c.text) for c in found.checks
    ]
    assert told["estimated"]["memory_bytes"]["peak"] == 9 << 30 and told["exit_code"] == 1
    assert told["measured"]["peak"] is None and told["batch"]["answers"] == 12
