"""How close the doctor's estimates of memory and time are: students with tens of millions of weights, trained here.

    python tools/doctor_accuracy.py                   # every case, about ten minutes on one core
    python tools/doctor_accuracy.py llava_full        # some
    python tools/doctor_accuracy.py --table a.json    # the table of docs/doctor.md, from what was printed

Every case is a fresh process: it examines a recipe as `pseudogd doctor` does, with more real steps, and prints what was
estimated and what was measured. Measured memory is by how much resident memory rises at most; measured time the median
step, by the clock (`seconds`) and by processor time (`processor_seconds`), which other work on the machine hardly
changes. Torch has one thread. Runs from a checkout: the checkpoints are those of the tests, made larger.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "perf")]

PHOTOS, SIZE, TURNS = 4, (640, 480), 8

STUDENTS: dict[str, dict[str, Any]] = {
    "llava": {
        "family": "llava",
        "save": {"image_size": 336, "patch": 14},
        "vision": {"hidden_size": 384, "intermediate_size": 1536, "num_hidden_layers": 8, "num_attention_heads": 6},
        "text": {"hidden_size": 512, "intermediate_size": 1376, "num_attention_heads": 8, "num_key_value_heads": 8},
    },
    "qwen2_5_vl": {
        "family": "qwen2_5_vl",
        "save": {"window": 112, "most": 28 * 28 * 1280},
        "vision": {
            "hidden_size": 320,
            "intermediate_size": 864,
            "depth": 8,
            "num_heads": 4,
            "out_hidden_size": 512,
            "fullatt_block_indexes": [3, 7],
        },
        "text": {
            "hidden_size": 512,
            "intermediate_size": 2752,
            "num_attention_heads": 8,
            "num_key_value_heads": 2,
            "rope_parameters": {"rope_type": "default", "rope_theta": 1e6, "mrope_section": [8, 12, 12]},
        },
    },
    "smolvlm": {
        "family": "smolvlm",
        "save": {"side": 256, "patch": 16, "tiles": 3},
        "vision": {"hidden_size": 384, "intermediate_size": 1536, "num_hidden_layers": 6, "num_attention_heads": 6},
        "text": {"hidden_size": 576, "intermediate_size": 1536, "num_attention_heads": 9, "num_key_value_heads": 3},
    },
    "llava_small": {
        "family": "llava",
        "save": {"image_size": 224, "patch": 14},
        "vision": {"hidden_size": 256, "intermediate_size": 1024, "num_hidden_layers": 6, "num_attention_heads": 4},
        "text": {"hidden_size": 256, "intermediate_size": 688, "num_attention_heads": 4, "num_key_value_heads": 4},
    },
    "qwen2_5_vl_small": {
        "family": "qwen2_5_vl",
        "save": {"window": 112, "most": 28 * 28 * 256},
        "vision": {
            "hidden_size": 256,
            "intermediate_size": 688,
            "depth": 6,
            "num_heads": 4,
            "out_hidden_size": 384,
            "fullatt_block_indexes": [2, 5],
        },
        "text": {
            "hidden_size": 384,
            "intermediate_size": 1024,
            "num_attention_heads": 6,
            "num_key_value_heads": 2,
            "rope_parameters": {"rope_type": "default", "rope_theta": 1e6, "mrope_section": [8, 12, 12]},
        },
    },
    "smolvlm_large": {
        "family": "smolvlm",
        "save": {"side": 256, "patch": 16, "tiles": 2},
        "vision": {"hidden_size": 640, "intermediate_size": 2560, "num_hidden_layers": 8, "num_attention_heads": 10},
        "text": {"hidden_size": 768, "intermediate_size": 2560, "num_attention_heads": 12, "num_key_value_heads": 4},
    },
}
"""name -> family, options of its tiny checkpoint, and the sizes that it is given."""
TEXT = {"num_hidden_layers": 8, "vocab_size": 32000}

LORA = {"lora.tower.r": 16, "lora.llm.r": 16, "model.dtype": "bfloat16"}
HALF, FULL, AGAIN = {"optim.precision": "bf16"}, {"optim.precision": "fp32"}, {"optim.gradient_checkpointing": True}
WAYS: dict[str, dict[str, Any]] = {
    "full": FULL,
    "full_bf16": HALF,
    "full_recomputed": {**HALF, **AGAIN},
    "lora": {**HALF, **LORA},
    "lora_recomputed": {**HALF, **LORA, **AGAIN},
}
WORDS = {
    "full": "in full, fp32",
    "full_bf16": "in full, bf16",
    "full_recomputed": "in full, bf16, recomputed",
    "lora": "LoRA, bf16",
    "lora_recomputed": "LoRA, bf16, recomputed",
}
OTHERS = ("full_bf16", "lora_recomputed")
"""Ways of the students of other sizes."""
CASES = {
    f"{name}_{way}": (name, changes)
    for name, sizes in STUDENTS.items()
    for way, changes in WAYS.items()
    if name == sizes["family"] or way in OTHERS
}


def student(name: str, folder: Path) -> Path:
    from helpers.grown import grown
    from helpers.tiny import FAMILIES

    sizes = STUDENTS[name]
    return grown(FAMILIES[sizes["family"]].save(folder, **sizes["save"]), sizes["vision"], {**TEXT, **sizes["text"]})


def examine(name: str, folder: Path, data: Path, steps: int) -> dict[str, Any]:
    """One case, in this process."""
    import torch
    from transformers.utils import logging

    from pseudogd.training.doctor import diagnose
    from pseudogd.training.recipe import load_recipe

    torch.set_num_threads(1)
    logging.set_verbosity_error()
    changes = {
        "model.path": str(folder),
        "data.path": str(data),
        "data.turns_per_row": TURNS,
        "out": str(data / "run"),
        "optim.batch_size": 2,
        "optim.steps": 100,
        "device": "cpu",
        **CASES[name][1],
    }
    found = diagnose(load_recipe(None, changes), lambda: data, tries=steps)
    wrong = [f"{check.name}: {check.text}" for check in found.checks if check.status == "fail"]
    if wrong:
        raise SystemExit(f"{name}: {wrong[0]}")
    assert found.memory is not None and found.measured is not None and found.batch is not None
    assert found.seconds is not None and found.measured.peak is not None
    need, real = found.memory, found.measured
    return {
        "million_parameters": round(sum(size.total for size in found.parameters.values()) / 1e6, 1),
        "row_tokens": found.batch.length,
        "tower_tokens": found.batch.tower_tokens,
        "memory_mib": {"estimated": round(need.peak / 2**20), "measured": round(real.peak / 2**20)},
        "memory_ratio": round(need.peak / real.peak, 3),
        "seconds": {
            "estimated": round(found.seconds, 3),
            "measured": round(real.seconds, 3),
            "measured_processor": round(real.processor_seconds, 3),
        },
        "time_ratio": round(found.seconds / real.processor_seconds, 3),
        "kinds_mib": {kind: round(size / 2**20) for kind, size in vars(need).items()},
    }


def table(found: dict[str, Any]) -> str:
    """The cases as a table: estimated and measured, and by how much the former is off."""
    lines = [
        "| student | trained | memory, MiB: estimated | measured | off | time, s: estimated | measured | off |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name, case in found["cases"].items():
        model = CASES[name][0]
        memory, seconds = case["memory_mib"], case["seconds"]
        way = WORDS[name.removeprefix(f"{model}_")]
        off = [f"{100 * (case[f'{kind}_ratio'] - 1):+.0f} %" for kind in ("memory", "time")]
        cells = [f"{model}, {case['million_parameters']:.0f} M", way, memory["estimated"], memory["measured"], off[0]]
        cells += [f"{seconds['estimated']:.1f}", f"{seconds['measured_processor']:.1f}", off[1]]
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="*", metavar="CASE", help=f"of {', '.join(CASES)}; default all")
    parser.add_argument("--table", nargs="+", type=Path, metavar="JSON", help="write the table of what was printed")
    parser.add_argument("--steps", type=int, default=5, help="real steps of each case, default 5")
    parser.add_argument("--one", nargs=3, metavar=("CASE", "STUDENT", "DATA"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.table:
        print(table({"cases": {n: c for path in args.table for n, c in json.loads(path.read_text())["cases"].items()}}))
        return
    if args.one:
        print(json.dumps(examine(args.one[0], Path(args.one[1]), Path(args.one[2]), args.steps)))
        return
    unknown = [name for name in args.cases if name not in CASES]
    if unknown:
        parser.error(f"no case {unknown[0]!r}")
    from common import machine
    from helpers.tiny_data import save_tiny_data

    with tempfile.TemporaryDirectory() as scratch:
        data = save_tiny_data(Path(scratch, "data"), photos=PHOTOS, turns=TURNS, size=[SIZE])
        made: dict[str, Path] = {}
        results = {}
        for name in args.cases or CASES:
            model = CASES[name][0]
            folder = made.setdefault(model, Path(scratch, model))
            if not folder.exists():
                student(model, folder)
            command = [sys.executable, __file__, "--steps", str(args.steps), "--one", name, str(folder), str(data)]
            out = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
            results[name] = json.loads(out.splitlines()[-1])
            print(
                f"{name}: memory {results[name]['memory_ratio']}, time {results[name]['time_ratio']}", file=sys.stderr
            )
        settings = {"photos": list(SIZE), "turns": TURNS, "rows": 2, "steps": args.steps, "threads": 1}
        print(json.dumps({"settings": settings, "cases": results, "machine": machine()}, indent=1))


if __name__ == "__main__":
    main()
