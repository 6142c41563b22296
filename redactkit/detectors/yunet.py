"""The second detector: YuNet, from a model file that the user names."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from redactkit.boxes import FloatArray
from redactkit.detectors.network_detector import NetworkDetector
from redactkit.detectors.openvino import Outputs
from redactkit.errors import DetectorError

__all__ = ["MODEL_SHA256", "MODEL_VARIABLE", "YuNet", "decode"]

MODEL_VARIABLE = "REDACTKIT_YUNET"
MODEL_SHA256 = "8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4"
STRIDES_PIXELS = (8, 16, 32)
"""Pixels of the network's input to a cell, of its three scales."""


class YuNet(NetworkDetector):
    """Find faces with YuNet: more precise in a crowd than CenterFace, weaker on small and shaded faces.

    The parameters are those of `NetworkDetector`. ``model`` is ``face_detection_yunet_2023mar.onnx`` of OpenCV's
    model zoo, by default the file that the environment variable ``REDACTKIT_YUNET`` names; ``threshold`` is by
    default 0.6, as in OpenCV's examples.

    Raises
    ------
    DetectorError
        If no file is named, or it is not there, or it is not the model known by its SHA-256.

    References
    ----------
    Wu, Peng, Yu: YuNet: A Tiny Millisecond-level Face Detector, 2023,
    https://link.springer.com/article/10.1007/s11633-023-1423-y
    """

    name = "yunet"
    default_threshold = 0.6
    reverse_channels = True

    def _read_weights(self, model: str | Path | None) -> bytes:
        return read_model(model)

    def _decode(self, outputs: Outputs, size: tuple[int, int]) -> FloatArray:
        maps = [(s, [outputs[f"{kind}_{s}"][0] for kind in ("cls", "obj", "bbox")]) for s in STRIDES_PIXELS]
        return np.vstack(
            [decode(*arrays, stride=s, columns=size[1] // s, threshold=self.threshold) for s, arrays in maps]
        )


def read_model(path: str | Path | None) -> bytes:
    """Return the bytes of the YuNet model at ``path`` or where the environment says, if they are the known ones.

    Raises
    ------
    DetectorError
        If nothing is named, the file cannot be read, or its SHA-256 is another.
    """
    named = path or os.environ.get(MODEL_VARIABLE)
    if not named:
        raise DetectorError(
            f"detector 'yunet' needs its model file: name it with model=, or in the environment variable "
            f"{MODEL_VARIABLE} (face_detection_yunet_2023mar.onnx of OpenCV's model zoo)"
        )
    try:
        weights = Path(named).read_bytes()
    except OSError as err:
        raise DetectorError(f"the YuNet model {named} cannot be read: {err.strerror}") from err
    digest = hashlib.sha256(weights).hexdigest()
    if digest != MODEL_SHA256:
        raise DetectorError(f"{named} is not the YuNet model of March 2023: SHA-256 {digest}, expected {MODEL_SHA256}")
    return weights


def decode(
    classes: NDArray[np.float32],
    objects: NDArray[np.float32],
    boxes: NDArray[np.float32],
    *,
    stride: int,
    columns: int,
    threshold: float,
) -> FloatArray:
    """Turn the network's output at one stride into boxes, one for every cell above the threshold.

    Parameters
    ----------
    classes, objects : ndarray of shape (cells, 1)
        Two confidences, of which the geometric mean counts.
    boxes : ndarray of shape (cells, 4)
        Centre right of and below the cell's corner, and logarithm of width and height, in cells.
    stride : int
        Pixels per cell.
    columns : int
        Cells per row.
    threshold : float
        Cells at or below it are left out.

    Returns
    -------
    ndarray of shape (N, 5)
        x, y, width, height in pixels of the network's input; confidence.
    """
    confidence = np.sqrt(np.clip(classes[:, 0], 0, 1).astype(np.float64) * np.clip(objects[:, 0], 0, 1))
    cells = np.flatnonzero(confidence > threshold)
    right, down, log_width, log_height = boxes[cells].astype(np.float64).T
    center_x, center_y = (cells % columns + right) * stride, (cells // columns + down) * stride
    width, height = np.exp(log_width) * stride, np.exp(log_height) * stride
    return np.stack([center_x - width / 2, center_y - height / 2, width, height, confidence[cells]], axis=1)
