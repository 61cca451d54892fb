"""Settings of `synth` from a YAML file, such as `calibrate` writes."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import yaml

from pseudogd.errors import InputError


def read_settings(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The names and values of a YAML file. InputError when it cannot be read or is no such table."""
    try:
        with open(path, encoding="utf-8") as file:
            values = yaml.safe_load(file)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: is not YAML ({str(error).splitlines()[0]})") from error
    if values is None:
        return {}
    if not isinstance(values, dict) or not all(isinstance(key, str) for key in values):
        raise InputError(f"{path}: must hold names with values, such as margins: {{sector: 0.3}}")
    return values


def believing(settings: Mapping[str, Any], depth_error: Mapping[str, float] | None) -> dict[str, Any]:
    """Settings in which what is not said of depth errors is what the teacher says of its own (see `Teacher.errors`)."""
    if not depth_error:
        return dict(settings)
    own = {"depth_sigma": depth_error.get("own"), "scale_sigma": depth_error.get("shared")}
    scene = {name: value for name, value in own.items() if value is not None} | dict(settings.get("scene") or {})
    return {**settings, "scene": scene}


def merged(base: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """``base`` with what is given (not None) over it, group by group; tasks and formats are replaced whole."""
    found = dict(base)
    for name, value in given.items():
        if value is None:
            continue
        both = isinstance(value, Mapping) and isinstance(found.get(name), Mapping) and name not in ("tasks", "formats")
        found[name] = {**found[name], **value} if both else value
    return found
