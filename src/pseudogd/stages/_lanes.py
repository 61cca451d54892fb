"""Where batches go through the network: beside reading and writing, and to bytes that no number of threads changes.

On a CPU the same batch gives other last bits on another number of threads, because the libraries cut products and
choose convolutions by it. So every pass runs on one thread, and as many passes at a time as torch would use threads.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Hashable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from threading import Semaphore, get_native_id
from typing import Any, TypeVar

from pseudogd.geometry.types import Geometry
from pseudogd.teachers.base import Photo, Teacher

T = TypeVar("T")

MOST_LANES = 8
"""Each pass holds the activations of one batch."""
_NICER = 3  # of the scheduler's 20 steps of politeness: a third of a core that another thread wants, too
FULL = 16
"""With fewer photos and one thread, torch computes 1 x 1 convolutions by another library, which rounds otherwise."""


class Lanes:
    """Runs functions that put a batch through a network; several at a time where that is a CPU's.

    `teacher` is a Teacher, or whatever else has a network in its attribute `model`.
    """

    def __init__(self, teacher: Any) -> None:
        self._threads_before = _torch_threads() if on_cpu(teacher) else 0
        self.count = min(max(1, self._threads_before), MOST_LANES)
        start = _one_thread if self._threads_before else None
        self._executor = ThreadPoolExecutor(self.count, thread_name_prefix="lane", initializer=start)
        self._bounded = Bounded(self._executor, self.count + 1)

    def submit(self, fn: Callable[..., T], *args: Any) -> Future[T]:
        """As an executor's; waits while enough batches wait already."""
        return self._bounded.submit(fn, *args)

    def close(self, cancel: bool = False) -> None:
        """Wait for what runs; with `cancel` what has not begun is left."""
        self._executor.shutdown(wait=True, cancel_futures=cancel)
        if self._threads_before:
            import torch

            torch.set_num_threads(self._threads_before)  # threads that start later ask for the last number set


def on_one_thread(fn: Callable[[], T]) -> T:
    """Call a function whose networks shall say the same whatever number of threads torch would use here."""
    import torch

    before = torch.get_num_threads()
    try:
        with ThreadPoolExecutor(1, thread_name_prefix="lane", initializer=_one_thread) as executor:
            return executor.submit(fn).result()
    finally:
        torch.set_num_threads(before)  # as in `Lanes.close`


def hands(count: int) -> ThreadPoolExecutor:
    """Threads for work beside the network, which has the right of way on a processor that both want.

    Where there are more threads than cores, each pass would otherwise lose time to photos that nobody waits for yet.
    """
    return ThreadPoolExecutor(count, thread_name_prefix="hand", initializer=_give_way)


class Bounded:
    """An executor that takes at most `limit` tasks that are not done; who submits more waits."""

    def __init__(self, executor: Executor, limit: int) -> None:
        self._executor, self._room = executor, Semaphore(limit)

    def submit(self, fn: Callable[..., T], *args: Any) -> Future[T]:
        """As `Executor.submit`."""
        self._room.acquire()
        try:
            future = self._executor.submit(fn, *args)
        except BaseException:
            self._room.release()
            raise
        future.add_done_callback(lambda _: self._room.release())
        return future


class Steady(Teacher):
    """A teacher whose batches are filled up with the last photo where more than half of `FULL` are there.

    It costs little, and the last photos of a folder have the bytes that they would have in a full batch. Not where
    `batch_size` is below `FULL`: every batch would be filled up, at up to twice the time.
    """

    def __init__(self, teacher: Teacher, batch_size: int = FULL) -> None:
        self._teacher = teacher
        self._fills = batch_size >= FULL and on_cpu(teacher)
        self.info, self.settings, self.scale = teacher.info, teacher.settings, teacher.scale
        self.errors, self.looks, self.alone = teacher.errors, teacher.looks, teacher.alone

    def prepare(self, photo: Photo) -> Any:
        return self._teacher.prepare(photo)

    def bucket(self, prepared: Any) -> Hashable:
        return self._teacher.bucket(prepared)

    def fingerprint(self, name: str) -> str:
        return self._teacher.fingerprint(name)

    def infer(self, prepared: Sequence[Any]) -> list[Geometry]:
        count, fill = len(prepared), 0
        if self._fills and FULL // 2 <= count < FULL:
            fill = FULL - count
        found = self._teacher.infer([*prepared, *[prepared[-1]] * fill])
        return found[:count] if len(found) == count + fill else found

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__["_teacher"], name)


def on_cpu(teacher: Any) -> bool:
    """Whether the teacher is a torch network (or several) on the CPU."""
    devices = {device for device in _devices(teacher)}
    return devices == {"cpu"}


def _devices(teacher: Any) -> Iterator[str]:
    torch = sys.modules.get("torch")
    if torch is None:
        return
    for name, value in vars(teacher).items():
        if isinstance(value, Teacher):
            yield from _devices(value)
        elif name == "model" and isinstance(value, torch.nn.Module):
            yield from {parameter.device.type for parameter in value.parameters()}


def _torch_threads() -> int:
    import torch

    return int(torch.get_num_threads())


def _one_thread() -> None:
    import torch

    torch.set_num_threads(1)  # of this thread alone


def _give_way() -> None:
    """Lower the priority of this thread; elsewhere than on Linux only whole processes have one."""
    if sys.platform != "linux":
        return
    try:
        thread = get_native_id()
        os.setpriority(os.PRIO_PROCESS, thread, os.getpriority(os.PRIO_PROCESS, thread) + _NICER)
    except OSError:  # a sandbox may forbid it; it is no more than a matter of speed
        pass
