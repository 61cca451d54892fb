"""What leaves is plain: a checkpoint that transformers loads as if it had never met us, and the proof of it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from pseudogd import __version__
from pseudogd.errors import InputError, PseudoGDError
from pseudogd.student import processors
from pseudogd.training import plain_probe, ranks
from pseudogd.training.checkpoints import appearing_folder

CARD_NAME = "README.md"
_PATHS = ("path", "general")


def write_plain(model: Any, processor: Any, folder: Path, card: str) -> None:
    """Write an ordinary checkpoint: weights, configs, processor, tokenizer, chat template, model card."""
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    (folder / CARD_NAME).write_text(card, encoding="utf-8")


def check_export(folder: str | os.PathLike[str], model: Any = None, processor: Any = None) -> float:
    """Largest difference of logits between a model and the checkpoint in `folder`, loaded by plain transformers.

    The checkpoint is loaded in a new process that never imports this package, with its own processor, and reads two
    pictures and two questions. 0.0 means bit-equal.

    Args:
        folder: the checkpoint.
        model, processor: what it was made from; left out, the checkpoint is loaded by `load_student` and compared.

    Raises:
        PseudoGDError: plain transformers cannot load or run the checkpoint.
    """
    if model is None or processor is None:
        from pseudogd.student.load import load_student

        student = load_student(folder)
        model, processor = student.model, student.processor
    return difference(folder, plain_probe.logits(model, processor), next(model.parameters()).device)


def difference(folder: str | os.PathLike[str], ours: Mapping[str, torch.Tensor], device: torch.device) -> float:
    """As `check_export`, against logits (of `plain_probe.logits`) that were computed before."""
    return differences({Path(folder): ours}, device)[Path(folder)]


def differences(ours: Mapping[Path, Mapping[str, torch.Tensor]], device: torch.device) -> dict[Path, float]:
    """`difference` of several checkpoints, all loaded in one new process."""
    found = {}
    for folder, theirs in _in_a_new_process(list(ours), device).items():
        mine = ours[folder]
        if any(mine[key].shape != theirs[key].shape for key in mine):
            raise PseudoGDError(f"{folder}: plain transformers reads pictures or words into another number of tokens")
        found[folder] = max(float((mine[key] - theirs[key]).abs().max()) for key in mine)
    return found


def _in_a_new_process(folders: Sequence[Path], device: torch.device) -> dict[Path, dict[str, torch.Tensor]]:
    with tempfile.TemporaryDirectory() as scratch:
        outs = {folder: Path(scratch, f"{number}.safetensors") for number, folder in enumerate(folders)}
        pairs = [str(path.resolve()) for pair in outs.items() for path in pair]
        threads = str(torch.get_num_threads())
        done = subprocess.run(
            [sys.executable, "-I", plain_probe.__file__, processors.__file__, str(device), threads, *pairs],
            capture_output=True,
            text=True,
            env={**ranks.without_launcher(dict(os.environ)), "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": threads},
            check=False,
        )
        if done.returncode:
            reason = (done.stderr.strip().splitlines() or ["no message"])[-1]
            which = folders[0] if len(folders) == 1 else f"one of {', '.join(map(str, folders))}"
            raise PseudoGDError(f"{which}: plain transformers cannot run this checkpoint: {reason}")
        return {folder: load_file(out) for folder, out in outs.items()}


def export(run: str | os.PathLike[str], out: str | os.PathLike[str]) -> Path:
    """Copy the plain checkpoint of a finished run to `out`.

    Raises:
        InputError: the run is not finished, or `out` holds something already.
    """
    model, target = Path(run) / "model", Path(out)
    if not (model / "config.json").is_file():
        raise InputError(f"{run}: no finished training run here (no model/config.json); run `pseudogd train` first")
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise InputError(f"{target}: is not empty; choose another --out")
    with appearing_folder(target) as folder:
        shutil.copytree(model, folder, dirs_exist_ok=True)
    return target


def model_card(base: str, recipe: Mapping[str, Any], counts: Mapping[str, Any], teachers: Mapping[str, str]) -> str:
    """The export's README.md: what it was made from, with what, and under which licences.

    Args:
        base: the base checkpoint as the recipe names it; of a local folder only the name is told.
        recipe: plain values of the complete recipe; of paths only the last part is told.
        counts: how much it was trained on.
        teachers: name -> licence of the teachers whose geometry was used.
    """
    import yaml

    local = Path(base).is_absolute() or Path(base).is_dir()
    name = Path(base).name if local else base
    told = {
        **recipe,
        "out": Path(str(recipe["out"])).name,
        "model": {**recipe["model"], "path": name},
        "data": {**recipe["data"], **{k: Path(str(v)).name for k, v in recipe["data"].items() if k in _PATHS and v}},
    }
    lines = [
        "---",
        "library_name: transformers",
        "pipeline_tag: image-text-to-text",
        *([] if local else [f"base_model: {yaml.safe_dump(base).splitlines()[0]}"]),
        "tags: [spatial-reasoning, pseudogd]",
        "---",
        "",
        f"# {Path(name).name}, trained for space",
        "",
        f"`{name}` after the arm `{recipe['arm']}` of pseudogd {__version__}: "
        + (
            "questions about space and, from the same photos, pseudo geometry distilled into the vision encoder."
            if recipe["arm"] != "vqa_only"
            else "questions about space alone, without geometry distillation."
        ),
        "It is an ordinary checkpoint: no further weights, no further code.",
        "",
        "## Data",
        "",
        *(f"- {name}: {value}" for name, value in counts.items()),
        "",
        "## Teachers of geometry",
        "",
        *(f"- {name}: licence {licence}" for name, licence in teachers.items()),
        "",
        "The licences of the base model, of the photos and of the teachers go on to apply.",
        "",
        "## Recipe",
        "",
        "```yaml",
        yaml.safe_dump(told, sort_keys=False, allow_unicode=True).rstrip(),
        "```",
        "",
    ]
    return "\n".join(lines)
