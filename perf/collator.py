"""Milliseconds to make a batch, with and without geometry targets, against decoding and resizing its photos.

    python perf/collator.py --photos 48
    python perf/collator.py --photos 48 --image 336 --patch 14 --size 640

`joint` and `vqa_only` make each batch from photos that were never seen; `joint_seen` finds photo and targets prepared,
as in every pass but the first. `floor` is the checkpoint's own image processor on decoded photos, and their decoding.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import students
import torch
from common import arguments, emit, in_turns, labelled, one_thread, per, ratio, rooms

from pseudogd.store.dataset import Store
from pseudogd.store.photos import load_photo
from pseudogd.training.collator import JointCollator
from pseudogd.training.photos import PhotoInputs
from pseudogd.training.setup import Setup, build


def main() -> None:
    parser = arguments(__doc__, photos=48, size=128, batch_size=16, turns=8, subcells=2, rounds=5)
    students.add_sizes(parser)
    args = students.fill_sizes(parser.parse_args())
    one_thread()
    with rooms(args.photos, args.size) as folder:
        scratch = folder.parent
        data, student = students.questions(labelled(folder)), students.save_student(scratch / "student", args)
        store, more = Store(data), {"geometry.subcells": args.subcells}
        setups = {
            arm: build(students.recipe(arm, student, data, scratch / arm, args, more), store)
            for arm in ("joint", "vqa_only")
        }
        rows = setups["joint"].rows
        batches = [range(i, i + args.batch_size) for i in range(0, len(rows) - args.batch_size + 1, args.batch_size)]
        if not batches:
            raise SystemExit(f"{args.photos} photos give {len(rows)} rows, fewer than one batch; ask for more photos")

        def collate(setup: Setup, seen: bool) -> Callable[[], None]:
            def run() -> None:
                collator = setup.collator if seen else _unseen(setup, store)
                for batch in batches:
                    collator([setup.rows[i] for i in batch])

            return run

        def floor() -> None:
            for batch in batches:
                for name in {name for i in batch for name in rows[i].photos}:
                    image = load_photo(store.photo_path(name))
                    setups["joint"].student.processor.image_processor(images=image, return_tensors="pt")

        jobs = {
            "joint": collate(setups["joint"], False),
            "vqa_only": collate(setups["vqa_only"], False),
            "joint_seen": collate(setups["joint"], True),
            "floor": floor,
        }
        times = in_turns(jobs, args.rounds)
    result = {
        "ms_per_batch": per(times, len(batches)),
        "batches": len(batches),
        "ratio_joint_to_vqa_only": ratio(times, "joint", "vqa_only"),
        "ratio_joint_to_floor": ratio(times, "joint", "floor"),
        "floor": "reading, decoding and resizing every photo of the batch by the checkpoint's image processor",
    }
    emit(Path(__file__).stem, args, result)


def _unseen(setup: Setup, store: Store) -> JointCollator:
    """The same collator with nothing prepared."""
    old = setup.collator
    student, made = setup.student, setup.photos
    photos = PhotoInputs(store, student.family, made.place, torch.bfloat16, subcells=made.subcells)
    return JointCollator(photos, old.pad_id, old.isolated, old.geometry, old.mask_dtype)


if __name__ == "__main__":
    main()
