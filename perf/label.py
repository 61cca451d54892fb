"""Photos per second of `pseudogd label` against the teacher's network alone.

    python perf/label.py --photos 192 --workers 2

`label` reads, hashes, decodes and resizes photos, runs the network, fills in normals and gravity, encodes the maps and
writes shards. `network` is the bare forward pass on batches of ready pixels: no way of labelling can be faster.
"""

from __future__ import annotations

import itertools

import torch
from common import arguments, emit, in_turns, one_thread, per, ratio, rooms

from pseudogd.stages.label import label
from pseudogd.store.photos import list_photos, load_photo
from pseudogd.teachers import load_teacher
from pseudogd.teachers.base import Photo


def main() -> None:
    parser = arguments(__doc__, photos=192, size=128, batch_size=16, workers=2, rounds=3)
    parser.add_argument("--teacher", default="embedded", help="as in pseudogd label")
    parser.add_argument("--device", default="cpu")
    args = parser.parse_args()
    one_thread()
    teacher = load_teacher(args.teacher, device=args.device)
    with rooms(args.photos, args.size) as folder:
        photo = teacher.prepare(Photo(load_photo(list_photos(folder)[0]))).pixels
        batch = torch.from_numpy(photo).to(args.device).expand(args.batch_size, *photo.shape).contiguous()
        number = itertools.count()

        @torch.inference_mode()
        def network() -> None:
            for _ in range(-(-args.photos // args.batch_size)):
                found = teacher.model(pixel_values=batch.to(next(teacher.model.parameters()).dtype)).predicted_depth
            found.float().cpu()  # a GPU is done only when its result is here

        def whole() -> None:
            label(
                folder,
                teacher,
                folder.parent / f"data{next(number)}",
                folder / "cameras.json",
                batch_size=args.batch_size,
                workers=args.workers,
                quiet=True,
            )

        times = in_turns({"label": whole, "network": network}, args.rounds)
    milliseconds = per(times, args.photos)
    result = {
        "photos_per_second": {name: round(1e3 / found["wall"], 1) for name, found in milliseconds.items()},
        "ms_per_photo": milliseconds,
        "ratio_label_to_network": ratio(times, "label", "network"),
        "input_pixels": list(photo.shape[-2:]),
        "floor": "forward passes of the teacher's network on batches of ready pixels",
    }
    emit("label", args, result)


if __name__ == "__main__":
    main()
