"""Run a network that turns pictures of faces into vectors, on OpenVINO."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from redactkit.boxes import FloatArray
from redactkit.detectors.runtime import compile_model, ov
from redactkit.errors import DetectorError

__all__ = ["EmbeddingNetwork", "read_onnx"]

BATCH_CROPS = 8
"""Crops that the network gets at once. Raising it takes memory, and is hardly faster."""


class EmbeddingNetwork:
    """A compiled network from a batch of crops, uint8 NHWC in RGB, to one vector each.

    Numbers are 32 bits wide whatever the processor can do, so that vectors of one machine fit those of another.

    Parameters
    ----------
    model : openvino.Model
        Its input is uint8 of shape (-1, H, W, 3).
    """

    def __init__(self, model: Any) -> None:
        config = {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"}
        try:
            self._compiled = compile_model(model, "CPU", config)
        except RuntimeError as err:
            raise DetectorError(f"the network for faces cannot be compiled: {str(err).splitlines()[0]}") from err
        self._request = self._compiled.create_infer_request()

    def __call__(self, crops: NDArray[np.uint8]) -> FloatArray:
        """Return the vectors, shape (N, D), of crops of shape (N, H, W, 3)."""
        parts = [np.asarray(part, np.float64) for part in self._parts(crops)]
        return np.concatenate(parts) if parts else np.zeros((0, 0))

    def _parts(self, crops: NDArray[np.uint8]) -> Iterator[NDArray[Any]]:
        for start in range(0, len(crops), BATCH_CROPS):
            outputs = self._request.infer([np.ascontiguousarray(crops[start : start + BATCH_CROPS])])
            yield next(iter(outputs.values())).copy()


def read_onnx(path: Path, *, mean: float, scale: float, reverse_channels: bool) -> tuple[Any, int]:
    """Read an ONNX network for faces and put the conversion of its input before it.

    Parameters
    ----------
    path : Path
    mean, scale : float
        Subtracted from the pixels; what they are multiplied by after that.
    reverse_channels : bool
        Whether the network expects BGR.

    Returns
    -------
    model : openvino.Model
        Its input is uint8 of shape (-1, side, side, 3) in RGB.
    side : int
        Pixels of the square crops it takes.

    Raises
    ------
    DetectorError
        If the file cannot be read, or its input is no square picture.
    """
    try:
        model = ov.Core().read_model(path.read_bytes())
    except OSError as err:
        raise DetectorError(f"the model {path} cannot be read: {err.strerror}") from err
    except RuntimeError as err:
        raise DetectorError(f"{path} is not a readable ONNX file: {str(err).splitlines()[-1]}") from err
    shape = model.inputs[0].partial_shape if len(model.inputs) == 1 else None
    sides = (
        [] if shape is None or len(shape) != 4 else [size.get_length() for size in list(shape)[1:] if size.is_static]
    )
    if len(sides) != 3 or sides[1] != sides[2] or sides[0] != 3 or len(model.outputs) != 1:
        raise DetectorError(
            f"{path} is no network for faces: expected one input (N, 3, side, side) and one output, got {shape}"
        )
    model.reshape([-1, *sides])
    steps = ov.preprocess.PrePostProcessor(model)
    steps.input().tensor().set_element_type(ov.Type.u8).set_layout(ov.Layout("NHWC"))
    steps.input().model().set_layout(ov.Layout("NCHW"))
    prepared = steps.input().preprocess().convert_element_type(ov.Type.f32)
    if reverse_channels:
        prepared = prepared.reverse_channels()
    prepared.mean(mean).scale(1 / scale)
    return steps.build(), sides[1]
