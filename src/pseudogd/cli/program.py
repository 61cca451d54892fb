"""The program `pseudogd`: its commands, in the order in which its help lists them, and how it starts."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from typing import Annotated

import typer

from pseudogd import __version__
from pseudogd.cli.data import annotate, label, pack, synth
from pseudogd.cli.models import ask, evaluate
from pseudogd.cli.options import Debug
from pseudogd.cli.pages import report, view
from pseudogd.cli.proof import audit, calibrate, selftest, verify
from pseudogd.cli.road import demo
from pseudogd.cli.runs import doctor, export, train
from pseudogd.exits import run

app = typer.Typer(
    help="Teach a vision-language model space: photos in, a spatially better model out.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command and exit: 0 done, 1 done with too many failures, 2 wrong use, 130 interrupted."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    if not sys.stderr.isatty():
        os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    sys.exit(run(app, arguments))


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"pseudogd {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say the version and exit.")
    ] = False,
    debug: Debug = False,
) -> None:
    """Nothing of its own: options that may stand before the command."""


_VERBS: tuple[Callable[..., int | None], ...] = (
    *(demo, label, annotate, calibrate, selftest, synth, audit, verify, pack),
    *(train, doctor, evaluate, export, ask, report, view),
)
for _verb in _VERBS:
    app.command("eval" if _verb is evaluate else None)(_verb)
