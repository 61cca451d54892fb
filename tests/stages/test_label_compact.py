"""Compact maps are a setting of the data folder, and later stages read them as any others."""

import numpy as np
import pytest
from helpers.golden_folder import write_folder

import pseudogd
from pseudogd.errors import SettingsMismatch
from pseudogd.store.dataset import Store


def test_questions_are_those_of_png_maps(tmp_path):
    folder = write_folder(tmp_path / "golden", count=2, side=160)
    where = (folder, f"files:{folder / 'depth'}")
    counts = {}
    for name, options in (("png", {}), ("compact", {"compact_maps": True})):
        data = tmp_path / name
        pseudogd.label(*where, data, folder / "cameras.json", quiet=True, **options)
        pseudogd.annotate(data, f"coco:{folder / 'annotations.json'}", quiet=True)
        counts[name] = pseudogd.synth(data, quiet=True).rows
    png, compact = Store(tmp_path / "png"), Store(tmp_path / "compact")
    assert png.geometry_ids() == compact.geometry_ids() and abs(counts["png"] - counts["compact"]) < 0.2 * counts["png"]
    for image_id in png.geometry_ids():
        one, other = png.geometry(image_id), compact.geometry(image_id)
        assert np.nanmax(np.abs(one.depth / other.depth - 1)) < 3e-4
        assert np.nanmedian((one.normals * other.normals).sum(axis=2)) > 0.999
        assert one.up.vector == pytest.approx(other.up.vector)
    assert "compact_maps" not in png.settings("geometry") and compact.settings("geometry")["compact_maps"] is True
    with pytest.raises(SettingsMismatch, match="compact_maps"):
        pseudogd.label(*where, tmp_path / "png", folder / "cameras.json", compact_maps=True, quiet=True)
