"""`pseudogd audit --thin`: what it names is left out of training and packing, and belongs to these questions alone."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
from helpers import audit_rows as made
from helpers.audit_data import data_of

import pseudogd
from pseudogd import cli, exits
from pseudogd.errors import InputError
from pseudogd.stages import thin as stage
from pseudogd.stages.thin import thin
from pseudogd.store.dataset import Store
from pseudogd.store.shards import shard_paths
from pseudogd.store.thinned import read_thinned
from pseudogd.training.balance import balance_of
from pseudogd.vqa.audit.items import read_items
from pseudogd.vqa.audit.limits import Limits
from pseudogd.vqa.audit.thinning import too_easy


def run(*arguments) -> int:
    return exits.run(cli.app, [str(argument) for argument in arguments])


def easy(photos=120, share=1.0):
    """Of pairs the thing whose name comes first in a list is right, in a share of them for sure."""
    rows, rng = made.fair(photos), np.random.default_rng(1)
    for k, row in enumerate(rows):
        if row["options"] and len(row["options"]) == 2 and rng.random() < share:
            rows[k] = made.answered(row, int(made.NAMES.index(row["options"][1]) < made.NAMES.index(row["options"][0])))
    return rows


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return data_of(tmp_path_factory.mktemp("easy"), easy())


def test_a_failed_audit_passes_after_it(data, capsys):
    assert run("audit", data, "--no-photos", "--quiet") == 1
    assert run("audit", data, "--no-photos", "--thin") == 0
    assert re.search(r"^\d+ of 480 questions can be answered without looking and are left out \(most of nearer.pair",
                     capsys.readouterr().err, re.M)  # fmt: skip
    assert run("audit", data, "--no-photos", "--quiet") == 0  # the file stays
    found = json.loads((data / "audit.json").read_text())
    assert found["questions_kept_by_balance"] == 480 - len(read_thinned(Store(data)))


def test_training_and_packing_leave_it_out(data, tmp_path):
    thin(data, balance=lambda told: set(), quiet=True)
    thinned = set(read_thinned(Store(data)))
    assert thinned and balance_of(Store(data))([]) == thinned
    packed = pseudogd.pack(data, format="messages", out=tmp_path / "out", quiet=True)
    assert packed.rows == 480 - len(thinned) and packed.left_out == len(thinned)


def test_groups_of_shards_are_thinned_on_their_own(data, tmp_path, monkeypatch):
    monkeypatch.setattr(stage, "TOGETHER", 240)
    rows = easy()
    twice = data_of(tmp_path, rows)
    found = thin(twice, balance=lambda told: set(), quiet=True)
    assert found.questions == 480 and 0 < sum(found.left_out.values()) < 240


def test_what_is_left_is_looked_at_again_in_groups_of_more_photos(tmp_path, monkeypatch):
    monkeypatch.setattr(stage, "TOGETHER", 150)
    folder = data_of(tmp_path, easy(250, share=0.6))
    left = {}
    for passes in (1, stage.PASSES):
        monkeypatch.setattr(stage, "PASSES", passes)
        thin(folder, balance=lambda told: set(), quiet=True)
        gone = set(read_thinned(Store(folder)))
        groups = stage._groups(shard_paths(folder / "questions"), 1000 - len(gone), gone)
        left[passes] = sum(len(too_easy(read_items(group), Limits())) for group in groups)
    assert left[1] > 0 and left[4] == 0


def test_it_belongs_to_these_questions(data, tmp_path):
    other = data_of(tmp_path, easy(60))
    (other / "thinned.parquet").write_bytes((data / "thinned.parquet").read_bytes())
    with pytest.raises(InputError, match=r"other questions than are there now; run `pseudogd audit .* --thin` again"):
        balance_of(Store(other))
    (other / "thinned.parquet").write_bytes(b"nothing")
    with pytest.raises(InputError, match="cannot be read; remove it"):
        balance_of(Store(other))
    Store.open(other, "questions", {"new": 1}, resume=False)
    assert not (other / "thinned.parquet").exists()
