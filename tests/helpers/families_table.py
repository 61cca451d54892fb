"""The table of docs/families.md, made of the outcomes of the tests that bear `@pytest.mark.column`.

A cell is a tick where every test of that family and column passed, "fails" where one did not, and otherwise a footnote
with the reason that the test gave for being skipped. `pytest --write-families` writes the page; every run that filled
all of the table sees that the page has the same.
"""

from __future__ import annotations

from pathlib import Path

COLUMNS = (
    "painted picture",
    "joint step",
    "LoRA",
    "checkpointing",
    "accumulation",
    "resume",
    "DDP",
    "FSDP2",
    "export",
    "serve",
)
PAGE = Path(__file__).parents[2] / "docs" / "families.md"
BEGIN, END = "<!-- begin: written by the tests -->", "<!-- end -->"


class Outcomes:
    """What the tests of every cell said."""

    def __init__(self) -> None:
        self.cells: dict[tuple[str, str], list[tuple[str, str]]] = {}

    def add(self, family: str, column: str, outcome: str, reason: str = "") -> None:
        """`outcome` is passed, failed or skipped."""
        self.cells.setdefault((family, column), []).append((outcome, reason))

    def complete(self, families: list[str]) -> bool:
        """Whether every cell has been tested."""
        return all((family, column) in self.cells for family in families for column in COLUMNS)

    def table(self, families: list[str]) -> str:
        """Markdown, with footnotes for what was skipped."""
        notes: list[str] = []
        lines = [f"| family | {' | '.join(COLUMNS)} |", "| --- |" + " :-: |" * len(COLUMNS)]
        for family in families:
            cells = [self._cell(self.cells.get((family, column), []), notes) for column in COLUMNS]
            lines.append(f"| `{family}` | {' | '.join(cells)} |")
        lines += ["", *(f"{number}. {note}" for number, note in enumerate(notes, 1))] if notes else []
        return "\n".join(lines)

    @staticmethod
    def _cell(outcomes: list[tuple[str, str]], notes: list[str]) -> str:
        said = {outcome for outcome, _ in outcomes}
        if not said:
            return "?"
        if "failed" in said:
            return "fails"
        if "passed" in said:
            return "✓"
        reason = outcomes[0][1]
        if reason not in notes:
            notes.append(reason)
        return f"– [{notes.index(reason) + 1}]"


def written() -> str:
    """The table that the page has."""
    text = PAGE.read_text(encoding="utf-8")
    return text.partition(BEGIN)[2].partition(END)[0].strip()


def write(table: str) -> None:
    """Put the table into the page."""
    text = PAGE.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    PAGE.write_text(f"{before}{BEGIN}\n{table}\n{END}{rest.partition(END)[2]}", encoding="utf-8")
