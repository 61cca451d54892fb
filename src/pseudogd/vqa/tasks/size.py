"""Real size: taller / wider / larger, of things that are seen whole.

Frame: gravity. *Height*: extent along up. *Width*: level extent across the line of sight, which is what "from left to
right" shows. Both are 1-99 % extents of the whole outline, its depth held within the object's own.
*Larger*: taller and wider at once; one view never shows a volume.
Asked only with a camera and confident gravity, if both outlines are off the border and hardly hidden and the ratio
exceeds the margin and the propagated error (a size is as wrong as its depth). Ratios do not need metres.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import combinations

import numpy as np

from pseudogd.vqa.fact import Fact, rounded
from pseudogd.vqa.fairness import evenly, rank_of
from pseudogd.vqa.guards import Margins, about, blend, in_turns, pairs, seen_well
from pseudogd.vqa.scene import Scene, SceneObject
from pseudogd.vqa.words.size import FORMS as FORMS
from pseudogd.vqa.words.telling import SIZE

QUOTA = 1
NEEDS = "ratio"
TELLING = {"size": SIZE}

SMALLEST = 0.02
WORDS = {"tall": ("taller", "shorter"), "wide": ("wider", "narrower"), "both": ("larger", "smaller")}
QUANTITIES = {word: (quantity, k == 0) for quantity, words in WORDS.items() for k, word in enumerate(words)}
QUANTITIES["tallest"] = ("tall", True)
FORMULAS = {
    "tall": "extent along up (1-99% of the outline)",
    "wide": "level extent across the line of sight (1-99% of the outline)",
    "both": "extents along up and across the line of sight, both (1-99% of the outline)",
}
ON_SCREEN = {"tall": "taller in the picture", "wide": "wider in the picture", "both": "larger in the picture"}


def facts(scene: Scene, rng: np.random.Generator, margins: Margins) -> Iterator[Fact]:
    """Comparisons of two by height, width and both, and the tallest of three or four."""
    if not (scene.supports("ratio") and scene.has_gravity):
        return
    whole = [obj for obj in scene.objects if seen_well(obj, scene) and _measures(obj)["tall"] > SMALLEST * scene.unit]
    couples = [(whole[i], whole[j]) for i, j in pairs(len(whole))]
    yield from blend(
        rng,
        (2, _pair_facts(couples, "tall", margins, rng)),
        (1, _pair_facts(couples, "wide", margins, rng)),
        (1, _pair_facts(couples, "both", margins, rng)),
        (1, (_fair_tallest if margins.fair else _tallest_facts)(whole, margins, rng)),
    )


def answer(scene: Scene, fact: Fact) -> str | None:
    """The name of the thing that is larger (smaller); None where height and width disagree, or without gravity."""
    things = [scene.objects[scene.index(operand)] for operand in fact.operands]
    word = fact.form.split(".")[1]
    quantity, largest = QUANTITIES[word]
    names = ("tall", "wide") if quantity == "both" else (quantity,)
    if not scene.has_gravity:
        return None
    choose = max if largest else min
    found = {choose(things, key=lambda thing: _measures(thing)[name]).name for name in names}
    return found.pop() if len(found) == 1 else None


def steps(fact: Fact) -> list[str]:
    """Real sizes as multiples of the smallest one."""
    quantity = QUANTITIES[fact.form.split(".")[1]][0]
    names = [entry["name"] for entry in fact.evidence["objects"]]
    said = []
    for key, words in (("tall", "height"), ("wide", "width")):
        if quantity in (key, "both"):
            sizes = [max(size[key], 1e-3) for size in fact.evidence["sizes"]]
            least = min(sizes)
            ratios = ", ".join(f"{size / least:.2f} for the {name}" for size, name in zip(sizes, names))
            said.append(f"The real {words}s are in the ratio of {ratios}.")
    return said


def size_margin(big: SceneObject, small: SceneObject, quantity: str, margins: Margins) -> float | None:
    """Log ratio of the two sizes (the smaller ratio of height and width for "both"), or None if it is not sure."""
    a, b = _measures(big), _measures(small)
    names = ("tall", "wide") if quantity == "both" else (quantity,)
    ratio = min(a[name] / max(b[name], 1e-9) for name in names)
    needed = max(math.log(margins.size_ratio), margins.sigmas * math.hypot(big.sigma, small.sigma))
    return math.log(ratio) if ratio > 0 and math.log(ratio) > needed else None


def _measures(obj: SceneObject) -> dict[str, float]:
    return {"tall": obj.tall or 0.0, "wide": obj.wide or 0.0}


def _on_screen(obj: SceneObject, quantity: str) -> float:
    _, _, width, height = obj.bbox
    return {"tall": height, "wide": width, "both": width * height}[quantity]


def _pair_facts(
    couples: list[tuple[SceneObject, SceneObject]], quantity: str, margins: Margins, rng: np.random.Generator
) -> Iterator[Fact]:
    found = []
    for a, b in couples:
        for big, small in ((a, b), (b, a)):
            margin = size_margin(big, small, quantity, margins)
            if margin is not None:
                found.append((big, small, margin, _on_screen(big, quantity) > _on_screen(small, quantity)))
    for k in in_turns([entry[3] for entry in found], rng):
        big, small, margin, shortcut = found[k]
        asks_big = bool(rng.integers(2))
        more, less = WORDS[quantity]
        yield Fact(
            task="size",
            form=f"size.{more if asks_big else less}",
            kind="ratio",
            frame="gravity",
            operands=(big.object_id, small.object_id),
            style="pair",
            answer=big.name if asks_big else small.name,
            wrong=(small.name if asks_big else big.name,),
            value=math.exp(margin),
            unit="ratio",
            margin=margin,
            formula=FORMULAS[quantity],
            evidence=_evidence([big, small], ["larger", "smaller"], quantity, shortcut),
        )


def _tallest_facts(whole: list[SceneObject], margins: Margins, rng: np.random.Generator) -> Iterator[Fact]:
    for count in (4, 3):
        groups = list(combinations(sorted(whole, key=lambda obj: -_measures(obj)["tall"]), count))
        for k in rng.permutation(len(groups)):
            first, *rest = groups[k]
            leads = [size_margin(first, other, "tall", margins) for other in rest]
            if None in leads:
                continue
            yield _tallest_fact(groups[k], min(lead or 0.0 for lead in leads))


def _fair_tallest(whole: list[SceneObject], margins: Margins, rng: np.random.Generator) -> Iterator[Fact]:
    """The same, but the tallest is as often the shortest of the group in the picture as any other."""
    found, ranks = [], []
    for count in (4, 3):
        for group in combinations(sorted(whole, key=lambda obj: -_measures(obj)["tall"]), count):
            leads = [size_margin(group[0], other, "tall", margins) for other in group[1:]]
            if None not in leads:
                found.append((group, min(lead or 0.0 for lead in leads)))
                ranks.append(rank_of([_on_screen(obj, "tall") for obj in group]))
    for k in evenly(ranks, [len(group) for group, _ in found], rng, opposite=True):
        yield _tallest_fact(*found[k])


def _tallest_fact(group: tuple[SceneObject, ...], margin: float) -> Fact:
    """``group``: the tallest comes first."""
    first, *rest = group
    shortcut = all(_on_screen(first, "tall") > _on_screen(other, "tall") for other in rest)
    return Fact(
        task="size",
        form="size.tallest",
        kind="ratio",
        frame="gravity",
        operands=tuple(obj.object_id for obj in group),
        style="among",
        answer=first.name,
        wrong=tuple(obj.name for obj in rest),
        value=_measures(first)["tall"],
        unit="depth",
        margin=margin,
        formula=FORMULAS["tall"],
        evidence=_evidence([first, *rest], ["answer", *["other"] * len(rest)], "tall", shortcut),
    )


def _evidence(things: list[SceneObject], roles: list[str], quantity: str, shortcut: bool) -> dict:
    return {
        "objects": [about(thing, role) for thing, role in zip(things, roles)],
        "sizes": [{name: rounded(size, 3) for name, size in _measures(thing).items()} for thing in things],
        "shortcut": {"rule": ON_SCREEN[quantity], "right": bool(shortcut)},
    }
