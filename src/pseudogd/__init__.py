"""Spatial understanding for vision-language models, distilled from pseudo geometry."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pseudogd.api import (
        annotate,
        ask,
        audit,
        calibrate,
        doctor,
        evaluate,
        export,
        label,
        pack,
        report,
        selftest,
        synth,
        train,
        verify,
        view,
    )
    from pseudogd.embedded import demo
    from pseudogd.student.joint import Joint
    from pseudogd.student.load import load_student
    from pseudogd.training.geometry_targets import GeometryTargets

__version__ = "0.1.0"

_NOT_IN_API = {
    "demo": "embedded",
    "GeometryTargets": "training.geometry_targets",
    "Joint": "student.joint",
    "load_student": "student.load",
}
__all__ = [
    "GeometryTargets",
    "Joint",
    "__version__",
    "annotate",
    "ask",
    "audit",
    "calibrate",
    "demo",
    "doctor",
    "evaluate",
    "export",
    "label",
    "load_student",
    "pack",
    "report",
    "selftest",
    "synth",
    "train",
    "verify",
    "view",
]


def __getattr__(name: str) -> Any:
    # Names are fetched when they are first used: importing the package must stay quick.
    if name in __all__:
        from importlib import import_module

        return getattr(import_module(f"pseudogd.{_NOT_IN_API.get(name, 'api')}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
