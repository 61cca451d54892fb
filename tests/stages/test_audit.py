"""`pseudogd audit`: photos, pages, exit codes, and data of many shards."""

from __future__ import annotations

import json
import re

import pytest
from helpers import audit_rows as made
from helpers.audit_data import data_of
from helpers.golden_folder import write_folder
from helpers.tiny_data import save_tiny_data
from PIL import Image

import pseudogd
from pseudogd import cli, exits
from pseudogd.errors import InputError
from pseudogd.vqa.render import FORMATS


def run(*arguments) -> int:
    return exits.run(cli.app, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def fair(tmp_path_factory):
    return data_of(tmp_path_factory.mktemp("fair"), made.fair())


def test_fair_data_passes_and_the_page_says_so(fair, capsys):
    assert run("audit", fair) == 0
    said = capsys.readouterr().out
    assert re.search(r"^pass +Near-duplicate photos +0.0%, at most 1.0%; all, n=120$", said, re.M)
    numbers = json.loads((fair / "audit.json").read_text())
    assert numbers["exit_code"] == 0 and numbers["questions"] == numbers["questions_looked_at"] == 480
    page = (fair / "audit.html").read_text()
    assert re.search("No check failed|Nothing failed", page) and not re.search(r"<script|https?://", page)


def test_a_failed_check_is_exit_code_1_and_says_what_to_do(tmp_path, capsys):
    rows = [made.answered(row, 0) if row["options"] else row for row in made.fair(40)]
    data = data_of(tmp_path, rows)
    assert run("audit", data, "--quiet", "--no-photos") == 1
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "Position" in line]
    assert line.startswith("fail") and "shuffle" in line
    assert run("audit", data, "letter=0.9", "prior=0.9", "text=0.9", "--quiet", "--no-photos") == 0


def test_copies_of_photos_are_found_and_named(tmp_path):
    found = pseudogd.audit(data_of(tmp_path, made.fair(30), same=2), quiet=True)
    (check,) = [check for check in found.checks if check.name == "lookalikes"]
    assert check.verdict == "fail" and check.parts[0].value == pytest.approx(2 / 30)
    assert [(pair.first, pair.second) for pair in found.pairs] == [("000.png", "028.png"), ("001.png", "029.png")]


def test_pictures_of_a_benchmark_are_found_and_named(fair, tmp_path):
    inner = tmp_path / "bench" / "Perspective_Taking"
    inner.mkdir(parents=True)
    with Image.open(fair.parent / "photos" / "007.png") as image:
        image.resize((80, 80)).save(inner / "12.jpg", quality=70)
    Image.effect_noise((64, 64), 90).save(inner / "13.png")
    found = pseudogd.audit(fair, against=tmp_path / "bench", photos=False, out=tmp_path, quiet=True)
    (check,) = [check for check in found.checks if check.name == "contamination"]
    assert check.verdict == "fail" and found.exit_code == 1
    assert [(pair.first, pair.second) for pair in found.against[0][1]] == [("007.png", "Perspective_Taking/12.jpg")]
    assert "007.png is bench/Perspective_Taking/12.jpg" in (tmp_path / "audit.html").read_text()


def test_of_many_questions_whole_photos_are_drawn(fair, tmp_path):
    found = pseudogd.audit(fair, most=100, photos=False, out=tmp_path, quiet=True)
    assert found.total == 480 and 40 < found.sampled < 200 and found.sampled == 4 * found.made_of["photos"]
    assert "were looked at" in (tmp_path / "audit.html").read_text()


def test_what_training_leaves_out_is_not_judged_but_told(tmp_path):
    rows = made.fair(150)
    for k, row in enumerate(rows):
        row["evidence"]["shortcut"] = {"rule": "a rule", "right": k % 5 != 0}
    data = data_of(tmp_path, rows)
    found = pseudogd.audit(data, photos=False, quiet=True)
    rule, raw = (next(c for c in checks if c.name == "rule") for checks in (found.checks, found.raw))
    assert rule.verdict == "pass" and all(part.value == 0.5 for part in rule.parts) and raw.verdict == "fail"
    assert found.kept < found.sampled == 600
    whole = pseudogd.audit(data, photos=False, balanced=False, quiet=True)
    assert whole.raw is None and whole.exit_code == 1


def test_questions_of_one_format_alone_are_audited(tmp_path):
    """Answers with steps have no options and are never a closed set of words."""
    folder = write_folder(tmp_path / "golden", count=4)
    pseudogd.label(folder, f"files:{folder / 'depth'}", folder / "data", folder / "cameras.json", quiet=True)
    pseudogd.annotate(folder / "data", f"coco:{folder / 'annotations.json'}", quiet=True)
    pseudogd.synth(folder / "data", quiet=True)
    for kind in FORMATS:
        shares = {name: float(name == kind) for name in FORMATS}
        pseudogd.synth(folder / "data", rerender=True, formats=shares, quiet=True)
        found = pseudogd.audit(folder / "data", thin=True, photos=False, out=tmp_path / kind, quiet=True)
        assert found.sampled > 10, kind


def test_hostile_names_are_escaped(tmp_path):
    rows = made.fair(8)
    bad = "<script>alert(1)</script>"
    for row in rows:
        row["task"], row["evidence"]["form"] = bad, bad
    rows.append({**rows[0], "question_id": "again"})
    pseudogd.audit(data_of(tmp_path, rows), out=tmp_path / "page", photos=False, quiet=True)
    assert "<script" not in (tmp_path / "page" / "audit.html").read_text()


def test_wrong_use_is_one_line(fair, tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    assert run("audit", fair, "priors=1") == 2
    assert run("audit", fair, "--against", tmp_path / "empty") == 2
    assert run("audit", tmp_path / "empty") == 2
    lines = capsys.readouterr().err.splitlines()
    assert [word in line for word, line in zip(("'priors'", "no photos", "manifest.json"), lines)] == [True] * 3
    with pytest.raises(InputError, match="holds no questions"):
        pseudogd.audit(save_tiny_data(tmp_path / "tiny", photos=2, asked=0), quiet=True)
