"""Commands that tell whether data can be trusted: its depth, its questions, its files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pseudogd.cli.options import Data, Debug, Quiet, Seed, pairs
from pseudogd.cli.summary import say
from pseudogd.exits import fail


def calibrate(
    data: Data,
    truth: Annotated[
        Path, typer.Option(metavar="DEPTH_DIR", help="Measured depth: NAME.png (16 bit, mm) or NAME.npz.")
    ],
    cameras: Annotated[Path | None, typer.Option(help="cameras.json of the true cameras; else the data's own.")] = None,
    precision: Annotated[float, typer.Option(help="Wanted share of right answers.")] = 0.95,
    tasks: Annotated[str | None, typer.Option(help="Names with commas between; all by default.")] = None,
    settings_file: Annotated[Path | None, typer.Option("--settings", help="YAML settings to start from.")] = None,
    metres_per_unit: Annotated[float, typer.Option(help="Of the values in PNG files.")] = 0.001,
    photos: Annotated[int | None, typer.Option(min=1, help="At most so many, spread evenly.")] = None,
    seed: Seed = 0,
    out: Annotated[Path | None, typer.Option(help="Folder to write; DATA by default.")] = None,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """The teacher's depth and questions against measured depth; proposes margins for a wanted precision.

    Questions are tried of things that `annotate` has named; without any, depth alone is compared. What is proposed is
    judged on photos that it was not chosen by; calibration.html shows it all.
    """
    from pseudogd.api import calibrate as verb

    result = verb(
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
    settings = "" if result.settings is None else f"; settings for `synth --settings`: {result.settings}"
    say(f"page: {result.page}; figures: {result.report}{settings}", quiet)


def selftest(
    tasks: Annotated[str | None, typer.Option(help="Names with commas between; all by default.")] = None,
    quiet: Quiet = False,
    debug: Debug = False,
) -> int:
    """Every kind of question against closed-form truth, on scenes made for it: seconds, no data needed."""
    from pseudogd.api import selftest as verb

    result = verb(tasks, quiet=quiet)
    for flaw in result.flaws:
        typer.echo(flaw, err=True)
    count = sum(check.count for check in result.checks)
    say(f"{count:,} checks, {len(result.flaws)} wrong", quiet)
    return result.exit_code


def audit(
    data: Data,
    limits: Annotated[
        list[str] | None,
        typer.Argument(metavar="[KEY=VALUE]...", help="Thresholds, such as prior=0.15; docs/audit.md."),
    ] = None,
    against: Annotated[
        list[Path] | None, typer.Option(help="Folder of a benchmark's pictures, none of which may be here; repeatable.")
    ] = None,
    photos: Annotated[bool, typer.Option(help="Look for photos that nearly equal another.")] = True,
    balanced: Annotated[bool, typer.Option(help="Judge what training with data.balance keeps.")] = True,
    thin: Annotated[
        bool, typer.Option("--thin", help="First leave out of training what can be answered without looking too often.")
    ] = False,
    most: Annotated[int, typer.Option(min=1, help="Questions looked at; of more, whole photos are drawn.")] = 100_000,
    out: Annotated[Path | None, typer.Option(help="Folder for audit.html and audit.json; by default DATA.")] = None,
    workers: Annotated[int, typer.Option(min=1, help="Threads that decode photos.")] = 1,
    quiet: Quiet = False,
    debug: Debug = False,
) -> int:
    """Whether questions can be answered without looking; exit code 1 where a check failed."""
    from pseudogd.api import audit as verb

    choices = {"against": against or (), "photos": photos, "balanced": balanced, "thin": thin, "most": most}
    found = verb(data, **choices, out=out, workers=workers, quiet=quiet, **pairs(limits, audit))
    for line in found.lines():
        say(line, quiet and not line.startswith("fail"))
    say(f"page: {found.page}", quiet)
    return found.exit_code


def verify(data: Data, quiet: Quiet = False, debug: Debug = False) -> int:
    """Whether every file of a data folder still holds what was written; exit code 1 where one does not."""
    from pseudogd.api import verify as verb

    found = verb(data, quiet=quiet)
    for damage in found.damaged:
        fail(str(damage), found.exit_code)
    say(f"{found.files:,} shards, {found.bytes / 1e6:,.1f} MB: {len(found.damaged)} damaged or missing", quiet)
    return found.exit_code
