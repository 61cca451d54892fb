"""`pseudogd view`: one safe, bounded file with the photos and questions that were asked for."""

import base64
import hashlib
import json
import re
import shutil

import pytest
from helpers.golden_folder import write_folder
from helpers.viewer_folder import EVIL, LONG
from helpers.viewer_page import Elements, content

import pseudogd
from pseudogd import cli, exits
from pseudogd.errors import InputError
from pseudogd.reports.viewer.page import build_view, script_json
from pseudogd.reports.viewer.sample import Choice
from pseudogd.stages.label import label
from pseudogd.store.dataset import Store


def questions(page):
    return [question for photo in content(page)["photos"] for question in photo["questions"]]


# ---------------------------------------------------------------- one file, safe
def test_every_photo_and_question_is_on_the_page_once(viewer_data, viewer_page):
    rows = Store(viewer_data).questions().to_pylist()
    assert sorted(question["id"] for question in questions(viewer_page)) == sorted(row["question_id"] for row in rows)
    assert len(rows) > 25 and len(content(viewer_page)["photos"]) == 3


def test_the_page_needs_nothing_from_outside_and_runs_its_own_script_alone(viewer_page):
    text = viewer_page.read_text(encoding="utf-8")
    elements = Elements(text)
    assert [tag for tag, _ in elements.tags].count("script") == 2
    for _, attributes in elements.tags:
        assert not set(attributes) & {"src", "href", "onerror", "onclick", "onload"}
    policy = next(a["content"] for _, a in elements.tags if a.get("http-equiv") == "Content-Security-Policy")
    digest = base64.b64encode(hashlib.sha256(elements.scripts[1].encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in policy and "default-src 'none'" in policy
    assert "http://www.w3.org/2000/svg" in text  # the name of SVG, no address
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", elements.scripts[1])
    assert "innerHTML" not in elements.scripts[1] and "eval(" not in elements.scripts[1]


def test_hostile_text_stays_text(viewer_page):
    raw = viewer_page.read_bytes()
    assert b"<script>window" not in raw and b"<img src=x" not in raw and raw.count(b"</script") == 2
    shown = questions(viewer_page)
    assert {EVIL, LONG} <= {question["stem"] for question in shown}
    assert any(thing["name"] == EVIL for photo in content(viewer_page)["photos"] for thing in photo["objects"])


@pytest.mark.parametrize("text", ["</script>", "<!--<script>", "]]>&amp;", "\u2028\u2029", "\ud800", EVIL])
def test_json_in_the_page_is_safe_and_the_same(text):
    made = str(script_json({"a": [text, float("nan")]}))
    assert not set("<>&") & set(made) and made.isascii()
    assert json.loads(made) == {"a": [text, None]}


def test_a_hostile_folder_name_is_escaped(viewer_data, tmp_path):
    copy = shutil.copytree(viewer_data, tmp_path / "<b>&'x")
    manifest = json.loads((copy / "manifest.json").read_text())
    manifest["photos"] = {"root": str(viewer_data.parent / "photos" / "images"), "relative": "none"}
    (copy / "manifest.json").write_text(json.dumps(manifest))
    text = build_view(copy).read_text(encoding="utf-8")
    assert "<b>&" not in text and "&lt;b&gt;&amp;&#39;x" in text


def test_what_is_drawn_and_what_is_not_is_said(viewer_page):
    drawn = next(question for question in questions(viewer_page) if "undrawn" in question)
    assert [mark["k"] for mark in drawn["marks"]] == ["point", "arrow", "polygon"]
    assert len(drawn["undrawn"]) == 1 and "volcano" in drawn["undrawn"][0]
    assert [key for key, _ in drawn["other"]] == ["odd"] and drawn["reply"] == "First this, then that."


def test_margins_are_ranked_among_their_own_unit(viewer_page):
    groups = {}
    for question in questions(viewer_page):
        if "margin" in question:
            groups.setdefault(question.get("marginUnit", question["task"]), []).append(
                (question["margin"], question["rank"])
            )
        else:
            assert "rank" not in question
    assert len(groups) > 3
    for pairs in groups.values():
        pairs.sort()
        assert pairs[0][1] == 0 and [rank for _, rank in pairs] == sorted(rank for _, rank in pairs)


# ---------------------------------------------------------------- sizes
def test_a_page_is_bounded_by_the_side_of_its_photos(tmp_path):
    photos = write_folder(tmp_path / "photos", 2, side=700)
    label(photos, f"files:{photos / 'depth'}", tmp_path / "data", photos / "cameras.json", quiet=True)
    sizes = [build_view(tmp_path / "data", side=side).stat().st_size for side in (128, 640)]
    script = len("".join(Elements((tmp_path / "data" / "view.html").read_text()).scripts[1:]))
    assert sizes[0] < sizes[1] < script + 2 * 150_000


def test_the_same_data_gives_the_same_page(viewer_data, viewer_page, tmp_path):
    assert build_view(viewer_data, tmp_path).read_bytes() == viewer_page.read_bytes()
    assert build_view(viewer_data, tmp_path / "new" / "a.html").name == "a.html"


# ---------------------------------------------------------------- what is asked for
def test_a_sample_is_drawn_by_the_seed_and_keeps_the_order(viewer_data, tmp_path):
    every = [photo["path"] for photo in content(build_view(viewer_data, tmp_path))["photos"]]
    drawn = set()
    for seed in range(6):
        page = build_view(viewer_data, tmp_path, Choice(photos=2, seed=seed))
        paths = [photo["path"] for photo in content(page)["photos"]]
        assert len(paths) == 2 and paths == sorted(paths, key=every.index)
        drawn.add(tuple(paths))
    assert len(drawn) > 1


def test_tasks_kinds_and_images_are_chosen(viewer_data, tmp_path):
    page = build_view(viewer_data, tmp_path, Choice(tasks=("nearer", "size")))
    assert {question["task"] for question in questions(page)} == {"nearer", "size"}
    page = build_view(viewer_data, tmp_path, Choice(kinds=("metric",)))
    assert {question["kind"] for question in questions(page)} == {"metric"}
    assert [photo["path"] for photo in content(page)["photos"]] == ["0.png", "1.png"]  # 2.png has no focal length
    some = Store(viewer_data).questions(["question_id", "path"]).to_pylist()[-1]
    for name in (some["path"], some["path"].split(".")[0], some["question_id"]):
        page = build_view(viewer_data, tmp_path, Choice(images=(name,)))
        assert [photo["path"] for photo in content(page)["photos"]] == [some["path"]]


def test_failures_are_shown_with_their_reason(viewer_data, tmp_path):
    shown = content(build_view(viewer_data, tmp_path, Choice(failures=True)))
    failed = {photo["path"]: photo for photo in shown["photos"]}
    assert failed["3.png"]["failed"] and failed["3.png"]["url"].startswith("data:image/")
    assert any("no depth map" in reason for reason in failed["3.png"]["reasons"])
    assert shown["ledgerTotal"] >= 1 and all(photo.get("failed") or photo["reasons"] for photo in shown["photos"])


@pytest.mark.parametrize(
    ("choice", "said"),
    [
        ({"tasks": ("nearr",)}, "did you mean nearer"),
        ({"kinds": ("metres",)}, "there is bearing"),
        ({"images": ("9.png",)}, "did you mean"),
        ({"photos": 0}, "between 1 and"),
        ({"failures": True, "tasks": ("size",)}, "leave out"),
    ],
)
def test_what_is_not_there_gives_one_line(viewer_data, choice, said):
    with pytest.raises(InputError, match=said):
        build_view(viewer_data, choice=Choice(**choice))


# ---------------------------------------------------------------- data half made, or moved
def test_geometry_alone_is_enough(tmp_path):
    photos = write_folder(tmp_path / "photos", 1, side=64)
    label(photos, f"files:{photos / 'depth'}", tmp_path / "data", quiet=True)
    shown = content(build_view(tmp_path / "data"))
    assert shown["stages"] == ["geometry"] and shown["photos"][0]["depth"]["unit"] == "m"
    assert "focal length unknown" in " ".join(shown["photos"][0]["facts"]) and shown["photos"][0]["plan"] is None
    with pytest.raises(InputError, match="pseudogd synth"):
        build_view(tmp_path / "data", choice=Choice(tasks=("size",)))
    with pytest.raises(InputError):
        build_view(tmp_path / "photos")


def test_depth_of_other_scales_is_shown_without_metres(rescaled_page):
    order, relative, metric = content(rescaled_page)["photos"]
    assert [photo["depth"]["unit"] for photo in (order, relative, metric)] == ["order", "relative", "m"]
    assert order["plan"] is None and relative["plan"]["bar"]["text"].endswith("(relative)")
    assert all(" m" not in text for photo in (order, relative) for o in photo["objects"] for _, text in o["numbers"])
    assert order["confidence"]["mean"] == pytest.approx(0.5, abs=0.01) and metric["confidence"] is None
    assert any("p" in mark for question in order["questions"] for mark in question.get("marks", ()))
    assert not any("g" in mark for question in order["questions"] for mark in question.get("marks", ()))


def test_photos_that_are_gone_leave_a_page(viewer_data, tmp_path):
    copy = shutil.copytree(viewer_data, tmp_path / "copy")
    manifest = json.loads((copy / "manifest.json").read_text())
    (tmp_path / "empty").mkdir()
    manifest["photos"] = {"root": str(tmp_path / "empty"), "relative": "../empty"}
    (copy / "manifest.json").write_text(json.dumps(manifest))
    for photo in content(build_view(copy))["photos"]:
        assert photo["url"] is None and "no longer there" in photo["missing"] and photo["depth"]["url"]


def test_the_command_says_where_the_page_is_and_opens_it(viewer_data, tmp_path, capsys, monkeypatch):
    opened = []
    monkeypatch.setattr("webbrowser.open", lambda address: bool(opened.append(address)))
    arguments = ["view", viewer_data, "--out", tmp_path / "a b.html", "--task", "size,nearer", "--open"]
    assert exits.run(cli.app, [str(argument) for argument in arguments]) == 0
    said = capsys.readouterr()
    assert f"page: {tmp_path / 'a b.html'} (" in said.out and "open the page yourself" in said.err
    assert opened == [(tmp_path / "a b.html").as_uri()]
    assert pseudogd.view(viewer_data, tmp_path, image="0", quiet=True) == tmp_path / "view.html"
