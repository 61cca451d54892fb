"""`kill -9`, Ctrl-C and a full disk in the middle of `label`, then the same command: the same bytes as without."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from helpers import photos as make
from PIL import Image

from pseudogd.stages.label import label
from pseudogd.store.dataset import Store

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs signals and limits of a process")

COUNT = 24
SCRIPT = """
import signal, sys
from pseudogd.errors import PseudoGDError
from pseudogd.stages.label import label
photos, depth, out, limit = sys.argv[1:]
if int(limit):
    import resource
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit), int(limit)))
try:
    label(photos, f"files:{depth}", out, shard_size=2, quiet=True)
except PseudoGDError as error:
    print(error)
    sys.exit(error.exit_code)
"""


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(0)
    for name in ("images", "depth"):
        (folder / name).mkdir()
    for index in range(COUNT):
        (folder / "images" / f"{index:02d}.png").write_bytes(make.as_bytes(make.scene(index, 320, 240)))
        depth = Image.fromarray(rng.integers(500, 9000, (240, 320)).astype(np.uint16))
        depth.save(folder / "depth" / f"{index:02d}.png")
    (folder / "images" / "99.png").write_bytes(b"")
    return folder


@pytest.fixture(scope="module")
def whole(photos, tmp_path_factory):
    out = tmp_path_factory.mktemp("whole") / "data"
    label(photos, f"files:{photos / 'depth'}", out, shard_size=2, quiet=True)
    return content(out)


def content(folder):
    """File name to bytes; the manifest without the one thing that names the output's own place."""
    found = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    lines = found["manifest.json"].splitlines()
    return {**found, "manifest.json": [line for line in lines if b'"relative"' not in line]}


def start(photos, out, limit=0):
    arguments = [sys.executable, "-c", SCRIPT, str(photos), str(photos / "depth"), str(out), str(limit)]
    return subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def shards(out):
    return len(list(out.glob("geometry/part-*.parquet")))


def stop_at(process, out, count, signal_number):
    """Send the signal when `count` shards are there."""
    while shards(out) < count and process.poll() is None:
        time.sleep(0.001)
    process.send_signal(signal_number)
    return process.wait()


@pytest.mark.parametrize("count", [0, 1, 4, 9, 13])
def test_killed_label_goes_on_to_the_same_bytes(photos, whole, tmp_path, count):
    out = tmp_path / "data"
    stop_at(start(photos, out), out, count, signal.SIGKILL)
    done = shards(out)
    result = label(photos, f"files:{photos / 'depth'}", out, shard_size=2, quiet=True)
    assert result.resumed >= 2 * done - 1
    assert content(out) == whole


def test_killed_again_and_again(photos, whole, tmp_path):
    out = tmp_path / "data"
    for count in (1, 3, 5, 8):
        stop_at(start(photos, out), out, count, signal.SIGKILL)
    finished = start(photos, out)
    assert finished.wait() == 0, finished.stderr.read()
    assert content(out) == whole


def test_ctrl_c_leaves_nothing_half_written(photos, whole, tmp_path):
    out = tmp_path / "data"
    code = stop_at(start(photos, out), out, 2, signal.SIGINT)
    assert code != 0 and not list(out.rglob("*.tmp"))
    label(photos, f"files:{photos / 'depth'}", out, shard_size=2, quiet=True)
    assert content(out) == whole


def test_a_full_disk_is_one_line_and_can_be_mended(photos, whole, tmp_path):
    out = tmp_path / "data"
    process = start(photos, out, limit=20_000)
    said, trace = process.communicate()
    assert process.returncode == 2 and trace == ""
    assert "make room" in said and said.count("\n") == 1
    assert not list(out.rglob("*.tmp")) and shards(out) == 0
    label(photos, f"files:{photos / 'depth'}", out, shard_size=2, quiet=True)
    assert content(out) == whole
    assert Store(out).counts("geometry")["failures"] == 1
