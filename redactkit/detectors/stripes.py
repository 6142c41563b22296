"""Patch-based inference: run the first layers of a network stripe by stripe, with the same results in less memory.

The activations of the first layers of a convolutional network are most of the memory that a large image takes, and far
more than a cache holds. A stripe of them fits into the cache, and all stripes use the same memory in turn.

References
----------
Lin, Chen, Cai, Gan, Han: "MCUNetV2: Memory-Efficient Patch-based Inference for Tiny Deep Learning", NeurIPS 2021.
"""

from __future__ import annotations

import importlib
from typing import Any

from redactkit.detectors.runtime import ov

__all__ = ["run_in_stripes"]

STRIPE_PIXELS = 256 * 1024
"""Pixels of the image in one stripe. Lower takes less memory; rows that two stripes share are computed twice."""

MAX_DOWNSAMPLING = 4
"""Layers are split as long as their output has at least 1/4 of the image's height. Higher splits more layers."""

CONVOLUTIONS = {"Convolution": ov.opset8.convolution, "GroupConvolution": ov.opset8.group_convolution}
OTHERS = {"Relu": ov.opset8.relu, "Add": ov.opset8.add}

Rows = tuple[int, int]
"""The first row and the one after the last."""


def run_in_stripes(model: Any) -> None:
    """Rebuild the first layers of a network so that they run stripe by stripe; the results are identical.

    They end at the last single layer through which all data passes and whose output is not much smaller than the
    image. Nothing is changed if there is none, or if a layer before it is of a type not known here.

    Parameters
    ----------
    model : openvino.Model
        Changed in place. Its one input has a fixed shape (1, C, H, W).
    """
    _fold_constants(model)
    layers = _first_layers(model)
    (source,) = model.get_parameters()
    height, width = source.output(0).shape[2:]
    # From half a stripe on there are two: the layers of 640x352 take 12 MB so instead of 19, in the same time.
    count = max(round(height * width / STRIPE_PIXELS), 2 if 2 * height * width > STRIPE_PIXELS else 1)
    if not layers or count < 2:
        return
    # Split the rows of the last layer's output; each stripe computes only what its rows need; join the stripes.
    last = layers[-1].output(0)
    rows = last.shape[2]
    readers = list(last.get_target_inputs())
    stripes = [_stripe(source, layers, (rows * k // count, rows * (k + 1) // count)) for k in range(count)]
    whole = ov.opset8.concat(stripes, axis=2).output(0)
    whole.set_names(last.get_names())
    for reader in readers:
        reader.replace_source_output(whole)
    model.validate_nodes_and_infer_types()


def _fold_constants(model: Any) -> None:
    """Fold constant subgraphs, such as reshaped biases of ONNX files."""
    passes = importlib.import_module("openvino.passes")
    manager = passes.Manager()
    manager.register_pass(passes.ConstantFolding())
    manager.run_passes(model)


def _first_layers(model: Any) -> list[Any]:
    """Return the layers up to the last one through which all data passes, in topological order."""
    (source,) = model.get_parameters()
    known = {_name(source)}
    layers: list[Any] = []
    end = 0
    # Count outputs that are still to be read: at a layer where none but its own is left, all data passes through it.
    unread = len(source.output(0).get_target_inputs())
    for node in model.get_ordered_ops():
        pictures = _pictures(node)
        if not _splits(node) or not known.issuperset(map(_name, pictures)):
            continue
        if node.output(0).shape[2] * MAX_DOWNSAMPLING < source.output(0).shape[2]:
            continue
        known.add(_name(node))
        layers.append(node)
        unread -= len(pictures)
        end = end if unread else len(layers)
        unread += len(node.output(0).get_target_inputs())
    return layers[:end]


def _splits(node: Any) -> bool:
    """Return whether a row of the layer's output depends on only a few rows of its input."""
    if node.get_type_name() in CONVOLUTIONS:
        attributes = node.get_attributes()
        plain = attributes["auto_pad"] == "explicit" and {*attributes["dilations"]} == {1}
        return plain and _is_constant(node.input_value(1))
    constants = [value for value in node.input_values() if _is_constant(value)]
    return node.get_type_name() in OTHERS and all(len(c.shape) == 4 and c.shape[2] == 1 for c in constants)


def _pictures(node: Any) -> list[Any]:
    """Return the nodes whose outputs a layer reads, without constants."""
    return [value.get_node() for value in node.input_values() if not _is_constant(value)]


def _is_constant(value: Any) -> bool:
    return bool(value.get_node().get_type_name() == "Constant")


def _name(node: Any) -> str:
    return str(node.get_friendly_name())


def _reads(node: Any, rows: Rows) -> tuple[Rows, Rows]:
    """Return the input rows that a layer needs for some output rows (its receptive field), and the padding."""
    if node.get_type_name() not in CONVOLUTIONS:
        return rows, (0, 0)
    attributes = node.get_attributes()
    stride, padding = attributes["strides"][0], attributes["pads_begin"][0]
    first = rows[0] * stride - padding
    last = (rows[1] - 1) * stride - padding + node.input_value(1).shape[-2]
    inside = max(first, 0), min(last, node.input_value(0).shape[2])
    return inside, (inside[0] - first, last - inside[1])


def _stripe(source: Any, layers: list[Any], rows: Rows) -> Any:
    """Return an output with some rows of the last layer, computed from only the rows it needs of each layer."""
    # Backward: the union of rows that later layers need of each layer.
    needed = {_name(layers[-1]): rows}
    for node in reversed(layers):
        inside, _ = _reads(node, needed[_name(node)])
        for picture in _pictures(node):
            first, last = needed.get(_name(picture), inside)
            needed[_name(picture)] = min(first, inside[0]), max(last, inside[1])
    # Forward: clone each layer on those rows. Zero padding is kept only at the true border of the image.
    made = {_name(source): _cut(source.output(0), needed[_name(source)], start=0)}
    for node in layers:
        inside, padding = _reads(node, needed[_name(node)])
        inputs = {
            _name(picture): _cut(made[_name(picture)], inside, start=needed[_name(picture)][0])
            for picture in _pictures(node)
        }
        made[_name(node)] = _again(node, inputs, padding)
    return made[_name(layers[-1])]


def _cut(value: Any, rows: Rows, *, start: int) -> Any:
    """Slice rows of an output whose first row is row ``start``."""
    first, last = rows[0] - start, rows[1] - start
    if (first, last) == (0, value.shape[2]):
        return value
    return ov.opset8.slice(value, *(ov.opset8.constant([number]) for number in (first, last, 1, 2))).output(0)


def _again(node: Any, inputs: dict[str, Any], padding: Rows) -> Any:
    """Clone a layer on other inputs, with other padding above and below; return its output."""
    values = [inputs.get(_name(value.get_node()), value) for value in node.input_values()]
    kind = node.get_type_name()
    if kind in OTHERS:
        # A constant of its own lets OpenVINO fuse the layer into the convolution before it.
        own = [ov.opset8.constant(value.get_node().data) if _is_constant(value) else value for value in values]
        return OTHERS[kind](*own).output(0)
    attributes = node.get_attributes()
    begin, end = ([rows, attributes[name][1]] for rows, name in zip(padding, ("pads_begin", "pads_end"), strict=True))
    return CONVOLUTIONS[kind](*values, attributes["strides"], begin, end, attributes["dilations"]).output(0)
