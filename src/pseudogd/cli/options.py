"""What several commands take: their shared options, and key=value words."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from pseudogd.errors import InputError

Data = Annotated[Path, typer.Argument(metavar="DATA", help="Data folder that `label` made.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress and no summary: errors and answers alone.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show the whole traceback of an error.")]
Workers = Annotated[int, typer.Option(min=1, help="How many hands work at a time; the result is the same.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Delete what is there, made with other settings.")]
NumShards = Annotated[int, typer.Option(min=1, help="So many jobs fill the folder at the same time.")]
Shard = Annotated[int, typer.Option(min=0, help="Which of those jobs this is, from 0.")]
Engine = Annotated[str, typer.Option(help="local, ray, or ray:ADDRESS of a cluster that sees the same folders.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Write nothing; say what it will take (with --quiet as JSON).")]
MaxFailures = Annotated[int, typer.Option(min=0, help="So many photos may fail before the exit code is 1.")]
Seed = Annotated[int, typer.Option(min=0, help="Seed of every random choice.")]
Device = Annotated[str | None, typer.Option(help="cpu, cuda, mps ...; a GPU if there is one.")]
Url = Annotated[
    str | None, typer.Option(help="Ask an OpenAI-compatible server, such as http://localhost:8000; MODEL is its name.")
]
ApiKey = Annotated[str | None, typer.Option(help="Key of the server; better in the environment: PSEUDOGD_API_KEY.")]
Timeout = Annotated[float, typer.Option(help="Seconds to wait for an answer of the server.")]


def pairs(
    texts: Sequence[str] | None, command: Callable[..., Any] | None = None, both: Collection[str] = ()
) -> dict[str, Any]:
    """["a=1", "b.c=2"] -> {"a": 1, "b": {"c": 2}}; values are YAML.

    What is an option of ``command`` is refused, but for those that may be said in both ways.
    """
    import yaml

    options = set(inspect.signature(command).parameters if command else ()) - set(both)

    result: dict[str, Any] = {}
    for text in texts or ():
        key, equals, value = text.partition("=")
        if not (equals and all(part.isidentifier() for part in key.split("."))):
            raise InputError(f"{text!r}: write key=value")
        *parents, leaf = key.split(".")
        if (option := (*parents, leaf)[0]) in options:
            raise InputError(f"{text!r}: {option} is an option; write --{option.replace('_', '-')}, see --help")
        place = result
        for parent in parents:
            place = place.setdefault(parent, {})
            if not isinstance(place, dict):
                raise InputError(f"{text!r}: {parent} has a value of its own already")
        try:
            place[leaf] = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise InputError(f"{text!r}: the value is not YAML; quote it") from error
    return result
