"""A recipe under examination, as far as its memory is estimated, and students larger than tiny."""

import pytest
import torch
from helpers.grown import grown
from helpers.tiny import FAMILIES
from helpers.tiny_data import save_tiny_data

from pseudogd.training.doctor import LOOKS
from pseudogd.training.doctor.case import Case, Diagnosis

WIDTH = 128
VISION = {
    "llava": {"hidden_size": WIDTH, "intermediate_size": 4 * WIDTH, "num_attention_heads": 4},
    "smolvlm": {"hidden_size": WIDTH, "intermediate_size": 4 * WIDTH, "num_attention_heads": 4},
    "qwen2_5_vl": {
        "hidden_size": WIDTH,
        "intermediate_size": 3 * WIDTH,
        "num_heads": 4,
        "out_hidden_size": 2 * WIDTH,
    },
}
TEXT = {
    "hidden_size": 2 * WIDTH,
    "intermediate_size": 6 * WIDTH,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 64,
    "vocab_size": 2000,
}
ROPE = {"rope_type": "default", "rope_theta": 1e4, "mrope_section": [8, 12, 12]}


@pytest.fixture
def case_of(recipe_of):
    """`case_of(optim__batch_size=4)`: all looks up to memory, taken at the room's tiny student."""

    def look(**changes):
        recipe = recipe_of(**changes)
        case = Case(recipe, lambda: None, None, torch.device("cpu"), Diagnosis(recipe))
        for name, (take, _) in LOOKS.items():
            take(case)
            if name == "memory":
                return case

    return look


@pytest.fixture(scope="session")
def medium(tmp_path_factory):
    """`medium("llava")`: a folder with a few million random weights, and a data folder of photos for it."""
    made = {}

    def of(family):
        if not made:
            made["data"] = save_tiny_data(
                tmp_path_factory.mktemp("medium"), photos=4, turns=6, size=[(150, 97), (97, 150)]
            )
        if family not in made:
            folder = FAMILIES[family].save(tmp_path_factory.mktemp(family))
            text = dict(TEXT, rope_parameters=ROPE) if family.startswith("qwen") else TEXT
            made[family] = grown(folder, VISION[family], text)
        return {"model__path": str(made[family]), "data__path": str(made["data"])}

    return of
