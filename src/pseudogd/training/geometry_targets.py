"""Geometry for the batches of another trainer: of photos that a data folder has geometry for."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from pseudogd.distill.targets import cell_targets
from pseudogd.errors import InputError
from pseudogd.store.dataset import Store
from pseudogd.store.photos import load_photo, photo_id
from pseudogd.student.batch import GeometryBatch, PhotoTargets
from pseudogd.student.families.base import FamilyAdapter
from pseudogd.student.head import GeometryHead
from pseudogd.student.taps import Taps, resolve_taps
from pseudogd.training.photos import PhotoInputs, head_biases

PathLike = str | os.PathLike[str]
_BIAS_PHOTOS = 64


class GeometryTargets:
    """Targets for a batch that a collator of yours has made with the student's processor.

        targets = GeometryTargets("data", student.family)
        batch = student.processor(images=..., text=..., return_tensors="pt")
        geometry = targets(["a.jpg", "b.jpg"], batch)  # for `Joint`

    A photo, or a copy of it with marks, is known by its bytes, so it is found whatever its name and folder. The
    processor must have read it upright, as `pseudogd.store.photos.load_photo` gives it. May be handed to data workers.

    Args:
        data: a data folder that `pseudogd label` made, or its `Store`.
        family: the student's adapter, with its processor.
        taps: what the geometry head reads; the same as of `Joint`.
        subcells: parts of a cell along each side that have targets of their own.
        missing: "error" refuses a photo that the data folder does not know, "skip" gives it no targets.

    Raises:
        InputError: no data folder, no geometry in it, or taps or a word that do not exist.
    """

    def __init__(
        self,
        data: PathLike | Store,
        family: FamilyAdapter,
        taps: str | Sequence[int] | Taps | None = None,
        subcells: int = 1,
        missing: str = "error",
    ):
        self.store = data if isinstance(data, Store) else Store(data)
        self.store.require("geometry")
        self.family, self.subcells, self.missing = family, subcells, missing
        self.taps = resolve_taps(taps, family)
        if missing not in ("error", "skip"):
            raise InputError(f"missing={missing!r} is not known; use 'error' or 'skip'")
        self._ids: dict[str, str] = {}

    def __call__(self, photos: Sequence[PathLike], encoding: Mapping[str, Any]) -> GeometryBatch:
        """Targets of all photos of a batch.

        Args:
            photos: their files, in the order in which the processor was given them: the first row's, the second's ...
            encoding: what the processor returned for the whole batch.

        Raises:
            InputError: a file that cannot be read, a photo without geometry, or more photos than the batch has.
        """
        return GeometryBatch.collate([self._photo(path, encoding, index) for index, path in enumerate(photos)])

    def new_head(self, width: int = 256, **settings: Any) -> GeometryHead:
        """A geometry head for these targets, whose scale starts at that of the data (a sample of its photos is read).

        `settings` as of `GeometryHead`. Raises InputError when a photo of the data folder cannot be read.
        """
        ids = self.store.geometry_ids()
        read = PhotoInputs(self.store, self.family, self.taps.grid_place, cache_mb=0, subcells=self.subcells)
        biases = head_biases(read[i].targets for i in ids[:: max(1, len(ids) // _BIAS_PHOTOS)])
        chosen = {**biases, "subcells": self.subcells, **settings}
        return GeometryHead.for_family(self.family, self.taps, width, **chosen)

    @cached_property
    def _sizes(self) -> dict[str, tuple[int, int]]:
        """image_id -> (width, height) of the upright photo."""
        table = self.store.photos().select(["image_id", "width", "height"]).to_pydict()
        return {i: (w, h) for i, w, h in zip(table["image_id"], table["width"], table["height"])}

    @cached_property
    def _marked(self) -> dict[str, str]:
        """Digest of a copy with marks -> image_id of the photo that it is of."""
        entry = self.store.manifest.stages.get("questions")
        if entry is None or not entry.complete:
            return {}
        table = self.store.questions(["image_id", "picture"]).to_pydict()
        pairs = zip(table["image_id"], table["picture"])
        return {Path(picture).stem: image_id for image_id, picture in pairs if picture is not None}

    def _photo(self, path: PathLike, encoding: Mapping[str, Any], index: int) -> PhotoTargets:
        image_id = self._id(path)
        known = image_id in self._sizes
        if not known and self.missing == "error":
            raise InputError(f"{path}: {self.store.root} has no geometry of it; label it, or set missing='skip'")
        size = self._sizes[image_id] if known else load_photo(path).size
        place, family = self.taps.grid_place, self.family
        try:
            tokens = family.token_count(size, encoding, index, place)
            views = family.views(size, encoding, index, place) if known else []
        except IndexError as error:
            raise InputError(f"{path}: is photo {index + 1}, but the processor's batch has fewer") from error
        geometry = self.store.geometry(image_id) if known else None
        cells = [
            (view, cell_targets(geometry, view.boxes, view.grid, view.cell, view.is_global, size, self.subcells))
            for view in views
        ]
        return PhotoTargets(cells, tokens)

    def _id(self, path: PathLike) -> str:
        if not isinstance(path, (str, os.PathLike)):
            raise InputError(f"a photo is a {type(path).__name__}; give its file's path, by which geometry is found")
        name = str(Path(path))
        if name not in self._ids:
            found = photo_id(name)
            self._ids[name] = self._marked.get(found, found)
        return self._ids[name]
