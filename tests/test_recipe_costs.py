"""The table of memory in docs/recipes.md is what tools/recipe_costs.py prints."""

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CHECKED = (
    *("gemma3_4b_full", "internvl3_2b_full", "llava_1_5_7b_lora", "llava_onevision_7b_lora"),
    *("qwen2_5_vl_3b_lora", "qwen3_vl_4b_lora", "smolvlm2_2b_full"),
)
"""One of each family: all of them take three times as long."""


@pytest.fixture(scope="module")
def tool():
    sys.path.insert(0, str(ROOT / "tools"))
    try:
        import recipe_costs

        yield recipe_costs
    finally:
        sys.path.remove(str(ROOT / "tools"))


@pytest.fixture(scope="module")
def written(tool):
    """recipe -> its line in the docs."""
    page = tool.PAGE.read_text(encoding="utf-8")
    lines = page.split(tool.BEGIN)[1].split(tool.END)[0].strip().splitlines()
    return {line.split("`")[1]: line for line in lines[2:]}


def test_every_named_recipe_is_in_the_table(tool, written):
    assert list(written) == [path.stem for path in tool.named_recipes()]


@pytest.mark.slow
@pytest.mark.parametrize("name", CHECKED)
def test_the_table_is_what_the_tool_prints(name, tool, written, tmp_path):
    row = tool.costs(ROOT / "recipes" / f"{name}.yaml", tmp_path)  # refuses a model of other than the published size
    assert tool.table([row]).splitlines()[-1] == written[name]
