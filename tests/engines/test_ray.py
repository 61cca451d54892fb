"""Ray's actors make the rows of a local run in every stage, also when one of them is killed on the way.

The cluster is this machine, with two actors and a token of its own, and ends with the tests.
"""

import os
import secrets
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import torch
from helpers import photos as make
from helpers.golden_folder import write_folder
from helpers.tiny_depth_anything import save_tiny_depth_anything
from helpers.tiny_detectors import save_tiny_owlv2, save_tiny_sam2

import pseudogd
from pseudogd import cli, exits
from pseudogd.engines.ray_engine import RayEngine, engine_of
from pseudogd.errors import InputError, PseudoGDError
from pseudogd.stages.annotate import annotate
from pseudogd.stages.label import label
from pseudogd.stages.synth import synth
from pseudogd.store.shards import Slice

COUNT, SHARD, PATIENCE = 24, 2, 240.0
LOOSE = {"box_threshold": 0.01, "min_mask_score": 0.0, "min_fill": 0.0, "min_inside": 0.0, "nms": 0.3, "doubt": 1.0}
needs_proc = pytest.mark.skipif(not os.path.isdir("/proc"), reason="looks processes up in /proc")


def test_names_of_engines():
    assert engine_of("local", 3) is None
    assert engine_of("ray", 3) == RayEngine(None, 3)
    assert engine_of("ray:10.0.0.1:6379", 3) == RayEngine("10.0.0.1:6379", 3)
    with pytest.raises(InputError, match="choose local, ray, or ray:ADDRESS"):
        engine_of("spark", 3)


@pytest.fixture(scope="module")
def cluster():
    """Its address; this process has joined it."""
    code = os.pathsep.join([str(Path(pseudogd.__file__).parents[1]), str(Path(make.__file__).parents[1])])
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN": secrets.token_hex(32),
            "RAY_USAGE_STATS_ENABLED": "0",
            "RAY_BACKEND_LOG_LEVEL": "fatal",
            "RAY_DATA_LOG_LEVEL": "ERROR",
            "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
            "RAY_worker_register_timeout_seconds": f"{PATIENCE:.0f}",  # a busy machine is a slow one
            "RAY_health_check_failure_threshold": "60",
            "PYTHONPATH": code,
        }.items():
            patch.setenv(name, value)
        ray = pytest.importorskip("ray", reason="needs the ray extra: pip install 'pseudogd[ray]'")
        pytest.importorskip("ray.data", reason="needs the ray extra: pip install 'pseudogd[ray]'")
        context = started(ray)
        try:
            yield context.address_info["gcs_address"]
        finally:
            ray.shutdown()
        for process in running(context.address_info["session_dir"]):
            os.kill(process, signal.SIGKILL)


def started(ray):
    """Ray's processes end when they are not all up in 30 seconds, which a busy machine may not manage at once."""
    options = {"include_dashboard": False, "log_to_driver": False, "logging_level": "ERROR"}
    for _ in range(3):
        try:
            return ray.init(num_cpus=2, object_store_memory=100 * 2**20, **options)
        except Exception as error:
            ray.shutdown()
            if "timed out during startup" not in str(error):
                raise
    pytest.skip("Ray was not up in the 30 seconds that it allows itself, three times: this machine is too busy")


def running(*words):
    """Ids of processes in whose command line all words are."""
    found = []
    for name in filter(str.isdigit, os.listdir("/proc") if os.path.isdir("/proc") else ()):
        try:
            said = Path("/proc", name, "cmdline").read_text(errors="replace")
        except OSError:
            continue
        if all(word in said for word in words) and int(name) != os.getpid():
            found.append(int(name))
    return found


class Killer:
    """Kills the first actor once a shard is in the folder and others are to come."""

    def __init__(self, folder, shards):
        self.folder, self.shards, self.killed, self.done = folder, shards, None, False
        self.thread = threading.Thread(target=self.watch, daemon=True)

    def watch(self):
        while not self.done and self.killed is None:
            if 1 <= len(list(self.folder.glob("part-*.parquet"))) < self.shards and (
                found := running("ray::", "MapBatches")
            ):
                os.kill(found[0], signal.SIGKILL)
                self.killed = found[0]
            time.sleep(0.002)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *error):
        self.done = True
        self.thread.join()
        assert error[0] is not None or self.killed is not None, "no actor was found to kill"


def content(out):
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in sorted(out.rglob("*.parquet"))}


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    for index in range(COUNT):
        (folder / f"{index:02d}.png").write_bytes(make.as_bytes(make.scene(index, 48 + 16 * (index % 2), 32)))
    (folder / "05.png").write_bytes(b"no picture")
    return folder


@pytest.fixture(scope="module")
def teacher(tmp_path_factory):
    return f"depth-anything:{save_tiny_depth_anything(tmp_path_factory.mktemp('teacher') / 'tiny')}"


@pytest.fixture(scope="module")
def golden(tmp_path_factory):
    """Photos with depth and outlines, and their data once all stages are done here."""
    folder = write_folder(tmp_path_factory.mktemp("golden"), count=8, side=96)
    label(folder, f"files:{folder / 'depth'}", folder / "data", folder / "cameras.json", shard_size=1, quiet=True)
    shutil.copytree(folder / "data", folder / "labelled")
    annotate(folder / "data", f"coco:{folder / 'annotations.json'}", quiet=True)
    return folder


@needs_proc
@pytest.mark.slow
def test_labels_are_those_of_a_local_run_also_when_an_actor_is_killed(cluster, photos, teacher, tmp_path):
    options = {"shard_size": SHARD, "batch_size": 2, "quiet": True}
    label(photos, teacher, tmp_path / "local", **options)
    with Killer(tmp_path / "ray" / "geometry", COUNT // SHARD):
        result = label(photos, teacher, tmp_path / "ray", engine="ray", workers=2, **options)
    assert (result.rows, result.failures, result.complete) == (COUNT - 1, 1, True)
    assert content(tmp_path / "ray") == content(tmp_path / "local")


@needs_proc
@pytest.mark.slow
def test_questions_are_those_of_a_local_run_also_when_an_actor_is_killed(cluster, golden, tmp_path):
    here, there = (shutil.copytree(golden / "data", tmp_path / name) for name in ("local", "ray"))
    synth(here, shard_size=1, quiet=True)
    with Killer(there / "questions", 8):
        result = synth(there, shard_size=1, engine="ray", workers=2, quiet=True)
    assert result.rows > 20 and result.complete and content(there) == content(here)


@pytest.mark.slow
def test_a_detectors_objects_are_those_of_a_local_run(cluster, golden, tmp_path, capsys):
    """By the command here, with two threads of torch; an actor has one."""
    networks = save_tiny_owlv2(tmp_path / "owl"), save_tiny_sam2(tmp_path / "sam2")
    here, there = (tmp_path / name for name in ("local", "ray"))
    for data, engine in ((here, "local"), (there, "ray")):
        shutil.copytree(golden / "labelled", data)
        words = ["annotate", data, "--source", f"owlv2:{networks[0]}", "--segmenter", f"sam2:{networks[1]}"]
        words += ["--classes", "chair,table,lamp,box", "--engine", engine, "--workers", "2", "--quiet", "batch_size=3"]
        words += [f"{key}={value}" for key, value in {**LOOSE, "device": "cpu"}.items()]
        threads = torch.get_num_threads()
        torch.set_num_threads(2)
        try:
            assert exits.run(cli.app, [str(word) for word in words]) == 0, capsys.readouterr().err
        finally:
            torch.set_num_threads(threads)
    assert content(there) == content(here)


@pytest.mark.slow
def test_a_cluster_by_its_address_and_paths_relative_to_the_commands_folder(cluster, golden, tmp_path):
    """From a process and a folder of its own, which the cluster was not started in."""
    shutil.copytree(golden, tmp_path / "golden")
    shutil.move(tmp_path / "golden" / "labelled", tmp_path / "data")
    words = [
        "annotate",
        "data",
        "--source",
        "coco:golden/annotations.json",
        "--engine",
        f"ray:{cluster}",
        "--workers=1",
    ]
    done = subprocess.run(
        [sys.executable, "-m", "pseudogd", *words], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert content(tmp_path / "data") == content(golden / "data")
    said = [line for line in done.stderr.lower().splitlines() if "ray_backend_log_level" not in line]
    assert "ray" not in "".join(said)  # no other program's words among ours, but that it is told to be silent


@pytest.mark.slow
def test_what_an_actor_raises_is_one_line(cluster):
    def build():
        raise InputError("the teacher has no weights")

    with pytest.raises(PseudoGDError, match="the teacher has no weights") as caught:
        RayEngine(workers=1).run([Slice(0, 0, 1, "x")], build, lambda count: None)
    assert "\n" not in str(caught.value)
