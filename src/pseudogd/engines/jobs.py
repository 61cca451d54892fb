"""One of several jobs that work on one folder at the same time, each on its own shards."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from pseudogd.errors import InputError
from pseudogd.store import locks
from pseudogd.store.locks import LOCK_NAME, hold
from pseudogd.store.shards import Slice


@dataclass(frozen=True)
class Job:
    """Job `index` of `count`: it makes every shard whose number leaves `index` when divided by `count`."""

    index: int = 0
    count: int = 1

    def __post_init__(self) -> None:
        if self.count < 1 or not 0 <= self.index < self.count:
            raise InputError(
                f"shard = {self.index} of num_shards = {self.count}: jobs are numbered from 0 to num_shards - 1"
            )

    @property
    def alone(self) -> bool:
        """Whether nobody else works on the folder."""
        return self.count == 1

    def makes(self, part: Slice) -> bool:
        """Whether the shard is this job's."""
        return part.index % self.count == self.index

    @contextmanager
    def writing(self, root: Path, stage: str, *, overwrite: bool = False, create: bool = False) -> Iterator[None]:
        """Be the only one that does this in `root`: alone, or as this job beside the others. Raises InUse."""
        if overwrite and not self.alone:
            raise InputError("overwrite: one job would delete what the others make; delete the old data first")
        with ExitStack() as stack:
            if create or root.is_dir():
                wait = locks.PATIENCE_SECONDS
                stack.enter_context(hold(root, LOCK_NAME, share=not self.alone, wait=wait))
                if not self.alone:
                    name = f"{LOCK_NAME}-{stage}-{self.index}-of-{self.count}"
                    stack.enter_context(hold(root, name, wait=wait))
            yield
