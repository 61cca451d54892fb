"""Columns of the three stages, as they stand in the Parquet shards."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

SCHEMA_VERSION = 1
STAGES = ("geometry", "objects", "questions")
"""In the order in which they are made: a stage reads those before it."""


def _field(name: str, kind: pa.DataType, nullable: bool = False) -> pa.Field:
    return pa.field(name, kind, nullable=nullable)


_TEXT = pa.string()

SCHEMAS: dict[str, pa.Schema] = {
    "geometry": pa.schema(
        [
            _field("image_id", _TEXT),
            _field("path", _TEXT),
            _field("aliases", pa.list_(_TEXT)),
            _field("width", pa.int32()),
            _field("height", pa.int32()),
            _field("depth", pa.binary()),
            _field("normals", pa.binary(), nullable=True),
            _field("confidence", pa.binary(), nullable=True),
            _field("camera", _TEXT, nullable=True),
            _field("up", _TEXT, nullable=True),
            _field("scale", _TEXT),
            _field("teacher", _TEXT),
            _field("camera_source", _TEXT, nullable=True),
        ]
    ),
    "objects": pa.schema(
        [_field("image_id", _TEXT), _field("objects", _TEXT), _field("unnamed", _TEXT, nullable=True)]
    ),
    "questions": pa.schema(
        [
            _field("question_id", _TEXT),
            _field("image_id", _TEXT),
            _field("path", _TEXT),
            _field("task", _TEXT),
            _field("kind", _TEXT),
            _field("frame", _TEXT),
            _field("text", _TEXT),
            _field("answer", _TEXT),
            _field("options", pa.list_(_TEXT), nullable=True),
            _field("answer_index", pa.int32(), nullable=True),
            _field("value", pa.float64(), nullable=True),
            _field("unit", _TEXT, nullable=True),
            _field("margin", pa.float64(), nullable=True),
            _field("stability", pa.float64(), nullable=True),
            _field("evidence", _TEXT),
            _field("messages", _TEXT),
            _field("picture", _TEXT, nullable=True),
        ]
    ),
}

JSON_COLUMNS: dict[str, frozenset[str]] = {
    "geometry": frozenset({"camera", "up", "teacher"}),
    "objects": frozenset({"objects", "unnamed"}),
    "questions": frozenset({"evidence", "messages"}),
}
"""Columns of JSON text: a row may carry the plain Python value, which is written out here."""

OPTIONAL: dict[str, frozenset[str]] = {
    "geometry": frozenset({"camera_source"}),
    "objects": frozenset({"unnamed"}),
    "questions": frozenset({"picture"}),
}
"""Columns that a shard has only where some row has a value there; without them it is as earlier versions wrote it."""

RAW_COLUMNS: dict[str, tuple[str, ...]] = {"geometry": ("depth", "normals", "confidence")}
"""Columns of bytes that are compressed already."""

ROW_GROUP: dict[str, int] = {"geometry": 4, "objects": 32, "questions": 65536}
"""Rows that are read together: geometry is read one photo at a time, in any order."""

FAILURE_SCHEMA = pa.schema([_field("image", _TEXT), _field("stage", _TEXT), _field("reason", _TEXT)])


def json_text(value: Any) -> str:
    """Compact JSON with the keys in the order given; nan and inf are refused with ValueError."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def to_table(stage: str, rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Rows of a stage as a table of its schema; missing nullable columns become null, `OPTIONAL` ones without any value
    are left out. ValueError names other flaws."""
    schema, texts = SCHEMAS[stage], JSON_COLUMNS[stage]
    names = set(schema.names)
    for row in rows:
        if unknown := set(row) - names:
            raise ValueError(f"rows of {stage} have no column {sorted(unknown)[0]!r}")
    columns, kept = [], []
    for field in schema:
        values = [row.get(field.name) for row in rows]
        if field.name in OPTIONAL[stage] and all(value is None for value in values):
            continue
        if field.name in texts:
            values = [value if value is None or isinstance(value, str) else json_text(value) for value in values]
        if not field.nullable and any(value is None for value in values):
            raise ValueError(f"rows of {stage} need a value in column {field.name!r}")
        kept.append(field)
        columns.append(pa.array(values, type=field.type))
    return pa.table(columns, schema=pa.schema(kept))
