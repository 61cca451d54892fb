"""Photos with numbers on the things that no words tell apart, for the questions that speak of them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pseudogd.engines.local import reason_of
from pseudogd.engines.result import Outcome
from pseudogd.errors import InputError
from pseudogd.objects.draw_marks import draw_marks, encoded
from pseudogd.objects.marks import Mark, lot, mark_things
from pseudogd.progress import notice
from pseudogd.stages.detect import PhotoItem, read_photo
from pseudogd.store.dataset import Store
from pseudogd.store.pictures import keep_picture
from pseudogd.store.schemas import json_text

MARKING = 1
"""Changes whenever marks are chosen, placed or drawn in another way: their photos are asked about again then."""


def can_mark(store: Store, photo: Mapping[str, Any]) -> list[Any]:
    """What the marks of a photo depend on besides geometry and objects: whether it can be seen."""
    return [MARKING, store.photo_path(photo["image_id"]).is_file()]


@dataclass(frozen=True)
class MarkedPhoto:
    """``objects``: named things and marked ones; ``marks`` of those; ``left_out``: (object, reason) of others."""

    store: Store
    item: PhotoItem
    objects: list[Any]
    marks: list[Mark]
    left_out: list[tuple[str, str]]

    def outcome(self, rows: Sequence[dict[str, Any]], skipped: Sequence[tuple[str, str]]) -> Outcome:
        """Rows of questions with the marked picture where they speak of a mark; it is drawn only if one does.

        What cannot be drawn costs those rows alone, and says so in the ledger. ``skipped``: things of the scene that
        are not asked about.
        """
        names = {row["object_id"]: row["name"] for row in self.objects}
        ids = {mark.object_id for mark in self.marks}
        marked = {names[object_id] for object_id in ids}
        notes = [f"object {object_id}: {reason}" for object_id, reason in self.left_out]
        notes += [f"object {object_id}: {reason}" for object_id, reason in skipped if object_id in ids]
        spoken = {row["question_id"]: speaks_of(row, marked) for row in rows}
        if not any(spoken.values()):
            return Outcome(rows, notes=notes)
        try:
            picture = self._drawn()
        except InputError as error:
            reason = f"marks were not drawn: {reason_of(error).removeprefix(f'{self.item.name}: ')}"
            return Outcome([row for row in rows if not spoken[row["question_id"]]], [reason], notes)
        return Outcome([_with(row, picture, spoken[row["question_id"]]) for row in rows], notes=notes)

    def _drawn(self) -> str:
        path = self.store.photo_path(self.item.image_id)
        data, suffix = encoded(draw_marks(read_photo(self.store, self.item), self.marks), path.suffix)
        return keep_picture(self.store.root, data, suffix)


def marked_photo(store: Store, photo: Mapping[str, Any], named: Sequence[Any], seed: int) -> MarkedPhoto | None:
    """The marks of a photo, or None where everything that can be asked about has a name."""
    unnamed = store.unnamed(photo["image_id"])
    if not unnamed:
        return None
    item = PhotoItem(photo["path"], photo["image_id"], photo["width"], photo["height"])
    found = mark_things(unnamed, named, (item.width, item.height), lot(item.image_id, seed))
    return MarkedPhoto(store, item, [*named, *found.rows], found.marks, found.left_out)


def speaks_of(row: Mapping[str, Any], names: set[str]) -> list[str]:
    """The marked things that a question may ever speak of, in whatever words its fact is put."""
    text = json_text({"evidence": row["evidence"], "text": row["text"], "options": row["options"]})
    return sorted(name for name in names if name in text)


def picture_of(row: dict[str, Any]) -> dict[str, Any]:
    """The row with the marked picture if its present words speak of a mark, and with the photo if they do not."""
    evidence = row["evidence"] if isinstance(row["evidence"], Mapping) else json.loads(row["evidence"])
    marked = evidence.get("marked")
    if marked is None:
        return row
    said = "\n".join([row["text"], row["answer"], *(row["options"] or ())])
    return {**row, "picture": marked["picture"] if any(name in said for name in marked["names"]) else None}


def _with(row: dict[str, Any], picture: str, names: Sequence[str]) -> dict[str, Any]:
    if not names:
        return row
    evidence = {**row["evidence"], "marked": {"picture": picture, "names": list(names)}}
    return picture_of({**row, "evidence": evidence})


def tell_of_marks(store: Store, marks: str, quiet: bool) -> None:
    """A line about the things without a name: that they could be marked, or how many could not and why."""
    photos = store.photos().to_pylist()
    nameless = sum(len(store.unnamed(photo["image_id"])) for photo in photos)
    if marks == "off":
        if nameless:
            notice(
                f"note: {nameless:,} things that no words tell apart are not asked about; marks=ambiguous does", quiet
            )
        return
    notes = store.left_out("questions")
    if notes:
        most = Counter(note.reason.partition(": ")[2] for note in notes).most_common(3)
        told = "; ".join(f"{reason} ({count:,})" for reason, count in most)
        notice(f"note: of {nameless:,} things without a name {len(notes):,} were not marked: {told}", quiet)
    elif not nameless and any("no words" in note.reason for note in store.left_out("objects")):
        notice("note: the objects were named by an earlier version, which kept nothing to mark; annotate anew", quiet)


def picture_paths(store: Store) -> list[Path]:
    """The marked pictures that questions show, each once."""
    names = store.questions(["picture"])["picture"].unique().to_pylist()
    return [store.root / name for name in sorted(name for name in names if name is not None)]
