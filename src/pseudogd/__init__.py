"""Spatial understanding for vision-language models, distilled from pseudo geometry."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pseudogd.api import annotate, ask, evaluate, export, label, report, synth, train
    from pseudogd.embedded import demo

__version__ = "0.1.0"

# Verbs are fetched when they are first used: importing the package must stay quick.
__all__ = ["__version__", "annotate", "ask", "demo", "evaluate", "export", "label", "report", "synth", "train"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from importlib import import_module

        return getattr(import_module("pseudogd.embedded" if name == "demo" else "pseudogd.api"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
