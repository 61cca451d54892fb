"""`annotate` with real networks from disk, by the command: rows, resume, faults, wrong use."""

import shutil

import numpy as np
import pytest
from helpers.golden_folder import write_folder
from helpers.tiny_detectors import save_tiny_grounding_dino, save_tiny_owlv2, save_tiny_sam, save_tiny_sam2
from PIL import Image

from pseudogd import cli, exits
from pseudogd.errors import InputError, SettingsMismatch
from pseudogd.objects.masks import decode
from pseudogd.stages.annotate import annotate
from pseudogd.stages.label import label
from pseudogd.store.dataset import Store

LOOSE = {"box_threshold": 0.01, "min_mask_score": 0.0, "min_fill": 0.0, "min_inside": 0.0, "nms": 0.3, "doubt": 1.0}


@pytest.fixture(scope="module")
def networks(tmp_path_factory):
    root = tmp_path_factory.mktemp("networks")
    save_tiny_grounding_dino(root / "dino")
    save_tiny_owlv2(root / "owl")
    save_tiny_sam(root / "sam")
    save_tiny_sam2(root / "sam2")
    return root


@pytest.fixture(scope="module")
def labelled(tmp_path_factory):
    folder = write_folder(tmp_path_factory.mktemp("golden"), count=5, side=64)
    label(folder, f"files:{folder / 'depth'}", folder / "data", folder / "cameras.json", quiet=True)
    return folder


@pytest.fixture
def folder(labelled, tmp_path):
    return shutil.copytree(labelled, tmp_path / "golden")


def run(folder, networks, detector="owlv2:owl", segmenter="sam2:sam2", classes="chair,table,lamp,box", **options):
    family, _, name = detector.partition(":")
    kind, _, masks = (segmenter or "").partition(":")
    return annotate(
        folder / "data",
        f"{family}:{networks / name}",
        f"{kind}:{networks / masks}" if segmenter else None,
        classes,
        **{"quiet": True, "device": "cpu", **LOOSE, **options},
    )


def parts(folder):
    return {path.name: path.read_bytes() for path in sorted((folder / "data" / "objects").iterdir())}


def ledger(folder):
    lines = Store(folder / "data").failures().to_pylist()
    return {line["image"]: line["reason"] for line in lines if line["stage"] == "objects"}


@pytest.mark.parametrize(
    "detector, segmenter",
    [("owlv2:owl", "sam2:sam2"), ("grounding-dino:dino", "sam:sam"), ("grounding-dino:dino", None)],
)
def test_by_the_command(folder, networks, detector, segmenter, capsys):
    family, _, name = detector.partition(":")
    (folder / "words.txt").write_text("# what to look for\nchair\n\nDining table\nlamp\n")
    words = [
        "annotate",
        folder / "data",
        "--source",
        f"{family}:{networks / name}",
        "--vocabulary",
        folder / "words.txt",
    ]
    if segmenter:
        words += ["--segmenter", f"{segmenter.partition(':')[0]}:{networks / segmenter.partition(':')[2]}"]
    least = {"box_threshold": 0.9} if family == "owlv2" else {}  # most of its patches say 0.5
    words += [f"{key}={value}" for key, value in (LOOSE | least).items()] + ["device=cpu", "batch_size=2"]
    assert exits.run(cli.app, [str(word) for word in words]) == 0, capsys.readouterr()
    store = Store(folder / "data")
    rows = [row for image_id in store.geometry_ids() for row in store.objects(image_id)]
    assert store.counts("objects")["rows"] == 5 and rows
    for row in rows:
        x, y, w, h = row["bbox"]
        assert 0 <= x < x + w <= 64 and 0 <= y < y + h <= 64
        assert row["source"] == f"{family}:{name}" and row["category"] in ("chair", "dining table", "lamp")
        assert row["category"].split()[-1] in row["name"] and 0 < row["score"] <= 1
        assert (row["rle"] is None) == (segmenter is None)
        if segmenter:
            assert decode(row["rle"]).shape == (64, 64)
    for image_id in store.geometry_ids():
        said = [row["name"] for row in store.objects(image_id)]
        assert len(said) == len(set(said))


def test_the_same_bytes_whatever_was_killed_and_however_many_read(folder, networks, tmp_path):
    run(folder, networks, shard_size=2)
    whole = parts(folder)
    assert run(folder, networks, shard_size=2).resumed == 5
    (folder / "data" / "objects" / "part-00001.parquet").unlink()
    again = run(folder, networks, shard_size=2, workers=3)
    assert again.resumed == 3 and parts(folder) == whole


def test_what_was_left_out_is_told(folder, networks, capsys):
    result = run(folder, networks, quiet=False, max_objects=1)
    notes = Store(folder / "data").left_out("objects")
    assert result.left_out == len(notes) > 0
    assert f"{len(notes)} annotations were left out: 1 better ones are there" in capsys.readouterr().err
    assert {note.image for note in notes} <= {f"{n}.png" for n in range(5)}


def test_photos_that_are_gone_or_others_now_fail_alone(networks, tmp_path):
    folder = write_folder(tmp_path / "own", count=5, side=64)
    label(folder, f"files:{folder / 'depth'}", folder / "data", folder / "cameras.json", quiet=True)
    (folder / "images" / "1.png").unlink()
    Image.fromarray(np.zeros((64, 64, 3), np.uint8)).save(folder / "images" / "2.png")
    (folder / "images" / "3.png").write_bytes((folder / "images" / "3.png").read_bytes()[:200])
    result = run(folder, networks, max_failures=3)
    assert (result.rows, result.failures, result.exit_code) == (2, 3, 0)
    reasons = ledger(folder)
    assert "cannot be read" in reasons["1.png"] and "is another picture" in reasons["2.png"]
    assert set(reasons) == {"1.png", "2.png", "3.png"}


def test_other_settings_are_refused_until_asked_for(folder, networks):
    run(folder, networks)
    with pytest.raises(SettingsMismatch, match="classes"):
        run(folder, networks, classes="chair")
    with pytest.raises(SettingsMismatch, match="filters"):
        run(folder, networks, nms=0.4)
    assert run(folder, networks, classes="chair", overwrite=True).rows == 5


def test_wrong_use_is_one_line(folder, networks):
    for match, options in (
        ("--classes chair,table or by --vocabulary", {"classes": None}),
        ("write plain nouns", {"classes": "chair,<script>"}),
        ("no names", {"classes": " , "}),
        ("holds a full stop; write commas between names", {"classes": "chair. table."}),
        ("give --classes or --vocabulary, not both", {"vocabulary": folder / "words.txt"}),
        ("batch_size = 0", {"batch_size": 0}),
        ("box_threshold = 2", {"box_threshold": 2}),
        ("no option 'boxes'", {"boxes": 1}),
        ("no such vocabulary file", {"classes": None, "vocabulary": folder / "gone.txt"}),
    ):
        with pytest.raises(InputError, match=match) as caught:
            run(folder, networks, **options)
        assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match="box_threshold is for detectors"):
        annotate(folder / "data", f"coco:{folder / 'annotations.json'}", box_threshold=0.2, quiet=True)
    with pytest.raises(InputError, match="segmenter is for detectors"):
        annotate(folder / "data", f"coco:{folder / 'annotations.json'}", "sam2:x", quiet=True)
