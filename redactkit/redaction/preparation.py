"""What a redaction settles before its first frame, and says after its last."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from redactkit import effects
from redactkit.annotations import Annotations
from redactkit.errors import AnnotationError
from redactkit.formats import check_same_video, choose_labels
from redactkit.formats.labels import require_face_label
from redactkit.media import FrameRange, VideoInfo
from redactkit.redaction.options import RedactionOptions
from redactkit.redaction.plan import IdsLike, Plan, hidden_frames, lay_out, require_hidden, select_faces
from redactkit.redaction.rendering import Written
from redactkit.redaction.report import RedactionReport, add_painted, count_faces, make_record, stamp_record
from redactkit.redaction.trimming import kept_frames, trim_annotations
from redactkit.review.fixed_regions import region_objects, with_regions
from redactkit.runtime.kinds import FACE
from redactkit.runtime.timecode import CLOCK_SLACK_SECONDS, timecode
from redactkit.tables import FaceIds
from redactkit.tracking.regions import as_regions
from redactkit.video import compare_files, probe
from redactkit.video.muting import span_of

__all__ = ["Preparation", "prepare", "report_of"]


@dataclass(frozen=True, eq=False)
class Preparation:
    """A redaction that is ready to be written: the video, the faces on its frames, and the boxes to hide.

    ``whole`` are the annotations before they were cut down to a time range, where they were.
    """

    info: VideoInfo
    annotations: Annotations
    plan: Plan
    options: RedactionOptions
    faces: list[int]
    whole: Annotations

    @property
    def settings(self) -> dict[str, Any]:
        """The options and the faces that are hidden, as the report has them."""
        cosmetic = self.options.cosmetic or any(effects.BLUR_KINDS[look.kind].cosmetic for look in self.plan.looks[1:])
        return self.options.as_settings() | {"faces": self.faces, "cosmetic": cosmetic}

    @property
    def redacted(self) -> NDArray[np.bool_] | None:
        """The frames in which anything is hidden, shape (F,), if others may be copied; None if none may be."""
        # Nobody has seen what stands in packets that did not decode, so none is copied.
        damaged = bool(self.annotations.settings.get("decode_errors"))
        return self.plan.touched if self.options.smart_copy and not damaged and not self.options.trim else None

    @cached_property
    def facts(self) -> tuple[pd.DataFrame, dict[str, Any]]:
        """What the report says that needs no output: the faces, and who makes it from what with what."""
        faces = count_faces(self.annotations, self.plan, faces=self.faces, options=self.options)
        return faces, make_record(self.info.sha256, self.annotations)


def prepare(
    video: str | Path,
    annotations: Annotations | str | Path,
    options: RedactionOptions | None = None,
    *,
    info: VideoInfo | None = None,
    ids: IdsLike | None = None,
    include: FaceIds | None = None,
    exclude: FaceIds | None = None,
) -> Preparation:
    """Check everything that can be checked before a frame is decoded; errors as of `redactkit.redact`.

    Parameters
    ----------
    video, annotations, ids, include, exclude
        As of `redactkit.redact`.
    options : RedactionOptions, optional
    info : VideoInfo, optional
        The video's header; probed where not given.
    """
    options = options or RedactionOptions()
    info = info or probe(video)
    options = options.checked(*span_of(info))
    laid = check_same_video(info, annotations, force=options.force)
    if options.labels is not None:
        laid = choose_labels(laid, options.labels)
    elif not options.allow_nothing:
        require_face_label(laid)
    _refuse_unsearched(laid, options)
    if laid.settings.get("incomplete") and not options.force:
        reasons = "; ".join(map(str, laid.settings["incomplete"]))
        raise AnnotationError(f"the annotations are not whole: {reasons}; or pass force=True (--force)")
    chosen = set(select_faces(laid, ids=ids, include=include, exclude=exclude))
    known = set(laid.detections["face_id"])
    laid = with_regions(laid, options.regions)
    # Regions are hidden however faces are chosen, also those that the annotations have already.
    there = set(laid.detections["face_id"].tolist())
    faces = sorted((chosen & there) | (there - known) | region_objects(laid, options.regions))
    whole = laid
    if options.trim:
        laid = trim_annotations(laid, kept_frames(info, options))
        info = laid.video
    plan = lay_out(laid, info, faces=faces, options=options)
    if not options.allow_nothing:
        require_hidden(laid, plan, faces=faces, options=options)
    return Preparation(info, laid, plan, options, faces, whole)


def _refuse_unsearched(annotations: Annotations, options: RedactionOptions) -> None:
    """Refuse to call a video redacted of which only a stretch was searched for faces.

    Raises
    ------
    AnnotationError
        If a time range of the redaction, or the whole video, reaches beyond that stretch, and nothing says force.
    """
    searched = annotations.settings.get("searched")
    if not searched or options.force:
        return
    start, end = float(searched[0]), float(searched[1])
    if not options.ranges or any(first < start - 1e-6 or last > end + 1e-6 for first, last in options.ranges):
        searched = f"{timecode(start)} to {timecode(end)}"
        raise AnnotationError(
            f"only {searched} was searched for faces; redact that range alone, analyze the whole video, "
            "or pass force=True (--force)"
        )


def report_of(
    prepared: Preparation,
    output: Path,
    written: Written,
    *,
    notes: Sequence[str] = (),
    copied: Sequence[FrameRange] = (),
) -> RedactionReport:
    """Check what was written against its source, and save and return the report.

    ``written`` says what was painted and what of the source did not decode whole, beside what the analysis met;
    ``notes`` what was odd about the rest.
    ``copied`` has every range of frames that was copied and not encoded.
    """
    info, settings = prepared.info, prepared.settings
    assert info.path is not None
    faces, record = prepared.facts
    broken = list(dict.fromkeys([*prepared.annotations.settings.get("decode_errors", ()), *written.odd]))
    report = RedactionReport(
        source=info.path,
        output=output,
        settings=settings,
        faces=add_painted(faces, prepared.plan, written),
        fidelity=compare_files(
            info,
            output,
            audio=prepared.options.audio,
            mute=settings["mute"],
            hidden=lambda frame: prepared.plan.at(frame)[0],
        ),
        notes=(*_warnings(prepared), *broken, *notes),
        record=record | stamp_record(output) | {"copied_frames": [list(frames) for frames in copied], "damage": broken},
    )
    report.save()
    return report


def _warnings(prepared: Preparation) -> list[str]:
    settings, rows = prepared.settings, prepared.annotations.detections
    notes = [_bare_on_purpose(prepared)] if prepared.options.ranges else []
    notes += [*_late_clock(prepared), *_holes(prepared)]
    notes += [*map(str, prepared.annotations.settings.get("doubts", ())), *_unsearched_regions(prepared.annotations)]
    if settings["cosmetic"]:
        kinds = dict.fromkeys([settings["blur"], *(look.kind for look in prepared.plan.looks[1:])])
        named = " and ".join(kind for kind in kinds if effects.BLUR_KINDS[kind].cosmetic)
        notes.append(f"{named} is cosmetic: it does not keep a network from telling who somebody is")
    sizeless = (rows["width"] <= 0) | (rows["height"] <= 0)
    empty = rows[sizeless & rows["face_id"].isin(settings["faces"])]
    if len(empty):
        faces = ", ".join(map(str, sorted(empty["face_id"].unique())[:20]))
        notes.append(f"{len(empty)} boxes have no size, so that nothing is painted there: face {faces}")
    return [*notes, *_uncovered_frames(rows, prepared.info.frame_count)]


def _holes(prepared: Preparation) -> list[str]:
    """Say which objects that are no faces have no box for a while: no check looks for them there."""
    tracks = prepared.annotations.tracks
    others = tracks[tracks.index.isin(prepared.settings["faces"]) & (tracks["kind"] != FACE)]
    bare = others["last_frame"] - others["first_frame"] + 1 - others["frames"]
    return [
        f"{row.kind} {row.Index} has no box in {missing} of the frames {row.first_frame} to {row.last_frame} and is "
        "not hidden there; the leak check looks for faces alone"
        for row, missing in zip(others.itertuples(), bare, strict=True)
        if missing > 0
    ]


def _late_clock(prepared: Preparation) -> list[str]:
    """Say where players count from another moment than the file does, if time ranges were given."""
    begin = prepared.info.clock_start
    if begin <= CLOCK_SLACK_SECONDS or not (prepared.options.ranges or prepared.options.mute):
        return []
    return [f"time ranges are of the file's clock, which begins at {begin:.3f} s, where players show 0"]


def _bare_on_purpose(prepared: Preparation) -> str:
    """Say what lies outside the time ranges, which nobody should take for redacted."""
    if prepared.options.trim:
        return f"cut down to {prepared.options.ranges_text}: the rest of the source is not in the output"
    outside = ~hidden_frames(prepared.info, prepared.options)
    rows = prepared.annotations.detections
    bare = rows[outside[rows["frame"].to_numpy(np.int64)] & rows["face_id"].isin(prepared.faces).to_numpy()]
    text = f"only {prepared.options.ranges_text} is redacted, and the {int(outside.sum())} other frames are left bare"
    return f"{text}: {len(bare)} boxes of {bare['face_id'].nunique()} chosen objects in them are not hidden"


def _unsearched_regions(annotations: Annotations) -> list[str]:
    """Say where the picture was not searched, since nobody is counted there."""
    regions = as_regions(annotations.settings.get("regions", ()))
    notes = []
    for rule, where in (("ignore", "in"), ("only", "outside")):
        places = [region.description for region in regions if region.rule == rule]
        if places:
            notes.append(f"faces that stay {where} {' and '.join(places)} are left bare, as the regions say")
    return notes


def _uncovered_frames(rows: pd.DataFrame, frame_count: int) -> list[str]:
    """Say where boxes from another tool begin late or end early: a file that was cut off looks like that."""
    frames = rows["frame"].to_numpy()
    if not len(frames) or not (rows["source"] == "imported").all():
        return []
    first, last = int(frames.min()), int(frames.max())
    if first == 0 and last == frame_count - 1:
        return []
    return [f"the annotations have boxes in frames {first} to {last} only, of 0 to {frame_count - 1}"]
