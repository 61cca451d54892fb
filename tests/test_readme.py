"""The README's code runs as it stands there, in a folder of photos, and its links lead somewhere."""

import re
import shlex
import shutil
from pathlib import Path

import pytest

from pseudogd.cli import app
from pseudogd.exits import run

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(python|bash)\n(.*?)^```", README, flags=re.M | re.S)
LONGEST_DOOR = 10


def run_python(text: str) -> None:
    exec(compile(text, "README.md", "exec"), {})


def block(containing: str) -> str:
    (found,) = [text for _, text in BLOCKS if containing in text]
    return found


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    """What the reader has: photos, a checkpoint called student, recipes/, and an unpacked OmniSpatial-test."""
    from pseudogd.benchmarks.world_bench import WorldBench, build_world_bench
    from pseudogd.world import checkpoint, render_folder

    place = tmp_path_factory.mktemp("reader")
    render_folder(place / "photos", 16, "train", seed=0)
    shutil.copytree(ROOT / "recipes", place / "recipes")
    for name in ("student", "student-tuned"):
        shutil.copytree(checkpoint("student"), place / name)
    build_world_bench(place / "OmniSpatial-test", WorldBench(items=16, photos=12, split="dev"), quiet=True)
    return place


@pytest.fixture
def folder(filled, monkeypatch):
    monkeypatch.chdir(filled)
    return filled


@pytest.mark.parametrize("kind, text", BLOCKS, ids=[text.splitlines()[0][:40] for _, text in BLOCKS])
def test_doors_are_short(kind, text):
    assert len([line for line in text.splitlines() if line.strip()]) <= LONGEST_DOOR


@pytest.mark.slow
def test_the_python_doors_run(folder, capsys):
    run_python(block('pseudogd.label("photos"'))
    assert capsys.readouterr().out.count("->") == 3
    run_python(block("compare("))
    assert "'delta': 0.0" in capsys.readouterr().out  # both are the same student
    run_python(block("setup.build(").replace("ready.rows, 16", "ready.rows, 4"))
    run_python(block("render_folder(").replace("24", "1").replace('"photos"', '"one"'))
    assert (folder / "one" / "annotations.json").is_file()


@pytest.mark.slow
def test_the_command_line_runs(folder):
    shutil.rmtree(folder / "data", ignore_errors=True)
    lines = block("pseudogd label photos")
    smaller = {r"optim\.steps=\d+": "optim.steps=1 optim.batch_size=2", "--bench world": "--bench OmniSpatial-test"}
    for written, tried in smaller.items():
        lines, found = re.subn(written, tried, lines)
        assert found == 1, written
    for line in lines.splitlines():
        assert run(app, shlex.split(line)[1:]) == 0, line
    assert (folder / "runs" / "joint" / "report.html").is_file() and (folder / "joint" / "config.json").is_file()


@pytest.mark.parametrize(
    "page", ["README.md", "CONTRIBUTING.md", *(f"docs/{p.name}" for p in (ROOT / "docs").glob("*.md"))]
)
def test_links_lead_to_files_and_headings(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)]+)\)", text):
        if target.startswith("http"):
            continue
        name, _, anchor = target.partition("#")
        path = (ROOT / page).parent / name if name else ROOT / page
        assert path.exists(), f"{page}: {target}"
        if anchor:
            headings = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), flags=re.M)
            assert anchor in {re.sub(r"[^\w -]", "", h.lower()).replace(" ", "-") for h in headings}, (
                f"{page}: {target}"
            )
