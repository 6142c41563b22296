"""Detectors of other things than faces, from a model file that the user brings: YOLO-style and SSD-style networks.

No weights come with redactkit. A file is ONNX, or OpenVINO's own ``.xml`` with its ``.bin`` beside it; an `ObjectModel`
says how pictures go in and how boxes come out, where its outputs do not tell it themselves.

References
----------
Redmon, Divvala, Girshick, Farhadi: "You Only Look Once", CVPR 2016; Ultralytics, "Export", for the layouts of outputs.
Liu et al.: "SSD: Single Shot MultiBox Detector", ECCV 2016.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from redactkit.boxes import FloatArray, clip, suppress
from redactkit.detectors import Detector
from redactkit.detectors.object_outputs import OUTPUTS, decode_outputs
from redactkit.detectors.runtime import compile_model, ov
from redactkit.errors import DetectorError, OptionError

__all__ = ["ObjectDetector", "ObjectModel", "as_detectors", "digest_of"]

DEFAULT_SIDE = 640
"""Pixels of the input's sides where the model leaves them open."""

PAD_VALUE = 114
"""Grey around a picture that has not the input's shape, as YOLO networks are trained with."""

Image = NDArray[np.uint8]


@dataclass(frozen=True)
class ObjectModel:
    """A model file, and how pictures go in and boxes come out.

    Parameters
    ----------
    path : str or Path
        ONNX, or OpenVINO's ``.xml``.
    output : str
        One of `redactkit.detectors.object_outputs.OUTPUTS`; ``auto`` tells it from the shapes, and refuses where they
        fit two.
    classes : int or sequence of int, optional
        Which classes of the model are meant, from 0; by default all (of SSD scores all but 0, the background).
    threshold : float
        Least confidence of a box. Raising it finds less, and less that is none.
    overlap : float
        Of two boxes with at least this intersection over union only the surer one is kept.
    size : (int, int), optional
        Width and height of the input, where the model leaves them open.
    mean, scale : float
        A pixel's value goes in as ``(value - mean) * scale``.
    reverse_channels : bool
        Whether the model expects BGR.
    """

    path: str | Path
    output: str = "auto"
    classes: int | Sequence[int] | None = None
    threshold: float = 0.15
    overlap: float = 0.45
    size: tuple[int, int] | None = None
    mean: float = 0.0
    scale: float = 1 / 255
    reverse_channels: bool = False

    def __post_init__(self) -> None:
        if self.output not in OUTPUTS:
            raise OptionError(f"output must be one of {', '.join(OUTPUTS)}, got {self.output!r}")
        if not 0 <= self.threshold < 1:
            raise OptionError(f"threshold must be at least 0 and below 1, got {self.threshold}")


class ObjectDetector:
    """Find objects with a network of the user's; for one thread at a time.

    Parameters
    ----------
    model : ObjectModel, str or Path

    Raises
    ------
    DetectorError
        If the file is missing or no model, takes no picture, or has outputs that are no boxes.

    Examples
    --------
    >>> find = ObjectDetector(ObjectModel("plates.onnx", output="yolov8"))  # doctest: +SKIP
    >>> find([picture])[0].shape  # doctest: +SKIP
    (2, 5)
    """

    is_thread_safe = False

    def __init__(self, model: ObjectModel | str | Path) -> None:
        self.model = model if isinstance(model, ObjectModel) else ObjectModel(model)
        file = Path(self.model.path)
        self.name = file.name
        self.digest = digest_of(file)
        network = _read(file)
        self._shape, self._planar = _input_of(network, self.model, file)
        network.reshape(self._shape)
        self._type = np.uint8 if network.input(0).element_type == ov.Type.u8 else np.float32
        self._compiled = compile_model(network, "CPU", {"PERFORMANCE_HINT": "LATENCY"})
        height, width = self._shape[2:] if self._planar else self._shape[1:3]
        self._size = (int(width), int(height))
        self._names = ["/".join(sorted(each.names)) for each in self._compiled.outputs]

    def __call__(self, images: Sequence[Image]) -> list[FloatArray]:
        """Return for each image its objects, shape (N, 5): x, y, width, height, confidence, best first."""
        return [self._found(image) for image in images]

    def _found(self, image: Image) -> FloatArray:
        tensor, scale, left, top = self._letterboxed(image)
        try:
            results = self._compiled({0: tensor})
        except RuntimeError as err:
            raise DetectorError(f"{self.name} failed: {err}") from err
        outputs = [np.asarray(results[number]) for number in range(len(self._compiled.outputs))]
        found = decode_outputs(
            outputs,
            self.model.output,
            size=self._size,
            threshold=self.model.threshold,
            classes=self.model.classes,
            name=self.name,
            names=self._names,
        )
        found[:, :4] = (found[:, :4] - [left, top, 0, 0]) / scale
        found[:, :4] = clip(found[:, :4], width=image.shape[1], height=image.shape[0])
        found = found[(found[:, 2:4] > 0).all(axis=1)]
        return found[suppress(found[:, :4], found[:, 4], overlap=self.model.overlap)]

    def _letterboxed(self, image: Image) -> tuple[NDArray[Any], float, int, int]:
        """Return a picture as the network takes it, its scale, and the borders left and above."""
        import cv2

        width, height = self._size
        scale = min(width / image.shape[1], height / image.shape[0])
        inner = max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale))
        left, top = (width - inner[0]) // 2, (height - inner[1]) // 2
        picture = np.full((height, width, 3), PAD_VALUE, np.uint8)
        interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        picture[top : top + inner[1], left : left + inner[0]] = cv2.resize(image, inner, interpolation=interpolation)
        values = picture[..., ::-1] if self.model.reverse_channels else picture
        if self._type is not np.uint8:
            values = ((values.astype(np.float32) - self.model.mean) * self.model.scale).astype(np.float32)
        values = values.transpose(2, 0, 1) if self._planar else values
        return np.ascontiguousarray(values)[None], scale, left, top


def as_detectors(given: Mapping[str, Any]) -> dict[str, Detector]:
    """Return a detector for each kind: a callable as it is, a path or an `ObjectModel` loaded.

    Raises
    ------
    OptionError
        If one is none of these.
    DetectorError
        If a model cannot be read.
    """
    found: dict[str, Detector] = {}
    for kind, one in given.items():
        if isinstance(one, str | Path | ObjectModel):
            found[kind] = ObjectDetector(one)
        elif callable(one):
            found[kind] = one
        else:
            raise OptionError(
                f"the detector of {kind} must be a model file, an ObjectModel or a callable, got {one!r:.60}"
            )
    return found


def digest_of(file: Path) -> str:
    """Return the SHA-256 of a model file, with the weights beside an ``.xml``.

    Raises
    ------
    DetectorError
        If it cannot be read.
    """
    try:
        parts = [file.read_bytes()]
        weights = file.with_suffix(".bin")
        parts += [weights.read_bytes()] if file.suffix == ".xml" and weights.is_file() else []
    except OSError as err:
        raise DetectorError(f"the model {file} cannot be read: {err.strerror}") from err
    return hashlib.sha256(b"".join(parts)).hexdigest()


def _read(file: Path) -> Any:
    try:
        return ov.Core().read_model(str(file))
    except RuntimeError as err:
        raise DetectorError(f"{file} is no model that can be read, ONNX or OpenVINO's .xml") from err


def _input_of(network: Any, model: ObjectModel, file: Path) -> tuple[list[int], bool]:
    """Return the shape of the one picture that goes in, and whether channels come first."""
    if len(network.inputs) != 1 or network.input(0).partial_shape.rank.get_length() != 4:
        raise DetectorError(f"{file} does not take one picture: it has {len(network.inputs)} inputs")
    sides = [side.get_length() if side.is_static else 0 for side in network.input(0).partial_shape]
    planar = sides[1] in (0, 3) and sides[3] != 3
    if not planar and sides[3] != 3:
        raise DetectorError(f"{file} takes no picture of three colours: its input is {network.input(0).partial_shape}")
    width, height = model.size or (DEFAULT_SIDE, DEFAULT_SIDE)
    down, across = (2, 3) if planar else (1, 2)
    wanted = {0: 1, down: sides[down] or height, across: sides[across] or width, 1 if planar else 3: 3}
    return [wanted[place] for place in range(4)], planar
