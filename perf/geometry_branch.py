"""Milliseconds per view of what geometry adds: reading, targets, head and losses, against the tower's own pass.

    python perf/geometry_branch.py --preset siglip-b+smollm2-135m --size 640
    python perf/geometry_branch.py                                   # the embedded student

- `read`: a photo's maps from the data folder, decoded. `targets`: those of its view, made of them. Both are done once
  for a photo, in a data worker or before the first pass, and kept while there is room.
- `head`: forward and backward, from the tapped states. `losses`: forward and backward, from what the head says.
- `tower`: forward and backward of tower and projector in bf16, which every step costs anyhow.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import students
import torch
from common import arguments, emit, in_turns, labelled, one_thread, per, ratio, rooms
from torch import Tensor

from pseudogd.distill.kinds import JointWeights
from pseudogd.distill.losses import Prediction, geometry_loss, view_losses
from pseudogd.distill.targets import cell_targets
from pseudogd.store.dataset import Store
from pseudogd.training.setup import Setup, build


def data_jobs(setup: Setup, names: list[str]) -> dict[str, Callable[[], None]]:
    """Reading and targets of some photos."""
    store, family, parts = setup.photos.store, setup.student.family, setup.photos.subcells
    cases = []
    for name in names:
        size = setup.photos.size_of(name)
        cases.append((store.geometry(name), family.views(size, setup.photos[name].pixels), size))

    def read() -> None:
        for name in names:
            store.geometry(name)

    def targets() -> None:
        for geometry, views, size in cases:
            for view in views:
                cell_targets(geometry, view.boxes, view.grid, view.cell, view.is_global, size, parts)

    return {"read": read, "targets": targets}


def step_jobs(setup: Setup, count: int) -> dict[str, Callable[[], None]]:
    """Head, losses and tower on one batch of `count` photos."""
    joint, family = setup.joint.train(), setup.student.family
    batch = setup.collator([setup.rows[i % len(setup.rows)] for i in range(count)])
    inputs, (group,) = batch["inputs"], batch["geometry"].groups
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        states = family.encode(joint.model, inputs).hidden_states
    assert states is not None and joint.head is not None
    tapped = [states[i].detach().requires_grad_() for i in joint.taps.layers]
    grid = tuple(side // joint.head.subcells for side in group.grid)
    said = vars(joint.head(tapped, grid))

    def head() -> None:
        sum(value.square().mean() for value in vars(joint.head(tapped, grid)).values()).backward()

    def losses() -> None:
        prediction = Prediction(**{name: value.detach().requires_grad_() for name, value in said.items()})
        geometry_loss(*view_losses(prediction, group), JointWeights())[0].backward()

    def tower() -> None:
        with torch.autocast("cpu", torch.bfloat16):
            tokens: Tensor = family.encode(joint.model, inputs).tokens
        tokens.float().square().mean().backward()

    return {"head": head, "losses": losses, "tower": tower}


def main() -> None:
    parser = arguments(
        __doc__, photos=8, size=128, batch_size=8, turns=8, head_width=96, head_blocks=0, subcells=2, rounds=10
    )
    students.add_sizes(parser)
    args = students.fill_sizes(parser.parse_args())
    one_thread()
    with rooms(args.photos, args.size) as folder:
        data, student = students.questions(labelled(folder)), students.save_student(folder.parent / "student", args)
        more = {f"geometry.{name}": getattr(args, name) for name in ("head_width", "head_blocks", "subcells")}
        recipe = students.recipe("joint", student, data, folder.parent / "run", args, more)
        setup = build(recipe, Store(data))
        names = (list(dict.fromkeys(setup.rows.geometry_ids)) * args.batch_size)[: args.batch_size]
        times = in_turns(data_jobs(setup, names) | step_jobs(setup, args.batch_size), args.rounds)
    result = {
        "ms_per_view": per(times, args.batch_size),
        "ratio_to_tower": {name: ratio(times, name, "tower") for name in times if name != "tower"},
        "floor": "forward and backward of tower and projector, without which there is no step",
    }
    emit(Path(__file__).stem, args, result)


if __name__ == "__main__":
    main()
