"""The verbs as functions: each wires rooms together and holds no logic of its own.

A verb has the name and the parameters of its command (`evaluate` is the command `eval`). What a user can mend is raised
as `pseudogd.errors.PseudoGDError`.
"""

from pseudogd.api.data import annotate, label, pack, synth
from pseudogd.api.models import ask, evaluate
from pseudogd.api.pages import report, view
from pseudogd.api.proof import audit, calibrate, selftest, verify
from pseudogd.api.runs import ExportResult, doctor, export, train

__all__ = [
    "ExportResult",
    "annotate",
    "ask",
    "audit",
    "calibrate",
    "doctor",
    "evaluate",
    "export",
    "label",
    "pack",
    "report",
    "selftest",
    "synth",
    "train",
    "verify",
    "view",
]
