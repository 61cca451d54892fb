"""Write docs/tasks.md: every task and form, with a question that golden scenes ask.

python tools/tasks_table.py [--check]
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

from pseudogd.vqa.fact import Fact
from pseudogd.vqa.render import Words, formats_of, render
from pseudogd.vqa.selftest.oracles import rooms_of
from pseudogd.vqa.selftest.run import facts_in
from pseudogd.vqa.tasks import TASKS, forms, module_of

PAGE = Path(__file__).parent.parent / "docs" / "tasks.md"
HEAD = """# Tasks

Every kind of question that `pseudogd synth` asks. *Quota*: most questions per photo by default; *kind*: what the
geometry must be able to say (`ordinal`: depth order; `ratio`, `bearing`: true shape, so a camera and depth right up to
one factor; `metric`: metres). Each form has its own guards; what they are, its frame and its formula stand at the top
of the task's file in `src/pseudogd/vqa/tasks/`. Examples are of golden scenes (`pseudogd selftest`). Made by
`python tools/tasks_table.py`.
"""


def examples(task: str) -> dict[str, Fact]:
    """The first fact of each form."""
    found: dict[str, Fact] = {}
    for room in rooms_of(task):
        for fact in facts_in(room.scene(), task, [0]):
            found.setdefault(fact.form, fact)
    return found


def line(form: str, fact: Fact | None) -> str:
    wordings = len(set(forms()[form].wordings()))
    if fact is None:
        return f"| `{form}` | | {wordings} | | |"
    shown = next(fmt for fmt in ("open", "mc", "yesno") if fmt in formats_of(fact))
    words = render(fact, shown, np.random.default_rng(0), Words(numbers="honest"))
    text = words.question if words.options is None else f"{words.question} {' / '.join(words.options)}"
    answer = words.answer if words.options is None else words.options[words.answer_index or 0]
    cells = [
        f"`{form}`",
        fact.kind,
        str(wordings),
        text.replace("|", "\\|").replace("\n", " "),
        answer.replace("\n", " "),
    ]
    return f"| {' | '.join(cells)} |"


def page() -> str:
    parts = [HEAD]
    for task in TASKS:
        module = module_of(task)
        title = (module.__doc__ or "").strip().splitlines()[0]
        found = examples(task)
        rows = [line(form, found.get(form)) for form in module.FORMS]
        steps = "; answers with steps" if hasattr(module, "steps") else ""
        parts.append(
            f"## {task}\n\n{title} Quota {module.QUOTA:g}{steps}.\n\n"
            "| form | kind | wordings | example | answer |\n| --- | --- | --- | --- | --- |\n" + "\n".join(rows) + "\n"
        )
    return "\n".join(parts)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="only say whether the page is as it would be written")
    text = page()
    if parser.parse_args().check:
        sys.exit(0 if PAGE.is_file() and PAGE.read_text(encoding="utf-8") == text else "docs/tasks.md is out of date")
    PAGE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
