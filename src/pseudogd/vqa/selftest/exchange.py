"""Two things changed for one another, and one unit for another: what must stay and what must turn round."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from pseudogd.vqa.fact import Fact
from pseudogd.vqa.lengths import NUMBERS, UNITS
from pseudogd.vqa.render import Words, formats_of, render
from pseudogd.vqa.scene import Scene
from pseudogd.vqa.tasks import answer_in

_LENGTH = re.compile(rf"(\d+(?:\.\d+)?) ({'|'.join(UNITS)})\b")
COARSEST = 0.3
"""How far a length may be rounded, as a share of itself: half a step of the coarsest that its error allows."""


def _same(answer: str) -> str:
    return answer


def _opposite(answer: str) -> str:
    return {"left": "right", "right": "left", "higher": "lower", "lower": "higher"}[answer]


EXCHANGED: Mapping[str, Callable[[str], str]] = {
    "distance.centre": _same,
    "distance.gap": _same,
    "ground_distance.between": _same,
    "direction.side": _opposite,
    "direction.height": _opposite,
}
"""Forms of two things, and what is answered when these change places: a distance has no direction, a side has."""


def swap_flaws(asked: Sequence[tuple[Scene, Fact]]) -> tuple[int, list[str]]:
    """Facts looked at, and those whose answer is another one than it must be with the two things exchanged."""
    flaws, count = [], 0
    for scene, fact in asked:
        expected = EXCHANGED.get(fact.form)
        if expected is None or len(fact.operands) != 2:
            continue
        count += 1
        said = answer_in(scene, replace(fact, operands=fact.operands[::-1]))
        if fact.style == "number":
            good = isinstance(said, (int, float)) and math.isclose(float(said), fact.value, rel_tol=1e-6, abs_tol=1e-6)
        else:
            good = said == expected(fact.answer)
        if not good:
            flaws.append(
                f"{fact.form}({', '.join(fact.operands)}) is {fact.answer!r}, and {said!r} the other way round"
            )
    return count, flaws


def unit_flaws(facts: Sequence[Fact]) -> tuple[int, list[str]]:
    """Lengths rendered in every unit and manner of rounding, and those that do not read back as they were measured.

    Every length of a question and its answer is in the unit asked for, and none is said in another.
    """
    flaws, count = [], 0
    for fact in facts:
        for sign, unit in UNITS.items():
            others = [other.name for other in UNITS.values() if other is not unit]
            for numbers in NUMBERS if fact.amounts or fact.measures else ():
                for fmt in formats_of(fact):
                    found = render(fact, fmt, np.random.default_rng(0), Words(units=sign, numbers=numbers))
                    count += 1
                    said = found.text if fmt == "yesno" else f"{found.text}\n{found.answer}"
                    if wrong := [n for n in others if re.search(rf"\b{n}\b", said)]:
                        flaws.append(f"{fact.form} in {unit.name} says {wrong[0]}: {said!r}")
                    if strange := {s for _, s in _LENGTH.findall(said) if s != sign}:
                        named = ", ".join(sorted(strange))
                        flaws.append(f"{fact.form} in {unit.name} has a length in {named}: {said!r}")
                    flaws += _read_back(fact, fmt, found.answer if found.options is None else found.options, sign)
    return count, flaws


def _read_back(fact: Fact, fmt: str, told: str | Sequence[str], sign: str) -> list[str]:
    """Answers of lengths alone: the multiple choice's options, or the first length of a short answer."""
    if not fact.amounts or fmt not in ("mc", "open"):
        return []
    texts = [told] if isinstance(told, str) else list(told)
    read = sorted(float(m[1]) * UNITS[m[2]].metres for text in texts if (m := _LENGTH.match(text)))
    true = sorted(fact.amounts[:1] if fmt == "open" else fact.amounts)
    if not read or (fmt == "mc" and len(read) != len(true)):
        return []  # of such as say that it cannot be told
    return [
        f"{fact.form}: {b:.3f} m is written as {a:.3f} m in {sign}"
        for a, b in zip(read, true)
        if abs(a - b) > COARSEST * b + 0.06 * UNITS[sign].metres
    ]
