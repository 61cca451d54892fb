"""Run something in two processes on this machine, as torchrun starts them."""

import os
import subprocess
import sys


def torchrun(*arguments, processes=2, seconds=300):
    """The finished process; its output is text, standard error in it. `arguments` follow the launcher's own."""
    return _run(["torch.distributed.run", "--standalone", f"--nproc_per_node={processes}", *arguments], seconds)


def accelerate(*arguments, processes=2, seconds=300):
    """The same, as `accelerate launch` starts them; what runs decides whether it is on GPUs."""
    plain = ["--multi_gpu", "--num_machines", "1", "--mixed_precision", "no", "--dynamo_backend", "no"]
    return _run(["accelerate.commands.launch", *plain, "--num_processes", processes, *arguments], seconds)


def _run(command, seconds):
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "GLOO_SOCKET_IFNAME": "lo"}
    return subprocess.run(
        [sys.executable, "-m", *map(str, command)],
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=seconds,
        check=False,
    )
