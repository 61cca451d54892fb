"""One data folder and its page for all tests of the viewer."""

import shutil

import pytest
from helpers.viewer_folder import rescale, write_data

from pseudogd.reports.viewer.page import build_view


@pytest.fixture(scope="session")
def viewer_data(tmp_path_factory):
    return write_data(tmp_path_factory.mktemp("viewer"))


@pytest.fixture(scope="session")
def viewer_page(viewer_data):
    return build_view(viewer_data)


@pytest.fixture(scope="session")
def rescaled_page(viewer_data, tmp_path_factory):
    """The same with a confidence, the first photo known in order alone, the second up to a factor."""
    copy = shutil.copytree(viewer_data, tmp_path_factory.mktemp("rescaled") / "data")
    return build_view(rescale(copy, ["affine_disparity", "up_to_scale"]))
