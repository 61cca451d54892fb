"""The licence table: under which terms the weights of each depth model come, as data."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from fnmatch import fnmatchcase

from pseudogd.errors import InputError


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


def licence_of(model: str) -> Licence | None:
    """The row of a model by its hub id, ignoring case; None when the table does not know it."""
    return next((row for row in LICENCES if fnmatchcase(model.lower(), row.models.lower())), None)


def check_licence(model: str, accepted: bool) -> Licence | None:
    """The row of a model. Raises InputError when its terms have to be accepted first and were not."""
    row = licence_of(model)
    if row and row.terms in (Terms.RESTRICTED, Terms.CONFLICTING) and not accepted:
        raise InputError(
            f"{model}: its licence is {row.terms.value} ({row.licence}); pass accept_licence=true if you may use it"
        )
    return row


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
