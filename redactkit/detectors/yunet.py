"""The second detector: YuNet, from a model file that the user names."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from redactkit.boxes import FloatArray, suppress
from redactkit.detectors.openvino import Image, Network, Outputs
from redactkit.errors import DetectorError

__all__ = ["MODEL_SHA256", "MODEL_VARIABLE", "YuNet", "decode"]

MODEL_VARIABLE = "REDACTKIT_YUNET"
MODEL_SHA256 = "8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4"
STRIDES = (8, 16, 32)


class YuNet:
    """Find faces with YuNet: more precise in a crowd than CenterFace, weaker on small and shaded faces.

    Parameters
    ----------
    model : path, optional
        ``face_detection_yunet_2023mar.onnx`` of OpenCV's model zoo, by default the file that the
        environment variable ``REDACTKIT_YUNET`` names.
    threshold : float
        Least confidence of a box, 0 to 1. YuNet's own habit is 0.6.
    overlap : float
        Of two boxes with at least this IoU only the more confident one is kept.
    device, threads, precision
        See `redactkit.detectors.openvino.Network`.

    Raises
    ------
    DetectorError
        If no file is named, or it is not there, or it is not the model known by its SHA-256.

    References
    ----------
    Wu, Peng, Yu: YuNet: A Tiny Millisecond-level Face Detector, 2023,
    https://link.springer.com/article/10.1007/s11633-023-1423-y
    """

    def __init__(
        self,
        model: str | Path | None = None,
        *,
        threshold: float = 0.6,
        overlap: float = 0.3,
        device: str = "CPU",
        threads: int | None = None,
        precision: str | None = None,
    ) -> None:
        weights = read_model(model)
        self.name = "yunet"
        self.is_thread_safe = True
        self.threshold = threshold
        self.overlap = overlap
        self.digest = MODEL_SHA256
        self._network = Network(
            weights, name=self.name, device=device, threads=threads, precision=precision, reverse_channels=True
        )

    def __call__(self, images: Sequence[Image]) -> list[FloatArray]:
        """Return for each image its faces, shape (N, 5): x, y, width, height, confidence, best first."""
        return self._network.run(images, self._faces)

    def prepare(self, *, width: int, height: int) -> None:
        """Get ready for pictures of a size ahead of the first."""
        self._network.prepare(width=width, height=height)

    def release(self) -> None:
        """Let go of the memory that pictures of the sizes so far took."""
        self._network.release()

    def _faces(self, outputs: Outputs, size: tuple[int, int]) -> FloatArray:
        maps = [(s, [outputs[f"{kind}_{s}"][0] for kind in ("cls", "obj", "bbox")]) for s in STRIDES]
        found = np.vstack(
            [decode(*arrays, stride=s, columns=size[1] // s, threshold=self.threshold) for s, arrays in maps]
        )
        return found[suppress(found[:, :4], found[:, 4], overlap=self.overlap)]


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
