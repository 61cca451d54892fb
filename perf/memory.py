"""How much memory `pseudogd label` takes as photos become many: it has to stay flat.

    python perf/memory.py --photos 100000

The photos are a few small ones over and over, each with a number behind its end, so that all differ; the teacher is a
function that says a slope, so that a run is all reading, hashing, encoding and writing. Resident memory is read every
tenth of a second, and at the end of the first shard; what is beyond that grows with the number of photos.
"""

from __future__ import annotations

import tempfile
import threading
from pathlib import Path

import numpy as np
from common import arguments, emit, one_thread
from PIL import Image

from pseudogd.engines.local import SHARD_SIZE
from pseudogd.geometry.types import Geometry, Scale, TeacherInfo
from pseudogd.stages.label import label
from pseudogd.teachers.base import Teacher
from pseudogd.training.memory import resident

_FACES = 16
_EVERY = 0.1  # seconds


class Slope(Teacher):
    """Depth that falls from top to bottom."""

    settings = {"kind": "slope"}  # noqa: RUF012
    info = TeacherInfo("slope", "1", "", "MIT")
    scale = Scale.METRIC

    def prepare(self, photo):
        return photo.image.size, photo.camera

    def infer(self, prepared):
        found = []
        for (width, height), camera in prepared:
            column = np.linspace(5.0, 2.0, height, dtype=np.float32)[:, None]
            found.append(Geometry(np.repeat(column, width, 1), camera, scale=self.scale, teacher=self.info))
        return found


class Watch:
    """Resident bytes over time: at the first shard, and at most."""

    def __init__(self, data: Path) -> None:
        self._shards, self._stop = data / "geometry", threading.Event()
        self.first = self.most = 0

    def __enter__(self) -> Watch:
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._stop.wait(_EVERY):
            self.most = max(self.most, resident())
            if not self.first and (self._shards / "part-00000.parquet").exists():
                self.first = resident()


def write_photos(folder: Path, count: int, width: int, height: int) -> None:
    """`count` files that differ, of a few pictures."""
    rng = np.random.default_rng(0)
    faces = []
    for _ in range(min(count, _FACES)):
        coarse = Image.fromarray(rng.integers(0, 256, (6, 8, 3), dtype=np.uint8))
        path = folder / "face.jpg"
        coarse.resize((width, height), Image.Resampling.BICUBIC).save(path)
        faces.append(path.read_bytes())
        path.unlink()
    for index in range(count):
        inside = folder / f"{index // 1000:04d}"
        inside.mkdir(exist_ok=True)
        (inside / f"{index:07d}.jpg").write_bytes(faces[index % len(faces)] + index.to_bytes(8, "big"))


def main() -> None:
    parser = arguments(__doc__, photos=100_000, width=96, height=72, batch_size=16, workers=2, shard_size=SHARD_SIZE)
    args = parser.parse_args()
    one_thread()
    with tempfile.TemporaryDirectory() as scratch:
        photos, data = Path(scratch, "photos"), Path(scratch, "data")
        photos.mkdir()
        write_photos(photos, args.photos, args.width, args.height)
        before = resident()
        hands = {"batch_size": args.batch_size, "workers": args.workers, "shard_size": args.shard_size}
        with Watch(data) as watch:
            result = label(photos, Slope(), data, quiet=True, **hands)
        most = max(watch.most, resident())
        first = watch.first or most
    result = {
        "floor": "what is resident when the first shard is there",
        "rows": result.rows,
        "resident_mib": {name: round(value / 2**20, 1) for name, value in
                         (("before", before), ("first_shard", first), ("most", most))},
        "bytes_a_photo_beyond": round((most - first) / max(1, args.photos - args.shard_size)),
        "ratio_most_to_first_shard": round(most / first, 3),
    }  # fmt: skip
    emit("memory", args, result)


if __name__ == "__main__":
    main()
