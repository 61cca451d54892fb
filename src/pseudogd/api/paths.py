"""What the verbs take for a path."""

from __future__ import annotations

import os

PathLike = str | os.PathLike[str]
