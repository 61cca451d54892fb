"""Commands of a training run: whether it will train, training it, and its model as an ordinary checkpoint."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from pseudogd.cli.options import Debug, Overwrite, Quiet
from pseudogd.cli.summary import say


class Dtype(str, Enum):
    """Types of weights that a checkpoint is written in."""

    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"
    FLOAT16 = "float16"


def train(
    recipe: Annotated[Path, typer.Argument(metavar="RECIPE.yaml", help="Every choice of the run.")],
    overrides: Annotated[
        list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="Such as optim.steps=800; over the recipe's.")
    ] = None,
    check: Annotated[bool, typer.Option(help="Compare the export with the trained model in a new process.")] = True,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """One arm of training; goes on where it was interrupted."""
    from pseudogd.api import train as verb
    from pseudogd.training import ranks

    result = verb(recipe, overrides or (), check=check, overwrite=overwrite, quiet=quiet)
    ranks.leave()
    quiet = quiet or not ranks.is_main()  # one of the processes of torchrun says it
    say(f"{result.steps:,} steps on {result.questions:,} questions; model: {result.model}", quiet)


def doctor(
    recipe: Annotated[Path, typer.Argument(metavar="RECIPE.yaml", help="The run that is to be made.")],
    overrides: Annotated[
        list[str] | None,
        typer.Argument(metavar="[KEY=VALUE]...", help="Such as optim.batch_size=2; over the recipe's."),
    ] = None,
    model: Annotated[
        Path | None, typer.Option(help="Checkpoint folder to stand in for model.path: a small one of its family.")
    ] = None,
    offline: Annotated[bool, typer.Option("--offline", help="Ask nothing of the hub.")] = False,
    out: Annotated[Path | None, typer.Option(help="Folder for doctor.html, doctor.json and views.png.")] = Path(
        "runs/doctor"
    ),
    quiet: Quiet = False,
    debug: Debug = False,
) -> int:
    """Whether a recipe will train here, before hours are spent; exit code 1 where a check failed."""
    from pseudogd.api import doctor as verb

    found = verb(recipe, overrides or (), model=model, offline=offline, out=out, quiet=quiet)
    width = max(len(check.name) for check in found.checks)
    for check in found.checks:
        say(f"{check.status}  {check.name:{width}}  {check.text}", quiet and check.status == "pass")
    say(f"page: {found.page}", quiet or found.page is None)
    return found.exit_code


def export(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a finished training.")],
    out: Annotated[Path, typer.Option(help="Folder to write; must be empty or not there.")],
    dtype: Annotated[Dtype | None, typer.Option(help="Cast the weights, which are float32 as trained.")] = None,
    check: Annotated[bool, typer.Option(help="Load it with plain transformers in a new process and compare.")] = True,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """A finished run's model as an ordinary checkpoint."""
    from pseudogd.api import export as verb

    result = verb(run, out, dtype=None if dtype is None else dtype.value, check=check, quiet=quiet)
    compared = f"; largest difference of logits {result.max_abs_logit_diff}" if check else ""
    say(f"checkpoint: {result.out}{compared}", quiet)
