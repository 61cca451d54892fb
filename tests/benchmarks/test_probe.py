from dataclasses import replace

import numpy as np
import pytest

from pseudogd.benchmarks.probe import PENALTIES, Cells, _ridge, cells, depth_probe, errors, fit, fit_place
from pseudogd.benchmarks.truth import true_photos
from pseudogd.errors import InputError


def linear_cells(rng, photos=20, per_photo=30, width=6, noise=0.0):
    features = rng.normal(size=(photos * per_photo, width))
    weights = np.linspace(-0.2, 0.3, width)
    log_depth = features @ weights + 1.0 + noise * rng.normal(size=len(features))
    photo = np.repeat(np.arange(photos), per_photo)
    return Cells(features, log_depth, photo, np.tile(np.arange(per_photo), photos), np.zeros(len(features)))


def test_a_linear_depth_is_read_exactly():
    data = linear_cells(np.random.default_rng(0))
    probe = fit(data)
    found = errors(probe(data.features), data)
    assert found["abs_rel"] < 1e-3 and found["delta1"] == 1.0
    assert probe.penalty == min(PENALTIES)


def test_ridge_solves_its_normal_equations():
    data = linear_cells(np.random.default_rng(1), noise=0.3)
    (probe,) = _ridge(data, [0.7])
    x = (data.features - data.features.mean(0)) / data.features.std(0)
    y = data.log_depth - data.log_depth.mean()
    expected = np.linalg.solve(x.T @ x / len(x) + 0.7 * np.eye(x.shape[1]), x.T @ y / len(x))
    np.testing.assert_allclose(probe.weights, expected, rtol=1e-9)


def test_noise_features_ask_for_a_penalty_and_constants_do_no_harm():
    rng = np.random.default_rng(2)
    features, log_depth = rng.normal(size=(60, 50)), rng.normal(size=60)
    noisy = Cells(features, log_depth, np.repeat(np.arange(10), 6), np.tile(np.arange(6), 10), np.zeros(60))
    assert fit(noisy).penalty == max(PENALTIES)
    data = linear_cells(rng)
    constant = replace(data, features=np.concatenate([data.features, np.ones((600, 2))], 1))
    assert errors(fit(constant)(constant.features), constant)["abs_rel"] < 1e-3


def test_errors_in_closed_form():
    photo, place = np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1])
    data = Cells(np.zeros((4, 1)), np.log([1.0, 2.0, 4.0, 4.0]), photo, place, np.zeros(4))
    found = errors(np.exp(data.log_depth) * 1.5, data)
    assert found == pytest.approx({"abs_rel": 0.5, "delta1": 0.0, "abs_rel_aligned": 0.0, "delta1_aligned": 1.0})
    np.testing.assert_allclose(fit_place(data), [2.0, np.sqrt(8.0)])


def test_a_focal_length_that_varies_is_an_error_only_to_who_is_not_told():
    """Depth is linear in the features but for a zoom that they do not show."""
    data = linear_cells(np.random.default_rng(3))
    zoom = np.random.default_rng(4).uniform(-0.4, 0.4, 20)[data.photo]
    data = replace(data, log_depth=data.log_depth + zoom, log_focal=zoom)
    assert errors(fit(data)(data.features), data)["abs_rel"] > 0.1
    told = data.canonical()
    assert errors(fit(told)(told.features), told)["abs_rel"] < 1e-3
    half = replace(data, log_focal=np.where(data.photo < 10, zoom, np.nan)).canonical()
    assert set(half.photo) == set(range(10)) and len(half.log_depth) == 300
    nobody = replace(data, log_focal=np.full(600, np.nan)).canonical()
    assert len(nobody.log_depth) == 0


def test_cells_stand_where_the_photo_says(tiny_checkpoint, world_folder):
    from pseudogd.student.load import load_student

    student = load_student(tiny_checkpoint)
    photos = list(true_photos(world_folder))[:3]
    data = cells(student, photos, student.family.last_read, batch_size=2)
    assert data.features.shape == (len(data.log_depth), student.family.tower_width)
    for n, photo in enumerate(photos):
        mine = data.photo == n
        rows, columns = np.divmod(data.place[mine], 4)
        side = photo.geometry.depth.shape[0] // 4
        for row, column, value in zip(rows, columns, data.log_depth[mine]):
            block = photo.geometry.depth[row * side : (row + 1) * side, column * side : (column + 1) * side]
            assert np.exp(value) == pytest.approx(np.median(block), rel=0.25)
    one_by_one = cells(student, photos, student.family.last_read, batch_size=1)
    np.testing.assert_allclose(one_by_one.features, data.features, atol=1e-4)


def test_the_probe_runs_on_a_checkpoint(tiny_checkpoint, world_folder):
    photos = list(true_photos(world_folder))
    found = depth_probe(tiny_checkpoint, photos[:8], photos[8:])
    assert found["n_train_photos"] == 8 and found["n_test_photos"] == 4
    assert 0 < found["abs_rel"] < 2 and 0 <= found["delta1"] <= 1
    assert 0 < found["known_focal"]["abs_rel"] < 2
    assert found["abs_rel_aligned"] > 0 and 0 < found["place_only"]["abs_rel"] < 2
    with pytest.raises(InputError, match="layer 99"):
        depth_probe(tiny_checkpoint, photos[:2], photos[2:4], layer=99)


def test_a_folder_without_truth_is_one_line(tmp_path, world_folder):
    with pytest.raises(InputError, match=r"cameras\.json"):
        list(true_photos(tmp_path))
    (tmp_path / "cameras.json").write_text("{}")
    (tmp_path / "images").symlink_to(world_folder / "images")
    with pytest.raises(InputError, match="no photo here"):
        list(true_photos(tmp_path))
