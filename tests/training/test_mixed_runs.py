"""Whole runs over rows of several kinds: the same rows in every arm, exact resume, shares that are kept and told."""

import json
from collections import Counter

import pytest
import torch
from helpers import rank_jobs
from helpers.ranks import forked
from helpers.tiny_data import save_tiny_data
from helpers.tiny_general import ROWS, save_tiny_general
from safetensors.torch import load_file

from pseudogd.errors import SettingsMismatch
from pseudogd.store.conversations import Conversations
from pseudogd.store.dataset import Store
from pseudogd.student.load import load_student
from pseudogd.training import setup
from pseudogd.training.collator import JointCollator
from pseudogd.training.metrics import MetricsLog
from pseudogd.training.photos import PhotoInputs
from pseudogd.training.recipe import recipe_text
from pseudogd.training.train import run_training

MIX = {"both": 40, "geometry": 20, "vqa": 20, "general": 20}
# with eps far above the gradients an AdamW step is linear in them, and rounding is not blown up to a whole step
STEADY = {"optim__eps": 1.0, "optim__lr": {"tower": 1.0, "projector": 1.0, "llm": 1.0, "head": 1.0}}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return save_tiny_data(tmp_path_factory.mktemp("data"), photos=8, turns=5, asked=6)


@pytest.fixture(scope="module")
def general(tmp_path_factory):
    return save_tiny_general(tmp_path_factory.mktemp("general"), "parquet", ROWS * 2)


@pytest.fixture
def recipe(recipe_of, data, general, tmp_path):
    def make(name="run", mix=MIX, **changes):
        settings = {"data__path": str(data), "data__general": str(general), "out": str(tmp_path / name)}
        settings |= {f"data__mix__{kind}": share for kind, share in mix.items()} | {"optim__steps": 5}
        return recipe_of(**settings | changes)

    return make


def run(recipe, **options):
    return run_training(recipe, quiet=True, check=False, **options)


def weights(result):
    return load_file(result.model / "model.safetensors")


def assert_same(a, b):
    assert a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def log_of(result):
    rows = MetricsLog(result.out / "metrics.jsonl").rows()
    return [{k: v for k, v in row.items() if k != "seconds"} for row in rows]


@pytest.mark.parametrize("turns", ["isolated", "chat"])
def test_rows_are_counted_by_kind_wherever_a_run_tells_of_itself(recipe, turns, general):
    result = run(recipe(data__turns=turns, optim__batch_size=4))
    told = json.loads((result.out / "train.json").read_text())["result"]
    # 12 rows with questions, halved by both and vqa 2:1; two photos without; 4 of 20 draws are conversations
    assert result.rows_by_kind == told["rows_by_kind"] == {"both": 8, "geometry": 4, "vqa": 4, "general": 4}
    assert result.seen_by_kind == told["seen_by_kind"] == {"both": 8, "geometry": 4, "vqa": 4, "general": 4}
    assert sum(result.rows_by_kind.values()) == result.rows == told["rows"]
    seen = [row["rows"] for row in log_of(result)]
    assert all(abs(now[kind] - 4 * (step + 1) * MIX[kind] / 100) < 2 for step, now in enumerate(seen) for kind in MIX)
    assert seen[-1] == result.seen_by_kind
    card = (result.model / "README.md").read_text()
    assert "both rows: 8, seen 8 times" in card and "general rows: 4, seen 4 times" in card
    assert general.name in card and str(general) not in card


def test_without_a_mix_there_is_one_kind(recipe_of):
    result = run(recipe_of())
    assert result.rows_by_kind == {"both": 12, "geometry": 0, "vqa": 0, "general": 0}
    assert "rows" not in log_of(result)[0] and " rows: " not in (result.model / "README.md").read_text()


def watched(monkeypatch):
    """What each run draws, and what of it is read."""
    drawn, photos, plain, decode = [], [], JointCollator.__call__, PhotoInputs._prepare

    def collate(self, rows):
        drawn.append([(row.kind, row.photos, row.ids.tolist()) for row in rows])
        return plain(self, rows)

    def prepare(self, image_id, together=1):
        photos.append(image_id)
        return decode(self, image_id, together)

    monkeypatch.setattr(JointCollator, "__call__", collate)
    monkeypatch.setattr(PhotoInputs, "_prepare", prepare)
    return drawn, photos


def test_every_arm_draws_the_same_rows_and_reads_its_own_alone(recipe, monkeypatch):
    drawn, photos = watched(monkeypatch)
    draws, read = {}, {}
    for arm in ("joint", "vqa_only", "geometry_only", "two_stage"):
        drawn.clear(), photos.clear()
        run(recipe(arm, arm=arm, data__cache_mb=0))
        draws[arm], read[arm] = list(drawn), Counter(photos)
    assert all(draws[arm] == draws["joint"] for arm in draws)

    def of(*kinds):
        return Counter(
            photo for batch in draws["joint"] for kind, names, _ in batch if kind in kinds for photo in names
        )

    assert read["vqa_only"] == of("both", "vqa", "general")
    start = Counter(read["joint"]) - of("both", "vqa", "general", "geometry")  # what the head's start was looked up in
    assert read["geometry_only"] - start == of("both", "geometry") and start.total() >= 6


def test_what_arms_learn_from_rows_that_are_not_theirs_is_nothing(recipe):
    """Without a row of an arm's own nothing moves, however many others there are."""
    base = load_student(recipe().model.path).model.state_dict()
    mix = {"geometry": 100, "both": 1}
    result = run(recipe("vqa", mix=mix, arm="vqa_only", optim__steps=5, optim__weight_decay=0, data__general=None))
    assert result.seen_by_kind["both"] == 0
    after = load_student(result.model).model.state_dict()
    assert all(torch.equal(base[name], after[name]) for name in base)


@pytest.mark.parametrize("changes", [{}, {"arm": "vqa_only", "optim__batch_size": 1}, {"data__group_by_length": False}])
def test_a_run_that_failed_goes_on_to_the_same_weights(recipe, changes, monkeypatch):
    changes = {"optim__grad_accum": 2, **changes}
    whole = run(recipe("whole", **changes))
    plain, asked = JointCollator.__call__, []

    def failing(self, rows):
        asked.append(rows)
        if len(asked) == 8:
            raise OSError("the machine was taken away")
        return plain(self, rows)

    with monkeypatch.context() as patch:
        patch.setattr(JointCollator, "__call__", failing)
        with pytest.raises(Exception, match="taken away"):
            run(recipe("broken", **changes))
    resumed = run(recipe("broken", **changes))
    assert_same(weights(whole), weights(resumed))
    assert log_of(whole) == log_of(resumed)


def test_worker_processes_change_nothing(recipe):
    assert_same(weights(run(recipe("none"))), weights(run(recipe("two", data__workers=2))))


def test_other_conversations_under_the_same_name_are_refused(recipe, tmp_path):
    path = save_tiny_general(tmp_path / "mine")
    run(recipe(data__general=str(path)))
    save_tiny_general(tmp_path / "mine", rows=ROWS[::-1])
    with pytest.raises(SettingsMismatch, match="other conversations"):
        run(recipe(data__general=str(path)))


def gradients(recipe):
    """Gradients of the first step."""
    from pseudogd.training.trainer import PseudoGDTrainer

    found, step = {}, PseudoGDTrainer.before_step

    def keep(self):
        if not found:
            found.update({n: p.grad.clone() for n, p in self.model.named_parameters() if p.grad is not None})
        return step(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PseudoGDTrainer, "before_step", keep)
        run(recipe)
    return found


def some_are_words_alone(recipe, draws):
    """Whether a micro-batch of one row will have no photo."""
    rows = setup.build(recipe, Store(recipe.data.path)).rows
    return any(not rows.photos[index] for index in rows.order(draws, recipe.seed, 1, False))


@pytest.mark.parametrize("turns", ["isolated", "chat"])
def test_however_a_step_is_shared_out_its_gradients_are_the_same(recipe, turns, tmp_path):
    """Ten rows at once, five times two, ten times one: also one row of words alone, and one without a label."""
    common = {"data__turns": turns, "optim__steps": 1, "optim__clip": 0, "geometry__warmup": 0}
    common |= {"geometry__lambda": 5.0, "geometry__weights": {"anchor": 0.5}, "data__group_by_length": False}
    common["data__general"] = str(save_tiny_general(tmp_path / "words", rows=[ROWS[0], ROWS[0], ROWS[2]]))
    assert some_are_words_alone(recipe("1x10", optim__batch_size=10, **common), 10)
    whole = gradients(recipe("1x10", optim__batch_size=10, **common))
    for accumulated, batch in ((5, 2), (10, 1)):
        split = gradients(
            recipe(f"{accumulated}x{batch}", optim__batch_size=batch, optim__grad_accum=accumulated, **common)
        )
        assert whole.keys() == split.keys()
        for name, gradient in whole.items():
            assert torch.allclose(gradient, split[name], atol=1e-5, rtol=1e-3), name


def test_the_first_steps_expect_no_gradient_that_their_rows_cannot_give(recipe):
    """One row a step, long runs of one kind: a check for dead parts must not take them for dead."""
    run(recipe("words", mix={"general": 20, "both": 1}, optim__batch_size=1, optim__steps=8))
    run(recipe("geometry", mix={"geometry": 20, "both": 1}, optim__batch_size=1, optim__steps=8, data__general=None))


def test_a_picture_that_breaks_off_is_one_line(recipe, tmp_path):
    path = save_tiny_general(tmp_path / "mine")
    for picture in (tmp_path / "mine" / "pictures").iterdir():
        picture.write_bytes(picture.read_bytes()[:400])
    with pytest.raises(Exception, match=r"\.png: .*truncated") as caught:
        run(recipe(data__general=str(path)))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("turns", ["isolated", "chat"])
def test_conversations_cost_beside_questions_what_they_cost_alone(recipe, turns):
    """Under the mask of isolated questions, a conversation is read as it would be without any."""
    recipe = recipe(data__turns=turns, optim__steps=50)
    made = setup.build(recipe, Store(recipe.data.path))
    rows = [made.rows[i] for i in range(len(made.rows))]
    spoken = [row for row in rows if row.kind == "general"]
    assert {len(row.photos) for row in spoken} == {0, 1, 2} and len({row.kind for row in rows}) == 4
    plain = JointCollator(made.photos, made.collator.pad_id, isolated=False, geometry=False)

    def summed(collator, rows):
        batch = collator(rows)
        with torch.no_grad():
            return float(made.joint.eval()(batch["inputs"], None, 0.0, 1, dummy_photo=batch["dummy_photo"]).lm_loss)

    others = [row for row in rows if row.kind != "general"]
    alone = sum(summed(plain, [row]) for row in spoken)
    together = summed(made.collator, rows) - sum(summed(made.collator, [row]) for row in others if row.has_words)
    assert together == pytest.approx(alone, rel=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("fsdp", [False, True], ids=["ddp", "fsdp"])
def test_two_ranks_train_what_one_process_trains(recipe, fsdp, tmp_path):
    """One row a rank and micro-batch: words on one, a photo without words on the other."""
    common = {"data__group_by_length": False, "optim__grad_accum": 3, "optim__steps": 4, **STEADY}
    alone = run(recipe("one", optim__batch_size=2, **common))
    two = recipe("two", optim__batch_size=1, optim__fsdp=fsdp, **common)
    assert some_are_words_alone(two, 24)
    path = tmp_path / "recipe.yaml"
    path.write_text(recipe_text(two))
    done = forked(rank_jobs.command, "train", path, "--no-check")
    assert done.returncode == 0, done.stdout
    a, b = weights(alone), load_file(tmp_path / "two" / "model" / "model.safetensors")
    assert all(torch.allclose(value, b[name], atol=1e-5) for name, value in a.items())
    told = json.loads((tmp_path / "two" / "train.json").read_text())["result"]
    assert told["seen_by_kind"] == alone.seen_by_kind and len(Conversations(two.data.general)) == len(ROWS) * 2
