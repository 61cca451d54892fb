"""Questions made up for the audit: fair ones, and the same with one flaw."""

from __future__ import annotations

import numpy as np

SIZE = 100
NAMES = ("chair", "lamp", "table", "shelf", "plant", "box", "ball", "sofa")
SIDES = ("left", "right", "in front", "behind")
WORDS = ("Which is closer, the {} or the {}?", "Of the {} and the {}, which is nearer?", "Is it the {} or the {}?")


def sizes(rows):
    return {row["image_id"]: (SIZE, SIZE) for row in rows}


def fair(photos: int = 120, each: int = 4, seed: int = 0) -> list[dict]:
    """Questions whose answers nothing but chance decides: two names by letter, four sides by letter, yes or no."""
    rng = np.random.default_rng(seed)
    rows = []
    for photo in range(photos):
        asked: set[str] = set()
        for turn in range(each):
            while (row := question(rng, f"{photo:03d}{'0' * 13}", turn))["text"].split("\n")[0] in asked:
                pass
            asked.add(row["text"].split("\n")[0])
            rows.append(row)
    return rows


def question(rng: np.random.Generator, image_id: str, turn: int) -> dict:
    a, b, c = (str(name) for name in rng.choice(NAMES, 3, replace=False))
    objects = [thing(rng, name) for name in (a, b)]
    stem = WORDS[int(rng.integers(3))].format(a, b)
    form, options, index = "nearer.pair", None, None
    if turn % 4 == 3:
        stem, answer, form = f"Is the {a} closer than the {b}?", ("yes", "no")[int(rng.integers(2))], "nearer.claim"
    elif turn % 4 == 2:
        stem = f"Standing at the {a}, facing the {b}, where is the {c}?"
        options, form = [str(side) for side in rng.permutation(SIDES)], "hypothetical.facing"
    else:
        options = [a, b] if rng.integers(2) else [b, a]
    if options is not None:
        index = int(rng.integers(len(options)))
        answer = "ABCD"[index]
    return {
        "question_id": f"{image_id}-{turn}",
        "image_id": image_id,
        "task": form.split(".")[0],
        "kind": "ordinal",
        "frame": "camera",
        "text": "\n".join([stem, *(f"{'ABCD'[k]}. {option}" for k, option in enumerate(options or ()))]),
        "answer": answer,
        "options": options,
        "answer_index": index,
        "value": 1.0,
        "unit": "ratio",
        "margin": float(rng.uniform(0.1, 1)),
        "stability": None,
        "evidence": {"form": form, "format": "yesno" if options is None else "mc", "objects": objects},
    }


def thing(rng: np.random.Generator, name: str) -> dict:
    return {"name": name, "role": "other", "bbox": [float(v) for v in rng.uniform(5, 45, 4)]}


def answered(row: dict, index: int) -> dict:
    """The row with another option right."""
    return {**row, "answer_index": index, "answer": "ABCD"[index]}


def with_options(row: dict, options: list[str]) -> dict:
    stem = row["text"].split("\n")[0]
    text = "\n".join([stem, *(f"{'ABCD'[k]}. {option}" for k, option in enumerate(options))])
    return {**row, "options": options, "text": text}
