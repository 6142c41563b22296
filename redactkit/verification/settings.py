"""How a video was redacted: as its report says, or as the picture shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from redactkit.annotations import Annotations
from redactkit.effects import BLUR_KINDS, HIDING_KINDS, HOLD_FRAMES
from redactkit.errors import VideoError
from redactkit.media import file_sha256
from redactkit.redaction.plan import Plan, make_plan
from redactkit.redaction.report import annotations_digest, read_report, software_versions
from redactkit.runtime.files import report_path
from redactkit.verification.actions import REASON
from redactkit.verification.pairs import Pair
from redactkit.verification.repaint import Painting, Repainter
from redactkit.video import VideoReader
from redactkit.video.encoding import Encoding

__all__ = ["RecordedRedaction", "read_recorded", "recognise"]

SAMPLES = 6
"""Frames on which the blur kinds are tried."""

AGREED = 0.6
"""Share of their boxes that must be as a kind paints them."""


@dataclass(frozen=True)
class RecordedRedaction:
    """What the report beside a redacted video says.

    Parameters
    ----------
    settings : dict
        Of the redaction; nothing where there is no report of this file.
    record : dict
        The whole report.
    """

    settings: dict[str, Any]
    record: dict[str, Any]

    def select(self, annotations: Annotations) -> list[int]:
        """Return the faces that were to be hidden: all that the report does not call visible.

        Where there is no report, what the analyst decided holds, as it does for faces that are new since. What a leak
        check was answered with is newer than the report: a face that was to be hidden then is so.
        """
        hidden = self.settings.get("faces")
        if hidden is None:
            return annotations.selected_ids
        listed = {int(face["face_id"]) for face in self.record.get("faces", ())}
        decided = annotations.decisions
        answered = decided.index[(decided["reason"] == REASON) & decided["redact"].astype(bool)]
        visible = listed - {int(face) for face in hidden} - set(answered.tolist())
        visible |= set(decided.index[~decided["redact"].astype(bool)].tolist()) - listed
        return [face for face in np.unique(annotations.detections["face_id"]).tolist() if face not in visible]

    def painting(self, annotations: Annotations) -> Painting | None:
        """Return how it was painted, None where nobody says."""
        kind = BLUR_KINDS.get(str(self.settings.get("blur")))
        if kind is None:
            return None
        if kind.cosmetic:
            return Painting(None, float(self.settings["margin"]))
        same = self.record.get("annotations_sha256") == annotations_digest(annotations)
        versions = self.record.get("versions", {}).get("redactkit") == software_versions()["redactkit"]
        margin, strength = float(self.settings["margin"]), float(self.settings["strength"])
        return Painting(kind.name, margin, strength, exact=same and versions)


def read_recorded(redacted: str | Path) -> RecordedRedaction:
    """Read the report beside a redacted video, if it is of this very file."""
    try:
        record = read_report(report_path(redacted))
        if record.get("output_sha256") != file_sha256(redacted):
            return RecordedRedaction({}, {})
        settings = dict(record["settings"])
        float(settings["margin"]), float(settings["strength"])
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return RecordedRedaction({}, {})
    return RecordedRedaction(settings, record)


def recognise(
    source: VideoReader, output: VideoReader, annotations: Annotations, *, faces: Sequence[int], encoding: Encoding
) -> Painting:
    """Find out with which kind, at the usual margin and strength, a video was hidden.

    Returns
    -------
    Painting
        Of kind None where no kind explains most of the boxes of a few frames.
    """
    plan = make_plan(annotations.detections, source.info, faces=faces)
    pairs = _samples(source, output, plan)
    best, most = Painting(None), AGREED
    for kind in HIDING_KINDS if pairs else ():
        painting = Painting(kind)
        repainter = Repainter(source.info, output.info, plan, painting, encoding)
        checks = [check for pair in pairs for check in repainter.check(pair)]
        agreed = float(np.mean([check.as_painted for check in checks])) if checks else 0.0
        if agreed > most:
            best, most = painting, agreed
    return best


def _samples(source: VideoReader, output: VideoReader, plan: Plan) -> list[Pair]:
    """Return a few frames with boxes, at which effects hold nothing of the frames before."""
    if source.info.frame_count != output.info.frame_count:
        return []
    starts = np.flatnonzero(plan.touched)
    starts = starts[starts % HOLD_FRAMES == 0]
    chosen = starts[np.unique(np.linspace(0, len(starts) - 1, SAMPLES).round().astype(int))] if len(starts) else starts
    pairs = []
    for frame in chosen.tolist():
        try:
            pairs.append(Pair(source.frame_at(frame), output.frame_at(frame)))
        except VideoError:
            continue
    return pairs
