"""A few conversations about nothing in particular: text alone, one picture, two pictures, several turns.

path = save_tiny_general(tmp_path, "jsonl")     # pictures beside it
path = save_tiny_general(tmp_path, "parquet")   # pictures inside, as the datasets library writes them
"""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
from PIL import Image

SIZES = [(64, 64), (90, 50), (40, 72)]
IMAGE = {"type": "image"}


def text(words: str) -> dict[str, str]:
    return {"type": "text", "text": words}


def said(role: str, *parts) -> dict:
    """One message; a lone string stays a string."""
    content = parts[0] if len(parts) == 1 and isinstance(parts[0], str) else list(parts)
    return {"role": role, "content": content}


ROWS = [
    ([said("user", "what is red ?"), said("assistant", "the chair")], 0),
    ([said("user", IMAGE, text("what is it ?")), said("assistant", text("a lamp"))], 1),
    ([said("user", IMAGE, IMAGE, text("which is larger ?")), said("assistant", "B")], 2),
    (
        [
            said("user", text("is it"), IMAGE, text("blue ?")),
            said("assistant", "yes"),
            said("user", "and the ball ?"),
            said("assistant", "no . it is red"),
        ],
        1,
    ),
    (
        [
            said("user", IMAGE, text("what colour ?")),
            said("assistant", "green"),
            said("user", text("and"), IMAGE, text("?")),
            said("assistant", "white and black"),
        ],
        2,
    ),
]
"""(messages, number of pictures) of every row."""


def picture(row: int, number: int) -> Image.Image:
    """Picture `number` of row `row`: noise of its own."""
    width, height = SIZES[(row + number) % len(SIZES)]
    return Image.fromarray(np.random.default_rng([row, number]).integers(0, 255, (height, width, 3), dtype=np.uint8))


def png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def save_tiny_general(folder: str | Path, kind: str = "jsonl", rows=ROWS, group: int = 2) -> Path:
    """Write rows to FOLDER/general.jsonl with FOLDER/pictures, or to FOLDER/general.parquet; returns the file."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    if kind == "parquet":
        return save_parquet(folder / "general.parquet", rows, group)
    (folder / "pictures").mkdir(exist_ok=True)
    lines = []
    for index, (messages, count) in enumerate(rows):
        names = [f"pictures/{index}-{number}.png" for number in range(count)]
        for number, name in enumerate(names):
            picture(index, number).save(folder / name)
        lines.append({"messages": messages, "images": names} if count else {"messages": messages})
    path = folder / "general.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path


def save_parquet(path: Path, rows, group: int = 2) -> Path:
    """Nested columns as `datasets` writes them: parts with all keys, pictures as {bytes, path}."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    part = pa.struct([("type", pa.string()), ("text", pa.string())])
    schema = pa.schema(
        {
            "messages": pa.list_(pa.struct([("role", pa.string()), ("content", pa.list_(part))])),
            "images": pa.list_(pa.struct([("bytes", pa.binary()), ("path", pa.string())])),
        }
    )
    table = [
        {
            "messages": [{"role": m["role"], "content": parts_of(m["content"])} for m in messages],
            "images": [{"bytes": png(picture(index, number)), "path": None} for number in range(count)],
        }
        for index, (messages, count) in enumerate(rows)
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(table, schema=schema), path, row_group_size=group)
    return path


def parts_of(content) -> list[dict]:
    return [text(content)] if isinstance(content, str) else content
