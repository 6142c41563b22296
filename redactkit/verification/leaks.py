"""Faces that are to be seen in the output and should not be: a second, keener search."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from redactkit import boxes as bx
from redactkit.analysis.letterbox import Letterbox, plan_letterboxes
from redactkit.detectors import Detector, run_detector
from redactkit.media import VideoInfo
from redactkit.tables import BOX, as_detections
from redactkit.tracking import link

__all__ = ["LeakSearch", "find_unknown_faces", "judge_leaks", "plan_searches"]

_HIDDEN_SHARE = 0.5
_KNOWN_IOU = 0.3
_SAME_IOU = 0.4
SURE_CONFIDENCE = 0.6
SURE_RUN_FRAMES = 3
SURE_RUN_CONFIDENCE = 0.45


@dataclass(frozen=True)
class LeakSearch:
    """One way of searching a picture: what the detector gets to see, as it is or mirrored."""

    name: str
    detector: Detector
    look: Letterbox
    mirror: bool = False

    def __call__(self, picture: NDArray[np.uint8]) -> bx.FloatArray:
        """Return boxes and confidences, shape (N, 5), in pixels of ``picture``."""
        height, width = picture.shape[:2]
        shown = np.ascontiguousarray(picture[:, ::-1]) if self.mirror else picture
        found = self.look.faces(run_detector(self.detector, [self.look.picture(shown)])[0], width=width, height=height)
        if self.mirror:
            found[:, 0] = width - found[:, 0] - found[:, 2]
        return found


def plan_searches(
    info: VideoInfo, detector: Detector, *, size: int | None = None, second: Detector | None = None
) -> tuple[LeakSearch, ...]:
    """Return the ways of searching: as analyzed, mirrored, half as large again, and with the second detector."""
    looks = plan_letterboxes(info.width, info.height, size=size)
    fine = looks[0]
    larger = plan_letterboxes(info.width, info.height, size=max(fine.width, fine.height) * 3 // 2)[0]
    searches = [LeakSearch(f"{look.width}x{look.height}", detector, look) for look in (*looks, larger)]
    searches.append(LeakSearch(f"{fine.width}x{fine.height} mirrored", detector, fine, mirror=True))
    if second is not None:
        searches.append(LeakSearch(f"{fine.width}x{fine.height} second detector", second, fine))
    return tuple(searches)


def find_unknown_faces(
    picture: NDArray[np.uint8], searches: Sequence[LeakSearch], *, hidden: bx.FloatArray, visible: bx.FloatArray
) -> bx.FloatArray:
    """Return the faces of one output picture that nobody accounts for.

    Parameters
    ----------
    picture : ndarray of shape (H, W, 3)
    searches : sequence of LeakSearch
    hidden : ndarray of shape (N, 4)
        Boxes that were to be hidden, margin included.
    visible : ndarray of shape (M, 4)
        Boxes of faces left visible on purpose.

    Returns
    -------
    ndarray of shape (K, 6)
        x, y, width, height, the highest confidence, and by how many searches it was found.
    """
    found = [(box, number) for number, search in enumerate(searches) for box in search(picture)]
    strangers = [item for item in found if not _accounted(item[0][:4], hidden, visible)]
    return np.array(list(_merged(strangers)), dtype=np.float64).reshape(-1, 6)


def _accounted(box: bx.FloatArray, hidden: bx.FloatArray, visible: bx.FloatArray) -> bool:
    if len(hidden) and bx.union_cover(box[None], hidden)[0] >= _HIDDEN_SHARE:
        return True
    return bool(len(visible) and bx.iou(box[None], visible).max() >= _KNOWN_IOU)


def _merged(found: list[tuple[bx.FloatArray, int]]) -> Iterator[list[float]]:
    """Yield one row per face: the most confident box, and by how many searches it was found."""
    rest = sorted(found, key=lambda item: -item[0][4])
    while rest:
        best = rest[0][0]
        same = [bx.iou(best[None, :4], item[0][None, :4])[0, 0] >= _SAME_IOU for item in rest]
        ways = {item[1] for item, match in zip(rest, same, strict=True) if match}
        yield [*best.tolist(), float(len(ways))]
        rest = [item for item, match in zip(rest[1:], same[1:], strict=True) if not match]


def judge_leaks(rows: pd.DataFrame, *, frame_rate: float) -> pd.DataFrame:
    """Return the strangers numbered by appearance, and which of them are surely faces.

    A finding is sure at a confidence of 0.6, or when it holds for three frames with a mean
    of 0.45; anything less is listed to be looked at.
    """
    if not len(rows):
        return _leak_table(rows)
    linked = link(as_detections(rows.assign(face_id=0)), frame_rate=frame_rate)
    runs = linked.groupby("face_id")["confidence"].agg(["max", "mean", "size"])
    sure = (runs["max"] >= SURE_CONFIDENCE) | (
        (runs["size"] >= SURE_RUN_FRAMES) & (runs["mean"] >= SURE_RUN_CONFIDENCE)
    )
    return _leak_table(linked.assign(sure=linked["face_id"].map(sure).astype(bool)))


def _leak_table(rows: pd.DataFrame) -> pd.DataFrame:
    columns = ["frame", "time", "face_id", *BOX, "confidence"]
    table = as_detections(rows)[columns]
    return table.assign(sure=rows["sure"].to_numpy(bool) if "sure" in rows else np.zeros(len(rows), bool))
