"""The formats, one class each: photos with their questions come in one after the other, and nothing piles up."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Protocol, TextIO

import pyarrow as pa
import pyarrow.parquet as pq

from pseudogd.stages.packing.pictures import Pictures

Row = Mapping[str, Any]
ROWS_PER_GROUP = 100
BYTES_PER_FILE = 400 << 20
BYTES_HELD = 64 << 20
FACTS = ("question_id", "task", "kind", "frame", "value", "unit", "margin", "stability", "options", "answer_index")
TASK_TYPES = {"hypothetical": "Perspective_Taking", "direction": "Perspective_Taking"}
"""Which of OmniSpatial's four task types a task belongs to; the others are of Spatial_Interaction."""


class Format(Protocol):
    """Writes into the folder `root`. ``files``: split -> pattern of its files, for the card.

    `add` takes questions that show one picture, whose id is the photo's ``file_id``.
    """

    files: dict[str, str]

    def add(self, split: str, photo: Row, path: Path, questions: Sequence[Row]) -> int: ...
    def close(self) -> None: ...


def conversation(questions: Sequence[Row]) -> list[dict[str, Any]]:
    """Messages of several questions of one photo, which stands before the first."""
    found: list[dict[str, Any]] = []
    for row in questions:
        first = not found
        for message in json.loads(row["messages"]):
            parts = [part for part in message["content"] if first or part["type"] != "image"]
            found.append({"role": message["role"], "content": parts})
    return found


def facts(row: Row) -> dict[str, Any]:
    """What is known of a question besides its words, without the empty columns."""
    return {name: row[name] for name in FACTS if row[name] is not None}


class _Lines:
    """Text files, one a split, that are opened when they are first needed."""

    def __init__(self, root: Path) -> None:
        self.root, self._open, self._stack = root, {}, ExitStack()  # type: ignore[var-annotated]

    def of(self, name: str, begin: str = "") -> tuple[TextIO, bool]:
        """The file, and whether this is its first use."""
        if new := name not in self._open:
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            self._open[name] = self._stack.enter_context(path.open("w", encoding="utf-8", newline="\n"))
            self._open[name].write(begin)
        return self._open[name], new

    def close(self, end: str = "") -> None:
        for file in self._open.values():
            file.write(end)
        self._stack.close()


class Messages:
    """SPLIT.jsonl: {id, images, messages, questions}, as TRL and this package's `data.general` read it."""

    def __init__(self, root: Path, pictures: Pictures, turns: int, evidence: bool) -> None:
        self.root, self.pictures, self.turns, self.evidence = root, pictures, turns, evidence
        self.files: dict[str, str] = {}
        self._lines = _Lines(root)

    def add(self, split: str, photo: Row, path: Path, questions: Sequence[Row]) -> int:
        name = self.pictures.put(path, photo["file_id"], self.root)
        self.files[split] = f"{split}.jsonl"
        file, _ = self._lines.of(f"{split}.jsonl")
        parts = list(_parts(questions, self.turns))
        for part in parts:
            row = {"id": part[0]["question_id"], "images": [name], "messages": conversation(part)}
            row["questions"] = [_told(each, self.evidence) for each in part]
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
        return len(parts)

    def close(self) -> None:
        self._lines.close()


class Llava:
    """SPLIT.json: a list of {id, image, conversations}, "<image>" before the first question."""

    def __init__(self, root: Path, pictures: Pictures, turns: int, evidence: bool) -> None:
        self.root, self.pictures, self.turns = root, pictures, turns
        self.files: dict[str, str] = {}
        self._lines = _Lines(root)

    def add(self, split: str, photo: Row, path: Path, questions: Sequence[Row]) -> int:
        name = self.pictures.put(path, photo["file_id"], self.root)
        self.files[split] = f"{split}.json"
        parts = list(_parts(questions, self.turns))
        for part in parts:
            turns = [
                {"from": "human" if message["role"] == "user" else "gpt", "value": _llava_text(message["content"])}
                for message in conversation(part)
            ]
            row = {"id": part[0]["question_id"], "image": name, "conversations": turns}
            file, first = self._lines.of(f"{split}.json", "[\n")
            file.write(("" if first else ",\n") + json.dumps(row, ensure_ascii=False))
        return len(parts)

    def close(self) -> None:
        self._lines.close("\n]\n")


class OmniSpatial:
    """SPLIT/data.json and SPLIT/<task_type>/<image>.png, as `pseudogd eval` and OmniSpatial's own scripts read it.

    Of the questions only those with options. `id` is IMAGE_NUMBER.
    """

    def __init__(self, root: Path, pictures: Pictures, turns: int, evidence: bool) -> None:
        self.root, self.pictures = root, pictures
        self.files: dict[str, str] = {}
        self._lines = _Lines(root)

    def add(self, split: str, photo: Row, path: Path, questions: Sequence[Row]) -> int:
        offered = [row for row in questions if row["options"] is not None]
        image = photo["file_id"][:24]
        for number, row in enumerate(offered):
            kind = TASK_TYPES.get(row["task"], "Spatial_Interaction")
            target = self.root / split / kind / f"{image}.png"
            if not target.exists():
                self.pictures.put_png(path, target)
            told = {
                "id": f"{image}_{number}",
                "question": row["text"].rsplit("\n", len(row["options"]))[0],
                "options": row["options"],
                "answer": row["answer_index"],
                "gt": row["options"][row["answer_index"]],
                "task_type": kind,
                "sub_task_type": row["task"],
                "question_id": row["question_id"],
            }
            self.files[split] = f"{split}/data.json"
            file, first = self._lines.of(f"{split}/data.json", "[\n")
            file.write(("" if first else ",\n") + json.dumps(told, ensure_ascii=False))
        return len(offered)

    def close(self) -> None:
        self._lines.close("\n]\n")


_TEXT = pa.string()
_PART = pa.struct([("type", _TEXT), ("text", _TEXT)])
_STRUCT = [("bytes", pa.binary()), ("path", _TEXT)]
_COLUMNS = [
    ("id", _TEXT),
    ("image_id", _TEXT),
    ("images", pa.list_(pa.struct(_STRUCT))),
    ("messages", pa.list_(pa.struct([("role", _TEXT), ("content", pa.list_(_PART))]))),
    ("tasks", pa.list_(_TEXT)),
    ("questions", _TEXT),
]
_VALUE = {"dtype": "string", "_type": "Value"}
_FEATURES = {
    "id": _VALUE,
    "image_id": _VALUE,
    "images": [{"_type": "Image"}],
    "messages": [{"role": _VALUE, "content": [{"type": _VALUE, "text": _VALUE}]}],
    "tasks": [_VALUE],
    "questions": _VALUE,
}
SCHEMA = pa.schema(_COLUMNS, metadata={"huggingface": json.dumps({"info": {"features": _FEATURES}})})
"""What `datasets` looks for to know that `images` are pictures."""


class Parquet:
    """data/SPLIT-00000.parquet with the pictures' bytes in column `images`, as `datasets.load_dataset` reads it."""

    def __init__(self, root: Path, pictures: Pictures, turns: int, evidence: bool) -> None:
        self.root, self.pictures, self.turns, self.evidence = root, pictures, turns, evidence
        self.files: dict[str, str] = {}
        self._held: dict[str, list[dict[str, Any]]] = {}
        self._writers: dict[str, pq.ParquetWriter] = {}
        self._count: dict[str, int] = {}
        self._bytes: dict[str, int] = {}

    def add(self, split: str, photo: Row, path: Path, questions: Sequence[Row]) -> int:
        self.files[split] = f"data/{split}-*.parquet"
        data, name = self.pictures.bytes_of(path, photo["file_id"])
        parts = list(_parts(questions, self.turns))
        held = self._held.setdefault(split, [])
        for part in parts:
            row = {"id": part[0]["question_id"], "image_id": photo["image_id"], "messages": conversation(part)}
            row |= {"images": [{"bytes": data, "path": name}], "tasks": [each["task"] for each in part]}
            row["questions"] = json.dumps([_told(each, self.evidence) for each in part], ensure_ascii=False)
            held.append(row)
            self._bytes[split] = self._bytes.get(split, 0) + len(data)
            if len(held) == ROWS_PER_GROUP or len(held) * len(data) > BYTES_HELD:
                self._write(split)
                held = self._held[split]
        return len(parts)

    def close(self) -> None:
        for split in list(self._held):
            self._write(split)
        for writer in self._writers.values():
            writer.close()

    def _write(self, split: str) -> None:
        if not self._held[split]:
            return
        writer = self._writers.get(split)
        if writer is None:
            number = self._count.get(split, 0)
            self._count[split] = number + 1
            target = self.root / "data" / f"{split}-{number:05d}.parquet"
            target.parent.mkdir(exist_ok=True)
            writer = self._writers[split] = pq.ParquetWriter(target, SCHEMA, compression="zstd")
        writer.write_table(pa.Table.from_pylist(self._held[split], schema=SCHEMA))
        self._held[split] = []
        if self._bytes[split] >= BYTES_PER_FILE:
            self._bytes[split] = 0
            self._writers.pop(split).close()


FORMATS: dict[str, type[Messages] | type[Llava] | type[OmniSpatial] | type[Parquet]] = {
    "messages": Messages,
    "llava": Llava,
    "omnispatial": OmniSpatial,
    "parquet": Parquet,
}


def _parts(questions: Sequence[Row], turns: int) -> Iterator[Sequence[Row]]:
    step = turns or len(questions)
    return (questions[start : start + step] for start in range(0, len(questions), step))


def _told(row: Row, evidence: bool) -> dict[str, Any]:
    return {**facts(row), "evidence": json.loads(row["evidence"])} if evidence else facts(row)


def _llava_text(parts: Sequence[Mapping[str, Any]]) -> str:
    text = "".join(part["text"] for part in parts if part["type"] == "text").replace("<image>", "< image >")
    return f"<image>\n{text}" if any(part["type"] == "image" for part in parts) else text
