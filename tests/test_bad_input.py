"""Odd names, places that cannot be written, full disks, Ctrl-C: one line from every command, and nothing broken."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.golden_folder import write_folder
from helpers.tiny_data import save_tiny_data
from helpers.tiny_llava import save_tiny_llava

from pseudogd import cli, exits
from pseudogd.store.dataset import Store

ODD_NAMES = ("with space.png", 'it\'s "quoted".png', "<b>bold&.png", "ünïcode 📷.png", "-dash=1;$(x).png")
POSIX = pytest.mark.skipif(os.name != "posix", reason="needs signals and file size limits")


def run(*arguments: object) -> int:
    return cli.run(cli.app, [str(argument) for argument in arguments])


def label(photos: Path, data: Path) -> list[str]:
    cameras = ["--cameras", str(photos / "cameras.json")] if (photos / "cameras.json").exists() else []
    return ["label", str(photos), "--teacher", f"files:{photos / 'depth'}", *cameras, "--out", str(data), "-q"]


def annotate(photos: Path, data: Path) -> list[str]:
    return ["annotate", str(data), "--source", f"coco:{photos / 'annotations.json'}", "-q"]


def synth(photos: Path, data: Path) -> list[str]:
    return ["synth", str(data), "-q"]


STAGES = (label, annotate, synth)


def content(data: Path) -> dict[str, bytes]:
    return {
        path.relative_to(data).as_posix(): path.read_bytes()
        for path in data.rglob("*")
        if path.is_file() and path.name != "manifest.json"
    }


def one_error_line(capsys) -> str:
    said = capsys.readouterr()
    assert said.err.count("\n") == 1 and said.err.startswith("error: ")
    assert "Traceback" not in said.err and "unexpected" not in said.err
    return said.err


def renamed(folder: Path, names: tuple[str, ...]) -> Path:
    """The golden folder with other file names everywhere."""
    write_folder(folder, len(names), side=96)
    document = json.loads((folder / "annotations.json").read_text())
    cameras = json.loads((folder / "cameras.json").read_text())
    for n, name in enumerate(names):
        for kind in ("images", "depth"):
            (folder / kind / f"{n}.png").rename(folder / kind / name)
        document["images"][n]["file_name"] = name
        cameras[name.removesuffix(".png")] = cameras.pop(str(n))
    (folder / "annotations.json").write_text(json.dumps(document))
    (folder / "cameras.json").write_text(json.dumps(cameras))
    return folder


@pytest.fixture(scope="module")
def photos(tmp_path_factory) -> Path:
    return write_folder(tmp_path_factory.mktemp("golden") / "photos", 6, side=96)


@pytest.fixture(scope="module")
def whole(photos, tmp_path_factory) -> dict[str, bytes]:
    """What the three stages write when nothing goes wrong."""
    data = tmp_path_factory.mktemp("whole") / "data"
    assert [run(*stage(photos, data)) for stage in STAGES] == [0, 0, 0]
    return content(data)


# --- odd names ------------------------------------------------------------------------------------------------------


def test_odd_names_go_the_whole_road(tmp_path):
    photos = renamed(tmp_path / "photo's 📷 folder", ODD_NAMES)
    data = tmp_path / "data & more"
    assert [run(*stage(photos, data)) for stage in STAGES] == [0, 0, 0]
    store = Store(data)
    assert set(store.photos()["path"].to_pylist()) == set(ODD_NAMES)
    assert set(store.questions()["path"].to_pylist()) == set(ODD_NAMES)
    assert all(store.geometry(image_id).camera is not None for image_id in store.geometry_ids())
    assert run("report", data, "-q") == 0
    page = (data / "report.html").read_text(encoding="utf-8")
    assert "<b>bold" not in page and "&lt;b&gt;bold&amp;.png" in page


# --- places that cannot be written ----------------------------------------------------------------------------------


def test_a_file_where_a_folder_should_be_is_one_line_for_every_command(photos, tmp_path, capsys):
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    data, student = save_tiny_data(tmp_path / "tiny", photos=2), save_tiny_llava(tmp_path / "student")
    trained = tmp_path / "run"
    (trained / "model").mkdir(parents=True)
    (trained / "recipe.yaml").write_text("{}")
    (trained / "metrics.jsonl").write_text("")
    for name in os.listdir(student):
        (trained / "model" / name).write_bytes((student / name).read_bytes())
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(
        json.dumps({"out": str(blocked / "run"), "model": {"path": str(student)}, "data": {"path": str(data)}})
    )
    bench = tmp_path / "bench"
    bench.mkdir()
    item = {"id": "0_0", "question": "q", "options": ["a", "b"], "answer": 0}
    item |= {"task_type": "t", "sub_task_type": "s"}
    (bench / "t").mkdir()
    (bench / "t" / "0.png").write_bytes((photos / "images" / "0.png").read_bytes())
    (bench / "data.json").write_text(json.dumps([item]))
    capsys.readouterr()
    for command in (
        label(photos, blocked / "data"),
        ["train", recipe, "-q"],
        ["export", trained, "--out", blocked / "model", "--no-check", "-q"],
        ["eval", student, "--bench", bench, "--out", blocked / "eval", "-q"],
        ["report", trained, "--out", blocked / "report", "-q"],
        ["demo", "--out", blocked / "demo", "-q"],
    ):
        assert run(*command) == exits.WRONG_USE, command
        assert str(blocked) in one_error_line(capsys)
    assert blocked.read_text() == "in the way"


FULL = """
import resource, sys
from pseudogd import cli
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), resource.RLIM_INFINITY))
sys.exit(cli.run(cli.app, sys.argv[2:]))
"""


@POSIX
@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.__name__)
def test_a_full_disk_is_one_line_and_can_be_mended(photos, whole, tmp_path, stage):
    data = tmp_path / "data"
    before = STAGES[: STAGES.index(stage)]
    assert [run(*earlier(photos, data)) for earlier in before] == [0] * len(before)
    done = subprocess.run([sys.executable, "-c", FULL, "1500", *stage(photos, data)], capture_output=True, text=True)
    assert done.returncode == exits.WRONG_USE
    assert done.stderr.count("\n") == 1 and "make room" in done.stderr
    assert not list(data.rglob("*.tmp"))
    rest = STAGES[STAGES.index(stage) :]
    assert [run(*later(photos, data)) for later in rest] == [0] * len(rest)
    assert content(data) == whole


# --- Ctrl-C in every stage ------------------------------------------------------------------------------------------

INTERRUPTED = """
import signal, sys
from pseudogd import cli
left = int(sys.argv[1])

def count_down(event, _):
    # A file has just been written aside and is about to be put in its place.
    global left
    if event == "os.rename":
        left -= 1
        if left == 0:
            signal.raise_signal(signal.SIGINT)

sys.addaudithook(count_down)
sys.exit(cli.run(cli.app, sys.argv[2:]))
"""


@POSIX
@pytest.mark.slow
@pytest.mark.parametrize("files", [1, 2, 3])
@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.__name__)
def test_ctrl_c_says_so_and_the_same_command_goes_on(photos, whole, tmp_path, stage, files):
    data = tmp_path / "data"
    before = STAGES[: STAGES.index(stage)]
    assert [run(*earlier(photos, data)) for earlier in before] == [0] * len(before)
    command = [sys.executable, "-c", INTERRUPTED, str(files), *stage(photos, data)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == exits.INTERRUPTED
    assert done.stderr == "interrupted; the same command goes on from here\n"
    assert not list(data.rglob("*.tmp"))
    rest = STAGES[STAGES.index(stage) :]
    assert [run(*later(photos, data)) for later in rest] == [0] * len(rest)
    assert content(data) == whole
