"""What is sent to the model: the exact text around an item's question and options, and the rule that reads the reply.

``plain``       question and "A. option" lines, nothing else: the form of the package's own training rows (world bench).
``direct``      the same, then a line that asks for the letter alone.
``manual_cot``  numbered steps and a last line "Answer: LETTER"; our own words, not OmniSpatial's.
``official:PROMPT_TYPE+EVAL_TYPE``  OmniSpatial's own strings, out of a file of the user's, recognised by SHA-256.
"""

from __future__ import annotations

import ast
import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pseudogd.benchmarks.items import LETTERS, Item
from pseudogd.errors import InputError

# SHA-256 of the published UTF-8 strings. The strings themselves are not ours to hand on.
OFFICIAL = {
    "c1158592c02cbeb7c2c718c02e310e5e6a8ac313443b640bd3371ff1050cada5": ("system", "none"),
    "6878ab27a0921ceedabc045e58ba11eca6c039b81325eb46f18263ec281c7bcf": ("system", "zeroshot_cot"),
    "0751291720dc549a943afdb0e07b51303116a520dc04e46a1cff422fabb4f9db": ("system", "manual_cot"),
    "5c94958dbf5e2b929bd43f4791d74d43efffddbe9f308e1b1bd2774e7fa341b9": ("format", "re"),
    "072b01ffabcfc2b034487435009363b99085e0e952fa6c358bb0025594de361b": ("format", "json"),
    "d445ba69226a813e828584b539e69318639047a14f69aeb79b872bc0ed3a4c55": ("format", "direct"),
}
# The system strings again with every line right-stripped, as other frameworks carry them.
OFFICIAL_STRIPPED = {
    "3f9efac2c6eaab4f51ba5d19b7e15aa64d6a2fa7df4376abaa911e34139f942c": ("system", "none"),
    "16b246da9617fdf5b24659c0663b48a4a1f50e14c3e9a79e4e6838e49e17d9e8": ("system", "zeroshot_cot"),
    "dc7f1b27997ce6823bc166911e76e00dd5927af3c8f55d995474ea654f01c805": ("system", "manual_cot"),
}

_DIRECT = "Answer with the letter of the right option and nothing else."
_MANUAL_COT = """You answer multiple-choice questions about the space that a picture shows.

You are given one picture, one question about it and its options.
Work in this order:
1. Look: note the things that the question speaks of, where they are and which way they face.
2. Split: say what has to be found out, step by step.
3. Reason: use depth, size and direction; where the question takes another point of view, go there first.
4. Choose: pick the option that fits best, even if you are not sure.
Write the steps briefly. The last line must be "Answer: " followed by the letter of the option."""

MAX_NEW_TOKENS = {"plain": 8, "direct": 8, "manual_cot": 1024}


@dataclass(frozen=True)
class Prompt:
    """One way to ask. ``rule`` is the official extraction rule of its format; ``origin`` says whose words they are."""

    name: str
    rule: str
    origin: str
    before: str = ""
    after: str = ""
    max_new_tokens: int = 8

    def text(self, item: Item) -> str:
        """The user's text, whole: instruction (if any), question, "A. option" lines, closing line (if any)."""
        return f"{self.before}{question_block(item)}{self.after}"

    def describe(self) -> dict[str, Any]:
        """Everything that is needed to ask again in the same way."""
        template = f"{self.before}{{question}}\nA. {{option}}\nB. {{option}} ...{self.after}"
        return {"name": self.name, "origin": self.origin, "template": template, "turn": "one user turn, image first"}


def question_block(item: Item) -> str:
    """Question, then one line per option; nothing after the last."""
    lines = [f"{letter}. {option}" for letter, option in zip(LETTERS, item.options)]
    return "\n".join([item.question, *lines])


def get_prompt(name: str, file: str | Path | None = None) -> Prompt:
    """A prompt by name. ``official:manual_cot+re`` needs ``file``, the user's own copy of OmniSpatial's strings.

    Raises ``InputError`` for an unknown name, or for a file in which the strings are not recognised.
    """
    ours = "pseudogd's own words"
    if name.startswith("official"):
        return _official_prompt(name, file)
    if name == "plain":
        return Prompt("plain", "direct", ours, max_new_tokens=MAX_NEW_TOKENS["plain"])
    if name == "direct":
        return Prompt("direct", "direct", ours, after=f"\n{_DIRECT}", max_new_tokens=MAX_NEW_TOKENS["direct"])
    if name == "manual_cot":
        origin = f"{ours}: the steps of OmniSpatial's manual_cot + re, not its text"
        return Prompt("manual_cot", "re", origin, f"{_MANUAL_COT}\n\n", max_new_tokens=MAX_NEW_TOKENS["manual_cot"])
    raise InputError(f"prompt {name!r} is not known; one of plain, direct, manual_cot, official:PROMPT_TYPE+EVAL_TYPE")


def _official_prompt(name: str, file: str | Path | None) -> Prompt:
    """OmniSpatial's one-turn layout (its local runners): system, newline, format, empty line, question, options."""
    prompt_type, _, rule = (name.partition(":")[2] or "manual_cot+re").partition("+")
    rule = rule or "re"
    if file is None:
        raise InputError(f"prompt {name!r} needs OmniSpatial's own strings: give your copy of its system_prompts.py")
    found = recognise(file)
    absent = [label for key, label in _wanted(prompt_type, rule) if key not in found]
    if absent:
        have = ", ".join(" ".join(key) for key in sorted(found)) or "nothing"
        raise InputError(f"{file}: {' and '.join(absent)} not found by SHA-256 (recognised here: {have})")
    (system, exact), (form, _) = found["system", prompt_type], found["format", rule]
    origin = "official" if exact else "official up to white space"
    tokens = MAX_NEW_TOKENS["direct"] if rule == "direct" else MAX_NEW_TOKENS["manual_cot"]
    return Prompt(f"official:{prompt_type}+{rule}", rule, origin, f"{system}\n{form}\n\n", max_new_tokens=tokens)


def _wanted(prompt_type: str, rule: str) -> list[tuple[tuple[str, str], str]]:
    return [
        (("system", prompt_type), f"the system string {prompt_type!r}"),
        (("format", rule), f"the format string {rule!r}"),
    ]


def recognise(file: str | Path) -> dict[tuple[str, str], tuple[str, bool]]:
    """Official strings in a ``.py`` (read, never run), ``.json`` or text file: (kind, name) → (string, exact?)."""
    found: dict[tuple[str, str], tuple[str, bool]] = {}
    for text in _strings(Path(file)):
        key = OFFICIAL.get(_sha256(text))
        if key:
            found[key] = (text, True)
            continue
        key = OFFICIAL_STRIPPED.get(_sha256(_right_stripped(text)))
        if key:
            found.setdefault(key, (text, False))
    return found


def _strings(path: Path) -> Iterable[str]:
    try:
        # Bytes, not text mode: the hashes are of the bytes, so line ends must not be translated.
        source = path.read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read as a UTF-8 prompt file ({error})") from error
    try:
        if path.suffix == ".py":
            nodes = ast.walk(ast.parse(source))
            return [node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)]
        if path.suffix == ".json":
            return list(_leaves(json.loads(source)))
    except (SyntaxError, ValueError, RecursionError) as error:
        raise InputError(f"{path}: cannot be read as {path.suffix[1:]} ({error})") from error
    return [source]


def _leaves(value: Any) -> Iterable[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from _leaves(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _leaves(inner)


def _right_stripped(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.split("\n"))


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8")).hexdigest()
