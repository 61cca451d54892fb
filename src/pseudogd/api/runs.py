"""Verbs of a training run: whether it will train, training it, and its model as an ordinary checkpoint."""

from __future__ import annotations

import filecmp
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pseudogd.api.paths import PathLike
from pseudogd.errors import InputError
from pseudogd.progress import notice, track

if TYPE_CHECKING:
    from pseudogd.training.doctor import Diagnosis
    from pseudogd.training.recipe import Recipe
    from pseudogd.training.train import TrainResult


def train(
    recipe: Any,
    overrides: Sequence[str] | Mapping[str, Any] = (),
    *,
    check: bool = True,
    overwrite: bool = False,
    quiet: bool = False,
) -> TrainResult:
    """One arm of training: `pseudogd.training.train.run_training`. `recipe` is a YAML file or a `Recipe`."""
    recipe = _recipe(recipe, overrides)  # before the heavy imports below: a wrong key is said at once
    from pseudogd.training.train import run_training

    return run_training(recipe, quiet=quiet, resume=not overwrite, check=check)


def doctor(
    recipe: Any,
    overrides: Sequence[str] | Mapping[str, Any] = (),
    *,
    model: PathLike | None = None,
    offline: bool = False,
    out: PathLike | None = "runs/doctor",
    quiet: bool = False,
) -> Diagnosis:
    """Whether a recipe will train here: `pseudogd.training.doctor.diagnose`, and a page with what the student sees.

    Args:
        recipe, overrides: as of `train`.
        model: a checkpoint folder that stands in for `model.path`: a small one of its family, on a small machine.
        offline: nothing is asked of the hub; a hub id must be in its cache.
        out: folder for doctor.html, doctor.json and views.png; None writes nothing.

    Raises:
        InputError: the recipe or `model` cannot be read. What else is wrong is a check that failed.
    """
    from pseudogd.training.recipe import changed

    recipe = _recipe(recipe, overrides)
    instead_of = None
    if model is not None:
        if not (Path(model) / "config.json").is_file():
            raise InputError(f"{model}: no checkpoint here (no config.json); --model takes a checkpoint folder")
        instead_of, recipe = recipe.model.path, changed(recipe, {"model.path": str(model)})
    from pseudogd.reports.doctor import write_doctor_page
    from pseudogd.stages.sample import sample_data
    from pseudogd.student.offline import offline as without_network
    from pseudogd.training.doctor import LOOKS, diagnose

    with (
        tempfile.TemporaryDirectory(prefix="pseudogd-doctor-") as scratch,
        without_network(offline),
        track("doctor", len(LOOKS), unit="checks", quiet=quiet) as bar,
    ):
        found = diagnose(recipe, lambda: sample_data(Path(scratch)), instead_of, lambda check: bar.advance())
        if out is not None:
            found.page = write_doctor_page(found, Path(out))
    return found


@dataclass(frozen=True)
class ExportResult:
    """Where the checkpoint is, and how far its logits are from the trained model's (None if that was not looked at)."""

    out: Path
    max_abs_logit_diff: float | None


def export(
    run: PathLike, out: PathLike, *, dtype: str | None = None, check: bool = True, quiet: bool = False
) -> ExportResult:
    """A finished run's model as an ordinary checkpoint in the folder `out`, with a model card.

    `dtype` casts the weights ("bfloat16"); they are float32 as they were trained. `check` loads the checkpoint with
    plain transformers in a new process and compares. A folder that holds this very checkpoint already is left as it is;
    any other content is refused (InputError).
    """
    from pseudogd.training.export import check_export
    from pseudogd.training.export import export as copy

    target = Path(out)
    if dtype is not None or not _same_files(Path(run) / "model", target):
        copy(run, target, dtype)
    notice(f"export: {target}, comparing with plain transformers", quiet or not check)
    return ExportResult(target, check_export(target) if check else None)


def _recipe(recipe: Any, overrides: Sequence[str] | Mapping[str, Any]) -> Recipe:
    from pseudogd.training.recipe import Recipe, load_recipe

    if not isinstance(recipe, Recipe):
        return load_recipe(recipe, overrides)
    if overrides:
        raise InputError("overrides go with a recipe file; change the Recipe itself")
    return recipe


def _same_files(folder: Path, other: Path) -> bool:
    """Whether both folders hold the same files with the same bytes, but for the card, which grows by evaluations."""
    names = [sorted(path.name for path in place.iterdir()) if place.is_dir() else [] for place in (folder, other)]
    if not names[0] or names[0] != names[1]:
        return False
    names[0] = [name for name in names[0] if name != "README.md"]
    return len(filecmp.cmpfiles(folder, other, names[0], shallow=False)[0]) == len(names[0])
