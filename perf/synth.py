"""Milliseconds per photo of `pseudogd synth` on one core, where they go, and accepted questions per second.

    python perf/synth.py --photos 100 --quota 20

`synth` is the whole stage with its shards, with the default quotas; `rich` the same with at most `--quota` questions of
each task, which a photo hardly ever carries: no guard is lower. `floor` only reads and decodes geometry and objects:
whoever asks about a photo has to. `steps` are the parts of the default run, in processor time: `read` and `build` the
scene, `facts` and `stability`, `render`, and `rest`: seeds, order, rows, and writing them.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any
from unittest.mock import patch

from common import arguments, emit, in_turns, labelled, one_thread, per, ratio, rooms

import pseudogd
from pseudogd.stages import synth as stage
from pseudogd.store.dataset import Store
from pseudogd.vqa import synth as vqa
from pseudogd.vqa.settings import DEFAULT_TASKS
from pseudogd.vqa.stability import Stability


class Clock:
    """Processor time of the parts of a run, each call of a part counted where it is made."""

    def __init__(self) -> None:
        self.spent: dict[str, float] = {}

    def timed(self, part: str, work: Any) -> Any:
        """The function, timed."""

        def run(*args: Any, **options: Any) -> Any:
            begun = time.process_time()
            try:
                return work(*args, **options)
            finally:
                self.add(part, begun)

        return run

    def drawn(self, part: str, work: Any) -> Any:
        """The function that returns an iterator, timed at every step of it."""

        def run(*args: Any, **options: Any) -> Iterator[Any]:
            found = iter(work(*args, **options))
            while True:
                begun = time.process_time()
                item = next(found, None)
                self.add(part, begun)
                if item is None:
                    return
                yield item

        return run

    def add(self, part: str, begun: float) -> None:
        self.spent[part] = self.spent.get(part, 0.0) + time.process_time() - begun


def steps(data: Any, photos: int) -> dict[str, float]:
    """Milliseconds of processor time per photo of each part of one default run."""
    clock = Clock()
    with ExitStack() as stack:
        for owner, name, part in (
            (stage, "build_scene", "build"),
            (Store, "geometry", "read"),
            (Store, "objects", "read"),
            (Stability, "of", "stability"),
            (vqa, "render", "render"),
        ):
            stack.enter_context(patch.object(owner, name, clock.timed(part, getattr(owner, name))))
        stack.enter_context(patch.object(vqa, "task_facts", clock.drawn("facts", vqa.task_facts)))
        begun = time.process_time()
        pseudogd.synth(data, overwrite=True, quiet=True)
        whole = time.process_time() - begun
    spent = {**clock.spent, "rest": whole - sum(clock.spent.values())}
    return {part: round(1e3 * seconds / photos, 3) for part, seconds in spent.items()}


def main() -> None:
    args = arguments(__doc__, photos=100, size=128, rounds=3, quota=20).parse_args()
    one_thread()
    with rooms(args.photos, args.size) as folder:
        data = labelled(folder)
        names = Store(data).photos()["image_id"].to_pylist()
        rich = dict.fromkeys(DEFAULT_TASKS, float(args.quota))
        counts = {}

        def read() -> list:
            store = Store(data)
            return [(store.geometry(name), store.objects(name)) for name in names]

        def synth(run: str, tasks: dict[str, float] | None) -> None:
            counts[run] = pseudogd.synth(data, tasks, overwrite=True, quiet=True).rows / args.photos

        jobs = {"synth": lambda: synth("synth", None), "rich": lambda: synth("rich", rich), "floor": read}
        times = in_turns(jobs, args.rounds)
        parts = steps(data, args.photos)
    spent = per(times, args.photos)
    result = {
        "ms_per_photo": spent,
        "questions_per_photo": round(counts["synth"], 2),
        "questions_per_photo_rich": round(counts["rich"], 2),
        "questions_per_second": {
            run: {clock: round(1e3 * count / ms) for clock, ms in spent[run].items()} for run, count in counts.items()
        },
        "steps": parts,
        "ratio_synth_to_floor": ratio(times, "synth", "floor"),
        "floor": "reading and decoding geometry and objects of every photo",
    }
    emit("synth", args, result)


if __name__ == "__main__":
    main()
