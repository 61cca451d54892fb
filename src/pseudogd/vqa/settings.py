"""What a user may set about questions, with defaults, as plain values in and out."""

from __future__ import annotations

import difflib
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from pseudogd.errors import InputError
from pseudogd.vqa.guards import Margins
from pseudogd.vqa.lengths import NUMBERS, UNITS
from pseudogd.vqa.render import FORMATS, Words
from pseudogd.vqa.scene import SceneSettings
from pseudogd.vqa.stability import StabilitySettings
from pseudogd.vqa.tasks import TASKS, forms, quotas

DEFAULT_TASKS = quotas()
DEFAULT_FORMATS = {"mc": 0.6, "open": 0.2, "yesno": 0.2}
WORDINGS = ("all", "plain")
MARKS = ("off", "ambiguous")


@dataclass(frozen=True)
class SynthSettings:
    """``tasks``: most questions of each task per photo (a fraction is drawn: 1.5 is one or two); ``formats``: shares.

    A fact without a wording in some format goes to the others. ``scene`` and ``margins``: how things are measured and
    how clear a difference must be. ``wordings``: "all", or "plain" for a student of few words. ``stability``: which
    errors of the geometry an answer must survive. ``least_margin``: by form, the least margin of a
    fact (in the margin's own unit), and ``without``: forms that are not asked. ``units`` of lengths (m, cm, ft, in),
    and how ``numbers`` are rounded (see `lengths.NUMBERS`). ``fair``: whether facts are drawn so that answers cannot be
    guessed from the picture's flat layout or from what is usual (see `fairness`); fewer are found. ``marks``: "off", or
    "ambiguous": what no words point at gets a number drawn on a copy of the photo.
    Raises `InputError` on unknown names and on numbers that cannot be.
    """

    tasks: Mapping[str, float] = field(default_factory=lambda: dict(DEFAULT_TASKS))
    formats: Mapping[str, float] = field(default_factory=lambda: dict(DEFAULT_FORMATS))
    scene: SceneSettings = field(default_factory=SceneSettings)
    margins: Margins = field(default_factory=Margins)
    wordings: str = "all"
    stability: StabilitySettings = field(default_factory=StabilitySettings)
    least_margin: Mapping[str, float] = field(default_factory=dict)
    without: Sequence[str] = ()
    units: str = "m"
    numbers: str = "honest"
    fair: bool = True
    marks: str = "off"

    def __post_init__(self) -> None:
        object.__setattr__(self, "without", tuple(sorted(self.without)))
        _check("task", self.tasks, TASKS)
        _check("format", self.formats, FORMATS)
        if not sum(self.formats.values()) > 0:
            raise InputError("formats: at least one share must be above zero")
        choices: dict[str, Collection[str]] = {"wordings": WORDINGS, "units": UNITS, "numbers": NUMBERS}
        choices["marks"] = MARKS
        for name, allowed in choices.items():
            if getattr(self, name) not in allowed:
                raise InputError(f"{name} = {getattr(self, name)!r}: must be one of {', '.join(allowed)}")
        for group in (self.scene, self.margins):
            for name, value in asdict(group).items():
                if name != "fair" and (not _is_number(value) or value < 0):
                    raise InputError(f"{name}={value!r}: must be a number of at least 0")
        if not isinstance(self.fair, bool):
            raise InputError(f"fair={self.fair!r}: must be true or false")
        object.__setattr__(self, "margins", replace(self.margins, fair=self.fair))
        _check_stability(self.stability)
        _check("form", self.least_margin, forms())
        _known("form", dict.fromkeys(self.without), forms())

    @property
    def words(self) -> Words:
        """How facts are put into words."""
        return Words(self.wordings == "plain", self.units, self.numbers)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> SynthSettings:
        """Settings from plain values; keys left out keep their defaults, unknown keys are named with the nearest."""
        parts: dict[str, Any] = dict(values)
        _known("setting", parts, [f.name for f in fields(cls)])
        for name, kind in (("scene", SceneSettings), ("margins", Margins), ("stability", StabilitySettings)):
            if name in parts:
                _known(f"{name} setting", parts[name], [f.name for f in fields(kind) if f.name != "fair"])
                parts[name] = kind(**parts[name])
        return cls(**parts)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, defaults written out, in a stable order."""
        return {
            "tasks": {name: self.tasks[name] for name in TASKS if name in self.tasks},
            "formats": {name: self.formats[name] for name in FORMATS if name in self.formats},
            "scene": asdict(self.scene),
            "margins": {name: value for name, value in asdict(self.margins).items() if name != "fair"},
            "wordings": self.wordings,
            "least_margin": dict(sorted(self.least_margin.items())),
            "without": list(self.without),
            "units": self.units,
            "numbers": self.numbers,
            "fair": self.fair,
            "stability": asdict(self.stability),
            **({} if self.marks == "off" else {"marks": self.marks}),  # folders of before know no marks
        }


def _check_stability(stability: StabilitySettings) -> None:
    for name, value in asdict(stability).items():
        if name == "measure":
            if not isinstance(value, bool):
                raise InputError(f"stability.measure={value!r}: must be true or false")
        elif not _is_number(value) or value < 0:
            raise InputError(f"stability.{name}={value!r}: must be a number of at least 0")
    for name in ("least", "scale", "shift", "focal"):
        if getattr(stability, name) > (1 if name == "least" else 0.9):
            raise InputError(f"stability.{name}={getattr(stability, name)!r}: must be a share, at most 1")
    if stability.draws != int(stability.draws):
        raise InputError(f"stability.draws={stability.draws!r}: must be a whole number")


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _known(what: str, given: Any, allowed: Any) -> None:
    if not isinstance(given, Mapping):
        raise InputError(f"{what}s must be names with values, not {given!r}")
    for name in given:
        if name not in allowed:
            near = difflib.get_close_matches(str(name), list(allowed), n=1, cutoff=0.0)
            raise InputError(f"unknown {what} {name!r}; nearest is {near[0]!r}, all are: {', '.join(allowed)}")


def _check(what: str, given: Any, allowed: Any) -> None:
    _known(what, given, allowed)
    for name, value in given.items():
        if not _is_number(value) or value < 0:
            raise InputError(f"{what} {name}={value!r}: must be a number of at least 0")
