"""`calibrate`: a folder of known errors, and the settings that come of it."""

import json
import shutil
from itertools import pairwise

import numpy as np
import pytest
from helpers.golden_folder import write_folder
from PIL import Image

import pseudogd
from pseudogd import cli, exits
from pseudogd.errors import InputError
from pseudogd.store.dataset import Store

FACTOR = 1.25
SOME_TASKS = ("nearer", "direction", "hypothetical", "size")
"""Where all are not the point: a calibration asks everything of every photo, twice."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Golden photos whose teacher says depths too large by one factor, and of the red card by a half."""
    folder = write_folder(tmp_path_factory.mktemp("golden"), count=3)
    said = folder / "said"
    said.mkdir()
    for path in sorted((folder / "depth").iterdir()):
        depth = np.asarray(Image.open(path)).astype(np.float64) * FACTOR
        Image.fromarray(np.rint(depth).astype(np.uint16)).save(said / path.name)
    for name, depth in (("right", folder / "depth"), ("wrong", said)):
        pseudogd.label(folder, f"files:{depth}", folder / name, folder / "cameras.json", quiet=True)
        pseudogd.annotate(folder / name, f"coco:{folder / 'annotations.json'}", quiet=True)
    return folder


@pytest.fixture
def data(folder, tmp_path):
    return shutil.copytree(folder / "wrong", tmp_path / "data")


def test_a_factor_is_found_and_lengths_are_wrong(folder, data):
    result = pseudogd.calibrate(data, folder / "depth", tasks=SOME_TASKS, quiet=True)
    figures = json.loads(result.report.read_text())
    assert figures == json.loads(json.dumps(result.figures))
    scale = figures["depth"]["scale"]
    assert scale["factor"] == pytest.approx(1 / FACTOR, rel=0.01)
    assert scale["interval"][0] <= scale["factor"] <= scale["interval"][1]
    assert figures["depth"]["abs_rel"] == pytest.approx(FACTOR - 1, rel=0.02)
    assert figures["depth"]["abs_rel_aligned"] < 0.01
    assert figures["objects"]["shared"] == pytest.approx(np.log(FACTOR), rel=0.05)
    for task in SOME_TASKS:
        assert figures["tasks"][task]["share"] == 1.0 and figures["tasks"][task]["count"] > 10
    assert figures["photos"] == 3


def test_a_true_teacher_has_nothing_to_mend(folder, tmp_path):
    result = pseudogd.calibrate(folder / "right", folder / "depth", out=tmp_path / "out", quiet=True)
    assert result.figures["depth"]["scale"]["factor"] == pytest.approx(1.0, abs=1e-3)
    asked = {name: share for name, share in result.figures["tasks"].items() if share["count"]}
    assert len(asked) > 20 and all(share["share"] == 1.0 for share in asked.values())
    assert set(result.figures["proposed"]) <= {"scene"}
    assert not (folder / "right" / "calibration.json").exists()


def test_synth_reads_what_is_proposed(folder, data):
    result = pseudogd.calibrate(data, folder / "depth", precision=0.9, tasks=SOME_TASKS, quiet=True)
    assert "depth_sigma" in result.settings.read_text()
    pseudogd.synth(data, settings_file=result.settings, quiet=True)
    assert Store(data).settings("questions")["scene"]["depth_sigma"] == pytest.approx(0.01)


def test_settings_to_start_from_are_kept(folder, data, tmp_path):
    start = tmp_path / "start.yaml"
    start.write_text("scene: {depth_sigma: 0.2}\nmargins: {sector: 0.4}\nunits: ft\n")
    result = pseudogd.calibrate(data, folder / "depth", settings_file=start, tasks="nearer", quiet=True)
    text = result.settings.read_text()
    assert "depth_sigma: 0.2" in text and "sector: 0.4" in text and "units: ft" in text
    assert set(result.figures["tasks"]) == {"nearer"}


def test_few_photos_and_a_truth_of_some(folder, data, tmp_path):
    some = tmp_path / "some"
    some.mkdir()
    for name in ("0.png", "2.png"):
        shutil.copy(folder / "depth" / name, some / name)
    assert pseudogd.calibrate(data, some, tasks="nearer", quiet=True).figures["photos"] == 2
    assert pseudogd.calibrate(data, folder / "depth", photos=2, tasks="nearer", quiet=True).figures["photos"] == 2


def test_depth_alone_is_compared_where_nothing_is_named(folder, tmp_path, capsys):
    """The same figures of depth as with names, no settings, and a word on what is missing."""
    out = tmp_path / "data"
    pseudogd.label(folder, f"files:{folder / 'said'}", out, folder / "cameras.json", quiet=True)
    assert exits.run(cli.app, ["calibrate", str(out), "--truth", str(folder / "depth")]) == 0
    said = capsys.readouterr()
    assert "raw; truth = 0.800" in said.err and f"`pseudogd annotate {out}` names some" in said.err
    assert said.out.strip() == f"page: {out / 'calibration.html'}; figures: {out / 'calibration.json'}"
    alone = json.loads((out / "calibration.json").read_text())
    named = pseudogd.calibrate(folder / "wrong", folder / "depth", tasks="nearer", out=tmp_path, quiet=True).figures
    assert alone["depth"] == named["depth"] and alone["photos"] == 3 and "tasks" not in alone
    assert not (out / "calibrated.yaml").exists()
    with pytest.raises(InputError, match="holds no objects yet; run `pseudogd annotate"):
        pseudogd.calibrate(out, folder / "depth", tasks="nearer", quiet=True)


def test_a_truth_of_other_pixels_is_one_line(folder, tmp_path):
    for name, known in (("said", slice(0, 20)), ("depth", slice(20, None))):
        (tmp_path / name).mkdir()
        depth = np.zeros(np.asarray(Image.open(folder / "depth" / "0.png")).shape, np.uint16)
        depth[known] = 2000
        Image.fromarray(depth).save(tmp_path / name / "0.png")
    pseudogd.label(folder, f"files:{tmp_path / 'said'}", tmp_path / "data", max_failures=2, quiet=True)
    with pytest.raises(InputError, match="no pixel of any photo is known both"):
        pseudogd.calibrate(tmp_path / "data", tmp_path / "depth", quiet=True)


def test_what_is_proposed_is_judged_on_other_photos(tmp_path, capfd):
    """Of eleven photos something is told, with a page of it; of eight only that they are too few."""
    folder = write_folder(tmp_path / "golden", count=11, side=96)
    data = tmp_path / "data"
    pseudogd.label(folder, f"files:{folder / 'depth'}", data, folder / "cameras.json", quiet=True)
    pseudogd.annotate(data, f"coco:{folder / 'annotations.json'}", quiet=True)
    result = pseudogd.calibrate(data, folder / "depth", tasks="nearer,direction", out=tmp_path / "out")
    held = result.figures["held_out"]
    assert held["all"]["held"]["photos"] == 11 and held["all"]["held"]["share"] == 1.0
    assert held["all"]["held"]["count"] == result.figures["all_tasks_with_all_proposed"]["count"]
    assert held["tasks"]["nearer"]["verdict"] == "pass"
    assert "facts of 11 photos; 95.0% holds" in capfd.readouterr().err
    assert result.page == tmp_path / "out" / "calibration.html" and "pass" in result.page.read_text()
    for name in ("9.png", "10.png"):
        (folder / "depth" / name).unlink()
    result = pseudogd.calibrate(data, folder / "depth", tasks="nearer", photos=8)
    said = capfd.readouterr().err
    assert "held out: cannot tell from 8 photos whether what is proposed holds on others (10 at least)" in said
    assert result.figures["held_out"]["all"]["held"]["share"] is None
    assert result.figures["left_out"]["photos_not_asked_for"] == 1
    unmeasured = result.figures["left_out"]["photos_without_measured_depth"]
    assert unmeasured["count"] == 2 and set(unmeasured["some"]) == {"9.png", "10.png"}


def test_facts_that_true_depth_cannot_judge_are_counted(folder, data, tmp_path):
    """Holes in the true depth where a thing was: facts about it are left out, and it is said why."""
    holed = tmp_path / "holed"
    holed.mkdir()
    for path in (folder / "depth").iterdir():
        depth = np.asarray(Image.open(path)).copy()
        depth[:, : depth.shape[1] // 2] = 0
        Image.fromarray(depth).save(holed / path.name)
    whole = pseudogd.calibrate(data, folder / "depth", tasks="nearer", out=tmp_path, quiet=True).figures
    found = pseudogd.calibrate(data, holed, tasks="nearer", out=tmp_path, quiet=True).figures
    assert whole["left_out"]["facts"] == {} and 0 < found["all_tasks"]["count"] < whole["all_tasks"]["count"]
    assert found["left_out"]["facts"]["true depth does not show one of the things"] > 0


def test_told_over_true_depth_is_known_by_distance(folder, tmp_path):
    """The teacher's factor, at every distance."""
    found = pseudogd.calibrate(folder / "wrong", folder / "depth", tasks="nearer", out=tmp_path, quiet=True).figures
    bins = found["depth"]["by_distance"]
    assert sum(one["pixels"] for one in bins) == 3 * 400 and len(bins) == 8
    assert [one["ratio"][1] for one in bins] == pytest.approx([FACTOR] * 8, rel=0.01)
    assert all(one["from"] <= one["at"] <= one["to"] for one in bins)
    assert all(one["to"] <= other["from"] for one, other in pairwise(bins))
    assert {one["path"] for one in found["depth"]["worst"]} == {"0.png", "1.png", "2.png"}


def test_wrong_use_is_said(folder, data, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="file: is a file; --out needs a folder"):
        pseudogd.calibrate(data, folder / "depth", out=tmp_path / "file", quiet=True)
    (tmp_path / "square").mkdir()
    for name in ("0.png", "1.png", "2.png"):
        Image.fromarray(np.full((50, 90), 2000, np.uint16)).save(tmp_path / "square" / name)
    with pytest.raises(InputError, match=r"square/\d.png: is 90 x 50, the photo is 160 x 160: another aspect ratio"):
        pseudogd.calibrate(data, tmp_path / "square", quiet=True)
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no depth map with the name of a photo"):
        pseudogd.calibrate(data, tmp_path / "empty", quiet=True)
    with pytest.raises(InputError, match=r"precision = 1.0"):
        pseudogd.calibrate(data, folder / "depth", precision=1.0, quiet=True)
    with pytest.raises(InputError, match="unknown task 'near'"):
        pseudogd.calibrate(data, folder / "depth", tasks="near", quiet=True)
    with pytest.raises(InputError, match="no such folder"):
        pseudogd.calibrate(data, tmp_path / "none", quiet=True)


def test_relative_depth_is_compared_by_its_order(folder, tmp_path):
    from pseudogd.geometry.types import Geometry, Scale, TeacherInfo
    from pseudogd.store.rows import geometry_row

    source = Store(folder / "right")
    store = Store.open(tmp_path / "data", "geometry", {"teacher": "relative"}, photos=folder / "images")
    rows = []
    for photo in source.photos().to_pylist():
        own = source.geometry(photo["image_id"])
        depth = 1.0 / (0.02 + 0.7 / own.depth)
        told = Geometry(depth, None, scale=Scale.AFFINE_DISPARITY, teacher=TeacherInfo("relative", "", "", "none"))
        size = {"width": photo["width"], "height": photo["height"]}
        rows.append(geometry_row(told, image_id=photo["image_id"], path=photo["path"], **size))
    from pseudogd.store.shards import plan

    (part,) = plan(["all"], 1)
    store.write_shard("geometry", part, rows)
    store.finish("geometry", 1)
    pseudogd.annotate(tmp_path / "data", f"coco:{folder / 'annotations.json'}", quiet=True)
    result = pseudogd.calibrate(tmp_path / "data", folder / "depth", tasks=SOME_TASKS, quiet=True)
    assert result.figures["depth"]["abs_rel_aligned"] < 0.01 and "scale" not in result.figures["depth"]
    assert result.figures["tasks"]["nearer"]["share"] == 1.0
    assert "scene" not in result.figures["proposed"]


def test_a_teacher_that_is_far_worse_than_it_states_is_named(folder, data, capfd):
    """Off by 22 % for all of a photo (log 1.25): five times what is stated here; and little for single things."""
    manifest = data / "manifest.json"
    stated = json.loads(manifest.read_text())
    stated["stages"]["geometry"]["settings"]["depth_error"] = {"own": 0.05, "shared": 0.04}
    manifest.write_text(json.dumps(stated))
    figures = pseudogd.calibrate(data, folder / "depth", tasks="nearer").figures
    said = capfd.readouterr()
    assert "off by 22% for all depths of a photo together, and states 4%" in said.out + said.err
    assert "single things" not in said.out + said.err
    assert figures["stated"] == {"own": 0.05, "shared": 0.04}
    assert figures["all_tasks"]["count"] == figures["tasks"]["nearer"]["count"]
