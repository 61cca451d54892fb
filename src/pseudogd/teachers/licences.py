"""The licence table: under which terms the weights of each depth model come, as data."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from fnmatch import fnmatchcase
from pathlib import Path

from pseudogd.errors import InputError
from pseudogd.geometry.types import TeacherInfo


class Terms(str, Enum):
    """Classes of licences."""

    PERMISSIVE = "permissive"
    RESTRICTED = "restricted"
    """Research or non-commercial use, or other limits: used only when the user accepts them."""
    CONFLICTING = "conflicting"
    """The model card and the repository disagree: used only when the user accepts the stricter one."""
    UNVERIFIED = "unverified"
    """Nobody of us has seen the licence text: used with a warning."""


@dataclass(frozen=True)
class Licence:
    """One row; `models` is a pattern of hub ids."""

    models: str
    licence: str
    terms: Terms


LICENCES: tuple[Licence, ...] = (
    Licence("apple/DepthPro*", "card apple-amlr, repository Apple sample licence", Terms.CONFLICTING),
    Licence("depth-anything/Depth-Anything-V2-Metric-*-Small-hf", "Apache-2.0", Terms.PERMISSIVE),
    Licence(
        "depth-anything/Depth-Anything-V2-Metric-*",
        "card Apache-2.0, repository CC-BY-NC-4.0 encoder",
        Terms.CONFLICTING,
    ),
    Licence("depth-anything/Depth-Anything-V2-Small-hf", "Apache-2.0", Terms.PERMISSIVE),
    Licence("depth-anything/Depth-Anything-V2-*", "CC-BY-NC-4.0", Terms.RESTRICTED),
    Licence("LiheYoung/depth-anything-*", "unverified", Terms.UNVERIFIED),
    Licence("depth-anything/prompt-depth-anything-*", "Apache-2.0 (unverified)", Terms.UNVERIFIED),
    Licence("depth-anything/DA3-SMALL*", "Apache-2.0", Terms.PERMISSIVE),
    Licence("depth-anything/DA3-BASE*", "Apache-2.0", Terms.PERMISSIVE),
    Licence("depth-anything/DA3METRIC-LARGE*", "Apache-2.0", Terms.PERMISSIVE),
    Licence("depth-anything/DA3MONO-LARGE*", "Apache-2.0", Terms.PERMISSIVE),
    Licence("depth-anything/DA3*", "CC-BY-NC-4.0", Terms.RESTRICTED),
    Licence("Intel/zoedepth-*", "MIT (unverified)", Terms.UNVERIFIED),
    Licence("Intel/dpt-*", "Apache-2.0 (unverified)", Terms.UNVERIFIED),
    Licence("vinvino02/glpn-*", "Apache-2.0 (unverified)", Terms.UNVERIFIED),
    Licence("google/tipsv2-*-dpt", "Apache-2.0", Terms.PERMISSIVE),
    Licence("Ruicheng/moge-2-*", "MIT, Apache-2.0 backbone", Terms.PERMISSIVE),
    Licence("YvanYin/Metric3D*", "BSD-2-Clause", Terms.PERMISSIVE),
    Licence("lpiccinelli/unidepth-*", "CC-BY-NC-4.0", Terms.RESTRICTED),
    Licence("facebook/VGGT-1B-Commercial*", "VGGT licence, no military use", Terms.RESTRICTED),
    Licence("facebook/VGGT-1B*", "VGGT licence, non-commercial", Terms.RESTRICTED),
    Licence("lorenzopapa5/METER*", "MIT", Terms.PERMISSIVE),
    Licence("FilippoAleotti/mobilePydnet*", "weights for research only", Terms.RESTRICTED),
)


Accepted = bool | str | Sequence[str]
"""What a user accepts: True (whatever it is), or names of models or licences."""


def licence_of(model: str) -> Licence | None:
    """The row of a model, ignoring case; None when the table does not know it.

    `model` is a hub id, or a folder that carries one in its name: of the hub's cache (models--OWNER--NAME), or a copy
    that is still called NAME. A copy under a name of the user's own cannot be recognised.
    """
    names = [model, *_ids_of_folder(model)]
    for row in LICENCES:
        pattern = row.models.lower()
        if any(fnmatchcase(name.lower(), pattern if "/" in name else pattern.split("/")[1]) for name in names):
            return row
    return None


def _ids_of_folder(path: str) -> list[str]:
    folder = Path(path)
    if not folder.exists():
        return []
    folder = folder.resolve()
    cached = [part.split("--", 2)[1:] for part in folder.parts if part.startswith("models--") and part.count("--") > 1]
    return ["/".join(parts) for parts in cached] or [folder.name]


def check_licence(model: str, accepted: Accepted = False) -> Licence | None:
    """The row of a model. Raises InputError when its terms have to be accepted first and were not.

    `accepted` may name the model (with or without its owner) or words of its licence.
    """
    row = licence_of(model)
    if row and row.terms in (Terms.RESTRICTED, Terms.CONFLICTING) and not _covers(accepted, model, row):
        said = "" if isinstance(accepted, bool) or not accepted else f"; {_shown(accepted)} names neither"
        raise InputError(
            f"{model}: its licence is {row.terms.value} ({row.licence}){said}; if you may use it, "
            f"pass --accept-license {model.rstrip('/').rsplit('/', 1)[-1]} (accept_licence=true in Python)"
        )
    return row


def check_terms(model: str, licence: str, accepted: Accepted = False) -> None:
    """As `check_licence` for a model that the table does not know, by the words of the licence that it declares."""
    row = Licence(model, licence, judged(model, licence))
    if row.terms is Terms.RESTRICTED and not _covers(accepted, model, row):
        raise InputError(
            f"{model}: its licence is {row.terms.value} ({licence}); if you may use it, "
            f"pass --accept-license {model.rsplit('/', 1)[-1]} (accept_licence=true in Python)"
        )


def _covers(accepted: Accepted, model: str, row: Licence) -> bool:
    if isinstance(accepted, bool):
        return accepted
    names = [accepted] if isinstance(accepted, str) else list(accepted)
    known = {model.lower(), model.rstrip("/").rsplit("/", 1)[-1].lower(), row.licence.lower()}
    words = set(re.findall(r"[a-z0-9.-]{4,}", row.licence.lower())) - _NO_NAMES
    return any(name.strip().lower() in known | words for name in names)


_NO_NAMES = {"card", "repository", "licence", "military", "weights", "only", "encoder", "backbone"}
"""Words of the table that name no licence."""


def _shown(accepted: str | Sequence[str]) -> str:
    return accepted if isinstance(accepted, str) else ", ".join(accepted)


def terms_note(info: TeacherInfo) -> str | None:
    """One line for whoever uses this teacher, where its licence needs a look; None where it does not."""
    terms = judged(info.name, info.licence)
    if terms is Terms.CONFLICTING:
        return f"warning: {info.name}: model card and repository disagree about its licence ({info.licence}); heed both"
    if terms is Terms.RESTRICTED:
        return f"note: {info.name}: its licence limits its use ({info.licence}), and goes into every row"
    if terms is Terms.UNVERIFIED and licence_of(info.name) is not None:
        return f"note: {info.name}: nobody has verified its licence ({info.licence}); look at it before you publish"
    return None


_LIMITED = re.compile(r"\bnc\b|non-?commercial|research|no military|restricted|conflicting", re.IGNORECASE)
_DOUBTFUL = re.compile(r"unknown|unverified", re.IGNORECASE)
_FREE = re.compile(r"\b(apache|mit|bsd|isc|cc0|cc-by|public domain)\b", re.IGNORECASE)


def judged(teacher: str, licence: str) -> Terms:
    """The class of the licence that is noted with a teacher's geometry: the table's for a model and licence that it
    has, else by the licence's words."""
    row = licence_of(teacher)
    if row is not None and licence in (row.licence, "unknown"):
        return row.terms
    if _LIMITED.search(licence):
        return Terms.RESTRICTED
    return Terms.PERMISSIVE if _FREE.search(licence) and not _DOUBTFUL.search(licence) else Terms.UNVERIFIED
