"""Every wording of every question and answer, as data. Nothing here knows geometry; nothing elsewhere knows English.

A *form* is named ``task.form`` (``"nearer.pair_near"``) and holds the wordings of one kind of fact in up to three
formats: ``mc`` (options follow in the text), ``open`` (short free answer) and ``yesno`` (one list of wordings for each
value that may be claimed). Placeholders are object names or numbers; names are written without an article, the wordings
add "the". Each wording is exactly one question and names its frame or definition.
"""

from __future__ import annotations

import hashlib
import re
import string
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import product

LETTERS = "ABCD"
YES, NO = "yes", "no"
METRE = "m"


@dataclass(frozen=True)
class Form:
    """Wordings of one kind of fact. ``answers`` maps fixed values to answer text; other values are names or numbers."""

    mc: tuple[str, ...] = ()
    open: tuple[str, ...] = ()
    yesno: dict[str, tuple[str, ...]] = field(default_factory=dict)
    answers: dict[str, str] = field(default_factory=dict)

    def wordings(self) -> Iterator[str]:
        """All wordings of all formats."""
        yield from self.mc
        yield from self.open
        for group in self.yesno.values():
            yield from group


def _pair(*texts: str, claim: tuple[str, ...]) -> Form:
    """A choice between two named things: the same wordings serve as multiple choice and as open question."""
    return Form(mc=texts, open=texts, yesno={"a": claim})


def _many(mc: tuple[str, ...], open_: tuple[str, ...]) -> Form:
    """A choice among three or four named things: the open form lists them."""
    return Form(mc=mc, open=open_)


# ---------------------------------------------------------------- nearer / farther (from the camera)
NEARER = {
    "nearer.pair_near": _pair(
        "Which is closer to the camera, the {a} or the {b}?",
        "Which is nearer to the camera, the {a} or the {b}?",
        "Which one has the smaller distance to the camera, the {a} or the {b}?",
        claim=(
            "Is the {a} closer to the camera than the {b}?",
            "Is the {a} nearer to the camera than the {b}?",
            "Compared with the {b}, is the {a} closer to the camera?",
        ),
    ),
    "nearer.pair_far": _pair(
        "Which is farther from the camera, the {a} or the {b}?",
        "Which is more distant from the camera, the {a} or the {b}?",
        "Which one has the larger distance to the camera, the {a} or the {b}?",
        claim=(
            "Is the {a} farther from the camera than the {b}?",
            "Is the {a} more distant from the camera than the {b}?",
            "Compared with the {b}, is the {a} farther from the camera?",
        ),
    ),
    "nearer.nearest": _many(
        (
            "Which of these is closest to the camera?",
            "Which of these is nearest to the camera?",
            "Which of these has the smallest distance to the camera?",
        ),
        (
            "Which is closest to the camera: {list}?",
            "Which is nearest to the camera: {list}?",
            "Which has the smallest distance to the camera: {list}?",
        ),
    ),
    "nearer.farthest": _many(
        (
            "Which of these is farthest from the camera?",
            "Which of these is most distant from the camera?",
            "Which of these has the largest distance to the camera?",
        ),
        (
            "Which is farthest from the camera: {list}?",
            "Which is most distant from the camera: {list}?",
            "Which has the largest distance to the camera: {list}?",
        ),
    ),
}

# ---------------------------------------------------------------- direction (as the camera sees it)
DIRECTION = {
    "direction.side": Form(
        mc=(
            "Seen from the camera, is the {a} to the left or to the right of the {b}?",
            "On which side of the {b} is the {a}, seen from the camera?",
            "From the camera, which side of the {b} is the {a} on?",
        ),
        open=(
            "Seen from the camera, is the {a} to the left or to the right of the {b}?",
            "On which side of the {b} is the {a}, left or right, seen from the camera?",
            "From the camera, is the {a} left or right of the {b}?",
        ),
        yesno={
            "left": (
                "Seen from the camera, is the {a} to the left of the {b}?",
                "From the camera, is the {a} on the left side of the {b}?",
                "From the camera, is the {a} left of the {b}?",
            ),
            "right": (
                "Seen from the camera, is the {a} to the right of the {b}?",
                "From the camera, is the {a} on the right side of the {b}?",
                "From the camera, is the {a} right of the {b}?",
            ),
        },
        answers={"left": "left", "right": "right"},
    ),
    "direction.height": Form(
        mc=(
            "Is the {a} higher or lower in the scene than the {b}?",
            "In the scene, is the height of the {a} higher or lower than that of the {b}?",
            "Seen in space, is the {a} higher or lower than the {b}?",
        ),
        open=(
            "Is the {a} higher or lower in the scene than the {b}?",
            "Compared with the {b}, is the {a} higher or lower in the scene?",
            "Seen in space, is the {a} higher or lower than the {b}?",
        ),
        yesno={
            "higher": (
                "Is the {a} higher in the scene than the {b}?",
                "In the scene, is the {a} above the height of the {b}?",
                "Compared with the {b}, is the {a} higher in the scene?",
            ),
            "lower": (
                "Is the {a} lower in the scene than the {b}?",
                "In the scene, is the {a} below the height of the {b}?",
                "Compared with the {b}, is the {a} lower in the scene?",
            ),
        },
        answers={"higher": "higher", "lower": "lower"},
    ),
    "direction.quadrant": Form(
        mc=(
            "Seen from the camera, where is the {a} compared with the {b}?",
            "From the camera, where is the {a} if you start at the {b}?",
            "Compared with the {b}, on which side and how near to the camera is the {a}?",
        ),
        answers={
            "left_near": "left and closer",
            "left_far": "left and farther",
            "right_near": "right and closer",
            "right_far": "right and farther",
        },
    ),
}

# ---------------------------------------------------------------- distance (metres; the definition is in the words)
DISTANCE = {
    "distance.camera": Form(
        mc=(
            "How far is the middle of the {a} from the camera?",
            "What is the distance from the camera to the middle of the {a}?",
            "How many meters is the middle of the {a} away from the camera?",
        ),
        open=(
            "How far is the middle of the {a} from the camera?",
            "What is the distance from the camera to the middle of the {a}?",
            "How many meters is the middle of the {a} away from the camera?",
        ),
    ),
    "distance.centre": Form(
        mc=(
            "How far is the middle of the {a} from the middle of the {b}?",
            "What is the distance between the middles of the {a} and the {b}?",
            "How many meters are between the middle of the {a} and the middle of the {b}?",
        ),
        open=(
            "How far is the middle of the {a} from the middle of the {b}?",
            "What is the distance between the middles of the {a} and the {b}?",
            "How many meters are between the middle of the {a} and the middle of the {b}?",
        ),
    ),
    "distance.gap": Form(
        mc=(
            "How wide is the gap between the closest parts of the {a} and the {b}?",
            "What is the distance between the closest parts of the {a} and the {b}?",
            "How many meters are between the closest parts of the {a} and the {b}?",
        ),
        open=(
            "How wide is the gap between the closest parts of the {a} and the {b}?",
            "What is the distance between the closest parts of the {a} and the {b}?",
            "How many meters are between the closest parts of the {a} and the {b}?",
        ),
    ),
}

# ---------------------------------------------------------------- hypothetical (stand at x, face y or turn away)
SIDES = {"left": "left", "right": "right", "front": "in front", "behind": "behind"}
STANCES = {
    "facing": (
        "If you stand {at} {x} and face the {y}, ",
        "Imagine that you stand {at} {x} and look at the {y}: ",
        "Standing {at} {x} and facing the {y}, ",
    ),
    "away": (
        "If you stand {at} {x} and face away from the {y}, ",
        "Imagine that you stand {at} {x} with your back to the {y}: ",
        "Standing {at} {x} with the {y} behind your back, ",
    ),
}
# Standing "at the place of" something says where the eyes are when nobody could stand there.
AT = {True: "at the", False: "at the place of the"}
WHERE_MC = ("where is the {z}?",)
WHERE_OPEN = ("is the {z} on your left, right, in front or behind?",)
WHERE_CLAIM = {
    "left": ("is the {z} on your left?",),
    "right": ("is the {z} on your right?",),
    "front": ("is the {z} in front of you?",),
    "behind": ("is the {z} behind you?",),
}


def _stance(stems: Sequence[str]) -> Form:
    def join(tails: Sequence[str]) -> tuple[str, ...]:
        return tuple(stem + tail for stem, tail in product(stems, tails))

    claims = {value: join(tails) for value, tails in WHERE_CLAIM.items()}
    return Form(mc=join(WHERE_MC + WHERE_OPEN), open=join(WHERE_OPEN), yesno=claims, answers=SIDES)


HYPOTHETICAL = {f"hypothetical.{name}": _stance(stems) for name, stems in STANCES.items()}

# ---------------------------------------------------------------- localization (which thing or marked point fulfils it)
LOCALIZATION = {
    "localization.nearest_object": _many(
        (
            "Which of these is nearest to the {a} in space?",
            "Which of these is closest to the {a} in the real scene?",
            "Which of these has the smallest real distance to the {a}?",
        ),
        (
            "Which is nearest to the {a} in space: {list}?",
            "Which is closest to the {a} in the real scene: {list}?",
            "Which has the smallest real distance to the {a}: {list}?",
        ),
    ),
    "localization.farthest_object": _many(
        (
            "Which of these is farthest from the {a} in space?",
            "Which of these is most distant from the {a} in the real scene?",
            "Which of these has the largest real distance to the {a}?",
        ),
        (
            "Which is farthest from the {a} in space: {list}?",
            "Which is most distant from the {a} in the real scene: {list}?",
            "Which has the largest real distance to the {a}: {list}?",
        ),
    ),
    "localization.point_nearest": Form(
        mc=(
            "Which point (x, y in percent of the picture) is nearest to the {a} in space?",
            "Points are (x, y) in percent of the picture: which is closest to the {a} in the real scene?",
            "Which point (x, y in percent of the picture) has the smallest real distance to the {a}?",
        )
    ),
    "localization.point_between": Form(
        mc=(
            "Which point (x, y in percent of the picture) is on the floor between the {a} and the {b}?",
            "Points are (x, y) in percent of the picture: which is on the floor between the {a} and the {b}?",
            "Between the {a} and the {b}, which point (x, y in percent of the picture) is on the floor?",
        )
    ),
    "localization.point_front": Form(
        mc=(
            "Which point (x, y in percent of the picture) is on the floor {d} from the {a} toward the camera?",
            "Points are (x, y) in percent of the picture: which is on the floor {d} from the {a} toward the camera?",
            "Going {d} from the {a} toward the camera, which point (x, y in percent of the picture) do you reach?",
        )
    ),
    "localization.point_near_camera": Form(
        mc=(
            "Which point (x, y in percent of the picture) is closest to the camera?",
            "Points are (x, y) in percent of the picture: which is nearest to the camera?",
            "Which point (x, y in percent of the picture) has the smallest distance to the camera?",
        )
    ),
    "localization.point_far_camera": Form(
        mc=(
            "Which point (x, y in percent of the picture) is farthest from the camera?",
            "Points are (x, y) in percent of the picture: which is most distant from the camera?",
            "Which point (x, y in percent of the picture) has the largest distance to the camera?",
        )
    ),
}

# ---------------------------------------------------------------- size (real size, not size in the picture)
SIZE = {
    "size.taller": _pair(
        "Which is taller in real size, the {a} or the {b}?",
        "Which one has the larger real height, the {a} or the {b}?",
        "Which is really taller, the {a} or the {b}?",
        claim=(
            "Is the {a} taller in real size than the {b}?",
            "Is the real height of the {a} larger than that of the {b}?",
            "Is the {a} really taller than the {b}?",
        ),
    ),
    "size.shorter": _pair(
        "Which is shorter in real size, the {a} or the {b}?",
        "Which one has the smaller real height, the {a} or the {b}?",
        "Which is really shorter, the {a} or the {b}?",
        claim=(
            "Is the {a} shorter in real size than the {b}?",
            "Is the real height of the {a} smaller than that of the {b}?",
            "Is the {a} really shorter than the {b}?",
        ),
    ),
    "size.wider": _pair(
        "Which is wider from left to right in real size, the {a} or the {b}?",
        "Which one has the larger real width from left to right, the {a} or the {b}?",
        "Which is really wider from left to right, the {a} or the {b}?",
        claim=(
            "Is the {a} wider from left to right in real size than the {b}?",
            "Is the real width of the {a} from left to right larger than that of the {b}?",
            "Is the {a} really wider from left to right than the {b}?",
        ),
    ),
    "size.narrower": _pair(
        "Which is narrower from left to right in real size, the {a} or the {b}?",
        "Which one has the smaller real width from left to right, the {a} or the {b}?",
        "Which is really narrower from left to right, the {a} or the {b}?",
        claim=(
            "Is the {a} narrower from left to right in real size than the {b}?",
            "Is the real width of the {a} from left to right smaller than that of the {b}?",
            "Is the {a} really narrower from left to right than the {b}?",
        ),
    ),
    "size.larger": _pair(
        "Which is larger in real size, the {a} or the {b}?",
        "Which one is really larger, the {a} or the {b}?",
        "Which one is both taller and wider in real size, the {a} or the {b}?",
        claim=(
            "Is the {a} larger in real size than the {b}?",
            "Is the {a} really larger than the {b}?",
            "Is the {a} both taller and wider in real size than the {b}?",
        ),
    ),
    "size.smaller": _pair(
        "Which is smaller in real size, the {a} or the {b}?",
        "Which one is really smaller, the {a} or the {b}?",
        "Which one is both shorter and narrower in real size, the {a} or the {b}?",
        claim=(
            "Is the {a} smaller in real size than the {b}?",
            "Is the {a} really smaller than the {b}?",
            "Is the {a} both shorter and narrower in real size than the {b}?",
        ),
    ),
    "size.tallest": _many(
        (
            "Which of these is tallest in real size?",
            "Which of these has the largest real height?",
            "Which of these is really the tallest?",
        ),
        (
            "Which is tallest in real size: {list}?",
            "Which has the largest real height: {list}?",
            "Which is really the tallest: {list}?",
        ),
    ),
}

FORMS: dict[str, Form] = {**NEARER, **DIRECTION, **DISTANCE, **HYPOTHETICAL, **LOCALIZATION, **SIZE}


# ---------------------------------------------------------------- filling
def metres(value: float) -> str:
    """A length in metres as text: one decimal below 10 m, none above (``2.4 m``, ``12 m``)."""
    rounded = round(float(value), 1)
    return f"{rounded:.1f} {METRE}" if rounded < 10 else f"{round(float(value))} {METRE}"


def point(x: float, y: float) -> str:
    """A place in the picture: percent of width from the left, percent of height from the top (``(35, 70)``)."""
    return f"({round(x)}, {round(y)})"


def listing(names: Sequence[str]) -> str:
    """``the a, the b or the c``."""
    *head, last = [f"the {name}" for name in names]
    return f"{', '.join(head)} or {last}" if head else last


def multiple_choice(question: str, options: Sequence[str]) -> str:
    """The one text format of multiple choice, in training and evaluation: question, then one ``A. option`` a line."""
    return "\n".join([question, *(f"{letter}. {option}" for letter, option in zip(LETTERS, options))])


# ---------------------------------------------------------------- words (a tokenizer may be made from them)
_ATOM = re.compile(r"[A-Za-z]+|\d+|[^\sA-Za-z\d]")


def atoms(text: str) -> list[str]:
    """Words, whole numbers and single signs of a text: ``"2.4 m?"`` is ``["2", ".", "4", "m", "?"]``."""
    return _ATOM.findall(text)


def _literal(template: str) -> str:
    return " ".join(text for text, *_ in string.Formatter().parse(template))


def wording_hash() -> str:
    """Short hash of all wordings and answers: questions made with other words are other questions."""
    said = [[name, *form.wordings(), *form.answers.values()] for name, form in FORMS.items()]
    return hashlib.sha256(repr((said, AT)).encode()).hexdigest()[:12]


def all_words() -> set[str]:
    """Every word, sign, option letter and whole number (0-100) that wording can produce, object names aside.

    Numbers are whole numbers here: ``2.4 m`` is made of ``2``, ``.``, ``4`` and ``m`` (see `atoms`).
    """
    words = {YES, NO, METRE, *LETTERS, *(str(n) for n in range(101)), *atoms("(1, 1) 1.1"), "the", "or"}
    for form in FORMS.values():
        for text in (*form.wordings(), *form.answers.values()):
            words.update(atoms(_literal(text)))
    for text in (*AT.values(), listing("abc").replace("the c", "the")):
        words.update(word for word in atoms(text) if word not in "ab")
    return words


def vocabulary() -> list[str]:
    """`all_words`, sorted."""
    return sorted(all_words())


def example_texts(names: Sequence[str]) -> list[str]:
    """Every wording once, filled with the given object names and with numbers: a corpus for a small tokenizer."""
    if len(names) < 4:
        raise ValueError("at least four names are needed to fill every wording")
    texts = []
    for n, form in enumerate(FORMS.values()):
        for k, wording in enumerate(form.wordings()):
            a, b, c, d = (names[(n + k + i) % len(names)] for i in range(4))
            filled = wording.format(
                a=a, b=b, x=a, y=b, z=c, at=AT[bool(k % 2)], d=metres(0.5 + k / 10), list=listing([b, c, d])
            )
            texts.append(multiple_choice(filled, [a, point(5 * k % 100, 5 * n % 100), metres(n + k / 10), YES]))
    return texts
