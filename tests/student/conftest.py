"""Tiny checkpoints on disk, made once."""

import pytest
from helpers.tiny_llava import save_tiny_llava

from pseudogd.student.load import load_student


@pytest.fixture(scope="session")
def clip_folder(tmp_path_factory):
    return save_tiny_llava(tmp_path_factory.mktemp("clip"), tower="clip")


@pytest.fixture(scope="session")
def siglip_folder(tmp_path_factory):
    """No class token, the last hidden state is read, photos are squashed, and 60 / 14 leaves a rest."""
    return save_tiny_llava(
        tmp_path_factory.mktemp("siglip"), tower="siglip", layer=-1, strategy="full", image_size=60, squash=True
    )


@pytest.fixture
def clip(clip_folder):
    return load_student(clip_folder)


@pytest.fixture(params=["clip", "siglip"])
def student(request, clip_folder, siglip_folder):
    return load_student({"clip": clip_folder, "siglip": siglip_folder}[request.param])
