"""Tiny checkpoints on disk, made once."""

import pytest
from helpers.tiny_depth_anything import save_tiny_depth_anything


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
