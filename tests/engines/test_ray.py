"""Ray's actors make the rows of a local run, also when one of them is killed on the way."""

import os
import signal
import threading
import time

import pytest
from helpers import photos as make
from helpers.tiny_depth_anything import save_tiny_depth_anything

from pseudogd.engines.ray_engine import RayEngine, engine_of
from pseudogd.errors import InputError, PseudoGDError
from pseudogd.stages.label import label
from pseudogd.store.shards import Slice

COUNT, SHARD = 24, 2


def test_names_of_engines():
    assert engine_of("local", 3) is None
    assert engine_of("ray", 3) == RayEngine(None, 3)
    assert engine_of("ray:10.0.0.1:6379", 3) == RayEngine("10.0.0.1:6379", 3)
    with pytest.raises(InputError, match="choose local, ray, or ray:ADDRESS"):
        engine_of("spark", 3)


@pytest.fixture(scope="module")
def cluster():
    ray = pytest.importorskip("ray", reason="needs the ray extra: pip install 'pseudogd[ray]'")
    pytest.importorskip("ray.data", reason="needs the ray extra: pip install 'pseudogd[ray]'")
    paths = [os.path.dirname(os.path.dirname(label.__code__.co_filename)), os.path.dirname(make.__file__)]
    env = {"PYTHONPATH": os.pathsep.join([os.path.dirname(paths[0]), os.path.dirname(paths[1])])}
    options = {"num_cpus": 2, "include_dashboard": False, "log_to_driver": False, "logging_level": "ERROR"}
    ray.init(**options, object_store_memory=100 * 2**20, runtime_env={"env_vars": env})
    yield ray
    ray.shutdown()


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


def content(out):
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in sorted(out.rglob("*.parquet"))}


def actors():
    """Process ids of the actors that label."""
    found = []
    for name in os.listdir("/proc"):
        try:
            with open(f"/proc/{name}/cmdline") as file:
                if name.isdigit() and "ray::" in (said := file.read()) and "MapBatches" in said:
                    found.append(int(name))
        except OSError:
            continue
    return found


@pytest.mark.slow
@pytest.mark.skipif(not os.path.isdir("/proc"), reason="looks processes up in /proc")
def test_rows_are_those_of_a_local_run_also_when_a_worker_is_killed(cluster, photos, teacher, tmp_path):
    options = {"shard_size": SHARD, "batch_size": 2, "quiet": True}
    label(photos, teacher, tmp_path / "local", **options)
    killed = []

    def kill():
        """The first actor, once a shard is there and others are to come."""
        until = time.monotonic() + 60
        while time.monotonic() < until and not killed:
            done = len(list((tmp_path / "ray" / "geometry").glob("part-*.parquet")))
            if 1 <= done < COUNT // SHARD and (found := actors()):
                os.kill(found[0], signal.SIGKILL)
                killed.append((found[0], done))
            time.sleep(0.002)

    killer = threading.Thread(target=kill, daemon=True)
    killer.start()
    result = label(photos, teacher, tmp_path / "ray", engine="ray", workers=2, **options)
    killer.join(1)
    assert killed, "no actor was found to kill"
    assert (result.rows, result.failures, result.complete) == (COUNT - 1, 1, True)
    assert content(tmp_path / "ray") == content(tmp_path / "local")


@pytest.mark.slow
def test_what_an_actor_raises_is_one_line(cluster):
    def build():
        raise InputError("the teacher has no weights")

    with pytest.raises(PseudoGDError, match="the teacher has no weights") as caught:
        RayEngine(workers=1).run([Slice(0, 0, 1, "x")], build, lambda count: None)
    assert "\n" not in str(caught.value)
