"""What a command says in the end: its summary on standard output, unless it is to be quiet."""

from __future__ import annotations

from typing import Any

import typer

from pseudogd.exits import fail


def say(text: str, quiet: bool) -> None:
    """Say a line of the summary, unless quiet."""
    if not quiet:
        typer.echo(text)


def say_stage(result: Any, what: str, quiet: bool) -> int:
    """Say what a stage did, or what a dry run expects; returns its exit code."""
    if hasattr(result, "to_json"):
        typer.echo(result.to_json() if quiet else str(result))
        return 0
    ledger = f"{result.failures:,} failures listed in {result.out / 'failures.parquet'}"
    if result.exit_code:
        return fail(
            f"{result.rows:,} {what}; {ledger}, more than --max-failures {result.max_failures}", result.exit_code
        )
    rest = "" if result.complete else "; other jobs are not done yet"
    say(f"{result.rows:,} {what} in {result.out}" + (f"; {ledger}" if result.failures else "") + rest, quiet)
    return 0
