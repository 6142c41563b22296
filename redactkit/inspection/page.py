"""What is in an annotation file as one page: when, where, which labels, what is suspicious, and how it looks."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable
from html import escape
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from redactkit import boxes as bx
from redactkit.annotations import Annotations, show_annotations
from redactkit.errors import MismatchError, VideoError
from redactkit.formats import align
from redactkit.media import VideoInfo
from redactkit.runtime.html import Lane, draw_lanes, short, show_table
from redactkit.runtime.timecode import timecode
from redactkit.tables import BOX

__all__ = ["as_document", "page_html"]

SIDE = 112
"""Pixels along the longer side of a thumbnail."""
MARGIN_SHARE = 0.5
"""Margin around a box in a thumbnail, in shares of the box."""
WHOLE_SHARE = 0.9
"""Share of a box inside the frame from which on the face counts as shown whole."""
MAX_FACES, MAX_FINDINGS, MAX_PICTURES = 60, 300, 40
"""Faces and suspicious rows that are listed, and suspicious rows that have pictures."""
CELLS = 96
"""Resolution of the heat map, in cells across the frame."""
_SUSPICIOUS = "#D55E00"


class Inspected(Protocol):
    """What a page shows of a `redactkit.inspection.Inspection`."""

    @property
    def name(self) -> str:
        """The file, or "annotations"."""

    @property
    def annotations(self) -> Annotations:
        """What was read."""

    @property
    def video(self) -> VideoInfo | None:
        """The video that was given beside the file."""

    @property
    def faces(self) -> pd.DataFrame:
        """One row per face."""

    @property
    def findings(self) -> pd.DataFrame:
        """Everything suspicious, one row each."""

    @property
    def counts(self) -> pd.Series[int]:
        """How many findings there are of each kind."""

    @property
    def headline(self) -> list[str]:
        """The file in a few lines."""


Image = NDArray[np.uint8]
FaceInFrame = tuple[int, int]
"""A face and a frame."""

_STYLE = """<style>
:root { color-scheme: light dark; }
body { font: 14px/1.5 system-ui, sans-serif; margin: 24px auto; max-width: 1080px; padding: 0 16px; }
h1, p, td, figcaption { overflow-wrap: anywhere; unicode-bidi: isolate; }
h1 { font-size: 20px; } h2 { font-size: 16px; margin: 28px 0 8px; }
table { border-collapse: collapse; margin-bottom: 16px; }
th, td { border-bottom: 1px solid #8886; padding: 3px 10px; vertical-align: top; }
td img { display: block; } svg { max-width: 100%; height: auto; }
.rk-map { width: 480px; max-width: 100%; image-rendering: pixelated; border: 1px solid #8886; }
.rk-cutouts { display: flex; flex-wrap: wrap; gap: 12px; } .rk-cutouts figure { margin: 0; width: 150px; }
.rk-cutouts figcaption { font-size: 12px; }
</style>"""


def page_html(report: Inspected) -> str:
    """Return the report as one HTML file that needs no other; with pictures where it knows the video."""
    annotations = report.annotations
    laid = _on_video(annotations, report.video)
    faces = report.faces.sort_values(["frames"], ascending=False, kind="stable").head(MAX_FACES)
    runs = _runs(report.findings)
    shown = runs.head(MAX_FINDINGS)
    frames = _best_frames(laid, faces.index, report.video)
    pictures = _pictures(laid, report.video, [*frames.items(), *_faces_shown(laid, shown)])
    parts = [
        "".join(f"<p>{escape(line)}</p>" for line in report.headline),
        *_section("When", show_annotations(annotations) + _draw_findings(report)),
        *_section("Labels", show_table(["label", "kind", "boxes", "faces"], _labels(annotations))),
        *_section("Where", _heat_map(annotations)),
        *_section(f"{len(report.findings)} suspicious", _findings(report, shown, len(runs), laid, pictures)),
        *_section(f"{len(report.faces)} faces", _faces(faces, frames, pictures, len(report.faces))),
    ]
    return as_document(f"What is in {Path(report.name).name}", "".join(parts))


def as_document(title: str, body: str) -> str:
    """Return a whole HTML file with a title and a body."""
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>{_STYLE}</head>'
        f"<body><h1>{escape(title)}</h1>{body}</body></html>"
    )


def _section(title: str, content: str) -> Iterable[str]:
    return (f"<h2>{escape(title)}</h2>", content or "<p>none</p>")


def _draw_findings(report: Inspected) -> str:
    """Draw when something is suspicious, a line for each kind."""
    timed = report.annotations.has_times
    at = "time" if timed else "frame"
    found = report.findings[report.findings[at].notna()]
    video, rows = report.annotations.video, report.annotations.detections
    if found.empty or rows.empty:
        return ""
    step = 1 / float(video.frame_rate) if timed else 1.0
    lanes = [
        Lane(str(kind), _SUSPICIOUS, [(float(when), float(when) + step) for when in mine[at]])
        for kind, mine in found.groupby("kind", sort=True)
    ]
    ends = np.concatenate([rows[at].to_numpy(np.float64), found[at].to_numpy(np.float64)])
    times = video.times if timed else np.arange(video.frame_count, dtype=np.float64)
    ends = np.concatenate([ends, times[:1], times[-1:]])
    label = "When something is suspicious"
    unit = "s" if timed else "frames"
    return draw_lanes(lanes, start=float(ends.min()), end=float(ends.max()) + step, unit=unit, label=label)


def _labels(annotations: Annotations) -> Iterable[tuple[object, ...]]:
    rows = annotations.detections
    counts = rows.groupby(["label", "kind"])["face_id"].agg(["size", "nunique"]).sort_values("size", ascending=False)
    for (label, kind), count, faces in counts.itertuples(name=None):
        yield short(label) or "none", short(kind), count, faces


def _runs(findings: pd.DataFrame) -> pd.DataFrame:
    """Return findings of one kind and face in frames in a row as one: the first, with frame and time of the last.

    Jumps stay apart, since each is to another place.
    """
    rows = findings.sort_values(["kind", "face_id", "frame"], kind="stable")
    alike = (rows["kind"] == rows["kind"].shift()) & (rows["face_id"] == rows["face_id"].shift()).fillna(False)
    follows = alike & (rows["kind"] != "jump") & (rows["frame"] == rows["frame"].shift() + 1).fillna(False)
    last = rows[~follows.shift(-1, fill_value=False)]
    runs = rows[~follows].assign(last_frame=last["frame"].to_numpy(), last_time=last["time"].to_numpy())
    return runs.sort_values(["time", "frame", "face_id"], kind="stable", ignore_index=True)


def _heat_map(annotations: Annotations) -> str:
    """Return a picture of how many boxes lie over each place of the frame."""
    width, height = annotations.video.width, annotations.video.height
    if min(width, height) <= 0 or not annotations.has_boxes or annotations.detections.empty:
        return ""
    import cv2

    boxes = bx.clip(annotations.detections[BOX].to_numpy(), width=width, height=height)
    counts = bx.count_cover(bx.to_corners(boxes) * CELLS / width, (max(1, round(CELLS * height / width)), CELLS))
    levels = np.round(counts * (255 / max(1, int(counts.max())))).astype(np.uint8)
    _, data = cv2.imencode(".png", cv2.applyColorMap(levels, cv2.COLORMAP_MAGMA))
    picture = base64.b64encode(data.tobytes()).decode("ascii")
    most = f"<p>Boxes over each place of the frame of {width}x{height}, {int(counts.max())} at most.</p>"
    return f'{most}<img class="rk-map" alt="heat map" src="data:image/png;base64,{picture}">'


def _findings(
    report: Inspected, shown: pd.DataFrame, runs: int, laid: pd.DataFrame, pictures: dict[FaceInFrame, Image]
) -> str:
    if shown.empty:
        return ""
    kinds = show_table(["kind", "times"], report.counts.items())
    names = ["kind", "face", "frame", "time", "why"]
    places = [place if place in pictures else None for place in _faces_of_rows(laid, shown)]
    pictured = any(place is not None for place in places)
    rows = []
    for place, row in zip(places, shown.to_dict("records"), strict=True):
        face = "" if pd.isna(row["face_id"]) else row["face_id"]
        frames = _span(row["frame"], row["last_frame"], str)
        times = _span(row["time"], row["last_time"], timecode)
        texts = "".join(f"<td>{escape(str(cell))}</td>" for cell in (row["kind"], face, frames, times, row["detail"]))
        picture = f"<td>{'' if place is None else _image(pictures[place])}</td>" if pictured else ""
        rows.append(f"<tr>{picture}{texts}</tr>")
    head = "".join(f"<th align=left>{name}</th>" for name in (["picture"] if pictured else []) + names)
    ending = f"<p>and {runs - len(shown)} more</p>" if runs > len(shown) else ""
    return f"{kinds}<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>{ending}"


def _span(first: Any, last: Any, spell: Callable[[Any], str]) -> str:
    """Return the first frame or time, and the last one where it is another; nothing where there is none."""
    if pd.isna(first):
        return ""
    return spell(first) if pd.isna(last) or last == first else f"{spell(first)} to {spell(last)}"


def _faces(faces: pd.DataFrame, frames: dict[int, int], pictures: dict[FaceInFrame, Image], count: int) -> str:
    figures = []
    for face, row in faces.iterrows():
        number = int(str(face))
        picture = pictures.get((number, frames.get(number, -1)))
        name = f"face {number}" + (f", {short(row['label'])}" if row["label"] else "")
        start = "" if pd.isna(row["start"]) else f", {timecode(row['start'])} to {timecode(row['end'])}"
        gap = f", longest gap {row['longest_gap']}" if row["longest_gap"] else ""
        caption = f"{row['frames']} boxes{start}{gap}"
        image = "" if picture is None else _image(picture)
        figures.append(f"<figure>{image}<figcaption><b>{escape(name)}</b><br>{escape(caption)}</figcaption></figure>")
    more = f"<p>and {count - len(faces)} more with fewer boxes</p>" if count > len(faces) else ""
    return f'<div class="rk-cutouts">{"".join(figures)}</div>{more}' if figures else ""


def _image(picture: Image) -> str:
    from redactkit.video import as_jpeg

    data = base64.b64encode(as_jpeg(picture)).decode("ascii")
    return f'<img alt="" src="data:image/jpeg;base64,{data}">'


def _on_video(annotations: Annotations, video: VideoInfo | None) -> pd.DataFrame:
    """Return the boxes on the frames of the video; none where there is no video, or they are of another one."""
    none = annotations.detections.iloc[:0]
    if video is None or not annotations.has_boxes:
        return none
    try:
        return align(annotations, video).detections
    except MismatchError:
        return none


def _best_frames(laid: pd.DataFrame, faces: Iterable[Any], video: VideoInfo | None) -> dict[int, int]:
    """Return the frame in which each face is largest, wholly inside the picture and in a box of the file's own."""
    rows = laid[laid["face_id"].isin(list(faces))]
    if video is None or rows.empty:
        return {}
    boxes = rows[BOX].to_numpy(np.float64)
    inside = bx.clip(boxes, width=video.width, height=video.height)
    areas, seen = (table[:, 2] * table[:, 3] for table in (boxes, inside))
    rows = rows.assign(own=rows["source"] != "interpolated", whole=seen >= WHOLE_SHARE * areas, seen=seen)
    rows = rows.sort_values(["own", "whole", "seen", "frame"], ascending=[False, False, False, True], kind="stable")
    best = rows.drop_duplicates("face_id")
    return dict(zip(best["face_id"].tolist(), best["frame"].tolist(), strict=True))


def _faces_of_rows(laid: pd.DataFrame, shown: pd.DataFrame) -> list[FaceInFrame | None]:
    """Return the face of each suspicious row and the frame of the video nearest to it that shows the face."""
    of_face = {int(str(face)): mine for face, mine in laid.groupby("face_id")}
    columns: list[list[Any]] = [shown[name].tolist() for name in ("face_id", "frame", "time")]
    places: list[FaceInFrame | None] = []
    for face, frame, time in zip(*columns, strict=True):
        mine = None if pd.isna(face) else of_face.get(int(face))
        by_time = not pd.isna(time) and mine is not None and bool(mine["time"].notna().all())
        if mine is None or (pd.isna(frame) and not by_time):
            places.append(None)
            continue
        at, wanted = ("time", float(time)) if by_time else ("frame", int(frame))
        nearest = int(np.abs(mine[at].to_numpy() - wanted).argmin())
        places.append((int(face), int(mine["frame"].iloc[nearest])))
    return places


def _faces_shown(laid: pd.DataFrame, shown: pd.DataFrame) -> list[FaceInFrame]:
    return [place for place in _faces_of_rows(laid, shown) if place is not None][:MAX_PICTURES]


def _pictures(laid: pd.DataFrame, video: VideoInfo | None, places: Iterable[FaceInFrame]) -> dict[FaceInFrame, Image]:
    """Return what the video shows at each place, decoded forwards; none where it does not decode."""
    from redactkit.video import VideoReader

    if video is None or video.path is None:
        return {}
    boxes = laid.set_index(["face_id", "frame"])[BOX]
    found: dict[FaceInFrame, Image] = {}
    with VideoReader(video.path) as reader:
        for face, frame in sorted(set(places), key=lambda place: place[1]):
            box = boxes.loc[[(face, frame)]].to_numpy(np.float64)[0]
            if not bx.clip(box[None], width=reader.info.width, height=reader.info.height)[0, 2:].all():
                continue
            try:
                picture = reader.frame_at(frame).rgb()
            except VideoError:
                continue
            height, width = picture.shape[:2]
            left, top, right, bottom = bx.edges_around(box, width=width, height=height, share=MARGIN_SHARE)
            found[face, frame] = _shrunk(picture[top:bottom, left:right])
    return found


def _shrunk(picture: Image) -> Image:
    import cv2

    scale = SIDE / max(picture.shape[:2])
    size = max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale))
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR))
