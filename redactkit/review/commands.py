"""Every edit an analyst makes, as a method: the pure functions of `redactkit.review.editing` on a session's tables.

A face or frame left out is the current one. A range of frames is ``start`` up to, not including, ``stop``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import traitlets
from numpy.typing import NDArray

from redactkit.errors import OptionError
from redactkit.identities import part_people, rename_face
from redactkit.media import VideoInfo
from redactkit.review import discarded, editing, keyframes
from redactkit.review.fixed_regions import with_regions
from redactkit.review.keyframes import adjust_box
from redactkit.review.session import Session
from redactkit.runtime.kinds import as_kind
from redactkit.runtime.timecode import check_ranges, timecode
from redactkit.runtime.visible import as_visible
from redactkit.tables import FACE, FaceIds, as_face_ids, known_face_ids, sort_detections
from redactkit.tracking.regions import as_regions

__all__ = ["Commands"]

Box = Sequence[float]


class _CurrentFace(traitlets.Int):  # type: ignore[type-arg]
    """A face ID, also as NumPy and pandas hand it out, or None."""

    def validate(self, obj: Any, value: Any) -> Any:
        return super().validate(obj, int(value) if isinstance(value, np.integer) else value)


class Commands(Session):
    """A session with a current frame and face, and the edits that start from them."""

    current_frame = traitlets.Int(0)
    current_face = _CurrentFace(None, allow_none=True)

    @property
    def video(self) -> VideoInfo:
        """The video's header."""
        return self._base.video

    @property
    def frame_count(self) -> int:
        """Frames of the video; 1 where it has none, so that there is always a frame to stand on."""
        return max(self.video.frame_count, 1)

    @property
    def times(self) -> NDArray[np.float64]:
        """Time of every frame in seconds."""
        return self.video.times if self.video.frame_count else np.zeros(1)

    @property
    def cuts(self) -> NDArray[np.int64]:
        """Frames that start a new shot."""
        return self._base.cuts

    def set_box(
        self, box: Box, *, face_id: int | None = None, frame: int | None = None, reach: str = "frame"
    ) -> NDArray[np.int64]:
        """Move, resize or add a face's box in one frame, and others with it; return the frames that changed.

        See `redactkit.review.keyframes.adjust_box`; an `OptionError` is raised too if the box has no size or lies
        outside the picture.
        """
        face, at = self._face(face_id), self._frame(frame)
        self._check_box(box)
        with self.lock:
            table = adjust_box(
                self.detections, face_id=face, frame=at, box=box, time=float(self.times[at]), reach=reach
            )
            further = {"frame": "", "next keyframe": " and to the next keyframe", "track": " and in the whole track"}
            self.edit(f"box of face {face} in frame {at}{further[reach]}", detections=table)
            return self.edits[-1].frames if self.edits else np.zeros(0, np.int64)

    def shift_boxes(
        self, change: Box, *, face_id: int | None = None, start: int | None = None, stop: int | None = None
    ) -> None:
        """Change a face's boxes in a range alike; see `redactkit.review.editing.shift_boxes`."""
        face = self._face(face_id)
        with self.lock:
            table = editing.shift_boxes(self.detections, face_id=face, change=change, start=start, stop=stop)
            self.edit(f"boxes of face {face} moved{_span(start, stop)}", detections=table)

    def expand_boxes(
        self,
        *,
        share: float = 0.0,
        pixels: float = 0.0,
        faces: FaceIds | None = None,
        start: int | None = None,
        stop: int | None = None,
    ) -> None:
        """Grow the boxes of some faces (all where left out); see `redactkit.review.editing.expand_boxes`."""
        ids = None if faces is None else as_face_ids(faces, name="faces")
        with self.lock:
            table = editing.expand_boxes(self.detections, share=share, pixels=pixels, faces=ids, start=start, stop=stop)
            self.edit(f"boxes of {_named(ids)} grown{_span(start, stop)}", detections=table)

    def copy_box(self, count: int, *, face_id: int | None = None, frame: int | None = None) -> None:
        """Copy a box to the next ``count`` frames; see `redactkit.review.keyframes.copy_box`."""
        face, at = self._face(face_id), self._frame(frame)
        with self.lock:
            table = keyframes.copy_box(self.detections, face_id=face, frame=at, count=count, times=self.times)
            self.edit(f"box of face {face} copied{_span(at + 1, at + 1 + count)}", detections=table)

    def set_keyframe(self, on: bool = True, *, face_id: int | None = None, frame: int | None = None) -> None:
        """Mark a box as edited, or no longer so; see `redactkit.review.keyframes.set_keyframe`."""
        face, at = self._face(face_id), self._frame(frame)
        with self.lock:
            table = keyframes.set_keyframe(self.detections, face_id=face, frame=at, on=on)
            self.edit(f"keyframe of face {face} {'set' if on else 'cleared'} in frame {at}", detections=table)

    def interpolate_boxes(
        self, *, face_id: int | None = None, start: int | None = None, stop: int | None = None
    ) -> None:
        """Draw boxes anew between keyframes; see `redactkit.review.keyframes.interpolate_boxes`."""
        face = self._face(face_id)
        with self.lock:
            table = keyframes.interpolate_boxes(self.detections, face_id=face, times=self.times, start=start, stop=stop)
            self.edit(f"face {face} interpolated{_span(start, stop)}", detections=table)

    def delete_boxes(self, *, faces: FaceIds | None = None, start: int | None = None, stop: int | None = None) -> None:
        """Remove the boxes of some faces (all where left out); see `redactkit.review.editing.delete_boxes`."""
        ids = None if faces is None else as_face_ids(faces, name="faces")
        with self.lock:
            table = editing.delete_boxes(self.detections, faces=ids, start=start, stop=stop)
            self.edit(f"boxes of {_named(ids)} deleted{_span(start, stop)}", detections=table)

    def add_face(self, box: Box, *, frame: int | None = None, face_id: int | None = None, kind: str = FACE) -> int:
        """Add a face, or an object of another ``kind``, make it the current one and return its ID; it is redacted.

        Raises
        ------
        OptionError
            If the box has no size or lies outside the picture.
        """
        at = self._frame(frame)
        self._check_box(box)
        with self.lock:
            new = self._free_id() if face_id is None else face_id
            time = float(self.times[at])
            done = editing.add_face(
                self.detections, self.decisions, frame=at, box=box, time=time, face_id=new, kind=kind
            )
            self.edit(f"{kind} {new} added in frame {at}", **done._asdict())
        self.current_face = new
        return new

    def _check_box(self, box: Box) -> None:
        """Refuse a box of which nothing would be hidden."""
        try:
            x, y, width, height = (float(value) for value in box)
        except (TypeError, ValueError):
            raise OptionError(f"a box is x, y, width and height in pixels, got {box!r:.80}") from None
        given = f"{x:g},{y:g},{width:g},{height:g}"
        if not (math.isfinite(x + y) and 0 < width < math.inf and 0 < height < math.inf):
            raise OptionError(f"a box is wider and higher than 0, got x,y,width,height {given}")
        if min(x + width, y + height, self.video.width - x, self.video.height - y) <= 0:
            size = f"{self.video.width}x{self.video.height}"
            raise OptionError(f"the box {given} lies outside the picture of {size}")

    def add_region(self, box: Box, *, rule: str = "hide", **how: Any) -> int | None:
        """Let a region of the frame hold for the whole video, or from ``start`` to ``end``, in seconds.

        Parameters
        ----------
        box : sequence of 4 floats
        rule : {"hide", "ignore", "only"}
            Always hide it; or set aside the tracks that live in it, or outside of it.
        **how
            ``start``, ``end``, ``unit``, ``kind`` and ``reason``, see `redactkit.tracking.regions.FixedRegion`.

        Returns
        -------
        int or None
            The ID of the object that is hidden there; None for the other rules.
        """
        with self.lock:
            (region,) = as_regions([{"box": box, "rule": rule, **how}])
            after = with_regions(self.annotations, [region], anew=True)
            names = ("detections", "decisions", "discarded", "pairs")
            new = set(after.detections["face_id"]) - set(self.detections["face_id"])
            # What is hidden is an object from here on; what is not searched is known by the settings alone.
            held = None if new else list(after.settings["regions"])
            self._edit(
                f"region to {rule}: {region.description}", {name: getattr(after, name) for name in names}, regions=held
            )
        return max(new, default=None)

    def set_kind(self, faces: FaceIds, kind: str) -> None:
        """Say what some objects are: see `redactkit.review.editing.set_kind`."""
        ids = as_face_ids(faces, name="faces")
        with self.lock:
            table = editing.set_kind(self.detections, faces=ids, kind=kind)
            self.edit(f"{_named(ids)} said to be {as_kind(kind)}", detections=table)

    def delete_face(self, face_id: int | None = None) -> None:
        """Remove a face with all its boxes."""
        face = self._face(face_id)
        with self.lock:
            done = editing.delete_face(self.detections, self.decisions, face_id=face)
            self.edit(f"face {face} deleted", **done._asdict())

    def merge_faces(self, faces: FaceIds) -> int:
        """Make one face of several, make it the current one and return its ID; it is redacted."""
        return self._merge(faces, lambda table: table)

    def _merge(self, faces: FaceIds, finish: Callable[[pd.DataFrame], pd.DataFrame]) -> int:
        """Merge faces, and finish their table, as one edit."""
        ids = sorted(set(as_face_ids(faces, name="faces")))
        with self.lock:
            done = editing.merge_faces(self.detections, self.decisions, faces=ids)
            pairs = self.pairs
            for gone in ids[1:]:
                pairs = rename_face(pairs, gone, ids[0])
            tables = done._replace(detections=finish(done.detections))
            self.edit(f"{_named(ids)} merged", **tables._asdict(), pairs=pairs)
        self.current_face = ids[0]
        return ids[0]

    def split_face(self, *, face_id: int | None = None, frame: int | None = None) -> int:
        """Give a face's boxes from a frame on a new ID, which is returned; both parts are redacted."""
        face, at = self._face(face_id), self._frame(frame)
        with self.lock:
            new = self._free_id()
            done = editing.split_face(self.detections, self.decisions, face_id=face, frame=at, new_id=new)
            # What looked like somebody else, or was said to be somebody, may have been either part.
            pairs = self.pairs[~(self.pairs[["face_id", "other_id"]] == face).any(axis=1)]
            decided = part_people(done.decisions, [face])
            self.edit(f"face {face} split at frame {at}", detections=done.detections, decisions=decided, pairs=pairs)
        self.current_face = new
        return new

    def restore_face(self, face_id: int) -> None:
        """Bring back a face that was set aside; it is redacted."""
        self.restore_faces([face_id])

    def restore_faces(self, faces: FaceIds, *, cover_around: bool = False) -> None:
        """Bring back faces that were set aside, as one edit; they are redacted.

        ``cover_around`` hides more than they were seen: see `redactkit.review.discarded.cover_around`.
        """
        ids = as_face_ids(faces, name="faces")
        with self.lock:
            done, left = discarded.restore_faces(self.detections, self.decisions, self.discarded, faces=ids)
            if cover_around:
                new = ~done.detections["face_id"].isin(self.decisions.index).to_numpy()
                more = discarded.cover_around(done.detections[new], video=self.video, cuts=self.cuts)
                done = done._replace(detections=sort_detections(pd.concat([done.detections[~new], more])))
            self.edit(f"{_named(ids)} brought back", **done._asdict(), discarded=left)

    def confirm_discarded(self, faces: FaceIds) -> None:
        """Say that faces that were set aside are none: neither the review queue nor a leak check asks again."""
        ids = as_face_ids(faces, name="faces")
        with self.lock:
            self.edit(
                f"{_named(ids)} said to be none", discarded=discarded.confirm_discarded(self.discarded, faces=ids)
            )

    def decide(
        self,
        faces: FaceIds,
        *,
        redact: bool | None = None,
        label: str | None = None,
        reason: str | None = None,
        visible: Iterable[Iterable[Any]] | None = None,
        look: Mapping[str, Any] | None = None,
    ) -> None:
        """Decide about faces; what is None stays as it was.

        ``visible`` are time ranges in which a face that is redacted may be seen, and ``look`` says how it is hidden:
        see `redactkit.review.editing.set_decision`.

        Raises
        ------
        OptionError
            If an ID is no whole number, or no face has it, or a visible range is none, or outside the video.
        """
        ids = known_face_ids(faces, self.decisions.index, name="faces")
        if redact is not None and redact not in (True, False):
            raise OptionError(f"redact is True or False, got {redact!r:.40}")
        if visible is not None:
            visible = as_visible(visible)
            video = self.annotations.video
            check_ranges([each[:2] for each in visible], start=video.clock_start, end=math.inf)
            if late := [each for each in visible if each.start > video.duration + video.clock_start]:
                end = timecode(video.duration + video.clock_start)
                raise OptionError(f"the visible range from {late[0].start:g} s begins after the video's end at {end}")
        given: dict[str, Any] = {"redact": redact, "label": label, "reason": reason, "visible": visible, "look": look}
        what = {"redact": "redacted" if redact else "left visible", "label": "labelled", "reason": "given a reason"}
        what |= {"visible": "given visible ranges", "look": "given a look"}
        said = next((what[name] for name in ("redact", "visible", "look", "label") if given[name] is not None), "")
        with self.lock:
            table = editing.set_decision(self.decisions, faces=ids, **given)
            self.edit(f"{_named(ids)} {said or what['reason']}", decisions=table)

    def _free_id(self) -> int:
        return editing.next_face_id(self.detections, self.decisions, self.discarded)

    def _face(self, face_id: int | None) -> int:
        face = self.current_face if face_id is None else face_id
        if face is None:
            raise OptionError("no face is current; pass face_id, or set current_face first")
        return int(face)

    def _frame(self, frame: int | None) -> int:
        number = self.current_frame if frame is None else int(frame)
        if not 0 <= number < self.frame_count:
            raise OptionError(f"frame must be 0 to {self.frame_count - 1}, got {number}")
        return number


def _named(faces: Sequence[int] | None) -> str:
    if faces is None:
        return "all faces"
    listed = ", ".join(map(str, faces[:6])) + (", ..." if len(faces) > 6 else "")
    return f"face {listed}" if len(faces) == 1 else f"faces {listed}"


def _span(start: int | None, stop: int | None) -> str:
    if start is None and stop is None:
        return ""
    if start is not None and stop == start + 1:
        return f" in frame {start}"
    return f" in frames {start or 0} to {'the end' if stop is None else stop - 1}"
