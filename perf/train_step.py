"""Time and peak memory of a joint training step against a step on language alone, and the floor of their ratio.

    python perf/train_step.py
    python perf/train_step.py --image 336 --patch 14 --tower-width 1024 --tower-blocks 24 --llm-width 2048 \\
        --llm-blocks 24 --batch-size 4 --head-width 256 --device cuda

A step is forward, backward, clipping and AdamW on a batch that is ready. `joint` has no anchor, `joint_anchor` reads
every photo a second time with frozen weights. Times are taken in turns in one process; peak memory in one fresh process
per arm (on a GPU: what torch has allocated at most; else by how much its resident memory rises at most, Linux only).
The floor of the ratio is that of the multiplications: what the geometry head and the anchor add to the count.
"""

from __future__ import annotations

import argparse
import gc
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import students
import torch
from common import arguments, emit, in_turns, labelled, one_thread, per, ratio, rooms
from torch.utils.flop_counter import FlopCounterMode

from pseudogd.store.dataset import Store
from pseudogd.training.parameters import parameter_groups
from pseudogd.training.setup import build

ARMS = {"vqa_only": 0.0, "joint": 0.0, "joint_anchor": 0.1}
"""name -> weight of the anchor."""


class Step:
    """One arm's step on one batch, over and over."""

    def __init__(self, arm: str, student: Path, data: Path, args: argparse.Namespace) -> None:
        more = {f"geometry.{name}": getattr(args, name) for name in ("head_width", "head_blocks", "subcells")}
        more["geometry.weights.anchor"] = ARMS[arm]
        recipe = students.recipe(arm.partition("_anchor")[0], student, data, student.parent / arm, args, **more)
        setup = build(recipe, Store(data))
        self.device = torch.device(args.device)
        self.joint = setup.joint.to(self.device).train()
        self.optimizer = torch.optim.AdamW(parameter_groups(setup.joint, recipe.optim))
        batch = setup.collator([setup.rows[i % len(setup.rows)] for i in range(args.batch_size)])
        self.inputs = {name: value.to(self.device) for name, value in batch["inputs"].items()}
        self.geometry = None if batch["geometry"] is None else batch["geometry"].to(self.device)

    def forward_backward(self) -> None:
        with torch.autocast(self.device.type, torch.bfloat16):
            loss = self.joint(self.inputs, self.geometry, lam=0.3).loss
        loss.backward()

    def __call__(self) -> None:
        self.optimizer.zero_grad()
        self.forward_backward()
        torch.nn.utils.clip_grad_norm_(self.joint.parameters(), 1.0)
        self.optimizer.step()
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)

    def flops(self) -> int:
        """Multiplications and additions of matrix products, attention and convolutions, forward and backward."""
        with FlopCounterMode(display=False) as counter:
            self.forward_backward()
        return counter.get_total_flops()


def peak(arm: str, student: Path, data: Path, args: argparse.Namespace) -> float:
    """MiB at most during three steps of one arm; to be called in a fresh process."""
    step = Step(arm, student, data, args)
    if step.device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(step.device)
    before = _resident("VmRSS", reset=True)
    for _ in range(3):
        step()
    if step.device.type == "cuda":
        return torch.cuda.max_memory_allocated(step.device) / 2**20
    return _resident("VmHWM") - before


def _resident(field: str, reset: bool = False) -> float:
    """A line of Linux's /proc/self/status, MiB: VmRSS is resident now, VmHWM its peak since the last `reset`."""
    if reset:
        gc.collect()
        Path("/proc/self/clear_refs").write_text("5")
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(field)).split()[1]) / 2**10


def in_a_process(run: Callable[[str], list[str]], arm: str) -> float:
    return float(json.loads(subprocess.run(run(arm), check=True, capture_output=True, text=True).stdout))


def parse() -> argparse.Namespace:
    parser = arguments(
        __doc__, photos=24, size=128, batch_size=16, turns=8, head_width=96, head_blocks=0, subcells=2, rounds=10
    )
    students.add_sizes(parser)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--peak-of", nargs=3, metavar=("ARM", "STUDENT", "DATA"), help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> None:
    args = parse()
    one_thread()
    if args.peak_of:
        arm, student, data = args.peak_of
        print(json.dumps(peak(arm, Path(student), Path(data), args)))
        return
    del args.peak_of
    with rooms(args.photos, args.size) as folder:
        data = students.questions(labelled(folder))
        student = students.save_student(folder.parent / "student", args)

        def command(arm: str) -> list[str]:
            return [sys.executable, *sys.argv, "--peak-of", arm, str(student), str(data)]

        memory = {arm: round(in_a_process(command, arm), 1) for arm in ARMS}
        steps = {arm: Step(arm, student, data, args) for arm in ARMS}
        flops = {arm: step.flops() for arm, step in steps.items()}
        times = in_turns(steps, args.rounds, warm_up=2)
        parameters = sum(p.numel() for p in steps["joint"].joint.plain_model().parameters())
    others = [arm for arm in ARMS if arm != "vqa_only"]
    result = {
        "parameters": parameters,
        "ms_per_step": per(times, 1, digits=1),
        "peak_mib": memory,
        "gflop_per_step": {arm: round(count / 1e9, 2) for arm, count in flops.items()},
        "ratio_to_vqa_only": {
            arm: {
                "time": ratio(times, arm, "vqa_only"),
                "peak_memory": round(memory[arm] / max(memory["vqa_only"], 0.1), 3),
                "floor": round(flops[arm] / flops["vqa_only"], 3),
            }
            for arm in others
        },
        "floor": "ratio of multiplications and additions in matrix products, attention and convolutions",
    }
    emit("train_step", args, result)


if __name__ == "__main__":
    main()
