"""Embedders: callables from aligned crops of faces to vectors, near one another for one person.

An embedder is any callable of that form; a test double is a lambda. What else it says of itself is optional:
``alignment`` (an `Alignment`: how its crops are to be cut, and its distances), ``name`` and ``digest``.
"""

from __future__ import annotations

import hashlib
import importlib.util
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from redactkit.boxes import FloatArray
from redactkit.errors import DetectorError, OptionError

__all__ = [
    "Alignment",
    "Embedder",
    "LaterEmbedder",
    "alignment_of",
    "check_vectors",
    "default_alignment",
    "has_default",
    "load_embedder",
]

Points = tuple[tuple[float, float], ...]

DLIB_FILE = "dlib_face_recognition_resnet_model_v1.dat"
DLIB_TEMPLATE: Points = ((47.7, 47.1), (100.3, 47.1), (74.0, 87.8))
"""Eyes and nose of dlib's mean face in crops of 150 pixels: the middle of each eye's corners, and the nose."""
DLIB_LIKELY, DLIB_SURE = 0.5, 0.43
"""Distances of mean vectors up to which pairs are suggested, and are sure. Raising them finds more and errs more."""

ARCFACE_TEMPLATE: Points = ((38.29, 51.70), (73.53, 51.50), (56.03, 71.74), (41.55, 92.37), (70.73, 92.20))
"""Eyes, nose and corners of the mouth in the crops of 112 pixels that most networks since ArcFace take."""


class Embedder(Protocol):
    """The interface of an embedder."""

    def __call__(self, crops: NDArray[np.uint8], /) -> FloatArray:
        """Turn crops into vectors.

        Parameters
        ----------
        crops : uint8 ndarray of shape (N, H, W, 3)
            Aligned faces in RGB.

        Returns
        -------
        ndarray of shape (N, D)
            The nearer two are (Euclidean distance), the more alike the faces.
        """
        ...


@dataclass(frozen=True)
class Alignment:
    """How an embedder wants its crops, and at which distances it takes two faces for one person.

    Parameters
    ----------
    side : int
        Pixels of the square crops.
    template : tuple of (x, y)
        Where eyes, nose and, if it has five points, the corners of the mouth lie in the crop; the left one first.
    likely, sure : float
        Distances of the mean vectors of two tracks up to which the pair is suggested, and up to which it is sure.
    """

    side: int = 112
    template: Points = ARCFACE_TEMPLATE
    likely: float = 1.1
    sure: float = 0.9


def alignment_of(embedder: Embedder) -> Alignment:
    """Return what an embedder says of its crops and distances; what it does not say is as in most ArcFace networks.

    Raises
    ------
    OptionError
        If ``sure`` is beyond ``likely``.
    """
    alignment: Alignment = getattr(embedder, "alignment", Alignment())
    if not 0 < alignment.sure <= alignment.likely:
        raise OptionError(f"sure must be above 0 and at most likely, got {alignment.sure} and {alignment.likely}")
    return alignment


def check_vectors(vectors: Any, count: int) -> FloatArray:
    """Return what an embedder gave, if it is one finite vector for each crop.

    Raises
    ------
    DetectorError
        If it is not.
    """
    array = np.asarray(vectors, np.float64)
    if array.ndim != 2 or len(array) != count or not np.isfinite(array).all():
        raise DetectorError(f"an embedder returns finite vectors of shape ({count}, D), got shape {array.shape}")
    return array


@dataclass(frozen=True)
class _NetworkEmbedder:
    """A network with what is known of it."""

    network: Any
    name: str
    digest: str
    alignment: Alignment
    normalize: bool = False

    def __call__(self, crops: NDArray[np.uint8], /) -> FloatArray:
        """Return the vectors, shape (N, D)."""
        vectors: FloatArray = self.network(crops)
        if not self.normalize or not vectors.size:
            return vectors
        return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12))


class LaterEmbedder:
    """The default embedder, loaded when there are portraits to compare: many videos have none."""

    def __init__(self) -> None:
        self._embedder: Embedder | None = None
        self.alignment = default_alignment()

    def __getattr__(self, name: str) -> object:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._loaded(), name)

    def __call__(self, crops: NDArray[np.uint8], /) -> FloatArray:
        """Return the vectors, shape (N, D)."""
        return self._loaded()(crops)

    def _loaded(self) -> Embedder:
        if self._embedder is None:
            self._embedder = load_embedder()
        return self._embedder


def default_alignment() -> Alignment:
    """Return how the default embedder wants its crops, and its distances; nothing is loaded for it."""
    from redactkit.detectors.dlib_resnet import CROP_PIXELS

    return Alignment(CROP_PIXELS, DLIB_TEMPLATE, DLIB_LIKELY, DLIB_SURE)


def has_default() -> bool:
    """Return whether the weights of the default embedder are installed."""
    return _dlib_weights() is not None


def _dlib_weights() -> Path | None:
    # The package is data; importing it would want pkg_resources.
    spec = importlib.util.find_spec("face_recognition_models")
    path = None if spec is None or spec.origin is None else Path(spec.origin).parent / "models" / DLIB_FILE
    return path if path is not None and path.is_file() else None


def load_embedder(
    name: str | Path = "dlib",
    *,
    likely: float | None = None,
    sure: float | None = None,
    mean: float = 127.5,
    scale: float = 1 / 127.5,
    reverse_channels: bool = False,
) -> Embedder:
    """Load an embedder: dlib's network by name, or an ONNX file by its path.

    Parameters
    ----------
    name : str or path
        ``"dlib"``, from the extra ``people``, or the path of an ONNX network with one input of shape (N, 3, side, side)
        and crops aligned as ArcFace's. Mind its licence: the weights of InsightFace are for non-commercial use only.
    likely, sure : float, optional
        Distances of mean vectors, see `Alignment`. An ONNX network's vectors are brought to length 1 first, so that
        distances are 0 to 2; by default 1.1 and 0.9. Raising them finds more pairs, and errs more often.
    mean, scale : float
        For an ONNX file: what is subtracted from the pixels, and what they are multiplied by after that.
    reverse_channels : bool
        For an ONNX file: whether the network expects BGR.

    Raises
    ------
    DetectorError
        If the weights are not installed, or the file cannot be read or is no such network.

    Examples
    --------
    >>> load_embedder("w600k_mbf.onnx", sure=0.95)  # doctest: +SKIP
    """
    from redactkit.detectors.dlib_resnet import build_network
    from redactkit.detectors.embedding import EmbeddingNetwork, read_onnx

    if name == "dlib":
        data = _read_dlib()
        known = default_alignment()
        alignment = replace(known, likely=likely or known.likely, sure=sure or known.sure)
        return _NetworkEmbedder(EmbeddingNetwork(build_network(data)), "dlib", _hash(data), alignment)
    path = Path(name)
    model, side = read_onnx(path, mean=mean, scale=scale, reverse_channels=reverse_channels)
    template = tuple((x * side / 112, y * side / 112) for x, y in ARCFACE_TEMPLATE)
    alignment = Alignment(side, template, likely or Alignment.likely, sure or Alignment.sure)
    return _NetworkEmbedder(EmbeddingNetwork(model), path.stem, _hash(path.read_bytes()), alignment, normalize=True)


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _read_dlib() -> bytes:
    path = _dlib_weights()
    if path is None:
        raise DetectorError(
            "the weights for telling people apart come with the package face_recognition_models, which is not "
            'installed here; install it with: python -m pip install "redactkit[people]"'
        )
    return path.read_bytes()
