"""Ask a teacher about a batch so that one bad photo, or too little memory, costs that photo alone."""

from __future__ import annotations

import gc
import sys
from collections.abc import Sequence
from typing import Any

from pseudogd.errors import InputError, PseudoGDError
from pseudogd.geometry.types import Geometry
from pseudogd.progress import notice
from pseudogd.teachers.base import OutOfMemory, Teacher

Answer = Geometry | Exception
"""A photo's geometry, or why it has none."""


class Asker:
    """Remembers how many photos fit in memory, so that no further batch need find out. Threads may share it."""

    def __init__(self, teacher: Teacher, quiet: bool = True) -> None:
        self._teacher, self._quiet = teacher, quiet
        self._most: int | None = None

    def ask(self, prepared: Sequence[Any], sizes: Sequence[tuple[int, int]]) -> list[Answer]:
        """An answer for each prepared photo of `sizes` (width, height), all of one bucket.

        A batch that raises, or has another number of answers than photos, is asked again photo by photo; one that does
        not fit in memory, in halves. Only KeyboardInterrupt and its kind go through.
        """
        step = 1 if self._teacher.alone else min(len(prepared), self._most or len(prepared))
        answers: list[Answer] = []
        for start in range(0, len(prepared), step):
            part = slice(start, start + step)
            answers += self._batch(prepared[part], sizes[part])
        return answers

    def _batch(self, prepared: Sequence[Any], sizes: Sequence[tuple[int, int]]) -> list[Answer]:
        try:
            found = list(self._teacher.infer(prepared))
            if len(found) != len(prepared):
                raise InputError(f"{self._name}: {len(found)} answers for {len(prepared)} photos")
        except Exception as error:  # a teacher may be anybody's code
            if len(prepared) == 1:
                return [self._reason(error)]
            if _out_of_memory(error):
                return self._halves(prepared, sizes)
            return [self._batch([item], [size])[0] for item, size in zip(prepared, sizes)]
        return [self._checked(one, size) for one, size in zip(found, sizes)]

    def _halves(self, prepared: Sequence[Any], sizes: Sequence[tuple[int, int]]) -> list[Answer]:
        self._most = min(self._most or len(prepared), len(prepared) // 2)  # another thread may know less already
        notice(f"note: {len(prepared)} photos do not fit in memory; going on with {self._most} at a time", self._quiet)
        _let_go()
        return self.ask(prepared, sizes)

    def _checked(self, geometry: Any, size: tuple[int, int]) -> Answer:
        """The geometry if it can be one of a photo of this size."""
        if not isinstance(geometry, Geometry):
            return InputError(f"{self._name}: answers with a {type(geometry).__name__}, no geometry")
        if not geometry.known.any():
            return InputError(f"{self._name} gave no depth for this photo")
        rows, columns = geometry.depth.shape
        if columns > size[0] or rows > size[1]:
            return InputError(
                f"{self._name}: its map is {columns} x {rows}, larger than the photo ({size[0]} x {size[1]})"
            )
        camera = geometry.camera
        if camera is not None and (camera.width, camera.height) != size:
            return InputError(
                f"{self._name}: its camera is for {camera.width} x {camera.height} pixels, "
                f"the photo has {size[0]} x {size[1]}"
            )
        return geometry

    @property
    def _name(self) -> str:
        return self._teacher.info.name

    def _reason(self, error: Exception) -> Exception:
        if _out_of_memory(error):
            return InputError(f"{self._name}: this photo alone does not fit in memory; pass a smaller size=")
        if isinstance(error, PseudoGDError):
            return error
        line = (str(error).strip().splitlines() or ["no message"])[0]
        return InputError(f"{self._name} failed on this photo ({type(error).__name__}: {line})")


def _out_of_memory(error: Exception) -> bool:
    """Of any kind: our own, Python's, torch's on a GPU, and torch's on the CPU, which is a mere RuntimeError."""
    if isinstance(error, (OutOfMemory, MemoryError)) or type(error).__name__ == "OutOfMemoryError":
        return True
    return isinstance(error, RuntimeError) and "allocate memory" in str(error)


def _let_go() -> None:
    """Give what the failed batch held back to the device, before asking for less."""
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()
