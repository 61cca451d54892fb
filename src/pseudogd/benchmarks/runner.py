"""Run a model over a benchmark: ``OUT/eval/BENCH/{items.parquet,summary.json}``.

Replies are kept in small files as they come, so a run that was killed goes on where it was; what comes out is the same.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pseudogd.benchmarks.backends.base import Backend, Request
from pseudogd.benchmarks.items import Item, find_data_file, load_items, write_json
from pseudogd.benchmarks.prompts import Prompt, get_prompt
from pseudogd.benchmarks.scoring import score, summarise, to_table
from pseudogd.errors import InputError, SettingsMismatch
from pseudogd.progress import track

if TYPE_CHECKING:
    from pseudogd.benchmarks.world_bench import WorldBench

ITEMS_FILE = "items.parquet"
SUMMARY_FILE = "summary.json"
_PARTS = "parts"
_SETTINGS_FILE = "settings.json"


@dataclass(frozen=True)
class Bench:
    """A named set of items, its file, the prompt that is asked unless another is named, and known baselines."""

    name: str
    items: list[Item]
    data_file: Path
    prompt: str
    baselines: dict[str, Any] | None = None


def open_bench(
    spec: str | Path, world: WorldBench | None = None, folder: Path | None = None, quiet: bool = False
) -> Bench:
    """``world`` (built below ``folder`` unless it stands there), ``omnispatial:DIR``, or a folder or ``data.json``.

    A ``bench.json`` beside ``data.json`` may state name, prompt and baselines. Raises ``InputError`` for anything else.
    """
    kind, _, rest = str(spec).partition(":")
    if kind == "omnispatial" and rest:
        data_file = find_data_file(Path(rest))
        return Bench("omnispatial", load_items(data_file), data_file, "manual_cot")
    if str(spec) == "world":
        from pseudogd.benchmarks.world_bench import WorldBench, build_world_bench

        if folder is None:
            raise InputError("bench 'world' needs a folder to build its pictures in")
        world = world or WorldBench()
        source: Path = build_world_bench(folder / world.label, world, quiet=quiet)
    elif Path(spec).exists():
        source = Path(spec)
    else:
        raise InputError(f"bench {str(spec)!r} is not known; give world, omnispatial:DIR, or a folder or data.json")
    data_file = find_data_file(source)
    stated = _stated(data_file.parent / "bench.json")
    name = stated.get("name") or data_file.parent.resolve().name or "bench"
    return Bench(name, load_items(data_file), data_file, stated.get("prompt", "direct"), stated.get("baselines"))


def evaluate(
    model: str | Path | Backend,
    bench: str | Path | Bench,
    out: str | Path,
    *,
    prompt: str | None = None,
    prompt_file: str | Path | None = None,
    max_new_tokens: int | None = None,
    limit: int | None = None,
    world: WorldBench | None = None,
    device: str | None = None,
    precision: str = "fp32",
    batch_size: int = 64,
    shard_size: int = 256,
    overwrite: bool = False,
    quiet: bool = False,
) -> dict[str, Any]:
    """Ask a model every item of a bench, write ``OUT/eval/BENCH/`` and return the summary.

    ``model`` is a checkpoint's folder or hub id, or a backend; ``bench`` as in `open_bench`. ``limit`` asks the first
    items only. ``batch_size`` and ``shard_size`` change the speed, never a reply. A folder that holds results of other
    settings is refused with the names of what differs (``SettingsMismatch``) unless ``overwrite`` is set.
    """
    out = Path(out)
    if not isinstance(bench, Bench):
        bench = open_bench(bench, world, out / "bench", quiet)
    items = bench.items[:limit] if limit else bench.items
    asked = get_prompt(prompt or bench.prompt, prompt_file)
    tokens = max_new_tokens or asked.max_new_tokens
    if not isinstance(model, (str, Path)):
        backend = model
    else:
        from pseudogd.benchmarks.backends.local import LocalBackend

        backend = LocalBackend(model, device=device, precision=precision, batch_size=batch_size)
    folder = out / "eval" / bench.name
    settings = _settings(bench, items, asked, tokens, backend)
    finished = _open_folder(folder, settings, shard_size, overwrite)
    if finished is not None:
        return finished
    image_ids = _image_ids(items)
    requests = [Request(item.image, image_ids[item.image], asked.text(item), tokens) for item in items]
    started = time.perf_counter()
    with track(f"eval {bench.name}", len(requests), unit="items", quiet=quiet) as bar:
        replies = _all_replies(backend, requests, folder / _PARTS, shard_size, bar)
    seconds = time.perf_counter() - started
    return _finish(folder, bench, items, asked, requests, replies, settings, seconds)


def _finish(
    folder: Path,
    bench: Bench,
    items: Sequence[Item],
    asked: Prompt,
    requests: Sequence[Request],
    replies: Sequence[str],
    settings: dict[str, Any],
    seconds: float,
) -> dict[str, Any]:
    from pseudogd.store.shards import parquet_bytes, write_atomic

    rows = [
        score(item, request.text, reply, request.image_id, asked.rule, bench.data_file.parent)
        for item, request, reply in zip(items, requests, replies)
    ]
    write_atomic(folder / ITEMS_FILE, parquet_bytes(to_table(rows)))
    summary = {
        "bench": bench.name,
        **summarise(rows, items, asked.rule, bench.baselines if len(items) == len(bench.items) else None),
        "prompt": asked.describe() | {"example": requests[0].text},
        "settings": settings,
        "seconds": round(seconds, 3),
    }
    # The summary comes last: where it stands, all is there.
    write_json(folder / SUMMARY_FILE, summary)
    shutil.rmtree(folder / _PARTS, ignore_errors=True)
    return summary


def _settings(
    bench: Bench, items: Sequence[Item], prompt: Prompt, max_new_tokens: int, backend: Backend
) -> dict[str, Any]:
    digest = hashlib.sha256(bench.data_file.read_bytes()).hexdigest()
    return {
        "bench": bench.name,
        "bench_sha256": digest,
        "n_items": len(items),
        "prompt": prompt.describe(),
        "parse_rule": prompt.rule,
        "decoding": {"strategy": "greedy", "max_new_tokens": max_new_tokens},
        "model": backend.identity(),
    }


def _open_folder(folder: Path, settings: dict[str, Any], shard_size: int, overwrite: bool) -> dict[str, Any] | None:
    """Make the folder ready; the summary if all is there already. Refuses results of other settings."""
    settings_file, summary_file = folder / _SETTINGS_FILE, folder / SUMMARY_FILE
    if overwrite and folder.exists():
        shutil.rmtree(folder)
    # As JSON reads them back: tuples are lists, so that equal settings compare as equal.
    settings = json.loads(json.dumps(settings))
    if settings_file.is_file():
        there = json.loads(settings_file.read_text(encoding="utf-8"))
        if there["settings"] != settings:
            raise SettingsMismatch(
                f"{folder}: holds results of other settings ({_differences(there['settings'], settings)}); "
                "name another output folder or overwrite"
            )
        if summary_file.is_file() and (folder / ITEMS_FILE).is_file():
            return json.loads(summary_file.read_text(encoding="utf-8"))
        if there["shard_size"] != shard_size:
            shutil.rmtree(folder / _PARTS, ignore_errors=True)
    write_json(settings_file, {"settings": settings, "shard_size": shard_size})
    return None


def _differences(there: Any, here: Any, path: str = "") -> str:
    if isinstance(there, dict) and isinstance(here, dict):
        keys = sorted(key for key in {*there, *here} if there.get(key) != here.get(key))
        return "; ".join(_differences(there.get(key), here.get(key), f"{path}.{key}".lstrip(".")) for key in keys)
    return f"{path}: {_short(there)} there, {_short(here)} now"


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 48 else f"{text[:45]}..."


def _image_ids(items: Sequence[Item]) -> dict[Path, str]:
    from pseudogd.store.photos import photo_id

    return {path: photo_id(path) for path in sorted({item.image for item in items})}


def _all_replies(backend: Backend, requests: Sequence[Request], parts: Path, shard_size: int, bar: Any) -> list[str]:
    """Ask shard by shard; a shard's file appears whole or not at all, and one that is there is not asked again."""
    replies: list[str] = []
    for number, start in enumerate(range(0, len(requests), shard_size)):
        batch = requests[start : start + shard_size]
        path = parts / f"part-{number:05d}.json"
        got = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None
        if not isinstance(got, list) or len(got) != len(batch):
            got = backend.generate(batch)
            write_json(path, got)
        replies += got
        bar.advance(len(batch))
    return replies


def _stated(file: Path) -> dict[str, Any]:
    """What ``bench.json`` says that can be used: a name fit for a folder, a prompt, baselines."""
    if not file.is_file():
        return {}
    try:
        stated = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{file}: not readable as JSON ({error}); build the bench again") from error
    if not isinstance(stated, dict):
        raise InputError(f"{file}: expected an object, found {type(stated).__name__}")
    fit = {
        "name": lambda value: isinstance(value, str) and value.isidentifier(),
        "prompt": lambda value: isinstance(value, str),
        "baselines": lambda value: isinstance(value, dict),
    }
    return {key: stated[key] for key, is_fit in fit.items() if key in stated and is_fit(stated[key])}
