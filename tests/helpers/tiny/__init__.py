"""One tiny random checkpoint of the real classes for every family: a module each, named as the family.

    from helpers.tiny import FAMILIES
    folder = FAMILIES["llava"].save(tmp_path)

A module has
    SIZES: sizes (width, height) of pictures: wide, tall, tiny, larger than the tiling limit;
    VARIANTS: name -> options of `save`, the first being the ordinary one;
    save(folder, **options) -> Path: writes model, processor, chat template and generation config;
and may have `make_identity(student)` and `colours(student, hidden)` where those of `helpers.painted` do not fit, and
    after_load(student, **options) for what a checkpoint on disk cannot say and its user sets by hand;
    encode_conversation(processor, messages, *photos) where its processor takes question and answer apart;
    EXACT = False where the projector mixes cells (resampling), so that one of its tokens sees more than its own cell;
    MIXED, the names of variants, where it does so in some of them.
"""

import importlib
import pkgutil

FAMILIES = {
    info.name: importlib.import_module(f"{__name__}.{info.name}")
    for info in pkgutil.iter_modules(__path__)
    if not info.name.startswith("_")
}
