"""The page of a data folder: every photo and question once, self-contained, drawn where the evidence says."""

from __future__ import annotations

import json
import math
import re
import shutil
from dataclasses import replace
from html.parser import HTMLParser
from xml.etree import ElementTree

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from helpers.golden import ROOM, golden
from helpers.golden_folder import write_folder

from pseudogd.errors import InputError
from pseudogd.reports.build import build_report
from pseudogd.reports.drawings import PLAN, Plan, name_tags, outline
from pseudogd.reports.questions import build_questions_page
from pseudogd.stages.annotate import annotate
from pseudogd.stages.label import label
from pseudogd.stages.synth import synth
from pseudogd.store.dataset import Store

EVIL = "<script>alert(1)</script> chair"


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    root = tmp_path_factory.mktemp("questions")
    photos = write_folder(root / "photos", 3, side=96)
    cameras = json.loads((photos / "cameras.json").read_text())
    cameras["2"] = None
    (photos / "cameras.json").write_text(json.dumps(cameras))
    label(photos, f"files:{photos / 'depth'}", root / "data", photos / "cameras.json", quiet=True)
    annotate(root / "data", f"coco:{photos / 'annotations.json'}", quiet=True)
    synth(root / "data", quiet=True)
    return _with_an_evil_name(root / "data")


def _with_an_evil_name(data):
    """Questions as an earlier version, or somebody else's program, may have written them."""
    (path,) = (data / "questions").glob("part-*.parquet")
    table = pq.read_table(path)
    for name in ("text", "evidence"):
        values = [text.replace("red card", EVIL) for text in table[name].to_pylist()]
        table = table.set_column(table.schema.get_field_index(name), table.schema.field(name), pa.array(values))
    pq.write_table(table, path)
    return data


@pytest.fixture(scope="module")
def page(data):
    return build_report(data).read_text(encoding="utf-8")


class Outline(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.links, self.ids, self.used = [], [], [], []

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        self.tags.append(tag)
        self.links += [values[key] for key in ("src", "href") if key in values]
        self.ids += [values["id"]] if "id" in values else []


def test_every_photo_and_question_is_on_the_page_once(data, page):
    rows = Store(data).questions().to_pylist()
    assert page.count('<article class="ask">') == len(rows) > 20
    for row in rows:
        assert page.count(row["question_id"]) == 1
    assert page.count('<section class="photo"') == 3


def test_the_page_needs_nothing_from_outside_and_escapes_all_names(page):
    parser = Outline()
    parser.feed(page)
    assert "script" not in parser.tags and "&lt;script&gt;" in page
    local = [link for link in parser.links if not link.startswith("data:image/")]
    assert local and all(link.startswith("#") and link[1:] in parser.ids for link in local)
    assert len(parser.ids) == len(set(parser.ids))
    assert not re.search(r"url\((?!data:image/)", page) and "http" not in page.replace("http-equiv", "")


def test_a_photo_without_focal_length_says_so_and_has_no_plan(page):
    without = page.split("<h2>2.png</h2>")[1]
    assert "focal length unknown" in without and 'class="plan"' not in without
    assert "focal length unknown" not in page.split("<h2>2.png</h2>")[0]
    assert 'class="plan"' in page.split("<h2>1.png</h2>")[1]


def test_the_same_data_gives_the_same_page_and_a_long_one_is_thinned(data, tmp_path, page):
    assert build_questions_page(data, tmp_path).read_text(encoding="utf-8") == page
    short = build_questions_page(data, tmp_path, most_photos=2).read_text(encoding="utf-8")
    assert short.count('<section class="photo"') == 2 and "2 photos are shown" in short


def test_photos_that_are_gone_leave_a_page(data, tmp_path):
    copy = shutil.copytree(data, tmp_path / "copy")
    manifest = json.loads((copy / "manifest.json").read_text())
    (tmp_path / "empty").mkdir()
    manifest["photos"] = {"root": str(tmp_path / "empty"), "relative": "../empty"}
    (copy / "manifest.json").write_text(json.dumps(manifest))
    assert build_questions_page(copy).read_text(encoding="utf-8").count("no longer there") == 3


def test_without_questions_it_says_what_to_run(tmp_path):
    photos = write_folder(tmp_path / "photos", 1, side=64)
    label(photos, f"files:{photos / 'depth'}", tmp_path / "data", quiet=True)
    with pytest.raises(InputError, match="pseudogd synth"):
        build_report(tmp_path / "data")
    with pytest.raises(InputError, match="report it alone"):
        build_report([tmp_path / "data", tmp_path])


# ---------------------------------------------------------------- drawings
def area(path: str) -> float:
    """Enclosed area of SVG loops by the shoelace formula."""
    total = 0.0
    for loop in re.findall(r"M([^z]+)z", path):
        points = np.array([[float(n) for n in pair.split()] for pair in loop.split("L")])
        x, y = points.T
        total += abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2
    return total


@pytest.mark.parametrize("size", [(192, 192), (768, 384)])
def test_an_outline_encloses_its_mask(size):
    for thing in golden(ROOM).objects:
        share = thing.mask.mean()
        assert area(outline(thing, size)) / (size[0] * size[1]) == pytest.approx(share, rel=0.06, abs=1e-3)


def test_a_bare_box_is_drawn_as_one():
    thing = replace(golden(ROOM).objects[0], boxes_only=True, bbox=(10.0, 20.0, 30.0, 40.0))
    assert outline(thing, (100, 100)) == "M10 20h30v40h-30z"


def test_from_above_distances_and_sides_are_kept():
    scene = golden(ROOM)
    plan = Plan(scene)
    places = plan.place(scene.centres)
    assert (places >= 0).all() and (places <= PLAN).all()
    for i in range(len(scene)):
        for j in range(i):
            level = math.dist(scene.centres[i, ::2], scene.centres[j, ::2])
            assert math.dist(places[i], places[j]) == pytest.approx(plan.unit * level)
    order = np.argsort(scene.centres[:, 0])
    assert (np.diff(places[order, 0]) > 0).all()  # right is right
    order = np.argsort(scene.centres[:, 2])
    assert (np.diff(places[order, 1]) < 0).all()  # far is up


def test_the_arrow_of_the_gaze_points_to_what_is_faced_and_turns_round_with_the_back():
    scene = golden(ROOM)
    plan = Plan(scene)
    stand, faced, asked = scene.centres[:3]
    tips = {}
    for away in (False, True):
        svg = ElementTree.fromstring(f"<svg>{plan.facing(stand, faced, away, asked)}</svg>")
        head = svg.find("path").get("d")
        tips[away] = np.array([float(n) for n in head[1:].split("L")[0].split()]) - plan.place(stand)
    ahead = plan.place(faced) - plan.place(stand)
    assert np.cross(tips[False], ahead) == pytest.approx(0, abs=5) and tips[False] @ ahead > 0
    assert tips[True] == pytest.approx(-tips[False], abs=0.2)


def test_names_stay_on_the_photo_and_off_each_other():
    things = [(thing, f"a rather long name {k}", "#000000") for k, thing in enumerate(golden(ROOM).objects)]
    svg = ElementTree.fromstring(f"<svg>{name_tags(things, (400, 400), 1 / 30)}</svg>")
    letter = 400 / 30
    boxes = []
    for text in svg.iter("text"):
        x, y, half = float(text.get("x")), float(text.get("y")), 0.3 * letter * len(text.text)
        assert half <= x + 5 and x + half <= 405 and letter <= y + 0.1 and y <= 400
        boxes.append((x, y, half))
    for k, (x, y, half) in enumerate(boxes):
        assert all(abs(y - b) > 0.9 * letter or abs(x - a) > half + h - 5 for a, b, h in boxes[:k])


def test_a_gap_is_drawn_between_the_parts_that_were_measured(data, tmp_path):
    shorter = tmp_path / "data"
    shutil.copytree(data, shorter)
    synth(shorter, {"distance": 12}, overwrite=True, quiet=True)
    rows = [json.loads(row["evidence"]) | {"value": row["value"]} for row in Store(shorter).questions().to_pylist()]
    gaps = [row for row in rows if row["form"] == "distance.gap"]
    assert gaps
    for row in gaps:
        assert math.dist(*row["ends"]) == pytest.approx(row["value"], abs=0.005)
    page = build_questions_page(shorter).read_text(encoding="utf-8")
    # On the photo a gap's line is the only one, with a white one under it.
    shots = [part.split("</svg>")[0] for part in page.split('<article class="ask">')[1:]]
    assert sum(shot.count("<line") for shot in shots) == 2 * len(gaps)
