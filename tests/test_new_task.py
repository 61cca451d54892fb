"""The task of docs/new-task.md works as the page says."""

import re
import sys
import types
from pathlib import Path

import pytest

from pseudogd.vqa import tasks
from pseudogd.vqa.selftest import oracles, run

PAGE = (Path(__file__).parent.parent / "docs" / "new-task.md").read_text(encoding="utf-8")


@pytest.fixture
def offside(monkeypatch):
    code, oracle = re.findall(r"^```python\n(.*?)^```", PAGE, flags=re.M | re.S)
    for package, source in ((tasks, code), (oracles, oracle)):
        module = types.ModuleType(f"{package.__name__}.offside")
        exec(compile(source, "new-task.md", "exec"), module.__dict__)
        monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr(tasks, "TASKS", (*tasks.TASKS, "offside"))
    tasks.forms.cache_clear()
    yield "offside"
    tasks.forms.cache_clear()
    tasks.module_of.cache_clear()


def test_the_example_passes_every_check(offside):
    checks = run.check_task(offside)
    assert sum(check.count for check in checks) > 100
    assert not [flaw for check in checks for flaw in check.flaws]
    scene = run.rooms_of(offside)[0].scene()
    fact = run.facts_in(scene, offside, [0])[0]
    assert "off the middle" in tasks.module_of(offside).steps(fact)[0]


def test_the_table_of_tasks_is_up_to_date():
    sys.path.insert(0, str(Path(__file__).parent.parent / "tools"))
    try:
        import tasks_table
    finally:
        sys.path.pop(0)
    assert tasks_table.PAGE.read_text(encoding="utf-8") == tasks_table.page()
