"""The table of costs is plain arithmetic on what the benchmarks print, and the page's is that of its figures."""

import importlib.util
from pathlib import Path

import pytest

spec = importlib.util.spec_from_file_location("scale_costs", Path(__file__).parents[1] / "tools" / "scale_costs.py")
scale_costs = importlib.util.module_from_spec(spec)
spec.loader.exec_module(scale_costs)

GIVEN = {"photos": 3_600_000, "gpus": 5, "cores": 9, "gpu_hour": 2.0, "core_hour": 0.1, "tb_month": 20.0}
SYNTH = {
    "ms_per_photo": {"synth": {"cpu": 36.0}},
    "questions_per_photo": 20.0,
    "machine": {"cpu": "x", "cores": 4, "load_1_min": 2.0},
}


def cells(device):
    label = {
        "settings": {"device": device, "teacher": "t"},
        "input_pixels": [96, 128],
        "photos_per_second": {"label": 100.0},
        "storage": {"compact_maps": {"bytes_per_photo_of_4_to_3": 90_000}},
        "machine": {"cpu": "x", "cores": 4, "load_1_min": 1.0},
    }
    text = scale_costs.table(scale_costs.figures(label, SYNTH), GIVEN)
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines()]


def test_hours_bytes_and_dollars():
    head, _, label, synth, disk, paper = cells("cpu")
    assert head[0] == "of 3,600,000 photos"
    assert label[0] == "`label`, teacher t at 128 × 96, 4 cores"
    assert label[1:] == ["100.0 photos a second: 40 core hours", "4.4 on 9 cores", "4"]
    assert synth[1:] == ["72,000,000 questions, 36.0 ms a photo: 36 core hours", "4 on 9 cores", "3.6"]
    assert disk[1:] == ["90 kB a photo: 0.32 TB", "", "6.5 a month"]
    assert paper[0].startswith("**not measured**")
    assert cells("cuda")[2][1:] == ["100.0 photos a second: 10 GPU hours", "2 on 5 GPUs", "20"]


def test_the_large_teachers_multiplications():
    """The blocks of ViT-L on 37 x 37 patches and a token of the whole, by hand: the head comes on top of that."""
    tokens, width, blocks = 37 * 37 + 1, 1024, 24
    alone = blocks * (2 * 12 * width**2 * tokens + 4 * width * tokens**2) / 1e12
    assert alone < scale_costs.teacher_teraflop() < 2.2 * alone


def test_the_page_says_what_its_figures_give():
    page = scale_costs.PAGE.read_text(encoding="utf-8")
    given = {"photos": 1_000_000, "gpus": 8, "cores": 64, **scale_costs.PRICES}
    assert scale_costs.check(page, given) == 0
    assert scale_costs.check(page.replace("core hours", "hours"), given) == 1


def test_benchmarks_are_rewritten_between_the_marks(tmp_path):
    page = f"before\n{scale_costs.BEGIN}{{}} -->\nold\n{scale_costs.END}\nafter\n"
    found = {"device": "cpu", "teacher": "t", "pixels": [1, 1], "labelled_per_second": 1.0, "maps": "png", "bytes": 1}
    found |= {"synth_ms": 1.0, "questions": 1.0, "cpu": "x", "cores": 1, "load": 0.0}
    new = scale_costs.rewritten(page, found, GIVEN)
    assert new.startswith("before\n") and new.endswith(f"{scale_costs.END}\nafter\n") and "old" not in new
    assert scale_costs.rewritten(new, found, GIVEN) == new


def test_wrong_use_is_said(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["scale_costs.py"])
    with pytest.raises(SystemExit):
        scale_costs.main()
    assert "--measure" in capsys.readouterr().err
