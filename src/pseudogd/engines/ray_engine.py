"""Run a stage on Ray Data: the same function by the hands of a cluster, shard by shard.

Each actor builds the stage's function once (its own teacher, its own readers), makes whole shards and writes them to
the folder, which every machine must see. Which photos share a shard and a batch is as in a local run, so the rows are
too. An actor that dies loses the shard in work, and Ray gives it to another.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pseudogd.errors import InputError, PseudoGDError
from pseudogd.store.shards import Slice

Make = Callable[[Slice], None]
_RETRIES = 5
_SURROUNDINGS = {
    "RAY_DATA_LOG_LEVEL": "ERROR",  # the bar is ours
    "RAY_BACKEND_LOG_LEVEL": "fatal",  # it speaks of lost arguments when an actor may be restarted, lost or not
    "RAY_USAGE_STATS_ENABLED": "0",  # a cluster that is started here tells nobody that it was
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}
"""What Ray is told by the environment, where the user's own does not."""


@dataclass(frozen=True)
class RayEngine:
    """A cluster: the one at `address`, else that of RAY_ADDRESS, else one of `workers` cores on this machine.

    `workers` actors work at a time, each with a core, and with a GPU where the stage wants one and the cluster has any.
    """

    address: str | None = None
    workers: int = 2

    def run(
        self, parts: Sequence[Slice], build: Callable[[], Make], advance: Callable[[int], None], *, gpu: bool = False
    ) -> None:
        """Make every shard of `parts`: actors call `build()` once and what it returns for one slice after another.

        Raises InputError without Ray or without a cluster at the address, PseudoGDError with the line of what an actor
        raised.
        """
        ray = _ray()
        started = self._start(ray)
        try:
            ray.data.DataContext.get_current().enable_progress_bars = False
            rows = [{"index": p.index, "start": p.start, "stop": p.stop, "digest": p.digest} for p in parts]
            with warnings.catch_warnings():  # how many restarts has no other name yet in any version that we take
                warnings.filterwarnings("ignore", message=".*ray_remote_args.*")
                done = ray.data.from_items(rows, override_num_blocks=len(rows)).map_batches(
                    _Worker,
                    fn_constructor_args=(build, os.getcwd()),
                    batch_size=1,
                    compute=ray.data.ActorPoolStrategy(size=min(self.workers, len(rows))),
                    num_cpus=1,
                    num_gpus=1 if gpu and ray.cluster_resources().get("GPU") else None,
                    max_restarts=_RETRIES,
                    max_task_retries=_RETRIES,
                )
            for batch in done.iter_batches(batch_size=1, prefetch_batches=0):
                if said := next((str(line) for line in batch["error"] if line), ""):
                    raise PseudoGDError(said)
                advance(int(batch["inputs"].sum()))
        except PseudoGDError:
            raise
        except Exception as error:  # Ray wraps what an actor raised in errors of its own
            raise PseudoGDError(f"ray: {_cause(error)}") from error
        finally:
            if started:
                ray.shutdown()

    def _start(self, ray: Any) -> bool:
        """Join or start a cluster; whether this process was in none before."""
        if ray.is_initialized():
            return False
        quiet = {"log_to_driver": False, "logging_level": "ERROR"}
        try:
            if self.address is not None or os.environ.get("RAY_ADDRESS"):
                ray.init(address=self.address or "auto", **quiet)
            else:
                ray.init(num_cpus=self.workers, include_dashboard=False, **quiet)
        except (ConnectionError, ValueError, RuntimeError) as error:
            token = "" if os.environ.get("RAY_AUTH_MODE") else "; if it asks for a token, set RAY_AUTH_MODE=token"
            raise InputError(f"engine ray:{self.address or ''}: no cluster there ({_line(error)}){token}") from error
        return True


def engine_of(name: str, workers: int) -> RayEngine | None:
    """The engine that `local`, `ray` or `ray:ADDRESS` names; None is this process. InputError for any other name."""
    kind, _, address = name.partition(":")
    if name == "local":
        return None
    if kind != "ray":
        raise InputError(f"engine {name!r}: choose local, ray, or ray:ADDRESS")
    return RayEngine(address or None, workers)


class _Worker:
    """What one actor is. What goes wrong comes back as a line: Ray hides it under pages of its own."""

    def __init__(self, build: Callable[[], Make], folder: str) -> None:
        """`folder` is where the command was given: paths may be relative to it."""
        self._build = build
        if os.path.isdir(folder):
            os.chdir(folder)
        self._make: Make | None = None

    def __call__(self, batch: Mapping[str, Any]) -> dict[str, list[Any]]:
        found: dict[str, list[Any]] = {"inputs": [], "error": []}
        for index, start, stop, digest in zip(batch["index"], batch["start"], batch["stop"], batch["digest"]):
            part = Slice(int(index), int(start), int(stop), str(digest))
            try:
                self._make = self._make or self._build()
                self._make(part)
                said = ""
            except Exception as error:
                said = _line(error) if isinstance(error, PseudoGDError) else f"{type(error).__name__}: {_line(error)}"
            found["inputs"].append(part.stop - part.start)
            found["error"].append(said)
        return found


def _ray() -> Any:
    for name, value in _SURROUNDINGS.items():
        os.environ.setdefault(name, value)
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise InputError("engine ray: the package is not installed; pip install 'pseudogd[ray]'") from error
    return ray


def _cause(error: BaseException) -> str:
    """The line of what went wrong first, below Ray's wrappings."""
    while isinstance(inner := getattr(error, "cause", None) or error.__cause__, BaseException) and inner is not error:
        error = inner
    return _line(error)


def _line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).strip().splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
