"""Questions of one photo: facts of every task up to its quota, in words, in an order that gives nothing away."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

import numpy as np

from pseudogd.vqa.fact import Fact, Question, said
from pseudogd.vqa.hints import names_tell
from pseudogd.vqa.order import apart
from pseudogd.vqa.render import Rendered, formats_of, render
from pseudogd.vqa.scene import Scene
from pseudogd.vqa.settings import SynthSettings
from pseudogd.vqa.tasks import TASKS, facts_of

GOLDEN = (math.sqrt(5) - 1) / 2


def generator(seed: int, *names: str) -> np.random.Generator:
    """Random numbers that depend on the seed and the names alone, never on what ran before or beside."""
    digest = hashlib.sha256("\x1f".join([str(seed), *names]).encode()).digest()
    return np.random.Generator(np.random.PCG64(int.from_bytes(digest[:16], "big")))


def task_facts(scene: Scene, task: str, settings: SynthSettings | None = None, seed: int = 0) -> Iterator[Fact]:
    """All facts of one task in the order in which they would be asked, without those that a name answers."""
    settings = settings or SynthSettings()
    facts = facts_of(task)(scene, generator(seed, scene.image_id, task), settings.margins)
    return (fact for fact in facts if not names_tell(fact))


def synthesise(
    scene: Scene,
    tasks: Sequence[str] | None = None,
    settings: SynthSettings | None = None,
    seed: int = 0,
    *,
    path: str = "",
) -> list[Question]:
    """Questions about one photo; the same scene, settings and seed give the same questions everywhere.

    ``tasks``: names to keep of those in the settings (default: all of them); ``path``: of the photo, for the rows.
    """
    settings = settings or SynthSettings()
    drawn: list[tuple[Fact, Rendered]] = []
    for task in TASKS:
        if task in settings.tasks and (tasks is None or task in tasks):
            rng = generator(seed, scene.image_id, task, "words")
            quota = math.floor(settings.tasks[task] + rng.random())
            facts = islice(task_facts(scene, task, settings, seed), quota)
            offset = float(rng.random())
            for k, fact in enumerate(facts):
                fmt = _format_of(fact, settings.formats, (offset + k * GOLDEN) % 1.0)
                if fmt is not None:
                    drawn.append((fact, render(fact, fmt, rng, plain=settings.wordings == "plain")))
    rng = generator(seed, scene.image_id, "order")
    order = apart([frozenset(fact.operands) for fact, _ in drawn], [fact.twin for fact, _ in drawn], rng)
    return [_question(scene, *drawn[index], place, path, seed) for place, index in enumerate(order)]


def _format_of(fact: Fact, shares: Mapping[str, float], place: float) -> str | None:
    """The format whose share of [0, 1) holds ``place``, among those this fact has; None if all of those are at zero."""
    names = [name for name in formats_of(fact) if shares.get(name, 0.0) > 0]
    if not names:
        return None
    ends = np.cumsum([shares[name] for name in names])
    return names[int(np.searchsorted(ends / ends[-1], place, side="right"))]


def _question(scene: Scene, fact: Fact, words: Rendered, place: int, path: str, seed: int) -> Question:
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
    evidence["fact"] = said(fact)
    user = {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": words.text}]}
    reply = {"role": "assistant", "content": [{"type": "text", "text": words.answer}]}
    return Question(
        question_id=f"{scene.image_id[:16]}-{place:03d}",
        image_id=scene.image_id,
        path=path,
        task=fact.task,
        kind=fact.kind,
        frame=fact.frame,
        text=words.text,
        answer=words.answer,
        options=None if words.options is None else list(words.options),
        answer_index=words.answer_index,
        value=round(float(fact.value), 5),
        unit=fact.unit,
        margin=round(float(fact.margin), 5),
        stability=None,
        evidence=evidence,
        messages=[user, reply],
    )
