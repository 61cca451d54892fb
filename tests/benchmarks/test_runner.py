import json

import pyarrow.parquet as pq
import pytest

from pseudogd.benchmarks.compare import compare
from pseudogd.benchmarks.runner import evaluate, open_bench
from pseudogd.errors import InputError, SettingsMismatch


class Scripted:
    """A backend with a rule instead of weights; it counts what it was asked and can break down."""

    def __init__(self, rule, name="scripted", breaks_at=None):
        self.rule, self.name, self.breaks_at, self.asked = rule, name, breaks_at, 0

    def identity(self):
        return {"name": self.name}

    def generate(self, requests):
        if self.breaks_at is not None and self.asked >= self.breaks_at:
            raise KeyboardInterrupt
        self.asked += len(requests)
        return [self.rule(request) for request in requests]


def always(letter):
    return Scripted(lambda request: letter, name=f"always {letter}")


def test_scores_and_files(tmp_path, bench_folder):
    summary = evaluate(always("A"), bench_folder, tmp_path / "run", prompt="plain", quiet=True)
    folder = tmp_path / "run" / "eval" / "bench"
    rows = pq.read_table(folder / "items.parquet").to_pylist()
    assert len(rows) == 24 and sum(row["answer"] == 0 for row in rows) / 24 == summary["accuracy"]["overall"]
    assert summary["n"] == {"overall": 24, "Egocentric": 12, "Hypothetical": 12}
    assert summary["accuracy_macro"] == pytest.approx(
        (summary["accuracy"]["Egocentric"] + summary["accuracy"]["Hypothetical"]) / 2
    )
    low, high = summary["ci95"]["overall"]
    assert low < summary["accuracy"]["overall"] < high
    assert summary["parse_failure_rate"] == {"lenient": 0.0, "official direct": 0.0}
    assert summary["prompt"]["example"] == "which is nearer ?\nA. red chair\nB. blue table"
    assert summary["settings"]["decoding"] == {"strategy": "greedy", "max_new_tokens": 8}
    assert summary["baselines"]["random"]["overall"] == pytest.approx((1 / 2 + 1 / 3 + 1 / 4) / 3)
    assert json.loads((folder / "summary.json").read_text()) == summary
    assert rows[0]["image"] == "Perspective_Taking/0.png" and len(rows[0]["image_id"]) == 64
    assert {path.name for path in folder.iterdir()} == {"items.parquet", "summary.json", "settings.json"}


def test_unreadable_replies_are_scored_both_ways(tmp_path, bench_folder):
    options = {"prompt": "manual_cot", "quiet": True}
    summary = evaluate(always("no idea"), bench_folder, tmp_path, **options)
    truly_a = summary["answer_letters"]["A"] / 24
    assert summary["parse_failure_rate"] == {"lenient": 1.0, "official re": 1.0}
    assert summary["accuracy"]["overall"] == 0
    assert summary["accuracy_by_rule"]["official re"]["overall"] == pytest.approx(truly_a)
    assert summary["accuracy_by_rule"]["official re, failures wrong"]["overall"] == 0
    assert summary["predicted_letters"] == {"none": 24}


def test_a_killed_run_goes_on_and_ends_in_the_same_bytes(tmp_path, bench_folder):
    def rule(request):
        return "AB"[len(request.text) % 2]

    options = {"shard_size": 5, "quiet": True}
    whole = Scripted(rule)
    evaluate(whole, bench_folder, tmp_path / "whole", **options)
    with pytest.raises(KeyboardInterrupt):
        evaluate(Scripted(rule, breaks_at=10), bench_folder, tmp_path / "cut", **options)
    assert not (tmp_path / "cut/eval/bench/summary.json").exists()
    second = Scripted(rule)
    summary = evaluate(second, bench_folder, tmp_path / "cut", **options)
    assert second.asked == 14 and summary["accuracy"]
    names = ["whole", "cut"]
    tables = [(tmp_path / name / "eval/bench/items.parquet").read_bytes() for name in names]
    assert tables[0] == tables[1]


def test_a_finished_run_is_not_asked_again(tmp_path, bench_folder):
    first = evaluate(always("B"), bench_folder, tmp_path, quiet=True)
    again = always("B")
    assert evaluate(again, bench_folder, tmp_path, quiet=True) == first and again.asked == 0


def test_other_settings_are_refused_by_name_unless_overwritten(tmp_path, bench_folder):
    evaluate(always("B"), bench_folder, tmp_path, quiet=True)
    with pytest.raises(SettingsMismatch, match=r"model\.name: 'always B' there, 'always A' now"):
        evaluate(always("A"), bench_folder, tmp_path, quiet=True)
    with pytest.raises(SettingsMismatch, match=r"decoding\.max_new_tokens: 8 there, 3 now"):
        evaluate(always("B"), bench_folder, tmp_path, max_new_tokens=3, quiet=True)
    summary = evaluate(always("A"), bench_folder, tmp_path, overwrite=True, quiet=True)
    assert summary["predicted_letters"] == {"A": 24}


def test_comparison_has_sign_counts_and_sub_tasks(tmp_path, bench_folder):
    perfect = {item.uid: item.answer_letter for item in open_bench(bench_folder).items}
    texts = {}
    for item in open_bench(bench_folder).items:
        texts.setdefault((str(item.image), len(item.options)), perfect[item.uid])
    knows = Scripted(lambda r: texts[str(r.image), r.text.count("\n")], name="knows")
    evaluate(always("A"), bench_folder, tmp_path / "a", quiet=True)
    summary = evaluate(knows, bench_folder, tmp_path / "b", prompt="plain", quiet=True)
    assert summary["accuracy"]["overall"] == 1
    with pytest.raises(InputError, match=r"items\.parquet"):
        compare(tmp_path / "a" / "eval", tmp_path / "b" / "eval")
    found = compare(tmp_path / "a" / "eval/bench", tmp_path / "b" / "eval/bench")
    wrong = 24 - summary["answer_letters"]["A"]
    assert set(found) == {"overall", "Egocentric", "Hypothetical"}
    assert found["overall"]["delta"] == pytest.approx(wrong / 24)
    assert (found["overall"]["only_a"], found["overall"]["only_b"], found["overall"]["n"]) == (0, wrong, 24)
    assert found["overall"]["mcnemar_p"] == pytest.approx(2 * 0.5**wrong)
    assert found["overall"]["ci95"][0] > 0 and found["overall"]["p"] < 0.05
    back = compare(tmp_path / "b" / "eval/bench", tmp_path / "a" / "eval/bench")
    assert back["overall"]["delta"] == -found["overall"]["delta"]
    rows = pq.read_table(tmp_path / "a" / "eval/bench/items.parquet").to_pylist()
    with pytest.raises(InputError, match="different items"):
        compare(rows[:-1], rows)
    with pytest.raises(InputError, match="not the same"):
        compare(rows, [{**rows[0], "answer": 1 - rows[0]["answer"]}, *rows[1:]])


def test_bench_names_and_default_prompts(tmp_path, bench_folder):
    assert open_bench(bench_folder).name == "bench" and open_bench(bench_folder).prompt == "direct"
    omni = open_bench(f"omnispatial:{bench_folder}")
    assert (omni.name, omni.prompt) == ("omnispatial", "manual_cot")
    with pytest.raises(InputError, match="not known"):
        open_bench(tmp_path / "nowhere")
    (bench_folder / "bench.json").write_text('{"name": "../../up"}')
    assert open_bench(bench_folder).name == "bench"
    (bench_folder / "bench.json").write_text("{")
    with pytest.raises(InputError, match=r"bench\.json"):
        open_bench(bench_folder)


def test_what_a_bench_states_is_used_and_a_part_of_it_is_measured_anew(tmp_path, bench_folder):
    table = {"random": {"overall": 0.25, "Egocentric": 0.25, "Hypothetical": 0.25}}
    (bench_folder / "bench.json").write_text(json.dumps({"name": "mine", "prompt": "plain", "baselines": table}))
    bench = open_bench(bench_folder)
    assert (bench.name, bench.prompt) == ("mine", "plain")
    whole = evaluate(always("A"), bench, tmp_path / "whole", quiet=True)
    assert whole["baselines"] == table and (tmp_path / "whole/eval/mine/summary.json").is_file()
    part = evaluate(always("A"), bench, tmp_path / "part", limit=3, quiet=True)
    assert part["n"]["overall"] == 3 and part["baselines"]["random"]["overall"] != 0.25


def test_a_checkpoint_answers_alike_in_any_batch(tmp_path, bench_folder, tiny_checkpoint):
    options = {"prompt": "plain", "max_new_tokens": 4, "quiet": True}
    many = evaluate(tiny_checkpoint, bench_folder, tmp_path / "many", batch_size=24, **options)
    single = evaluate(tiny_checkpoint, bench_folder, tmp_path / "single", batch_size=1, shard_size=7, **options)
    assert many["settings"] == single["settings"] and len(many["settings"]["model"]["sha256"]) == 64
    rows = [pq.read_table(tmp_path / name / "eval/bench/items.parquet").to_pylist() for name in ("many", "single")]
    assert rows[0] == rows[1]
    assert len({row["reply"] for row in rows[0]}) > 1


def test_other_weights_are_another_model(tmp_path, tiny_checkpoint):
    import shutil

    from pseudogd.benchmarks.backends.local import folder_digest

    copy = tmp_path / "copy"
    shutil.copytree(tiny_checkpoint, copy)
    assert folder_digest(copy) == folder_digest(tiny_checkpoint)
    weights = copy / "model.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(bytes(data))
    assert folder_digest(copy) != folder_digest(tiny_checkpoint)


def test_summary_lines_name_every_sub_task_and_the_baselines(tmp_path, bench_folder):
    from pseudogd.benchmarks.scoring import summary_lines

    lines = summary_lines(evaluate(always("B"), bench_folder, tmp_path, quiet=True))
    assert "random" in lines[0] and "majority" in lines[0]
    assert [line.split()[0] for line in lines[1:4]] == ["overall", "Egocentric", "Hypothetical"]
    assert "unreadable replies: 0.0%" in lines[4]
