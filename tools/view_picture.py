"""A screenshot of `pseudogd view` for docs/viewer.md, with an installed Chromium or Chrome.

    python tools/view_picture.py --out docs/viewer.png

Renders a few simulated rooms, labels them with their true depth, makes questions and the page, opens it headless at a
question about a standing place, and writes the screenshot with 256 colours, so that it stays small.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

import pseudogd
from pseudogd.errors import InputError
from pseudogd.store.dataset import Store
from pseudogd.world import render_folder

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
COLOURS = 256


def make_data(folder: Path, seed: int, photos: int, side: int) -> Path:
    """A data folder of rendered rooms with their true depth."""
    rooms = render_folder(folder / "rooms", photos, "train", seed, size=side)
    data = folder / "rooms-data"
    pseudogd.label(rooms, f"files:{rooms / 'depth'}", data, rooms / "cameras.json", quiet=True)
    pseudogd.annotate(data, f"coco:{rooms / 'annotations.json'}", quiet=True)
    pseudogd.synth(data, quiet=True)
    return data


def chosen(data: Path, form: str) -> str:
    """Id of the multiple-choice question of that form with the widest margin; of angles, one to the left or right."""
    rows = Store(data).questions(["question_id", "value", "unit", "margin", "evidence"]).to_pylist()
    known = [row | {"evidence": json.loads(row["evidence"])} for row in rows]
    fitting = [row for row in known if row["evidence"]["form"] == form and row["evidence"]["format"] == "mc"]
    fitting = [row for row in fitting if row["unit"] != "deg" or 45 < abs(row["value"]) < 135]
    if not fitting:
        raise InputError(f"no question of form {form}; take another --seed or --form")
    return max(fitting, key=lambda row: row["margin"])["question_id"]


def shoot(page: Path, question: str, out: Path, width: int, height: int) -> None:
    """Open the page at a question and write what the window shows."""
    browser = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if browser is None:
        raise InputError(f"no browser found; install one of {', '.join(BROWSERS)}")
    with tempfile.TemporaryDirectory() as profile:
        options = ["--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", f"--user-data-dir={profile}"]
        options += [f"--window-size={width},{height}", "--virtual-time-budget=3000", f"--screenshot={out.resolve()}"]
        address = f"{page.resolve().as_uri()}#{question}"
        subprocess.run([browser, *options, address], check=True, capture_output=True, timeout=120)
    with Image.open(out) as shot:
        shot.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(out, optimize=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("docs/viewer.png"))
    parser.add_argument("--seed", type=int, default=4)
    parser.add_argument("--photos", type=int, default=6)
    parser.add_argument("--side", type=int, default=480, help="of the rendered rooms, pixels")
    parser.add_argument("--form", default="hypothetical.facing")
    parser.add_argument("--window", type=int, nargs=2, default=(1280, 840))
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        data = make_data(Path(folder), given.seed, given.photos, given.side)
        question = chosen(data, given.form)
        shoot(pseudogd.view(data, quiet=True), question, given.out, *given.window)
    print(f"{given.out}: {question}, {given.out.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    try:
        main()
    except InputError as error:
        sys.exit(f"error: {error}")
