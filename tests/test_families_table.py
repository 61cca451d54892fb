"""The table of docs/families.md says what the tests said."""

from helpers.families_table import COLUMNS, Outcomes


def test_a_cell_is_as_good_as_its_worst_test_and_holes_have_reasons():
    outcomes = Outcomes()
    for column in COLUMNS:
        outcomes.add("a", column, "passed")
        outcomes.add("b", column, "skipped" if column in ("DDP", "serve") else "passed", f"no {column} here")
    outcomes.add("a", "LoRA", "failed")
    outcomes.add("b", "export", "skipped", "one variant of many")
    assert outcomes.complete(["a", "b"]) and not outcomes.complete(["a", "b", "c"])
    lines = outcomes.table(["a", "b"]).splitlines()
    a, b = ([cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:4])
    assert a[1:] == ["fails" if column == "LoRA" else "✓" for column in COLUMNS]
    assert b[1 + COLUMNS.index("DDP")] == "– [1]" and b[1 + COLUMNS.index("serve")] == "– [2]"
    assert b[1 + COLUMNS.index("export")] == "✓"
    assert lines[-2:] == ["1. no DDP here", "2. no serve here"]
