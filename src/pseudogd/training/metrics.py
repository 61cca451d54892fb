"""metrics.jsonl: one line of numbers every few steps; lines of steps that a killed run lost are taken back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pseudogd.store.shards import write_atomic


class MetricsLog:
    """Appends rows to a JSON-lines file; with `writes` False it only reads (ranks but the first)."""

    def __init__(self, path: Path, writes: bool = True):
        self.path, self.writes = path, writes

    def append(self, row: dict[str, Any]) -> None:
        """Add one row; nan and inf become null, so that every reader of JSON can read it."""
        if not self.writes:
            return
        clean = {k: _finite(v) for k, v in row.items()}
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(clean, allow_nan=False) + "\n")

    def rewind(self, step: int) -> None:
        """Keep rows up to `step` alone. A line that was cut short by a kill is dropped."""
        if not self.writes:
            return
        kept = [row for row in self.rows() if row["step"] <= step]
        write_atomic(self.path, "".join(json.dumps(row) + "\n" for row in kept).encode())

    def rows(self) -> list[dict[str, Any]]:
        """All whole rows."""
        if not self.path.exists():
            return []
        rows = []
        for line in self.path.read_text(encoding="utf-8").splitlines():
            try:
                rows.append(json.loads(line))
            except ValueError:
                continue  # only a kill in the middle of a write leaves such a line, and its step is trained again
        return rows


def flat(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row as loggers such as TensorBoard take it: {"lr": {"tower": 1e-5}} becomes {"lr/tower": 1e-5}."""
    found: dict[str, Any] = {}
    for name, value in row.items():
        found |= {f"{name}/{k}": v for k, v in value.items()} if isinstance(value, Mapping) else {name: value}
    return found


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _finite(v) for k, v in value.items()}
    if isinstance(value, float) and value - value != 0:
        return None
    return value
