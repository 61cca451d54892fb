"""Reply → option letter, by the official rule of each format and by a lenient one.

The official rules are OmniSpatial's, as published in its evaluation code: in two of its three formats a reply that
cannot be read counts as "A". That earns credit wherever the truth is A, so a failure is kept apart from a letter and
both scores are reported.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

from pseudogd.benchmarks.items import LETTERS

FORMATS = ("direct", "re", "json")
FALLBACK = "A"


@dataclass(frozen=True)
class Parsed:
    """``official``: what the official scorer would take ("" for nothing). ``strict``: the same letter, None where it
    had to fall back or took a character that is no option.

    ``lenient``: the letter a careful reader would take, None where the reply names no option or several.
    """

    official: str
    strict: str | None
    lenient: str | None


def parse(reply: str, options: Sequence[str], rule: str = "direct") -> Parsed:
    """Read a reply by the official rule of its format (``direct``, ``re`` or ``json``) and by the lenient rule."""
    strict = parse_official(reply, rule)
    official = (FALLBACK if rule != "direct" else "") if strict is None else strict
    # The direct rule takes any first character as an answer; only a letter of an option says something.
    known = strict if strict is not None and strict in LETTERS[: len(options)] else None
    return Parsed(official, known, parse_lenient(reply, options))


def parse_official(reply: str, rule: str) -> str | None:
    """What OmniSpatial's scorer extracts; None where it would fall back to "A"."""
    if rule == "re":
        # Any case, yet not upper-cased: "answer: b" is taken as "b" and is wrong. The last match counts.
        found = re.findall(r"answer\s*:\s*([A-D])\b", reply, flags=re.IGNORECASE)
        return found[-1] if found else None
    if rule == "direct":
        stripped = reply.strip()
        return stripped[0].upper() if stripped else None
    if rule == "json":
        return _official_json(reply)
    raise ValueError(f"unknown answer format {rule!r}; one of {', '.join(FORMATS)}")


def _official_json(reply: str) -> str | None:
    text = reply.strip()
    text = re.sub(r"^```(?:json)?\s*", "", text)
    text = re.sub(r"\s*```$", "", text)
    try:
        answer = json.loads(text)["answer"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return answer.strip()[0].upper() if isinstance(answer, str) and answer.strip() else None


def parse_lenient(reply: str, options: Sequence[str]) -> str | None:
    """The one option that the reply names, by letter or by text; None if it names none or cannot be told apart."""
    letters = LETTERS[: len(options)]
    text = re.sub(r"<think>.*?</think>", " ", reply, flags=re.DOTALL | re.IGNORECASE).strip()
    for rule in (_declared, _leading, _whole_text, _lone_letter, _lone_text):
        letter = rule(text, letters, options)
        if letter:
            return letter
    return None


# A letter is an answer when it stands alone: "A car is turning left" begins with an article.
_ALONE = r"(?=\s*(?:$|[\n.,;:!?)\]}}>*\"'`<]|because\b|since\b|as\b|is\b))"
_OPEN = r"[\s(\[{<*_\"'`$]*"


def _declared(text: str, letters: str, options: Sequence[str]) -> str | None:
    """ "Answer: B", "the answer is (B).", "**Answer:** B", "\\boxed{B}", "<answer>B</answer>": the last one."""
    group = f"([{letters}])"
    patterns = (
        rf"\\boxed\s*\{{{_OPEN}(?:\\text\s*\{{)?{group}{_ALONE}",
        rf"<answer>{_OPEN}{group}{_ALONE}",
        rf"answer\b[\"'*_\s]*(?::|is\b|=)[\s:]*{_OPEN}(?:option\s+|choice\s+)?{_OPEN}{group}{_ALONE}",
    )
    found = [match for pattern in patterns for match in re.finditer(pattern, text, flags=re.IGNORECASE)]
    return max(found, key=lambda match: match.start()).group(1).upper() if found else None


def _leading(text: str, letters: str, options: Sequence[str]) -> str | None:
    """ "B", "(B)", "B. the chair", "b)", "B the chair" (when that is option B)."""
    match = re.match(rf"{_OPEN}(?:option\s+|choice\s+)?{_OPEN}([{letters}]){_ALONE}", text, flags=re.IGNORECASE)
    if match:
        rest = set(_standing_letters(text[match.end() :], letters)) - {match.group(1).upper()}
        listed = re.match(r"\s*(?:,|\bor\b|\band\b|/)", text[match.end() :])
        return None if rest and listed else match.group(1).upper()
    first, _, rest_text = text.partition(" ")
    if len(first) == 1 and first in letters and _plain(rest_text) == _plain(options[letters.index(first)]):
        return first
    return None


def _whole_text(text: str, letters: str, options: Sequence[str]) -> str | None:
    """The reply is exactly one option's text, with or without an article."""
    same = [letter for letter, option in zip(letters, options) if _plain(option) == _plain(text) != ""]
    return same[0] if len(same) == 1 else None


def _lone_letter(text: str, letters: str, options: Sequence[str]) -> str | None:
    """Exactly one capital option letter stands alone in the reply: "I would choose B." """
    standing = set(_standing_letters(text, letters))
    return standing.pop() if len(standing) == 1 else None


def _standing_letters(text: str, letters: str) -> list[str]:
    found = []
    for match in re.finditer(rf"(?<![A-Za-z0-9'’])([{letters}])(?![A-Za-z0-9'’])", text):
        article = match.group(1) in "AI" and re.match(
            r" (?!(?:or|and|is|because|since|as)\b)[a-z]", text[match.end() :]
        )
        if not article:
            found.append(match.group(1))
    return found


def _lone_text(text: str, letters: str, options: Sequence[str]) -> str | None:
    """Exactly one option's text occurs in the reply (an option inside a longer one that occurs does not count)."""
    reply = f" {_plain(text)} "
    inside = [(letter, _plain(option)) for letter, option in zip(letters, options)]
    inside = [(letter, option) for letter, option in inside if option and f" {option} " in reply]
    longest = [
        letter
        for letter, option in inside
        if not any(option != other and f" {option} " in f" {other} " for _, other in inside)
    ]
    return longest[0] if len(longest) == 1 else None


def _plain(text: str) -> str:
    """Lower-case words and numbers, without punctuation at word ends and without a leading article."""
    words = [word.strip(".,;:!?()[]{}*_\"'`<>") for word in text.lower().split()]
    words = [word for word in words if word]
    if words and words[0] in ("the", "a", "an"):
        words = words[1:]
    return " ".join(words)
