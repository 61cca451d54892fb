import hashlib
import json
from pathlib import Path

import pytest

from pseudogd.benchmarks import prompts
from pseudogd.benchmarks.items import Item
from pseudogd.errors import InputError

ITEM = Item("T/1_0", "1_0", "Which is nearer?", ("red ball", "blue cup", "bed"), 0, "T", "S", Path("1.png"))
SYSTEM = "\nRole  \nSteps\n"
FORMAT = "\nLast line: Answer: X\n"


@pytest.fixture
def known(monkeypatch):
    """Stand-ins for the official strings: only their hashes are in the table."""
    sha = {name: hashlib.sha256(text.encode()).hexdigest() for name, text in (("s", SYSTEM), ("f", FORMAT))}
    stripped = hashlib.sha256(b"\nRole\nSteps\n").hexdigest()
    monkeypatch.setattr(prompts, "OFFICIAL", {sha["s"]: ("system", "manual_cot"), sha["f"]: ("format", "re")})
    monkeypatch.setattr(prompts, "OFFICIAL_STRIPPED", {stripped: ("system", "manual_cot")})


def test_plain_is_question_and_option_lines_and_nothing_else():
    prompt = prompts.get_prompt("plain")
    assert prompt.text(ITEM) == "Which is nearer?\nA. red ball\nB. blue cup\nC. bed"
    assert prompt.rule == "direct"


def test_direct_and_manual_cot_keep_the_block_and_say_they_are_ours():
    block = prompts.question_block(ITEM)
    direct, manual = prompts.get_prompt("direct"), prompts.get_prompt("manual_cot")
    assert direct.text(ITEM).startswith(block + "\n") and direct.rule == "direct"
    assert manual.text(ITEM).endswith("\n\n" + block) and manual.rule == "re"
    assert "own words" in manual.describe()["origin"]
    assert manual.max_new_tokens > direct.max_new_tokens


def test_our_words_are_not_the_official_ones():
    for text in (prompts._MANUAL_COT, prompts._DIRECT):
        digest = hashlib.sha256(text.encode()).hexdigest()
        assert digest not in prompts.OFFICIAL and digest not in prompts.OFFICIAL_STRIPPED


@pytest.mark.parametrize("suffix", [".py", ".json"])
def test_an_official_file_is_recognised_and_assembled(tmp_path, known, suffix):
    file = tmp_path / f"prompts{suffix}"
    if suffix == ".py":
        file.write_text(f"raise SystemExit('never run')\nS = {{'manual_cot': {SYSTEM!r}}}\nF = {FORMAT!r}\n")
    else:
        file.write_text(json.dumps({"sys": {"manual_cot": SYSTEM}, "fmt": [FORMAT]}))
    prompt = prompts.get_prompt("official:manual_cot+re", file)
    assert prompt.origin == "official" and prompt.rule == "re"
    assert prompt.text(ITEM) == f"{SYSTEM}\n{FORMAT}\n\n{prompts.question_block(ITEM)}"


def test_trailing_spaces_lost_is_said(tmp_path, known):
    file = tmp_path / "prompts.json"
    file.write_text(json.dumps(["\nRole\nSteps\n", FORMAT]))
    assert prompts.get_prompt("official", file).origin == "official up to white space"


def test_what_is_not_recognised_is_refused(tmp_path, known):
    file = tmp_path / "prompts.json"
    file.write_text(json.dumps([FORMAT, "some other system prompt"]))
    with pytest.raises(InputError, match=r"system string 'manual_cot'.*format re"):
        prompts.get_prompt("official:manual_cot+re", file)
    with pytest.raises(InputError, match=r"system_prompts\.py"):
        prompts.get_prompt("official:manual_cot+re")
    with pytest.raises(InputError, match="'poem'"):
        prompts.get_prompt("poem")


@pytest.mark.parametrize(("name", "content"), [("p.py", b"def ("), ("p.json", b"{"), ("p.txt", b"\xff\xfe")])
def test_a_broken_prompt_file_is_one_line(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError) as caught:
        prompts.get_prompt("official", tmp_path / name)
    assert "\n" not in str(caught.value)
