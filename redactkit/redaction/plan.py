"""Which boxes are hidden in which frame: the selection of faces, widened, turned and clipped."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from redactkit import boxes as bx
from redactkit.annotations import Annotations
from redactkit.errors import AnnotationError, MismatchError, OptionError
from redactkit.formats import faces_of_list
from redactkit.formats.same_video import SMALLEST, doubt_places
from redactkit.media import VideoInfo
from redactkit.tables import BOX, FaceIds, as_face_ids, frame_rows, known_face_ids

__all__ = ["Plan", "make_plan", "noise_seed", "require_hidden", "select_faces"]

IdsLike = str | Path | FaceIds


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
    include: FaceIds | None = None,
    exclude: FaceIds | None = None,
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
    # Only ids may be a list's path: a list gains the faces that its writer never saw, which must not be left visible.
    if isinstance(ids, str | Path):
        named = faces_of_list(ids, annotations)
    elif ids is not None:
        named = as_face_ids(ids)
    elif include is not None:
        named = as_face_ids(include, name="include")
    else:
        named = as_face_ids(exclude if exclude is not None else (), name="exclude")
    chosen = set(known_face_ids(named, everyone))
    if exclude is not None:
        return [face for face in everyone if face not in chosen]
    if include is not None and not chosen:
        raise OptionError("include names no face; name at least one, or use exclude to leave faces visible")
    return sorted(chosen) or everyone


def make_plan(detections: pd.DataFrame, info: VideoInfo, *, faces: FaceIds, margin: float = 0.15) -> Plan:
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
    chosen = detections["face_id"].isin(as_face_ids(faces, name="faces"))
    rows = detections[chosen].sort_values(["frame", "face_id"], kind="stable")
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
        If there is no face, no chosen face has a box inside the frame, or no box is large enough for a face, as
        where shares of the frame are taken for pixels.
    OptionError
        If every face is left visible.
    """
    mean_it = "or pass allow_nothing=True (--allow-nothing, 'allow nothing' in a panel) if you mean it"
    rows = annotations.detections
    if rows.empty:
        raise AnnotationError(f"the annotations have no face, so nothing would be hidden; name others, {mean_it}")
    if not faces:
        raise OptionError(f"every face is left visible, so nothing would be hidden; choose a face, {mean_it}")
    hidden = np.unique(plan.faces)
    chosen = rows[rows["face_id"].isin(hidden if len(hidden) else faces)]
    if len(hidden) and chosen[["width", "height"]].to_numpy().max() >= SMALLEST:
        return
    raise AnnotationError(
        f"nothing would be hidden: {'; '.join(doubt_places(chosen, annotations.video)) or 'every box is empty'}; "
        f"check size and units of the annotations, {mean_it}"
    )


def noise_seed(info: VideoInfo) -> int:
    """Return the seed of the noise laid over a video's faces: known only to who has the original."""
    return int(info.sha256[:15] or "0", 16)
