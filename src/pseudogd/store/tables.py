"""Columns of shards, also of shards that were written before a column was."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from pseudogd.store import schemas


def read_columns(path: Path, columns: Sequence[str]) -> pa.Table:
    """Columns of one shard, without the shard's footer."""
    return pq.read_table(path, columns=list(columns), use_threads=False).replace_schema_metadata(None)


def read_stage(path: Path, stage: str, columns: Sequence[str]) -> pa.Table:
    """As `read_columns`, with nulls for those of the stage's `OPTIONAL` columns that this shard lacks."""
    optional = schemas.OPTIONAL[stage].intersection(columns)
    lacking = optional.difference(pq.read_schema(path).names) if optional else frozenset()
    table = read_columns(path, [name for name in columns if name not in lacking])
    for name in sorted(lacking):
        field = schemas.SCHEMAS[stage].field(name)
        table = table.append_column(field, pa.nulls(len(table), field.type))
    return table.select(list(columns))
