"""The report of made-up runs: numbers recomputed by hand, one self-contained page, nothing unescaped."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from helpers import fabricated_runs as fabricate
from PIL import Image

from pseudogd.errors import InputError
from pseudogd.reports.build import build_report, json_ready
from pseudogd.reports.collect import collect, read_metrics
from pseudogd.reports.curves import smooth
from pseudogd.reports.page import axis_reach, headline
from pseudogd.reports.pictures import depth_picture, depth_range, load_panel, save_panel


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    root = fabricate.runs(tmp_path_factory.mktemp("report") / "demo")
    build_report(root)
    return root


@pytest.fixture(scope="module")
def numbers(run):
    return json.loads((run / "report.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def page(run) -> str:
    return (run / "report.html").read_text(encoding="utf-8")


def test_json_has_the_promised_keys(numbers):
    for arm in ("base", "vqa_only", "joint"):
        for key in ("accuracy", "n", "ci95"):
            assert set(numbers["arms"][arm][key]) == {"overall", *fabricate.SUB_TASKS}
        assert set(numbers["depth_probe"][arm]) == {"abs_rel", "delta1"}
    for row in numbers["joint_minus_vqa_only"].values():
        assert {"delta", "ci95", "p", "mcnemar_p", "n"} <= set(row)
    assert set(numbers["teacher"]) == {"abs_rel", "delta1"}
    assert numbers["export"]["max_abs_logit_diff"] == 0.0
    assert numbers["seed"] == 0
    assert {"python", "torch", "transformers", "pseudogd"} <= set(numbers["versions"])
    assert numbers["seconds"]["train_joint"] > 0


def test_accuracies_and_differences_are_those_of_the_files(run, numbers):
    right = {arm: pq.read_table(run / arm / "eval/world/items.parquet").to_pylist() for arm in fabricate.ACCURACY}
    for task in ("overall", *fabricate.SUB_TASKS):
        mean = {
            arm: np.mean([row["correct"] for row in rows if task in ("overall", row["sub_task_type"])])
            for arm, rows in right.items()
        }
        for arm, value in mean.items():
            assert numbers["arms"][arm]["accuracy"][task] == pytest.approx(value)
            low, high = numbers["arms"][arm]["ci95"][task]
            assert low < value < high
        row = numbers["joint_minus_vqa_only"][task]
        assert row["delta"] == pytest.approx(mean["joint"] - mean["vqa_only"])
        assert row["ci95"][0] <= row["delta"] <= row["ci95"][1]
    counts = numbers["joint_minus_vqa_only"]["overall"]
    assert counts["only_right"]["joint"] - counts["only_right"]["vqa_only"] == pytest.approx(
        counts["delta"] * counts["n"]
    )


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.tags: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.links += [
            value for key, value in attrs if key in ("src", "href", "xlink:href", "srcset", "action") and value
        ]


def test_page_needs_nothing_but_itself(page):
    parser = _Links()
    parser.feed(page)
    assert parser.links
    assert all(link.startswith(("data:image/", "#")) for link in parser.links)
    assert not {"script", "link", "iframe", "object", "base"} & set(parser.tags)
    assert not re.search(r"url\((?!['\"]?#)|@import", page)
    assert '<meta name="viewport" content="width=device-width' in page


def test_page_shows_what_the_json_says(page, numbers):
    for arm in numbers["arms"].values():
        assert f"{100 * arm['accuracy']['overall']:.1f}" in page
    for section in ("Accuracy by sub-task", "Depth, before and after", "Questions with every answer", "Time", "limits"):
        assert section in page
    assert page.count('<article class="question">') == 2 * len(fabricate.SUB_TASKS)
    assert page.count('<article class="question">\n<img src="data:image/png;base64,') == 2 * len(fabricate.SUB_TASKS)
    assert page.count("<svg") == 2
    assert "Only the paper's abstract is public" in page


def test_a_probe_that_was_told_the_focal_length_has_its_own_columns(page, tmp_path):
    assert "f known" not in page
    root = fabricate.runs(tmp_path / "x", count=4)
    measures = json.loads((root / "measures.json").read_text(encoding="utf-8"))
    measures["depth_probe"]["joint"]["known_focal"] = {"abs_rel": 0.0625, "delta1": 0.987}
    (root / "measures.json").write_text(json.dumps(measures), encoding="utf-8")
    text = build_report(root).read_text(encoding="utf-8")
    assert "f known" in text and "0.062" in text and "98.7" in text


def test_svg_ids_do_not_clash(page):
    ids = re.findall(r'\bid="([^"]+)"', page)
    shared = {name for name in ids if ids.count(name) > 1}
    referred = set(re.findall(r'(?:url\(#|href="#)([^")]+)', page))
    assert not shared & referred


def test_same_input_same_bytes(run, tmp_path):
    first = build_report(run, tmp_path / "a").read_bytes()
    assert build_report(run, tmp_path / "b").read_bytes() == first


def test_markup_in_the_data_is_shown_as_text(tmp_path):
    root = fabricate.runs(tmp_path / "x", count=20, question="<script>alert(1)</script> & 'quoted'")
    text = build_report(root).read_text(encoding="utf-8")
    assert "<script>" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp;" in text


def test_a_picture_outside_of_the_bench_is_not_embedded(tmp_path):
    root = fabricate.runs(tmp_path / "x", count=4)
    Image.new("RGB", (8, 8)).save(tmp_path / "outside.png")
    for arm in fabricate.ACCURACY:
        path = root / arm / "eval/world/items.parquet"
        rows = pq.read_table(path).to_pylist()
        pq.write_table(pq.read_table(path).from_pylist([row | {"image": "../../../outside.png"} for row in rows]), path)
    arms = collect([root]).arms
    assert all(item.image is None for arm in arms for item in arm.benches["world"])


def test_one_training_run_alone(run, tmp_path):
    text = build_report(run / "joint", tmp_path).read_text(encoding="utf-8")
    assert text.count("<svg") == 2
    assert "minus" not in text.split("Method and limits")[0].split("</style>")[1].split("<svg")[0]


def test_several_runs_need_a_place(run, tmp_path):
    with pytest.raises(InputError, match="--out"):
        build_report([run / "joint", run / "base"])
    numbers = json.loads((build_report([run / "joint", run / "base"], tmp_path).parent / "report.json").read_text())
    assert set(numbers["arms"]) == {"joint", "base"}
    assert "joint_minus_base" in numbers


def test_runs_of_one_name_are_told_apart(tmp_path):
    for seed in ("s0", "s1"):
        fabricate.items(tmp_path / seed / "joint", "joint", 20, "Where?")
    names = [arm.name for arm in collect([tmp_path / "s0" / "joint", tmp_path / "s1" / "joint"]).arms]
    assert names == ["s0/joint", "s1/joint"]


def test_different_items_are_refused(tmp_path):
    fabricate.items(tmp_path / "joint", "joint", 20, "Where?")
    fabricate.items(tmp_path / "base", "base", 24, "Where?")
    with pytest.raises(InputError, match="different items"):
        build_report(tmp_path)


@pytest.mark.parametrize("spoil", ["missing", "empty", "not parquet", "wrong columns", "broken measures"])
def test_bad_folders_are_one_line(tmp_path, spoil):
    root = tmp_path / "runs"
    if spoil != "missing":
        root.mkdir()
    if spoil in ("not parquet", "wrong columns", "broken measures"):
        fabricate.items(root / "joint", "joint", 4, "Where?")
    if spoil == "not parquet":
        (root / "joint/eval/world/items.parquet").write_bytes(b"PK")
    if spoil == "wrong columns":
        path = root / "joint/eval/world/items.parquet"
        pq.write_table(pq.read_table(path).drop_columns(["predicted"]), path)
    if spoil == "broken measures":
        (root / "measures.json").write_text("{")
    with pytest.raises(InputError) as error:
        build_report(root)
    assert str(root) in str(error.value)
    assert "\n" not in str(error.value)


def test_metrics_may_end_in_the_middle_of_a_line(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"step": 1, "loss": 2.0}\n{"step": 2, "lo')
    assert read_metrics(path) == [{"step": 1, "loss": 2.0}]
    path.write_text('{"step": 1, "lo\n{"step": 2, "loss": 2.0}\n')
    with pytest.raises(InputError, match="line 1"):
        read_metrics(path)


@pytest.mark.parametrize(
    ("ci95", "words"), [([0.01, 0.05], "beat"), ([-0.05, -0.01], "did worse"), ([-0.01, 0.05], "cannot tell")]
)
def test_headline_says_no_more_than_the_interval(ci95, words):
    row = {"delta": sum(ci95) / 2, "ci95": ci95, "n": 100}
    assert words in headline({"joint_minus_vqa_only": {"overall": row}})


def test_axis_holds_every_interval():
    assert axis_reach({"a": {"ci95": [-0.02, 0.031]}}) == pytest.approx(0.05)
    assert axis_reach({"a": {"ci95": [-0.12, 0.03]}, "b": {"ci95": [0.0, 0.2]}}) == pytest.approx(0.2)


def test_panel_keeps_its_arrays(tmp_path):
    photo = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    depth = np.array([[1.0, np.nan], [np.inf, 2.5]], dtype=np.float32)
    save_panel(tmp_path / "p.npz", photo, {"teacher": depth})
    panel = load_panel(tmp_path / "p.npz")
    np.testing.assert_array_equal(panel.photo, photo)
    np.testing.assert_array_equal(panel.depths["teacher"], depth)
    (tmp_path / "p.npz").write_bytes(b"PK\x03\x04")
    with pytest.raises(InputError, match=r"p\.npz"):
        load_panel(tmp_path / "p.npz")


def test_near_is_brighter_than_far_and_unknown_is_grey():
    depth = np.array([[1.0, 2.0, 4.0, np.nan, np.inf, 0.0]])
    near, far = depth_range({"truth": depth})
    assert 1.0 <= near < far <= 4.0
    pixels = np.asarray(depth_picture(depth, 1.0, 4.0)).astype(int)[0]
    brightness = pixels.sum(-1)
    assert brightness[0] > brightness[1] > brightness[2] > brightness[4] == 0
    assert pixels[3].tolist() == pixels[5].tolist()
    assert depth_range({"truth": np.full((2, 2), np.nan)}) == (0.1, 10.0)


def test_smoothing_keeps_a_straight_line_and_the_length():
    line = np.linspace(3.0, 1.0, 200)
    np.testing.assert_allclose(smooth(line), line, atol=0.03)
    np.testing.assert_allclose(smooth(line)[20:-20], line[20:-20], atol=1e-12)
    assert smooth(np.array([1.0, 5.0])).tolist() == [1.0, 5.0]


def test_json_has_no_nan():
    assert json_ready({"a": np.float32("nan"), "b": [np.int64(3), float("inf")]}) == {"a": None, "b": [3, None]}


def test_the_licence_of_each_teacher_is_told_once(tmp_path):
    root = fabricate.runs(tmp_path / "runs", count=8)
    for arm in ("vqa_only", "joint"):
        result = {"seconds": 1.0, "max_abs_logit_diff": 0.0}
        told = {"result": result, "teachers": {"a <b>teacher</b>": "CC-BY-NC-4.0"}}
        (root / arm / "train.json").write_text(json.dumps(told), encoding="utf-8")
    assert list(collect([root]).notes).count("Geometry by a <b>teacher</b>, under the licence CC-BY-NC-4.0.") == 1
    build_report(root)
    page = (root / "report.html").read_text(encoding="utf-8")
    assert page.count("under the licence CC-BY-NC-4.0") == 1 and "<b>teacher" not in page
