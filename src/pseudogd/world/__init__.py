"""Simulated rooms with exact truth, and the embedded checkpoints that were trained on them."""

from __future__ import annotations

from pathlib import Path


def checkpoint(name: str) -> Path:
    """Folder of an embedded checkpoint: "teacher" (metric depth) or "student" (vision-language model)."""
    folder = Path(__file__).parent / "checkpoints" / name
    if not (folder / "config.json").is_file():
        from pseudogd.errors import InputError

        raise InputError(f"no embedded checkpoint {name!r} in {folder.parent}; choose teacher or student")
    return folder


def render_folder(*args, **kwargs):
    """See `pseudogd.world.folder.render_folder`."""
    from pseudogd.world.folder import render_folder as render

    return render(*args, **kwargs)
