"""Which boxes are hidden in which frame: the selection of faces, widened, turned and clipped."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from redactkit import boxes as bx
from redactkit.annotations import Annotations
from redactkit.errors import AnnotationError, MismatchError, OptionError
from redactkit.formats import align, faces_of_list
from redactkit.media import VideoInfo
from redactkit.tables import BOX, as_face_ids, frame_rows

__all__ = ["Plan", "check_same_video", "make_plan", "noise_seed", "require_hidden", "select_faces"]

IdsLike = str | Path | int | Iterable[int]

_SHARES_REACH = 2.0
"""Pixels: where every box ends within so many of the frame's corner, shares were taken for pixels."""
_LATE_SHARE, _LATE_BY = 0.1, 0.5
"""More than this share of boxes later than the video's end by so many seconds: the times are not this video's."""


@dataclass(frozen=True)
class Plan:
    """The boxes to hide, sorted by frame.

    Parameters
    ----------
    frame_count : int
        Frames of the video.
    frames : ndarray of shape (N,), int64
        Frame of each box, ascending.
    faces : ndarray of shape (N,), int64
        Face ID of each box.
    boxes : ndarray of shape (N, 4)
        Boxes in pixels of the frame as stored, margin included; they may reach outside the frame.
    """

    frame_count: int
    frames: NDArray[np.int64]
    faces: NDArray[np.int64]
    boxes: bx.FloatArray

    def at(self, frame: int) -> tuple[bx.FloatArray, NDArray[np.int64]]:
        """Return the boxes, shape (N, 4), and the faces, shape (N,), of one frame."""
        rows = frame_rows(self.frames, frame)
        return self.boxes[rows], self.faces[rows]

    @property
    def touched(self) -> NDArray[np.bool_]:
        """Return for every frame whether anything in it is hidden, shape (F,)."""
        hidden = np.zeros(self.frame_count, bool)
        hidden[self.frames] = True
        return hidden


def select_faces(
    annotations: Annotations,
    *,
    ids: IdsLike | None = None,
    include: int | Iterable[int] | None = None,
    exclude: int | Iterable[int] | None = None,
) -> list[int]:
    """Return the faces to redact.

    Parameters
    ----------
    annotations : Annotations
    ids : path of an ID list, int, or iterable of int, optional
        The faces to redact; an empty list redacts all. A file that was written for other annotations is
        refused, and a face that its writer never saw is redacted (`redactkit.formats.ids.faces_of_list`).
    include : int or iterable of int, optional
        The faces to redact; must not be empty.
    exclude : int or iterable of int, optional
        Every face but these. At most one of the three may be given; with none the analyst's
        decisions in ``annotations`` hold, by which an undecided face is redacted.

    Raises
    ------
    OptionError
        If more than one selection is given, ``include`` is empty, or an ID is of no face.
    AnnotationError
        If an ID list cannot be read or is of other annotations.
    """
    given = [name for name, value in [("ids", ids), ("include", include), ("exclude", exclude)] if value is not None]
    if len(given) > 1:
        raise OptionError(f"choose faces in one way, got {' and '.join(given)}; leave out all but one")
    if not given:
        return annotations.selected_ids
    everyone = [int(face) for face in np.unique(annotations.detections["face_id"])]
    named = ids if ids is not None else include if include is not None else exclude
    chosen = _known(_as_ids(named, annotations), everyone)
    if exclude is not None:
        return [face for face in everyone if face not in chosen]
    if include is not None and not chosen:
        raise OptionError("include names no face; name at least one, or use exclude to leave faces visible")
    return sorted(chosen) or everyone


def _as_ids(ids: IdsLike | None, annotations: Annotations) -> list[int]:
    if isinstance(ids, str | Path):
        return faces_of_list(ids, annotations)
    return as_face_ids(() if ids is None else ids)


def _known(chosen: Iterable[int], everyone: list[int]) -> set[int]:
    unknown = sorted(set(chosen) - set(everyone))
    if unknown:
        have = ", ".join(map(str, everyone[:20])) + (", ..." if len(everyone) > 20 else "")
        raise OptionError(
            f"no face has the ID {', '.join(map(str, unknown))}; the annotations have {have or 'no face'}"
        )
    return set(chosen)


def check_same_video(info: VideoInfo, annotations: Annotations, *, force: bool = False) -> Annotations:
    """Return the annotations laid onto the frames of the video, after comparing the two.

    Raises
    ------
    MismatchError
        If hash, displayed size or frame count differ, naming each, unless ``force``. With ``force``
        boxes are scaled to the video's size and laid onto its frames by time. A file that knows no
        frame size is taken to mean the video's pixels.
    AnnotationError
        If the annotations have faces without boxes.
    """
    if not annotations.has_boxes:
        raise AnnotationError("the annotations say when faces are seen but not where; nothing can be hidden from them")
    faults = _differences(info, annotations.video)
    if faults and not force:
        raise MismatchError(
            f"the annotations were not made from {info.path}: {'; '.join(faults)}; "
            "name the right video, analyze this one, or pass force=True (--force)"
        )
    if not force:
        _refuse_late(annotations, info)
    annotations = _scaled(annotations, info)
    return annotations.replace(video=info) if _same_frames(annotations.video, info) else align(annotations, info)


def _refuse_late(annotations: Annotations, info: VideoInfo) -> None:
    """Refuse annotations that speak of much later times than the video has, such as milliseconds read as seconds."""
    times = annotations.detections["time"].to_numpy()
    if not len(times) or not info.frame_count:
        return
    late = np.isfinite(times) & (times > info.times[-1] + _LATE_BY)
    if late.mean() > _LATE_SHARE:
        raise MismatchError(
            f"{int(late.sum())} of {len(times)} boxes are later than the end of {info.path} ({info.times[-1]:.3f} s),"
            f" the last at {times[late].max():.3f} s; name the right video, mend the times (are they milliseconds?),"
            " or pass force=True (--force)"
        )


def _same_frames(first: VideoInfo, second: VideoInfo) -> bool:
    half_tick = float(second.time_base) / 2
    return first.frame_count == second.frame_count and bool((abs(first.times - second.times) <= half_tick).all())


def _differences(info: VideoInfo, other: VideoInfo) -> list[str]:
    faults = []
    if other.digest and other.digest != info.sha256:
        faults.append(f"SHA-256 {info.sha256[:12]}... instead of {other.digest[:12]}...")
    if other.width > 0 and (other.width, other.height) != (info.width, info.height):
        faults.append(f"size {info.width}x{info.height} instead of {other.width}x{other.height}")
    if other.digest and other.frame_count != info.frame_count:
        faults.append(f"{info.frame_count} frames instead of {other.frame_count}")
    return faults


def _scaled(annotations: Annotations, info: VideoInfo) -> Annotations:
    size = (annotations.video.width, annotations.video.height)
    if size == (info.width, info.height) or 0 in size:
        return annotations
    factor = np.array([info.width / size[0], info.height / size[1]] * 2)
    detections = annotations.detections.copy()
    detections[BOX] = detections[BOX].to_numpy() * factor
    return annotations.replace(detections=detections)


def make_plan(detections: pd.DataFrame, info: VideoInfo, *, faces: Iterable[int], margin: float = 0.15) -> Plan:
    """Lay the boxes of the chosen faces out by frame.

    Parameters
    ----------
    detections : DataFrame
        On the frames of ``info``.
    info : VideoInfo
    faces : iterable of int
        The faces to hide.
    margin : float
        Share of a box's width and height added on each side, 0 to 2.

    Raises
    ------
    OptionError
        If the margin is out of range.
    MismatchError
        If a box lies in a frame that the video does not have.
    """
    if not 0 <= margin <= 2:
        raise OptionError(f"margin must be a share from 0 to 2, got {margin}; 0.15 adds 15 % on each side")
    rows = detections[detections["face_id"].isin(list(faces))].sort_values(["frame", "face_id"], kind="stable")
    frames = rows["frame"].to_numpy(np.int64)
    if len(frames) and frames[-1] >= info.frame_count:
        raise MismatchError(f"frame {frames[-1]} has a box, but {info.path} has only {info.frame_count} frames")
    grown = bx.expand(rows[BOX].to_numpy(), share=margin)
    coded = bx.to_coded(grown, width=info.width, height=info.height, rotation=info.rotation, mirrored=info.mirrored)
    inside = bx.clip(coded, width=info.coded_width, height=info.coded_height)
    seen = (inside[:, 2:] > 0).all(axis=1)
    return Plan(info.frame_count, frames[seen], rows["face_id"].to_numpy(np.int64)[seen], coded[seen])


def require_hidden(annotations: Annotations, plan: Plan, *, faces: list[int]) -> None:
    """Refuse a redaction that would hide nothing, or hide it in the wrong place.

    Parameters
    ----------
    annotations : Annotations
        On the frames of the video.
    plan : Plan
    faces : list of int
        The faces that were chosen.

    Raises
    ------
    AnnotationError
        If there is no face, no chosen face has a box inside the frame, or boxes are shares taken for pixels.
    OptionError
        If every face is left visible.
    """
    mean_it = "or pass allow_nothing=True (--allow-nothing) if that is what you mean"
    rows = annotations.detections
    if rows.empty:
        raise AnnotationError(f"the annotations have no face, so nothing would be hidden; name others, {mean_it}")
    if not faces:
        raise OptionError(f"every face is left visible, so nothing would be hidden; choose a face, {mean_it}")
    chosen = rows.loc[rows["face_id"].isin(faces), BOX].to_numpy()
    width, height = annotations.video.width, annotations.video.height
    ends = chosen[:, :2] + chosen[:, 2:]
    if min(width, height) > 4 * _SHARES_REACH and len(ends) and float(ends.max()) <= _SHARES_REACH:
        raise AnnotationError(
            f"every box lies within {_SHARES_REACH:g} pixels of the frame's corner: they seem to be shares of the"
            f" frame and not pixels; multiply them by its size, {width}x{height}, {mean_it}"
        )
    if not len(plan.frames):
        raise AnnotationError(
            f"no box of the {len(faces)} chosen face(s) lies inside the frame of {width}x{height}, so nothing would be"
            f" hidden; check size and units of the annotations, {mean_it}"
        )


def noise_seed(info: VideoInfo) -> int:
    """Return the seed of the noise laid over a video's faces: known only to who has the original."""
    return int(info.sha256[:15] or "0", 16)
