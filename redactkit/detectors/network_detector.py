"""What CenterFace and YuNet share: a network on OpenVINO, a decoder of its outputs, non-maximum suppression."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import ClassVar

from redactkit.boxes import FloatArray, suppress
from redactkit.detectors.openvino import Image, Network, Outputs

__all__ = ["NetworkDetector"]


class NetworkDetector(ABC):
    """A detector made of one ONNX network; a subclass finds the weights and decodes the outputs.

    Parameters
    ----------
    model : path, optional
        The ONNX file, by default the one that the subclass knows.
    threshold : float, optional
        Least confidence of a box, 0 to 1, by default ``default_threshold``. Higher finds fewer faces, and
        fewer things that are none.
    overlap : float
        Of two boxes with at least this IoU only the more confident one is kept. Higher keeps more boxes of
        faces that stand close, and more doubles.
    device, threads, precision
        See `redactkit.detectors.openvino.Network`.

    Attributes
    ----------
    digest : str
        SHA-256 of the weights, by which annotations name the model.
    is_thread_safe : bool
        True: several threads may call it at once.
    """

    name: ClassVar[str]
    default_threshold: ClassVar[float]
    reverse_channels: ClassVar[bool] = False
    mean: ClassVar[float] = 0.0
    scale: ClassVar[float] = 1.0
    is_thread_safe = True

    def __init__(
        self,
        model: str | Path | None = None,
        *,
        threshold: float | None = None,
        overlap: float = 0.3,
        device: str = "CPU",
        threads: int | None = None,
        precision: str | None = None,
    ) -> None:
        weights = self._read_weights(model)
        self.threshold = self.default_threshold if threshold is None else threshold
        self.overlap = overlap
        self.digest = hashlib.sha256(weights).hexdigest()
        self._network = Network(
            weights,
            name=self.name,
            device=device,
            threads=threads,
            precision=precision,
            reverse_channels=self.reverse_channels,
            normalization=(self.mean, self.scale),
        )

    def __call__(self, images: Sequence[Image]) -> list[FloatArray]:
        """Return for each image its faces, shape (N, 5): x, y, width, height, confidence, best first."""
        return self._network.run(images, self._faces)

    def prepare(self, *, width: int, height: int) -> None:
        """Compile the network for images of a size before the first one comes."""
        self._network.prepare(width=width, height=height)

    def rest(self) -> None:
        """Free the memory that images took, for a while; the next one allocates it again, which is quick."""
        self._network.rest()

    def release(self) -> None:
        """Free the memory that large images took; it is allocated again when needed."""
        self._network.release()

    def release_others(self, sizes: Iterable[tuple[int, int]]) -> None:
        """Free what images of other sizes than these took, width and height; it is allocated again when needed."""
        self._network.release(besides=sizes)

    def _faces(self, outputs: Outputs, size: tuple[int, int]) -> FloatArray:
        found = self._decode(outputs, size)
        return found[suppress(found[:, :4], found[:, 4], overlap=self.overlap)]

    @abstractmethod
    def _read_weights(self, model: str | Path | None) -> bytes:
        """Return the bytes of the ONNX file."""

    @abstractmethod
    def _decode(self, outputs: Outputs, size: tuple[int, int]) -> FloatArray:
        """Turn the outputs for one image into boxes above the threshold, shape (N, 5); ``size`` is (height, width)."""
