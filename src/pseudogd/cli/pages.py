"""Commands that write a page to look at."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pseudogd.cli.options import Data, Debug, Quiet, Seed
from pseudogd.cli.summary import say


def report(
    runs: Annotated[
        list[Path], typer.Argument(metavar="RUN...", help="Run folders, a folder of run folders, or one data folder.")
    ],
    out: Annotated[Path | None, typer.Option(help="Folder to write; several runs need it.")] = None,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """One page that opens offline: of runs their results, of a data folder its questions with their evidence."""
    from pseudogd.api import report as verb

    say(f"report: {verb(runs, out, quiet=quiet)}", quiet)


def view(
    data: Data,
    out: Annotated[Path | None, typer.Option(help="Page or folder to write; DATA/view.html by default.")] = None,
    photos: Annotated[int, typer.Option(min=1, help="Show at most so many photos, drawn by the seed.")] = 40,
    task: Annotated[str | None, typer.Option(help="Only questions of these tasks; names with commas between.")] = None,
    kind: Annotated[str | None, typer.Option(help="Only questions of these kinds; names with commas between.")] = None,
    image: Annotated[
        list[str] | None, typer.Option(help="This photo: path, file name, its id or a question's; may be repeated.")
    ] = None,
    failures: Annotated[bool, typer.Option("--failures", help="Photos that failed or gave no question.")] = False,
    side: Annotated[int, typer.Option(help="Longest side of the photos on the page, pixels.")] = 640,
    seed: Seed = 0,
    open_page: Annotated[bool, typer.Option("--open", help="Open the page in a browser.")] = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """A data folder to look through: photos, depth, objects, questions with their evidence drawn."""
    from pseudogd.api import view as verb

    page = verb(
        data,
        out,
        photos=photos,
        task=task,
        kind=kind,
        image=image or (),
        failures=failures,
        side=side,
        seed=seed,
        open_page=open_page,
        quiet=quiet,
    )
    say(f"page: {page} ({page.stat().st_size / 1e6:.1f} MB)", quiet)
