"""Compare a redacted video with its source frame by frame, and search it for faces."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from redactkit import boxes as bx
from redactkit.analysis.search import resolve_detector
from redactkit.annotations import Annotations
from redactkit.detectors import Detector
from redactkit.formats import check_same_video
from redactkit.media import VideoInfo
from redactkit.redaction import make_plan, select_faces
from redactkit.redaction.plan import IdsLike
from redactkit.redaction.report import sound_settings
from redactkit.runtime.cores import opencv_in_one_thread
from redactkit.runtime.progress import ProgressLike, track
from redactkit.tables import BOX, FaceIds
from redactkit.verification.coverage import shared_detail
from redactkit.verification.leaks import LeakSearch, find_unknown_faces, judge_leaks, plan_searches
from redactkit.verification.report import VerificationReport, longest_run
from redactkit.video import Frame, VideoReader, compare_files, probe

__all__ = ["verify"]

_BARE = 0.7
_REPORT_MARGIN = 0.15
_WIDEST_MARGIN = 0.5  # of what the fidelity check leaves out, as nobody says with which boxes were hidden


@dataclass
class _Findings:
    """What accumulates while the frames go by."""

    bare: list[dict[str, float]] = field(default_factory=list)
    strangers: list[dict[str, float]] = field(default_factory=list)
    frames: int = 0


@opencv_in_one_thread()
def verify(
    video: str | Path,
    redacted: str | Path,
    annotations: Annotations | str | Path,
    *,
    ids: IdsLike | None = None,
    include: FaceIds | None = None,
    exclude: FaceIds | None = None,
    detector: str | Detector = "centerface",
    model: str | Path | None = None,
    second: str | Detector | None = None,
    second_model: str | Path | None = None,
    detection_size: int | None = None,
    force: bool = False,
    progress: ProgressLike = True,
) -> VerificationReport:
    """Look for faces that a redacted video leaves bare.

    Two questions are asked of every frame. Does a box that was to be hidden still show the source's
    fine detail? Does the output show a face that is neither in a hidden box nor one that the analyst left
    visible, when looked for with a lower threshold, mirrored, at a larger scale, and with a second detector?

    Parameters
    ----------
    video, redacted : path
        The source and what `redactkit.redact` made of it.
    annotations : Annotations or path
    ids, include, exclude
        The selection the video was redacted with, as in `redactkit.redact`.
    detector : str or Detector
        Of the search.
    model : path, optional
        Its model file, where it is given by name.
    second : str or Detector, optional
        A second detector, such as ``"yunet"``.
    second_model : path, optional
        Its model file, where it is given by name.
    detection_size : int, optional
        Longer side of the picture searched.
    force : bool
        Take annotations of another video all the same.
    progress : bool or callable

    Returns
    -------
    VerificationReport
        Its ``verdict`` is ``clean`` only if there were faces to hide and none is bare.

    Raises
    ------
    MismatchError
        If the annotations are of another video.
    VideoError
        If a video cannot be read.

    Examples
    --------
    >>> verify("lobby.mp4", "lobby_redacted.mp4", "lobby_annotations.json").verdict  # doctest: +SKIP
    'clean'
    """
    info = probe(video)
    laid = check_same_video(info, annotations, force=force)
    faces = select_faces(laid, ids=ids, include=include, exclude=exclude)
    other = None if second is None else resolve_detector(second, model=second_model)
    first = resolve_detector(detector, model=model)
    searches = plan_searches(info, first, size=detection_size, second=other)
    findings = _compare(info, Path(redacted), laid, faces, searches, progress=progress)
    bare = _bare_table(findings.bare)
    plan = make_plan(laid.detections, info, faces=faces, margin=_WIDEST_MARGIN)
    return VerificationReport(
        source=Path(video),
        redacted=Path(redacted),
        faces=_face_table(laid.detections, bare, faces),
        bare=bare,
        leaks=judge_leaks(pd.DataFrame(findings.strangers), frame_rate=float(info.frame_rate)),
        fidelity=compare_files(info, redacted, hidden=lambda frame: plan.at(frame)[0], **sound_settings(redacted)),
        frames=findings.frames,
        looks=tuple(search.name for search in searches),
        settings={"detector": str(detector), "second": str(second), "faces": faces},
    )


def _compare(
    info: VideoInfo,
    redacted: Path,
    annotations: Annotations,
    faces: list[int],
    searches: tuple[LeakSearch, ...],
    *,
    progress: ProgressLike,
) -> _Findings:
    rows = annotations.detections
    chosen = rows["face_id"].isin(faces)
    hidden, visible = _by_frame(rows[chosen]), _by_frame(rows[~chosen])
    nothing = rows.iloc[:0]
    findings = _Findings()
    with (
        VideoReader(info.path or "", info=info) as before,
        VideoReader(redacted) as after,
        track(progress, "verify", total=info.frame_count) as update,
    ):
        for source, output in _pairs(before, after):
            to_hide = hidden.get(source.index, nothing)
            _look_under(findings, source, output, to_hide)
            _look_around(findings, output, searches, to_hide, visible.get(source.index, nothing))
            findings.frames += 1
            update(1)
    return findings


def _by_frame(rows: pd.DataFrame) -> dict[int, pd.DataFrame]:
    return {int(str(frame)): group for frame, group in rows.groupby("frame")}


def _pairs(before: VideoReader, after: VideoReader) -> Iterator[tuple[Frame, Frame]]:
    """Yield frames of the two videos in step; what one has beyond the other is the fidelity check's business."""
    yield from zip(before.frames(), after.frames(), strict=False)


def _look_under(findings: _Findings, source: Frame, output: Frame, rows: pd.DataFrame) -> None:
    if not len(rows):
        return
    shared = shared_detail(source.gray(), output.gray(), rows[BOX].to_numpy())
    for (_, row), value in zip(rows.iterrows(), shared, strict=True):
        if value >= _BARE:
            place = {name: row[name] for name in ("frame", "time", "face_id", *BOX)}
            findings.bare.append({**place, "shared": float(value)})


def _look_around(
    findings: _Findings, output: Frame, searches: tuple[LeakSearch, ...], hidden: pd.DataFrame, visible: pd.DataFrame
) -> None:
    grown = bx.expand(hidden[BOX].to_numpy(), share=_REPORT_MARGIN)
    picture: NDArray[np.uint8] = output.rgb()
    for box in find_unknown_faces(picture, searches, hidden=grown, visible=visible[BOX].to_numpy()):
        place = dict(zip(BOX, box[:4], strict=True))
        findings.strangers.append({"frame": output.index, "time": output.time, **place, "confidence": box[4]})


def _bare_table(rows: list[dict[str, float]]) -> pd.DataFrame:
    columns = {"frame": "int64", "time": "float64", "face_id": "int64", **dict.fromkeys(BOX, "float64")}
    columns["shared"] = "float64"
    return pd.DataFrame(rows, columns=list(columns)).astype(columns)


def _face_table(detections: pd.DataFrame, bare: pd.DataFrame, faces: list[int]) -> pd.DataFrame:
    frames = detections[detections["face_id"].isin(faces)].groupby("face_id").size()
    exposed = {
        face: longest_run(rows["frame"].to_numpy(), rows["time"].to_numpy()) for face, rows in bare.groupby("face_id")
    }
    index = pd.Index(faces, name="face_id", dtype="int64")
    runs = [exposed.get(face, (0, 0.0)) for face in faces]
    return pd.DataFrame(
        {
            "frames": frames.reindex(index, fill_value=0).astype("int64"),
            "bare": bare.groupby("face_id").size().reindex(index, fill_value=0).astype("int64"),
            "longest": np.array([run[0] for run in runs], dtype=np.int64),
            "longest_seconds": np.array([run[1] for run in runs], dtype=np.float64),
        },
        index=index,
    )
