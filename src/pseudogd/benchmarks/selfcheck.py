"""The scorer judged: what is right counts, what is wrong does not, whatever the reply looks like."""

from __future__ import annotations

from pathlib import Path

from pseudogd.benchmarks.items import LETTERS, Item
from pseudogd.benchmarks.parsing import FORMATS
from pseudogd.benchmarks.scoring import score

_SAID = ("{letter}", "{letter}.", "({letter})", "The answer is {letter}.", "{letter}. {text}")


def scorer_flaws() -> list[str]:
    """A scorer once wrote the prediction over the truth, and every reply was right: a line for each wrong verdict."""
    options = ("red card", "blue card", "green card", "white card")
    flaws = []
    for answer in range(len(options)):
        item = Item("0", "0", "Which is nearest?", options, answer, "t", "s", Path("images/0.png"))
        for rule in FORMATS:
            for said in range(len(options)):
                for form in _SAID:
                    reply = form.format(letter=LETTERS[said], text=options[said])
                    row = score(item, "", reply, "", rule, Path())
                    if row["correct"] != (said == answer) or row["answer"] != answer:
                        flaws.append(f"reply {reply!r} to an answer {LETTERS[answer]} counts as {row['correct']}")
            if score(item, "", "I do not know", "", rule, Path())["correct"]:
                flaws.append("a reply that names no option counts as right")
    return flaws
