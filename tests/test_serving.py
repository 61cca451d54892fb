"""What leaves can be served: `transformers serve` reads the export, and `pseudogd ask --url` asks it."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from helpers.chat_server import answering, reply
from helpers.photos import scene
from helpers.serve import transformers_serve
from helpers.tiny import FAMILIES
from helpers.tiny_data import save_tiny_data
from helpers.tiny_llava import save_tiny_llava

import pseudogd
from pseudogd import cli, exits
from pseudogd.benchmarks.backends.base import Request
from pseudogd.benchmarks.backends.chat_server import ChatServer
from pseudogd.benchmarks.backends.local import LocalBackend
from pseudogd.benchmarks.backends.served import ServedBackend
from pseudogd.errors import InputError

QUESTIONS = ("which is nearer ?", "how far is the red chair from the camera ?", "where is it ?", "what ?")
TORCHVISION = importlib.util.find_spec("torchvision") is not None


def run(*arguments: object) -> int:
    return exits.run(cli.app, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def photos(tmp_path_factory) -> list[Path]:
    folder = tmp_path_factory.mktemp("photos")
    for number, size in enumerate([(90, 60), (64, 80)]):
        scene(number, *size).save(folder / f"{number}.png")
    return sorted(folder.iterdir())


# --- a server that a test speaks for --------------------------------------------------------------------------------


def test_ask_prints_the_servers_answer_alone(photos, capsys):
    with answering(reply("two metres")) as server:
        assert run("ask", "mine", photos[0], "How far?", "--url", server.url, "--max-new-tokens", 5) == 0
        assert run("ask", photos[0], "How far?", "--url", server.url) == 0
        assert pseudogd.ask(None, photos[0], "How far?", url=server.url) == "two metres"
    said = capsys.readouterr()
    assert said.out == "two metres\n" * 2 and said.err == ""
    assert [asked.body.get("model") for asked in server.asked] == ["mine", None, None]
    assert [asked.body["max_tokens"] for asked in server.asked] == [5, 64, 64]


def test_ask_by_url_does_not_import_torch(photos):
    with answering(reply("two metres")) as server:
        code = f"import sys, pseudogd; pseudogd.ask('m', {str(photos[0])!r}, '?', url={server.url!r}); "
        code += "print(sorted({'torch', 'transformers'} & set(sys.modules)))"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["PHOTO", "How far?"], "MODEL IMAGE QUESTION"),
        (["m", "PHOTO", "How far?", "--api-key", "k"], "--url"),
        (["m", "PHOTO", "How far?", "--url", "localhost:8000"], "http://localhost:8000"),
        (["m", "PHOTO", "How far?", "--url", "http://127.0.0.1:1"], "no server answers there"),
        (["m", "PHOTO", "How far?", "--url", "http://127.0.0.1:1", "--device", "cpu"], "server's own affair"),
        (["m", "PHOTO", "How far?", "--url", "http://127.0.0.1:1", "--precision", "bf16"], "server's own affair"),
        (["m", "missing.png", "How far?", "--url", "http://127.0.0.1:1"], "missing.png"),
    ],
)
def test_wrong_use_is_one_line_and_two(photos, capsys, arguments, words):
    assert run("ask", *[photos[0] if word == "PHOTO" else word for word in arguments]) == exits.WRONG_USE
    said = capsys.readouterr()
    assert said.out == "" and said.err.startswith("error: ") and said.err.count("\n") == 1 and words in said.err


def test_a_model_that_says_nothing_is_told_what_to_do(photos):
    with answering(reply(None)) as server, pytest.raises(InputError, match="max-new-tokens"):
        pseudogd.ask("m", photos[0], "How far?", url=server.url, max_new_tokens=3)


def test_eval_by_url_goes_to_a_run_of_the_served_name(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    bench = tmp_path / "bench" / "Perspective_Taking"
    bench.mkdir(parents=True)
    scene().save(bench / "0.png")
    item = {"question": "which is nearer ?", "options": ["chair", "lamp"], "answer": 0}
    item |= {"task_type": "Perspective_Taking", "sub_task_type": "Egocentric"}
    (bench.parent / "data.json").write_text(json.dumps([{"id": f"0_{k}", **item} for k in range(4)]))
    with answering(reply("A")) as server:
        assert run("eval", "owner/mine", "--bench", bench.parent, "--url", server.url) == 0
    assert "100.0 %" in capsys.readouterr().out
    summary = json.loads((tmp_path / "runs/mine/eval/bench/summary.json").read_text())
    assert summary["settings"]["model"] == {"name": "owner/mine", "server": f"{server.url}/v1"}
    assert {asked.body["model"] for asked in server.asked} == {"owner/mine"}


# --- transformers serve ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def exported(tmp_path_factory) -> Path:
    """A tiny LLaVA that was trained for a step and exported."""
    from pseudogd.training.recipe import load_recipe

    root = tmp_path_factory.mktemp("trained")
    values = {
        "out": str(root / "run"),
        "model.path": str(save_tiny_llava(root / "student")),
        "data.path": str(save_tiny_data(root / "tiny", photos=2, turns=2)),
        "optim.steps": 1,
        "optim.batch_size": 2,
        "optim.precision": "fp32",
        "geometry.head_width": 16,
        "device": "cpu",
    }
    pseudogd.train(load_recipe(None, values), check=False, quiet=True)
    out = pseudogd.export(root / "run", root / "export", check=False, quiet=True).out
    # a checkpoint's own habits when it samples must not leak into a greedy answer
    settings = json.loads((out / "generation_config.json").read_text())
    habits = {"repetition_penalty": 1.7, "do_sample": True, "temperature": 2.0, "top_k": 3}
    (out / "generation_config.json").write_text(json.dumps(settings | habits))
    return out


@pytest.mark.slow
def test_the_export_answers_over_http_as_it_does_here(exported, photos, tmp_path, capsys):
    requests = [Request(photo, photo.name, question, 6) for photo in photos for question in QUESTIONS]
    local = LocalBackend(exported, device="cpu").generate(requests)
    assert len(set(local)) > 1
    with transformers_serve(tmp_path, exported) as url:
        assert [pseudogd.ask(exported, r.image, r.text, url=url, max_new_tokens=6) for r in requests] == local
        assert ServedBackend(ChatServer(url, str(exported))).generate(requests) == local  # all at a time
        assert run("ask", photos[0], QUESTIONS[0], "--url", url, "--max-new-tokens", 6) == 0
        assert capsys.readouterr().out == local[0] + "\n"
        with pytest.raises(InputError, match="the server says 400: Server is pinned to"):
            pseudogd.ask("another", photos[0], "?", url=url)


@pytest.fixture(scope="module")
def any_server(tmp_path_factory):
    """A server for whatever checkpoint a request names: its address, and its log."""
    scratch = tmp_path_factory.mktemp("serve")
    with transformers_serve(scratch) as url:
        yield url, scratch / "serve.log"


def wrote(log: Path, after: str, words: str) -> bool:
    """Whether the server wrote `words` after `after`; it answers before it writes why it failed."""
    end = time.monotonic() + 20
    while words not in log.read_text().rpartition(after)[2].lower() and time.monotonic() < end:
        time.sleep(0.05)
    return words in log.read_text().rpartition(after)[2].lower()


@pytest.mark.slow
@pytest.mark.column("serve")
@pytest.mark.parametrize("name", FAMILIES)
def test_every_family_is_served_or_wants_torchvision(name, any_server, photos, tmp_path):
    """Families whose processor holds a video processor cannot be loaded by the server without torchvision."""
    from pseudogd.student.load import load_student
    from pseudogd.training.export import write_plain

    url, log = any_server
    student = load_student(FAMILIES[name].save(tmp_path / "base"))
    wants_torchvision = "video_processor" in type(student.processor).get_attributes()
    write_plain(student.model, student.processor, tmp_path / "export", "card")
    if wants_torchvision and not TORCHVISION:
        with pytest.raises(InputError, match="the server failed"):
            pseudogd.ask(tmp_path / "export", photos[0], QUESTIONS[0], url=url)
        assert wrote(log, f"Loading {tmp_path / 'export'}", "torchvision")
        pytest.skip("`transformers serve` cannot load its video processor without torchvision ([serving](serving.md))")
    for photo in photos:
        local = pseudogd.ask(tmp_path / "export", photo, QUESTIONS[0], max_new_tokens=6)
        assert pseudogd.ask(tmp_path / "export", photo, QUESTIONS[0], url=url, max_new_tokens=6) == local


@pytest.mark.slow
def test_a_name_that_the_server_cannot_load_is_one_line(any_server, photos):
    with pytest.raises(InputError, match=r"the server failed \(500\) and does not say why"):
        pseudogd.ask("owner/nothing", photos[0], "?", url=any_server[0])


def test_the_page_knows_which_families_want_torchvision():
    from transformers.models.auto.processing_auto import PROCESSOR_MAPPING_NAMES, processor_class_from_name

    page = (Path(__file__).parents[1] / "docs" / "serving.md").read_text(encoding="utf-8")
    without, with_it = page.split("| served without torchvision")[1].split("\n| ")[2].split("\n")[0].split("|")[:2]
    said = {name.strip(): False for name in without.split(",")} | {name.strip(): True for name in with_it.split(",")}
    parts = {f: processor_class_from_name(PROCESSOR_MAPPING_NAMES[f]).get_attributes() for f in said}
    assert said == {family: "video_processor" in names for family, names in parts.items()}
    assert set(FAMILIES) <= set(said)
