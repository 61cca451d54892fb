"""The commands: each reads its arguments, calls the verb of the same name, and says in a line what came of it."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from enum import Enum
from pathlib import Path
from typing import Annotated, Any

import typer

from pseudogd import __version__
from pseudogd.errors import InputError
from pseudogd.exits import fail, run

app = typer.Typer(
    help="Teach a vision-language model space: photos in, a spatially better model out.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Data = Annotated[Path, typer.Argument(metavar="DATA", help="Data folder that `label` made.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress and no summary: errors and answers alone.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show the whole traceback of an error.")]
Workers = Annotated[int, typer.Option(min=1, help="How many hands work at a time; the result is the same.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Delete what is there, made with other settings.")]
NumShards = Annotated[int, typer.Option(min=1, help="So many jobs fill the folder at the same time.")]
Shard = Annotated[int, typer.Option(min=0, help="Which of those jobs this is, from 0.")]
Engine = Annotated[str, typer.Option(help="local, ray, or ray:ADDRESS of a cluster that sees the same folders.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Write nothing; say what it will take (with --quiet as JSON).")]
MaxFailures = Annotated[int, typer.Option(min=0, help="So many photos may fail before the exit code is 1.")]
Seed = Annotated[int, typer.Option(min=0, help="Seed of every random choice.")]
Device = Annotated[str | None, typer.Option(help="cpu, cuda, mps ...; a GPU if there is one.")]
Url = Annotated[
    str | None, typer.Option(help="Ask an OpenAI-compatible server, such as http://localhost:8000; MODEL is its name.")
]
ApiKey = Annotated[str | None, typer.Option(help="Key of the server; better in the environment: PSEUDOGD_API_KEY.")]
Timeout = Annotated[float, typer.Option(help="Seconds to wait for an answer of the server.")]


class Dtype(str, Enum):
    """Types of weights that a checkpoint is written in."""

    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"
    FLOAT16 = "float16"


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command and exit: 0 done, 1 done with too many failures, 2 wrong use, 130 interrupted."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    if not sys.stderr.isatty():
        os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    sys.exit(run(app, arguments))


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"pseudogd {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say the version and exit.")
    ] = False,
    debug: Debug = False,
) -> None:
    """Nothing of its own: options that may stand before the command."""


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Folder of the run.")] = Path("runs/demo"),
    seed: Seed = 0,
    photos: Annotated[int, typer.Option(min=1, help="Photos to train on.")] = 3000,
    items: Annotated[int, typer.Option(min=1, help="Questions to be judged by.")] = 2000,
    split: Annotated[str, typer.Option(help="dev to choose settings by, test to report.")] = "test",
    steps: Annotated[int | None, typer.Option(min=1, help="Training steps of each arm.")] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes; as many as cores, two at most.")] = None,
    student: Annotated[Path | None, typer.Option(help="Base checkpoint to train instead of the embedded one.")] = None,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """The whole road on the embedded default."""
    from pseudogd.embedded import demo as verb

    sizes = {"photos": photos, "items": items, "split": split, "steps": steps}
    verb(out, seed=seed, **sizes, workers=workers, student=student, quiet=quiet)


@app.command()
def label(
    photos: Annotated[
        str,
        typer.Argument(
            metavar="PHOTOS", help="Folder of photos, .jsonl, .tar, .parquet, .arrow, or an address (s3://)."
        ),
    ],
    options: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[KEY=VALUE]...",
            help="For the teacher: size, device, dtype, revision, output; of files: scale, metres_per_unit.",
        ),
    ] = None,
    teacher: Annotated[
        str,
        typer.Option(
            help="embedded, moge, FOLDER_OR_HUB_ID of a transformers depth model, onnx:FILE.yaml, "
            "call:MODULE:FUNCTION, or files:DEPTH_FOLDER."
        ),
    ] = "embedded",
    out: Annotated[Path, typer.Option(help="Data folder to write.")] = Path("data"),
    cameras: Annotated[Path | None, typer.Option(help="cameras.json; without it EXIF, else the teacher's own.")] = None,
    confidence: Annotated[str | None, typer.Option(help="flip: ask again about each photo's mirror image.")] = None,
    second_teacher: Annotated[str | None, typer.Option(help="A teacher whose agreement is the confidence.")] = None,
    accept_licence: Annotated[
        list[str] | None,
        typer.Option("--accept-license", "--accept-licence", metavar="NAME", help="Model or licence that you may use."),
    ] = None,
    batch_size: Annotated[int, typer.Option(min=1, help="Photos at a time through the teacher.")] = 16,
    workers: Workers = 2,
    max_failures: MaxFailures = 0,
    overwrite: Overwrite = False,
    num_shards: NumShards = 1,
    shard: Shard = 0,
    engine: Engine = "local",
    dry_run: DryRun = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> int:
    """Photos to pseudo geometry, by a teacher."""
    from pseudogd.api import label as verb

    said = {"confidence": confidence, "second_teacher": second_teacher, "accept_licence": accept_licence}
    further = {**_pairs(options), **{name: value for name, value in said.items() if value}}
    result = verb(
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
        dry_run=dry_run,
        quiet=quiet,
        **further,
    )
    return _stage_done(result, "photos with geometry", quiet)


@app.command()
def annotate(
    data: Data,
    source: Annotated[
        str,
        typer.Option(help="coco:FILE; or grounding-dino:, mm-grounding-dino: or owlv2:FOLDER_OR_HUB_ID, a detector."),
    ],
    options: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[KEY=VALUE]...",
            help="For a detector: box_threshold, text_threshold, nms, max_objects, min_area, device, batch_size ...",
        ),
    ] = None,
    segmenter: Annotated[
        str | None, typer.Option(help="sam: or sam2:FOLDER_OR_HUB_ID, masks for a detector's boxes.")
    ] = None,
    classes: Annotated[str | None, typer.Option(help="What a detector looks for: chair,dining table.")] = None,
    vocabulary: Annotated[Path | None, typer.Option(help="The same from a text file, one name a line.")] = None,
    workers: Workers = 1,
    max_failures: MaxFailures = 0,
    overwrite: Overwrite = False,
    num_shards: NumShards = 1,
    shard: Shard = 0,
    engine: Engine = "local",
    dry_run: DryRun = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> int:
    """Named objects with masks for every photo."""
    from pseudogd.api import annotate as verb

    result = verb(
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
        **_pairs(options),
    )
    return _stage_done(result, "photos annotated", quiet)


@app.command()
def calibrate(
    data: Data,
    truth: Annotated[
        Path, typer.Option(metavar="DEPTH_DIR", help="Measured depth: NAME.png (16 bit, mm) or NAME.npz.")
    ],
    cameras: Annotated[Path | None, typer.Option(help="cameras.json of the true cameras; else the data's own.")] = None,
    precision: Annotated[float, typer.Option(help="Wanted share of right answers.")] = 0.95,
    tasks: Annotated[str | None, typer.Option(help="Names with commas between; all by default.")] = None,
    settings_file: Annotated[Path | None, typer.Option("--settings", help="YAML settings to start from.")] = None,
    metres_per_unit: Annotated[float, typer.Option(help="Of the values in PNG files.")] = 0.001,
    photos: Annotated[int | None, typer.Option(min=1, help="At most so many, spread evenly.")] = None,
    seed: Seed = 0,
    out: Annotated[Path | None, typer.Option(help="Folder to write; DATA by default.")] = None,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """The teacher's depth and questions against measured depth; proposes margins for a wanted precision."""
    from pseudogd.api import calibrate as verb

    result = verb(
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
    _done(f"figures: {result.report}; settings for `synth --settings`: {result.settings}", quiet)


@app.command()
def selftest(
    tasks: Annotated[str | None, typer.Option(help="Names with commas between; all by default.")] = None,
    quiet: Quiet = False,
    debug: Debug = False,
) -> int:
    """Every kind of question against closed-form truth, on scenes made for it: seconds, no data needed."""
    from pseudogd.api import selftest as verb

    result = verb(tasks, quiet=quiet)
    for flaw in result.flaws:
        typer.echo(flaw, err=True)
    count = sum(check.count for check in result.checks)
    _done(f"{count:,} checks, {len(result.flaws)} wrong", quiet)
    return result.exit_code


@app.command()
def synth(
    data: Data,
    settings: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[KEY=VALUE]...",
            help="Such as formats.open=0.5 or units=ft: formats, scene, margins, stability, wordings, numbers, fair.",
        ),
    ] = None,
    tasks: Annotated[str | None, typer.Option(help="Names with commas between; all by default.")] = None,
    settings_file: Annotated[
        Path | None, typer.Option("--settings", help="YAML file of settings, such as `calibrate` writes.")
    ] = None,
    second: Annotated[
        Path | None, typer.Option(help="Data folder of another teacher, where answers must be the same.")
    ] = None,
    rerender: Annotated[
        bool, typer.Option("--rerender", help="Other words, units, numbers or formats for the questions there.")
    ] = False,
    seed: Seed = 0,
    workers: Workers = 1,
    max_failures: MaxFailures = 0,
    overwrite: Overwrite = False,
    num_shards: NumShards = 1,
    shard: Shard = 0,
    engine: Engine = "local",
    dry_run: DryRun = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> int:
    """Spatial questions with their answers and evidence."""
    from pseudogd.api import synth as verb

    result = verb(
        data,
        tasks,
        seed=seed,
        workers=workers,
        max_failures=max_failures,
        overwrite=overwrite,
        num_shards=num_shards,
        shard=shard,
        engine=engine,
        dry_run=dry_run,
        quiet=quiet,
        settings_file=settings_file,
        second=second,
        rerender=rerender,
        **_pairs(settings),
    )
    return _stage_done(result, "questions", quiet)


@app.command()
def audit(
    data: Data,
    limits: Annotated[
        list[str] | None,
        typer.Argument(metavar="[KEY=VALUE]...", help="Thresholds, such as prior=0.15; docs/audit.md."),
    ] = None,
    against: Annotated[
        list[Path] | None, typer.Option(help="Folder of a benchmark's pictures, none of which may be here; repeatable.")
    ] = None,
    photos: Annotated[bool, typer.Option(help="Look for photos that nearly equal another.")] = True,
    balanced: Annotated[bool, typer.Option(help="Judge what training with data.balance keeps.")] = True,
    most: Annotated[int, typer.Option(min=1, help="Questions looked at; of more, whole photos are drawn.")] = 100_000,
    out: Annotated[Path | None, typer.Option(help="Folder for audit.html and audit.json; by default DATA.")] = None,
    workers: Annotated[int, typer.Option(min=1, help="Threads that decode photos.")] = 1,
    quiet: Quiet = False,
    debug: Debug = False,
) -> int:
    """Whether questions can be answered without looking; exit code 1 where a check failed."""
    from pseudogd.api import audit as verb

    choices = {"against": against or (), "photos": photos, "balanced": balanced, "most": most, "out": out}
    found = verb(data, **choices, workers=workers, quiet=quiet, **_pairs(limits))
    for line in found.lines():
        _done(line, quiet and not line.startswith("fail"))
    _done(f"page: {found.page}", quiet)
    return found.exit_code


@app.command()
def verify(data: Data, quiet: Quiet = False, debug: Debug = False) -> int:
    """Whether every file of a data folder still holds what was written; exit code 1 where one does not."""
    from pseudogd.api import verify as verb

    found = verb(data, quiet=quiet)
    for damage in found.damaged:
        fail(str(damage), found.exit_code)
    _done(f"{found.files:,} shards, {found.bytes / 1e6:,.1f} MB: {len(found.damaged)} damaged or missing", quiet)
    return found.exit_code


@app.command()
def pack(
    data: Data,
    out: Annotated[Path, typer.Option(help="Folder to write; must be empty or not there.")],
    format: Annotated[
        str, typer.Option(help="messages, llava, omnispatial or parquet; docs/export-data.md.")
    ] = "messages",
    tasks: Annotated[str | None, typer.Option(help="Names with commas between; all by default.")] = None,
    min_margin: Annotated[str | None, typer.Option(help="Least margin: a number, or nearer=0.2,size=0.4.")] = None,
    min_stability: Annotated[float | None, typer.Option(help="Least stability, where it was measured.")] = None,
    balanced: Annotated[bool, typer.Option(help="Leave out what training with data.balance leaves out.")] = True,
    splits: Annotated[str | None, typer.Option(help="Such as train=0.9,test=0.1: shares of the photos.")] = None,
    turns: Annotated[int, typer.Option(min=0, help="Questions of a photo in one row; 0 is all.")] = 1,
    images: Annotated[str, typer.Option(help="copy, link, or recode: pixels alone, without EXIF.")] = "copy",
    evidence: Annotated[bool, typer.Option(help="Keep the evidence of each question.")] = False,
    seed: Seed = 0,
    push: Annotated[str | None, typer.Option(help="Data set of the hub to upload to, owner/name.")] = None,
    private: Annotated[bool, typer.Option(help="Of a data set that --push makes.")] = True,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Questions and photos as a data set that other programs read."""
    from pseudogd.api import pack as verb

    chosen = {"tasks": tasks, "min_margin": min_margin, "min_stability": min_stability, "balanced": balanced}
    form = {"format": format, "splits": splits, "turns": turns, "images": images, "evidence": evidence, "seed": seed}
    done = verb(data, out, **chosen, **form, push=push, private=private, overwrite=overwrite, quiet=quiet)
    told = ", ".join(f"{split} {count:,}" for split, count in done.questions.items())
    _done(
        f"{done.rows:,} rows on {done.photos:,} photos in {done.out}; questions: {told}; left out: {done.left_out:,}",
        quiet,
    )
    if done.located:
        _done(f"note: {done.located:,} photos tell where they were taken; --images recode leaves that out", quiet)
    _done(f"data set: {done.url}", quiet or done.url is None)


@app.command()
def train(
    recipe: Annotated[Path, typer.Argument(metavar="RECIPE.yaml", help="Every choice of the run.")],
    overrides: Annotated[
        list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="Such as optim.steps=800; over the recipe's.")
    ] = None,
    check: Annotated[bool, typer.Option(help="Compare the export with the trained model in a new process.")] = True,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """One arm of training; goes on where it was interrupted."""
    from pseudogd.api import train as verb

    result = verb(recipe, overrides or (), check=check, overwrite=overwrite, quiet=quiet)
    quiet = quiet or os.environ.get("RANK", "0") != "0"  # one of the processes of torchrun says it
    _done(f"{result.steps:,} steps on {result.questions:,} questions; model: {result.model}", quiet)


@app.command()
def doctor(
    recipe: Annotated[Path, typer.Argument(metavar="RECIPE.yaml", help="The run that is to be made.")],
    overrides: Annotated[
        list[str] | None,
        typer.Argument(metavar="[KEY=VALUE]...", help="Such as optim.batch_size=2; over the recipe's."),
    ] = None,
    model: Annotated[
        Path | None, typer.Option(help="Checkpoint folder to stand in for model.path: a small one of its family.")
    ] = None,
    offline: Annotated[bool, typer.Option("--offline", help="Ask nothing of the hub.")] = False,
    out: Annotated[Path | None, typer.Option(help="Folder for doctor.html, doctor.json and views.png.")] = Path(
        "runs/doctor"
    ),
    quiet: Quiet = False,
    debug: Debug = False,
) -> int:
    """Whether a recipe will train here, before hours are spent; exit code 1 where a check failed."""
    from pseudogd.api import doctor as verb

    found = verb(recipe, overrides or (), model=model, offline=offline, out=out, quiet=quiet)
    width = max(len(check.name) for check in found.checks)
    for check in found.checks:
        _done(f"{check.status}  {check.name:{width}}  {check.text}", quiet and check.status == "pass")
    _done(f"page: {found.page}", quiet or found.page is None)
    return found.exit_code


@app.command("eval")
def evaluate(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="Checkpoint folder, hub id, or run folder.")],
    bench: Annotated[
        str, typer.Option(help="world, omnispatial:DIR, or a folder or data.json of that layout.")
    ] = "world",
    out: Annotated[Path | None, typer.Option(help="Run folder; by default the model's own, or runs/NAME.")] = None,
    split: Annotated[str, typer.Option(help="World bench: dev to choose settings by, test to report.")] = "test",
    items: Annotated[int | None, typer.Option(min=1, help="World bench: how many questions.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Ask the first so many questions only.")] = None,
    prompt: Annotated[str | None, typer.Option(help="Prompt to use instead of the bench's own.")] = None,
    prompt_file: Annotated[Path | None, typer.Option(help="File with a system prompt.")] = None,
    max_new_tokens: Annotated[int | None, typer.Option(min=1, help="Longest reply, in tokens.")] = None,
    batch_size: Annotated[int, typer.Option(min=1, help="Questions at a time.")] = 64,
    precision: Annotated[str, typer.Option(help="fp32 or bf16.")] = "fp32",
    device: Device = None,
    url: Url = None,
    api_key: ApiKey = None,
    timeout: Timeout = 120.0,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Ask a model a bench and score it, with 95 % intervals."""
    from pseudogd.api import evaluate as verb

    summary = verb(
        model,
        bench,
        out,
        split=split,
        items=items,
        limit=limit,
        prompt=prompt,
        prompt_file=prompt_file,
        max_new_tokens=max_new_tokens,
        batch_size=batch_size,
        precision=precision,
        device=device,
        url=url,
        api_key=api_key,
        timeout=timeout,
        overwrite=overwrite,
        quiet=quiet,
    )
    width = max(map(len, summary["accuracy"]))
    for name, accuracy in summary["accuracy"].items():
        low, high = summary["ci95"][name]
        line = f"{name:{width}}  {100 * accuracy:5.1f} %  [{100 * low:.1f}, {100 * high:.1f}]  n={summary['n'][name]:,}"
        _done(line, quiet)


@app.command()
def export(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a finished training.")],
    out: Annotated[Path, typer.Option(help="Folder to write; must be empty or not there.")],
    dtype: Annotated[Dtype | None, typer.Option(help="Cast the weights, which are float32 as trained.")] = None,
    check: Annotated[bool, typer.Option(help="Load it with plain transformers in a new process and compare.")] = True,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """A finished run's model as an ordinary checkpoint."""
    from pseudogd.api import export as verb

    result = verb(run, out, dtype=None if dtype is None else dtype.value, check=check, quiet=quiet)
    compared = f"; largest difference of logits {result.max_abs_logit_diff}" if check else ""
    _done(f"checkpoint: {result.out}{compared}", quiet)


@app.command()
def ask(
    model: Annotated[
        str,
        typer.Argument(metavar="MODEL", help="Checkpoint folder, hub id, or run folder; with --url the name there."),
    ],
    image: Annotated[Path, typer.Argument(metavar="IMAGE", help="A photo.")],
    question: Annotated[str | None, typer.Argument(metavar="QUESTION", help="What to ask.", show_default=False)] = None,
    max_new_tokens: Annotated[int, typer.Option(min=1, help="Longest answer, in tokens.")] = 64,
    precision: Annotated[str, typer.Option(help="fp32 or bf16.")] = "fp32",
    device: Device = None,
    url: Url = None,
    api_key: ApiKey = None,
    timeout: Timeout = 120.0,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """A model's answer to one question about one photo: MODEL IMAGE QUESTION; with --url IMAGE QUESTION is enough."""
    from pseudogd.api import ask as verb

    named: str | None = model
    if question is None:  # the first word is the photo then
        if url is None:
            raise InputError("ask needs three words: MODEL IMAGE QUESTION (with --url MODEL may be left out)")
        named, image, question = None, Path(model), str(image)
    choices = {"max_new_tokens": max_new_tokens, "precision": precision, "device": device}
    typer.echo(verb(named, image, question, **choices, url=url, api_key=api_key, timeout=timeout))


@app.command()
def report(
    runs: Annotated[
        list[Path], typer.Argument(metavar="RUN...", help="Run folders, a folder of run folders, or one data folder.")
    ],
    out: Annotated[Path | None, typer.Option(help="Folder to write; several runs need it.")] = None,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """One page that opens offline: of runs their results, of a data folder its questions with their evidence."""
    from pseudogd.api import report as verb

    _done(f"report: {verb(runs, out, quiet=quiet)}", quiet)


@app.command()
def view(
    data: Data,
    out: Annotated[Path | None, typer.Option(help="Page or folder to write; DATA/view.html by default.")] = None,
    photos: Annotated[int, typer.Option(min=1, help="Show at most so many photos, drawn by the seed.")] = 40,
    task: Annotated[str | None, typer.Option(help="Only questions of these tasks; names with commas between.")] = None,
    kind: Annotated[str | None, typer.Option(help="Only questions of these kinds; names with commas between.")] = None,
    image: Annotated[
        list[str] | None, typer.Option(help="This photo: path, file name, its id or a question's; may be repeated.")
    ] = None,
    failures: Annotated[bool, typer.Option("--failures", help="Photos that failed or gave no question.")] = False,
    side: Annotated[int, typer.Option(help="Longest side of the photos on the page, pixels.")] = 640,
    seed: Seed = 0,
    open_page: Annotated[bool, typer.Option("--open", help="Open the page in a browser.")] = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """A data folder to look through: photos, depth, objects, questions with their evidence drawn."""
    from pseudogd.api import view as verb

    page = verb(
        data,
        out,
        photos=photos,
        task=task,
        kind=kind,
        image=image or (),
        failures=failures,
        side=side,
        seed=seed,
        open_page=open_page,
        quiet=quiet,
    )
    _done(f"page: {page} ({page.stat().st_size / 1e6:.1f} MB)", quiet)


def _stage_done(result: Any, what: str, quiet: bool) -> int:
    """Say what a stage did, or what a dry run expects; returns its exit code."""
    if hasattr(result, "to_json"):
        typer.echo(result.to_json() if quiet else str(result))
        return 0
    ledger = f"{result.failures:,} failures listed in {result.out / 'failures.parquet'}"
    if result.exit_code:
        return fail(
            f"{result.rows:,} {what}; {ledger}, more than --max-failures {result.max_failures}", result.exit_code
        )
    rest = "" if result.complete else "; other jobs are not done yet"
    _done(f"{result.rows:,} {what} in {result.out}" + (f"; {ledger}" if result.failures else "") + rest, quiet)
    return 0


def _done(text: str, quiet: bool) -> None:
    if not quiet:
        typer.echo(text)


def _pairs(texts: Sequence[str] | None) -> dict[str, Any]:
    """["a=1", "b.c=2"] -> {"a": 1, "b": {"c": 2}}; values are YAML."""
    import yaml

    result: dict[str, Any] = {}
    for text in texts or ():
        key, equals, value = text.partition("=")
        if not (equals and all(part.isidentifier() for part in key.split("."))):
            raise InputError(f"{text!r}: write key=value")
        *parents, leaf = key.split(".")
        place = result
        for parent in parents:
            place = place.setdefault(parent, {})
            if not isinstance(place, dict):
                raise InputError(f"{text!r}: {parent} has a value of its own already")
        try:
            place[leaf] = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise InputError(f"{text!r}: the value is not YAML; quote it") from error
    return result
