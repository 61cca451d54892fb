"""Commands that ask a model: a checkpoint, a run's own, or one behind a server."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pseudogd.cli.options import ApiKey, Debug, Device, Overwrite, Quiet, Timeout, Url
from pseudogd.cli.summary import say
from pseudogd.errors import InputError


def evaluate(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="Checkpoint folder, hub id, or run folder.")],
    bench: Annotated[
        str, typer.Option(help="world, omnispatial:DIR, or a folder or data.json of that layout.")
    ] = "world",
    out: Annotated[Path | None, typer.Option(help="Run folder; by default the model's own, or runs/NAME.")] = None,
    split: Annotated[str, typer.Option(help="World bench: dev to choose settings by, test to report.")] = "test",
    items: Annotated[int | None, typer.Option(min=1, help="World bench: how many questions.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Ask the first so many questions only.")] = None,
    prompt: Annotated[str | None, typer.Option(help="Prompt to use instead of the bench's own.")] = None,
    prompt_file: Annotated[Path | None, typer.Option(help="File with a system prompt.")] = None,
    max_new_tokens: Annotated[int | None, typer.Option(min=1, help="Longest reply, in tokens.")] = None,
    batch_size: Annotated[int, typer.Option(min=1, help="Questions at a time.")] = 64,
    precision: Annotated[str, typer.Option(help="fp32 or bf16.")] = "fp32",
    device: Device = None,
    url: Url = None,
    api_key: ApiKey = None,
    timeout: Timeout = 120.0,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Ask a model a bench and score it, with 95 % intervals."""
    from pseudogd.api import evaluate as verb

    summary = verb(
        model,
        bench,
        out,
        split=split,
        items=items,
        limit=limit,
        prompt=prompt,
        prompt_file=prompt_file,
        max_new_tokens=max_new_tokens,
        batch_size=batch_size,
        precision=precision,
        device=device,
        url=url,
        api_key=api_key,
        timeout=timeout,
        overwrite=overwrite,
        quiet=quiet,
    )
    width = max(map(len, summary["accuracy"]))
    for name, accuracy in summary["accuracy"].items():
        low, high = summary["ci95"][name]
        line = f"{name:{width}}  {100 * accuracy:5.1f} %  [{100 * low:.1f}, {100 * high:.1f}]  n={summary['n'][name]:,}"
        say(line, quiet)


def ask(
    model: Annotated[
        str,
        typer.Argument(metavar="MODEL", help="Checkpoint folder, hub id, or run folder; with --url the name there."),
    ],
    image: Annotated[Path, typer.Argument(metavar="IMAGE", help="A photo.")],
    question: Annotated[str | None, typer.Argument(metavar="QUESTION", help="What to ask.", show_default=False)] = None,
    max_new_tokens: Annotated[int, typer.Option(min=1, help="Longest answer, in tokens.")] = 64,
    precision: Annotated[str, typer.Option(help="fp32 or bf16.")] = "fp32",
    device: Device = None,
    url: Url = None,
    api_key: ApiKey = None,
    timeout: Timeout = 120.0,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """A model's answer to one question about one photo: MODEL IMAGE QUESTION; with --url IMAGE QUESTION is enough."""
    from pseudogd.api import ask as verb

    named: str | None = model
    if question is None:  # the first word is the photo then
        if url is None:
            raise InputError("ask needs three words: MODEL IMAGE QUESTION (with --url MODEL may be left out)")
        named, image, question = None, Path(model), str(image)
    choices = {"max_new_tokens": max_new_tokens, "precision": precision, "device": device}
    typer.echo(verb(named, image, question, **choices, url=url, api_key=api_key, timeout=timeout))
