"""Verbs that ask a model: a checkpoint, a run's own, or one behind a server."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pseudogd.api.paths import PathLike
from pseudogd.errors import InputError

if TYPE_CHECKING:
    from pseudogd.benchmarks.backends.chat_server import ChatServer


def evaluate(
    model: Any,
    bench: Any = "world",
    out: PathLike | None = None,
    *,
    split: str = "test",
    items: int | None = None,
    limit: int | None = None,
    prompt: str | None = None,
    prompt_file: PathLike | None = None,
    max_new_tokens: int | None = None,
    batch_size: int = 64,
    precision: str = "fp32",
    device: str | None = None,
    url: str | None = None,
    api_key: str | None = None,
    timeout: float = 120.0,
    overwrite: bool = False,
    quiet: bool = False,
) -> dict[str, Any]:
    """A model's answers to a bench, scored: `pseudogd.benchmarks.runner.evaluate`.

    `model` may be a run folder. `out` is by default that run, or `runs/NAME` for another checkpoint. `split` and
    `items` say which world bench is built (``dev`` to choose settings by, ``test`` to report). With `url` (and
    `api_key`, `timeout`) an OpenAI-compatible server is asked, and `model` is the name that it serves the model under.
    """
    from pseudogd.benchmarks.runner import evaluate as run
    from pseudogd.benchmarks.world_bench import WorldBench

    world = WorldBench(split=split) if items is None else WorldBench(split=split, items=items)
    if url is None:
        asked = _checkpoint(model)
    else:
        from pseudogd.benchmarks.backends.served import ServedBackend

        asked = ServedBackend(_server(model, url, api_key, timeout, precision, device))
    return run(
        asked,
        bench,
        _evaluated(model) if out is None else out,
        world=world,
        limit=limit,
        prompt=prompt,
        prompt_file=prompt_file,
        max_new_tokens=max_new_tokens,
        batch_size=batch_size,
        precision=precision,
        device=device,
        overwrite=overwrite,
        quiet=quiet,
    )


def ask(
    model: Any,
    image: PathLike,
    question: str,
    *,
    max_new_tokens: int = 64,
    precision: str = "fp32",
    device: str | None = None,
    url: str | None = None,
    api_key: str | None = None,
    timeout: float = 120.0,
) -> str:
    """A model's greedy answer to a question about a picture. `model` may be a run folder.

    With `url` an OpenAI-compatible server (transformers serve, vLLM and others) is asked instead, and `model` is the
    name that it serves the model under; None leaves the choice to the server.

    Args:
        model: checkpoint folder, hub id, run folder or model in memory; with `url` a name or None.
        image: a photo.
        question: what to ask.
        max_new_tokens: longest answer, in tokens.
        precision, device: of a model on this machine.
        url: such as ``http://localhost:8000``.
        api_key: of the server; None takes the environment variable PSEUDOGD_API_KEY, if it is set.
        timeout: seconds for the server's answer.

    Raises:
        InputError: no such model or photo; no server, or one that refuses or does not speak the protocol.
    """
    if url is not None:
        answer = _server(model, url, api_key, timeout, precision, device).reply(image, question, max_new_tokens)
        if answer is None:
            raise InputError(f"{url}: the model has said nothing in {max_new_tokens} tokens; raise --max-new-tokens")
        return answer
    if api_key is not None:
        raise InputError("an API key goes with the address of a server; give --url too")
    from pseudogd.student.ask import generate_answers
    from pseudogd.student.load import load_student

    student = load_student(_checkpoint(model), device=device)
    return generate_answers(student, [(Path(image), question)], max_new_tokens, precision=precision)[0]


def _server(
    model: Any, url: str, api_key: str | None, timeout: float, precision: str, device: str | None
) -> ChatServer:
    from pseudogd.benchmarks.backends.chat_server import ChatServer

    if precision != "fp32" or device is not None:
        raise InputError(f"{url}: precision and device are the server's own affair; leave them out")
    return ChatServer(url, None if model is None else str(model), api_key, timeout)


def _checkpoint(model: Any) -> Any:
    """The checkpoint of a run folder; a checkpoint folder, a hub id or a model in memory as it is."""
    if not isinstance(model, (str, os.PathLike)):
        return model
    folder = Path(model)
    if (folder / "model" / "config.json").is_file():
        return folder / "model"
    is_id = not folder.exists() and len(folder.parts) == 2 and not str(model).startswith((".", "/", "~"))
    if not (is_id or (folder / "config.json").is_file()):
        raise InputError(f"{model}: no model here; give a checkpoint folder, a finished run, or a hub id owner/name")
    return model


def _evaluated(model: Any) -> Path:
    """Where a model's evaluation goes: into its run, or to runs/NAME."""
    if not isinstance(model, (str, os.PathLike)):
        raise InputError("say with out= where the evaluation of a model that is no folder goes")
    folder = Path(model)
    for run in (folder, folder.parent):
        if (run / "recipe.yaml").is_file() and (run / "model").is_dir():
            return run
    return Path("runs") / (folder.resolve().name if folder.is_dir() else folder.name)
