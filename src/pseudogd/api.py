"""The verbs as functions: each wires rooms together and holds no logic of its own.

A verb has the name and the parameters of its command (`evaluate` is the command `eval`). What a user can mend is raised
as `pseudogd.errors.PseudoGDError`.
"""

from __future__ import annotations

import filecmp
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pseudogd.errors import InputError
from pseudogd.progress import notice, track

if TYPE_CHECKING:
    from pseudogd.benchmarks.backends.chat_server import ChatServer
    from pseudogd.stages._estimate import Estimate
    from pseudogd.stages.annotate import AnnotateResult
    from pseudogd.stages.audit import Audit
    from pseudogd.stages.calibrate import CalibrateResult
    from pseudogd.stages.label import LabelResult
    from pseudogd.stages.packing.pack import Packed
    from pseudogd.stages.synth import SynthResult
    from pseudogd.store.integrity import Verified
    from pseudogd.training.doctor import Diagnosis
    from pseudogd.training.recipe import Recipe
    from pseudogd.training.train import TrainResult
    from pseudogd.vqa.selftest.result import SelftestResult

PathLike = str | os.PathLike[str]


def label(
    photos: PathLike,
    teacher: Any = "embedded",
    out: PathLike = "data",
    cameras: PathLike | None = None,
    *,
    confidence: str | None = None,
    second_teacher: Any = None,
    accept_licence: bool | str | Sequence[str] | None = None,
    batch_size: int = 16,
    workers: int = 2,
    max_failures: int = 0,
    overwrite: bool = False,
    num_shards: int = 1,
    shard: int = 0,
    engine: str = "local",
    dry_run: bool = False,
    quiet: bool = False,
    **options: Any,
) -> LabelResult | Estimate:
    """Photos to pseudo geometry: `pseudogd.stages.label.label`. `options` go to the teacher (size, device ...).

    `confidence` ("flip") and `second_teacher` say how sure each pixel is: `pseudogd.teachers.confidence`;
    `accept_licence` is True or names models or licences that may be used: `pseudogd.teachers.licences`. With `dry_run`
    nothing is written, and what labelling will take is measured on some of the photos.
    """
    from pseudogd.stages.dry_run import estimate
    from pseudogd.stages.label import label as run

    said = {"confidence": confidence, "second_teacher": second_teacher, "accept_licence": accept_licence}
    options |= {name: value for name, value in said.items() if value}
    try:
        if dry_run:
            hands = {"batch_size": batch_size, "workers": workers, "num_shards": num_shards, "quiet": quiet}
            return estimate(photos, teacher, cameras, **hands, **options)
        return run(
            photos,
            teacher,
            out,
            cameras,
            batch_size=batch_size,
            workers=workers,
            max_failures=max_failures,
            overwrite=overwrite,
            num_shards=num_shards,
            shard=shard,
            engine=engine,
            quiet=quiet,
            **options,
        )
    except TypeError as error:
        refused = next((name for name in options if f"argument {name!r}" in str(error)), None)
        if refused is None:
            raise
        raise InputError(f"teacher {teacher!r} has no option {refused!r}; leave it out") from error


def annotate(
    data: PathLike,
    source: Any,
    segmenter: str | None = None,
    classes: str | Sequence[str] | None = None,
    vocabulary: PathLike | None = None,
    *,
    workers: int = 1,
    max_failures: int = 0,
    overwrite: bool = False,
    num_shards: int = 1,
    shard: int = 0,
    engine: str = "local",
    dry_run: bool = False,
    quiet: bool = False,
    **options: Any,
) -> AnnotateResult | Estimate:
    """Photos to named objects: `pseudogd.stages.annotate.annotate`. `options` go to the detector (nms, device ...)."""
    from pseudogd.stages.annotate import annotate as run

    return run(
        data,
        source,
        segmenter,
        classes,
        vocabulary,
        workers=workers,
        max_failures=max_failures,
        overwrite=overwrite,
        num_shards=num_shards,
        shard=shard,
        engine=engine,
        dry_run=dry_run,
        quiet=quiet,
        **options,
    )


def calibrate(
    data: PathLike,
    truth: PathLike,
    *,
    cameras: PathLike | None = None,
    precision: float = 0.95,
    tasks: str | Sequence[str] | None = None,
    settings_file: PathLike | None = None,
    metres_per_unit: float = 0.001,
    photos: int | None = None,
    seed: int = 0,
    out: PathLike | None = None,
    quiet: bool = False,
) -> CalibrateResult:
    """A labelled folder against measured depth, and the margins its questions need: `pseudogd.stages.calibrate`."""
    from pseudogd.stages.calibrate import calibrate as run

    return run(
        data,
        truth,
        cameras=cameras,
        precision=precision,
        tasks=tasks,
        settings_file=settings_file,
        metres_per_unit=metres_per_unit,
        photos=photos,
        seed=seed,
        out=out,
        quiet=quiet,
    )


def selftest(tasks: str | Sequence[str] | None = None, *, quiet: bool = False) -> SelftestResult:
    """Every form of every question against closed-form truth on golden scenes, their symmetries, and known mistakes.

    `tasks`: names ("nearer,size" or a list); all by default. Takes seconds, needs no data. The result's `exit_code` is
    1 when something is wrong. Raises InputError for an unknown task.
    """
    from pseudogd.benchmarks.selfcheck import scorer_flaws
    from pseudogd.vqa.selftest.result import SelftestResult, run_all

    checks = run_all(tasks, {"a scorer that is always right": scorer_flaws}, quiet)
    return SelftestResult(tuple(checks))


def synth(
    data: PathLike,
    tasks: str | Sequence[str] | Mapping[str, float] | None = None,
    *,
    settings_file: PathLike | None = None,
    second: PathLike | None = None,
    rerender: bool = False,
    seed: int = 0,
    workers: int = 1,
    max_failures: int = 0,
    overwrite: bool = False,
    num_shards: int = 1,
    shard: int = 0,
    engine: str = "local",
    dry_run: bool = False,
    quiet: bool = False,
    **settings: Any,
) -> SynthResult | Estimate:
    """Geometry and objects to spatial questions: `pseudogd.stages.synth.synth`.

    `settings`: formats, scene, margins, stability, least_margin, without, wordings, units, numbers and fair.
    """
    from pseudogd.stages.synth import SETTINGS
    from pseudogd.stages.synth import synth as run

    if unknown := sorted(set(settings) - set(SETTINGS)):
        raise InputError(f"synth: unknown setting {unknown[0]!r}; known are {', '.join(SETTINGS)}")
    return run(
        data,
        tasks,
        settings_file=settings_file,
        second=second,
        rerender=rerender,
        seed=seed,
        workers=workers,
        max_failures=max_failures,
        overwrite=overwrite,
        num_shards=num_shards,
        shard=shard,
        engine=engine,
        dry_run=dry_run,
        quiet=quiet,
        **settings,
    )


def audit(
    data: PathLike,
    *,
    against: PathLike | Sequence[PathLike] = (),
    photos: bool = True,
    balanced: bool = True,
    most: int = 100_000,
    out: PathLike | None = None,
    workers: int = 1,
    quiet: bool = False,
    **limits: float,
) -> Audit:
    """Whether questions can be answered without looking: `pseudogd.stages.audit.audit`, and a page about it.

    `limits` are thresholds of `pseudogd.vqa.audit.limits.Limits`. With `balanced` the questions that training keeps
    (`data.balance`) are judged, and the numbers of all are told beside; without it all are judged. Writes audit.html
    and audit.json into `data`, or into `out`.
    """
    from pseudogd.reports.audit import write_audit_page
    from pseudogd.stages.audit import audit as run
    from pseudogd.training.balance import shortcuts_to_drop

    balance = shortcuts_to_drop if balanced else None
    found = run(data, limits, against=against, photos=photos, balance=balance, most=most, workers=workers, quiet=quiet)
    return replace(found, page=write_audit_page(found, Path(data if out is None else out)))


def pack(
    data: PathLike,
    out: PathLike,
    *,
    format: str = "messages",
    tasks: str | Sequence[str] | None = None,
    min_margin: float | str | Mapping[str, float] | None = None,
    min_stability: float | None = None,
    balanced: bool = True,
    splits: str | Mapping[str, float] | None = None,
    turns: int = 1,
    images: str = "copy",
    evidence: bool = False,
    seed: int = 0,
    push: str | None = None,
    private: bool = True,
    overwrite: bool = False,
    quiet: bool = False,
) -> Packed:
    """Questions and photos as a data set for other programs: `pseudogd.stages.packing.pack.pack`.

    `balanced` leaves out what training leaves out (`data.balance`). `push` is a data set of the hub, owner/name, which
    is made if it is not there, `private` by default.
    """
    from pseudogd.stages.packing.pack import pack as run
    from pseudogd.training.balance import shortcuts_to_drop

    if push is not None:
        from pseudogd.stages.packing.push import check_push

        check_push(push, images)
    done = run(
        data,
        out,
        format,
        tasks=tasks,
        min_margin=min_margin,
        min_stability=min_stability,
        balance=shortcuts_to_drop if balanced else None,
        splits=splits,
        turns=turns,
        images=images,
        evidence=evidence,
        seed=seed,
        overwrite=overwrite,
        quiet=quiet,
    )
    if push is None:
        return done
    from pseudogd.stages.packing.push import push as upload

    return replace(done, url=upload(done.out, push, private))


def verify(data: PathLike, *, quiet: bool = False) -> Verified:
    """Whether every shard of a data folder still holds the bytes that were written; names those that do not."""
    from pseudogd.store.integrity import shard_count
    from pseudogd.store.integrity import verify as run

    with track("verify", shard_count(data), unit="files", quiet=quiet) as bar:
        return run(data, bar.advance)


def train(
    recipe: Any,
    overrides: Sequence[str] | Mapping[str, Any] = (),
    *,
    check: bool = True,
    overwrite: bool = False,
    quiet: bool = False,
) -> TrainResult:
    """One arm of training: `pseudogd.training.train.run_training`. `recipe` is a YAML file or a `Recipe`."""
    recipe = _recipe(recipe, overrides)  # before the heavy imports below: a wrong key is said at once
    from pseudogd.training.train import run_training

    return run_training(recipe, quiet=quiet, resume=not overwrite, check=check)


def doctor(
    recipe: Any,
    overrides: Sequence[str] | Mapping[str, Any] = (),
    *,
    model: PathLike | None = None,
    offline: bool = False,
    out: PathLike | None = "runs/doctor",
    quiet: bool = False,
) -> Diagnosis:
    """Whether a recipe will train here: `pseudogd.training.doctor.diagnose`, and a page with what the student sees.

    Args:
        recipe, overrides: as of `train`.
        model: a checkpoint folder that stands in for `model.path`: a small one of its family, on a small machine.
        offline: nothing is asked of the hub; a hub id must be in its cache.
        out: folder for doctor.html, doctor.json and views.png; None writes nothing.

    Raises:
        InputError: the recipe or `model` cannot be read. What else is wrong is a check that failed.
    """
    from pseudogd.training.recipe import changed

    recipe = _recipe(recipe, overrides)
    instead_of = None
    if model is not None:
        if not (Path(model) / "config.json").is_file():
            raise InputError(f"{model}: no checkpoint here (no config.json); --model takes a checkpoint folder")
        instead_of, recipe = recipe.model.path, changed(recipe, {"model.path": str(model)})
    from pseudogd.reports.doctor import write_doctor_page
    from pseudogd.stages.sample import sample_data
    from pseudogd.student.offline import offline as without_network
    from pseudogd.training.doctor import LOOKS, diagnose

    with (
        tempfile.TemporaryDirectory(prefix="pseudogd-doctor-") as scratch,
        without_network(offline),
        track("doctor", len(LOOKS), unit="checks", quiet=quiet) as bar,
    ):
        found = diagnose(recipe, lambda: sample_data(Path(scratch)), instead_of, lambda check: bar.advance())
        if out is not None:
            found.page = write_doctor_page(found, Path(out))
    return found


def evaluate(
    model: Any,
    bench: Any = "world",
    out: PathLike | None = None,
    *,
    split: str = "test",
    items: int | None = None,
    limit: int | None = None,
    prompt: str | None = None,
    prompt_file: PathLike | None = None,
    max_new_tokens: int | None = None,
    batch_size: int = 64,
    precision: str = "fp32",
    device: str | None = None,
    url: str | None = None,
    api_key: str | None = None,
    timeout: float = 120.0,
    overwrite: bool = False,
    quiet: bool = False,
) -> dict[str, Any]:
    """A model's answers to a bench, scored: `pseudogd.benchmarks.runner.evaluate`.

    `model` may be a run folder. `out` is by default that run, or `runs/NAME` for another checkpoint. `split` and
    `items` say which world bench is built (``dev`` to choose settings by, ``test`` to report). With `url` (and
    `api_key`, `timeout`) an OpenAI-compatible server is asked, and `model` is the name that it serves the model under.
    """
    from pseudogd.benchmarks.runner import evaluate as run
    from pseudogd.benchmarks.world_bench import WorldBench

    world = WorldBench(split=split) if items is None else WorldBench(split=split, items=items)
    if url is None:
        asked = _checkpoint(model)
    else:
        from pseudogd.benchmarks.backends.served import ServedBackend

        asked = ServedBackend(_server(model, url, api_key, timeout, precision, device))
    return run(
        asked,
        bench,
        _evaluated(model) if out is None else out,
        world=world,
        limit=limit,
        prompt=prompt,
        prompt_file=prompt_file,
        max_new_tokens=max_new_tokens,
        batch_size=batch_size,
        precision=precision,
        device=device,
        overwrite=overwrite,
        quiet=quiet,
    )


@dataclass(frozen=True)
class ExportResult:
    """Where the checkpoint is, and how far its logits are from the trained model's (None if that was not looked at)."""

    out: Path
    max_abs_logit_diff: float | None


def export(
    run: PathLike, out: PathLike, *, dtype: str | None = None, check: bool = True, quiet: bool = False
) -> ExportResult:
    """A finished run's model as an ordinary checkpoint in the folder `out`, with a model card.

    `dtype` casts the weights ("bfloat16"); they are float32 as they were trained. `check` loads the checkpoint with
    plain transformers in a new process and compares. A folder that holds this very checkpoint already is left as it is;
    any other content is refused (InputError).
    """
    from pseudogd.training.export import check_export
    from pseudogd.training.export import export as copy

    target = Path(out)
    if dtype is not None or not _same_files(Path(run) / "model", target):
        copy(run, target, dtype)
    notice(f"export: {target}, comparing with plain transformers", quiet or not check)
    return ExportResult(target, check_export(target) if check else None)


def ask(
    model: Any,
    image: PathLike,
    question: str,
    *,
    max_new_tokens: int = 64,
    precision: str = "fp32",
    device: str | None = None,
    url: str | None = None,
    api_key: str | None = None,
    timeout: float = 120.0,
) -> str:
    """A model's greedy answer to a question about a picture. `model` may be a run folder.

    With `url` an OpenAI-compatible server (transformers serve, vLLM and others) is asked instead, and `model` is the
    name that it serves the model under; None leaves the choice to the server.

    Args:
        model: checkpoint folder, hub id, run folder or model in memory; with `url` a name or None.
        image: a photo.
        question: what to ask.
        max_new_tokens: longest answer, in tokens.
        precision, device: of a model on this machine.
        url: such as ``http://localhost:8000``.
        api_key: of the server; None takes the environment variable PSEUDOGD_API_KEY, if it is set.
        timeout: seconds for the server's answer.

    Raises:
        InputError: no such model or photo; no server, or one that refuses or does not speak the protocol.
    """
    if url is not None:
        answer = _server(model, url, api_key, timeout, precision, device).reply(image, question, max_new_tokens)
        if answer is None:
            raise InputError(f"{url}: the model has said nothing in {max_new_tokens} tokens; raise --max-new-tokens")
        return answer
    if api_key is not None:
        raise InputError("an API key goes with the address of a server; give --url too")
    from pseudogd.student.ask import generate_answers
    from pseudogd.student.load import load_student

    student = load_student(_checkpoint(model), device=device)
    return generate_answers(student, [(Path(image), question)], max_new_tokens, precision=precision)[0]


def report(runs: PathLike | Sequence[PathLike], out: PathLike | None = None, *, quiet: bool = False) -> Path:
    """`report.html` and `report.json` of one run, of a folder of runs, or of several (then with `out`).

    Of a data folder: `report.html` with every photo, its depth and objects, and its questions with their evidence.
    """
    from pseudogd.reports.build import build_report

    return build_report(runs, out)


def view(
    data: PathLike,
    out: PathLike | None = None,
    *,
    photos: int = 40,
    task: str | Sequence[str] | None = None,
    kind: str | Sequence[str] | None = None,
    image: str | Sequence[str] = (),
    failures: bool = False,
    side: int = 640,
    seed: int = 0,
    open_page: bool = False,
    quiet: bool = False,
) -> Path:
    """One page to look through a data folder, offline: pictures, objects, questions with their evidence drawn.

    Shows at most `photos` photos drawn by `seed`, or those of `image` (path, file name, id), or with `failures` those
    that failed or gave no question; `task` and `kind` (names, or text with commas) leave other questions out. `side`:
    longest side of the photos on the page, pixels. `open_page` opens it in a browser. Needs the stage of `label` alone.
    Returns the page's path. Raises InputError where nothing is there that was asked for.
    """
    from pseudogd.reports.viewer.page import build_view
    from pseudogd.reports.viewer.sample import Choice

    images = (image,) if isinstance(image, str) else tuple(image)
    choice = Choice(photos, _names(task), _names(kind), seed, images, failures)
    page = build_view(data, out, choice, side=side)
    if open_page:
        import webbrowser

        if not webbrowser.open(page.resolve().as_uri()):
            notice(f"{page}: no browser could be started; open the page yourself", quiet)
    return page


def _names(text: str | Sequence[str] | None) -> tuple[str, ...]:
    """Names from a list, or from text with commas between."""
    parts = text.split(",") if isinstance(text, str) else text or ()
    return tuple(name.strip() for name in parts if name.strip())


def _server(
    model: Any, url: str, api_key: str | None, timeout: float, precision: str, device: str | None
) -> ChatServer:
    from pseudogd.benchmarks.backends.chat_server import ChatServer

    if precision != "fp32" or device is not None:
        raise InputError(f"{url}: precision and device are the server's own affair; leave them out")
    return ChatServer(url, None if model is None else str(model), api_key, timeout)


def _recipe(recipe: Any, overrides: Sequence[str] | Mapping[str, Any]) -> Recipe:
    from pseudogd.training.recipe import Recipe, load_recipe

    if not isinstance(recipe, Recipe):
        return load_recipe(recipe, overrides)
    if overrides:
        raise InputError("overrides go with a recipe file; change the Recipe itself")
    return recipe


def _checkpoint(model: Any) -> Any:
    """The checkpoint of a run folder; a checkpoint folder, a hub id or a model in memory as it is."""
    if not isinstance(model, (str, os.PathLike)):
        return model
    folder = Path(model)
    if (folder / "model" / "config.json").is_file():
        return folder / "model"
    is_id = not folder.exists() and len(folder.parts) == 2 and not str(model).startswith((".", "/", "~"))
    if not (is_id or (folder / "config.json").is_file()):
        raise InputError(f"{model}: no model here; give a checkpoint folder, a finished run, or a hub id owner/name")
    return model


def _same_files(folder: Path, other: Path) -> bool:
    """Whether both folders hold the same files with the same bytes, but for the card, which grows by evaluations."""
    names = [sorted(path.name for path in place.iterdir()) if place.is_dir() else [] for place in (folder, other)]
    if not names[0] or names[0] != names[1]:
        return False
    names[0] = [name for name in names[0] if name != "README.md"]
    return len(filecmp.cmpfiles(folder, other, names[0], shallow=False)[0]) == len(names[0])


def _evaluated(model: Any) -> Path:
    """Where a model's evaluation goes: into its run, or to runs/NAME."""
    if not isinstance(model, (str, os.PathLike)):
        raise InputError("say with out= where the evaluation of a model that is no folder goes")
    folder = Path(model)
    for run in (folder, folder.parent):
        if (run / "recipe.yaml").is_file() and (run / "model").is_dir():
            return run
    return Path("runs") / (folder.resolve().name if folder.is_dir() else folder.name)
