"""The things that the questions of a photo may speak of: those with names, and those with a mark."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pseudogd.objects.marks import lot, mark_things
from pseudogd.store.dataset import Store


def objects_asked(store: Store, photo: Mapping[str, Any]) -> list[Any]:
    """Rows of the photo's things, the marked ones under the names that the questions there give them."""
    named = store.objects(photo["image_id"])
    entry = store.manifest.stages.get("questions")
    settings = {} if entry is None else entry.settings
    if settings.get("marks", "off") == "off":
        return named
    unnamed, size = store.unnamed(photo["image_id"]), (photo["width"], photo["height"])
    return [*named, *mark_things(unnamed, named, size, lot(photo["image_id"], settings["seed"])).rows]
