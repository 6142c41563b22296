"""Which boxes are hidden in which frame: the selection of faces, widened, turned and clipped."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from redactkit import boxes as bx
from redactkit.annotations import Annotations
from redactkit.effects import Look
from redactkit.effects.look import ellipse_share, parse_look
from redactkit.errors import AnnotationError, MismatchError, OptionError
from redactkit.formats import faces_of_list
from redactkit.formats.same_video import SMALLEST, doubt_boxes
from redactkit.media import VideoInfo, frames_in_ranges
from redactkit.redaction.heads import grow_to_heads
from redactkit.redaction.options import RedactionOptions
from redactkit.runtime.kinds import FACE
from redactkit.runtime.timecode import timecode
from redactkit.runtime.visible import parse_visible
from redactkit.tables import BOX, FaceIds, as_face_ids, frame_rows, known_face_ids

__all__ = [
    "Plan",
    "covered_rows",
    "hidden_frames",
    "hidden_rows",
    "lay_out",
    "make_plan",
    "noise_seed",
    "require_hidden",
    "select_faces",
]

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
    looks : tuple of Look
        The ways in which boxes are painted; empty where all are painted alike, as the options say.
    look_of : ndarray of shape (N,), int64
        The place of each box's look in ``looks``; empty where that is.
    """

    frame_count: int
    frames: NDArray[np.int64]
    faces: NDArray[np.int64]
    boxes: bx.FloatArray
    looks: tuple[Look, ...] = ()
    look_of: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))

    def at(self, frame: int) -> tuple[bx.FloatArray, NDArray[np.int64]]:
        """Return the boxes, shape (N, 4), and the faces, shape (N,), of one frame."""
        rows = frame_rows(self.frames, frame)
        return self.boxes[rows], self.faces[rows]

    def looks_at(self, frame: int) -> list[Look] | None:
        """Return how the boxes of one frame are painted; None where all of the video are painted alike."""
        if not self.looks:
            return None
        return [self.looks[place] for place in self.look_of[frame_rows(self.frames, frame)].tolist()]

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
    """Lay the boxes of the chosen faces out by frame, all with one margin and painted alike.

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
    rows = _chosen_rows(detections, info, faces)
    return _planned(rows, bx.expand(rows[BOX].to_numpy(), share=_checked_margin(margin)), info)


def lay_out(annotations: Annotations, info: VideoInfo, *, faces: FaceIds, options: RedactionOptions) -> Plan:
    """Lay out what a redaction hides: the boxes of the chosen faces, when, how large and how painted.

    What is outside the ranges of ``options``, or in a time range in which a decision leaves a face visible, is not
    hidden. A frame that a range touches is hidden; one that is left visible must be shown in the range for its whole
    time. A look of a decision goes before the options.

    Parameters
    ----------
    annotations : Annotations
        On the frames of ``info``.
    info : VideoInfo
    faces : iterable of int
        The faces to hide.
    options : RedactionOptions
        Checked against the video, so that every range has an end.

    Raises
    ------
    OptionError
        If the margin is out of range, or a decision holds no visible range or look.
    MismatchError
        If a box lies in a frame that the video does not have.
    """
    layout = _Layout.of(annotations, info, faces=faces, options=options)
    share = np.where(layout.is_round, ellipse_share(layout.margin), layout.margin)
    plan = _planned(layout.rows, _expand_each(layout.boxes, share), info, layout.look_of)
    alike = layout.looks == (options.look,) and options.look.shape == "rectangle"
    return plan if alike else replace(plan, looks=layout.looks)


def covered_rows(
    annotations: Annotations, info: VideoInfo, *, faces: FaceIds, options: RedactionOptions
) -> pd.DataFrame:
    """Return the rows that `lay_out` hides, with boxes, in pixels of the displayed frame, of which every pixel is."""
    layout = _Layout.of(annotations, info, faces=faces, options=options)
    boxes = _expand_each(layout.boxes, layout.margin)
    return layout.rows.assign(**{name: boxes[:, column] for column, name in enumerate(BOX)})


@dataclass(frozen=True, eq=False)
class _Layout:
    """The rows that are hidden, the margin of each box, and the place of its look among ``looks``."""

    rows: pd.DataFrame
    boxes: bx.FloatArray
    margin: NDArray[np.float64]
    look_of: NDArray[np.int64]
    looks: tuple[Look, ...]
    is_round: NDArray[np.bool_]

    @classmethod
    def of(cls, annotations: Annotations, info: VideoInfo, *, faces: FaceIds, options: RedactionOptions) -> _Layout:
        """Lay out the rows of the chosen faces."""
        rows = _chosen_rows(annotations.detections, info, faces)
        rows = rows[hidden_rows(rows, annotations.decisions, info, options)]
        # 1. What the options say for all, then what a look says for one.
        margin = np.full(len(rows), _checked_margin(options.margin))
        look_of, heads = np.zeros(len(rows), np.int64), np.full(len(rows), options.head)
        looks: dict[Look, int] = {options.look: 0}
        for face, text in annotations.decisions["look"].items():
            mine = (rows["face_id"] == face).to_numpy() if text else np.zeros(0, bool)
            if mine.any():
                parsed = _parse_look(face, text)
                look = replace(options.look, **{name: parsed[key] for name, key in _LOOK_KEYS.items() if key in parsed})
                look_of[mine] = looks.setdefault(look, len(looks))
                margin[mine] = parsed.get("margin", options.margin)
                heads[mine] = parsed.get("head", options.head)
        # 2. Faces grow to heads.
        heads &= (rows["kind"] == FACE).to_numpy()
        boxes = rows[BOX].to_numpy(np.float64)
        boxes = np.where(heads[:, None], grow_to_heads(boxes), boxes)
        is_round = np.array([look.shape == "ellipse" for look in looks])[look_of]
        return cls(rows, boxes, margin, look_of, tuple(looks), is_round)


_LOOK_KEYS = {"kind": "blur", "strength": "strength", "shape": "shape"}


def hidden_rows(
    rows: pd.DataFrame, decisions: pd.DataFrame, info: VideoInfo, options: RedactionOptions
) -> NDArray[np.bool_]:
    """Return which boxes are hidden: those in the ranges of a redaction that no decision leaves visible."""
    frames = rows["frame"].to_numpy(np.int64)
    hidden: NDArray[np.bool_] = hidden_frames(info, options)[frames]
    ids = rows["face_id"].to_numpy()
    for face, text in decisions["visible_at"].items():
        if text and (ids == face).any():
            hidden &= ~((ids == face) & frames_in_ranges(info, _parse_ranges(face, text), whole=True)[frames])
    return hidden


def hidden_frames(info: VideoInfo, options: RedactionOptions) -> NDArray[np.bool_]:
    """Return in which frames a redaction hides anything at all, shape (F,): all, unless it has ranges."""
    if not options.ranges:
        return np.ones(info.frame_count, bool)
    # A range from 0 on takes what is before 0 with it.
    ranges = [(-np.inf if start <= 0 else start, stop) for start, stop in options.ranges]
    return frames_in_ranges(info, ranges)


def _parse_ranges(face: object, text: str) -> list[tuple[float, float]]:
    try:
        return [(each.start, each.end) for each in parse_visible(text)]
    except OptionError as err:
        raise OptionError(f"face {face}: {err}; decide anew with visible=[(start, end)]") from err


def _parse_look(face: object, text: str) -> dict[str, Any]:
    try:
        return parse_look(text)
    except OptionError as err:
        raise OptionError(f"face {face}: {err}; decide anew with look={{...}}") from err


def _checked_margin(margin: float) -> float:
    if not 0 <= margin <= 2:
        raise OptionError(f"margin must be a share from 0 to 2, got {margin}; 0.15 adds 15 % on each side")
    return margin


def _chosen_rows(detections: pd.DataFrame, info: VideoInfo, faces: FaceIds) -> pd.DataFrame:
    chosen = detections["face_id"].isin(as_face_ids(faces, name="faces"))
    rows = detections[chosen].sort_values(["frame", "face_id"], kind="stable")
    frames = rows["frame"].to_numpy(np.int64)
    if len(frames) and frames[-1] >= info.frame_count:
        raise MismatchError(f"frame {frames[-1]} has a box, but {info.path} has only {info.frame_count} frames")
    return rows


def _expand_each(boxes: bx.FloatArray, share: NDArray[np.float64]) -> bx.FloatArray:
    """Grow each box on each side by its own share of its sides."""
    added = boxes[:, 2:] * share[:, None]
    return np.hstack([boxes[:, :2] - added, boxes[:, 2:] + 2 * added])


def _planned(
    rows: pd.DataFrame, grown: bx.FloatArray, info: VideoInfo, look_of: NDArray[np.int64] | None = None
) -> Plan:
    """Turn grown boxes to the frame as stored, and leave out those that lie outside it."""
    frames, faces = rows["frame"].to_numpy(np.int64), rows["face_id"].to_numpy(np.int64)
    coded = bx.to_coded(grown, width=info.width, height=info.height, rotation=info.rotation, mirrored=info.mirrored)
    inside = bx.clip(coded, width=info.coded_width, height=info.coded_height)
    seen = (inside[:, 2:] > 0).all(axis=1)
    places = np.zeros(len(rows), np.int64) if look_of is None else look_of
    return Plan(info.frame_count, frames[seen], faces[seen], coded[seen], look_of=places[seen])


def require_hidden(annotations: Annotations, plan: Plan, *, faces: list[int], options: RedactionOptions) -> None:
    """Refuse a redaction that would hide nothing, in all or in one of its ranges, or hide it in the wrong place.

    Parameters
    ----------
    annotations : Annotations
        On the frames of the video.
    plan : Plan
    faces : list of int
        The faces that were chosen.
    options : RedactionOptions

    Raises
    ------
    AnnotationError
        If there is no face, a time range has no box that would be hidden, no chosen face has a box inside the frame,
        or no box is large enough for a face, as where shares of the frame are taken for pixels.
    OptionError
        If every face is left visible.
    """
    mean_it = "or pass allow_nothing=True (--allow-nothing, 'allow nothing' in a panel) if you mean it"
    rows = annotations.detections
    if rows.empty:
        raise AnnotationError(f"the annotations have no face, so nothing would be hidden; name others, {mean_it}")
    if not faces:
        raise OptionError(f"every face is left visible, so nothing would be hidden; choose a face, {mean_it}")
    for start, stop in options.ranges:
        if not hidden_frames(annotations.video, replace(options, ranges=((start, stop),)))[plan.frames].any():
            raise AnnotationError(
                f"nothing would be hidden from {timecode(start)} to {timecode(stop)}: no chosen face has a box there; "
                f"name another time range, {mean_it}"
            )
    hidden = np.unique(plan.faces)
    chosen = rows[rows["face_id"].isin(hidden if len(hidden) else faces)]
    if len(hidden) and chosen[["width", "height"]].to_numpy().max() >= SMALLEST:
        return
    if not hidden_rows(chosen, annotations.decisions, annotations.video, options).any():
        raise OptionError(f"nothing would be hidden: every box is left visible by a time range; shorten it, {mean_it}")
    raise AnnotationError(
        f"nothing would be hidden: {'; '.join(doubt_boxes(chosen, annotations.video)) or 'every box is empty'}; "
        f"check size and units of the annotations, {mean_it}"
    )


def noise_seed(info: VideoInfo) -> int:
    """Return the seed of the noise laid over a video's faces: known only to who has the original."""
    return int(info.sha256[:15] or "0", 16)
