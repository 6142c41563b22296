"""Trim annotations to a stretch of a video's frames, as its header is cut."""

from __future__ import annotations

import numpy as np
import pandas as pd

from redactkit.annotations import Annotations
from redactkit.errors import OptionError
from redactkit.media import FrameRange, VideoInfo
from redactkit.redaction.options import RedactionOptions
from redactkit.redaction.plan import hidden_frames

__all__ = ["kept_frames", "trim_annotations"]


def kept_frames(info: VideoInfo, options: RedactionOptions) -> FrameRange:
    """Return the frames that a trimmed output keeps: every one that the time range touches.

    Raises
    ------
    OptionError
        If there is not one range that has a frame.
    """
    if len(options.ranges) != 1:
        raise OptionError(
            f"trim cuts down to one time range, got {len(options.ranges)}; name one with start and end (--from, --to)"
        )
    frames = np.flatnonzero(hidden_frames(info, options))
    if not len(frames):
        raise OptionError(f"no frame of {info.name or 'the video'} is shown {options.ranges_text}")
    return FrameRange(int(frames[0]), int(frames[-1]) + 1)


def trim_annotations(annotations: Annotations, frames: FrameRange) -> Annotations:
    """Return annotations on the header that is cut down to some frames; times stay those of the source.

    Parameters
    ----------
    annotations : Annotations
        On all frames of their video.
    frames : FrameRange
    """

    def moved(rows: pd.DataFrame) -> pd.DataFrame:
        inside = rows[(rows["frame"] >= frames.start) & (rows["frame"] < frames.stop)]
        return inside.assign(frame=inside["frame"] - frames.start).reset_index(drop=True)

    rows, cuts = moved(annotations.detections), annotations.cuts
    faces = set(rows["face_id"])
    pairs, decisions = annotations.pairs, annotations.decisions
    return annotations.replace(
        video=annotations.video.of_part(frames),
        detections=rows,
        decisions=decisions[decisions.index.isin(faces)],
        discarded=moved(annotations.discarded),
        pairs=pairs[pairs["face_id"].isin(faces) & pairs["other_id"].isin(faces)].reset_index(drop=True),
        cuts=cuts[(cuts > frames.start) & (cuts < frames.stop)] - frames.start,
    )
