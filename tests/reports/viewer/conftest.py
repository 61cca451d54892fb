"""One data folder and its page for all tests of the viewer."""

import json
from html.parser import HTMLParser

import pytest
from helpers.viewer_folder import write_data

from pseudogd.reports.viewer.page import build_view


class Elements(HTMLParser):
    """Tags with their attributes, and the text of every script element."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.scripts, self._inside = [], [], False
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        self._inside = tag == "script"
        if self._inside:
            self.scripts.append("")

    def handle_endtag(self, tag):
        self._inside = self._inside and tag != "script"

    def handle_data(self, data):
        if self._inside:
            self.scripts[-1] += data


def content(path):
    """What the page's script reads."""
    return json.loads(Elements(path.read_text(encoding="utf-8")).scripts[0])


@pytest.fixture(scope="session")
def viewer_data(tmp_path_factory):
    return write_data(tmp_path_factory.mktemp("viewer"))


@pytest.fixture(scope="session")
def viewer_page(viewer_data):
    return build_view(viewer_data)
