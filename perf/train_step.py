"""Time and peak memory of a joint training step against one on language alone, and against a teacher in the loop.

    python perf/train_step.py --preset siglip-b+smollm2-135m --size 640 --batch-size 4
    python perf/train_step.py --preset siglip-so400m+qwen2.5-1.5b --size 640 --batch-size 8 --device cuda
    python perf/train_step.py                                        # the embedded student

A step is forward, backward, clipping and AdamW on a batch that is ready, in bf16 autocast over float32 weights. Arms:

- `vqa_only`: language alone.
- `joint`: with the geometry branch and no anchor. `joint_anchor`: every photo read a second time, with frozen weights.
- `teacher_in_loop`: the joint step after the teacher has looked at the batch's photos and targets were made of what it
  saw, where `pseudogd` reads what was written once. The teacher is a Depth Anything of the size of `--teacher`, weights
  at random, at its own side (518 pixels), in bf16, without gradients; its input is ready too.

Times are taken in turns in one process: a ratio is the median over rounds, with its 95 % interval. Peak memory is that
of one fresh process for each arm (on a GPU: what torch has allocated at most; else by how much resident memory rises at
most, Linux only). The floor of a ratio is that of the multiplications.
"""

from __future__ import annotations

import argparse
import gc
import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import students
import torch
from common import Times, arguments, emit, in_turns, interval, labelled, one_thread, per, ratio, rooms
from depth_teachers import SIZES, save_teacher
from torch.utils.flop_counter import FlopCounterMode

from pseudogd.distill.targets import cell_targets
from pseudogd.store.dataset import Store
from pseudogd.store.photos import load_photo
from pseudogd.student.batch import GeometryBatch, PhotoTargets
from pseudogd.student.joint import Joint
from pseudogd.teachers.base import Photo
from pseudogd.teachers.network import NetworkTeacher
from pseudogd.training.attention import attention_for
from pseudogd.training.memory import forget_most, most_resident, resident
from pseudogd.training.parameters import parameter_groups
from pseudogd.training.setup import Setup, build

ARMS = ("vqa_only", "joint", "joint_anchor", "teacher_in_loop")


class Step:
    """One arm's step on one batch, over and over.

    Args:
        setup: of an arm with all that this one has.
        optimizer: over all that is trained; arms may share it, as they share the weights.
    """

    def __init__(self, arm: str, setup: Setup, optimizer: torch.optim.Optimizer, args: argparse.Namespace) -> None:
        self.setup, self.optimizer, self.device = setup, optimizer, torch.device(args.device)
        self.joint = _without(setup.joint, arm).train()
        self.rows = [setup.rows[i % len(setup.rows)] for i in range(args.batch_size)]
        batch = setup.collator(self.rows)
        self.inputs = {name: value.to(self.device) for name, value in batch["inputs"].items()}
        self.geometry = None if arm == "vqa_only" else batch["geometry"].to(self.device)

    def forward_backward(self) -> None:
        on_cpu = self.device.type == "cpu"  # as `training.train` does it
        attention = attention_for(self.joint.plain_model(), on_cpu and self.setup.isolated)
        with attention, torch.autocast(self.device.type, torch.bfloat16):
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
        return int(counter.get_total_flops())


class StepWithTeacher(Step):
    """The joint step with the targets made anew, by the teacher, before each."""

    def __init__(self, arm: str, setup: Setup, optimizer: torch.optim.Optimizer, args: argparse.Namespace) -> None:
        super().__init__(arm, setup, optimizer, args)
        self.teacher = NetworkTeacher.load(args.teacher_path, device=args.device, dtype="bfloat16")
        store, names = setup.photos.store, [name for row in self.rows for name in row.photos]
        images = [load_photo(store.photo_path(name)) for name in names]
        self.prepared = [
            self.teacher.prepare(Photo(image, store.geometry(name).camera)) for name, image in zip(names, images)
        ]
        self.sizes, self.pixels = [image.size for image in images], [setup.photos[name].pixels for name in names]

    def forward_backward(self) -> None:
        photos, family, parts = [], self.setup.student.family, self.setup.photos.subcells
        for seen, size, pixels in zip(self.teacher.infer(self.prepared), self.sizes, self.pixels):
            views = [
                (view, cell_targets(seen, view.boxes, view.grid, view.cell, view.is_global, size, parts))
                for view in family.views(size, pixels)
            ]
            photos.append(PhotoTargets(views, family.token_count(size, pixels)))
        self.geometry = GeometryBatch.collate(photos).to(self.device)
        super().forward_backward()


def _without(joint: Joint, arm: str) -> Joint:
    """The same weights in a `Joint` that has what the arm has, and no more."""
    if arm == "vqa_only":
        return Joint(joint.model, joint.family, answer_logits=joint.answer_logits)
    if arm == "joint_anchor":
        return joint
    weights = replace(joint.weights, anchor=0.0)
    return Joint(joint.model, joint.family, joint.head, weights, joint.taps, None, joint.balance, joint.answer_logits)


def steps_of(arms: Sequence[str], student: Path, data: Path, args: argparse.Namespace) -> dict[str, Step]:
    """Steps of some arms over the same weights and optimizer, with nothing loaded that none of them has."""
    names = ("head_width", "head_blocks", "subcells")
    more = {f"geometry.{name}": getattr(args, name) for name in names}
    more["geometry.weights.anchor"] = 0.1 if "joint_anchor" in arms else 0.0
    arm = "vqa_only" if set(arms) == {"vqa_only"} else "joint"
    recipe = students.recipe(arm, student, data, student.parent / "run", args, more)
    setup = build(recipe, Store(data))
    setup.joint.to(args.device)
    optimizer = torch.optim.AdamW(parameter_groups(setup.joint, recipe.optim), fused=True)
    kinds = {"teacher_in_loop": StepWithTeacher}
    return {arm: kinds.get(arm, Step)(arm, setup, optimizer, args) for arm in arms}


def peak(arm: str, student: Path, data: Path, args: argparse.Namespace) -> float:
    """MiB at most during three steps of one arm; to be called in a fresh process."""
    (step,) = steps_of([arm], student, data, args).values()
    if step.device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(step.device)
    gc.collect()
    forget_most()
    before = resident()
    for _ in range(3):
        step()
    if step.device.type == "cuda":
        return torch.cuda.max_memory_allocated(step.device) / 2**20
    return (most_resident() - before) / 2**20


def in_a_process(run: Callable[[str], list[str]], arm: str) -> float:
    return float(json.loads(subprocess.run(run(arm), check=True, stdout=subprocess.PIPE, text=True).stdout))


def compared(arm: str, other: str, times: Times, memory: dict[str, float], flops: dict[str, int]) -> dict[str, object]:
    """An arm as a multiple of another."""
    return {
        "time": ratio(times, arm, other),
        "time_ci95": interval(times, arm, other),
        "peak_memory": round(memory[arm] / max(memory[other], 0.1), 3),
        "floor": round(flops[arm] / flops[other], 3),
    }


def parse() -> argparse.Namespace:
    parser = arguments(
        __doc__, photos=24, size=128, batch_size=16, turns=8, head_width=96, head_blocks=0, subcells=2, rounds=10
    )
    students.add_sizes(parser)
    parser.add_argument("--teacher", choices=SIZES, default="base", help="of the Depth Anything; default base")
    parser.add_argument("--teacher-side", type=int, default=518, help="pixels of its input; default 518")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--peak-of", nargs=4, metavar=("ARM", "STUDENT", "DATA", "TEACHER"), help=argparse.SUPPRESS)
    return students.fill_sizes(parser.parse_args())


def main() -> None:
    args = parse()
    one_thread()
    if args.peak_of:
        arm, student, data, args.teacher_path = args.peak_of
        print(json.dumps(peak(arm, Path(student), Path(data), args)))
        return
    del args.peak_of
    with rooms(args.photos, args.size) as folder:
        data = students.questions(labelled(folder))
        student = students.save_student(folder.parent / "student", args)
        args.teacher_path = str(save_teacher(folder.parent / "teacher", args.teacher, args.teacher_side))

        def command(arm: str) -> list[str]:
            return [sys.executable, *sys.argv, "--peak-of", arm, str(student), str(data), args.teacher_path]

        memory = {arm: round(in_a_process(command, arm), 1) for arm in ARMS}
        steps = steps_of(ARMS, student, data, args)
        flops = {arm: step.flops() for arm, step in steps.items()}
        times = in_turns(steps, args.rounds, warm_up=2)
        parameters = sum(p.numel() for p in steps["joint"].joint.plain_model().parameters())
        tokens = int(steps["joint"].inputs["attention_mask"].shape[-1] * args.batch_size)
    del args.teacher_path
    result = {
        "parameters": parameters,
        "tokens_per_step": tokens,
        "ms_per_step": per(times, 1, digits=1),
        "peak_mib": memory,
        "gflop_per_step": {arm: round(count / 1e9, 2) for arm, count in flops.items()},
        "ratio_to_vqa_only": {
            arm: compared(arm, "vqa_only", times, memory, flops) for arm in ("joint", "joint_anchor")
        },
        "ratio_to_joint": {"teacher_in_loop": compared("teacher_in_loop", "joint", times, memory, flops)},
        "floor": "ratio of multiplications and additions in matrix products, attention and convolutions",
    }
    emit("train_step", args, result)


if __name__ == "__main__":
    main()
