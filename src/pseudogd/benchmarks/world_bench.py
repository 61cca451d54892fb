"""The world bench: multiple-choice items about simulated rooms, from their exact geometry and never from a teacher.

Rooms are of the ``held_out`` distribution. The questions are those of the question room, asked of true depth, camera
and gravity; sub-tasks bear OmniSpatial's names, and the folder has OmniSpatial's layout. Letters, fixed answers,
numbers, points and things are balanced (see `selection`), and so are rules of thumb in the flat picture.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from itertools import repeat
from pathlib import Path
from typing import Any

import numpy as np

from pseudogd.benchmarks.items import DATA_FILE, Item, load_items, write_items, write_json
from pseudogd.benchmarks.priors import baselines
from pseudogd.benchmarks.selection import Candidate, balance_letters, choose
from pseudogd.benchmarks.truth import TruePhoto, true_photos
from pseudogd.errors import InputError, SettingsMismatch
from pseudogd.progress import track

BENCH_FILE = "bench.json"
ROOMS = "rooms"
# Rooms of the two splits and of everything else come from seeds that are far apart.
_SEEDS = {"test": 7_000_000, "dev": 8_000_000}
_VERSION = 8
_POOL_FOR_PRIORS = 4000


@dataclass(frozen=True)
class SubTask:
    """Where a sub-task stands in the layout, and which kinds of question fill it in which shares."""

    task_type: str
    tasks: Mapping[str, float]


SUB_TASKS = {
    "Egocentric": SubTask("Perspective_Taking", {"nearer": 0.5, "direction": 0.5}),
    "Geometric_Reasoning": SubTask("Complex_Logic", {"distance": 0.6, "size": 0.4}),
    "Hypothetical": SubTask("Perspective_Taking", {"hypothetical": 1.0}),
    "Localization": SubTask("Spatial_Interaction", {"localization": 1.0}),
}
# Questions drawn from each photo, of which the balanced ones are kept.
_DRAWN = {"nearer": 10, "direction": 10, "distance": 12, "size": 12, "hypothetical": 14, "localization": 18}


@dataclass(frozen=True)
class WorldBench:
    """What to build. ``split``: ``test`` to report, ``dev`` to choose settings by; they share no room.

    ``items`` in all, in equal parts over the sub-tasks; ``photos`` (default: one for four items) of ``size`` pixels;
    at most ``per_photo`` items of one sub-task a photo.
    """

    items: int = 2000
    split: str = "test"
    seed: int = 0
    photos: int | None = None
    size: int = 128
    per_photo: int = 3

    def __post_init__(self) -> None:
        if self.split not in _SEEDS:
            raise InputError(f"split {self.split!r} is not known; one of {', '.join(_SEEDS)}")
        if self.items < len(SUB_TASKS) or self.per_photo < 1:
            raise InputError(f"items={self.items}, per_photo={self.per_photo}: at least {len(SUB_TASKS)} and 1")

    @property
    def name(self) -> str:
        """The name under which results are kept: a dev bench never stands for the test bench."""
        return "world" if self.split == "test" else f"world_{self.split}"

    @property
    def label(self) -> str:
        """A folder name that tells benches of different settings apart."""
        return f"{self.name}-{self.items}-{self.rooms}-{self.size}-{self.per_photo}-seed{self.seed}"

    @property
    def rooms(self) -> int:
        return self.photos or max(8, self.items // 4)


def build_world_bench(
    folder: str | Path, spec: WorldBench | None = None, *, workers: int = 1, quiet: bool = False
) -> Path:
    """Render the rooms and write the bench; returns its folder. A bench that stands there already is kept.

    ``data.json`` and pictures are OmniSpatial's layout; ``bench.json`` holds what was asked for, counts, and baselines;
    ``rooms/`` the rooms with their truth (for the depth probe). Raises ``SettingsMismatch`` if another bench stands
    there, ``InputError`` if the rooms give too few questions.
    """
    folder, spec = Path(folder), spec or WorldBench()
    if _stands(folder, spec):
        return folder
    rooms = folder / ROOMS
    _render(rooms, spec, workers, quiet)
    photos = list(true_photos(rooms))
    with track("world bench", len(photos), quiet=quiet) as bar:
        pool: list[Candidate] = []
        for found in _candidates(photos, spec.seed, workers):
            pool += found
            bar.advance()
    chosen = pick(pool, spec)
    numbers = {photo.name: str(index) for index, photo in enumerate(photos)}
    images = {numbers[photo.name]: photo.path for photo in photos}
    write_items(folder, _rows(chosen, numbers), images)
    items = load_items(folder / DATA_FILE)
    write_json(folder / BENCH_FILE, _about(spec, items, pool, numbers))
    return folder


def _candidates(photos: Sequence[TruePhoto], seed: int, workers: int) -> Iterator[list[Candidate]]:
    if workers <= 1:
        yield from (candidates(photo, seed) for photo in photos)
        return
    with ProcessPoolExecutor(workers) as pool:
        yield from pool.map(candidates, photos, repeat(seed), chunksize=8)


def candidates(photo: TruePhoto, seed: int) -> list[Candidate]:
    """All multiple-choice questions about one photo that may become items."""
    from pseudogd.vqa.build import build_scene
    from pseudogd.vqa.guards import Margins
    from pseudogd.vqa.scene import SceneSettings
    from pseudogd.vqa.settings import SynthSettings
    from pseudogd.vqa.stability import StabilitySettings
    from pseudogd.vqa.synth import synthesise

    camera = photo.geometry.camera
    assert camera is not None  # true_photos gives none without
    size = (camera.width, camera.height)
    # Depth is the truth.
    known = SceneSettings(hidden_doubt=1.0, lifted_doubt=1.0, thin_doubt=1.0, deep_doubt=1.0, foot_doubt=0.0)
    scene = build_scene(photo.geometry, photo.objects, image_id=photo.name, size=size, settings=known)
    settings = SynthSettings(
        tasks=_DRAWN,
        formats={"mc": 1.0},
        margins=Margins(distance_sigmas=6.0, rule_odds=1.0, middle=0.0),  # no teacher is in doubt
        wordings="plain",
        numbers="fixed",
        fair=False,
        stability=StabilitySettings(measure=False),
    )
    kinds = {row["object_id"]: row["category"] for row in photo.objects}
    home = {task: name for name, sub in SUB_TASKS.items() for task in sub.tasks}
    found = []
    for question in synthesise(scene, settings=settings, seed=seed):
        evidence = question.evidence
        things = tuple(sorted({kinds[entry["id"]] for entry in evidence["objects"]}))
        row = {"task": question.task, "value": question.value, "unit": question.unit, "margin": question.margin}
        found.append(
            Candidate(
                photo=photo.name,
                sub_task=home[question.task],
                form=evidence["form"],
                question=evidence["question"],
                options=list(question.options or ()),
                answer=int(question.answer_index or 0),
                about=things,
                shortcut=(evidence.get("shortcut") or {}).get("right"),
                row={**row, "evidence": evidence},
            )
        )
    return found


def pick(pool: Sequence[Candidate], spec: WorldBench) -> list[Candidate]:
    """The balanced items, in the order of their photos."""
    chosen: list[Candidate] = []
    quotas = _parts(spec.items, dict.fromkeys(SUB_TASKS, 1 / len(SUB_TASKS)))
    for name, sub_task in SUB_TASKS.items():
        for task, quota in _parts(quotas[name], sub_task.tasks).items():
            rng = np.random.default_rng([spec.seed, len(chosen), quota])
            mine = [candidate for candidate in pool if candidate.row["task"] == task]
            got = choose(mine, quota, spec.per_photo, rng)
            if len(got) < quota:
                raise InputError(
                    f"world bench: {spec.rooms} rooms give {len(got)} of {quota} {task} questions; render more photos"
                )
            chosen += got
    chosen = balance_letters(chosen, np.random.default_rng([spec.seed, 1]))
    order = sorted(range(len(chosen)), key=lambda i: (chosen[i].photo, i))
    return [chosen[i] for i in order]


def _parts(total: int, shares: Mapping[str, float]) -> dict[str, int]:
    """Whole numbers in the given shares that add up to ``total``."""
    ends = np.rint(np.cumsum([shares[name] for name in shares]) * total).astype(int)
    return {name: int(part) for name, part in zip(shares, np.diff(ends, prepend=0))}


def _stands(folder: Path, spec: WorldBench) -> bool:
    file = folder / BENCH_FILE
    if not file.is_file():
        return False
    there = json.loads(file.read_text(encoding="utf-8")).get("settings", {})
    here = _settings(spec)
    if there == here:
        return True
    names = ", ".join(
        f"{key}: {there.get(key)!r} there, {here[key]!r} now" for key in here if there.get(key) != here[key]
    )
    raise SettingsMismatch(f"{folder}: holds another world bench ({names}); name another folder")


def _settings(spec: WorldBench) -> dict[str, Any]:
    return {**asdict(spec), "photos": spec.rooms, "version": _VERSION}


def _render(rooms: Path, spec: WorldBench, workers: int, quiet: bool) -> None:
    from pseudogd.world import render_folder

    with track("bench rooms", spec.rooms, quiet=quiet) as bar:
        render_folder(
            rooms,
            spec.rooms,
            split="held_out",
            seed=_SEEDS[spec.split] + spec.seed,
            size=spec.size,
            workers=workers,
            progress=bar.advance,
        )


def _rows(chosen: Sequence[Candidate], numbers: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    counts: dict[str, int] = defaultdict(int)
    for candidate in chosen:
        number = numbers[candidate.photo]
        yield {
            "id": f"{number}_{counts[number]}",
            "question": candidate.question,
            "options": candidate.options,
            "answer": candidate.answer,
            "task_type": SUB_TASKS[candidate.sub_task].task_type,
            "sub_task_type": candidate.sub_task,
            **candidate.row,
        }
        counts[number] += 1


def _about(
    spec: WorldBench, items: Sequence[Item], pool: Sequence[Candidate], numbers: Mapping[str, str]
) -> dict[str, Any]:
    rng = np.random.default_rng([spec.seed, 2])
    sample = balance_letters([pool[i] for i in rng.permutation(len(pool))[:_POOL_FOR_PRIORS]], rng)
    learn_from = [
        Item(str(i), str(i), c.question, tuple(c.options), c.answer, "", c.sub_task, Path(f"{numbers[c.photo]}.png"))
        for i, c in enumerate(sample)
    ]
    return {
        "name": spec.name,
        "prompt": "plain",
        "settings": _settings(spec),
        "n": _counts(item.sub_task_type for item in items),
        "n_by_form": _counts(item.extra["evidence"]["form"] for item in items),
        "answer_letters": _counts(item.answer_letter for item in items),
        "n_pool": len(pool),
        "baselines": baselines(items, learn_from=learn_from),
        "flat_picture_rule": _flat_rule(items),
    }


def _counts(values: Any) -> dict[str, int]:
    counts: dict[str, int] = defaultdict(int)
    for value in values:
        counts[value] += 1
    return dict(sorted(counts.items()))


def _flat_rule(items: Sequence[Item]) -> dict[str, dict[str, float]]:
    """How often each form's rule of thumb in the flat picture is right, beside chance."""
    groups: dict[str, list[tuple[bool, float]]] = defaultdict(list)
    for item in items:
        rule = item.extra["evidence"].get("shortcut")
        if rule:
            groups[item.extra["evidence"]["form"]].append((rule["right"], 1 / len(item.options)))
    return {
        form: {"right": float(np.mean([r for r, _ in rows])), "chance": float(np.mean([c for _, c in rows]))}
        for form, rows in sorted(groups.items())
    }
