"""Verbs that write a page to look at."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pseudogd.api.paths import PathLike
from pseudogd.progress import notice


def report(runs: PathLike | Sequence[PathLike], out: PathLike | None = None, *, quiet: bool = False) -> Path:
    """`report.html` and `report.json` of one run, of a folder of runs, or of several (then with `out`).

    Of a data folder: `report.html` with every photo, its depth and objects, and its questions with their evidence.
    """
    from pseudogd.reports.build import build_report

    return build_report(runs, out)


def view(
    data: PathLike,
    out: PathLike | None = None,
    *,
    photos: int = 40,
    task: str | Sequence[str] | None = None,
    kind: str | Sequence[str] | None = None,
    image: str | Sequence[str] = (),
    failures: bool = False,
    side: int = 640,
    seed: int = 0,
    open_page: bool = False,
    quiet: bool = False,
) -> Path:
    """One page to look through a data folder, offline: pictures, objects, questions with their evidence drawn.

    Shows at most `photos` photos drawn by `seed`, or those of `image` (path, file name, id), or with `failures` those
    that failed or gave no question; `task` and `kind` (names, or text with commas) leave other questions out. `side`:
    longest side of the photos on the page, pixels. `open_page` opens it in a browser. Needs the stage of `label` alone.
    Returns the page's path. Raises InputError where nothing is there that was asked for.
    """
    from pseudogd.reports.viewer.page import build_view
    from pseudogd.reports.viewer.sample import Choice

    images = (image,) if isinstance(image, str) else tuple(image)
    choice = Choice(photos, _names(task), _names(kind), seed, images, failures)
    page = build_view(data, out, choice, side=side)
    if open_page:
        import webbrowser

        if not webbrowser.open(page.resolve().as_uri()):
            notice(f"{page}: no browser could be started; open the page yourself", quiet)
    return page


def _names(text: str | Sequence[str] | None) -> tuple[str, ...]:
    """Names from a list, or from text with commas between."""
    parts = text.split(",") if isinstance(text, str) else text or ()
    return tuple(name.strip() for name in parts if name.strip())
