"""The package's front door: verbs are there by name, lazily, and say clearly what they cannot take."""

from __future__ import annotations

import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import pseudogd
from pseudogd.errors import InputError, PseudoGDError

VERBS = (
    *("annotate", "ask", "audit", "calibrate", "demo", "evaluate", "export", "label", "pack", "report"),
    *("selftest", "synth", "train", "verify", "view"),
)


@pytest.mark.parametrize("name", VERBS)
def test_verbs_are_documented_functions(name):
    verb = getattr(pseudogd, name)
    assert callable(verb)
    assert verb.__name__ == name
    assert inspect.getdoc(verb)
    assert name in dir(pseudogd)
    assert name in pseudogd.__all__


def test_no_room_bears_the_name_of_a_verb():
    root = Path(pseudogd.__file__).parent
    rooms = [*root.iterdir(), *(root / "api").iterdir()]  # a module of that name would take the place of the verb
    assert not {path.stem for path in rooms} & set(VERBS)


def test_importing_the_package_imports_nothing_else():
    code = "import sys; before = set(sys.modules); import pseudogd; print(*(set(sys.modules) - before))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "pseudogd" in found
    assert (
        not {name.partition(".")[0] for name in found}
        - {"pseudogd", "typing", "__future__", "_typing"}
        - set(sys.stdlib_module_names)
    )


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="lable"):
        getattr(pseudogd, "lab" + "le")


def test_star_import_gives_the_verbs():
    names: dict[str, object] = {}
    exec("from pseudogd import *", names)
    assert set(VERBS) <= set(names)


def test_an_option_that_the_teacher_has_not_is_named(tmp_path):
    (tmp_path / "depth").mkdir()
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "a.png").write_bytes(b"x")
    with pytest.raises(InputError, match="'sise'"):
        pseudogd.label(tmp_path, f"files:{tmp_path / 'depth'}", tmp_path / "data", sise=3)


def test_an_unknown_setting_of_synth_is_named(tmp_path):
    with pytest.raises(InputError, match="'marginz'"):
        pseudogd.synth(tmp_path, marginz={})


@pytest.mark.parametrize("model", ["nowhere", "./no/where", "/no/where", "a/b/c"])
def test_a_model_that_is_not_there_is_said_before_any_work(tmp_path, monkeypatch, model):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="no model here"):
        pseudogd.evaluate(model, "world", "out")
    assert list(tmp_path.iterdir()) == []


def test_evaluation_goes_into_the_run_it_belongs_to(tmp_path, monkeypatch):
    from pseudogd.api.models import _checkpoint, _evaluated

    monkeypatch.chdir(tmp_path)
    run, plain = tmp_path / "joint", tmp_path / "checkpoints" / "tiny"
    (run / "model").mkdir(parents=True)
    plain.mkdir(parents=True)
    for path in (run / "recipe.yaml", run / "model" / "config.json", plain / "config.json"):
        path.write_text("{}")
    assert _checkpoint(run) == run / "model"
    assert _checkpoint(plain) == plain
    assert _checkpoint("owner/name") == "owner/name"
    assert _evaluated(run) == _evaluated(run / "model") == run
    assert _evaluated(plain) == Path("runs/tiny")
    assert _evaluated("owner/name") == Path("runs/name")
    with pytest.raises(PseudoGDError, match="out="):
        _evaluated(object())
