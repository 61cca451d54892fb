"""Run something in two processes on this machine.

`torchrun` and `accelerate` are the launchers that a user has: each process starts from nothing, and the launcher takes
all down when one dies. `forked` is for what the ranks do with one another: they are forked from a process that has
imported everything, which saves some fifteen seconds of a core every time.
"""

import contextlib
import multiprocessing
import os
import socket
import subprocess
import sys
import tempfile
import time
import traceback
from dataclasses import dataclass
from pathlib import Path

SETTINGS = {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "GLOO_SOCKET_IFNAME": "lo"}
IMPORTED = ["pseudogd.cli", "pseudogd.training.train", "pseudogd.student.load", "transformers.models.llava"]


def torchrun(*arguments, processes=2, seconds=300):
    """The finished process; its output is text, standard error in it. `arguments` follow the launcher's own."""
    return _run(["torch.distributed.run", "--standalone", f"--nproc_per_node={processes}", *arguments], seconds)


def accelerate(*arguments, processes=2, seconds=300):
    """The same, as `accelerate launch` starts them; what runs decides whether it is on GPUs."""
    plain = ["--multi_gpu", "--num_machines", "1", "--mixed_precision", "no", "--dynamo_backend", "no"]
    return _run(["accelerate.commands.launch", *plain, "--num_processes", processes, *arguments], seconds)


def _run(command, seconds):
    return subprocess.run(
        [sys.executable, "-m", *map(str, command)],
        env={**os.environ, **SETTINGS},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=seconds,
        check=False,
    )


@dataclass(frozen=True)
class Finished:
    """As `subprocess.CompletedProcess`: the first exit code that is not 0, and what all ranks said."""

    returncode: int
    stdout: str


def forked(function, *arguments, processes=2, seconds=300):
    """Call `function(*arguments)`, of a module in `helpers`, on each rank; what it returns is the rank's exit code."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(IMPORTED)
    with tempfile.TemporaryDirectory() as scratch:
        said = Path(scratch) / "said.txt"
        said.touch()
        port = _free_port()
        ranks = [
            context.Process(target=_rank, args=(number, processes, port, str(said), function, arguments))
            for number in range(processes)
        ]
        for rank in ranks:
            rank.start()
        try:
            code = _first_failure(ranks, time.monotonic() + seconds)
        finally:
            for rank in ranks:
                rank.kill()
                rank.join()
        return Finished(code, said.read_text(errors="replace"))


def _first_failure(ranks, until):
    """Wait for all, or for the first that fails: the others would wait for it."""
    while True:
        codes = [rank.exitcode for rank in ranks]
        if failed := [code for code in codes if code]:
            return failed[0]
        if all(code == 0 for code in codes):
            return 0
        if time.monotonic() > until:
            raise TimeoutError(f"exit codes after that time: {codes}")
        multiprocessing.connection.wait([r.sentinel for r in ranks if r.exitcode is None], timeout=1)


def _free_port():
    with contextlib.closing(socket.socket()) as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def _rank(number, processes, port, said, function, arguments):
    """One rank, with the environment that a launcher sets."""
    text = os.open(said, os.O_WRONLY | os.O_APPEND)
    os.dup2(text, 1), os.dup2(text, 2)
    own = {"RANK": number, "LOCAL_RANK": number, "WORLD_SIZE": processes, "LOCAL_WORLD_SIZE": processes}
    own |= {"GROUP_RANK": 0, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    os.environ.update(SETTINGS | {name: str(value) for name, value in own.items()})
    import torch

    torch.set_num_threads(1)
    code = 1
    try:
        code = function(*arguments) or 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush(), sys.stderr.flush()
        os._exit(code)  # torch's threads of a broken group would be waited for
