"""Commands that make data: photos to geometry, to named objects, to questions, to a data set for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pseudogd.cli.options import (
    Data,
    Debug,
    DryRun,
    Engine,
    MaxFailures,
    NumShards,
    Overwrite,
    Quiet,
    Seed,
    Shard,
    Workers,
    pairs,
)
from pseudogd.cli.summary import say, say_stage


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
    further = {**pairs(options, label, both=said), **{name: value for name, value in said.items() if value}}
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
    return say_stage(result, "photos with geometry", quiet)


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
        **pairs(options, annotate),
    )
    return say_stage(result, "photos annotated", quiet)


def synth(
    data: Data,
    settings: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[KEY=VALUE]...",
            help="Such as formats.open=0.5: formats, units, scene, margins, stability, wordings, numbers, fair, marks.",
        ),
    ] = None,
    tasks: Annotated[
        str | None, typer.Option(help="Names with commas between, all by default; nearer=20: at most so many a photo.")
    ] = None,
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
        **pairs(settings, synth),
    )
    return say_stage(result, "questions", quiet)


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
    say(
        f"{done.rows:,} rows on {done.photos:,} photos in {done.out}; questions: {told}; left out: {done.left_out:,}",
        quiet,
    )
    if done.located:
        say(f"note: {done.located:,} photos tell where they were taken; --images recode leaves that out", quiet)
    say(f"data set: {done.url}", quiet or done.url is None)
