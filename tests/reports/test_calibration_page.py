"""The page of a calibration: curves in closed form, every figure there, nothing from outside, data escaped."""

import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from pseudogd.reports.calibration import curve_groups, held_rows, render_calibration_page, write_calibration_page
from pseudogd.reports.margin_curves import HEIGHT, WIDTH, ratio_svg, share_svg
from pseudogd.vqa.calibration import Tried, curve, figures_of, propose
from pseudogd.vqa.held_out import held_out

HOSTILE = "<script>alert(1)</script><img src=x onerror='alert(2)'>&amp;\"quoted\""
BINS = [
    {"from": 1.0, "at": 1.0, "to": 2.0, "pixels": 50, "ratio": [0.8, 0.9, 1.0]},
    {"from": 2.0, "at": 4.0, "to": 8.0, "pixels": 50, "ratio": [1.0, 1.1, 1.2]},
]


class Page(HTMLParser):
    """Tags with their attributes, and all text."""

    def __init__(self, text):
        super().__init__()
        self.tags, words = [], []
        self.handle_data = words.append
        self.feed(text)
        self.text = " ".join(" ".join(words).split())

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))


def found(photos=40, name="data"):
    """What calibration.json would hold: a form that is right from margin 0.5 on, one that is wrong, and a rare one."""
    rng = np.random.default_rng(0)
    tried = [Tried("clock", "clock.hour", 1.0, True, None, False, "0")]
    for k in range(photos):
        for margin in rng.random(2).tolist():
            right = margin > 0.5 or k % 2 == 0
            tried.append(Tried("size", "size.taller", margin, right, margin > 0.3, False, f"{k}"))
            tried.append(Tried("slope", "slope.at", margin, k % 2 == 0, None, False, f"{k}"))
    forms = sorted({one.form for one in tried})
    own = {form: [one for one in tried if one.form == form] for form in forms}
    proposal = propose(tried, 0.95)
    tasks = {form.split(".")[0]: figures_of(own[form]) for form in forms}
    tasks["size"]["where_the_flat_rule_is_wrong"] = figures_of([one for one in own["size.taller"] if not one.shortcut])
    shown = {form: {**figures_of(own[form]), "margin_unit": "", "by_margin": curve(own[form])} for form in forms}
    return {
        "data": name,
        "teacher": {"name": name},
        "photos": photos,
        "wanted": 0.95,
        "depth": {
            "abs_rel_aligned": 0.08,
            "abs_rel": 0.1,
            "delta1": 0.9,
            "photos": photos,
            "scale": {"factor": 1.05, "interval": [1.0, 1.1], "spread": 0.06},
            "worst": [{"path": name, "abs_rel_aligned": 0.4}],
            "by_distance": BINS,
        },
        "objects": {"own": 0.1, "shared": 0.09},
        "stated": {"own": 0.08},
        "tasks": tasks,
        "forms": shown,
        "forms_with_proposed_depth_sigma": shown,
        "held_out": held_out(tried, 0.95, {}),
        "too_few": list(proposal.unknown),
        "proposed": {"least_margin": dict(proposal.least_margin), "without": list(proposal.without)},
        "left_out": {
            "photos_without_measured_depth": {"count": 3, "some": [name]},
            "photos_not_asked_for": 2,
            "facts": {"true depth does not show one of the things": 7},
        },
    }


def test_everything_is_there():
    text = Page(render_calibration_page(found())).text
    for said in (
        "1.050 × told",
        "states 8.0 %",
        "least margin of",
        "slope.at",
        "at no margin right often enough",
        "too few facts for a curve: 1 form clock.hour: 1 of 1 right",
        "too few photos to tell: 2 tasks clock: 1 fact of 1 photo slope: nothing is asked any more",
        "Where the flat picture misleads",
        "3 photos without measured depth",
        "2 photos, as fewer were asked for",
        "7 facts: true depth does not show one of the things",
    ):
        assert said in text, said
    held = found()["held_out"]["all"]["held"]
    assert f"With what is proposed {100 * held['share']:.1f} % of answers are right on photos that it" in text


def test_few_photos_and_no_things_are_said():
    text = Page(render_calibration_page(found(photos=4))).text
    assert "Too few photos have questions" in text and "Cannot be told from" in text and "promised" not in text
    bare = {key: value for key, value in found().items() if key in ("data", "teacher", "photos", "depth")}
    bare["left_out"] = {"photos_without_measured_depth": {"count": 0, "some": []}, "photos_not_asked_for": 0}
    text = Page(render_calibration_page(bare)).text
    assert "depth alone was compared" in text and "1.050 × told" in text and "Right answers by margin" not in text
    bare["depth"] = {"abs_rel_aligned": 0.1, "photos": 40, "worst": []}
    text = Page(render_calibration_page(bare)).text
    assert "the order of depths alone" in text and "× told" not in text


def test_names_of_files_are_text_and_nothing_comes_from_outside(tmp_path):
    page = write_calibration_page(found(name=HOSTILE), tmp_path)
    text = page.read_text(encoding="utf-8")
    read = Page(text)
    assert read.text.count(HOSTILE) >= 4  # the heading, the teacher, the worst photo, one without depth
    assert not {"script", "img", "link", "iframe"} & {tag for tag, _ in read.tags}
    assert not [key for _, attributes in read.tags for key in attributes if key.startswith("on") or key == "src"]
    assert not re.search(r"url\(|@import|https?://", text)
    policy = [attributes["content"] for tag, attributes in read.tags if tag == "meta" and "http-equiv" in attributes]
    assert len(policy) == 1 and policy[0].startswith("default-src 'none'")


def coordinates(svg, kind):
    shape = re.search(rf'<(?:polyline|polygon) class="{kind}" points="([^"]+)"', svg)
    return [] if shape is None else [tuple(map(float, pair.split(","))) for pair in shape.group(1).split()]


def test_a_curve_lies_where_its_numbers_are():
    """From 90 % at the foot to 100 % at the top, and from margin 1 to 3 across."""
    points = [
        {"margin": margin, "share": share, "interval": [share - 0.03, 1.0]}
        for margin, share in ((1.0, 0.95), (2.0, 0.96), (3.0, 1.0))
    ]
    svg = share_svg("a & b", [], points, 0.95, 2.0)
    left, right, top, bottom = 36.0, WIDTH - 8.0, 8.0, HEIGHT - 20.0
    middle = (left + right) / 2
    assert coordinates(svg, "then") == [
        (left, (top + bottom) / 2),
        (middle, round(bottom - 0.6 * (bottom - top), 1)),
        (right, top),
    ]
    assert coordinates(svg, "wanted") == [(left, (top + bottom) / 2), (right, (top + bottom) / 2)]
    assert coordinates(svg, "chosen") == [(middle, top), (middle, bottom)]
    band = coordinates(svg, "band")
    assert band[:3] == [(left, top), (middle, top), (right, top)] and max(v for _, v in band) <= bottom
    assert 'aria-label="a &amp; b"' in svg and "95 %" in svg and not coordinates(svg, "now")
    assert "chosen" not in share_svg("a", points, points, 0.95, None)


def test_told_over_true_depth_lies_where_its_numbers_are():
    svg = ratio_svg(BINS)
    left, right, top, bottom = 36.0, WIDTH - 8.0, 8.0, HEIGHT - 20.0
    span = bottom - top
    assert coordinates(svg, "then") == [(left, round(bottom - span / 4, 1)), (right, round(bottom - 3 * span / 4, 1))]
    assert coordinates(svg, "wanted")[0] == (left, (top + bottom) / 2)
    assert ">1 m<" in svg and ">4 m<" in svg
    assert len(coordinates(ratio_svg(BINS[:1]), "then")) == 0 and "<circle" in ratio_svg(BINS[:1])


def test_only_the_form_with_a_least_margin_shows_one():
    groups = curve_groups(found())["tasks"]
    ((taller,), (slope,)) = groups["size"], groups["slope"]
    assert taller["chosen"] == pytest.approx(0.5, abs=0.2) and coordinates(taller["svg"], "chosen")
    assert slope["chosen"] is None and slope["refused"] and not coordinates(slope["svg"], "chosen")


def test_the_axis_of_what_held_reaches_every_interval():
    rows = held_rows(found()["held_out"])
    assert [row["task"] for row in rows["rows"]] == ["all", "size"]  # nothing of slope is kept
    for row in rows["rows"]:
        assert 0 <= row["left"] <= row["dot"] <= row["left"] + row["width"] <= 100.01
    assert rows["mark"] == pytest.approx(100 * (0.95 - rows["floor"]) / (1 - rows["floor"]), abs=0.01)


def test_the_figures_are_plain_json():
    assert json.loads(json.dumps(found()))["wanted"] == 0.95
