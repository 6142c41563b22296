"""Commands that look at the video: follow an object from a drawn box, and into its gaps. Each is one edit."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from redactkit.detectors import Detector, load_detector
from redactkit.errors import OptionError
from redactkit.following import Followed, FollowOptions, Plan, follow_boxes, plan_following, plan_gaps, rows_of
from redactkit.review.commands import Commands
from redactkit.review.keyframes import put_followed
from redactkit.runtime.progress import ProgressLike
from redactkit.tables import FACE, FaceIds, as_face_ids
from redactkit.video import VideoReader

__all__ = ["Following"]

DOUBTFUL_CONFIDENCE = 0.5
"""Confidence below which a followed box is in doubt."""


class Following(Commands):
    """A session that can follow what was drawn through its video."""

    reader: VideoReader | None = None

    def follow(
        self,
        object_id: FaceIds | None = None,
        frame: int | None = None,
        *,
        direction: str = "both",
        until: int | None = None,
        within_shot: bool = True,
        detector: Detector | str | None = "centerface",
        options: FollowOptions | None = None,
        progress: ProgressLike = False,
    ) -> pd.DataFrame:
        """Follow objects from their drawn boxes through the video: one edit, which can be undone.

        Place, size and angle change with the picture, for plates, screens and documents the perspective too. Between
        two keyframes an object is followed from both. A followed object ends where it leaves the picture, is hidden for
        long, or is lost; it is never guessed on. Places in doubt are listed by `to_review`.

        Parameters
        ----------
        object_id : int or iterable of int, optional
            The current one where left out. Several are followed in one pass over the frames.
        frame : int, optional
            The frame of the box to start from, which is followed to the next keyframe on each side. Left out: all
            keyframes of the object.
        direction : {"both", "forward", "backward"}
        until : int, optional
            The last frame to be followed to.
        within_shot : bool
            End at the edges of the shot in which the box is.
        detector : Detector or str, optional
            Or the name of one; it helps where the object is a face. None: no help.
        options : FollowOptions, optional
        progress : bool or callable
            See `redactkit.analyze`; a callable cancels by raising `redactkit.errors.PassCancelled`: nothing changes.

        Returns
        -------
        DataFrame
            One row for each object and start: ``face_id``, ``start`` (the frame of its box), ``end`` (the last frame in
            which it was seen), ``frames`` (with a box), ``doubtful`` (of them in doubt), ``ending`` (why it ended).

        Raises
        ------
        OptionError
            If there is no box to start from, or the session has no video.
        VideoError
            If the video does not decode.
        """
        plan = Plan((), ())
        for each in self._objects(object_id):
            plan += plan_following(
                self.detections,
                each,
                frame,
                frame_count=self.frame_count,
                cuts=self.cuts if within_shot else (),
                direction=direction,
                until=until,
                kind=self._kind(each),
            )
        return self._carry_out(plan, "followed", detector, options, progress)

    def fill_gaps(
        self,
        object_id: FaceIds | None = None,
        *,
        longest: int | None = None,
        detector: Detector | str | None = "centerface",
        options: FollowOptions | None = None,
        progress: ProgressLike = False,
    ) -> pd.DataFrame:
        """Follow objects into the gaps of their tracks, from both sides: one edit.

        Parameters
        ----------
        object_id : int or iterable of int, optional
            The current one where left out.
        longest : int, optional
            Frames above which a gap is left as it is.
        detector, options, progress
            See `follow`.

        Returns
        -------
        DataFrame
            See `follow`.

        Raises
        ------
        OptionError
            If there is no such object, or the session has no video.
        """
        plan = Plan((), ())
        for each in self._objects(object_id):
            plan += plan_gaps(self.detections, each, cuts=self.cuts, longest=longest, kind=self._kind(each))
        return self._carry_out(plan, "followed into its gaps", detector, options, progress)

    def _objects(self, object_id: FaceIds | None) -> list[int]:
        return [self._face(None)] if object_id is None else as_face_ids(object_id, name="object_id")

    def _kind(self, object_id: int) -> str:
        rows = self.detections[(self.detections["face_id"] == object_id).to_numpy()]
        return str(rows["kind"].iloc[0]) if len(rows) else FACE

    def _carry_out(
        self,
        plan: Plan,
        done: str,
        detector: Detector | str | None,
        options: FollowOptions | None,
        progress: ProgressLike,
    ) -> pd.DataFrame:
        """Follow what is planned without holding the lock, then replace the rows at once."""
        if self.reader is None:
            raise OptionError("following needs the video's frames; open the session with Review.open(video)")
        faces = any(start.kind == FACE for start in plan.starts)
        if isinstance(detector, str):
            detector = load_detector(detector) if faces else None
        followed = follow_boxes(self.reader, plan.starts, detector=detector, options=options, progress=progress)
        rows = rows_of(followed, plan, times=self.times)
        objects = sorted({object_id for object_id, _ in plan.stretches})
        named = f"object {objects[0]}" if len(objects) == 1 else f"objects {', '.join(map(str, objects[:6]))}"
        with self.lock:
            table = put_followed(self.detections, rows, plan.stretches)
            if objects:
                self.edit(f"{named} {done}, {len(rows)} boxes", detections=table)
        return _told(followed, rows)


def _told(followed: Sequence[Followed], rows: pd.DataFrame) -> pd.DataFrame:
    """Return how it went, one row for each object and start."""
    columns = ["face_id", "start", "end", "frames", "doubtful", "ending"]
    records = []
    for each in followed:
        frames = np.array(sorted(each.places), np.int64)
        mine = rows[((rows["face_id"] == each.start.object_id) & rows["frame"].isin(frames)).to_numpy()]
        doubtful = int((mine["confidence"] < DOUBTFUL_CONFIDENCE).sum())
        told = (each.start.object_id, each.start.frame, each.last, len(mine), doubtful, str(each.ending))
        records.append(told)
    return pd.DataFrame(records, columns=columns)
