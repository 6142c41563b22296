"""Regions of the frame that hold for the whole video or a range: always hidden, ignored, or alone counted.

All of the frame is searched; afterwards tracks that live in an ignored region, or outside those that alone count, are
set aside. What lives in a region, as a face on a poster, is a track that is inside it nearly all the time.
Who only walks past it is not: such a track is kept whole, since a box too many harms less than one too few.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from redactkit import boxes as bx
from redactkit.errors import OptionError
from redactkit.media import VideoInfo, frames_in_ranges
from redactkit.runtime.kinds import as_kind
from redactkit.runtime.timecode import check_ranges, timecode
from redactkit.tables import BOX, as_detections

__all__ = ["RULES", "FixedRegion", "as_regions", "hidden_objects", "split_ignored"]

RULES = ("hide", "ignore", "only")
"""Always hide what is there; set aside tracks that live there; set aside tracks that never touch it."""

MIN_INSIDE_SHARE = 0.8
"""Share of a box that must lie in a region for it to be in there. Raising it keeps more that reaches beyond it."""

MIN_FRAMES_SHARE = 0.9
"""Share of a track's frames in which it must be in a region to live there. Raising it keeps more who pass by."""

MIN_TOUCHED_SHARE = 0.2
"""Share of a box that must lie in a region that alone counts, in any frame, for its track to be kept.

Raising it keeps less."""

_LONGEST = 1e9


@dataclass(frozen=True)
class FixedRegion:
    """A rectangle of the frame, and what holds in it.

    Parameters
    ----------
    box : (float, float, float, float)
        x, y, width, height in pixels of the displayed frame, or in shares of its sides.
    rule : {"hide", "ignore", "only"}
    start, end : float, optional
        Seconds in which it holds; by default the whole video.
    unit : {"pixels", "shares"}
    kind : str
        What is hidden there, such as ``document``.
    reason : str

    Raises
    ------
    OptionError
        If a value is none of these.
    """

    box: tuple[float, float, float, float]
    rule: str = "hide"
    start: float | None = None
    end: float | None = None
    unit: str = "pixels"
    kind: str = "other"
    reason: str = ""

    def __post_init__(self) -> None:
        try:
            box = tuple(float(side) for side in self.box)
        except (TypeError, ValueError):
            box = ()
        if len(box) != 4 or not np.isfinite(box).all() or min(box[2:]) <= 0:
            raise OptionError(f"a region is x, y, width, height with sides above 0, got {self.box!r:.80}")
        if self.rule not in RULES:
            raise OptionError(f"a region's rule must be one of {', '.join(RULES)}, got {self.rule!r:.40}")
        if self.unit not in ("pixels", "shares"):
            raise OptionError(f"a region's unit must be pixels or shares, got {self.unit!r:.40}")
        if self.unit == "shares" and max(box[0] + box[2], box[1] + box[3]) > 1.001:
            raise OptionError(f"shares of the frame end at 1, got {self.box!r:.80}; or is it in pixels?")
        object.__setattr__(self, "box", box)
        object.__setattr__(self, "kind", as_kind(self.kind))
        if self.unit == "pixels" and min(box[2:]) < 1:
            raise OptionError(
                f"a region of {box[2]:g}x{box[3]:g} pixels is smaller than one; for shares of the frame write percent"
                " (--region hide:40%,40%,20%,20%) or unit='shares'"
            )
        check_ranges([self._range], end=_LONGEST)

    @property
    def _range(self) -> tuple[float, float]:
        return self.start or 0.0, _LONGEST if self.end is None else self.end

    def check_times(self, info: VideoInfo) -> None:
        """Raise `OptionError` if it has a time range that starts before the video's clock."""
        if self.start is not None or self.end is not None:
            check_ranges([self._range], start=info.clock_start, end=_LONGEST)

    def pixels(self, info: VideoInfo) -> bx.FloatArray:
        """Return the box in pixels of the displayed frame, shape (4,)."""
        sides = np.array([info.width, info.height, info.width, info.height], np.float64)
        return np.asarray(self.box) * (sides if self.unit == "shares" else 1.0)

    def holds(self, info: VideoInfo) -> NDArray[np.bool_]:
        """Return in which frames it holds, shape (F,): every one that its time range touches."""
        start, end = self._range
        return frames_in_ranges(info, [(start if start > 0 else -np.inf, end)])

    @property
    def description(self) -> str:
        """Where and when it is, in words."""
        sides = ", ".join(f"{side:.6g}" for side in self.box)
        when = "" if self.start is None and self.end is None else f" from {timecode(self._range[0])}"
        when += "" if self.end is None else f" to {timecode(self.end)}"
        return f"{sides} ({self.unit}){when}"

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain values for a file."""
        return asdict(self) | {"box": list(self.box)}


def as_regions(given: Iterable[FixedRegion | Mapping[str, Any]]) -> tuple[FixedRegion, ...]:
    """Return regions, which may be given as mappings.

    Raises
    ------
    OptionError
        If one is none.

    Examples
    --------
    >>> as_regions([{"box": [0.5, 0, 0.5, 0.2], "unit": "shares", "rule": "ignore"}])[0].rule
    'ignore'
    """
    try:
        return tuple(each if isinstance(each, FixedRegion) else FixedRegion(**each) for each in given)
    except TypeError as err:
        raise OptionError(f'a region is {{"box": [x, y, width, height], "rule": "hide"}} and the like: {err}') from err


def hidden_objects(
    regions: Iterable[FixedRegion], info: VideoInfo, *, first_id: int
) -> tuple[pd.DataFrame, dict[int, dict[str, Any]]]:
    """Return an object for each region that is always hidden: its rows, one a frame, and what is decided about it.

    Its decision says that no margin is added, since its edges were drawn and not found.

    Raises
    ------
    OptionError
        If the time range of one lies outside the video.
    """
    tables, decisions = [], {}
    for face, region in enumerate((each for each in regions if each.rule == "hide"), start=first_id):
        frames = np.flatnonzero(region.holds(info))
        if not len(frames):
            raise OptionError(f"no frame is in the time range of the region {region.box}; name another range")
        place = dict(zip(BOX, region.pixels(info).tolist(), strict=True))
        keys = {"frame": frames, "time": info.times[frames], "face_id": face}
        # One keyframe, and what follows is a copy of it.
        fixed = {"source": "manual", "kind": region.kind, "keyframe": frames == frames[0]}
        tables.append(as_detections(pd.DataFrame(keys).assign(**place, **fixed)))
        decisions[face] = {"reason": region.reason, "look": "margin=0 shape=rectangle"}
    return pd.concat(tables, ignore_index=True) if tables else as_detections({}), decisions


def split_ignored(rows: pd.DataFrame, info: VideoInfo, regions: Iterable[FixedRegion]) -> set[int]:
    """Return the tracks to set aside: they live in a region to ignore, or outside those that alone count.

    Objects of which somebody drew a box stay: a person asked for them.

    Examples
    --------
    >>> from fractions import Fraction
    >>> info = VideoInfo(None, 100, 50, Fraction(25), Fraction(1, 25), np.arange(2))
    >>> place = {"x": [5, 6, 5, 60], "y": 5, "width": 10, "height": 10}
    >>> rows = as_detections({"frame": [0, 1, 0, 1], "face_id": [1, 1, 2, 2], **place})
    >>> split_ignored(rows, info, [FixedRegion((0, 0, 30, 30), "ignore")])
    {1}
    >>> split_ignored(rows, info, [FixedRegion((50, 0, 50, 50), "only")])
    {1}
    """
    every = tuple(regions)
    frames = rows["frame"].to_numpy(np.int64)
    boxes = bx.clip(rows[BOX].to_numpy(np.float64), width=info.width, height=info.height)
    out = np.zeros(len(rows), bool)
    for region in every:
        if region.rule == "ignore":
            out |= region.holds(info)[frames] & (_inside(boxes, region.pixels(info)) >= MIN_INSIDE_SHARE)
    by_track = pd.Series(out).groupby(rows["face_id"].to_numpy()).mean()
    ignored = set(by_track.index[by_track >= MIN_FRAMES_SHARE].tolist()) if any(out) else set()
    alone = [region for region in every if region.rule == "only"]
    if alone:
        held = np.any([region.holds(info)[frames] for region in alone], axis=0)
        touched = [
            region.holds(info)[frames] & (_inside(boxes, region.pixels(info)) >= MIN_TOUCHED_SHARE) for region in alone
        ]
        kept = pd.Series(np.any(touched, axis=0) | ~held).groupby(rows["face_id"].to_numpy()).any()
        ignored |= set(kept.index[~kept].tolist())
    drawn = rows.loc[(rows["source"] == "manual").to_numpy(), "face_id"]
    return {int(face) for face in ignored - set(drawn)}


def _inside(boxes: bx.FloatArray, region: bx.FloatArray) -> NDArray[np.float64]:
    """Return the share of each box that lies in a region."""
    a, b = bx.to_corners(boxes), bx.to_corners(region[None])[0]
    sides = np.minimum(a[:, 2:], b[2:]) - np.maximum(a[:, :2], b[:2])
    shared = np.prod(np.clip(sides, 0, None), axis=1)
    return np.asarray(shared / np.maximum(np.prod(boxes[:, 2:], axis=1), 1e-9))
