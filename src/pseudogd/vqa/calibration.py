"""How often questions made from a teacher's geometry have the right answer, told by measured geometry.

Every fact that would be asked of the teacher's scene, stability included, is answered again, without margins, in a
scene of the same objects with true depth. Facts are also drawn with margins a quarter as wide, so that the share of
right answers is known as a function of the margin on both sides of the default.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import islice
from typing import Any

import numpy as np
from scipy.stats import binomtest

from pseudogd.vqa.audit.intervals import share_interval
from pseudogd.vqa.fact import Fact
from pseudogd.vqa.guards import Margins
from pseudogd.vqa.scene import Q50, Scene
from pseudogd.vqa.settings import SynthSettings
from pseudogd.vqa.stability import Stability, same
from pseudogd.vqa.synth import generator, stable, task_facts
from pseudogd.vqa.tasks import answer_in

LOOSE = 0.25
ENOUGH = 30
"""Facts from which a share is read at all."""
_KEPT = ("visible", "stand_off", "min_distance")
_STEPS = 12


@dataclass(frozen=True)
class Tried:
    """One fact of the teacher's scene and whether it is true. ``shortcut``: whether the flat picture's rule of thumb
    gives the right answer, None where there is no such rule; ``loose``: asked only with narrower margins; ``photo``: id
    of the photo; ``unit``: that of the margin where the fact says it."""

    task: str
    form: str
    margin: float
    right: bool
    shortcut: bool | None
    loose: bool
    photo: str = ""
    unit: str = ""


@dataclass(frozen=True)
class Share:
    """``right`` of ``count``, with the 95 % interval of the share (Wilson)."""

    count: int
    right: int

    @property
    def value(self) -> float:
        return self.right / self.count if self.count else math.nan

    @property
    def interval(self) -> tuple[float, float]:
        if not self.count:
            return 0.0, 1.0
        found = binomtest(self.right, self.count).proportion_ci(method="wilson")
        return float(found.low), float(found.high)

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers; the share of nothing is null."""
        low, high = self.interval
        share = None if not self.count else round(self.value, 4)
        return {"count": self.count, "right": self.right, "share": share, "interval": [round(low, 4), round(high, 4)]}


def share_of(tried: Iterable[Tried]) -> Share:
    """Share of right ones."""
    verdicts = [one.right for one in tried]
    return Share(len(verdicts), sum(verdicts))


def figures_of(tried: Iterable[Tried]) -> dict[str, Any]:
    """``count``, ``right``, ``photos``, their ``share`` (null of nothing) and its 95 % interval, for which facts of one
    photo are not independent (`vqa.audit.intervals.share_interval`)."""
    own = list(tried)
    low, high = share_interval(np.array([one.right for one in own], dtype=np.float64), [one.photo for one in own])
    found = share_of(own).to_dict()
    return {**found, "interval": [round(low, 4), round(high, 4)], "photos": len({one.photo for one in own})}


def loosened(margins: Margins, share: float = LOOSE) -> Margins:
    """Margins with ``share`` of their width: ratios come nearer to 1, all else to 0."""
    values = {}
    for name, value in asdict(margins).items():
        if name not in _KEPT and not isinstance(value, bool):
            values[name] = 1.0 + (value - 1.0) * share if name.endswith(("ratio", "odds")) else value * share
    return replace(margins, **values)


def try_scene(
    told: Scene,
    true: Scene,
    settings: SynthSettings,
    seed: int = 0,
    most: int = 40,
    curves: bool = True,
    unjudged: Counter[str] | None = None,
) -> list[Tried]:
    """Facts of the teacher's scene, judged by the true one; at most ``most`` of a task and width of margins,
    of which the narrow ones are left out without ``curves``.

    Facts about things that the true scene does not have are left out: nothing tells whether they are right. Those of
    the usual margins are counted in ``unjudged`` by the reason.
    """
    found = []
    for loose in (False, True) if curves else (False,):
        plan = replace(settings, margins=loosened(settings.margins)) if loose else settings
        steadiness = replace(settings.stability, measure=settings.stability.measure and not loose)
        steady = Stability(told, steadiness, generator(seed, told.image_id, "stability"))
        for task, quota in settings.tasks.items():
            if quota > 0:
                for scored in islice(stable(task_facts(told, task, plan, seed), steady, steadiness), most):
                    one = _judged(scored.fact, true, loose)
                    if isinstance(one, Tried):
                        found.append(one)
                    elif unjudged is not None and not loose:
                        unjudged[one] += 1
    return found


def _judged(fact: Fact, true: Scene, loose: bool) -> Tried | str:
    """The verdict, or why there is none."""
    if not true.supports(fact.kind):
        return "the true camera is unknown"
    if any(true.find(operand) is None for operand in fact.operands):
        return "true depth does not show one of the things"
    answer = answer_in(true, fact)
    if answer is None and fact.style == "point":
        return "true depth is unknown at one of the points"
    rule = fact.evidence.get("shortcut")
    shortcut = None if not isinstance(rule, Mapping) else bool(rule.get("right"))
    unit = str(fact.evidence.get("margin_unit", ""))
    return Tried(fact.task, fact.form, float(fact.margin), same(fact, answer), shortcut, loose, true.image_id, unit)


def curve(tried: Sequence[Tried]) -> list[dict[str, Any]]:
    """Share of right answers among facts with at least a margin, for margins from the smallest to the largest."""
    ordered = sorted(tried, key=lambda one: one.margin)
    points: list[dict[str, Any]] = []
    for k in range(_STEPS):
        start = round(k * len(ordered) / _STEPS)
        rest = ordered[start:]
        if rest and (not points or rest[0].margin > points[-1]["margin"]):
            points.append({"margin": round(rest[0].margin, 4), "kept": round(len(rest) / len(ordered), 3),
                           **figures_of(rest)})  # fmt: skip
    return points


@dataclass(frozen=True)
class Proposal:
    """Least margins by form, forms that do not reach the wanted share, and those of which too little is known."""

    least_margin: Mapping[str, float]
    without: Sequence[str]
    unknown: Sequence[str]

    def kept(self, tried: Iterable[Tried]) -> list[Tried]:
        """What is still asked with it."""
        least, without = self.least_margin, self.without
        return [one for one in tried if one.form not in without and one.margin >= least.get(one.form, 0.0)]


def propose(tried: Sequence[Tried], wanted: float) -> Proposal:
    """The smallest raise of each form's margin with which the wanted share of its facts is right.

    A form that is right often enough at the default margins stays as it is. Fewer than 30 facts tell no margin, but
    they do tell of a form that is far from right: it goes, alone or together with the other rare forms of its task, if
    the wanted share is above the interval of theirs. Otherwise it is unknown, and stays as it is too.
    """
    least: dict[str, float] = {}
    without: list[str] = []
    rare: dict[str, list[Tried]] = {}
    by_form: dict[str, list[Tried]] = {one.form: [] for one in tried}
    for one in tried:
        if not one.loose:
            by_form[one.form].append(one)
    for form in sorted(by_form):
        own = sorted(by_form[form], key=lambda one: one.margin)
        if len(own) < ENOUGH:
            rare[form] = own
            continue
        right = np.array([one.right for one in own], dtype=np.float64)
        shares = right[::-1].cumsum()[::-1] / np.arange(len(own), 0, -1)
        good = np.flatnonzero(shares[: len(own) - ENOUGH + 1] >= wanted)
        if not len(good):
            without.append(form)
        elif good[0] > 0:
            least[form] = round(own[int(good[0])].margin, 4)
    wrong = {form for form in rare if _surely_below(rare[form], wanted)}
    wrong |= {form for form in rare if _surely_below(_of_the_task(form, rare), wanted)}
    return Proposal(least, sorted({*without, *wrong}), sorted(rare.keys() - wrong))


def _of_the_task(form: str, rare: Mapping[str, Sequence[Tried]]) -> list[Tried]:
    """What was tried of the rare forms of a form's task."""
    task = form.split(".")[0]
    return [one for other in rare if other.split(".")[0] == task for one in rare[other]]


def _surely_below(own: Sequence[Tried], wanted: float) -> bool:
    return share_of(own).interval[1] < wanted


def object_errors(told: Scene, true: Scene) -> list[float]:
    """log(told depth / true depth) of every object that both scenes have."""
    return [
        math.log(thing.z[Q50] / true.objects[index].z[Q50])
        for thing in told.objects
        if (index := true.find(thing.object_id)) is not None
    ]


def error_sizes(photos: Sequence[Sequence[float]]) -> dict[str, float]:
    """68 % quantiles of the sizes of `object_errors`: ``shared`` by all objects of a photo, and each one's ``own``.

    The own one is what `SceneSettings.depth_sigma` means. Empty without a photo of two objects.
    """
    several = [np.asarray(errors) for errors in photos if len(errors) > 1]
    if not several:
        return {}
    middles = np.array([np.median(errors) for errors in several])
    own = np.concatenate([np.abs(errors - middle) for errors, middle in zip(several, middles)])
    sizes = {"shared": np.abs(middles), "own": own}
    return {name: round(float(np.quantile(values, 0.68)), 4) for name, values in sizes.items()}
