"""What `pseudogd doctor` found -> doctor.html, doctor.json and views.png."""

from __future__ import annotations

import base64
import io
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from PIL import Image

from pseudogd.reports.build import json_ready
from pseudogd.reports.page import environment, style
from pseudogd.reports.views import Scale, ViewPicture, outlines, scale_of, sheet, view_pictures
from pseudogd.store.photos import load_photo
from pseudogd.store.shards import write_atomic
from pseudogd.training.doctor import Diagnosis, SeenPhoto
from pseudogd.training.doctor.words import amount, duration, gib
from pseudogd.training.recipe import recipe_text

PAGE, NUMBERS, VIEWS = "doctor.html", "doctor.json", "views.png"
_KINDS = ("weights", "gradients", "optimizer", "activations", "logits", "heap")
_WORTH_A_LINE = 1 << 19
"""Less is 0 MiB."""


def write_doctor_page(found: Diagnosis, out: Path) -> Path:
    """Write the page, its numbers and, where a photo was seen, its views into `out`; returns the page's path."""
    out.mkdir(parents=True, exist_ok=True)
    drawn = None if found.photo is None else _drawn(found.photo)
    if drawn is not None:
        write_atomic(out / VIEWS, _png(sheet(drawn["overview"], drawn["views"], drawn["scale"], drawn["title"])))
    else:
        (out / VIEWS).unlink(missing_ok=True)  # those of an earlier call would be taken for this one's
    text = json.dumps(json_ready(doctor_numbers(found)), ensure_ascii=False, indent=2, allow_nan=False) + "\n"
    write_atomic(out / NUMBERS, text.encode("utf-8"))
    write_atomic(out / PAGE, render_doctor_page(found, drawn).encode("utf-8"))
    return out / PAGE


def doctor_numbers(found: Diagnosis) -> dict[str, Any]:
    """What was found, as plain values: checks, parameters by part, the batch, bytes and seconds."""
    measured = found.measured
    return {
        "checks": [asdict(check) for check in found.checks],
        "parameters": {part: asdict(size) for part, size in found.parameters.items()},
        "batch": None if found.batch is None else asdict(found.batch),
        "estimated": {
            "memory_bytes": None if found.memory is None else asdict(found.memory),
            "seconds_per_step": found.seconds,
        },
        "measured": None if measured is None else asdict(measured),
        "exit_code": found.exit_code,
    }


def render_doctor_page(found: Diagnosis, drawn: Mapping[str, Any] | None) -> str:
    """The page: no script, no link to anything outside of itself, everything that came from a file escaped."""
    pages = environment()
    pages.filters |= {"amount": amount, "gib": gib, "duration": duration, "png": png_url}
    need = found.memory
    kinds = (
        [] if need is None else [(kind, getattr(need, kind)) for kind in _KINDS if getattr(need, kind) >= _WORTH_A_LINE]
    )
    return pages.get_template("doctor.html.j2").render(
        style=style("report.css", "doctor.css"),
        found=found,
        counts=Counter(check.status for check in found.checks),
        parts={part: size for part, size in found.parameters.items() if size.total},
        kinds=kinds,
        largest=max((size for _, size in kinds), default=1),
        photo=found.photo,
        drawn=drawn,
        recipe=recipe_text(found.recipe),
    )


def png_url(image: Image.Image) -> str:
    """A `data:` URL without loss: cells keep their edges."""
    return f"data:image/png;base64,{base64.b64encode(_png(image)).decode('ascii')}"


def _drawn(photo: SeenPhoto) -> dict[str, Any]:
    image = load_photo(photo.path)
    scale: Scale = scale_of(photo.views, photo.metric)
    pictures: list[ViewPicture] = view_pictures(image, photo.views, scale)
    return {
        "title": f"{photo.name}, {photo.size[0]} x {photo.size[1]}",
        "overview": outlines(image, photo.views),
        "views": pictures,
        "scale": scale,
    }


def _png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.convert("RGB").save(buffer, "PNG", optimize=True)
    return buffer.getvalue()
