"""Boxes from the outputs of networks that find objects: the layouts in which YOLO and SSD networks are exported.

References
----------
Redmon, Divvala, Girshick, Farhadi: "You Only Look Once", CVPR 2016; Ultralytics, "Export", for the layouts of outputs.
Liu et al.: "SSD: Single Shot MultiBox Detector", ECCV 2016; TensorFlow Object Detection API, "Exporting".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from redactkit.boxes import FloatArray
from redactkit.errors import DetectorError

__all__ = ["OUTPUTS", "decode_outputs"]

OUTPUTS = ("auto", "yolov8", "yolov5", "yolo_end_to_end", "ssd", "ssd_detections", "ssd_lists", "ssd_tensorflow")
"""Layouts of outputs, see `decode_outputs`."""

STRIDES = (8, 16, 32, 64)
"""Input pixels to a cell of the grids on which YOLO networks find; the last one is of their larger kinds alone."""

MAX_SHARE = 2.0
"""Largest corner that is still taken for a share of the input, and not for pixels."""


def decode_outputs(
    outputs: Sequence[NDArray[Any]],
    layout: str = "auto",
    *,
    size: tuple[int, int],
    threshold: float = 0.15,
    classes: int | Sequence[int] | None = None,
    name: str = "the model",
    names: Sequence[str] = (),
) -> FloatArray:
    """Turn a network's outputs for one picture into boxes above the threshold.

    Parameters
    ----------
    outputs : sequence of ndarray
        As the network gives them, batch first. Layouts, with N boxes and K classes:

        - ``yolov8``: (1, 4 + K, N); centre, width and height in input pixels, then a confidence for each class.
        - ``yolov5``: (1, N, 5 + K); the same with a confidence that there is an object, which multiplies those of the
          classes.
        - ``yolo_end_to_end``: (1, N, 6); left, top, right, bottom, confidence, class: doubles are gone already.
        - ``ssd``: boxes (1, N, 4), corners in shares of the input, and confidences (1, N, K), of which 0 is background.
        - ``ssd_detections``: (1, 1, N, 7); image, class, confidence, then corners in shares.
        - ``ssd_lists``: boxes (N, 4), left, top, right, bottom in pixels or shares, and the confidence and the class
          of each, (N,), with or without a batch before; of these two the one of whole numbers is the class.
        - ``ssd_tensorflow``: the same with top, left, bottom, right in shares, and a count of those that hold.
    layout : str
        One of `OUTPUTS`; ``auto`` tells it from shapes, and from the names of outputs.
    size : (int, int)
        Width and height of the input.
    threshold : float
        Least confidence of a box.
    classes : int or sequence of int, optional
        Which classes are meant; all where left out.
    name : str
        What errors call the model.
    names : sequence of str
        Of the outputs.

    Returns
    -------
    ndarray of shape (M, 5)
        x, y, width, height in input pixels, and confidence.

    Raises
    ------
    DetectorError
        If the outputs have none of these shapes, fit two, or hold no confidences.

    Examples
    --------
    >>> held = np.array([[[50.0, 80.0], [40.0, 20.0], [20.0, 10.0], [10.0, 10.0], [0.9, 0.1]]])
    >>> decode_outputs([held], "yolov8", size=(100, 100)).tolist()
    [[40.0, 35.0, 20.0, 10.0, 0.9]]
    """
    known = _layout(outputs, size, name, names) if layout == "auto" else layout
    try:
        corners, scores, first = _DECODERS[known](outputs, size)
    except (ValueError, IndexError, StopIteration) as err:
        raise DetectorError(f"the outputs of {name} are not those of {known}: {_shapes(outputs)}") from err
    scores = _of_classes(scores, classes, first)
    if scores.size and not (scores.min() >= -1e-3 and scores.max() <= 1 + 1e-3):
        raise DetectorError(f"{name} gives no confidences from 0 to 1 where {known} has them; name another output")
    best = scores.max(axis=1, initial=0.0)
    kept = (best >= threshold) & np.isfinite(corners).all(axis=1)
    sides = corners[kept, 2:] - corners[kept, :2]
    return np.hstack([corners[kept, :2], np.maximum(sides, 0), np.minimum(best[kept], 1)[:, None]]).astype(np.float64)


_Decoded = tuple[NDArray[Any], NDArray[Any], int]
"""Corners, shape (N, 4), in input pixels; confidences, shape (N, K); and the class of the first of them."""


def _yolov8(outputs: Sequence[NDArray[Any]], size: tuple[int, int]) -> _Decoded:
    table = _only(outputs, 3)[0].T
    return _centred(table[:, :4]), table[:, 4:], 0


def _yolov5(outputs: Sequence[NDArray[Any]], size: tuple[int, int]) -> _Decoded:
    table = _only(outputs, 3)[0]
    return _centred(table[:, :4]), table[:, 5:] * table[:, 4:5], 0


def _end_to_end(outputs: Sequence[NDArray[Any]], size: tuple[int, int]) -> _Decoded:
    return _listed(_only(outputs, 3)[0][:, [5, 4, 0, 1, 2, 3]])


def _ssd(outputs: Sequence[NDArray[Any]], size: tuple[int, int]) -> _Decoded:
    boxes = next(each for each in outputs if each.ndim == 3 and each.shape[2] == 4)[0]
    scores = next(each for each in outputs if each.ndim == 3 and each.shape[2] != 4)[0]
    return boxes * [*size, *size], scores[:, 1:], 1


def _detections(outputs: Sequence[NDArray[Any]], size: tuple[int, int]) -> _Decoded:
    rows = _only(outputs, 4)[0, 0]
    rows = rows[rows[:, 0] >= 0][:, 1:]
    return _listed(np.hstack([rows[:, :2], rows[:, 2:] * [*size, *size]]))


def _lists(outputs: Sequence[NDArray[Any]], size: tuple[int, int]) -> _Decoded:
    boxes = _boxes_of_lists(outputs)
    shares = float(np.abs(boxes).max(initial=0.0)) <= MAX_SHARE
    return _listed(np.hstack([_told_of_lists(outputs, len(boxes)), boxes * ([*size, *size] if shares else 1.0)]))


def _tensorflow(outputs: Sequence[NDArray[Any]], size: tuple[int, int]) -> _Decoded:
    boxes = _boxes_of_lists(outputs)
    return _listed(np.hstack([_told_of_lists(outputs, len(boxes)), boxes[:, [1, 0, 3, 2]] * [*size, *size]]))


def _boxes_of_lists(outputs: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """Return the corners, shape (N, 4)."""
    (boxes,) = [each for each in outputs if each.ndim in (2, 3) and each.shape[-1] == 4 and _is_one(each, 2)]
    return boxes.reshape(-1, 4).astype(np.float64)


def _told_of_lists(outputs: Sequence[NDArray[Any]], count: int) -> NDArray[Any]:
    """Return class and confidence of each box, shape (N, 2)."""
    flat = [each.reshape(-1) for each in outputs if each.shape[-1:] == (count,) and _is_one(each, 1)][:2]
    first, second = flat
    # Classes are whole numbers; confidences are hardly ever all 0 or 1 where there is anything.
    if np.issubdtype(second.dtype, np.integer) or not _is_whole(first):
        first, second = second, first
    if not _is_whole(first):
        raise ValueError("neither list has whole numbers")
    return np.stack([first, second], axis=1).astype(np.float64)


def _is_whole(values: NDArray[Any]) -> bool:
    return bool((values == np.round(values)).all() and (values >= 0).all())


def _is_one(output: NDArray[Any], dimensions: int) -> bool:
    """Return whether an output is about one picture: without a batch, or a batch of one."""
    return output.ndim == dimensions or (output.ndim == dimensions + 1 and output.shape[0] == 1)


_DECODERS = {
    "yolov8": _yolov8,
    "yolov5": _yolov5,
    "yolo_end_to_end": _end_to_end,
    "ssd": _ssd,
    "ssd_detections": _detections,
    "ssd_lists": _lists,
    "ssd_tensorflow": _tensorflow,
}


def _listed(rows: NDArray[Any]) -> _Decoded:
    """Return rows of class, confidence and corners with a column of confidences for each class."""
    numbers = rows[:, 0].astype(np.int64)
    scores = np.zeros((len(rows), max(1, int(numbers.max(initial=0)) + 1)))
    scores[np.arange(len(rows)), np.maximum(numbers, 0)] = rows[:, 1]
    return rows[:, 2:], scores, 0


def _centred(boxes: NDArray[Any]) -> NDArray[Any]:
    return np.hstack([boxes[:, :2] - boxes[:, 2:] / 2, boxes[:, :2] + boxes[:, 2:] / 2])


def _only(outputs: Sequence[NDArray[Any]], dimensions: int) -> NDArray[Any]:
    """Return the one output of so many dimensions."""
    (found,) = [each for each in outputs if each.ndim == dimensions]
    return found


def _of_classes(scores: NDArray[Any], classes: int | Sequence[int] | None, first: int) -> NDArray[Any]:
    if classes is None:
        return scores
    wanted = [classes] if isinstance(classes, int) else list(classes)
    columns = [number - first for number in wanted if 0 <= number - first < scores.shape[1]]
    return scores[:, columns]


def _layout(outputs: Sequence[NDArray[Any]], size: tuple[int, int], name: str, names: Sequence[str]) -> str:
    """Tell the layout from shapes, and from names where these are an exporter's own."""
    shapes = [each.shape for each in outputs]
    flat = [shape for shape in shapes if len(shape) == 3]
    if any("detection_boxes" in each for each in names):
        return "ssd_tensorflow"
    if any(len(shape) == 4 and shape[1] == 1 and shape[3] == 7 for shape in shapes):
        return "ssd_detections"
    if len(flat) == 2 and any(shape[2] == 4 for shape in flat) and flat[0][1] == flat[1][1]:
        return "ssd"
    if len(flat) == 1 and flat[0][1] >= 5 and flat[0][2] > flat[0][1]:
        return "yolov8"
    if len(flat) == 1 and flat[0][2] > 6 and flat[0][1] > flat[0][2]:
        return "yolov5"
    # Of one class, YOLOv5 has as many columns as a list without doubles; only its rows tell: three to a cell.
    if len(flat) == 1 and flat[0][2] == 6 and flat[0][1] in _anchors(size):
        return "yolov5"
    raise DetectorError(
        f"the outputs of {name} do not say how its boxes are laid out: {_shapes(outputs)}; "
        f"name it with ObjectModel(path, output=...) (KIND=FILE,output=...), one of {', '.join(OUTPUTS[1:])}"
    )


def _anchors(size: tuple[int, int]) -> set[int]:
    """Return how many rows YOLOv5 can have for an input: three to each cell of its three or four grids."""
    cells = np.cumsum([3 * -(-size[0] // stride) * -(-size[1] // stride) for stride in STRIDES])
    return set(cells[-2:].tolist())


def _shapes(outputs: Sequence[NDArray[Any]]) -> str:
    return ", ".join(str(each.shape) for each in outputs)
