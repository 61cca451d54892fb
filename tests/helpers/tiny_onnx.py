"""A tiny ONNX network with its card: depth = the mean of the channels it sees, times a factor, plus an offset."""

from __future__ import annotations

from pathlib import Path


def save_onnx(
    folder: Path,
    *,
    factor: float = 1.0,
    offset: float = 0.0,
    layout: str = "NCHW",
    batch: int | str = "batch",
    size: tuple = ("height", "width"),
    field_of_view: float | None = None,
    inputs: int = 1,
) -> Path:
    """Write `net.onnx`; its outputs are depth (B, H, W) and, if wanted, field_of_view (1,)."""
    import onnx
    from onnx import TensorProto, helper

    shape = [batch, 3, *size] if layout == "NCHW" else [batch, *size, 3]
    axis = 1 if layout == "NCHW" else 3
    nodes = [
        helper.make_node("ReduceMean", ["photo", "axes"], ["mean"], keepdims=0),
        helper.make_node("Mul", ["mean", "factor"], ["scaled"]),
        helper.make_node("Add", ["scaled", "offset"], ["depth"]),
    ]
    constants = [
        helper.make_tensor("axes", TensorProto.INT64, [1], [axis]),
        helper.make_tensor("factor", TensorProto.FLOAT, [], [factor]),
        helper.make_tensor("offset", TensorProto.FLOAT, [], [offset]),
    ]
    outputs = [helper.make_tensor_value_info("depth", TensorProto.FLOAT, [batch, *size])]
    if field_of_view is not None:
        constants.append(helper.make_tensor("view", TensorProto.FLOAT, [1], [field_of_view]))
        nodes.append(helper.make_node("Identity", ["view"], ["field_of_view"]))
        outputs.append(helper.make_tensor_value_info("field_of_view", TensorProto.FLOAT, [1]))
    taken = [helper.make_tensor_value_info("photo", TensorProto.FLOAT, shape)]
    taken += [helper.make_tensor_value_info(f"more{i}", TensorProto.FLOAT, [1]) for i in range(inputs - 1)]
    graph = helper.make_graph(nodes, "tiny", taken, outputs, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    folder.mkdir(parents=True, exist_ok=True)
    onnx.save(model, str(folder / "net.onnx"))
    return folder / "net.onnx"


def save_card(folder: Path, text: str = "", **output: object) -> Path:
    """Write `card.yaml`: 32 x 32 unless `text` has an input of its own; `output` replaces its unit of metres."""
    import yaml

    values = {"model": "net.onnx", "input": {"size": 32}, "output": {"unit": "metres", **output}}
    values.update(yaml.safe_load(text) or {})
    path = folder / "card.yaml"
    path.write_text(yaml.safe_dump(values), encoding="utf-8")
    return path
