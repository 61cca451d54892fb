"""The same photos give the same bytes on any number of torch's threads and of workers."""

import os
import sys
import threading
import time

import numpy as np
import pytest
import torch
from helpers import photos as make
from helpers.tiny_depth_anything import save_tiny_depth_anything

from pseudogd.stages._lanes import FULL, MOST_LANES, Bounded, Lanes, Steady, hands, on_cpu
from pseudogd.stages.label import label
from pseudogd.store.dataset import Store
from pseudogd.teachers import load_teacher
from pseudogd.teachers.base import Photo


@pytest.fixture
def threads():
    """Sets torch's threads for one test."""
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """A full batch and one of half as many, of photos with noise: flat ones hide what rounding does."""
    folder = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(0)
    for index in range(FULL + FULL // 2):
        pixels = np.asarray(make.scene(index, 128, 128)).astype(int) + rng.integers(-40, 40, (128, 128, 3))
        picture = make.Image.fromarray(pixels.clip(0, 255).astype(np.uint8))
        (folder / f"{index:02d}.png").write_bytes(make.as_bytes(picture))
    return folder


def shards_of(out):
    return {path.name: path.read_bytes() for path in sorted((out / "geometry").glob("part-*.parquet"))}


def test_threads_and_workers_change_no_byte(photos, tmp_path, threads):
    """Without a fixed number the last 8 photos here differ between 1 thread and 2: torch takes other convolutions."""
    found = []
    for number, workers in ((1, 1), (2, 2), (3, 4)):
        threads(number)
        label(photos, "embedded", tmp_path / str(number), workers=workers, quiet=True)
        assert torch.get_num_threads() == number
        found.append(shards_of(tmp_path / str(number)))
    assert found[0] == found[1] == found[2]


def test_a_photo_has_the_bytes_of_a_full_batch(photos, threads):
    teacher = Steady(load_teacher("embedded", device="cpu"))
    threads(1)
    prepared = [teacher.prepare(Photo(make.Image.open(path))) for path in sorted(photos.iterdir())[:FULL]]
    full = teacher.infer(prepared)
    half = teacher.infer(prepared[: FULL // 2])
    assert len(half) == FULL // 2
    assert all(np.array_equal(one.depth, other.depth) for one, other in zip(full, half))


@pytest.mark.parametrize(("batch_size", "seen"), [(FULL // 2, [8, 8, 8]), (FULL, [16, 16]), (FULL - 4, [12, 12])])
def test_only_the_last_batches_of_full_ones_are_filled_up(photos, tmp_path, batch_size, seen):
    """With batches of 8 the network once saw 16 each time, and labelling took twice as long."""
    teacher, sizes = load_teacher("embedded", device="cpu"), []
    infer = teacher.infer
    teacher.infer = lambda prepared: (sizes.append(len(prepared)), infer(prepared))[1]
    label(photos, teacher, tmp_path / "data", batch_size=batch_size, workers=1, quiet=True)
    assert sizes == seen


def test_as_many_passes_as_threads_and_only_for_networks_on_the_cpu(tmp_path, threads):
    network = load_teacher(str(save_tiny_depth_anything(tmp_path / "tiny")), device="cpu")
    (tmp_path / "depth").mkdir()
    files = load_teacher(f"files:{tmp_path / 'depth'}")
    assert on_cpu(network) and on_cpu(Steady(network)) and not on_cpu(files)
    for number in (1, 3, MOST_LANES + 5):
        threads(number)
        lanes, alone = Lanes(network), Lanes(files)
        assert (lanes.count, alone.count) == (min(number, MOST_LANES), 1)
        assert lanes.submit(torch.get_num_threads).result() == 1
        lanes.close()
        alone.close()
        assert torch.get_num_threads() == number


def test_who_submits_too_much_waits():
    from concurrent.futures import ThreadPoolExecutor
    from threading import Event

    go, begun = Event(), []
    with ThreadPoolExecutor(4) as pool, ThreadPoolExecutor(1) as other:
        bounded = Bounded(pool, 2)
        all_in = other.submit(lambda: [bounded.submit(lambda i=i: (begun.append(i), go.wait(10))) for i in range(3)])
        assert not all_in.done() or len(begun) <= 2
        with pytest.raises(TimeoutError):
            all_in.result(timeout=0.2)
        assert sorted(begun) == [0, 1]
        go.set()
        assert len(all_in.result(timeout=10)) == 3


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere threads have no priority of their own")
def test_hands_give_way_to_the_network_and_to_nobody_else_is_it_told():
    def niceness():
        return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    before, teacher = niceness(), load_teacher("embedded", device="cpu")
    with hands(2) as pool:
        found = {pool.submit(niceness).result() for _ in range(4)}
        lanes = Lanes(teacher)
        assert lanes.submit(niceness).result() == before == niceness()
        lanes.close()
    assert found == {min(before + 3, 19)}


def test_the_network_rests_at_no_shard_boundary(photos, tmp_path):
    """The second shard's photos go through the network before the first shard is written."""
    teacher, seen, overlapped = load_teacher("embedded", device="cpu"), [], []
    infer, out = teacher.infer, tmp_path / "data"
    write = Store.write_shard

    def noted_infer(prepared):
        seen.append("infer")
        return infer(prepared)

    def late_write(self, *arguments):
        until = time.monotonic() + 20
        while len(seen) < 4 and time.monotonic() < until:  # the first shard has two batches
            time.sleep(0.01)
        overlapped.append(len(seen) >= 4)
        return write(self, *arguments)

    teacher.infer = noted_infer
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Store, "write_shard", late_write)
        label(photos, teacher, out, batch_size=4, shard_size=8, workers=2, quiet=True)
    assert overlapped[0] and len(Store(out).geometry_ids()) == FULL + FULL // 2
