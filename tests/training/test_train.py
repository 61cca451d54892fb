"""Whole runs on a tiny student: exact resume, refusals, clean files on disk."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
import torch
from safetensors.torch import load_file

from pseudogd.errors import PseudoGDError, SettingsMismatch
from pseudogd.training import train
from pseudogd.training.checkpoints import checkpoints
from pseudogd.training.train import run_training


def weights(run):
    found = load_file(run / "model" / "model.safetensors")
    head = run / "geometry_head.safetensors"
    return found | ({f"head.{k}": v for k, v in load_file(head).items()} if head.exists() else {})


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)


def run(recipe, **options):
    return run_training(recipe, quiet=True, check=False, **options)


def test_a_run_leaves_what_the_design_says(recipe_of):
    result = run(recipe_of())
    names = {path.name for path in result.out.iterdir()}
    assert names == {"recipe.yaml", "metrics.jsonl", "train.json", "checkpoint-4", "model", "geometry_head.safetensors"}
    print(result)
