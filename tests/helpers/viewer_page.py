"""A page of the viewer taken apart."""

from __future__ import annotations

import json
from html.parser import HTMLParser


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
