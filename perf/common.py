"""What the benchmarks share: timing in turns, photos and data to work on, one JSON object at the end.

Everything that is compared is measured in one run and in turns (a, b, a, b ...), so that whatever else the machine does
falls on all alike. `cpu` is processor time of this process and hardly changes with the machine's load; `wall` does.
Where a GPU works, `wall` alone means something.
"""

from __future__ import annotations

import argparse
import gc
import json
import math
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any


def arguments(doc: str | None, **defaults: int) -> argparse.ArgumentParser:
    """A parser with one whole number for each default."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in defaults.items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=int, default=default, help=f"default {default}")
    return parser


def in_turns(jobs: Mapping[str, Callable[[], Any]], rounds: int, warm_up: int = 1) -> dict[str, dict[str, list[float]]]:
    """Seconds of every job in every round, `{name: {"wall": [...], "cpu": [...]}}`; the order is turned each round."""
    times: dict[str, dict[str, list[float]]] = {name: {"wall": [], "cpu": []} for name in jobs}
    names = list(jobs)
    for number in range(-warm_up, rounds):
        for name in names:
            gc.collect()  # what one left behind is not looked through in another's time
            wall, cpu = time.perf_counter(), time.process_time()
            jobs[name]()
            spent = time.perf_counter() - wall, time.process_time() - cpu
            if number >= 0:
                times[name]["wall"].append(spent[0])
                times[name]["cpu"].append(spent[1])
        names = names[1:] + names[:1]
    return times


Times = Mapping[str, Mapping[str, list[float]]]


def per(times: Times, count: int, unit: float = 1e3, digits: int = 3) -> dict[str, Any]:
    """Median time of one of `count` things, milliseconds by default: {name: {"wall": x, "cpu": x}}."""
    return {
        name: {clock: round(unit * statistics.median(values) / count, digits) for clock, values in clocks.items()}
        for name, clocks in times.items()
    }


def ratio(times: Times, a: str, b: str) -> dict[str, float]:
    """Median over rounds of time(a) / time(b), by both clocks."""
    return {
        clock: round(statistics.median(x / y for x, y in zip(times[a][clock], times[b][clock]) if y > 0), 3)
        for clock in ("wall", "cpu")
    }


def interval(times: Times, a: str, b: str, coverage: float = 0.95) -> dict[str, list[float]]:
    """Where the median over rounds of time(a) / time(b) lies, by both clocks: [low, high].

    Order statistics of the rounds' ratios (the sign test turned round); of fewer than 6 rounds, all that was seen.
    """
    found = {}
    for clock in ("wall", "cpu"):
        ratios = sorted(x / y for x, y in zip(times[a][clock], times[b][clock]) if y > 0)
        count, outside = len(ratios), 0
        # both tails of the binomial distribution, as long as they stay outside of what is asked for
        while count and 2 * sum(math.comb(count, i) for i in range(outside + 1)) / 2**count <= 1 - coverage:
            outside += 1
        cut = max(outside - 1, 0)
        found[clock] = [round(value, 3) for value in (ratios[cut], ratios[-1 - cut])] if count else []
    return found


def emit(name: str, settings: Any, result: Mapping[str, Any]) -> None:
    """Print the one JSON object."""
    print(json.dumps({"benchmark": name, "settings": vars(settings), **result, "machine": machine()}, indent=1))


def machine() -> dict[str, Any]:
    """What the numbers depend on besides the program."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines() if Path("/proc/cpuinfo").exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    found: dict[str, Any] = {"cpu": models[0] if models else platform.processor(), "cores": os.cpu_count()}
    found |= {"python": platform.python_version(), "load_1_min": round(os.getloadavg()[0], 2)}
    return found


def one_thread() -> None:
    """Torch on one thread, and without the libraries' own bars."""
    import torch
    from transformers.utils import logging

    torch.set_num_threads(1)
    logging.set_verbosity_error()
    logging.disable_progress_bar()


@contextmanager
def rooms(photos: int, size: int = 128):
    """A folder with `photos` rendered rooms, removed afterwards."""
    from pseudogd.world import render_folder

    with tempfile.TemporaryDirectory() as scratch:
        yield render_folder(Path(scratch, "rooms"), photos, "train", seed=900_000, size=size)


def labelled(folder: Path) -> Path:
    """Data of rendered rooms with the embedded teacher's geometry and the rooms' own annotations."""
    import pseudogd

    data = folder.parent / "data"
    pseudogd.label(folder, "embedded", data, folder / "cameras.json", quiet=True)
    pseudogd.annotate(data, f"coco:{folder / 'annotations.json'}", quiet=True)
    return data
