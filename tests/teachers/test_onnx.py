"""An ONNX file does what its card says; a card that cannot be is one line."""

import json
import math
import sys

import numpy as np
import pytest
from helpers.photos import as_bytes, scene
from helpers.tiny_onnx import save_card, save_onnx
from PIL import Image

from pseudogd.errors import InputError
from pseudogd.geometry.camera import Camera
from pseudogd.geometry.types import Scale
from pseudogd.stages.label import label
from pseudogd.store.dataset import Store
from pseudogd.teachers import load_teacher
from pseudogd.teachers.base import Photo

pytest.importorskip("onnxruntime")
CAMERA = Camera.from_fov(32, 32, 60)


def grey(level, width=32, height=32):
    return Image.new("RGB", (width, height), (level, level, level))


def teacher(folder, text="", network=None, **output):
    save_onnx(folder, **(network or {}))
    return load_teacher(f"onnx:{save_card(folder, text, **output)}", device="cpu")


@pytest.mark.parametrize(
    ("output", "camera", "metres", "scale"),
    [
        ({"unit": "metres"}, None, 2.0, Scale.METRIC),
        ({"unit": "metres", "metres_per_unit": 0.01}, None, 0.02, Scale.METRIC),
        ({"unit": "scale-free depth"}, CAMERA, 2.0, Scale.UP_TO_SCALE),
        ({"unit": "canonical depth", "canonical_focal": 10.0}, CAMERA, 2.0 * CAMERA.fx / 10, Scale.METRIC),
        ({"unit": "canonical depth", "canonical_focal": 10.0}, None, 2.0, Scale.UP_TO_SCALE),
        ({"unit": "canonical inverse depth"}, CAMERA, CAMERA.fx / 32 / 2.0, Scale.METRIC),
        ({"unit": "inverse depth"}, CAMERA, 100.0, Scale.AFFINE_DISPARITY),
    ],
)
def test_each_unit_by_closed_form(tmp_path, output, camera, metres, scale):
    found = teacher(tmp_path, network={"factor": 0.0, "offset": 2.0}, **output).predict(grey(7), camera)
    assert found.scale is scale and found.depth == pytest.approx(metres, rel=1e-5)


def test_the_network_sees_what_the_card_says(tmp_path):
    text = "input: {size: [16, 24], mean: [0.1, 0.2, 0.3], std: [0.5, 0.5, 0.25]}"
    found = teacher(tmp_path, text, network={"offset": 1.0}).predict(grey(102, 96, 64))
    expected = 1 + np.mean([(0.4 - 0.1) / 0.5, (0.4 - 0.2) / 0.5, (0.4 - 0.3) / 0.25])
    assert found.depth == pytest.approx(expected, rel=1e-5) and found.depth.shape == (16, 24)


def test_layout_and_order_of_channels(tmp_path):
    picture = Image.new("RGB", (32, 32), (255, 0, 0))
    for layout in ("NCHW", "NHWC"):
        for channels, seen in (("RGB", 1.0), ("BGR", 0.0)):
            text = f"input: {{size: 32, layout: {layout}, channels: {channels}, std: [1.0, 1000.0, 1000.0]}}"
            found = teacher(tmp_path, text, network={"layout": layout, "factor": 3.0, "offset": 1.0}).predict(picture)
            assert found.depth == pytest.approx(1 + seen, abs=2e-3)


def test_the_aspect_ratio_is_kept_or_given_back(tmp_path):
    kept = teacher(tmp_path, "input: {size: 32, keep_aspect_ratio: true, multiple: 8}", network={"offset": 1.0})
    assert kept.predict(scene(1, 96, 64)).depth.shape == (32, 48)
    square = teacher(tmp_path, network={"offset": 1.0}).predict(scene(1, 96, 64))
    assert square.depth.shape == (21, 32)
    ramp = np.nanmean(square.depth, 0)
    assert (np.diff(ramp) > 0).all()  # left to right it is what it was


def test_the_camera_may_come_from_the_network(tmp_path):
    found = teacher(
        tmp_path,
        network={"factor": 0.0, "offset": 0.5, "field_of_view": 60.0},
        unit="canonical inverse depth",
        field_of_view="field_of_view",
    )
    estimated = found.predict(scene(1, 96, 64))
    assert estimated.camera == Camera.from_fov(96, 64, 60) and estimated.scale is Scale.METRIC
    assert estimated.depth == pytest.approx(1 / math.tan(math.radians(30)), rel=1e-5)
    given = Camera.from_fov(96, 64, 90)
    assert found.predict(scene(1, 96, 64), given).camera == given


def test_a_fixed_batch_of_one_is_run_photo_by_photo(tmp_path):
    fixed = teacher(tmp_path / "fixed", network={"batch": 1, "size": (32, 32), "offset": 1.0})
    free = teacher(tmp_path / "free", network={"offset": 1.0})
    photos = [Photo(scene(seed, 32, 32)) for seed in range(3)]
    for one, other in zip(fixed.predict_batch(photos), free.predict_batch(photos)):
        assert one.depth == pytest.approx(other.depth)


def test_label_with_onnx(tmp_path):
    photos = tmp_path / "photos"
    photos.mkdir()
    for seed in range(3):
        (photos / f"{seed}.png").write_bytes(as_bytes(scene(seed)))
    save_onnx(tmp_path / "net", offset=1.0)
    card = save_card(tmp_path / "net", "{licence: MIT, name: tiny}")
    label(photos, f"onnx:{card}", tmp_path / "data", quiet=True)
    store = Store(tmp_path / "data")
    info = store.geometry(store.geometry_ids()[0]).teacher
    assert (info.name, info.licence, len(info.revision)) == ("tiny", "MIT", 16)
    settings = store.settings("geometry")["teacher"]
    assert settings == json.loads(json.dumps(settings)) and settings["card"]["output"]["unit"] == "metres"


def test_other_weights_and_other_cards_are_other_teachers(tmp_path):
    first = teacher(tmp_path, network={"offset": 1.0}).info
    assert teacher(tmp_path, network={"offset": 2.0}).info.revision != first.revision
    assert teacher(tmp_path, network={"offset": 1.0}, metres_per_unit=2.0).info.settings_hash != first.settings_hash
    assert teacher(tmp_path, network={"offset": 1.0}).info == first


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("output: {}", r"output\.unit: Field required"),
        ("output: {unit: feet}", r"output\.unit"),
        ("output: {unit: canonical depth}", "canonical_focal"),
        ("output: {unit: metres, canonical_focal: 300}", "means nothing for metres"),
        ("output: {unit: inverse depth, metres_per_unit: 0.01}", "means nothing for inverse depth"),
        ("output: {unit: metres, focal: f, field_of_view: v}", "not both"),
        ("output: {unit: metres, depth: gone}", "no output 'gone'; there are depth"),
        ("input: {size: 32, name: image}", "no input 'image'; there are photo"),
        ("input: {size: 0}", r"input\.size"),
        ("input: {size: 32, std: [0, 1, 1]}", r"input\.std"),
        ("input: {size: 32, layout: NHWC}", "is the layout right"),
        ("input: {size: 32, colour: blue}", "colour"),
        ("model: ../net.onnx", "leaves the folder"),
        ("model: /etc/passwd", "leaves the folder"),
        ("model: gone.onnx", "no gone.onnx beside"),
        ("model: card.yaml", "onnxruntime cannot load it"),
        ("licence: CC-BY-NC-4.0", "--accept-license net"),
    ],
)
def test_cards_that_cannot_be_are_one_line(tmp_path, text, reason):
    save_onnx(tmp_path / "net")
    save_onnx(tmp_path)
    with pytest.raises(InputError, match=reason) as caught:
        load_teacher(f"onnx:{save_card(tmp_path / 'net', text)}", device="cpu")
    assert "\n" not in str(caught.value)


def test_networks_that_do_not_fit_are_one_line(tmp_path):
    for network, reason in (
        ({"size": (24, 48)}, r"write size: \[24, 48\] and keep_aspect_ratio: false"),
        ({"batch": 4}, "fixed batch of 4"),
        ({"inputs": 2}, "a teacher has one input"),
    ):
        with pytest.raises(InputError, match=reason):
            teacher(tmp_path, network=network)
    with pytest.raises(InputError, match=r"cannot be read.*onnx:FILE\.yaml"):
        load_teacher(f"onnx:{tmp_path}/gone.yaml")
    with pytest.raises(InputError, match="is not YAML"):
        load_teacher(f"onnx:{tmp_path}/net.onnx")
    with pytest.raises(InputError, match="device 'toaster'"):
        save_onnx(tmp_path)
        load_teacher(f"onnx:{save_card(tmp_path)}", device="toaster")


def test_without_onnxruntime_the_mend_is_said(tmp_path, monkeypatch):
    save_onnx(tmp_path)
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(InputError, match=r"pip install 'pseudogd\[onnx\]'"):
        load_teacher(f"onnx:{save_card(tmp_path)}")


def test_weights_outside_the_folder_are_not_read(tmp_path):
    import onnx

    (tmp_path / "secret.bin").write_bytes(np.float32(5).tobytes())
    path = save_onnx(tmp_path / "net")
    model = onnx.load(str(path))
    (factor,) = (tensor for tensor in model.graph.initializer if tensor.name == "factor")
    factor.ClearField("float_data")
    factor.data_location = onnx.TensorProto.EXTERNAL
    for key, value in (("location", "../secret.bin"), ("offset", "0"), ("length", "4")):
        entry = factor.external_data.add()
        entry.key, entry.value = key, value
    path.write_bytes(model.SerializeToString())
    with pytest.raises(InputError, match="cannot load it"):
        load_teacher(f"onnx:{save_card(tmp_path / 'net')}", device="cpu")
    (tmp_path / "net" / "link.onnx").symlink_to(path.parent.parent / "other.onnx")
    (tmp_path / "other.onnx").write_bytes(b"x")
    with pytest.raises(InputError, match="leaves the folder"):
        load_teacher(f"onnx:{save_card(tmp_path / 'net', 'model: link.onnx')}", device="cpu")
