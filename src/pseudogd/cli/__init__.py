"""The commands: each reads its arguments, calls the verb of the same name, and says in a line what came of it."""

from pseudogd.cli.program import app, main
from pseudogd.exits import run

__all__ = ["app", "main", "run"]
