"""Run something in two processes on this machine, as torchrun starts them."""

import os
import subprocess
import sys


def torchrun(*arguments, processes=2, seconds=300):
    """The finished process; its output is text, standard error in it. `arguments` follow the launcher's own."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "GLOO_SOCKET_IFNAME": "lo"}
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc_per_node={processes}"]
    return subprocess.run(
        [*command, *map(str, arguments)],
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=seconds,
        check=False,
    )
