"""Hold a redacted video against its source and the boxes it was to hide, and search for faces nobody hid."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from redactkit import boxes as bx
from redactkit.analysis.rescoring import crop_confidences
from redactkit.analysis.search import resolve_detector
from redactkit.annotations import Annotations
from redactkit.detectors import Detector, release
from redactkit.detectors.crops import search_crops
from redactkit.formats import check_same_video, choose_labels
from redactkit.redaction import RedactionOptions, select_faces
from redactkit.redaction.plan import IdsLike
from redactkit.redaction.report import sound_settings
from redactkit.redaction.trimming import kept_frames, trim_annotations
from redactkit.review.fixed_regions import with_regions
from redactkit.runtime.cores import opencv_in_one_thread
from redactkit.runtime.memory import limit_arenas, mmap_large_blocks
from redactkit.runtime.progress import ProgressLike, shown, track
from redactkit.tables import BOX, FaceIds
from redactkit.tracking.regions import as_regions
from redactkit.verification.findings import UNLIKE, bare_table, face_table, leak_table
from redactkit.verification.hiding import Hiding
from redactkit.verification.judging import judge_unknown_faces
from redactkit.verification.pairs import Pair, pair_frames
from redactkit.verification.repaint import MIN_ODD_SHARE, BoxCheck, Painting, Repainter
from redactkit.verification.report import VerificationReport
from redactkit.verification.settings import RecordedRedaction, read_recorded, recognise
from redactkit.verification.unknown_faces import UnknownFaceSearch
from redactkit.video import VideoReader, compare_files, probe
from redactkit.video.encoding import choose_encoding

__all__ = ["verify"]

WHOLE = 0.5
"""Share of a box's tiles that show the source from which it counts as bare and not partly bare."""

INSIDE, AS_SURELY = 0.5, 0.7
"""Support of a face inside a hidden box, and its share of the source's, from which it counts as seen there."""

MIN_INSIDE_SHARE, MIN_FACE_SHARE = 0.7, 0.08
"""Share of a face seen in the output that must lie in a hidden box, and of the box that it must fill."""

MIN_UNLIKE_SHARE, MIN_AGREED_SHARE = 0.25, 0.8
"""Share of a box that must be otherwise for it to be unlike the rest, and of the boxes that must be as painted."""

FEW_BOXES = 10
"""Boxes that are not as painted, up to which each is searched for a face in any case."""


@dataclass
class _Seen:
    """What accumulates while the frames go by."""

    bare: list[dict[str, object]] = field(default_factory=list)
    unlike: list[dict[str, object]] = field(default_factory=list)
    boxes: int = 0
    odd: int = 0
    frames: int = 0
    exact: int = 0


@opencv_in_one_thread()
@mmap_large_blocks()
def verify(
    video: str | Path,
    redacted: str | Path,
    annotations: Annotations | str | Path,
    *,
    ids: IdsLike | None = None,
    include: FaceIds | None = None,
    exclude: FaceIds | None = None,
    labels: str | Iterable[str] | None = None,
    detector: str | Detector = "centerface",
    model: str | Path | None = None,
    detection_size: int | None = None,
    force: bool = False,
    fidelity: pd.DataFrame | None = None,
    progress: ProgressLike = True,
) -> VerificationReport:
    """Look for faces that a redacted video leaves bare.

    Each hidden box is painted again as the redaction did it, and compared with the output in every frame and plane.
    The settings are those of the report beside the output where it is of this very file; else the blur kind is
    recognised, and where none explains the boxes, no scale of them may carry the source's detail. The source is
    searched for faces that hidden boxes cover by less than 85 % and that were not left visible on purpose.

    Parameters
    ----------
    video, redacted : path
        The source and what `redactkit.redact` made of it.
    annotations : Annotations or path
    ids, include, exclude, labels
        The faces that were to be hidden, as in `redactkit.redact`; by default what the report beside the output
        says, where it is of this very file, else what ``annotations`` say.
    detector : str or Detector
        Of the search.
    model : path, optional
        Its model file, where it is given by name.
    detection_size : int, optional
        Longer side of the picture searched.
    force : bool
        Take annotations of another video all the same.
    fidelity : DataFrame, optional
        What `redactkit.redact` found of these two files a moment ago, so that they are not compared twice.
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
    limit_arenas()
    info, recorded = probe(video), read_recorded(redacted)
    laid = check_same_video(info, annotations, force=force or bool(recorded.settings.get("force")))
    wanted = recorded.settings.get("labels") if labels is None else labels
    if wanted is not None:
        laid = choose_labels(laid, wanted)
    laid = with_regions(laid, as_regions(recorded.settings.get("regions", ())))
    if recorded.settings.get("trim"):
        laid = trim_annotations(laid, kept_frames(info, RedactionOptions.of(recorded.settings)))
        info = laid.video
    chosen = any(given is not None for given in (ids, include, exclude))
    faces = select_faces(laid, ids=ids, include=include, exclude=exclude) if chosen else recorded.select(laid)
    detect = resolve_detector(detector, model=model)
    encoding = choose_encoding(info, codec=recorded.settings.get("codec"))
    after = probe(redacted)
    # Both are decoded side by side, so that one thread each keeps the cores busy, and fewer frames are held.
    readers = (VideoReader(path, info=each, threads=1) for path, each in ((video, info), (redacted, after)))
    with next(readers) as source, next(readers) as output:
        painting = recorded.painting(laid) or recognise(source, output, laid, faces=faces, encoding=encoding)
        hiding = Hiding.of(laid, faces, painting, recorded)
        repainter = Repainter(info, after, hiding.plan, painting, encoding)
        unknown_faces = UnknownFaceSearch(info, detect, hiding.known, laid, faces, size=detection_size)
        source.rest()
        output.rest()
        seen = _compare(source, output, repainter, unknown_faces, hiding, progress=shown(progress))
    release(detect)
    exposed, bare = bare_table(seen.bare), bare_table([*seen.bare, *_unlike_the_rest(seen)])
    return VerificationReport(
        source=Path(video),
        redacted=Path(redacted),
        faces=face_table(hiding.rows, exposed, faces),
        bare=bare,
        leaks=leak_table(judge_unknown_faces(unknown_faces.rows, laid, info, gaps=unknown_faces.gaps), laid),
        fidelity=fidelity if fidelity is not None else _compare_files(hiding, redacted),
        frames=seen.frames,
        searches=(_how(painting), *unknown_faces.names),
        settings={
            "detector": getattr(detect, "name", str(detector)),
            "faces": faces,
            **_as_settings(painting, recorded),
            **hiding.settings,
        },
    )


def _compare_files(hiding: Hiding, redacted: str | Path) -> pd.DataFrame:
    wide = hiding.wide
    return compare_files(hiding.info, redacted, hidden=lambda frame: wide.at(frame)[0], **sound_settings(redacted))


def _how(painting: Painting) -> str:
    return f"{painting.kind} painted again" if painting.kind else "the source's detail"


def _as_settings(painting: Painting, recorded: RecordedRedaction) -> dict[str, object]:
    return {
        "blur": painting.kind,
        "margin": painting.margin,
        "strength": painting.strength,
        "report": bool(recorded.record),
    }


def _compare(
    source: VideoReader,
    output: VideoReader,
    repainter: Repainter,
    unknown_faces: UnknownFaceSearch,
    hiding: Hiding,
    *,
    progress: ProgressLike,
) -> _Seen:
    rows = hiding.rows
    keys = zip(rows["frame"].tolist(), rows["face_id"].tolist(), strict=True)
    places = dict(zip(keys, rows[BOX].to_numpy(np.float64), strict=True))
    seen = _Seen()
    with track(progress, "verify", total=source.info.frame_count) as update:
        for pair in pair_frames(source, output):
            for check in repainter.check(pair):
                box = places[pair.index, check.face]
                seen.odd += not check.as_painted or repainter.painting.kind is None
                rare = seen.odd <= max(FEW_BOXES, (1 - MIN_AGREED_SHARE) * seen.boxes)
                what = _fault(check, pair, box, repainter.painting, unknown_faces, rare=rare)
                row: dict[str, object] = {"frame": pair.index, "time": pair.source.time, "face_id": check.face}
                row |= dict(zip(BOX, box.tolist(), strict=True))
                row |= {"shared": max(check.bare, check.near, min(1.0, check.detail / 2)), "what": what or UNLIKE}
                seen.boxes += 1
                if what is not None:
                    seen.bare.append(row)
                elif check.odd >= MIN_UNLIKE_SHARE:
                    seen.unlike.append(row)
            # Outside the time ranges of a redaction everything is bare on purpose.
            if hiding.searched[pair.index]:
                unknown_faces.search(pair)
                seen.frames += 1
            update(1)
    return seen


def _fault(
    check: BoxCheck,
    pair: Pair,
    box: bx.FloatArray,
    painting: Painting,
    unknown_faces: UnknownFaceSearch,
    *,
    rare: bool,
) -> str | None:
    """Return what is wrong with a hidden box, None if nothing is; ``rare`` is whether few are not as painted."""
    if check.shows_source:
        if check.bare >= WHOLE or painting.kind is None:
            return "bare box"
        return "partly bare box" if check.bare >= MIN_ODD_SHARE else "weakly hidden box"
    if not check.as_painted and painting.exact:
        return "painted otherwise"
    # A picture that is neither source nor painting hides too, unless a face is seen in it.
    doubtful = painting.kind is None or not check.as_painted
    if doubtful and (rare or unknown_faces.is_searched(pair.index)):
        return "face in a hidden box" if _shows_face(pair, box, unknown_faces.detector) else None
    return None


def _shows_face(pair: Pair, box: bx.FloatArray, detector: Detector) -> bool:
    """Tell whether a face is seen in a box of the output, there or smaller, as surely as in the source."""
    found = search_crops(detector, pair.output, box[None])[0][:, :4]
    within = bx.union_cover(found, box[None]) > MIN_INSIDE_SHARE
    large = found[:, 2] * found[:, 3] > MIN_FACE_SHARE * box[2] * box[3]
    places = np.vstack([box[None], found[within & large]])
    before, after = (np.array(crop_confidences(detector, frame, places)) for frame in (pair.source, pair.output))
    return bool((after >= np.maximum(INSIDE, AS_SURELY * before)).any())


def _unlike_the_rest(seen: _Seen) -> list[dict[str, object]]:
    """Return the boxes that are neither source nor painting, where nearly all others are as painted."""
    return seen.unlike if len(seen.unlike) <= (1 - MIN_AGREED_SHARE) * seen.boxes else []
