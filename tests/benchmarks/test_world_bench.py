import json
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from pseudogd.benchmarks import world_bench
from pseudogd.benchmarks.items import load_items
from pseudogd.benchmarks.prompts import get_prompt
from pseudogd.benchmarks.runner import open_bench
from pseudogd.benchmarks.truth import true_photos
from pseudogd.benchmarks.world_bench import SUB_TASKS, WorldBench, build_world_bench
from pseudogd.errors import InputError, SettingsMismatch

SPEC = WorldBench(items=80, photos=24, seed=3)


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    return build_world_bench(tmp_path_factory.mktemp("bench") / "world", SPEC, quiet=True)


def test_counts_quotas_and_layout(built):
    items = load_items(built)
    assert Counter(item.sub_task_type for item in items) == dict.fromkeys(SUB_TASKS, 20)
    assert all(item.task_type == SUB_TASKS[item.sub_task_type].task_type for item in items)
    assert len({item.uid for item in items}) == len(items)
    per_photo = Counter((item.sub_task_type, item.image.name) for item in items)
    assert max(per_photo.values()) <= SPEC.per_photo * 2  # two kinds of question may share a sub-task
    about = json.loads((built / "bench.json").read_text())
    assert about["name"] == "world" and about["n"]["Hypothetical"] == 20
    assert set(about["baselines"]) == {"random", "majority_letter", "majority_text", "text_only"}


def test_letters_are_even_in_each_sub_task(built):
    for name in SUB_TASKS:
        for k in (2, 3, 4):
            counts = Counter(i.answer for i in load_items(built) if i.sub_task_type == name and len(i.options) == k)
            if sum(counts.values()) >= k:
                assert max(counts.values()) - min(counts[letter] for letter in range(k)) <= 1


def test_answers_follow_from_the_truth(built):
    photos = {str(n): photo for n, photo in enumerate(true_photos(built / "rooms"))}
    checked = Counter()
    for item in load_items(built):
        evidence, photo = item.extra["evidence"], photos[item.item_id.split("_")[0]]
        assert evidence["teacher"]["name"] == "truth" and item.image.read_bytes() == photo.path.read_bytes()
        if evidence["form"] == "distance.camera":
            (thing,) = evidence["objects"]
            value = float(np.linalg.norm(thing["centre"]))
            options = [float(option.split()[0]) for option in item.options]
            assert int(np.argmin(np.abs(np.log(np.array(options) / value)))) == item.answer
            checked["distance"] += 1
        if evidence["form"].startswith("localization.point") and evidence["form"].endswith("_camera"):
            depths = [depth_at(photo, option) for option in item.options]
            best = np.argmin(depths) if "near" in evidence["form"] else np.argmax(depths)
            assert int(best) == item.answer
            checked["point"] += 1
        if evidence["form"].startswith("hypothetical"):
            assert item.options[item.answer] == hypothetical(evidence)
            checked["hypothetical"] += 1
    assert min(checked[name] for name in ("distance", "point", "hypothetical")) >= 3


def depth_at(photo, option):
    x, y = (float(part) for part in option.strip("()").split(","))
    depth = photo.geometry.depth
    row, column = (min(int(p / 100 * n), n - 1) for p, n in zip((y, x), depth.shape))
    return depth[row, column]


def hypothetical(evidence):
    """The answer again, by complex numbers on the ground: right is +x, forward is +z."""
    stand, other, asked = (complex(thing["centre"][0], thing["centre"][2]) for thing in evidence["objects"])
    forward = (other - stand) * (1 if evidence["form"].endswith("facing") else -1)
    turned = (asked - stand) / forward  # forward is 1, right is -i
    if abs(turned.real) > abs(turned.imag):
        return "in front" if turned.real > 0 else "behind"
    return "right" if turned.imag < 0 else "left"


def test_the_default_prompt_is_the_training_text(built):
    bench = open_bench(built)
    assert (bench.name, bench.prompt) == ("world", "plain")
    from pseudogd.vqa.phrasing import multiple_choice

    for item in bench.items[:10]:
        assert get_prompt("plain").text(item) == multiple_choice(item.question, list(item.options))


def test_a_bench_that_stands_is_kept_and_another_is_refused(built):
    before = (built / "data.json").stat().st_mtime_ns
    assert build_world_bench(built, SPEC, quiet=True) == built
    assert (built / "data.json").stat().st_mtime_ns == before
    with pytest.raises(SettingsMismatch, match="split: 'test' there, 'dev' now"):
        build_world_bench(built, replace(SPEC, split="dev"), quiet=True)


def test_the_same_spec_gives_the_same_bytes_and_splits_share_no_room(built, tmp_path):
    spec = WorldBench(items=8, photos=12, seed=3, split="dev")
    one = build_world_bench(tmp_path / "one", spec, quiet=True)
    two = build_world_bench(tmp_path / "two", spec, workers=2, quiet=True)
    assert open_bench(one).name == "world_dev" and spec.label != replace(spec, split="test").label
    assert (one / "data.json").read_bytes() == (two / "data.json").read_bytes()
    pictures = [{path.read_bytes() for path in (folder / "rooms" / "images").iterdir()} for folder in (built, one)]
    assert len(pictures[0]) == SPEC.photos and len(pictures[1]) == 12 and not pictures[0] & pictures[1]


def test_too_few_rooms_and_unknown_splits_are_said(tmp_path):
    with pytest.raises(InputError, match="render more photos"):
        build_world_bench(tmp_path / "few", WorldBench(items=400, photos=4), quiet=True)
    with pytest.raises(InputError, match="train"):
        WorldBench(split="train")
    with pytest.raises(InputError, match="items=1"):
        WorldBench(items=1)


def test_parts_add_up():
    for total in (1, 7, 100, 2001):
        assert sum(world_bench._parts(total, {"a": 0.3, "b": 0.3, "c": 0.4}).values()) == total
