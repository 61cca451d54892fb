"""Questions of one photo: facts of every task up to its quota, in words, in an order that gives nothing away."""

from __future__ import annotations

import hashlib
import math
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, islice
from typing import Any

import numpy as np

from pseudogd.vqa.fact import Fact, Question, said
from pseudogd.vqa.hints import names_tell
from pseudogd.vqa.order import apart
from pseudogd.vqa.render import Rendered, formats_of, render
from pseudogd.vqa.scene import Scene
from pseudogd.vqa.settings import SynthSettings
from pseudogd.vqa.stability import Stability, StabilitySettings
from pseudogd.vqa.tasks import TASKS, facts_of

GOLDEN = (math.sqrt(5) - 1) / 2


def generator(seed: int, *names: str) -> np.random.Generator:
    """Random numbers that depend on the seed and the names alone, never on what ran before or beside."""
    digest = hashlib.sha256("\x1f".join([str(seed), *names]).encode()).digest()
    words = np.frombuffer(digest[15::-1], "<u4")  # of the big-endian integer digest[:16], lowest first
    return np.random.Generator(np.random.PCG64(words))


def task_facts(scene: Scene, task: str, settings: SynthSettings | None = None, seed: int = 0) -> Iterator[Fact]:
    """All facts of one task in the order in which they would be asked, without those that a name answers."""
    settings = settings or SynthSettings()
    facts = facts_of(task)(scene, generator(seed, scene.image_id, task), settings.margins)
    least, without = settings.least_margin, settings.without
    clear = (fact for fact in facts if fact.form not in without and fact.margin >= least.get(fact.form, 0.0))
    return (fact for fact in clear if not names_tell(fact))


def synthesise(
    scene: Scene,
    tasks: Sequence[str] | None = None,
    settings: SynthSettings | None = None,
    seed: int = 0,
    *,
    path: str = "",
    second: Scene | None = None,
) -> list[Question]:
    """Questions about one photo; the same scene, settings and seed give the same questions everywhere.

    ``tasks``: names to keep of those in the settings (default: all of them); ``path``: of the photo, for the rows;
    ``second``: the same objects as another teacher sees them, one more scene in which an answer must stay the same.
    """
    settings = settings or SynthSettings()
    drawn: list[tuple[Scored, Rendered]] = []
    steady = Stability(scene, settings.stability, generator(seed, scene.image_id, "stability"), second)
    for task in TASKS:
        if task in settings.tasks and (tasks is None or task in tasks):
            rng = generator(seed, scene.image_id, task, "words")
            quota = math.floor(settings.tasks[task] + rng.random())
            facts = islice(stable(task_facts(scene, task, settings, seed), steady, settings.stability), quota)
            offset = float(rng.random())
            for k, scored in enumerate(facts):
                fmt = _format_of(scored.fact, settings.formats, (offset + k * GOLDEN) % 1.0)
                if fmt is not None:
                    drawn.append((scored, render(scored.fact, fmt, rng, settings.words)))
    rng = generator(seed, scene.image_id, "order")
    facts_drawn = [scored.fact for scored, _ in drawn]
    order = apart([frozenset(fact.operands) for fact in facts_drawn], [fact.twin for fact in facts_drawn], rng)
    return [_question(scene, *drawn[index], place, path, seed) for place, index in enumerate(order)]


@dataclass(frozen=True)
class Scored:
    """A fact with its stability and the changes that turn its answer."""

    fact: Fact
    score: float | None
    turned: tuple[str, ...] = ()


def stable(facts: Iterator[Fact], steady: Stability, settings: StabilitySettings) -> Iterator[Scored]:
    """The facts whose answer survives enough of the changes, with their scores."""
    for fact in facts:
        if not settings.measure:
            yield Scored(fact, None)
            continue
        score, turned = steady.of(fact, settings.least)
        if score >= settings.least:
            yield Scored(fact, score, turned)


def _format_of(fact: Fact, shares: Mapping[str, float], place: float) -> str | None:
    """The format whose share of [0, 1) holds ``place``, among those this fact has; None if all of those are at zero."""
    names = [name for name in formats_of(fact) if shares.get(name, 0.0) > 0]
    if not names:
        return None
    ends = list(accumulate(shares[name] for name in names))
    return names[bisect_right([end / ends[-1] for end in ends], place)]


def again(
    row: Mapping[str, Any], evidence: Mapping[str, Any], fact: Fact, settings: SynthSettings, seed: int
) -> dict[str, Any]:
    """A question's row with the same fact in words drawn anew, by the formats and words of the settings.

    ``row`` and ``evidence`` (parsed) as they were stored. A fact that has none of the wanted formats keeps its own.
    """
    rng = generator(seed, row["question_id"], "again")
    fmt = _format_of(fact, settings.formats, float(rng.random())) or evidence["format"]
    words = render(fact, fmt, rng, settings.words)
    said = {**evidence, "format": words.format, "question": words.question}
    return {**row, **_said_columns(words), "evidence": said}


def _said_columns(words: Rendered) -> dict[str, Any]:
    """The columns that depend on the words."""
    user = {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": words.text}]}
    reply = {"role": "assistant", "content": [{"type": "text", "text": words.answer}]}
    return {
        "text": words.text,
        "answer": words.answer,
        "options": None if words.options is None else list(words.options),
        "answer_index": words.answer_index,
        "messages": [user, reply],
    }


def _question(scene: Scene, scored: Scored, words: Rendered, place: int, path: str, seed: int) -> Question:
    fact = scored.fact
    teacher = scene.geometry.teacher
    evidence: dict[str, Any] = {
        "form": fact.form,
        "format": words.format,
        "question": words.question,
        **fact.evidence,
        "formula": fact.formula,
        "scale": scene.geometry.scale.value,
        "teacher": {"name": teacher.name, "revision": teacher.revision},
        "seed": seed,
    }
    if fact.twin is not None:
        evidence["twin"] = fact.twin
    if scored.turned:
        evidence["turned_by"] = list(scored.turned)
    evidence["fact"] = said(fact)
    return Question(
        question_id=f"{scene.image_id[:16]}-{place:03d}",
        image_id=scene.image_id,
        path=path,
        task=fact.task,
        kind=fact.kind,
        frame=fact.frame,
        value=round(float(fact.value), 5),
        unit=fact.unit,
        margin=round(float(fact.margin), 5),
        stability=None if scored.score is None else round(scored.score, 4),
        evidence=evidence,
        **_said_columns(words),
    )
