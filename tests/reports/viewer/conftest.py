"""One data folder and its page for all tests of the viewer."""

import pytest
from helpers.viewer_folder import write_data

from pseudogd.reports.viewer.page import build_view


@pytest.fixture(scope="session")
def viewer_data(tmp_path_factory):
    return write_data(tmp_path_factory.mktemp("viewer"))


@pytest.fixture(scope="session")
def viewer_page(viewer_data):
    return build_view(viewer_data)
