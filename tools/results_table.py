"""The tables of docs/results.md, from finished demo runs of different seeds.

    python tools/results_table.py runs/demo runs/demo1 runs/demo2

Folders without a `report.json` that hold `vqa_only/eval/world` and `joint/eval/world` (evaluated again, on more items)
give the table over seeds alone.

The interval of the mean over seeds comes from a bootstrap that draws pictures and seeds anew, each with replacement:
all runs answer the same items, so a picture is drawn for all of them together.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

ARMS = {"base": "base", "vqa_only": "VQA only", "joint": "joint"}
SUB_TASKS = ("overall", "Egocentric", "Geometric_Reasoning", "Hypothetical", "Localization")
DRAWS = 4000


def percent(x: float) -> str:
    return f"{100 * x:.1f}"


def interval(low: float, high: float, sign: str = "") -> str:
    return f"[{100 * low:{sign}.1f}, {100 * high:{sign}.1f}]"


def table(header: list[str], rows: list[list[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def arms_table(report: dict) -> str:
    rows = []
    for name in SUB_TASKS:
        arms = [report["arms"][arm] for arm in ARMS]
        cells = [f"{percent(a['accuracy'][name])} {interval(*a['ci95'][name])}" for a in arms]
        gain = report["joint_minus_vqa_only"][name]
        change = f"{100 * gain['delta']:+.1f} {interval(*gain['ci95'], sign='+')}"
        rows.append([name.replace("_", " "), str(arms[0]["n"][name]), *cells, change, f"{gain['p']:.3f}"])
    return table(["", "n", *ARMS.values(), "joint − VQA only", "p"], rows)


def probe_table(report: dict) -> str:
    probes = {**{ARMS[arm]: report["depth_probe"][arm] for arm in ARMS}}
    if place := report["depth_probe"]["base"].get("place_only"):
        probes["place in the picture alone"] = place
    teacher = report["teacher"]
    probes["the teacher itself (told the focal length)"] = {
        "known_focal": teacher,
        "abs_rel_aligned": teacher["aligned"]["abs_rel"],
    }
    rows = []
    for name, probe in probes.items():
        told = probe.get("known_focal") or {}
        found = (probe.get("abs_rel"), probe.get("delta1"), told.get("abs_rel"), told.get("delta1"))
        rows.append([name, *("" if x is None else f"{x:.3f}" for x in (*found, probe["abs_rel_aligned"]))])
    head = ["depth on held-out rooms", "AbsRel", "δ1", "AbsRel, focal length known", "δ1 then", "AbsRel, scale aligned"]
    return table(head, rows)


def seconds_table(report: dict) -> str:
    return table(["stage", "seconds"], [[name, f"{value:.0f}"] for name, value in report["seconds"].items()])


def gains(run: Path) -> dict[str, tuple[str, str, float]]:
    """uid -> (picture, sub-task, right with joint - right with VQA only)."""

    def read(arm: str) -> dict:
        (path,) = (run / arm / "eval").glob("world*/items.parquet")
        return {row["uid"]: row for row in pq.read_table(path).to_pylist()}

    plain, joint = read("vqa_only"), read("joint")
    return {
        uid: (row["image_id"], row["sub_task_type"], float(joint[uid]["correct"]) - float(row["correct"]))
        for uid, row in plain.items()
    }


def seed_of(run: Path) -> str:
    report = run / "report.json"
    return f"seed {json.loads(report.read_text())['seed']}" if report.is_file() else run.name


def seeds_table(runs: list[Path]) -> str:
    found = [gains(run) for run in runs]
    uids = sorted(found[0])
    assert all(sorted(f) == uids for f in found), "the runs answered different items"
    pictures = np.unique([found[0][uid][0] for uid in uids], return_inverse=True)[1]
    delta = np.array([[f[uid][2] for uid in uids] for f in found])  # (seeds, items)
    rng = np.random.default_rng(0)
    weights = rng.multinomial(pictures.max() + 1, [1 / (pictures.max() + 1)] * (pictures.max() + 1), size=DRAWS)
    seeds = rng.integers(len(runs), size=(DRAWS, len(runs)))
    rows = []
    for name in SUB_TASKS:
        chosen = np.array([name in ("overall", found[0][uid][1]) for uid in uids])
        per_item = weights[:, pictures[chosen]]  # (draws, items)
        per_seed = per_item @ delta[:, chosen].T / per_item.sum(1, keepdims=True)  # (draws, seeds)
        drawn = np.take_along_axis(per_seed, seeds, 1).mean(1)
        each = delta[:, chosen].mean(1)
        low, high = np.quantile(drawn, [0.025, 0.975])
        mean = f"**{100 * each.mean():+.1f}** {interval(low, high, sign='+')}"
        rows.append([name.replace("_", " "), *(f"{100 * e:+.1f}" for e in each), mean])
    names = [seed_of(run) for run in runs]
    return table(["joint − VQA only", *names, "mean"], rows)


def main() -> None:
    runs = [Path(path) for path in sys.argv[1:]]
    if not (runs[0] / "report.json").is_file():
        print(seeds_table(runs))
        return
    report = json.loads((runs[0] / "report.json").read_text())
    parts = [arms_table(report), probe_table(report), seconds_table(report)]
    if len(runs) > 1:
        parts.insert(0, seeds_table(runs))
    print("\n\n".join(parts))


if __name__ == "__main__":
    main()
