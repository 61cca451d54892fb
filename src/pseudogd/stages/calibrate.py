"""A labelled folder against measured depth: how far off the teacher is, and which margins its questions need."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from PIL import Image

from pseudogd.errors import InputError
from pseudogd.geometry.camera import Camera
from pseudogd.geometry.types import Geometry, Scale
from pseudogd.progress import notice, track
from pseudogd.stages._calibration_lines import say_depth, say_questions
from pseudogd.stages._depth_errors import depth_errors, depth_summary
from pseudogd.stages.settings_file import believing, merged, read_settings
from pseudogd.store.dataset import Store
from pseudogd.store.shards import write_atomic
from pseudogd.teachers.base import Photo
from pseudogd.teachers.cameras import CameraFile
from pseudogd.teachers.complete import complete
from pseudogd.teachers.files import DepthFiles
from pseudogd.vqa.build import build_scene
from pseudogd.vqa.calibration import Tried, curve, error_sizes, figures_of, object_errors, propose, try_scene
from pseudogd.vqa.held_out import held_out
from pseudogd.vqa.scene import Scene, SceneSettings
from pseudogd.vqa.settings import SynthSettings
from pseudogd.vqa.tasks import quotas

NUMBERS = "calibration.json"
SETTINGS = "calibrated.yaml"
_LEAST_SIGMA = 0.01
SHOWN = 50
"""Photos that are named where some are left out; all are counted."""


@dataclass(frozen=True)
class CalibrateResult:
    """`figures` as written to `report`; `settings` is the file that `synth --settings` reads, None where no things are
    named and depth alone was compared; `page` is calibration.html, None where none was written."""

    report: Path
    settings: Path | None
    figures: Mapping[str, Any] = field(repr=False)
    page: Path | None = field(default=None, compare=False)


def calibrate(
    data: str | os.PathLike[str],
    truth: str | os.PathLike[str],
    *,
    cameras: str | os.PathLike[str] | None = None,
    precision: float = 0.95,
    tasks: str | Sequence[str] | None = None,
    settings_file: str | os.PathLike[str] | None = None,
    metres_per_unit: float = 0.001,
    photos: int | None = None,
    seed: int = 0,
    out: str | os.PathLike[str] | None = None,
    quiet: bool = False,
) -> CalibrateResult:
    """Compare the geometry of the data folder `data`, and its questions where it is annotated, with measured depth.

    truth      folder of depth maps with the photos' names, as `teachers.files.DepthFiles` reads them (16-bit PNG of
               millimetres, or npz of metres). Photos without one are left out.
    cameras    a cameras.json of the true cameras; without it the data's own cameras are taken for true.
    precision  the wanted share of right answers, for which margins are proposed.
    tasks      names ("nearer,size" or a list); all by default. settings_file: settings of `synth` to start from.
    photos     at most so many, spread evenly.
    out        folder of calibration.json and calibrated.yaml; default: `data`.

    What is proposed is judged on photos that it was not chosen by (`vqa.held_out`). Without named things depth alone is
    compared, and no settings are proposed.

    Raises InputError when nothing can be compared.
    """
    if not 0.5 <= precision < 1.0:
        raise InputError(f"precision = {precision}: must be a share from 0.5 to below 1, such as 0.95")
    store = Store(data)
    store.require("geometry")
    folder = Path(out) if out is not None else store.root
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder}: is a file; --out needs a folder")
    named = "objects" in store.manifest.stages
    if named or tasks is not None or settings_file is not None:
        store.require("objects")
    base = {} if settings_file is None else read_settings(settings_file)
    believed = believing(base, store.settings("geometry").get("depth_error"))
    plan = SynthSettings.from_dict(merged(believed, {"tasks": _tasks(tasks)}))
    guide = DepthFiles(truth, metres_per_unit=metres_per_unit)
    everything = store.photos().to_pylist()
    rows = [row for row in everything if guide.find(row["path"]) is not None]
    if not rows:
        raise InputError(f"{truth}: has no depth map with the name of a photo of {store.root}")
    unmeasured = [row["path"] for row in everything if guide.find(row["path"]) is None]
    measured = len(rows)
    if photos is not None:
        rows = [rows[k] for k in np.unique(np.linspace(0, len(rows) - 1, max(1, photos)).astype(int))]
    run = _Run(store, guide, None if cameras is None else CameraFile(cameras), rows, plan, seed, quiet)
    figures = run.figures(precision, fixed_sigma="depth_sigma" in base.get("scene", {})) if named else run.of_depth()
    figures["left_out"] = {
        "photos_without_measured_depth": {"count": len(unmeasured), "some": unmeasured[:SHOWN]},
        "photos_not_asked_for": measured - len(rows),
        **figures.pop("left_out", {}),
    }
    folder.mkdir(parents=True, exist_ok=True)
    write_atomic(folder / NUMBERS, (json.dumps(figures, indent=1) + "\n").encode())
    if named:
        write_atomic(folder / SETTINGS, _yaml(merged(base, figures["proposed"]), precision, figures).encode())
    say_depth(figures["depth"], quiet)
    if named:
        say_questions(figures, quiet)
    else:
        notice(f"no things are named, so no questions were tried; `pseudogd annotate {data}` names some", quiet)
    return CalibrateResult(folder / NUMBERS, folder / SETTINGS if named else None, figures)


def _tasks(tasks: str | Sequence[str] | None) -> dict[str, float] | None:
    if tasks is None:
        return None
    names = [name.strip() for name in tasks.split(",")] if isinstance(tasks, str) else list(tasks)
    return {name: quotas().get(name, 1.0) for name in names if name}


class _Run:
    """Goes through the photos twice: for errors of depth, then for the questions that those errors allow."""

    def __init__(
        self,
        store: Store,
        guide: DepthFiles,
        cameras: CameraFile | None,
        rows: Sequence[Mapping[str, Any]],
        plan: SynthSettings,
        seed: int,
        quiet: bool,
    ) -> None:
        self.store, self.guide, self.cameras, self.rows = store, guide, cameras, rows
        self.plan, self.seed, self.quiet = plan, seed, quiet
        self.unjudged: Counter[str] = Counter()

    def figures(self, precision: float, fixed_sigma: bool) -> dict[str, Any]:
        """What calibration.json holds."""
        depths: list[dict[str, Any]] = []
        errors: dict[str, list[float]] = {}
        tried: list[Tried] = []
        for told, true in self._pairs("depth and questions"):
            depths.append(depth_errors(told.geometry, true.geometry))
            errors[told.image_id] = object_errors(told, true)
            tried += try_scene(told, true, self.plan, self.seed, unjudged=self.unjudged)
        first = self.store.geometry(self.rows[0]["image_id"])
        sizes = error_sizes(list(errors.values()))
        proposed: dict[str, Any] = {}
        if sizes and not fixed_sigma and first.scale is not Scale.AFFINE_DISPARITY:
            proposed["scene"] = {"depth_sigma": max(sizes["own"], _LEAST_SIGMA)}
            if first.scale is Scale.METRIC:
                proposed["scene"]["scale_sigma"] = sizes["shared"]
        believed = replace(self.plan, scene=replace(self.plan.scene, **proposed.get("scene", {})))
        asked = [one for one in tried if not one.loose]
        again = asked if believed == self.plan else self._tried(believed)
        proposal = propose(again, precision)
        if proposal.least_margin:
            proposed["least_margin"] = {**self.plan.least_margin, **proposal.least_margin}
        if proposal.without:
            proposed["without"] = sorted({*self.plan.without, *proposal.without})
        kept = proposal.kept(again)
        return {
            **self._head(first),
            "wanted": precision,
            "depth": self._summary(depths, first),
            "objects": sizes,
            "stated": self.store.settings("geometry").get("depth_error") or {},
            "tasks": _by("task", tried, _share_figures),
            "with_proposed_depth_sigma": _by("task", again, _share_figures),
            "with_all_proposed": _by("task", kept, _share_figures),
            "all_tasks": figures_of(asked),
            "all_tasks_with_all_proposed": figures_of(kept),
            "held_out": held_out(again, precision, errors),
            "forms": _by("form", tried, _form_figures),
            "forms_with_proposed_depth_sigma": _by("form", again, _curve_figures),
            "too_few": list(proposal.unknown),
            "proposed": proposed,
            "left_out": {"facts": dict(self.unjudged.most_common())},
        }

    def of_depth(self) -> dict[str, Any]:
        """What calibration.json holds where no things are named."""
        depths: list[dict[str, Any]] = []
        with track("calibrate: depth", len(self.rows), unit="photos", quiet=self.quiet) as bar:
            for row in self.rows:
                told = self.store.geometry(row["image_id"])
                depths.append(depth_errors(told, _measured(self.guide, row, told.camera)))
                bar.advance(1)
        first = self.store.geometry(self.rows[0]["image_id"])
        return {**self._head(first), "depth": self._summary(depths, first)}

    def _summary(self, depths: Sequence[dict[str, Any]], first: Geometry) -> dict[str, Any]:
        return depth_summary(depths, [row["path"] for row in self.rows], first.scale)

    def _head(self, first: Geometry) -> dict[str, Any]:
        return {"data": self.store.root.name, "teacher": asdict(first.teacher), "photos": len(self.rows)}

    def _tried(self, plan: SynthSettings) -> list[Tried]:
        found: list[Tried] = []
        self.unjudged.clear()
        for told, true in self._pairs("questions again", plan):
            found += try_scene(told, true, plan, self.seed, curves=False, unjudged=self.unjudged)
        return found

    def _pairs(self, what: str, plan: SynthSettings | None = None) -> Iterator[tuple[Scene, Scene]]:
        """Scenes as the teacher says and as they are."""
        scene = (plan or self.plan).scene
        with track(f"calibrate: {what}", len(self.rows), unit="photos", quiet=self.quiet) as bar:
            for row in self.rows:
                yield scenes(self.store, self.guide, row, scene, self.cameras)
                bar.advance(1)


def scenes(
    store: Store,
    guide: DepthFiles,
    row: Mapping[str, Any],
    settings: SceneSettings | None = None,
    cameras: CameraFile | None = None,
) -> tuple[Scene, Scene]:
    """One photo (a row of `Store.photos`) as the teacher says it is, and with the depth and camera that are true."""
    told = store.geometry(row["image_id"])
    size, objects = (row["width"], row["height"]), store.objects(row["image_id"])
    camera = told.camera
    if cameras is not None and cameras.has(row["path"]):
        camera = cameras.camera(row["path"], *size)
    true = complete(_measured(guide, row, camera))
    return (
        build_scene(told, objects, image_id=row["image_id"], size=size, settings=settings),
        build_scene(true, objects, image_id=row["image_id"], size=size, settings=settings),
    )


def _measured(guide: DepthFiles, row: Mapping[str, Any], camera: Camera | None) -> Geometry:
    """What the depth file of a photo says."""
    blank = Image.new("1", (row["width"], row["height"]))  # only its size is asked
    return guide.infer([guide.prepare(Photo(blank, camera, row["path"]))])[0]


def _by(name: str, tried: Sequence[Tried], figures: Callable[[Sequence[Tried]], dict[str, Any]]) -> dict[str, Any]:
    """Figures of each task or form."""
    groups: dict[str, list[Tried]] = {}
    for one in tried:
        groups.setdefault(getattr(one, name), []).append(one)
    return {key: figures(groups[key]) for key in sorted(groups)}


def _share_figures(own: Sequence[Tried]) -> dict[str, Any]:
    asked = [one for one in own if not one.loose]
    figures = figures_of(asked)
    ruled = [one for one in asked if one.shortcut is False]
    if ruled:
        figures["where_the_flat_rule_is_wrong"] = figures_of(ruled)
    return figures


def _form_figures(own: Sequence[Tried]) -> dict[str, Any]:
    unit = next((one.unit for one in own if one.unit), "")
    return {**_share_figures(own), "margin_unit": unit, "by_margin": curve([one for one in own if one.loose])}


def _curve_figures(asked: Sequence[Tried]) -> dict[str, Any]:
    return {**figures_of(asked), "by_margin": curve(asked)}


def _yaml(settings: Mapping[str, Any], precision: float, figures: Mapping[str, Any]) -> str:
    head = (
        f"# Proposed by `pseudogd calibrate` from {figures['photos']} photos with measured depth, so that\n"
        f"# {precision:.1%} of the answers are right with teacher {figures['teacher']['name']}.\n"
        f"# Use: pseudogd synth DATA --settings {SETTINGS}\n"
    )
    return head + yaml.safe_dump(dict(settings), sort_keys=False)
