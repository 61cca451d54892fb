"""`transformers serve` on a free port of this machine, in a process group of its own that always ends.

with transformers_serve(scratch, model) as url:
    ...
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

STARTS_WITHIN = 120.0  # seconds; four on an idle machine
_SERVE = "from transformers.cli.transformers import main; main()"


@contextlib.contextmanager
def transformers_serve(scratch: Path, model: Path | None = None) -> Iterator[str]:
    """The server's address once it is well. With `model` it serves that one only, else whatever a request names.

    Its log is `scratch`/serve.log; its cache of hub models is empty.
    """
    scratch.mkdir(parents=True, exist_ok=True)
    port, log = _free_port(), scratch / "serve.log"
    command = [sys.executable, "-c", _SERVE, "serve", *([str(model)] if model is not None else [])]
    command += ["--host", "127.0.0.1", "--port", str(port), "--device", "cpu"]
    quiet = {"HF_HUB_OFFLINE": "1", "HF_HOME": str(scratch / "hub"), "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    with log.open("wb") as out:
        process = subprocess.Popen(
            command,
            stdout=out,
            stderr=out,
            stdin=subprocess.DEVNULL,
            env={**os.environ, **quiet},
            start_new_session=True,
        )
    try:
        url = f"http://127.0.0.1:{port}"
        _wait_until_well(url, process, log)
        yield url
    finally:
        _end(process)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _wait_until_well(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + STARTS_WITHIN
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(OSError), direct.open(f"{url}/health", timeout=2) as answer:
            if answer.status == 200:
                return
        time.sleep(0.1)
    raise AssertionError(f"transformers serve did not start (code {process.poll()}):\n{log.read_text()[-3000:]}")


def _end(process: subprocess.Popen[bytes]) -> None:
    """Stop the whole group; what does not go when asked is killed."""
    for how in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, how)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(10)
            break
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)  # children that outlived it
