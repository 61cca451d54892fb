"""Train one arm: from a recipe to a run folder with metrics, checkpoints and a plain exported model."""

from __future__ import annotations

import hashlib
import json
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from torch import Tensor
from transformers.utils import logging as library_logging

from pseudogd.errors import SettingsMismatch
from pseudogd.progress import Bar, notice, track
from pseudogd.store import shards
from pseudogd.store.dataset import Store
from pseudogd.store.shards import write_atomic
from pseudogd.student.load import load_student
from pseudogd.student.lora import is_adapted, merged
from pseudogd.training import checkpoints, plain_probe, ranks, sharding
from pseudogd.training.arms import total_steps
from pseudogd.training.attention import attention_for
from pseudogd.training.card import model_card
from pseudogd.training.convolutions import patches_by_products
from pseudogd.training.export import difference, write_plain
from pseudogd.training.failures import explained
from pseudogd.training.interrupt import Interrupt
from pseudogd.training.joint_files import HEAD_NAME, save_head
from pseudogd.training.parameters import prepare
from pseudogd.training.recipe import Recipe, differences, load_recipe, recipe_text
from pseudogd.training.rows import LeftOut
from pseudogd.training.setup import Setup, build, conversations_of, model_digest
from pseudogd.training.trainer import PROGRESS_NAME, PseudoGDTrainer

RECIPE_NAME, RESULT_NAME, MODEL_NAME, ADAPTER_NAME = "recipe.yaml", "train.json", "model", "adapter"
_SHOWN_LEFT_OUT = 3


@dataclass
class TrainResult:
    """What a finished run is.

    Attributes:
        out: the run folder; `model` in it is the plain export.
        steps: optimizer steps. rows, questions: how many there are; a run may pass over them several times.
        seconds: of training.
        metrics: last line of metrics.jsonl.
        max_abs_logit_diff: between the trained model and its export as plain transformers loads it in a new process;
            None if that was not looked at.
        left_out: what was not trained on, and why.
        rows_by_kind, seen_by_kind: how many rows of every kind there are, and how many were drawn.
        already_done: the run was finished before, and nothing was done now.
    """

    out: Path
    arm: str
    steps: int
    rows: int
    questions: int
    seconds: float
    metrics: dict[str, Any]
    max_abs_logit_diff: float | None = None
    left_out: list[LeftOut] = field(default_factory=list)
    rows_by_kind: dict[str, int] = field(default_factory=dict)
    seen_by_kind: dict[str, int] = field(default_factory=dict)
    already_done: bool = False

    @property
    def model(self) -> Path:
        return self.out / MODEL_NAME


def run_training(recipe: Recipe, *, quiet: bool = False, resume: bool = True, check: bool = True) -> TrainResult:
    """Train, or go on where a run of the same recipe in the same folder was stopped.

    A run that was killed and started again ends with the same weights as one that was not.

    Args:
        recipe: the run.
        quiet: no progress.
        resume: False throws away what the run folder holds of an earlier run.
        check: compare the export with the trained model in a new process (some seconds).

    Raises:
        SettingsMismatch: the folder holds a run of another recipe, or of other data or another base model.
        InputError: nothing to train on, or a checkpoint or folder that cannot be used.
        PseudoGDError: the loss is no longer a number.
        KeyboardInterrupt: after Ctrl-C, once a checkpoint is written.
    """
    out = Path(recipe.out)
    ranks.meet(on_cpu=recipe.device == "cpu")
    quiet = quiet or not ranks.is_main()
    if not resume and ranks.is_main():
        _forget(out)
    ranks.barrier()
    store = Store(recipe.data.path)
    stages = ("geometry", "questions") if recipe.uses_questions else ("geometry",)
    made_from = {stage: _stage_digest(store, stage) for stage in stages}
    if (general := conversations_of(recipe)) is not None:
        made_from["conversations"] = general.digest()
    made_from["base model"] = model_digest(recipe.model.path)
    if ranks.is_main():
        _claim(out, recipe)
    ranks.barrier()
    done = finished(out)
    if done is not None:
        _same_origin(checkpoints.read_json(out / RESULT_NAME)["made_from"], made_from, out)
        notice(f"train {recipe.arm}: {out} is finished ({done.steps} steps); nothing to do", quiet)
        return done
    with quiet_library():
        setup = build(recipe, store)
        made_from["rows"] = setup.rows.fingerprint()
        return _train(recipe, store, setup, made_from, quiet=quiet, check=check)


def finished(out: Path) -> TrainResult | None:
    """The result of a finished run in `out`, or None."""
    if not ((out / RESULT_NAME).is_file() and (out / MODEL_NAME).is_dir()):
        return None
    values = checkpoints.read_json(out / RESULT_NAME)["result"]
    left_out = [LeftOut(**item) for item in values.pop("left_out")]
    return TrainResult(out=out, left_out=left_out, already_done=True, **values)


def _train(
    recipe: Recipe, store: Store, setup: Setup, made_from: dict[str, str], *, quiet: bool, check: bool
) -> TrainResult:
    out = Path(recipe.out)
    steps = total_steps(recipe, setup.rows.epoch)
    newest = _newest_checkpoint(out, made_from)
    start = 0 if newest is None else int(newest.name.rpartition("-")[2])
    with (
        track(f"train {recipe.arm}", steps, done=start, unit="steps", quiet=quiet) as bar,
        Interrupt(bar.note) as interrupt,
    ):
        _say_left_out(setup.rows.left_out, bar)
        if newest is not None:
            bar.note(f"going on from {newest}")
        trainer = PseudoGDTrainer(
            setup.joint, recipe, setup.rows, setup.collator, steps, setup.student.processor, made_from, bar, interrupt
        )
        if newest is None:
            trainer.metrics_log.rewind(0)
        ranks.barrier()
        products = trainer.args.device.type == "cpu" and recipe.optim.precision == "bf16"
        with (
            attention_for(setup.joint.plain_model(), products and setup.isolated),
            patches_by_products(setup.joint.networks()),
            explained(out, lambda: trainer.state.global_step),
        ):
            trainer.train(resume_from_checkpoint=None if newest is None else str(newest))
    if trainer.state.global_step < steps:
        raise KeyboardInterrupt
    trainer.check_agreement()
    weights = sharding.gathered(trainer.model, ranks.is_main())
    result = None
    if ranks.is_main():
        result = _finish(recipe, store, setup, trainer, made_from, check, weights)
    ranks.barrier()
    return result or replace(finished(out), already_done=False)


def _finish(
    recipe: Recipe,
    store: Store,
    setup: Setup,
    trainer: PseudoGDTrainer,
    made_from: dict[str, str],
    check: bool,
    weights: Mapping[str, Tensor] | None,
) -> TrainResult:
    """Export; `model/` gets its name last, so that it is there only when everything else is."""
    out, rows = Path(recipe.out), setup.rows
    model = setup.joint.plain_model() if weights is None else _put_together(recipe, weights)
    model, processor = model.eval().float(), setup.student.processor
    photos, by_kind = list(dict.fromkeys(rows.image_ids)), rows.by_kind()
    counts = {"photos": len(photos), "questions": rows.questions, "steps": trainer.steps}
    counts["rows seen"] = trainer.steps * recipe.optim.batch_size * recipe.optim.grad_accum * ranks.world()
    if recipe.data.mix is not None:
        counts |= {f"{kind} rows": f"{n}, seen {trainer.seen()[kind]} times" for kind, n in by_kind.items() if n}
    teachers = _teachers(store, photos)
    card = model_card(recipe.model.path, recipe.to_dict(), counts, teachers)
    save_head(setup.joint, out, weights)
    ours = plain_probe.logits(model, processor) if check else None
    if is_adapted(model):
        _save_adapter(model, out / ADAPTER_NAME)
        model = merged(model)
    result = TrainResult(
        out,
        recipe.arm,
        trainer.steps,
        len(rows),
        rows.questions,
        round(trainer.elapsed, 3),
        trainer.metrics_log.rows()[-1],
    )
    result.left_out, result.rows_by_kind, result.seen_by_kind = rows.left_out, by_kind, trainer.seen()
    with checkpoints.appearing_folder(out / MODEL_NAME) as folder:
        write_plain(model, processor, folder, card)
        if ours is not None:
            result.max_abs_logit_diff = difference(folder, ours, next(model.parameters()).device)
        values = {k: v for k, v in asdict(result).items() if k not in ("out", "already_done")}
        told = {"result": values, "made_from": made_from, "teachers": teachers}
        text = json.dumps(told, indent=2, ensure_ascii=False)
        write_atomic(out / RESULT_NAME, text.encode())
    return result


def _put_together(recipe: Recipe, weights: Mapping[str, Tensor]) -> Any:
    """A model of this process alone with the weights that were sharded over all."""
    student = load_student(recipe.model.path, dtype=recipe.model.dtype)
    model = prepare(student.model, student.family, recipe)
    own = {name.removeprefix("model."): value for name, value in weights.items() if name.startswith("model.")}
    model.load_state_dict(own)
    return model


def _save_adapter(model: Any, folder: Path) -> None:
    """The adapters on their own, as PEFT loads them over the base checkpoint."""
    with checkpoints.appearing_folder(folder) as aside:
        model.save_pretrained(aside)


def _claim(out: Path, recipe: Recipe) -> None:
    """Write the recipe into the run folder, or see that the one there is the same."""
    path = out / RECIPE_NAME
    if path.exists():
        if changed := differences(load_recipe(path), recipe):
            raise SettingsMismatch(f"{out}: holds a run of another recipe ({'; '.join(changed)}); choose another out")
    else:
        write_atomic(path, recipe_text(recipe).encode())
    checkpoints.remove_leftovers(out)


def _forget(out: Path) -> None:
    """Delete what an earlier run left, the recipe last, so that a kill in between leaves a run that can be resumed."""
    for folder in [out / MODEL_NAME, out / ADAPTER_NAME, *checkpoints.checkpoints(out)]:
        checkpoints.delete_folder(folder)
    for name in (RESULT_NAME, HEAD_NAME, "metrics.jsonl", RECIPE_NAME):
        (out / name).unlink(missing_ok=True)


def _newest_checkpoint(out: Path, made_from: dict[str, str]) -> Path | None:
    found = checkpoints.checkpoints(out)
    if not found:
        return None
    _same_origin(checkpoints.read_json(found[-1] / PROGRESS_NAME)["made_from"], made_from, out)
    return found[-1]


def _stage_digest(store: Store, stage: str) -> str:
    """Hash of a stage's settings and inputs."""
    parts = [shards.shard_digest(path) for path in shards.shard_paths(store.root / stage)]
    return hashlib.sha256(json.dumps([store.settings_hash(stage), parts]).encode()).hexdigest()


def _same_origin(before: dict[str, str], now: dict[str, str], out: Path) -> None:
    if changed := [name for name, value in now.items() if before.get(name) != value]:
        raise SettingsMismatch(
            f"{out}: was trained on other {' and '.join(changed)} than are there now; choose another out, or start over"
        )


def _say_left_out(left_out: list[LeftOut], bar: Bar) -> None:
    if not left_out:
        return
    reasons = Counter(item.reason for item in left_out)
    shown = "; ".join(f"{reason} ({count} x)" for reason, count in reasons.most_common(_SHOWN_LEFT_OUT))
    questions = sum(item.questions for item in left_out)
    others = sum(not item.questions for item in left_out)
    what = [f"{questions} questions"] * bool(questions) + [f"{others} photos or conversations"] * bool(others)
    bar.note(f"left out {' and '.join(what)}: {shown}")


def _teachers(store: Store, image_ids: list[str]) -> dict[str, str]:
    """name (and revision) -> licence of the teachers of these photos; a few photos tell."""
    found = {}
    for image_id in image_ids[:: max(1, len(image_ids) // 8)]:
        teacher = store.geometry(image_id).teacher
        found[f"{teacher.name} {teacher.revision}".strip()] = teacher.licence
    return found


@contextmanager
def quiet_library() -> Iterator[None]:
    """Without the library's own bars, chatter and notes to its own developers; its errors still show."""
    level, bars = library_logging.get_verbosity(), library_logging.is_progress_bar_enabled()
    library_logging.set_verbosity_error()
    library_logging.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", category=FutureWarning, module="transformers")
            yield
    finally:
        library_logging.set_verbosity(level)
        if bars:
            library_logging.enable_progress_bar()
