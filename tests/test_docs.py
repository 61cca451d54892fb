"""What the pages state as fact about the code is what the code does."""

import re
from pathlib import Path

import pytest

from pseudogd.distill.kinds import KINDS, TERMS, JointWeights
from pseudogd.store.schemas import SCHEMAS
from pseudogd.training.recipe import KNOWN_KEYS, parse_recipe
from pseudogd.vqa.settings import DEFAULT_TASKS
from pseudogd.world.layout import SPLITS

DOCS = Path(__file__).parents[1] / "docs"
HOW = (DOCS / "how-it-works.md").read_text(encoding="utf-8")


def section(text: str, heading: str) -> str:
    return text.split(f"\n## {heading}\n")[1].split("\n## ")[0]


def table(text: str) -> list[list[str]]:
    rows = [
        [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in text.splitlines() if line[:1] == "|"
    ]
    return [row for row in rows if not set("".join(row)) <= set(":-")]


def test_the_table_of_label_kinds_is_the_programs():
    head, *rows = table(section(HOW, "Label kinds"))
    assert [cell.replace("φ", "phi").replace(" + ", "_") for cell in head[1:]] == list(TERMS)
    stated = [tuple(term for term, mark in zip(TERMS, row[1:]) if mark) for row in rows]
    assert stated == list(KINDS.values())


def test_the_weights_are_the_programs():
    stated = {row[0]: float(row[2]) for row in table(section(HOW, "Losses"))[1:]}
    assert stated == {name: getattr(JointWeights(), name) for name in stated}
    assert set(stated) == {*JointWeights.__dataclass_fields__} - {"anchor", "gram"}


SECTIONS = ("optim.", "geometry.", "data.", "checkpoint.")
GROUPS = ("optim.lr", "geometry.weights", "data.path")  # two groups of keys, and one without a default


@pytest.mark.parametrize("key", [k for k in KNOWN_KEYS if k.startswith(SECTIONS) and k not in GROUPS])
def test_every_choice_of_the_recipe_has_a_reason(key):
    cells = [row[0] for row in table(section(HOW, "Every default and its reason"))[1:]]
    group, leaf = key.rsplit(".", 1)
    alike = [f"`{key}`", f"`{group}.*`"]
    assert any(name in cell for name in alike for cell in cells) or any(
        f"`.{leaf}`" in cell and cell.startswith(f"`{group}.") for cell in cells
    )


def test_single_defaults_are_the_programs():
    recipe = parse_recipe({"out": "x", "model": {"path": "m"}, "data": {"path": "d"}}).to_dict()
    for row in table(section(HOW, "Every default and its reason"))[1:]:
        keys = re.findall(r"`([\w.*]+)`", row[0])
        if len(keys) != 1 or "*" in keys[0]:
            continue
        value = recipe
        for part in keys[0].split("."):
            value = value[part]
        words = {None: "null", True: "true", False: "false"}
        plain = words[value] if value is None or isinstance(value, bool) else str(value)
        assert row[1] == plain or float(row[1]) == value, keys[0]


def test_quotas_of_questions():
    said = section(HOW, "Every default and its reason")
    for quota, task in re.findall(r"([\d.]+) `(\w+)`", said):
        assert DEFAULT_TASKS.get(task) in (None, float(quota)), task


@pytest.mark.parametrize("stage", ["geometry", "questions"])
def test_every_column_is_explained(stage):
    text = section((DOCS / "data-format.md").read_text(encoding="utf-8"), "The data folder")
    for name in SCHEMAS[stage].names:
        assert f"`{name}`" in text, name


def test_the_ranges_of_the_world():
    text = section((DOCS / "embedded.md").read_text(encoding="utf-8"), "The world")
    rows = {row[0]: row[1:] for row in table(text)}
    stated = {"field of view": "fov", "camera height": "height", "factor on": "size", "side of": "room"}
    for words, attribute in stated.items():
        (cells,) = [cells for name, cells in rows.items() if words in name]
        for cell, split in zip(cells, ("train", "held_out")):
            ranges = [tuple(map(float, part.split("–"))) for part in cell.split(", ")]
            assert ranges == [tuple(map(float, r)) for r in getattr(SPLITS[split], attribute)], (words, split)


@pytest.mark.slow
def test_the_geometry_branch_alone_runs(tmp_path, monkeypatch):
    import numpy as np
    from helpers.tiny_data import plane
    from PIL import Image

    from pseudogd.student.chat import chat_text, encode_chats, user_turn
    from pseudogd.world import checkpoint

    (tmp_path / "student").symlink_to(checkpoint("student"))
    monkeypatch.chdir(tmp_path)
    features, code = re.findall(r"^```python\n(.*?)^```", HOW, flags=re.M | re.S)
    names: dict = {}
    exec(compile(code, "how-it-works.md", "exec"), names)
    exec("import torch\nfrom pseudogd.student.joint import Joint\n" + features, names)
    processor, photo = names["student"].processor, Image.new("RGB", (64, 64), "gray")
    turn = [user_turn("Is there a chair?"), {"role": "assistant", "content": [{"type": "text", "text": "yes"}]}]
    inputs = encode_chats(processor, [chat_text(processor, turn)], [photo], "right")
    inputs["labels"] = inputs["input_ids"].clone()
    views = names["targets"](photo.size, plane(np.random.default_rng(0), 64), inputs, 0)
    batch = names["GeometryBatch"].collate([views])
    out = names["joint"](inputs, batch, lam=0.3)
    out.loss.backward()
    tower = names["family"].tower(names["student"].model)
    assert out.geometry_loss > 0 and any(p.grad is not None and p.grad.abs().sum() > 0 for p in tower.parameters())

    class OfOnes(names["WithFeatures"]):
        def features(self, geometry):
            width = self.family.tower_width
            return names["torch"].ones(sum(group.tokens.numel() for group in geometry.groups), width)

    joint = names["joint"]
    with_term = OfOnes(joint.model, joint.family, joint.head, taps=joint.taps)(inputs, batch, lam=0.3)
    assert 0 < with_term.teacher_loss < 2 and with_term.loss > with_term.lm_loss
