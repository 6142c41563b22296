"""What is known of a video's faces: its header, the boxes, and what the analyst decided about each face."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

import redactkit  # its public names, loaded when first used: this module lies below the formats
from redactkit.errors import AnnotationError, TableError
from redactkit.identities import as_pairs, empty_pairs, summarize_people
from redactkit.media import VideoInfo
from redactkit.runtime.files import fit_name
from redactkit.runtime.html import REDACTED, VISIBLE, Lane, draw_lanes, show, show_facts
from redactkit.runtime.runs import run_starts
from redactkit.tables import (
    BOX,
    CARRIED,
    DETECTIONS,
    NEEDED,
    FaceIds,
    as_decisions,
    as_detections,
    empty_decisions,
    empty_detections,
    known_face_ids,
    selected_ids,
    summarize_tracks,
)

__all__ = ["Annotations", "annotations_name", "find_thumbnails", "thumbnail_name"]

_THUMBNAIL = re.compile(r"(?P<stem>.*)_thumb(?P<face>[0-9]{6})\.jpe?g", re.DOTALL | re.IGNORECASE)
MOST_LANES = 24
UNCOMPARED = {"path", "name", "digest", "pts", "keyframes"}


def annotations_name(stem: str) -> str:
    """Return the name of the annotations of a video.

    Examples
    --------
    >>> annotations_name("foo")
    'foo_annotations.json'
    """
    return fit_name(stem, "_annotations.json")


def thumbnail_name(stem: str, face_id: int) -> str:
    """Return the file name of a face's thumbnail: the last six characters of its stem are the face ID.

    Raises
    ------
    AnnotationError
        If the ID does not fit six digits.

    Examples
    --------
    >>> thumbnail_name("foo", 12)
    'foo_thumb000012.jpg'
    """
    if not 0 <= face_id <= 999_999:
        raise AnnotationError(f"a thumbnail's name has room for IDs 0 to 999999, got {face_id}; renumber the faces")
    return fit_name(stem, f"_thumb{face_id:06d}.jpg")


def _as_cuts(cuts: Any) -> NDArray[np.int64]:
    array = np.array(cuts, dtype=np.int64).reshape(-1)
    array.flags.writeable = False
    return array


def _completed(table: pd.DataFrame, video: VideoInfo, name: str) -> pd.DataFrame:
    """Return a table with all columns: times come from the video where its frames are known, nothing else is made up.

    Raises
    ------
    TableError
        If frame, face ID or box are missing, or the times are and the video does not know them.
    """
    missing = [column for column in NEEDED if column not in table]
    if missing:
        raise TableError(f"{name} lacks the columns {missing}; add them, for nothing can stand in for them")
    unknown = "time" in table and len(table) > 0 and bool(pd.isna(table["time"].iloc[0]) and table["time"].isna().all())
    if "time" not in table or (unknown and video.path is not None):
        frames = table["frame"].to_numpy()
        if not len(frames) or (frames.min() >= 0 and frames.max() < video.frame_count):
            table = table.assign(time=video.times[frames.astype(np.int64)])
        elif not unknown:
            raise TableError(
                f"{name} lacks the column time, and a video of {video.frame_count} frames does not tell the time of "
                f"frames {frames.min()} to {frames.max()}; add the column, or pass the video that the table is of"
            )
    whole = all(column in table for column in DETECTIONS)
    # What pandas makes of table.assign(kind="plate") is a dtype of its own.
    return table if whole and all(table[column].dtype == object for column in CARRIED) else as_detections(table)


@dataclass(frozen=True, eq=False)
class Annotations:
    """Boxes, decisions and header of one video; nothing in it is ever edited, `replace` gives a new one.

    Parameters
    ----------
    video : VideoInfo
        The video's header; ``path`` is None where it came from an annotation file alone.
    detections : DataFrame
        One row per face per frame, columns of `redactkit.tables.DETECTIONS`. Boxes are NaN where a
        file says when a face is seen but not where. A missing ``time`` is taken from the video's frames.
    decisions : DataFrame
        Index ``face_id``; columns ``redact``, ``label``, ``reason``, ``person_id``. Every face without a row gets
        one, redacted, as a person of its own.
    discarded : DataFrame
        Detections that the tracker set aside, same columns.
    pairs : DataFrame
        Tracks that may be one person, and what was answered; columns of `redactkit.identities.PAIRS`.
    cuts : ndarray of shape (C,), int64
        Frame numbers that start a new shot, without 0.
    settings : mapping
        How the boxes were made; what JSON can hold.
    thumbnails : Path or None
        Folder of the ``foo_thumb000001.jpg`` files of the video ``foo``. Where ``video`` has no path, those
        in it are taken only if they are of one stem.

    Raises
    ------
    TableError
        If a table lacks frames, face IDs or boxes, or times that the video does not know either.

    Examples
    --------
    >>> from redactkit.formats import read_annotations
    >>> from redactkit.runtime.resources import sample_truth_path
    >>> annotations = read_annotations(sample_truth_path())
    >>> annotations.video.frame_count, sorted(annotations.tracks.index)
    (500, [1, 2, 3, 4, 5, 6])
    """

    video: VideoInfo
    detections: pd.DataFrame
    decisions: pd.DataFrame = field(default_factory=empty_decisions)
    discarded: pd.DataFrame = field(default_factory=empty_detections)
    pairs: pd.DataFrame = field(default_factory=empty_pairs)
    cuts: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    settings: Mapping[str, Any] = field(default_factory=dict)
    thumbnails: Path | None = None

    def __post_init__(self) -> None:
        for name in ("detections", "discarded"):
            object.__setattr__(self, name, _completed(getattr(self, name), self.video, name))
        faces = np.unique(self.detections["face_id"].to_numpy()).tolist()
        object.__setattr__(self, "decisions", as_decisions(self.decisions, faces=faces))
        object.__setattr__(self, "pairs", as_pairs(self.pairs))
        object.__setattr__(self, "cuts", _as_cuts(self.cuts))
        object.__setattr__(self, "settings", dict(self.settings))

    @property
    def tracks(self) -> pd.DataFrame:
        """One row per face, columns of `redactkit.tables.TRACKS`, with the thumbnails that are there."""
        tracks = summarize_tracks(self.detections, self.decisions)
        if self.thumbnails is None:
            return tracks
        stem = None if self.video.path is None else self.video.path.stem
        paths = find_thumbnails(Path(self.thumbnails), stem)
        tracks["thumbnail"] = pd.Series([paths.get(face) for face in tracks.index], tracks.index, dtype="object")
        return tracks

    @property
    def people(self) -> pd.DataFrame:
        """One row per person, columns of `redactkit.identities.PEOPLE`; each track is one until tracks are joined."""
        return summarize_people(self.tracks, frame_rate=float(self.video.frame_rate))

    @property
    def selected_ids(self) -> list[int]:
        """The faces that will be redacted: every face that no decision leaves visible."""
        return selected_ids(self.detections, self.decisions)

    @property
    def frame_count(self) -> int:
        """Number of frames of the video, or of the entries of a file read without one."""
        return self.video.frame_count

    @property
    def has_boxes(self) -> bool:
        """Whether every row says where the face is."""
        return bool(np.isfinite(self.detections[BOX].to_numpy()).all())

    @property
    def has_times(self) -> bool:
        """Whether every row says when the face is seen, and not only in which frame."""
        return bool(np.isfinite(self.detections["time"].to_numpy()).all())

    def replace(self, **changes: Any) -> Annotations:
        """Return a copy with some fields changed."""
        return replace(self, **changes)

    def select(self, ids: FaceIds) -> Annotations:
        """Return a copy in which these faces, and only these, are to be redacted.

        An empty list selects every face, as a blank ID list does.

        Raises
        ------
        OptionError
            If an ID is no whole number, or no face has it.
        """
        wanted = known_face_ids(ids, self.detections["face_id"].unique())
        redact = self.decisions.index.isin(wanted) if wanted else np.ones(len(self.decisions), bool)
        return self.replace(decisions=self.decisions.assign(redact=redact))

    def align(self, video: VideoInfo) -> Annotations:
        """Return these annotations on the frames of ``video``; see `redactkit.formats.align`."""
        aligned: Annotations = redactkit.formats.align(self, video)
        return aligned

    def query(self, condition: str) -> Annotations:
        """Return a copy with only those boxes for which a condition holds; see `redactkit.formats.query`."""
        chosen: Annotations = redactkit.formats.query(self, condition)
        return chosen

    def to(self, format: str, path: str | Path, *, query: str | None = None, overwrite: bool = False) -> Path:
        """Write to a file of another format, all boxes or those of a `query`; see `redactkit.write_annotations`."""
        given = self if query is None else self.query(query)
        written: Path = redactkit.write_annotations(given, path, format=format, overwrite=overwrite)
        return written

    def to_supervision(self, *, frame: int | None = None) -> Any:
        """Return ``supervision.Detections`` of one frame or a list of all; see `redactkit.formats.to_supervision`."""
        return redactkit.formats.to_supervision(self, **({} if frame is None else {"frame": frame}))

    def equals(self, other: object, *, tolerance: float = 0.0) -> bool:
        """Return whether ``other`` says the same; paths are not compared.

        Parameters
        ----------
        other : object
        tolerance : float
            Largest difference of a box's side that still counts as equal, in pixels.
        """
        if not isinstance(other, Annotations):
            return False
        return (
            _same_video(self.video, other.video)
            and _same_rows(self.detections, other.detections, tolerance)
            and _same_rows(self.discarded, other.discarded, tolerance)
            and self.decisions.equals(other.decisions)
            and self.pairs.equals(other.pairs)
            and np.array_equal(self.cuts, other.cuts)
            and dict(self.settings) == dict(other.settings)
        )

    def __eq__(self, other: object) -> bool:
        return self.equals(other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        size = f"{self.video.width}x{self.video.height}"
        faces = self.detections["face_id"].nunique()
        return f"<Annotations: {faces} faces, {len(self.detections)} boxes, {self.frame_count} frames of {size}>"

    def _repr_html_(self) -> str:
        return show("Annotations", show_annotations(self))


def show_annotations(annotations: Annotations, *, frame: int | None = None, **facts: object) -> str:
    """Return counts and a timeline as HTML, with no frame's picture; annotations and reviews show themselves so.

    Parameters
    ----------
    annotations : Annotations
    frame : int, optional
        Marked in the timeline.
    **facts : object
        Further ones to list.
    """
    video, detections = annotations.video, annotations.detections
    faces, chosen = detections["face_id"].nunique(), annotations.selected_ids
    shown = {
        "video": video.name,
        "size": f"{video.width}x{video.height}" if video.width else "",
        "frames": video.frame_count,
        "faces": faces,
        "redacted": len(chosen),
        "left visible": faces - len(chosen),
        "boxes": len(detections),
        "set aside": annotations.discarded["face_id"].nunique() or "",
        **facts,
    }
    hidden = f"<div>The {MOST_LANES} faces with most boxes are drawn.</div>" if faces > MOST_LANES else ""
    return show_facts(shown) + _draw_tracks(annotations, frame) + hidden


def _draw_tracks(annotations: Annotations, frame: int | None) -> str:
    """Draw when each face is seen, over time, or over frame numbers where no time is known."""
    video, unit = annotations.video, "s" if annotations.has_times else "frames"
    rows = annotations.detections.assign(at=annotations.detections["time" if unit == "s" else "frame"])
    kept = rows["face_id"].value_counts(sort=False).nlargest(MOST_LANES).index
    rows = rows[rows["face_id"].isin(kept)].sort_values(["face_id", "frame"], kind="stable")
    if rows.empty:
        return ""
    step = 1 / float(video.frame_rate) if unit == "s" else 1.0
    runs = rows.groupby(run_starts(rows).cumsum()).agg({"face_id": "first", "at": ["min", "max"]})
    runs.columns = pd.Index(["face_id", "first", "last"])
    lanes = []
    for face, mine in runs.groupby("face_id"):
        label, redact = annotations.decisions.loc[face, ["label", "redact"]]
        spans = list(zip(mine["first"], mine["last"] + step, strict=True))
        lanes.append(Lane(f"{face} {label}".strip(), REDACTED if redact else VISIBLE, spans))
    times = video.times if unit == "s" else np.arange(video.frame_count, dtype=np.float64)
    ends = np.concatenate([times[:1], times[-1:] + step, [runs["first"].min(), runs["last"].max() + step]])
    mark = float(times[frame]) if frame is not None and frame < len(times) else None
    label = "When each face is seen: blue is redacted, orange left visible"
    return draw_lanes(lanes, start=float(ends.min()), end=float(ends.max()), unit=unit, mark=mark, label=label)


def find_thumbnails(folder: str | Path, stem: str | None = None) -> dict[int, Path]:
    """Return the thumbnails in a folder of the video ``stem``, by face ID; of no stem, those of the only video.

    The stem is compared as a whole, since those of two videos may begin or end alike; the ending in any case.
    """
    home = Path(folder)
    names = sorted(path.name for path in home.iterdir()) if home.is_dir() else []
    matches = [match for match in map(_THUMBNAIL.fullmatch, names) if match]
    stems = {match["stem"] for match in matches}
    if stem is None:
        wanted = stems if len(stems) == 1 else set()
    else:
        wanted = {thumbnail_name(stem, 0).removesuffix("_thumb000000.jpg")}
    return {int(match["face"]): home / match[0] for match in matches if match["stem"] in wanted}


def _same_video(a: VideoInfo, b: VideoInfo) -> bool:
    names = [item.name for item in fields(VideoInfo) if item.name not in UNCOMPARED]
    return (
        all(getattr(a, name) == getattr(b, name) for name in names)
        and np.array_equal(a.pts, b.pts)
        and np.array_equal(a.keyframes, b.keyframes)
    )


def _same_rows(a: pd.DataFrame, b: pd.DataFrame, tolerance: float) -> bool:
    if len(a) != len(b):
        return False
    exact = [name for name in DETECTIONS if name not in BOX]
    near = np.isclose(a[BOX].to_numpy(), b[BOX].to_numpy(), rtol=0, atol=tolerance, equal_nan=True)
    left, right = (table[exact].reset_index(drop=True) for table in (a, b))
    return bool(near.all()) and left.equals(right)
