"""Verbs that make data: photos to geometry, to named objects, to questions, to a data set for other programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pseudogd.api.paths import PathLike
from pseudogd.errors import InputError

if TYPE_CHECKING:
    from pseudogd.stages._estimate import Estimate
    from pseudogd.stages.annotate import AnnotateResult
    from pseudogd.stages.label import LabelResult
    from pseudogd.stages.packing.pack import Packed
    from pseudogd.stages.synth import SynthResult


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
    from pseudogd.store.dataset import Store
    from pseudogd.training.balance import balance_of

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
        balance=balance_of(Store(data)) if balanced else None,
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
