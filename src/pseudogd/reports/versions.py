"""What ran: the versions of Python and of the libraries that decide the numbers."""

from __future__ import annotations

import platform
from importlib import metadata

from pseudogd import __version__

_LIBRARIES = ("torch", "transformers", "accelerate", "peft", "numpy", "scipy", "pillow", "pyarrow", "trimesh")


def versions() -> dict[str, str]:
    """{"pseudogd": ..., "python": ..., "platform": ..., LIBRARY: version}, without importing any of the libraries."""
    system = f"{platform.system()} {platform.machine()}"
    found = {"pseudogd": __version__, "python": platform.python_version(), "platform": system}
    for name in _LIBRARIES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found
