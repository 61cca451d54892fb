"""Gravity of simulated rooms from depth that is more and more wrong: right where it is sure, unsure where it is not."""

from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from pseudogd.benchmarks.truth import true_photos
from pseudogd.geometry.gravity import up_from_normals
from pseudogd.geometry.normals import normals_from_depth
from pseudogd.world import render_folder

LEVELS = (0.0, 0.02, 0.05, 0.1, 0.2, 0.4)


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """(error in degrees, confidence, level) of 24 held-out rooms at every level of smooth relative depth error."""
    folder = tmp_path_factory.mktemp("rooms")
    render_folder(folder, 24, "held_out", 11, size=96)
    rng, rows = np.random.default_rng(0), []
    for photo in true_photos(folder, with_objects=False, normals=False):
        geometry = photo.geometry
        for level in LEVELS:
            bend = gaussian_filter(rng.standard_normal(geometry.depth.shape), 12)
            depth = geometry.depth * np.exp(level * bend / bend.std()).astype(np.float32)
            up = up_from_normals(normals_from_depth(depth, geometry.camera))
            if up is not None:
                cosine = float(np.clip(up.vector @ geometry.up.vector, -1, 1))
                rows.append((np.degrees(np.arccos(cosine)), up.confidence, level))
    return np.array(rows)


def test_exact_depth_gives_gravity_to_a_fraction_of_a_degree(measured):
    error, confidence, level = measured.T
    assert np.median(error[level == 0]) < 0.2 and confidence[level == 0].min() > 0.9


def test_where_it_is_believed_the_median_error_is_below_two_degrees(measured):
    error, confidence, _ = measured.T
    assert (confidence >= 0.5).sum() > 40
    assert np.median(error[confidence >= 0.5]) < 2.0


def test_error_falls_as_confidence_rises(measured):
    error, confidence, _ = measured.T
    order = np.argsort(confidence)
    thirds = [np.median(error[part]) for part in np.array_split(order, 3)]
    assert thirds[0] > thirds[1] > thirds[2]
    assert np.mean(error[confidence < 0.5] > 5) > np.mean(error[confidence >= 0.5] > 5)


def test_the_tool_that_looks_at_a_labelled_folder(tmp_path, monkeypatch):
    import pseudogd

    monkeypatch.syspath_prepend(Path(__file__).parents[2] / "tools")
    from gravity_honesty import errors, parts

    folder = render_folder(tmp_path / "rooms", 3, "held_out", 11, size=96)
    pseudogd.label(folder, f"files:{folder / 'depth'}", tmp_path / "data", folder / "cameras.json", quiet=True)
    found = errors(tmp_path / "data", folder)
    assert found.shape == (3, 2) and found[:, 0].max() < 1.0 and found[:, 1].min() > 0.9
    named = dict(parts(np.array([[9.0, 0.1], [3.0, 0.6], [1.0, 0.9]])))
    assert named["believed"].tolist() == [3, 1] and named["not believed"].tolist() == [9]
    assert [len(named[name]) for name in ("least sure third", "surest third")] == [1, 1]
    assert named["surest third"] == 1
