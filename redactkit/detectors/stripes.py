"""The first layers of a network, one stripe of the picture after the other: the same numbers, less memory.

Between the first layers of a convolutional network lies far more than a cache holds, and it is most of the memory
that a large picture takes. A stripe of it fits, and the next one takes its place.

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
"""Of a picture, in one stripe."""

MAX_DOWNSAMPLING = 4
"""The layers split are those whose output has at least this part of the picture's height."""

CONVOLUTIONS = {"Convolution": ov.opset8.convolution, "GroupConvolution": ov.opset8.group_convolution}
OTHERS = {"Relu": ov.opset8.relu, "Add": ov.opset8.add}

Rows = tuple[int, int]
"""The first row and the one after the last."""


def run_in_stripes(model: Any) -> None:
    """Rebuild the first layers of a network so that they run stripe by stripe; they give the very same numbers.

    They end at the last layer, not much smaller than the picture, through which everything goes. Nothing is
    changed where there is none, or where layers before it are of a kind not known here.

    Parameters
    ----------
    model : openvino.Model
        Changed in place. Its one input has a fixed shape (1, C, H, W).
    """
    _fold_constants(model)
    layers = _first_layers(model)
    (source,) = model.get_parameters()
    height, width = source.output(0).shape[2:]
    count = round(height * width / STRIPE_PIXELS)
    if not layers or count < 2:
        return
    last = layers[-1].output(0)
    rows = last.shape[2]
    readers = list(last.get_target_inputs())
    parts = [_stripe(source, layers, (rows * k // count, rows * (k + 1) // count)) for k in range(count)]
    whole = ov.opset8.concat(parts, axis=2).output(0)
    whole.set_names(last.get_names())
    for reader in readers:
        reader.replace_source_output(whole)
    model.validate_nodes_and_infer_types()


def _fold_constants(model: Any) -> None:
    """Work out what depends on the shapes alone, as biases do in ONNX files."""
    passes = importlib.import_module("openvino.passes")
    manager = passes.Manager()
    manager.register_pass(passes.ConstantFolding())
    manager.run_passes(model)


def _first_layers(model: Any) -> list[Any]:
    """Return the layers up to the last one through which everything goes, in the order in which they run."""
    (source,) = model.get_parameters()
    known = {_name(source)}
    layers: list[Any] = []
    end = 0
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
    """Tell whether a row of the layer's output needs only a few rows of its input."""
    if node.get_type_name() in CONVOLUTIONS:
        attributes = node.get_attributes()
        plain = attributes["auto_pad"] == "explicit" and {*attributes["dilations"]} == {1}
        return plain and _is_constant(node.input_value(1))
    constants = [value for value in node.input_values() if _is_constant(value)]
    return node.get_type_name() in OTHERS and all(len(c.shape) == 4 and c.shape[2] == 1 for c in constants)


def _pictures(node: Any) -> list[Any]:
    """Return the nodes of which a layer reads the output."""
    return [value.get_node() for value in node.input_values() if not _is_constant(value)]


def _is_constant(value: Any) -> bool:
    return bool(value.get_node().get_type_name() == "Constant")


def _name(node: Any) -> str:
    return str(node.get_friendly_name())


def _reads(node: Any, rows: Rows) -> tuple[Rows, Rows]:
    """Return the rows of its input that a layer needs for rows of its output, and the padding above and below."""
    if node.get_type_name() not in CONVOLUTIONS:
        return rows, (0, 0)
    attributes = node.get_attributes()
    stride, padding = attributes["strides"][0], attributes["pads_begin"][0]
    first = rows[0] * stride - padding
    last = (rows[1] - 1) * stride - padding + node.input_value(1).shape[-2]
    inside = max(first, 0), min(last, node.input_value(0).shape[2])
    return inside, (inside[0] - first, last - inside[1])


def _stripe(source: Any, layers: list[Any], rows: Rows) -> Any:
    """Return an output with some rows of the last layer's, made of no more of each layer than they need."""
    needed = {_name(layers[-1]): rows}
    for node in reversed(layers):
        inside, _ = _reads(node, needed[_name(node)])
        for picture in _pictures(node):
            first, last = needed.get(_name(picture), inside)
            needed[_name(picture)] = min(first, inside[0]), max(last, inside[1])
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
    """Return some rows of an output whose own first one is row ``start``."""
    first, last = rows[0] - start, rows[1] - start
    if (first, last) == (0, value.shape[2]):
        return value
    return ov.opset8.slice(value, *(ov.opset8.constant([number]) for number in (first, last, 1, 2))).output(0)


def _again(node: Any, inputs: dict[str, Any], padding: Rows) -> Any:
    """Return the output of the same layer on other inputs, with other padding above and below."""
    values = [inputs.get(_name(value.get_node()), value) for value in node.input_values()]
    kind = node.get_type_name()
    if kind in OTHERS:
        # With a constant of its own, or it would not become a part of the convolution before it.
        own = [ov.opset8.constant(value.get_node().data) if _is_constant(value) else value for value in values]
        return OTHERS[kind](*own).output(0)
    attributes = node.get_attributes()
    begin, end = ([rows, attributes[name][1]] for rows, name in zip(padding, ("pads_begin", "pads_end"), strict=True))
    return CONVOLUTIONS[kind](*values, attributes["strides"], begin, end, attributes["dilations"]).output(0)
