"""Run folders with made-up answers, in the layout that evaluation and training write. For tests of the report alone."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from pseudogd.reports.pictures import save_panel

SUB_TASKS = ("Egocentric", "Allocentric", "Hypothetical", "Localization", "Geometric_Reasoning")
ACCURACY = {"base": 0.35, "vqa_only": 0.60, "joint": 0.72}


def room(rng: np.random.Generator, size: int = 96) -> tuple[np.ndarray, np.ndarray]:
    """A photo-like picture (size, size, 3) and a depth map (size, size): a floor that recedes, a wall, a block."""
    row = np.linspace(0, 1, size)[:, None] * np.ones((1, size))
    depth = np.where(row > 0.5, 1.2 / np.maximum(row - 0.42, 0.08), 6.0).astype(np.float32)
    x, y = rng.integers(10, size - 40, 2)
    depth[y : y + 30, x : x + 24] = rng.uniform(1.5, 4)
    photo = np.stack([200 - 20 * depth, 180 - 15 * depth, 160 - 8 * depth], axis=-1)
    photo[y : y + 30, x : x + 24] = rng.integers(60, 220, 3)
    return np.clip(photo, 0, 255).astype(np.uint8), depth


def items(folder: Path, arm: str, count: int, question: str) -> None:
    """Answers that are right as often as ``ACCURACY`` says; the items are the same for every arm."""
    truth, replies = np.random.default_rng(1), np.random.default_rng(sorted(ACCURACY).index(arm))
    rows = []
    for index in range(count):
        answer = int(truth.integers(4))
        predicted = answer if replies.random() < ACCURACY[arm] else int(replies.integers(4))
        rows.append(
            {
                "uid": f"Perspective_Taking/{index // 4}_{index % 4}",
                "question": question,
                "options": ["1.2 m", "2.4 m", "3.1 m", "4.8 m"],
                "answer": answer,
                "predicted": None if index == 7 else predicted,
                "correct": index != 7 and predicted == answer,
                "task_type": "Perspective_Taking",
                "sub_task_type": SUB_TASKS[index % len(SUB_TASKS)],
                "image": f"Perspective_Taking/{index // 4}.png",
                "image_id": f"{index // 4:064x}",
                "reply": "ABCD"[predicted],
            }
        )
    target = folder / "eval" / "world"
    target.mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist(rows), target / "items.parquet")
    (target / "summary.json").write_text(json.dumps({"baselines": {"random": {"overall": 0.25}}}))


def training(folder: Path, geometry: bool) -> None:
    steps = np.arange(10, 610, 10)
    noise = np.random.default_rng(2).normal(0, 0.05, len(steps))
    rows = [
        {"step": int(step), "lm_loss": 2.2 * np.exp(-step / 220) + 0.3 + n}
        | ({"geometry_loss": 1.5 * np.exp(-step / 150) + 0.2 + n / 2} if geometry else {})
        for step, n in zip(steps, noise)
    ]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "recipe.yaml").write_text(f"arm: {folder.name}\nsteps: 600\nseed: 0\n")


def runs(root: Path, count: int = 240, question: str = "How far is the red chair from the table?") -> Path:
    """``root/{base,vqa_only,joint}`` with measures and pictures."""
    rng = np.random.default_rng(0)
    pictures = root / "bench" / "rooms" / "Perspective_Taking"
    pictures.mkdir(parents=True)
    (root / "bench" / "rooms" / "bench.json").write_text(json.dumps({"name": "world"}))
    for index in range(-(-count // 4)):
        Image.fromarray(room(rng)[0]).save(pictures / f"{index}.png")
    for index in range(3):
        photo, depth = room(rng)
        coarse = depth[4::8, 4::8]
        blur = {"base": np.full_like(coarse, 3.0), "joint": coarse * 1.1}
        save_panel(root / "panels" / f"{index}.npz", photo, {"true": depth, "teacher": depth * 1.05, **blur})
    for arm in ACCURACY:
        items(root / arm, arm, count, question)
    training(root / "vqa_only", geometry=False)
    training(root / "joint", geometry=True)
    measures = {
        "title": "Photos in, a spatially better model out",
        "seed": 0,
        "seconds": {
            "render": 42.1,
            "label": 12.4,
            "synth": 8.0,
            "train_vqa_only": 151.2,
            "train_joint": 190.5,
            "total": 404.2,
        },
        "teacher": {"abs_rel": 0.123, "delta1": 0.86},
        "depth_probe": {
            "base": {"abs_rel": 0.41, "delta1": 0.44},
            "vqa_only": {"abs_rel": 0.36, "delta1": 0.49},
            "joint": {"abs_rel": 0.17, "delta1": 0.77},
        },
        "export": {"max_abs_logit_diff": 0.0},
        "notes": ["The pictures are simulated rooms."],
    }
    (root / "measures.json").write_text(json.dumps(measures))
    return root
