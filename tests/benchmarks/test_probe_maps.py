import numpy as np

from pseudogd.benchmarks.probe import Cells, cells, fit, probe_maps
from pseudogd.benchmarks.truth import true_photos
from pseudogd.student.load import load_student
from pseudogd.world import checkpoint, render_folder


def test_maps_hold_the_probe_s_cells_in_their_places(tmp_path):
    """The map of a photo is the probe's row of that photo, laid out row by row; its errors are the probe's."""
    photos = list(true_photos(render_folder(tmp_path, 8, "train", seed=6, size=64), with_objects=False))
    student = load_student(checkpoint("student"))
    maps = probe_maps(student, photos[:6], photos[6:])
    layer = student.family.last_read
    probe = fit(cells(student, photos[:6], layer))
    asked = cells(student, photos[6:], layer)
    assert isinstance(asked, Cells) and len(maps) == 2
    for index, depth in enumerate(maps):
        here = asked.photo == index
        assert np.allclose(depth.ravel()[asked.place[here]], probe(asked.features[here]), rtol=1e-5)
        assert depth.shape == (10, 10)
        # upper half of a room is farther than the floor before the camera
        assert np.nanmean(depth[3:5]) > np.nanmean(depth[-1])
