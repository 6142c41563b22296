"""Compare two sets of annotations of one video: what matches, what is missed, who is who."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from html import escape
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from redactkit import boxes as bx
from redactkit.annotations import Annotations
from redactkit.errors import AnnotationError, MismatchError, OptionError
from redactkit.formats import read_annotations
from redactkit.formats.alignment import half_spacing, nearest
from redactkit.inspection.page import as_document
from redactkit.media import VideoInfo
from redactkit.runtime.files import write_text
from redactkit.runtime.html import Lane, draw_lanes
from redactkit.tables import BOX, check_detections, sort_detections

__all__ = ["Comparison", "compare"]

_SHOWN = 10
_SCORES = ["HOTA", "DetA", "AssA", "LocA", "MOTA", "MOTP", "IDF1", "IDP", "IDR", "IDSW"]
_SAME_TIME = 1e-3
_MISSED, _EXTRA = "#D55E00", "#0072B2"


@dataclass(frozen=True)
class Comparison:
    """How two sets of annotations agree, in the frames of both.

    Parameters
    ----------
    video : VideoInfo
        The header of the first set; frames are numbered as in it.
    a, b : DataFrame
        Their detections on the frames compared, numbered as in the first set.
    frames : ndarray of shape (F,), int64
        The frames compared.
    matches : DataFrame
        One row per pair of boxes: ``frame``, ``time``, ``face_a``, ``face_b``, ``iou``, ``shift_x``,
        ``shift_y`` (pixels from a's centre to b's), ``area_ratio`` (b over a).
    missed, extra : DataFrame
        Rows of ``a`` with no box of ``b``, and of ``b`` with none of ``a``.
    iou : float
        From which IoU on boxes match.
    notes : list of str
        What was done to make the two comparable.
    """

    video: VideoInfo
    a: pd.DataFrame
    b: pd.DataFrame
    frames: NDArray[np.int64]
    matches: pd.DataFrame
    missed: pd.DataFrame
    extra: pd.DataFrame
    iou: float
    notes: list[str] = field(default_factory=list)

    @cached_property
    def ids(self) -> pd.DataFrame:
        """Who is who: ``face_a``, ``face_b``, ``frames`` matched, and their shares of either's boxes, most first."""
        pairs = self.matches.groupby(["face_a", "face_b"]).size().rename("frames").reset_index()
        of_a, of_b = self.a["face_id"].value_counts(), self.b["face_id"].value_counts()
        pairs["share_a"] = pairs["frames"] / pairs["face_a"].map(of_a)
        pairs["share_b"] = pairs["frames"] / pairs["face_b"].map(of_b)
        return pairs.sort_values(["frames", "face_a"], ascending=[False, True], kind="stable", ignore_index=True)

    @cached_property
    def agreement(self) -> pd.DataFrame:
        """How well matched boxes lie on one another: count, mean, deviation and quartiles of each measure."""
        described: pd.DataFrame = self.matches[["iou", "shift_x", "shift_y", "area_ratio"]].describe()
        return described

    @cached_property
    def worst_frames(self) -> pd.DataFrame:
        """The frames that differ, worst first: ``frame``, ``time``, ``missed``, ``extra``, ``lowest_iou``."""
        counts = {
            "missed": self.missed.groupby("frame").size(),
            "extra": self.extra.groupby("frame").size(),
            "lowest_iou": self.matches.groupby("frame")["iou"].min(),
        }
        table = pd.DataFrame(counts)
        table[["missed", "extra"]] = table[["missed", "extra"]].fillna(0).astype("int64")
        table = table[(table["missed"] > 0) | (table["extra"] > 0) | (table["lowest_iou"] < 1)]
        times = pd.concat([self.a, self.b]).drop_duplicates("frame").set_index("frame")["time"]
        table.insert(0, "time", times.reindex(table.index).to_numpy())
        table = table.rename_axis("frame").reset_index().assign(wrong=lambda rows: rows["missed"] + rows["extra"])
        order = table.sort_values(["wrong", "lowest_iou", "frame"], ascending=[False, True, True], kind="stable")
        return order.drop(columns="wrong").reset_index(drop=True)

    @cached_property
    def scores(self) -> dict[str, float]:
        """HOTA, MOTA, IDF1 and their parts, 0 to 1, with ``a`` as the truth; IDSW is a count.

        Raises
        ------
        OptionError
            If the package trackeval is not installed.

        References
        ----------
        Luiten et al., "HOTA: a higher order metric for evaluating multi-object tracking", IJCV 2021.
        Bernardin and Stiefelhagen, "Evaluating multiple object tracking performance", 2008.
        Ristani et al., "Performance measures and a data set for multi-target tracking", 2016.
        """
        metrics = _import_metrics()
        data = _sequence(self.a, self.b, self.frames)
        quiet = {"PRINT_CONFIG": False, "THRESHOLD": self.iou}
        measured = metrics.HOTA().eval_sequence(data)
        measured |= metrics.CLEAR(quiet).eval_sequence(data)
        measured |= metrics.Identity(quiet).eval_sequence(data)
        return {name: float(np.mean(measured[name])) for name in _SCORES}

    @property
    def summary(self) -> dict[str, Any]:
        """The comparison in numbers."""
        return {
            "frames": len(self.frames),
            "boxes_a": len(self.a),
            "boxes_b": len(self.b),
            "matched": len(self.matches),
            "missed": len(self.missed),
            "extra": len(self.extra),
            "mean_iou": float(self.matches["iou"].mean()) if len(self.matches) else None,
            "notes": self.notes,
        }

    def to_json(self) -> str:
        """Return summary, scores, who is who and the worst frames as JSON."""
        tables = {"ids": self.ids, "worst_frames": self.worst_frames.head(1000)}
        plain = {
            name: table.astype("object").where(table.notna(), None).to_dict("records") for name, table in tables.items()
        }
        return msgspec.json.format(msgspec.json.encode(self.summary | {"scores": self.scores} | plain)).decode()

    def save_page(self, path: str | Path, *, overwrite: bool = False) -> Path:
        """Write summary, a timeline of what differs, who is who and the worst frames as one HTML file."""
        return write_text(
            path, as_document("Comparison", self._draw_differences() + self._repr_html_()), overwrite=overwrite
        )

    def save_csv(self, path: str | Path, *, overwrite: bool = False) -> Path:
        """Write the frames that differ as CSV, worst first."""
        return write_text(path, self.worst_frames.to_csv(index=False), overwrite=overwrite)

    def _draw_differences(self) -> str:
        """Draw in which frames boxes are missed, and in which there are others."""
        lanes = [
            Lane(name, color, [(float(frame), float(frame) + 1) for frame in rows["frame"].unique()])
            for name, color, rows in (("missed", _MISSED, self.missed), ("extra", _EXTRA, self.extra))
        ]
        start, end = (float(self.frames[0]), float(self.frames[-1]) + 1) if len(self.frames) else (0.0, 0.0)
        label = "Frames with boxes of a that b misses, and with boxes that only b has"
        return draw_lanes(lanes, start=start, end=end, unit="frames", label=label)

    def __str__(self) -> str:
        faces = [
            f"  face {row.face_a} is face {row.face_b} in {row.frames} frames"
            for row in self.ids.head(_SHOWN).itertuples()
        ]
        more = [f"  and {len(self.ids) - _SHOWN} more pairs"] if len(self.ids) > _SHOWN else []
        return "\n".join([*self._headline, *faces, *more])

    @property
    def _headline(self) -> list[str]:
        counts = self.summary
        mean = "" if counts["mean_iou"] is None else f", mean IoU {counts['mean_iou']:.3f}"
        return [
            f"{counts['frames']} frames compared: {counts['boxes_a']} boxes against {counts['boxes_b']}",
            f"{counts['matched']} matched at IoU {self.iou:g} and above{mean}; "
            f"{counts['missed']} missed, {counts['extra']} extra",
            *(f"note: {note}" for note in self.notes),
        ]

    def __repr__(self) -> str:
        counts = self.summary
        return f"<Comparison: {counts['matched']} matched, {counts['missed']} missed, {counts['extra']} extra>"

    def _repr_html_(self) -> str:
        lines = "".join(f"<p>{escape(line)}</p>" for line in self._headline)
        tables = (("who is who", self.ids), ("worst frames", self.worst_frames))
        shown = "".join(f"<div><h4>{title}</h4>{_as_html(table)}</div>" for title, table in tables)
        return f'<div>{lines}<div style="display:flex;flex-wrap:wrap;gap:0 40px">{shown}</div></div>'


def _as_html(table: pd.DataFrame) -> str:
    more = f"<p>and {len(table) - _SHOWN} more</p>" if len(table) > _SHOWN else ""
    shown = table.head(_SHOWN).to_html(index=False, border=0, float_format="{:.3f}".format, na_rep="")
    return shown + more


def compare(a: Annotations | str | Path, b: Annotations | str | Path, *, iou: float = 0.5) -> Comparison:
    """Compare two sets of annotations of one video.

    Boxes of a frame are paired one to one so that their summed IoU is largest (Hungarian method), among pairs
    of at least ``iou``. Frames are paired by time; where only one set has an entry, nothing is compared. Sets
    whose times are unknown are paired by frame number.

    Parameters
    ----------
    a : Annotations or path
        What ``b`` is held against: the truth, or the state before an edit.
    b : Annotations or path
    iou : float
        Above 0 and at most 1.

    Returns
    -------
    Comparison

    Raises
    ------
    OptionError
        If ``iou`` is out of range.
    MismatchError
        If no instant is in both.
    AnnotationError
        If one of the two has no boxes but only times.

    Examples
    --------
    >>> compare("before.json", "after.json").worst_frames  # doctest: +SKIP
    """
    if not 0 < iou <= 1:
        raise OptionError(f"iou must be above 0 and at most 1, got {iou}")
    first, second = (item if isinstance(item, Annotations) else read_annotations(item) for item in (a, b))
    notes: list[str] = []
    of_b = _scaled(first, second, notes)
    rows_a, rows_b, frames = _on_same_frames(first, second, _checked(first, first.detections), of_b, notes)
    pairs = _pair(rows_a, rows_b, iou)
    matches, missed, extra = _tables(rows_a, rows_b, pairs)
    return Comparison(first.video, rows_a, rows_b, frames, matches, missed, extra, iou, notes)


def _checked(annotations: Annotations, rows: pd.DataFrame) -> pd.DataFrame:
    if not annotations.has_boxes:
        raise AnnotationError(
            "annotations that say when faces are seen but not where cannot be compared by their boxes"
        )
    return sort_detections(check_detections(rows))


def _scaled(first: Annotations, second: Annotations, notes: list[str]) -> pd.DataFrame:
    """Return the second's detections in pixels of the first's frame."""
    rows = _checked(second, second.detections)
    size, other = (first.video.width, first.video.height), (second.video.width, second.video.height)
    if size == other or 0 in (*size, *other):
        return rows
    notes.append(f"boxes of b were scaled from {other[0]}x{other[1]} to {size[0]}x{size[1]}")
    factors = np.array([size[0] / other[0], size[1] / other[1]] * 2)
    return rows.assign(**dict(zip(BOX, (rows[BOX].to_numpy() * factors).T, strict=True)))


def _on_same_frames(
    first: Annotations, second: Annotations, rows_a: pd.DataFrame, rows_b: pd.DataFrame, notes: list[str]
) -> tuple[pd.DataFrame, pd.DataFrame, NDArray[np.int64]]:
    """Return the rows of both in the frames of both, numbered as in the first, and those frames."""
    if not (first.has_times and second.has_times):
        notes.append("times are unknown, so frames are paired by number")
        frames = np.arange(min(first.video.frame_count, second.video.frame_count))
        return rows_a[rows_a["frame"] < len(frames)], rows_b[rows_b["frame"] < len(frames)], frames
    own, other = first.video.times, second.video.times
    if not len(own) or not len(other):
        raise MismatchError("one of the two has no frames; there is nothing to compare")
    at = nearest(own, other)
    apart = np.abs(own[at] - other)
    entry = pd.DataFrame({"at": at, "entry": np.arange(len(other)), "apart": apart})
    entry = entry[apart <= half_spacing(own)].sort_values(["at", "apart"], kind="stable").drop_duplicates("at")
    if entry.empty:
        raise MismatchError("no instant is in both; the two are not of one video")
    if len(entry) < max(len(own), len(other)):
        notes.append(f"{len(entry)} instants are in both, of {len(own)} in a and {len(other)} in b")
    if float(entry["apart"].max()) > _SAME_TIME:
        notes.append(f"paired instants lie up to {float(entry['apart'].max()) * 1000:.1f} ms apart")
    frame_of = pd.Series(entry["at"].to_numpy(), entry["entry"].to_numpy())
    kept = rows_b[rows_b["frame"].isin(frame_of.index)]
    kept = kept.assign(frame=frame_of.reindex(kept["frame"]).to_numpy(np.int64))
    frames = np.sort(entry["at"].to_numpy(np.int64))
    return rows_a[rows_a["frame"].isin(frames)], kept, frames


def _by_frame(rows_a: pd.DataFrame, rows_b: pd.DataFrame) -> Iterator[tuple[slice, slice]]:
    """Yield the rows of either in every frame in which both have a box."""
    frames_a, frames_b = rows_a["frame"].to_numpy(), rows_b["frame"].to_numpy()
    both = np.intersect1d(frames_a, frames_b)
    bounds = [np.searchsorted(frames, [both, both + 1]).T.tolist() for frames in (frames_a, frames_b)]
    for (start_a, stop_a), (start_b, stop_b) in zip(*bounds, strict=True):
        yield slice(start_a, stop_a), slice(start_b, stop_b)


def _pair(rows_a: pd.DataFrame, rows_b: pd.DataFrame, iou: float) -> NDArray[np.float64]:
    """Return the matched pairs, shape (M, 3): place in a, place in b, IoU."""
    boxes_a, boxes_b = rows_a[BOX].to_numpy(), rows_b[BOX].to_numpy()
    found = [np.zeros((0, 3))]
    for in_a, in_b in _by_frame(rows_a, rows_b):
        overlaps = bx.iou(boxes_a[in_a], boxes_b[in_b])
        worth = np.where(overlaps >= iou, overlaps, 0.0)
        from scipy.optimize import linear_sum_assignment  # slow to import

        one, other = linear_sum_assignment(worth, maximize=True)
        kept = worth[one, other] > 0
        one, other = one[kept], other[kept]
        found.append(np.column_stack([one + in_a.start, other + in_b.start, overlaps[one, other]]))
    return np.concatenate(found)


def _tables(
    rows_a: pd.DataFrame, rows_b: pd.DataFrame, pairs: NDArray[np.float64]
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    place_a, place_b = pairs[:, 0].astype(np.int64), pairs[:, 1].astype(np.int64)
    one, other = rows_a.iloc[place_a], rows_b.iloc[place_b]
    shift = bx.centers(other[BOX].to_numpy()) - bx.centers(one[BOX].to_numpy())
    areas = [rows["width"].to_numpy() * rows["height"].to_numpy() for rows in (one, other)]
    ratio = np.divide(areas[1], areas[0], out=np.full(len(one), np.nan), where=areas[0] > 0)
    matches = pd.DataFrame(
        {
            "frame": one["frame"].to_numpy(),
            "time": one["time"].to_numpy(),
            "face_a": one["face_id"].to_numpy(),
            "face_b": other["face_id"].to_numpy(),
            "iou": pairs[:, 2],
            "shift_x": shift[:, 0],
            "shift_y": shift[:, 1],
            "area_ratio": ratio,
        }
    )
    missed = rows_a[~np.isin(np.arange(len(rows_a)), place_a)].reset_index(drop=True)
    extra = rows_b[~np.isin(np.arange(len(rows_b)), place_b)].reset_index(drop=True)
    return matches, missed, extra


def _import_metrics() -> Any:
    try:
        import trackeval.metrics
    except ImportError as err:
        raise OptionError(
            "scores need the package trackeval; install it with: pip install 'redactkit[compare]'"
        ) from err
    return trackeval.metrics


def _sequence(rows_a: pd.DataFrame, rows_b: pd.DataFrame, frames: NDArray[np.int64]) -> dict[str, Any]:
    """Return the two sets as TrackEval's metrics take them: per frame, faces numbered from 0, and their IoU."""
    data: dict[str, Any] = {"num_timesteps": len(frames), "similarity_scores": []}
    places = []
    for name, rows in (("gt", rows_a), ("tracker", rows_b)):
        known, ids = np.unique(rows["face_id"].to_numpy(), return_inverse=True)
        bounds = np.searchsorted(rows["frame"].to_numpy(), np.concatenate([frames, [np.iinfo(np.int64).max]]))
        places.append((rows[BOX].to_numpy(), bounds))
        data |= {f"num_{name}_ids": len(known), f"num_{name}_dets": len(rows)}
        data[f"{name}_ids"] = [ids[start:stop] for start, stop in pairwise(bounds.tolist())]
    (boxes_a, bounds_a), (boxes_b, bounds_b) = places
    for frame in range(len(frames)):
        in_a, in_b = slice(*bounds_a[frame : frame + 2]), slice(*bounds_b[frame : frame + 2])
        data["similarity_scores"].append(bx.iou(boxes_a[in_a], boxes_b[in_b]))
    return data
