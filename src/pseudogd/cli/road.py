"""The command that takes the whole road."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pseudogd.cli.options import Debug, Quiet, Seed


def demo(
    out: Annotated[Path, typer.Option(help="Folder of the run.")] = Path("runs/demo"),
    seed: Seed = 0,
    photos: Annotated[int, typer.Option(min=1, help="Photos to train on.")] = 6000,
    items: Annotated[int, typer.Option(min=1, help="Questions to be judged by.")] = 2000,
    split: Annotated[str, typer.Option(help="dev to choose settings by, test to report.")] = "test",
    steps: Annotated[int | None, typer.Option(min=1, help="Training steps of each arm.")] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes; as many as cores, two at most.")] = None,
    student: Annotated[Path | None, typer.Option(help="Base checkpoint to train instead of the embedded one.")] = None,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """The whole road on the embedded default."""
    from pseudogd.embedded import demo as verb

    sizes = {"photos": photos, "items": items, "split": split, "steps": steps}
    verb(out, seed=seed, **sizes, workers=workers, student=student, quiet=quiet)
