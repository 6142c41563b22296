"""Commands that look at the video: follow an object from a drawn box, and into its gaps. Each is one edit."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from redactkit.detectors import Detector, load_detector
from redactkit.errors import OptionError
from redactkit.following import Followed, FollowOptions, Plan, bridge, follow_boxes, plan_following, plan_gaps, rows_of
from redactkit.media import FrameRange
from redactkit.review import editing
from redactkit.review.commands import Commands
from redactkit.review.keyframes import put_followed
from redactkit.runtime.progress import ProgressLike
from redactkit.tables import FACE, FaceIds, as_face_ids
from redactkit.tracking.review_queue import DOUBT_CONFIDENCE
from redactkit.video import VideoReader

__all__ = ["Following"]


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
            which it was seen), ``frames`` (with a box), ``doubtful`` (of them in doubt), ``ending`` (why it ended),
            ``removed`` (boxes of before that are gone, since it was not seen there now).

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
                kind=kind_of(self.detections, each),
            )
        return self._carry_out(plan, "followed", detector, options, progress)

    def fill_gaps(
        self,
        object_id: FaceIds | None = None,
        *,
        longest: int | None = None,
        cover: bool = False,
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
        cover : bool
            Where an object is lost in its gap, put a box there that holds those of both sides: more is covered, and no
            frame of the gap stays bare.
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
            plan += plan_gaps(
                self.detections, each, cuts=self.cuts, longest=longest, kind=kind_of(self.detections, each)
            )
        return self._carry_out(plan, "followed into its gaps", detector, options, progress, cover=cover)

    def merge_faces(
        self,
        faces: FaceIds,
        *,
        fill: bool = False,
        detector: Detector | str | None = "centerface",
        progress: ProgressLike = False,
    ) -> int:
        """Make one face of several, make it the current one and return its ID; it is redacted.

        Parameters
        ----------
        faces : int or iterable of int
        fill : bool
            Follow it into the gaps that it then has, see `fill_gaps`; the whole is one edit. `holes` says which.
        detector, progress
            See `follow`.
        """
        if not fill:
            return super().merge_faces(faces)
        merged = editing.merge_faces(self.detections, self.decisions, faces=faces).detections
        keep = min(as_face_ids(faces, name="faces"))
        plan = plan_gaps(merged, keep, cuts=self.cuts, kind=kind_of(merged, keep))
        followed = self._followed(plan, detector, None, progress)
        rows = rows_of(followed, plan, times=self.times)
        return self._merge(faces, lambda table: put_followed(table, rows, plan.stretches))

    def holes(self, object_id: int | None = None) -> list[FrameRange]:
        """Return the frames between an object's first and last box that have none, but for those around a cut."""
        face = self._face(object_id)
        return [stretch for _, stretch in plan_gaps(self.detections, face, cuts=self.cuts).stretches]

    def _objects(self, object_id: FaceIds | None) -> list[int]:
        return [self._face(None)] if object_id is None else as_face_ids(object_id, name="object_id")

    def _carry_out(
        self,
        plan: Plan,
        done: str,
        detector: Detector | str | None,
        options: FollowOptions | None,
        progress: ProgressLike,
        *,
        cover: bool = False,
    ) -> pd.DataFrame:
        """Follow what is planned without holding the lock, then replace the rows at once."""
        followed = self._followed(plan, detector, options, progress)
        rows = rows_of(followed, plan, times=self.times)
        objects = sorted({object_id for object_id, _ in plan.stretches})
        named = f"object {objects[0]}" if len(objects) == 1 else f"objects {', '.join(map(str, objects[:6]))}"
        with self.lock:
            outcome = _summarise(followed, rows, self.detections)
            bridged = bridge(self.detections, rows, plan, times=self.times) if cover else rows[:0]
            placed = pd.concat([rows, bridged], ignore_index=True) if len(bridged) else rows
            table = put_followed(self.detections, placed, plan.stretches)
            if objects:
                gone = outcome["removed"].sum()
                more = f", {len(bridged)} around both sides" if len(bridged) else ""
                more += f", {gone} boxes of before are gone" if gone else ""
                self.edit(f"{named} {done}, {len(rows)} boxes{more}", detections=table)
        return outcome

    def _followed(
        self, plan: Plan, detector: Detector | str | None, options: FollowOptions | None, progress: ProgressLike
    ) -> list[Followed]:
        if self.reader is None:
            raise OptionError("following needs the video's frames; open the session with Review.open(video)")
        faces = any(start.kind == FACE for start in plan.starts)
        if isinstance(detector, str):
            detector = load_detector(detector) if faces else None
        return follow_boxes(self.reader, plan.starts, detector=detector, options=options, progress=progress)


def kind_of(detections: pd.DataFrame, object_id: int) -> str:
    """Return what an object is; a face where there is no such object."""
    rows = detections[(detections["face_id"] == object_id).to_numpy()]
    return str(rows["kind"].iloc[0]) if len(rows) else FACE


def _frames_of(rows: pd.DataFrame, followed: Followed) -> list[int]:
    frames: list[int] = rows.loc[(rows["face_id"] == followed.start.object_id).to_numpy(), "frame"].tolist()
    return frames


def _summarise(followed: Sequence[Followed], rows: pd.DataFrame, before: pd.DataFrame) -> pd.DataFrame:
    """Return how it went, one row for each object and start; ``before`` are the boxes of all objects until now."""
    columns = ["face_id", "start", "end", "frames", "doubtful", "ending", "removed"]
    records = []
    for each in followed:
        frames = np.array(sorted(each.boxes), np.int64)
        mine = rows[((rows["face_id"] == each.start.object_id) & rows["frame"].isin(frames)).to_numpy()]
        doubtful = int((mine["confidence"] < DOUBT_CONFIDENCE).sum())
        # Frames beyond the last one seen, without the known box that may stand at the end.
        beyond = np.arange(each.last, each.start.last + each.start.step, each.start.step)[1:]
        beyond = beyond[:-1] if each.start.to_known_box else beyond
        had, has = (set(_frames_of(table, each)) for table in (before, rows))
        removed = len(had.intersection(beyond.tolist()) - has)
        record = (each.start.object_id, each.start.frame, each.last, len(mine), doubtful, str(each.ending), removed)
        records.append(record)
    return pd.DataFrame(records, columns=columns)
