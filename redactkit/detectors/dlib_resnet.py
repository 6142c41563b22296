"""dlib's network for face recognition, its weights read from dlib's file and run on OpenVINO.

dlib itself takes some twelve times as long for a face, and wants to be compiled. The numbers are the same to a
millionth. The network is dlib's variant of ResNet-34: 29 convolutions, each followed by a scale and a shift for each
channel, no padding where a convolution strides, and zeros where a shortcut has fewer channels or pixels.

References
----------
He, Zhang, Ren, Sun: Deep Residual Learning for Image Recognition, CVPR 2016.
dlib, ``examples/dnn_face_recognition_ex.cpp`` (the network), ``dlib/dnn/layers.h`` (how layers are stored).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from redactkit.detectors.runtime import ov
from redactkit.errors import DetectorError

__all__ = ["CROP_PIXELS", "build_network"]

Weights = NDArray[np.float32]

CROP_PIXELS = 150
"""Side in pixels of the crops it was trained on."""

LEVELS = ((3, False), (4, True), (3, True), (3, True), (1, True))
"""For each level how many residual blocks it has, and whether its first one halves the picture."""

MEANS = (122.782, 117.001, 104.298)
"""Subtracted from red, green and blue; what is left is divided by 256."""

_LAYER = re.compile(rb"con_\d|affine_|fc_\d")


def _integer(data: bytes, at: int) -> tuple[int, int]:
    """Read one of dlib's whole numbers: a byte with sign and length, and so many bytes, the lowest first."""
    size = data[at] & 0x0F
    value = int.from_bytes(data[at + 1 : at + 1 + size], "little")
    return (-value if data[at] & 0x80 else value), at + 1 + size


def _tensor(data: bytes, at: int) -> tuple[Weights, int]:
    """Read a tensor: a version, four sizes, and the numbers as 32 bits each."""
    _, at = _integer(data, at)
    count = 1
    for _ in range(4):
        size, at = _integer(data, at)
        count *= size
    return np.frombuffer(data, "<f4", count, at), at + 4 * count


def _layers(data: bytes) -> Iterator[tuple[str, list[int], Weights]]:
    """Yield the layers that have weights, from the picture on: what they are called, their sizes, and the weights."""
    at = 0
    while (found := _LAYER.search(data, at)) is not None:
        name, at = found[0].decode().split("_")[0], found.end()
        sizes: list[int] = []
        if name == "fc":  # its sizes stand before its weights, those of others after them
            for _ in range(2):
                size, at = _integer(data, at)
                sizes.append(size)
        weights, at = _tensor(data, at)
        after = at
        for _ in range(0 if sizes else 5):
            size, after = _integer(data, after)
            sizes.append(size)
        yield name, sizes, weights


def _constant(weights: Weights) -> Any:
    # The functions of the opset turn arrays to lists first, which takes a fifth of a second.
    return ov.op.Constant(np.ascontiguousarray(weights, np.float32))


class _Builder:
    """Adds layers to a graph; each takes the next weights of the file."""

    def __init__(self, data: bytes) -> None:
        from openvino import opset13

        self.op: Any = opset13
        self._layers = _layers(data)

    def convolution(self, x: Any) -> Any:
        """Add a convolution with the scale and shift that follow it, both in its weights."""
        _, (filters, height, width, stride, _), weights = next(self._layers)
        _, _, scale = next(self._layers)
        bias = weights[-filters:] * scale[:filters] + scale[filters:]
        kernel = weights[:-filters].reshape(filters, -1, height, width) * scale[:filters, None, None, None]
        margin = [height // 2, width // 2] if stride == 1 else [0, 0]
        y = self.op.convolution(x, _constant(kernel), [stride, stride], margin, margin, [1, 1])
        return self.op.add(y, _constant(bias.reshape(1, filters, 1, 1)))

    def block(self, x: Any, *, halve: bool) -> Any:
        """Add two convolutions and the shortcut around them."""
        y = self.convolution(self.op.relu(self.convolution(x)))
        if halve:
            x = self.op.avg_pool(x, [2, 2], [0, 0], [0, 0], [2, 2], False, "floor", "explicit")
            y, x = self._grown(y, like=x), self._grown(x, like=y)
        return self.op.relu(self.op.add(y, x))

    def _grown(self, x: Any, *, like: Any) -> Any:
        """Add zeros after what there is, where the other has more channels, rows or columns."""
        sizes = [[side.get_length() for side in list(node.output(0).get_partial_shape())[1:]] for node in (x, like)]
        more = [max(there - here, 0) for here, there in zip(*sizes, strict=True)]
        return self.op.pad(x, [0, 0, 0, 0], [0, *more], "constant", np.float32(0)) if any(more) else x

    def last(self, x: Any) -> Any:
        """Add the fully connected layer, which has no bias."""
        _, (outputs, inputs), weights = next(self._layers)
        return self.op.matmul(x, _constant(weights.reshape(inputs, outputs)), False, False)


def build_network(data: bytes) -> Any:
    """Build the network from the bytes of ``dlib_face_recognition_resnet_model_v1.dat``.

    Returns
    -------
    openvino.Model
        From crops, uint8 of shape (-1, 150, 150, 3) in RGB, to vectors of 128 numbers.

    Raises
    ------
    DetectorError
        If the bytes are not those of this network.
    """
    try:
        return _build(_Builder(data))
    except (StopIteration, ValueError, IndexError, RuntimeError) as err:
        reason = str(err).strip().splitlines()[-1] if str(err).strip() else "it ends too early"
        raise DetectorError(f"the file does not hold dlib's network for face recognition: {reason}") from err


def _build(builder: _Builder) -> Any:
    op = builder.op
    crops = op.parameter([-1, CROP_PIXELS, CROP_PIXELS, 3], np.uint8, name="crops")
    pixels = op.transpose(op.convert(crops, "f32"), np.array([0, 3, 1, 2]))
    means = np.array(MEANS, np.float32).reshape(1, 3, 1, 1)
    x = builder.convolution(op.divide(op.subtract(pixels, means), np.float32(256)))
    x = op.max_pool(op.relu(x), [2, 2], [1, 1], [0, 0], [0, 0], [3, 3], "floor", "explicit", "i64", 0).output(0)
    for blocks, halves in LEVELS:
        for number in range(blocks):
            x = builder.block(x, halve=halves and number == 0)
    return ov.Model([builder.last(op.reduce_mean(x, np.array([2, 3]), False))], [crops], "faces")
