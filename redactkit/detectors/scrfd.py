"""Detectors of the SCRFD kind, from an ONNX file that the user names: three scales, two anchors at each place."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from redactkit.boxes import FloatArray
from redactkit.detectors.network_detector import NetworkDetector
from redactkit.detectors.openvino import Outputs
from redactkit.errors import DetectorError

__all__ = ["SCRFD", "decode"]

STRIDES_PIXELS = (8, 16, 32)
"""Pixels of the network's input to a place, of its three scales."""

Maps = NDArray[np.float32]


class SCRFD(NetworkDetector):
    """Find faces with a network of the SCRFD kind; the parameters are those of `NetworkDetector`.

    ``model`` has to be named: no weights come with redactkit. Those of InsightFace are for non-commercial use only.
    ``threshold`` is by default 0.3.

    Raises
    ------
    DetectorError
        If no file is named, it cannot be read, or its outputs are not of this kind.

    References
    ----------
    Guo, Deng, Lattas, Zafeiriou: Sample and Computation Redistribution for Efficient Face Detection, ICLR 2022,
    https://arxiv.org/abs/2105.04714
    """

    name = "scrfd"
    default_threshold = 0.3
    mean = 127.5
    scale = 1 / 128

    def _read_weights(self, model: str | Path | None) -> bytes:
        if model is None:
            raise DetectorError(
                "detector 'scrfd' needs its model file: name it with model= (--model); the weights of InsightFace are "
                "for non-commercial use only"
            )
        try:
            return Path(model).read_bytes()
        except OSError as err:
            raise DetectorError(f"the SCRFD model {model} cannot be read: {err.strerror}") from err

    def _decode(self, outputs: Outputs, size: tuple[int, int]) -> FloatArray:
        parts = [
            decode(scores, boxes, stride=stride, grid=(size[0] // stride, size[1] // stride), threshold=self.threshold)
            for stride, scores, boxes in _maps(outputs, size)
        ]
        return np.vstack(parts)


def _maps(outputs: Outputs, size: tuple[int, int]) -> Iterator[tuple[int, Maps, Maps]]:
    """Yield stride, scores and boxes of each scale; exports name them by numbers, so they are told by their shapes."""
    arrays = {id(array): array for array in outputs.values()}.values()  # an output may have several names
    for stride in STRIDES_PIXELS:
        places = (size[0] // stride) * (size[1] // stride)
        found = {
            width: array.reshape(-1, width)
            for array in arrays
            for width in (1, 4)
            if array.shape[-1] == width and array.size in (places * width, 2 * places * width)
        }
        if found.keys() != {1, 4} or len(found[1]) != len(found[4]):
            shapes = sorted({tuple(array.shape) for array in arrays})
            raise DetectorError(
                f"the model is none of the SCRFD kind: expected scores (N, 1) and boxes (N, 4) of {places} or "
                f"{2 * places} anchors at stride {stride}, got outputs of shapes {shapes}"
            )
        yield stride, found[1], found[4]


def decode(scores: Maps, boxes: Maps, *, stride: int, grid: tuple[int, int], threshold: float) -> FloatArray:
    """Turn the network's output at one stride into boxes, one for every anchor above the threshold.

    Parameters
    ----------
    scores : ndarray of shape (anchors, 1)
        Confidences; all anchors of a place follow one another, the places row by row.
    boxes : ndarray of shape (anchors, 4)
        Distances from the place's corner to the left, top, right and bottom edge, in strides.
    stride : int
        Pixels from one place to the next.
    grid : (int, int)
        Rows and columns of places.
    threshold : float
        Anchors at or below it are left out.

    Returns
    -------
    ndarray of shape (N, 5)
        x, y, width, height in pixels of the network's input; confidence.

    Examples
    --------
    >>> import numpy as np
    >>> scores, boxes = np.array([[0.1], [0.9]]), np.array([[0, 0, 0, 0], [1, 2, 3, 4]])
    >>> decode(scores, boxes, stride=8, grid=(1, 2), threshold=0.5).tolist()
    [[0.0, -16.0, 32.0, 48.0, 0.9]]
    """
    anchors = np.flatnonzero(scores[:, 0] > threshold)
    rows, columns = grid
    place = anchors // max(len(scores) // (rows * columns), 1)
    left, top, right, bottom = boxes[anchors].astype(np.float64).T * stride
    x, y = place % columns * stride, place // columns * stride
    confidence = np.clip(scores[anchors, 0].astype(np.float64), 0, 1)
    return np.stack([x - left, y - top, left + right, top + bottom, confidence], axis=1)
