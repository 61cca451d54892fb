"""What every named recipe asks of a GPU's memory, by the doctor's formulas, on the real sizes of its model.

    python tools/recipe_costs.py           # print the table of docs/recipes.md
    python tools/recipe_costs.py --write   # put it there

No weights are needed: a model of the published sizes is made on torch's meta device, and the batch is one that the
model's own way of reading photos makes of `PHOTO` and of as many questions as the recipe puts into a row. Runs from a
checkout: processors are those of the tests, set to read photos as the published ones do. Nothing here ran on a GPU.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

PHOTO = (1024, 768)
QUESTION, ANSWER = 50, 6
"""Tokens of a question with its answer, and of the answer alone: what a label of the data usually has."""
GPUS = 8
"""Of a recipe with `optim.fsdp`; others have one."""
BEGIN, END = "<!-- written by tools/recipe_costs.py -->", "<!-- end -->"
PAGE = ROOT / "docs" / "recipes.md"


@dataclass(frozen=True)
class Published:
    """The sizes of a model as its checkpoint's config.json states them.

    Attributes:
        family: whose tiny checkpoint has its processor. parameters: as its model card counts them.
        vision, text: keys of the two configs.
        save: options of the tiny checkpoint. images: settings of its image processor.
        top: keys of the model's own config.
    """

    family: str
    parameters: float
    vision: Mapping[str, Any]
    text: Mapping[str, Any]
    save: Mapping[str, Any] = field(default_factory=dict)
    images: Mapping[str, Any] = field(default_factory=dict)
    top: Mapping[str, Any] = field(default_factory=dict)


def _text(width: int, inner: int, layers: int, heads: int, groups: int, words: int, **more: Any) -> dict[str, Any]:
    sizes = {"hidden_size": width, "intermediate_size": inner, "num_hidden_layers": layers, "vocab_size": words}
    return {**sizes, "num_attention_heads": heads, "num_key_value_heads": groups, **more}


def _tower(width: int, inner: int, layers: int, heads: int, **more: Any) -> dict[str, Any]:
    sizes = {"hidden_size": width, "intermediate_size": inner, "num_hidden_layers": layers}
    return {**sizes, "num_attention_heads": heads, **more}


def _qwen2_5(width: int, parameters: float, text: dict[str, Any], tied: bool) -> Published:
    sizes = {"depth": 32, "hidden_size": 1280, "intermediate_size": 3420, "num_heads": 16, "out_hidden_size": width}
    attention = {"window_size": 112, "fullatt_block_indexes": [7, 15, 23, 31]}
    rope = {"rope_parameters": {"rope_type": "default", "rope_theta": 1e6, "mrope_section": [16, 24, 24]}}
    pixels = {"size": {"shortest_edge": 56 * 56, "longest_edge": 28 * 28 * 16384}}
    top = {"tie_word_embeddings": tied}
    return Published("qwen2_5_vl", parameters, {**sizes, **attention}, {**text, **rope, **top}, {}, pixels, top)


def _qwen3(tower: dict[str, Any], deep: list[int], parameters: float, text: dict[str, Any], tied: bool) -> Published:
    vision = {**tower, "num_heads": 16, "out_hidden_size": text["hidden_size"], "deepstack_visual_indexes": deep}
    rope = {"rope_type": "default", "rope_theta": 5e6, "mrope_section": [24, 20, 20], "mrope_interleaved": True}
    pixels = {"size": {"shortest_edge": 256 * 256, "longest_edge": 4096 * 4096}}
    top = {"tie_word_embeddings": tied}
    vision |= {"num_position_embeddings": 2304}
    return Published("qwen3_vl", parameters, vision, {**text, "rope_parameters": rope, **top}, {}, pixels, top)


def _internvl(parameters: float, text: dict[str, Any]) -> Published:
    tower, top = _tower(1024, 4096, 24, 16), {"tie_word_embeddings": False}
    save = {"side": 448, "patch": 14, "image_settings": {"max_patches": 12}}
    return Published("internvl", parameters, tower, {**text, **top}, save, {}, top)


_SO400M = _tower(1152, 4304, 27, 16)
_QWEN2_7B = {"width": 3584, "inner": 18944, "layers": 28, "heads": 28, "groups": 4}
_UNTIED, _TIED = {"tie_word_embeddings": False}, {"tie_word_embeddings": True}

MODELS: dict[str, Published] = {
    "Qwen/Qwen2.5-VL-3B-Instruct": _qwen2_5(2048, 3.75e9, _text(2048, 11008, 36, 16, 2, 151936), True),
    "Qwen/Qwen2.5-VL-7B-Instruct": _qwen2_5(3584, 8.29e9, _text(**_QWEN2_7B, words=152064), False),
    "Qwen/Qwen3-VL-4B-Instruct": _qwen3(
        {"depth": 24, "hidden_size": 1024, "intermediate_size": 4096},
        [5, 11, 17],
        4.44e9,
        _text(2560, 9728, 36, 32, 8, 151936, head_dim=128),
        True,
    ),
    "Qwen/Qwen3-VL-8B-Instruct": _qwen3(
        {"depth": 27, "hidden_size": 1152, "intermediate_size": 4304},
        [8, 16, 24],
        8.77e9,
        _text(4096, 12288, 36, 32, 8, 151936, head_dim=128),
        False,
    ),
    "OpenGVLab/InternVL3-2B-hf": _internvl(2.09e9, _text(1536, 8960, 28, 12, 2, 151674)),
    "OpenGVLab/InternVL3-8B-hf": _internvl(7.94e9, _text(**_QWEN2_7B, words=151674)),
    "llava-hf/llava-onevision-qwen2-7b-ov-hf": Published(
        "llava_onevision",
        8.03e9,
        _tower(1152, 4304, 26, 16),
        {**_text(**_QWEN2_7B, words=152064), **_UNTIED},
        {"side": 384},
        top=_UNTIED,
    ),
    "HuggingFaceTB/SmolVLM2-2.2B-Instruct": Published(
        "smolvlm",
        2.25e9,
        _SO400M,
        {**_text(2048, 8192, 24, 32, 32, 49280), **_UNTIED},
        {"side": 384, "patch": 14, "factor": 3, "tiles": 4},
        top=_UNTIED,
    ),
    "google/gemma-3-4b-it": Published(
        "gemma3",
        4.30e9,
        _SO400M,
        {**_text(2560, 10240, 34, 8, 4, 262208, head_dim=256, sliding_window=1024), **_TIED},
        {"image_size": 896, "tokens": 256},
    ),
    "llava-hf/llava-1.5-7b-hf": Published(
        "llava",
        7.06e9,
        _tower(1024, 4096, 24, 16),
        {**_text(4096, 11008, 32, 32, 32, 32064), **_UNTIED},
        {"image_size": 336, "patch": 14},
        top=_UNTIED,
    ),
}
"""hub id -> sizes."""


def published_config(sizes: Published, folder: Path) -> None:
    """A folder with a processor that reads photos as the published one, and a config of the published sizes."""
    from helpers.tiny import FAMILIES

    FAMILIES[sizes.family].save(folder, **sizes.save)
    path = folder / "config.json"
    config = json.loads(path.read_text())
    config["vision_config"] |= sizes.vision
    for name in ("layer_types", "head_dim"):  # those of the tiny checkpoint, which follow from its other sizes
        config["text_config"].pop(name, None)
    config["text_config"] |= sizes.text
    path.write_text(json.dumps(config | dict(sizes.top)))
    for name in ("processor_config.json", "preprocessor_config.json"):
        if (folder / name).is_file() and sizes.images:
            settings = json.loads((folder / name).read_text())
            settings.get("image_processor", settings).update(sizes.images)
            (folder / name).write_text(json.dumps(settings))


def costs(recipe_path: Path, scratch: Path) -> dict[str, Any]:
    """What one recipe asks of one GPU."""
    from PIL import Image

    from pseudogd.student.load import load_config, load_processor, load_skeleton
    from pseudogd.student.taps import resolve_taps
    from pseudogd.training.doctor.costs import tower_reach
    from pseudogd.training.doctor.estimate import Estimate, part_sizes
    from pseudogd.training.doctor.sizes import Batch
    from pseudogd.training.doctor.student import prepared
    from pseudogd.training.recipe import load_recipe
    from pseudogd.training.setup import with_turns

    recipe = load_recipe(recipe_path)
    sizes, folder = MODELS[recipe.model.path], scratch / recipe.model.path.replace("/", "_")
    if not folder.exists():
        published_config(sizes, folder)
    config = load_config(folder)
    student = load_skeleton(folder, config, load_processor(folder, config), recipe.model.dtype)
    parameters = sum(p.numel() for p in student.model.parameters())
    if abs(parameters / sizes.parameters - 1) > 0.005:
        raise SystemExit(f"{recipe.model.path}: {parameters:,} parameters, but {sizes.parameters:,.0f} are published")
    recipe, family = with_turns(recipe, student), student.family
    pixels = family.encode_photo(Image.new("RGB", PHOTO))
    views, rows = family.views(PHOTO, pixels), recipe.optim.batch_size
    tokens, visual = family.token_count(PHOTO, pixels), family.token_count(PHOTO, pixels, place="projector")
    turns = recipe.data.turns_per_row
    batch = Batch(
        rows=rows,
        length=visual + turns * QUESTION,
        answers=rows * turns * ANSWER,
        tower_tokens=rows * tokens,
        tower_reach=tower_reach(student, tokens // len(views)),
        visual_tokens=rows * visual,
        cells=rows * sum(view.grid[0] * view.grid[1] for view in views),
    )
    model, head = prepared(student, recipe, resolve_taps(recipe.geometry.taps, family, recipe.geometry.place))
    world = GPUS if recipe.optim.fsdp else 1
    trained = sum(size.trained for size in part_sizes(model, family, head).values())
    return {
        "recipe": recipe_path.stem,
        "parameters": parameters,
        "trained": trained,
        "gpus": world,
        "batch": batch,
        "memory": Estimate(model, family, head, recipe, batch, False, world).memory,
    }


def table(rows: Iterable[Mapping[str, Any]]) -> str:
    """One line for each recipe."""
    from pseudogd.training.doctor.words import amount

    head = ("recipe", "parameters", "trained", "GPUs", "rows × tokens", "weights", "gradients", "AdamW")
    lines = [[*head, "activations, logits", "**at most**"], ["---"] * 10]
    for row in rows:
        batch, need = row["batch"], row["memory"]
        sizes = (need.weights, need.gradients, need.optimizer, need.activations + need.logits, need.peak)
        cells = [f"{size / 2**30:.1f}" for size in sizes]
        lines.append(
            [
                f"`{row['recipe']}`",
                amount(row["parameters"]),
                amount(row["trained"]),
                str(row["gpus"]),
                f"{batch.rows} × {batch.length:,}",
                *cells[:-1],
                f"**{cells[-1]}**",
            ]
        )
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def named_recipes() -> list[Path]:
    return sorted(path for path in (ROOT / "recipes").glob("*.yaml") if path.stem.endswith(("_lora", "_full")))


def printed() -> str:
    """The table of docs/recipes.md."""
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    with tempfile.TemporaryDirectory() as scratch:
        return table([costs(path, Path(scratch)) for path in named_recipes()])


def main() -> None:
    text = printed()
    print(text)
    if "--write" in sys.argv[1:]:
        page = PAGE.read_text(encoding="utf-8")
        before, after = page.split(BEGIN)[0], page.split(END)[1]
        PAGE.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
