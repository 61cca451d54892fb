"""Run folders -> run summary.

A run folder holds ``eval/BENCH/{items.parquet,summary.json}`` and, if it was trained, ``metrics.jsonl``,
``recipe.yaml`` and ``train.json``. The pictures of a bench lie in ``bench/`` of the run or of the folder above it.

A folder of several runs (``base/``, ``vqa_only/``, ``joint/``) may have ``panels/*.npz`` beside them, and
``measures.json`` with any of ``title``, ``seed``, ``seconds``, ``teacher``, ``questions`` (what was trained on),
``depth_probe`` (by run), ``export``, ``versions``, ``notes``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pseudogd.errors import InputError
from pseudogd.reports.pictures import load_panel
from pseudogd.reports.summary import Answered, Arm, RunSummary
from pseudogd.reports.versions import versions

MEASURES = "measures.json"
PANELS = "panels"
_ORDER = ("base", "vqa_only", "joint")
_PROBE = "depth_probe"


def collect(runs: Sequence[str | Path]) -> RunSummary:
    """Read one or several run folders, or folders of run folders. InputError where there is nothing to report."""
    roots = [Path(run) for run in runs]
    if not roots:
        raise InputError("no run folder was named; give at least one")
    folders = [folder for root in roots for folder in _run_folders(root)]
    measures: dict[str, Any] = {}
    for root in roots:
        measures |= _read_object(root / MEASURES)
    probes = measures.get(_PROBE) or {}
    names = _names(folders)
    told = [_read_object(folder / "train.json") for folder in folders]
    results = [one.get("result") for one in told]
    trained = {name: result for name, result in zip(names, results) if result}
    arms = [_read_arm(folder, name, probes.get(name)) for folder, name in zip(folders, names)]
    arms.sort(key=lambda arm: _ORDER.index(arm.name) if arm.name in _ORDER else len(_ORDER))
    return RunSummary(
        title=str(measures.get("title") or " · ".join(root.resolve().name for root in roots)),
        arms=arms,
        seed=measures.get("seed"),
        seconds=measures.get("seconds") or {f"train {name}": run["seconds"] for name, run in trained.items()},
        teacher=measures.get("teacher") or {},
        questions=measures.get("questions") or {},
        export=measures.get("export") or _worst_export(trained),
        versions=measures.get("versions") or versions(),
        notes=[*(measures.get("notes") or ()), *_licences(told)],
        panels=[load_panel(path) for root in roots for path in sorted((root / PANELS).glob("*.npz"))],
        folder=roots[0],
    )


def _licences(told: Sequence[Mapping[str, Any]]) -> list[str]:
    """A sentence for each teacher of geometry that the runs were trained on."""
    found: dict[str, Any] = {}
    for one in told:
        found |= one.get("teachers") or {}
    return [f"Geometry by {name}, under the licence {licence}." for name, licence in found.items()]


def read_answers(path: Path, bench_folders: Sequence[Path] = ()) -> list[Answered]:
    """The rows of an evaluation's ``items.parquet``; pictures are looked for in ``bench_folders`` in turn."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        rows = pq.read_table(path).to_pylist()
        return [_answered(row, bench_folders) for row in rows]
    except (OSError, pa.ArrowInvalid, KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path}: not an evaluation's items ({error}); run `pseudogd eval` again") from error


def read_metrics(path: Path) -> list[dict[str, float]]:
    """The rows of ``metrics.jsonl``; a last line that was cut off by a killed training is left out."""
    if not path.is_file():
        return []
    lines = path.read_text(encoding="utf-8").splitlines()
    rows = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            rows.append(json.loads(line))
        except json.JSONDecodeError as error:
            if number < len(lines):
                raise InputError(f"{path}: line {number} is not JSON ({error}); remove it") from error
    return rows


def _run_folders(root: Path) -> list[Path]:
    if not root.is_dir():
        raise InputError(f"{root}: no such run folder")
    if _is_run(root):
        return [root]
    below = sorted(path for path in root.iterdir() if path.is_dir() and _is_run(path))
    if not below:
        raise InputError(
            f"{root}: neither eval/ nor metrics.jsonl here or one folder below; train or evaluate into it first"
        )
    return below


def _worst_export(trained: Mapping[str, Mapping[str, Any]]) -> dict[str, float]:
    found = [run["max_abs_logit_diff"] for run in trained.values() if run.get("max_abs_logit_diff") is not None]
    return {"max_abs_logit_diff": max(found)} if found else {}


def _is_run(folder: Path) -> bool:
    return (folder / "metrics.jsonl").is_file() or any(folder.glob("eval/*/items.parquet"))


def _names(folders: Sequence[Path]) -> list[str]:
    """The folder's own name, with its parent's before it where two would be the same."""
    plain = [folder.resolve().name for folder in folders]
    return [
        name if plain.count(name) == 1 else f"{folder.resolve().parent.name}/{name}"
        for folder, name in zip(folders, plain)
    ]


def _read_arm(folder: Path, name: str, probe: Mapping[str, float] | None) -> Arm:
    answers = {}
    for path in sorted(folder.glob("eval/*/items.parquet")):
        bench = path.parent.name
        answers[bench] = read_answers(path, _bench_folders(folder, bench))
    summaries = {bench: _read_object(folder / "eval" / bench / "summary.json") for bench in answers}
    recipe = folder / "recipe.yaml"
    return Arm(
        name=name,
        benches=answers,
        bench_summaries=summaries,
        metrics=read_metrics(folder / "metrics.jsonl"),
        recipe=recipe.read_text(encoding="utf-8") if recipe.is_file() else "",
        depth_probe=probe or _read_object(folder / "eval" / _PROBE / "summary.json") or None,
    )


def _bench_folders(run: Path, bench: str) -> list[Path]:
    """Folders under bench/ of the run, or of the folder above it, that bear the bench's name or state it."""
    found = []
    for place in (run / "bench", run.parent / "bench"):
        below = sorted(path for path in place.iterdir() if path.is_dir()) if place.is_dir() else []
        found += [
            path for path in below if path.name == bench or _read_object(path / "bench.json").get("name") == bench
        ]
    return found


def _answered(row: Mapping[str, Any], bench_folders: Sequence[Path]) -> Answered:
    return Answered(
        uid=str(row["uid"]),
        question=str(row["question"]),
        options=tuple(row["options"]),
        answer=int(row["answer"]),
        predicted=None if row["predicted"] is None else int(row["predicted"]),
        correct=bool(row["correct"]),
        sub_task=str(row["sub_task_type"]),
        image_id=str(row["image_id"]),
        image=_find_inside(bench_folders, str(row["image"])),
    )


def _find_inside(folders: Sequence[Path], name: str) -> Path | None:
    for folder in folders:
        path = (folder / name).resolve()
        if path.is_relative_to(folder.resolve()) and path.is_file():
            return path
    return None


def _read_object(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise InputError(f"{path}: not readable as JSON ({error}); run the step that wrote it again") from error
    if not isinstance(value, dict):
        raise InputError(f"{path}: expected one JSON object, found {type(value).__name__}")
    return value
