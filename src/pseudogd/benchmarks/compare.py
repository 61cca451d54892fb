"""Two runs over the same items: is the second better?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pseudogd.benchmarks.stats import mcnemar_exact, paired_bootstrap
from pseudogd.errors import InputError

OVERALL = "overall"
_COLUMNS = ["uid", "image_id", "sub_task_type", "question", "answer", "correct"]
Rows = Sequence[Mapping[str, Any]]


def compare(a: str | Path | Rows, b: str | Path | Rows, seed: int = 0) -> dict[str, dict[str, Any]]:
    """b - a on the same items, ``overall`` and per sub-task: {delta, ci95, p, mcnemar_p, n, only_a, only_b}.

    ``a`` and ``b`` are files ``items.parquet``, the folders that hold them, or their rows. ``ci95`` and ``p`` come from
    the paired bootstrap over pictures (items of one picture are drawn together), ``mcnemar_p`` from the exact test,
    which takes items as independent. Raises ``InputError`` unless both hold the same items.
    """
    rows_a, rows_b = (_rows(each) for each in (a, b))
    by_uid = {row["uid"]: row for row in rows_b}
    if len(by_uid) != len(rows_b) or {row["uid"] for row in rows_a} != set(by_uid):
        raise InputError(f"{_label(a)} and {_label(b)} hold different items; evaluate both on the same bench")
    pairs = [(row, by_uid[row["uid"]]) for row in rows_a]
    for one, other in pairs:
        if (one["question"], one["answer"], one["image_id"]) != (other["question"], other["answer"], other["image_id"]):
            raise InputError(f"item {one['uid']} is not the same in {_label(a)} and {_label(b)}; evaluate both again")
    result = {OVERALL: _difference(pairs, seed)}
    for name in sorted({one["sub_task_type"] for one, _ in pairs}):
        result[name] = _difference([pair for pair in pairs if pair[0]["sub_task_type"] == name], seed)
    return result


def _difference(pairs: Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]], seed: int) -> dict[str, Any]:
    right_a, right_b = [one["correct"] for one, _ in pairs], [other["correct"] for _, other in pairs]
    found = paired_bootstrap(right_a, right_b, clusters=[one["image_id"] for one, _ in pairs], seed=seed)
    test = mcnemar_exact(right_a, right_b)
    return {
        "delta": found.delta,
        "ci95": [found.low, found.high],
        "p": found.p,
        "mcnemar_p": test["p"],
        "n": len(pairs),
        "only_a": test["only_a"],
        "only_b": test["only_b"],
    }


def _rows(source: str | Path | Rows) -> list[Mapping[str, Any]]:
    if not isinstance(source, (str, Path)):
        return list(source)
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = Path(source)
    path = path / "items.parquet" if path.is_dir() else path
    try:
        return pq.read_table(path, columns=_COLUMNS).to_pylist()
    except (OSError, pa.ArrowInvalid) as error:
        raise InputError(f"{path}: not an evaluation's items ({error}); run the evaluation again") from error


def _label(source: str | Path | Rows) -> str:
    return str(source) if isinstance(source, (str, Path)) else "the given rows"
