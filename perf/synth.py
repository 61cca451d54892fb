"""Milliseconds per photo of `pseudogd synth` on one core, against reading the photo's rows.

    python perf/synth.py --photos 100

`synth` is the whole stage with its shards. `scenes` reads geometry and objects and measures them in three dimensions.
`floor` only reads and decodes them: whoever asks about a photo has to.
"""

from __future__ import annotations

from common import arguments, emit, in_turns, labelled, one_thread, per, ratio, rooms

import pseudogd
from pseudogd.store.dataset import Store
from pseudogd.vqa.build import build_scene


def main() -> None:
    args = arguments(__doc__, photos=100, size=128, rounds=3).parse_args()
    one_thread()
    with rooms(args.photos, args.size) as folder:
        data = labelled(folder)
        sizes = {row["image_id"]: (row["width"], row["height"]) for row in Store(data).photos().to_pylist()}

        def read() -> list:
            store = Store(data)
            return [(name, store.geometry(name), store.objects(name)) for name in sizes]

        def scenes() -> None:
            for name, geometry, objects in read():
                build_scene(geometry, objects, image_id=name, size=sizes[name])

        def synth() -> None:
            pseudogd.synth(data, overwrite=True, quiet=True)

        times = in_turns({"synth": synth, "scenes": scenes, "floor": read}, args.rounds)
        questions = Store(data).questions(["task"]).num_rows
    result = {
        "ms_per_photo": per(times, args.photos),
        "questions_per_photo": round(questions / args.photos, 2),
        "ratio_synth_to_floor": ratio(times, "synth", "floor"),
        "floor": "reading and decoding geometry and objects of every photo",
    }
    emit("synth", args, result)


if __name__ == "__main__":
    main()
