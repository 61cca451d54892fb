"""docs/use-in-your-trainer.md: its code runs as it stands there, and its gradient accumulation is right."""

import json
import re
from pathlib import Path

import pytest
import torch
from helpers import rank_jobs
from helpers.ranks import forked
from helpers.tiny_data import save_tiny_data
from helpers.tiny_llava import save_tiny_llava

PAGE = Path(__file__).parents[1] / "docs" / "use-in-your-trainer.md"
BEGIN, COLLATE, LOOP, TRAINER, TRAIN = re.findall(
    r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), flags=re.M | re.S
)
PLAIN, TRL = (BEGIN, COLLATE, LOOP), (BEGIN, TRAINER, TRAIN)
ANSWERS = ("2 m", "A", "the red chair is 4 m from the blue lamp", "left of it")
GEOMETRY = 'GeometryTargets("data", student.family)'
SOME_GEOMETRY = GEOMETRY.replace(")", ", missing='skip')")
# what a step does is then plain arithmetic of its gradients, small differences and all
SGD = {"report_to=": 'optim="sgd", lr_scheduler_type="constant", report_to=', "1e-4": "0.02"}
TINY = 1e-6

pytestmark = pytest.mark.slow


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """What the reader has: a checkpoint, a data folder and rows; the last photo of the rows has no geometry."""
    save_tiny_llava(tmp_path / "student")
    save_tiny_data(tmp_path / "made", photos=7, turns=1)
    save_tiny_data(tmp_path / "other", photos=1, turns=1, seed=8)
    (tmp_path / "data").symlink_to(tmp_path / "made" / "data")
    photos = [*sorted((tmp_path / "made" / "photos").iterdir()), *(tmp_path / "other" / "photos").iterdir()]
    write_rows(tmp_path, photos)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write_rows(folder, photos):
    rows = [
        {"image": str(photo), "question": "how far is the table ?", "answer": ANSWERS[n % 4]}
        for n, photo in enumerate(photos)
    ]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def changed(blocks, changes):
    """The page's code with words replaced; every word must be there."""
    text = "\n".join(blocks)
    for old, new in changes.items():
        assert old in text, old
        text = text.replace(old, new)
    return text


def run(blocks, **changes):
    names: dict = {}
    torch.manual_seed(0)
    exec(compile(changed(blocks, {GEOMETRY: SOME_GEOMETRY, **changes.get("to", {})}), PAGE.name, "exec"), names)
    return names


def weights(names):
    return {name: p.detach().clone() for name, p in names["joint"].named_parameters()}


def furthest(a, b):
    assert a.keys() == b.keys()
    return max(float((a[name] - b[name]).abs().max()) for name in a)


# --- as it stands there ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("blocks", [PLAIN, TRL], ids=["plain loop", "TRL"])
def test_it_trains_every_part_and_leaves_an_ordinary_checkpoint(folder, blocks):
    from transformers import AutoModelForImageTextToText

    (folder / "rows.jsonl").write_text("".join((folder / "rows.jsonl").open().readlines()[:7]))
    names: dict = {}
    exec(compile("\n".join(blocks), PAGE.name, "exec"), names)
    model, info = AutoModelForImageTextToText.from_pretrained(folder / "trained", output_loading_info=True)
    assert not info["missing_keys"] and not info["unexpected_keys"]
    before = AutoModelForImageTextToText.from_pretrained(folder / "student").state_dict()
    moved = {name for name, value in model.state_dict().items() if not torch.equal(value, before[name])}
    for part in ("vision_tower", "multi_modal_projector", "language_model"):
        assert any(part in name for name in moved), part
    assert furthest(dict(model.named_parameters()), dict(names["joint"].model.named_parameters())) == 0
    assert model.config.to_dict().get("use_cache", True)
    for name in ("chat_template.jinja", "processor_config.json", "generation_config.json"):
        assert (folder / "trained" / name).read_text() == (folder / "student" / name).read_text()


def test_the_loop_is_short():
    assert 10 <= len([line for line in LOOP.splitlines() if line.strip()]) <= 25


@pytest.mark.parametrize("blocks", [PLAIN, TRL], ids=["plain loop", "TRL"])
def test_the_answer_and_its_end_are_learnt_and_nothing_else(folder, blocks):
    names = run(blocks)
    rows, tokenizer = names["rows"][:4], names["student"].processor.tokenizer
    batch = names["collate"](rows)[0] if "collate" in names else names["collator"](list(names["data"])[:4])
    for labels, answer in zip(batch["labels"], ANSWERS):
        assert tokenizer.decode(labels[labels != -100]).split() == [*answer.split(), "</s>"]
    assert batch["input_ids"].shape[1] > 16 and (batch["labels"] == names["student"].family.image_token_id).sum() == 0


# --- gradient accumulation ------------------------------------------------------------------------------------------

FOUR_AT_ONCE = {"MICRO, ACCUMULATE = 2, 2": "MICRO, ACCUMULATE = 4, 1"}
TRL_FOUR_AT_ONCE = {
    "per_device_train_batch_size=2": "per_device_train_batch_size=4",
    "gradient_accumulation_steps=2": "gradient_accumulation_steps=1",
}
LOOP_SGD = {"AdamW": "SGD", "lr=1e-4": "lr=0.02"}


def test_two_times_two_is_four_at_once_in_the_plain_loop(folder):
    """Rows have answers of other lengths, and one has no geometry."""
    start = weights(run((BEGIN,)))
    split = weights(run(PLAIN, to=LOOP_SGD))
    whole = weights(run(PLAIN, to=LOOP_SGD | FOUR_AT_ONCE))
    naive = weights(run(PLAIN, to=LOOP_SGD | {"items=items": "num_items_in_batch=items.labels"}))
    assert furthest(split, start) > 1e-3
    assert furthest(split, whole) < TINY < 100 * TINY < furthest(naive, whole)


def test_two_times_two_is_four_at_once_in_trl(folder):
    split = weights(run(TRL, to=SGD))
    whole = weights(run(TRL, to=SGD | TRL_FOUR_AT_ONCE))
    naive = weights(run(TRL, to=SGD | {"items=items": "num_items_in_batch=num_items_in_batch"}))
    assert furthest(split, whole) < TINY < 100 * TINY < furthest(naive, whole)


def test_both_ways_are_one_loss(folder):
    """The first step of TRL on the same four rows has the gradients of the plain loop's."""
    (folder / "rows.jsonl").write_text("".join((folder / "rows.jsonl").open().readlines()[:4]))
    loop = weights(run(PLAIN, to=LOOP_SGD))
    trl = weights(run(TRL, to=SGD | {"max_steps=2": "max_steps=1"}))
    assert furthest(loop, trl) < TINY


# --- what the page says of TRL --------------------------------------------------------------------------------------


def test_a_resumed_run_ends_as_one_that_was_not_stopped(folder):
    every = {"report_to=": "save_strategy='steps', save_steps=1, report_to="}
    whole = weights(run(TRL, to=every))
    names = run(
        TRL, to=every | {"trainer.train()": "trainer.train(resume_from_checkpoint='trained-by-trl/checkpoint-1')"}
    )
    assert names["trainer"].state.global_step == 2
    assert furthest(weights(names), whole) < TINY


def test_checkpointing_at_the_model_changes_nothing_but_memory(folder):
    plain = weights(run(TRL, to=SGD))
    on = 'load_student("student", dtype="float32")'
    saved = run(TRL, to=SGD | {on: f"{on}; student.model.gradient_checkpointing_enable()"})
    assert saved["student"].model.is_gradient_checkpointing
    assert furthest(weights(saved), plain) < TINY


def test_lora_by_the_familys_pattern_trains_the_tower_alone(folder):
    config = "__import__('peft').LoraConfig(r=4, target_modules=student.family.lora_pattern)"
    names = run(TRL, to={"processing_class=student": f"peft_config={config}, processing_class=student"})
    trained = [name for name, p in names["joint"].model.named_parameters() if p.requires_grad]
    assert trained and all("vision_tower" in name and "lora_" in name for name in trained)
    start = weights(run((BEGIN,)))
    moved = {n for n, p in names["joint"].named_parameters() if "lora_B" in n and bool(p.detach().abs().sum() > 0)}
    assert moved and (folder / "trained" / "adapter_model.safetensors").is_file()
    now = {n.replace("base_model.model.", "").replace(".base_layer", ""): p for n, p in weights(names).items()}
    assert all(torch.equal(now[name], value) for name, value in start.items() if not name.startswith("head."))


def test_evaluation_asks_for_no_share_of_a_step(folder):
    names = run(TRL, to={"train_dataset=data,": "train_dataset=data, eval_dataset=data,"})
    trainer = names["trainer"]
    trainer.args.prediction_loss_only = True
    found = [trainer.evaluate()["eval_loss"] for _ in range(2)]
    batch = trainer.data_collator([dict(row) for row in list(names["data"])[:8]])
    with torch.no_grad():
        out = names["joint"].eval()({k: v for k, v in batch.items() if k != "geometry"}, batch["geometry"], lam=0.3)
    assert found[0] == pytest.approx(found[1]) and 0.3 < found[0] / float(out.loss) < 3


ONE_OF_TWO = """
import os
os.environ["CUDA_VISIBLE_DEVICES"] = ""
import torch
torch.manual_seed(0)
{code}
if trainer.accelerator.is_main_process:
    from safetensors.torch import save_file
    assert trainer.accelerator.num_processes == 2
    save_file({{n: p.detach().contiguous().clone() for n, p in trainer.model.named_parameters()}}, "two.safetensors")
"""


def test_two_processes_are_one(folder):
    """The same four rows a step on two ranks: the head and the model have one process's weights."""
    from safetensors.torch import load_file

    one = weights(run(TRL, to=SGD | TRL_FOUR_AT_ONCE))
    to = {
        GEOMETRY: SOME_GEOMETRY,
        "gradient_accumulation_steps=2": "gradient_accumulation_steps=1, use_cpu=True",
        **SGD,
    }
    done = forked(rank_jobs.execute, ONE_OF_TWO.format(code=changed(TRL, to)))
    assert done.returncode == 0, done.stdout[-3000:]
    assert furthest(load_file("two.safetensors"), one) < 1e-5
