"""What labels and questions of many photos cost, on paper, from measured figures: the table of docs/scale.md.

    python tools/scale_costs.py --measure                   run perf/label.py and perf/synth.py here, write the table
    python tools/scale_costs.py --check                     whether the page's table follows from the figures in it
    python tools/scale_costs.py --label L.json --synth S.json     print it for what perf/*.py printed on your machines

Hours = photos / (photos per second); dollars = hours x price. Nothing is overlapped between stages, no job fails, and
photos arrive as fast as they are read: a lower bound that a real run comes near to. The last row is no measurement: it
is the arithmetic of a network's multiplications and a GPU's data sheet.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "scale.md"
BEGIN, END = "<!-- costs: ", "<!-- end of costs -->"
PRICES = {"gpu_hour": 2.0, "core_hour": 0.05, "tb_month": 23.0}
PEAK_TFLOPS, UTILISATION = 312, 0.3
"""Of an A100 in bf16 without sparsity, by its data sheet; the share of it that such a network is assumed to reach."""
SIDE = 518


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--measure", action="store_true", help="run the benchmarks here and write docs/scale.md")
    parser.add_argument("--check", action="store_true", help="exit code 1 if the page is not what its figures give")
    parser.add_argument("--label", type=Path, help="what perf/label.py printed")
    parser.add_argument("--synth", type=Path, help="what perf/synth.py printed")
    parser.add_argument("--photos", type=int, default=1_000_000)
    parser.add_argument("--gpus", type=int, default=8, help="that label at a time")
    parser.add_argument("--cores", type=int, default=64, help="that work at a time")
    for name, price in PRICES.items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=float, default=price, help=f"dollars; default {price}")
    parser.add_argument("--maps", default="compact_maps", choices=["png", "compact_maps"])
    args = parser.parse_args()
    given = {name: getattr(args, name) for name in ("photos", "gpus", "cores", *PRICES)}
    if args.check:
        sys.exit(check(PAGE.read_text(encoding="utf-8"), given))
    if args.measure:
        found = figures(benchmark("label", "--photos", "96"), benchmark("synth", "--photos", "60"), args.maps)
        PAGE.write_text(rewritten(PAGE.read_text(encoding="utf-8"), found, given), encoding="utf-8")
        return
    if args.label is None or args.synth is None:
        parser.error("give --measure, --check, or both --label and --synth")
    print(table(figures(json.loads(args.label.read_text()), json.loads(args.synth.read_text()), args.maps), given))


def benchmark(name: str, *options: str) -> dict[str, Any]:
    """What a benchmark prints."""
    command = [sys.executable, str(ROOT / "perf" / f"{name}.py"), *options]
    return json.loads(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout)


def figures(label: Mapping[str, Any], synth: Mapping[str, Any], maps: str = "compact_maps") -> dict[str, Any]:
    """The few numbers of both benchmarks that the table needs."""
    return {
        "device": label["settings"]["device"],
        "teacher": label["settings"]["teacher"],
        "pixels": label["input_pixels"],
        "labelled_per_second": label["photos_per_second"]["label"],
        "maps": maps,
        "bytes": label["storage"][maps]["bytes_per_photo_of_4_to_3"],
        "synth_ms": synth["ms_per_photo"]["synth"]["cpu"],
        "questions": synth["questions_per_photo"],
        "cpu": label["machine"]["cpu"],
        "cores": label["machine"]["cores"],
        "load": max(label["machine"]["load_1_min"], synth["machine"]["load_1_min"]),
    }


def table(found: Mapping[str, Any], given: Mapping[str, Any]) -> str:
    """The Markdown table of both stages, what they leave on disk, and a large teacher on paper."""
    count = given["photos"]
    hours = count / found["labelled_per_second"] / 3600
    rate = f"{found['labelled_per_second']:,.1f} photos a second"
    height, width = found["pixels"]
    what = f"`label`, teacher {found['teacher']} at {width} × {height}"
    if found["device"] == "cpu":
        own = found["cores"]
        labelled = (f"{what}, {own} cores", f"{rate}: {_number(hours * own)} core hours", *_cores(hours * own, given))
    else:
        labelled = (
            f"{what}, one {found['device']} device",
            f"{rate}: {_number(hours)} GPU hours",
            *_gpus(hours, given),
        )
    questions, asked = count * found["questions"], count * found["synth_ms"] / 1e3 / 3600
    terabytes = count * found["bytes"] / 1e12
    teraflop = teacher_teraflop()
    fast = PEAK_TFLOPS * UTILISATION / teraflop
    large = count / fast / 3600
    rows = [
        (f"of {count:,} photos", "work", "hours", "dollars"),
        ("---", "---", "---", "---"),
        labelled,
        (
            "`synth`, all tasks, stability included",
            f"{questions:,.0f} questions, {found['synth_ms']:,.1f} ms a photo: {_number(asked)} core hours",
            *_cores(asked, given),
        ),
        (
            f"geometry on disk, 512 × 384 with normals and confidence, `{found['maps']}`",
            f"{found['bytes'] / 1e3:,.0f} kB a photo: {_number(terabytes)} TB",
            "",
            f"{_number(terabytes * given['tb_month'])} a month",
        ),
        (
            f"**not measured**: `label`, a Depth Anything of ViT-L's size at {SIDE} × {SIDE}, one A100",
            f"{teraflop:.2f} TFLOP a photo, {UTILISATION:.0%} of {PEAK_TFLOPS} TFLOP/s: {fast:,.0f} photos a second, "
            f"{_number(large)} GPU hours",
            *_gpus(large, given),
        ),
    ]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def _cores(hours: float, given: Mapping[str, Any]) -> tuple[str, str]:
    return f"{_number(hours / given['cores'])} on {given['cores']} cores", _number(hours * given["core_hour"])


def _gpus(hours: float, given: Mapping[str, Any]) -> tuple[str, str]:
    return f"{_number(hours / given['gpus'])} on {given['gpus']} GPUs", _number(hours * given["gpu_hour"])


@cache
def teacher_teraflop() -> float:
    """Floating-point operations of a Depth Anything with DINOv2 ViT-L on one photo, counted on tensors without data."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode
    from transformers import DepthAnythingConfig, DepthAnythingForDepthEstimation, Dinov2Config

    backbone = Dinov2Config(
        hidden_size=1024, num_hidden_layers=24, num_attention_heads=16, image_size=SIDE, patch_size=14,
        out_indices=[5, 12, 18, 24], reshape_hidden_states=False, apply_layernorm=True, attn_implementation="eager",
    )  # fmt: skip
    config = DepthAnythingConfig(
        backbone_config=backbone, reassemble_hidden_size=1024, neck_hidden_sizes=[256, 512, 1024, 1024],
        fusion_hidden_size=256,
    )  # fmt: skip
    with torch.device("meta"), torch.inference_mode():
        model = DepthAnythingForDepthEstimation(config).eval()
        with FlopCounterMode(display=False) as counter:
            model(pixel_values=torch.empty(1, 3, SIDE, SIDE))
    return counter.get_total_flops() / 1e12


def rewritten(page: str, found: Mapping[str, Any], given: Mapping[str, Any]) -> str:
    """The page with these figures and their table between its marks."""
    before, _, rest = page.partition(BEGIN)
    after = rest.partition(END)[2]
    return f"{before}{BEGIN}{json.dumps(found, ensure_ascii=False)} -->\n\n{table(found, given)}\n\n{END}{after}"


def check(page: str, given: Mapping[str, Any]) -> int:
    """0 if the table on the page is that of the figures on it."""
    found = json.loads(page.partition(BEGIN)[2].partition(" -->")[0])
    if rewritten(page, found, given) == page:
        return 0
    print("docs/scale.md: its table is not that of its figures: python tools/scale_costs.py --measure", file=sys.stderr)
    return 1


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.2g}"


if __name__ == "__main__":
    main()
