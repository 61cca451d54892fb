"""Two ranks train one recipe after another: torchrun ddp_families.py RECIPE.yaml... (see test_every_family.py)."""

import sys

import torch

from pseudogd.training.recipe import load_recipe
from pseudogd.training.train import run_training

torch.set_num_threads(1)
for path in sys.argv[1:]:
    run_training(load_recipe(path), quiet=True, check=False)
