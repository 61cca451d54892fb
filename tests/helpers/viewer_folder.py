"""A data folder with all that a page of questions may meet: hostile text, drawings, no focal length, a failed photo."""

from __future__ import annotations

import json

import numpy as np
import pyarrow.parquet as pq

from helpers.golden_folder import write_folder
from pseudogd.stages.annotate import annotate
from pseudogd.stages.label import label
from pseudogd.stages.synth import synth
from pseudogd.store import schemas, shards
from pseudogd.store.codec import decode_depth, encode_confidence
from pseudogd.store.dataset import Store

EVIL = "</script><script>window.pwned = 1</script><img src=x onerror=\"window.pwned = 2\"> 'chair' & \u202eمرحبا"
REPLY = [{"type": "text", "text": "First this, then that."}]
LONG = "word " * 2000 + "x" * 3000
DRAWN = [
    {"kind": "point", "in": "picture", "at": [40, 60], "label": "here"},
    {"kind": "arrow", "in": "ground", "from": [0, 3], "to": [1, 4], "tone": "right", "label": EVIL},
    {"kind": "box", "in": "ground", "at": [0, 4], "size": [1, 2], "yaw": 30},
    {"kind": "volcano", "at": [1, 2]},
]


def question(row, number, **evidence):
    """A question of another task on the photo of ``row``, with this evidence."""
    words = {"form": "novel.form", "format": "open", "question": "What is drawn?", "formula": "none", **evidence}
    return row | {
        "question_id": f"{row['image_id'][:16]}-9{number:02d}",
        "task": "novel",
        "kind": "bearing",
        "frame": "gravity",
        "text": words["question"],
        "answer": "An answer",
        "options": None,
        "answer_index": None,
        "value": None,
        "unit": None,
        "margin": None,
        "stability": 0.25 * number,
        "evidence": json.dumps(words),
        "messages": json.dumps([{"role": "assistant", "content": REPLY}]),
    }


def write_data(root):
    """``root``/data of four photos, of which the third has no focal length and the fourth no depth."""
    photos = write_folder(root / "photos", 4, side=96)
    (photos / "depth" / "3.png").unlink()
    cameras = json.loads((photos / "cameras.json").read_text())
    cameras["2"] = None
    (photos / "cameras.json").write_text(json.dumps(cameras))
    data = root / "data"
    label(photos, f"files:{photos / 'depth'}", data, photos / "cameras.json", quiet=True)
    annotate(data, f"coco:{photos / 'annotations.json'}", quiet=True)
    rename(data, {"red card": EVIL, "blue card": "a " + "very " * 30 + "long card"})
    synth(data, quiet=True)
    add(data, [{"draw": DRAWN, "odd": {"nested": [1, {"deep": EVIL}]}}, {"question": LONG}, {"question": EVIL}])
    return data


def rename(data, names):
    """Other names in the objects stage; `annotate` itself does not take such names from COCO files."""
    path = shards.shard_paths(data / "objects")[0]
    rows = [{"image_id": name, "objects": Store(data).objects(name)} for name in Store(data).geometry_ids()]
    for row in rows:
        for thing in row["objects"]:
            thing["name"] = names.get(thing["name"], thing["name"])
    write(path, "objects", rows)


def write(path, stage, rows):
    table = schemas.to_table(stage, rows)
    shards.write_shard(path, table, shards.shard_digest(path), shards.shard_failures(path), row_group_size=32)


def add(data, evidences):
    """Questions with these evidences on the first photo."""
    path = shards.shard_paths(data / "questions")[0]
    rows = Store(data).questions().to_pylist()
    rows += [question(rows[0], k, **evidence) for k, evidence in enumerate(evidences, 1)]
    write(path, "questions", rows)


def rescale(data, scales):
    """Say of the photos, in their order, that their depth is of these scales, with a confidence that grows downward."""
    path = shards.shard_paths(data / "geometry")[0]
    rows = pq.read_table(path).to_pylist()
    for row, scale in zip(rows, scales):
        height, width = decode_depth(row["depth"]).shape
        row["scale"] = scale
        row["confidence"] = encode_confidence(np.repeat(np.linspace(0, 1, height)[:, None], width, axis=1))
    table, digest, failed = schemas.to_table("geometry", rows), shards.shard_digest(path), shards.shard_failures(path)
    shards.write_shard(path, table, digest, failed, row_group_size=4, raw=schemas.RAW_COLUMNS["geometry"])
    return data
