"""The commands: exit codes, one line for whatever is wrong, nothing heavy before it is needed, and the whole road."""

from __future__ import annotations

import inspect
import json
import os
import re
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import typer
from helpers.tiny_llava import save_tiny_llava
from PIL import Image

import pseudogd
from pseudogd import api, cli, exits
from pseudogd.cli.options import pairs
from pseudogd.errors import PseudoGDError

COMMANDS = (
    *("demo", "label", "annotate", "synth", "selftest", "calibrate", "audit", "pack", "view", "verify"),
    *("train", "eval", "export", "ask", "report", "doctor"),
)
HEAVY = (
    *("torch", "transformers", "accelerate", "peft", "numpy", "scipy", "PIL", "pyarrow", "pycocotools"),
    *("jinja2", "matplotlib", "trimesh", "embreex", "rich", "yaml"),
)


def run(*arguments: object) -> int:
    return exits.run(cli.app, [str(argument) for argument in arguments])


def python(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout


def depth_photos(folder: Path, count: int, size: int = 48) -> Path:
    """Photos of noise with depth maps of a floor and a box, cameras and annotations."""
    rng = np.random.default_rng(0)
    for name in ("images", "depth"):
        (folder / name).mkdir(parents=True)
    images, annotations, cameras = [], [], {}
    for number in range(count):
        name = f"{number:04d}.png"
        depth = np.broadcast_to(np.linspace(4, 1, size)[:, None], (size, size)).copy()
        depth[10:34, 6:20], depth[14:36, 28:44] = 1.5, 2.5
        Image.fromarray(rng.integers(0, 255, (size, size, 3), dtype=np.uint8)).save(folder / "images" / name)
        Image.fromarray((1000 * depth).astype(np.uint16)).save(folder / "depth" / name)
        cameras[name] = {"fx": size, "fy": size, "cx": size / 2, "cy": size / 2, "width": size, "height": size}
        images.append({"id": number, "file_name": name, "width": size, "height": size})
        for place, (x, y, w, h) in enumerate([(6, 10, 14, 24), (28, 14, 16, 22)]):
            ring = [x, y, x + w, y, x + w, y + h, x, y + h]
            row = {"id": 2 * number + place, "image_id": number, "category_id": place, "iscrowd": 0, "area": w * h}
            annotations.append(row | {"bbox": [x, y, w, h], "segmentation": [ring]})
    categories = [{"id": 0, "name": "chair"}, {"id": 1, "name": "lamp"}]
    coco = {"images": images, "annotations": annotations, "categories": categories}
    (folder / "annotations.json").write_text(json.dumps(coco))
    (folder / "cameras.json").write_text(json.dumps(cameras))
    return folder


# --- quick to start ------------------------------------------------------------------------------------------------


def test_nothing_heavy_is_imported_for_help():
    """All in one process: what one command had imported would be there for those after it."""
    code = f"""
import contextlib, io, sys
import pseudogd.cli, pseudogd.exits
for command in {[[], ["--help"], *([name, "--help"] for name in COMMANDS)]!r}:
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        pseudogd.exits.run(pseudogd.cli.app, command)
    assert "Usage" in said.getvalue(), command
    if found := set({HEAVY!r}) & set(sys.modules):
        print(*command, "imports", *sorted(found))
"""
    assert python(code) == ""


@pytest.mark.parametrize("what", [["-c", "import pseudogd"], ["-m", "pseudogd", "--help"]])
def test_start_takes_less_than_half_a_second(what):
    def seconds() -> float:
        """Processor time: unlike the clock on the wall it does not count what else the machine is doing."""
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, *what], capture_output=True, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    assert min(seconds() for _ in range(5)) < 0.5


# --- the commands and the functions are one thing -------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name in COMMANDS if name != "demo"])
def test_command_and_function_have_the_same_parameters(name):
    verb = inspect.signature(getattr(api, "evaluate" if name == "eval" else name)).parameters
    command = next(c.callback for c in cli.app.registered_commands if (c.name or c.callback.__name__) == name)
    given = set(inspect.signature(command).parameters) - {"debug"}
    keywords = {key for key, p in verb.items() if p.kind is inspect.Parameter.VAR_KEYWORD}
    assert given - keywords - ({"quiet"} if name == "ask" else set()) == set(verb) - keywords
    for key in set(verb) & set(inspect.signature(command).parameters):
        default = verb[key].default
        if default is not inspect.Parameter.empty and not isinstance(default, tuple):
            shown = inspect.signature(command).parameters[key].default
            assert shown == (Path(default) if isinstance(shown, Path) else default), key


def test_every_command_is_quiet_and_debuggable():
    names = {c.name or c.callback.__name__ for c in cli.app.registered_commands}
    assert names == set(COMMANDS)
    for command in cli.app.registered_commands:
        assert {"quiet", "debug"} <= set(inspect.signature(command.callback).parameters)


# --- wrong use ------------------------------------------------------------------------------------------------------


def one_error_line(capsys) -> str:
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    assert said.err.startswith("error: ")
    return said.err


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["labbel"], "labbel"),
        (["label"], "PHOTOS"),
        (["label", "NOWHERE"], "NOWHERE"),
        (["label", "EMPTY", "--teacher", "files:EMPTY"], "EMPTY"),
        (["label", "EMPTY", "--workers", "0"], "--workers"),
        (["label", "EMPTY", "--workers", "many"], "--workers"),
        (["label", "EMPTY", "not a pair"], "not a pair"),
        (["annotate", "EMPTY", "--source", "coco:NOWHERE.json"], "NOWHERE.json"),
        (["annotate", "EMPTY"], "--source"),
        (["synth", "EMPTY"], "EMPTY"),
        (["synth", "EMPTY", "formats=1", "formats.mc=2"], "formats"),
        (["train", "NOWHERE.yaml"], "NOWHERE.yaml"),
        (["eval", "NOWHERE"], "NOWHERE"),
        (["eval", "EMPTY", "--bench", "world"], "EMPTY"),
        (["export", "EMPTY", "--out", "x"], "EMPTY"),
        (["ask", "NOWHERE", "photo.png", "Where?"], "NOWHERE"),
        (["report", "NOWHERE"], "NOWHERE"),
        (["report", "EMPTY"], "EMPTY"),
        (["report", "a", "b"], "--out"),
        (["--nope"], "--nope"),
    ],
)
def test_wrong_use_is_one_line_and_two(tmp_path, monkeypatch, capsys, arguments, named):
    monkeypatch.chdir(tmp_path)
    Path("EMPTY").mkdir()
    assert run(*arguments) == 2
    assert named in one_error_line(capsys)
    assert sorted(path.name for path in tmp_path.iterdir()) in (["EMPTY"], ["EMPTY", "data"])


def test_unknown_recipe_key_names_the_nearest(tmp_path, capsys):
    (tmp_path / "r.yaml").write_text("out: x\nmodel: {path: m}\ndata: {path: d}\noptim: {stepps: 3}\n")
    assert run("train", tmp_path / "r.yaml") == 2
    line = one_error_line(capsys)
    assert "optim.stepps" in line
    assert "optim.steps" in line


def test_no_command_shows_the_help(capsys):
    assert run() == 2
    said = capsys.readouterr().err
    assert all(name in said for name in COMMANDS)
    assert run("--version") == 0
    assert pseudogd.__version__ in capsys.readouterr().out


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (PseudoGDError("a.png: broken\n  twice"), 2, "error: a.png: broken twice"),
        (FileNotFoundError(2, "No such file or directory", "b.json"), 2, "error: b.json: No such file or directory"),
        (OSError(28, "No space left on device", "c"), 2, "error: c: No space left on device"),
        (KeyboardInterrupt(), 130, "interrupted; the same command goes on from here"),
        (typer.Abort(), 130, "interrupted; the same command goes on from here"),
        (ZeroDivisionError("by zero"), 70, "error: unexpected ZeroDivisionError: by zero (--debug shows where)"),
        (MemoryError(), 70, "error: out of memory; use a smaller batch or photo size, or fewer workers"),
    ],
)
def test_errors_are_one_line_unless_debug(capsys, error, code, said):
    tried = typer.Typer()

    @tried.command()
    def fails(debug: bool = False) -> None:
        raise error

    assert exits.run(tried, []) == code
    assert capsys.readouterr().err == said + "\n"
    if not isinstance(error, KeyboardInterrupt):
        with pytest.raises(type(error)):
            exits.run(tried, ["--debug"])


def test_a_reader_that_goes_away_is_no_error(tmp_path):
    command = f"{sys.executable} -m pseudogd label --help | head -c 1"
    done = subprocess.run(["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr


def test_pairs_are_yaml_and_may_be_nested():
    assert pairs(["size=518", "a.b=[1, 2]", "a.c=true", "name=x y"]) == {
        "size": 518,
        "a": {"b": [1, 2], "c": True},
        "name": "x y",
    }
    assert pairs(None) == {}


def test_an_option_is_no_key(capsys, tmp_path):
    assert exits.run(cli.app, ["synth", str(tmp_path), "tasks.nearer=3"]) == 2
    assert exits.run(cli.app, ["audit", str(tmp_path), "most=3"]) == 2
    assert exits.run(cli.app, ["label", str(tmp_path), "batch_size=3"]) == 2
    assert exits.run(cli.app, ["annotate", str(tmp_path), "workers=3", "--source", "coco:x"]) == 2
    said = capsys.readouterr().err.splitlines()
    assert said[0] == "error: 'tasks.nearer=3': tasks is an option; write --tasks, see --help"
    assert [line.split("write ")[1] for line in said[1:]] == [
        f"--{name}, see --help" for name in ("most", "batch-size", "workers")
    ]


# --- the road -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def road(tmp_path_factory):
    """Every stage once, by the commands alone, on depth files and a student of a few thousand random parameters."""
    root = tmp_path_factory.mktemp("road")
    photos, student = depth_photos(root / "photos", 6), save_tiny_llava(root / "student")
    data, trained = root / "data", root / "runs" / "joint"
    recipe = {
        "out": str(trained),
        "model": {"path": str(student)},
        "data": {"path": str(data), "turns_per_row": 3},
        "optim": {"steps": 4, "batch_size": 2, "precision": "fp32"},
        "geometry": {"head_width": 16},
        "log_every": 1,
    }
    (root / "recipe.yaml").write_text(json.dumps(recipe))
    task = root / "bench" / "Perspective_Taking"
    task.mkdir(parents=True)
    (task / "0.png").write_bytes((photos / "images" / "0000.png").read_bytes())
    item = {"question": "which is nearer ?", "options": ["chair", "lamp"], "answer": 0}
    kind = {"task_type": "Perspective_Taking", "sub_task_type": "Egocentric"}
    (root / "bench" / "data.json").write_text(json.dumps([{"id": f"0_{k}", **item, **kind} for k in range(4)]))
    teacher, cameras = f"files:{photos / 'depth'}", photos / "cameras.json"
    codes = [
        run("label", photos, "--teacher", teacher, "--cameras", cameras, "--out", data, "-q"),
        run("annotate", data, "--source", f"coco:{photos / 'annotations.json'}", "-q"),
        run("synth", data, "margins.distance_sigmas=6", "fair=false", "--tasks", "nearer,distance", "-q"),
        run("train", root / "recipe.yaml", "seed=3", "-q"),
        run("eval", trained, "--bench", root / "bench", "-q"),
        run("export", trained, "--out", root / "export", "--no-check", "-q"),
        run("report", trained, "-q"),
    ]
    return root, codes


@pytest.mark.slow
def test_the_road_by_commands_alone(road):
    root, codes = road
    assert codes == [0] * 7
    report = json.loads((root / "runs/joint/report.json").read_text())
    assert report["arms"]["joint"]["n"]["overall"] == 4
    assert report["export"]["max_abs_logit_diff"] == 0.0
    assert "seed: 3" in (root / "runs/joint/recipe.yaml").read_text()
    assert (root / "export/model.safetensors").read_bytes() == (
        root / "runs/joint/model/model.safetensors"
    ).read_bytes()


@pytest.mark.slow
def test_ask_prints_the_answer_alone(road):
    root, _ = road
    picture = root / "bench/Perspective_Taking/0.png"
    command = [sys.executable, "-m", "pseudogd", "ask", str(root / "export"), str(picture), "which is nearer ?"]
    said = subprocess.run(command, capture_output=True, text=True, check=True)
    assert said.stdout.count("\n") == 1
    assert said.stderr == ""
    assert pseudogd.ask(root / "runs/joint", picture, "which is nearer ?") == said.stdout[:-1]


@pytest.mark.slow
def test_done_work_is_not_done_again(road, capsys):
    root, _ = road
    data, photos = root / "data", root / "photos"
    before = {path: path.stat().st_mtime_ns for path in data.rglob("*.parquet") if path.parent != data}
    capsys.readouterr()
    assert (
        run(
            "label",
            photos,
            "--teacher",
            f"files:{photos / 'depth'}",
            "--cameras",
            photos / "cameras.json",
            "--out",
            data,
        )
        == 0
    )
    assert "6 photos with geometry" in capsys.readouterr().out
    assert run("train", root / "recipe.yaml", "seed=3", "-q") == 0
    assert {path: path.stat().st_mtime_ns for path in before} == before


@pytest.mark.slow
def test_other_settings_are_refused_by_name(road, capsys):
    root, _ = road
    capsys.readouterr()
    assert run("train", root / "recipe.yaml", "seed=4") == 2
    assert "seed: 3 -> 4" in one_error_line(capsys)
    assert run("synth", root / "data", "--seed", "1", "-q") == 2
    assert "seed" in one_error_line(capsys)


@pytest.mark.slow
def test_export_twice_is_the_same_and_elsewhere_is_refused(road, capsys):
    root, _ = road
    assert pseudogd.export(root / "runs/joint", root / "export").max_abs_logit_diff == 0.0
    capsys.readouterr()
    assert run("export", root / "runs/joint", "--out", root / "photos", "-q") == 2
    assert "photos" in one_error_line(capsys)


def test_failures_above_the_limit_give_one(tmp_path, capsys):
    photos = depth_photos(tmp_path / "photos", 3)
    (photos / "images" / "0001.png").write_bytes(b"no picture")
    command = ["label", photos, "--teacher", f"files:{photos / 'depth'}", "--out", tmp_path / "data", "-q"]
    assert run(*command) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert re.fullmatch(r"2 photos with geometry; 1 failures listed in \S+failures.parquet, .*\n", said.err)
    assert run(*command, "--max-failures", "1") == 0
    assert capsys.readouterr().err == ""


@pytest.mark.slow
def test_ctrl_c_and_the_same_command_again(tmp_path):
    photos = depth_photos(tmp_path / "photos", 400)
    data = tmp_path / "data"
    command = [sys.executable, "-m", "pseudogd", "label", str(photos), "--out", str(data)]
    command += ["--teacher", f"files:{photos / 'depth'}", "--cameras", str(photos / "cameras.json")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while not (data / "manifest.json").exists():
        assert process.poll() is None
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == exits.INTERRUPTED
    assert said.splitlines()[-1] == "interrupted; the same command goes on from here"
    assert "Traceback" not in said
    assert subprocess.run([*command, "--quiet"], capture_output=True, text=True, check=False).returncode == 0
    from pseudogd.store.dataset import Store

    assert len(Store(data).geometry_ids()) == 400
