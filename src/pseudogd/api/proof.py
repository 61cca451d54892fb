"""Verbs that tell whether data can be trusted: its depth, its questions, its files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pseudogd.api.paths import PathLike
from pseudogd.progress import notice, track

if TYPE_CHECKING:
    from pseudogd.stages.audit import Audit
    from pseudogd.stages.calibrate import CalibrateResult
    from pseudogd.store.integrity import Verified
    from pseudogd.vqa.selftest.result import SelftestResult


def calibrate(
    data: PathLike,
    truth: PathLike,
    *,
    cameras: PathLike | None = None,
    precision: float = 0.95,
    tasks: str | Sequence[str] | None = None,
    settings_file: PathLike | None = None,
    metres_per_unit: float = 0.001,
    photos: int | None = None,
    seed: int = 0,
    out: PathLike | None = None,
    quiet: bool = False,
) -> CalibrateResult:
    """A labelled folder against measured depth, and the margins its questions need: `pseudogd.stages.calibrate`, and a
    page about it, calibration.html beside its calibration.json."""
    from pseudogd.reports.calibration import write_calibration_page
    from pseudogd.stages.calibrate import calibrate as run

    found = run(
        data,
        truth,
        cameras=cameras,
        precision=precision,
        tasks=tasks,
        settings_file=settings_file,
        metres_per_unit=metres_per_unit,
        photos=photos,
        seed=seed,
        out=out,
        quiet=quiet,
    )
    return replace(found, page=write_calibration_page(found.figures, found.report.parent))


def selftest(tasks: str | Sequence[str] | None = None, *, quiet: bool = False) -> SelftestResult:
    """Every form of every question against closed-form truth on golden scenes, their symmetries, and known mistakes.

    `tasks`: names ("nearer,size" or a list); all by default. Takes seconds, needs no data. The result's `exit_code` is
    1 when something is wrong. Raises InputError for an unknown task.
    """
    from pseudogd.benchmarks.selfcheck import scorer_flaws
    from pseudogd.vqa.selftest.result import SelftestResult, run_all

    checks = run_all(tasks, {"a scorer that is always right": scorer_flaws}, quiet)
    return SelftestResult(tuple(checks))


def audit(
    data: PathLike,
    *,
    against: PathLike | Sequence[PathLike] = (),
    photos: bool = True,
    balanced: bool = True,
    thin: bool = False,
    most: int = 100_000,
    out: PathLike | None = None,
    workers: int = 1,
    quiet: bool = False,
    **limits: float,
) -> Audit:
    """Whether questions can be answered without looking: `pseudogd.stages.audit.audit`, and a page about it.

    `limits` are thresholds of `pseudogd.vqa.audit.limits.Limits`. With `balanced` the questions that training keeps
    (`data.balance`) are judged, and the numbers of all are told beside; without it all are judged. `thin` first names
    the questions that the baselines answer too often (`pseudogd.stages.thin`): training and packing leave them out from
    then on. Writes audit.html and audit.json into `data`, or into `out`.
    """
    from pseudogd.reports.audit import write_audit_page
    from pseudogd.stages.audit import audit as run
    from pseudogd.stages.thin import thin as leave_out
    from pseudogd.store.dataset import Store
    from pseudogd.training.balance import balance_of, shortcuts_to_drop

    if thin:
        notice(leave_out(data, limits, balance=shortcuts_to_drop, quiet=quiet).line(), quiet)
    balance = balance_of(Store(data)) if balanced else None
    found = run(data, limits, against=against, photos=photos, balance=balance, most=most, workers=workers, quiet=quiet)
    return replace(found, page=write_audit_page(found, Path(data if out is None else out)))


def verify(data: PathLike, *, quiet: bool = False) -> Verified:
    """Whether every shard of a data folder still holds the bytes that were written; names those that do not."""
    from pseudogd.store.integrity import shard_count
    from pseudogd.store.integrity import verify as run

    with track("verify", shard_count(data), unit="files", quiet=quiet) as bar:
        return run(data, bar.advance)
