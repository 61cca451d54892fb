"""Tiny checkpoints on disk, made once."""

import pytest
from helpers import tiny_teachers as tiny
from helpers.tiny_depth_anything import save_tiny_depth_anything

from pseudogd.teachers import load_teacher


@pytest.fixture(scope="session")
def metric_folder(tmp_path_factory):
    return save_tiny_depth_anything(tmp_path_factory.mktemp("metric") / "tiny-metric")


@pytest.fixture(scope="session")
def relative_folder(tmp_path_factory):
    return save_tiny_depth_anything(tmp_path_factory.mktemp("relative") / "tiny-relative", kind="relative", seed=1)


@pytest.fixture(scope="session")
def canonical_folder(tmp_path_factory):
    """The network of `metric_folder` with a canonical focal length."""
    folder = tmp_path_factory.mktemp("canonical") / "tiny-canonical"
    return save_tiny_depth_anything(folder, canonical_focal_px=50.0)


@pytest.fixture(scope="session")
def folder_of(tmp_path_factory):
    """Folder of a tiny checkpoint, made when it is first asked for."""
    made = {}

    def get(kind, **options):
        key = (kind, *sorted(options.items()))
        if key not in made:
            made[key] = tiny.SAVE[kind](tmp_path_factory.mktemp(kind) / f"tiny-{kind}", **options)
        return made[key]

    return get


@pytest.fixture(scope="session")
def teacher_of(folder_of):
    def get(kind, size=None, **options):
        return load_teacher(str(folder_of(kind, **options)), device="cpu", **({"size": size} if size else {}))

    return get
