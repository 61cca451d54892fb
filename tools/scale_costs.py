"""What labels and questions of many photos cost, on paper, from measured figures: a table for docs/scale.md.

    python perf/label.py --device cuda --teacher depth-anything:... > label.json
    python perf/synth.py > synth.json
    python tools/scale_costs.py --label label.json --synth synth.json --photos 1000000

Hours = photos / (photos per second); dollars = hours x price. Nothing is overlapped between stages, no job fails, and
photos arrive as fast as they are read: a lower bound that a real run comes near to.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--label", type=Path, required=True, help="what perf/label.py printed")
    parser.add_argument("--synth", type=Path, required=True, help="what perf/synth.py printed")
    parser.add_argument("--photos", type=int, default=1_000_000)
    parser.add_argument("--gpus", type=int, default=8, help="that label at a time")
    parser.add_argument("--cores", type=int, default=64, help="that make questions at a time")
    parser.add_argument("--gpu-hour", type=float, default=2.0, help="dollars for an hour of a GPU and its cores")
    parser.add_argument("--core-hour", type=float, default=0.05, help="dollars for an hour of a core")
    parser.add_argument("--tb-month", type=float, default=23.0, help="dollars for a TB and month")
    parser.add_argument("--maps", default="compact_maps", choices=["png", "compact_maps"])
    args = parser.parse_args()
    print(table(json.loads(args.label.read_text()), json.loads(args.synth.read_text()), vars(args)))


def table(label: Mapping[str, Any], synth: Mapping[str, Any], given: Mapping[str, Any]) -> str:
    """The Markdown table of both stages and what they leave on disk."""
    count = given["photos"]
    rate = label["photos_per_second"]["label"]
    gpu_hours = count / rate / 3600
    core_hours = count * synth["ms_per_photo"]["synth"]["cpu"] / 1e3 / 3600
    each = label["storage"][given["maps"]]["bytes_per_photo_of_4_to_3"]
    terabytes = count * each / 1e12
    questions = count * synth["questions_per_photo"]
    rows = [
        ("", f"of {count:,} photos", "hours", "dollars"),
        ("---", "---", "---", "---"),
        (
            "label",
            f"{rate:,.0f} photos/s a GPU: {_number(gpu_hours)} GPU hours",
            f"{_number(gpu_hours / given['gpus'])} on {given['gpus']} GPUs",
            _number(gpu_hours * given["gpu_hour"]),
        ),
        (
            "synth",
            f"{questions:,.0f} questions: {_number(core_hours)} core hours",
            f"{_number(core_hours / given['cores'])} on {given['cores']} cores",
            _number(core_hours * given["core_hour"]),
        ),
        (
            "geometry on disk",
            f"{each / 1e3:,.0f} kB a photo: {_number(terabytes)} TB",
            "",
            f"{_number(terabytes * given['tb_month'])} a month",
        ),
    ]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.2g}"


if __name__ == "__main__":
    main()
