"""The model card: what a checkpoint was made from, with what, under which licences, and what evaluations said."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pseudogd import __version__

_PATHS = ("path", "general")
"""Keys of the data section of whose values the last part alone is told."""


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


def evaluations(run: Path) -> str:
    """A section with the accuracies in `run`/eval/*/summary.json; empty where there is none that can be read."""
    lines = []
    for path in sorted(run.glob("eval/*/summary.json")):
        try:
            said = json.loads(path.read_text(encoding="utf-8"))
            rows = [
                f"| {bench} | {name} | {said['n'][name]} | {100 * value:.1f} | "
                f"{100 * said['ci95'][name][0]:.1f} to {100 * said['ci95'][name][1]:.1f} |"
                for bench in [str(said["bench"]).replace("|", " ")]
                for name, value in said["accuracy"].items()
            ]
        except (OSError, ValueError, KeyError, TypeError):
            continue
        lines += rows
    if not lines:
        return ""
    head = [
        "## Evaluation",
        "",
        "| bench | part | questions | accuracy, % | 95 % interval |",
        "| --- | --- | --: | --: | --- |",
    ]
    return "\n".join(["", *head, *lines, ""])
