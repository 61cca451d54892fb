"""Families with a video processor are loaded without it, and keep its settings wherever the checkpoint has them."""

import json

import pytest
from helpers.painted import painted
from helpers.tiny import FAMILIES
from transformers.video_processing_utils import BaseVideoProcessor

from pseudogd.errors import InputError
from pseudogd.student.load import load_processor, load_student
from pseudogd.training.export import write_plain

NAMES = ["smolvlm", "internvl"]


def as_an_older_release_saved_it(folder, video):
    """Image settings in a file of their own, and those for videos in another, or in the same (`video` None)."""
    settings = json.loads((folder / "processor_config.json").read_text())
    image = settings.pop("image_processor") | {"processor_class": settings["processor_class"]}
    image |= {"video_sampling": {"fps": 2, "max_frames": 8, "video_size": {"longest_edge": 64}}}
    (folder / "preprocessor_config.json").write_text(json.dumps(image))
    (folder / "processor_config.json").write_text(json.dumps(settings))
    (folder / "video_preprocessor_config.json").unlink(missing_ok=True)
    if video is not None:
        (folder / "video_preprocessor_config.json").write_text(json.dumps(video))


def nested(folder, video):
    settings = json.loads((folder / "processor_config.json").read_text()) | {"video_processor": video}
    (folder / "processor_config.json").write_text(json.dumps(settings))
    (folder / "video_preprocessor_config.json").unlink()


@pytest.fixture(params=["a file of its own", "within the processor's", "older", "older, in the images' file"])
def folder(request, tmp_path):
    return lambda name: _folder(tmp_path / "base", name, request.param)


def _folder(base, name, layout):
    base.mkdir()
    FAMILIES[name].save(base)
    video = json.loads((base / "video_preprocessor_config.json").read_text())
    if layout == "within the processor's":
        nested(base, video)
    elif layout.startswith("older"):
        as_an_older_release_saved_it(base, None if "images" in layout else video)
    return base


@pytest.mark.parametrize("name", NAMES)
def test_the_library_finds_the_same_settings_in_an_export(name, folder, tmp_path):
    base = folder(name)
    want, _ = BaseVideoProcessor.get_video_processor_dict(str(base))
    student = load_student(base)
    photo = student.family.encode_photo(painted(150, 97))
    for generation in ("first", "second"):
        write_plain(student.model, student.processor, tmp_path / generation, "card")
        got, _ = BaseVideoProcessor.get_video_processor_dict(str(tmp_path / generation))
        assert got == want
        student = load_student(tmp_path / generation)
        again = student.family.encode_photo(painted(150, 97))
        assert all((again[key] == value).all() for key, value in photo.items())
        assert student.processor.chat_template == load_processor(base).chat_template


def test_a_package_that_a_processor_needs_is_named(tmp_path, monkeypatch):
    folder = FAMILIES["smolvlm"].save(tmp_path)
    monkeypatch.setattr("transformers.models.smolvlm.processing_smolvlm.num2words", None)
    with pytest.raises(InputError, match="num2words"):
        load_processor(folder)
