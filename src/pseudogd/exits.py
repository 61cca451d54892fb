"""How a command ends: whatever goes wrong is one line on standard error and an exit code."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import typer

from pseudogd.errors import PseudoGDError

WRONG_USE = 2
INTERNAL_ERROR = 70
INTERRUPTED = 130
_UsageError = typer.BadParameter.__mro__[1]  # newer releases of typer hold click inside and do not hand this on


def run(app: typer.Typer, arguments: Sequence[str]) -> int:
    """Run a command and return its exit code; with ``--debug`` an error goes on to its traceback instead."""
    arguments = list(arguments)
    # What follows a bare -- is somebody's question, not an option.
    debug = "--debug" in arguments[: arguments.index("--") if "--" in arguments else None]
    try:
        code = app(args=arguments, prog_name="pseudogd", standalone_mode=False) or 0
    except BaseException as error:
        if debug and not isinstance(error, (SystemExit, _UsageError)):
            raise
        return explain(error)
    # Typer turns Ctrl-C into a code of its own, and no command returns this one.
    return explain(KeyboardInterrupt()) if code == INTERRUPTED else code


def explain(error: BaseException) -> int:
    """Say an error in one line; returns the exit code."""
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else WRONG_USE
    if isinstance(error, (typer.Abort, KeyboardInterrupt)):
        return fail("interrupted; the same command goes on from here", INTERRUPTED)
    if isinstance(error, PseudoGDError):
        return fail(f"error: {error}", error.exit_code)
    if isinstance(error, _UsageError):
        return _explain_use(error)
    if isinstance(error, BrokenPipeError):
        # The reader went away; what Python writes at exit would fail once more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    if isinstance(error, OSError):
        place = f"{error.filename}: " if error.filename else ""
        return fail(f"error: {place}{error.strerror or error}", WRONG_USE)
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return fail("error: out of memory; use a smaller batch or photo size, or fewer workers", INTERNAL_ERROR)
    first = next(iter(str(error).strip().splitlines()), "no message")
    return fail(f"error: unexpected {type(error).__name__}: {first} (--debug shows where)", INTERNAL_ERROR)


def fail(text: str, code: int) -> int:
    """Print one line on standard error; returns the code."""
    print(" ".join(text.split()), file=sys.stderr, flush=True)
    return code


def _explain_use(error: BaseException) -> int:
    context = getattr(error, "ctx", None)
    if type(error).__name__ == "NoArgsIsHelpError" and context is not None:
        print(context.get_help(), file=sys.stderr)
        return WRONG_USE
    where = context.command_path if context is not None else "pseudogd"
    return fail(f"error: {error.format_message().rstrip('.')} (see {where} --help)", WRONG_USE)
