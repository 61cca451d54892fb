"""Whatever happens to a stage, the same command afterwards ends with the same bytes, and what was wrong has a name."""

import errno
import multiprocessing
import os
import resource
import shutil
import signal
import time

import numpy as np
import pytest
from helpers import photos as make
from helpers.golden_folder import write_folder
from helpers.tiny_depth_anything import save_tiny_depth_anything

from pseudogd.errors import InputError
from pseudogd.geometry.types import Geometry, Scale, TeacherInfo
from pseudogd.stages.annotate import annotate
from pseudogd.stages.label import label
from pseudogd.stages.synth import synth
from pseudogd.store import shards
from pseudogd.store.dataset import Store
from pseudogd.store.integrity import verify
from pseudogd.store.locks import InUse, hold
from pseudogd.teachers import load_teacher
from pseudogd.teachers.base import Teacher

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs fork and signals")
FORK = multiprocessing.get_context("fork") if os.name == "posix" else None


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_folder(tmp_path_factory.mktemp("golden"), count=6, side=96)


@pytest.fixture(scope="module")
def commands(folder):
    """The three stages on a data folder, each with shards of one photo."""
    depth, cameras, coco = f"files:{folder / 'depth'}", folder / "cameras.json", f"coco:{folder / 'annotations.json'}"
    options = {"shard_size": 1, "quiet": True}
    return {
        "label": lambda out, **more: label(folder, depth, out, cameras, **{**options, **more}),
        "annotate": lambda out, **more: annotate(out, coco, **{**options, **more}),
        "synth": lambda out, **more: synth(out, **{**options, **more}),
    }


@pytest.fixture(scope="module")
def before(commands, tmp_path_factory):
    """For each stage a folder in which those before it are done; "all" has them all."""
    root, found = tmp_path_factory.mktemp("data"), {}
    out = root / "growing"
    out.mkdir()
    for name, command in commands.items():
        found[name] = shutil.copytree(out, root / name)
        command(out)
    return {**found, "all": out}


def content(folder):
    """File name to bytes, without the locks and the one line that names the folder's own place."""
    found = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    lines = [line for line in found["manifest.json"].splitlines() if b'"relative"' not in line]
    return {name: data for name, data in {**found, "manifest.json": lines}.items() if not name.startswith(".lock")}


def stage_of(found, name):
    stage = {"label": "geometry", "annotate": "objects", "synth": "questions"}[name]
    return {path: data for path, data in found.items() if path.startswith(stage)}


def start(command, out):
    process = FORK.Process(target=command, args=(out,))
    process.start()
    return process


@pytest.mark.slow
@pytest.mark.parametrize("name, kills, seed", [("label", 20, 1), ("annotate", 12, 2), ("synth", 18, 3)])
def test_killed_at_random_instants(commands, before, tmp_path, name, kills, seed):
    """50 kills in all, up to three of them on the same folder before it is finished."""
    rng, command = np.random.default_rng(seed), commands[name]
    whole = stage_of(content(before["all"]), name)
    begun = time.monotonic()
    process = start(command, shutil.copytree(before[name], tmp_path / "timed"))
    process.join()
    seconds = time.monotonic() - begun
    assert process.exitcode == 0
    killed = 0
    while killed < kills:
        out = shutil.copytree(before[name], tmp_path / f"{killed}")
        for _ in range(min(3, kills - killed)):
            process = start(command, out)
            time.sleep(rng.uniform(0, seconds))
            os.kill(process.pid, signal.SIGKILL)
            process.join()
            killed += 1
        command(out)
        assert stage_of(content(out), name) == whole
        assert not list(out.rglob("*.tmp")) and verify(out).damaged == ()


@pytest.mark.parametrize("name", ["label", "annotate", "synth"])
def test_a_flipped_bit_is_named_and_made_again(commands, before, tmp_path, name, capsys):
    out = shutil.copytree(before["all"], tmp_path / "data")
    whole = content(out)
    path = sorted(out / each for each in stage_of(whole, name) if each.endswith(".parquet"))[2]
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 4
    path.write_bytes(data)
    result = commands[name](out, quiet=False)
    assert result.resumed == 5 and content(out) == whole
    assert f"warning: {path}: is damaged" in capsys.readouterr().err


def test_questions_are_not_made_of_damaged_geometry(commands, before, tmp_path):
    out = shutil.copytree(before["synth"], tmp_path / "data")
    path = out / "geometry" / "part-00003.parquet"
    data = bytearray(path.read_bytes())
    data[len(data) // 3] ^= 1
    path.write_bytes(data)
    with pytest.raises(InputError, match=r"part-00003.*damaged.*pseudogd label.*makes it anew"):
        commands["synth"](out)
    commands["label"](out)
    commands["synth"](out)
    assert stage_of(content(out), "synth") == stage_of(content(before["all"]), "synth")


@pytest.mark.parametrize("name", ["label", "annotate", "synth"])
def test_a_full_disk_is_one_line_and_can_be_mended(commands, before, tmp_path, name, monkeypatch):
    out = shutil.copytree(before[name], tmp_path / "data")
    sync, left = os.fsync, iter(range(100))

    def full(handle):
        if next(left) == 9:
            raise OSError(errno.ENOSPC, "No space left on device")
        sync(handle)

    with monkeypatch.context() as patch:
        patch.setattr(shards.os, "fsync", full)
        with pytest.raises(InputError, match="No space left on device; make room and run the same command") as caught:
            commands[name](out)
    assert "\n" not in str(caught.value) and not list(out.rglob("*.tmp"))
    commands[name](out)
    assert stage_of(content(out), name) == stage_of(content(before["all"]), name)


def test_two_on_one_folder(commands, before, tmp_path):
    out = shutil.copytree(before["all"], tmp_path / "data")
    with hold(out):
        for command in commands.values():
            with pytest.raises(InUse, match="already writing"):
                command(out)
    commands["annotate"](out)


@pytest.mark.parametrize("name", ["label", "annotate", "synth"])
def test_two_that_start_together(commands, before, tmp_path, name):
    """One does the work; the other waits for it and finds nothing to do, or is refused."""
    out = shutil.copytree(before[name], tmp_path / "data")
    both = [FORK.Process(target=said, args=(commands[name], out, tmp_path / f"{index}")) for index in range(2)]
    for process in both:
        process.start()
    for process in both:
        process.join()
        assert process.exitcode == 0
    ends = sorted((tmp_path / f"{index}").read_text() for index in range(2))
    assert ends[0] == "did 6" and (ends[1] == "had 6" or "is writing there" in ends[1])
    assert stage_of(content(out), name) == stage_of(content(before["all"]), name)


def said(command, out, note):
    """Run a stage and note what it did, had been done, or said."""
    try:
        result = command(out)
        note.write_text(f"had {result.resumed}" if result.resumed else f"did {result.inputs}")
    except InUse as error:
        note.write_text(f"refused: {error}")


@pytest.mark.parametrize("name", ["label", "annotate", "synth"])
def test_jobs_beside_one_another_make_what_one_makes(commands, before, tmp_path, name):
    out = shutil.copytree(before[name], tmp_path / "data")
    first = commands[name](out, num_shards=3, shard=2)
    assert (first.inputs, first.complete) == (2, False)
    stage = {"label": "geometry", "annotate": "objects", "synth": "questions"}[name]
    with pytest.raises(InputError, match="was not finished"):
        Store(out).require(stage)
    others = [
        FORK.Process(target=commands[name], args=(out,), kwargs={"num_shards": 3, "shard": shard}) for shard in (0, 1)
    ]
    for other in others:
        other.start()
    for other in others:
        other.join()
        assert other.exitcode == 0
    Store(out).require(stage)
    assert stage_of(content(out), name) == stage_of(content(before["all"]), name)
    again = commands[name](out, num_shards=3, shard=0)
    assert again.complete and again.resumed == 2


@pytest.fixture(scope="module")
def teacher(tmp_path_factory):
    return load_teacher(str(save_tiny_depth_anything(tmp_path_factory.mktemp("teacher") / "tiny")), device="cpu")


def test_a_corrupt_photo_in_the_middle_of_a_batch_fails_alone(teacher, tmp_path):
    photos = tmp_path / "photos"
    photos.mkdir()
    for index in range(16):
        data = make.as_bytes(make.scene(index, 96, 64), "JPEG")
        (photos / f"{index:02d}.jpg").write_bytes(data[: len(data) // 2] if index == 7 else data)
    result = label(photos, teacher, tmp_path / "data", quiet=True)
    assert (result.rows, result.failures) == (15, 1)
    (line,) = Store(tmp_path / "data").failures().to_pylist()
    assert line["image"] == "07.jpg" and "truncated" in line["reason"].lower()


def test_a_huge_photo_is_refused_before_it_fills_the_memory(teacher, tmp_path):
    photos = tmp_path / "photos"
    photos.mkdir()
    for index in range(3):
        (photos / f"{index}.png").write_bytes(make.as_bytes(make.scene(index)))
    huge = FORK.Process(target=lambda: make.Image.new("L", (12_000, 9_000)).save(photos / "huge.png"))
    huge.start()
    huge.join()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    result = label(photos, teacher, tmp_path / "data", quiet=True)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert (result.rows, result.failures) == (3, 1) and grown * 1024 < 100e6  # decoded it has 324 MB
    assert "12000 x 9000 pixels are more than" in Store(tmp_path / "data").failures().to_pylist()[0]["reason"]


class Flat(Teacher):
    """A wall 1.5 m away, whatever the photo."""

    scale = Scale.METRIC
    info = TeacherInfo("flat", "1", "0", "Apache-2.0")
    settings = {"name": "flat"}  # noqa: RUF012

    def prepare(self, photo):
        return photo.image.size

    def infer(self, prepared):
        return [
            Geometry(np.full((h, w), 1.5, np.float32), None, scale=self.scale, teacher=self.info) for w, h in prepared
        ]


@pytest.mark.slow
def test_ten_thousand_tiny_photos(tmp_path):
    photos = tmp_path / "photos"
    photos.mkdir()
    picture = make.as_bytes(make.Image.new("RGB", (8, 8), "red"))
    for index in range(10_000):
        (photos / f"{index}.png").write_bytes(picture + index.to_bytes(4, "big"))
    begun = time.process_time()
    result = label(photos, Flat(), tmp_path / "data", quiet=True)
    assert result.rows == 10_000 and time.process_time() - begun < 60
    assert label(photos, Flat(), tmp_path / "data", quiet=True).resumed == 10_000
