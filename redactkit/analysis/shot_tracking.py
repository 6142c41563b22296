"""Track the faces of each shot: link, filter, rescore and propagate, as soon as the scan has passed the shot.

No track spans a shot boundary, so shots are independent. A shot that the scan has just passed still has its frames in
the reader's temporary file (see `redactkit.video.frame_store`), so nothing is decoded again. What was found is kept
under all that it depends on: were anything different once the whole video has been scanned, the shot would be tracked
again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from redactkit.analysis.appearance import Appearance
from redactkit.analysis.chunk_search import assemble
from redactkit.analysis.detection import Scan, join_chunks
from redactkit.analysis.gap_search import refine
from redactkit.analysis.mixed_frames import MAX_BRIDGED_FRAMES, MAX_BRIEF_FRAMES, mixed_ranges
from redactkit.analysis.propagation import PropagationOptions
from redactkit.analysis.rescoring import rescore_doubtful
from redactkit.analysis.rigidity import rigid_faces
from redactkit.analysis.scan_result import ScanResult
from redactkit.analysis.search import Search
from redactkit.analysis.thorough_search import Remembered, isolated_frames, search_isolated
from redactkit.analysis.thumbnails import KeptCrops
from redactkit.detectors import release_others, rest
from redactkit.media import FrameRange, VideoInfo
from redactkit.runtime.memory import trim_heap
from redactkit.runtime.progress import ProgressLike, track
from redactkit.tables import BOX
from redactkit.tracking import discard_strays, filter_weak, link
from redactkit.video import KeptFrame, VideoReader

__all__ = ["ShotTracker"]

FINAL_FRAMES = 24
"""Frames after which a shot boundary and what is mixed around it are certain. Raising it tracks shots later."""

MAX_WAIT_FRAMES = 48
"""Frames for which a shot waits until mixed frames around its end are over. Raising it tracks fewer shots again where
long dissolves follow them, and later."""

MAX_UNSEEN_SECONDS = 0.1
"""Longest gap that propagation leaves before doubtful boxes at the end of a track that may still be the face.

Raising it covers more, also where no face is.
"""

MIN_RELEASED_PIXELS = 250 * 1280 * 736
"""Pixels of a shot's frames, at the size of the search, from which what only tracking needs leaves memory after it.
Raising it compiles less often, a hundredth of the time that searching so many takes, and takes memory in the search."""

_MARKS = ("cuts", "mixed", "jumps")


@dataclass(frozen=True)
class _Shot:
    """The faces found in one shot, their appearance, its isolated frames, and which of them only end the video."""

    frames: FrameRange
    rows: pd.DataFrame
    appearance: Appearance
    isolated: NDArray[np.int64]
    ends: NDArray[np.int64]

    @property
    def key(self) -> bytes:
        """A digest of all that its tracks depend on."""
        digest = hashlib.sha256(repr(self.frames).encode())
        for column in ("frame", *BOX, "confidence"):
            digest.update(self.rows[column].to_numpy().tobytes())
        digest.update((self.rows["source"] == "detected").to_numpy().tobytes())
        digest.update(self.appearance.tobytes())
        digest.update(self.isolated.tobytes())
        digest.update(self.ends.tobytes())
        return digest.digest()


Tracks = tuple[pd.DataFrame, pd.DataFrame]
"""The tracks of a shot, propagated, and those discarded. Both together number faces from 1."""


class ShotTracker:
    """Tracks the faces of shot after shot.

    Parameters
    ----------
    reader : VideoReader
    search : Search
    keep_crops : bool
        Whether pictures of the faces will be asked for.

    Attributes
    ----------
    crops : KeptCrops
        Pictures of the faces found, for their thumbnails.
    """

    def __init__(self, reader: VideoReader, search: Search, *, keep_crops: bool = True) -> None:
        self._reader, self._search, self._keep_crops = reader, search, keep_crops
        self._done: dict[bytes, Tracks] = {}
        self._remembered = Remembered()
        self._pending = ScanResult()
        self._marks: dict[str, list[int]] = {name: [] for name in _MARKS}
        # The first frame of the shot that has not been tracked, None where the scan began inside it; the frame up to
        # which marks are settled; the next frame that the scan will come to.
        self._start: int | None = 0
        self._final = self._next = 0
        self.crops = KeptCrops()

    def watch(self, batch: list[KeptFrame], found: ScanResult) -> None:
        """Take a batch of frames that has been searched, and track the shots that are over."""
        new = [frame for frame in batch if frame.index >= self._next]
        if not new:
            return
        if new[0].index > self._next:
            # Frames between were searched in an earlier run. The shot that the scan is in begins before it.
            self._start, self._final, self._pending = None, new[0].index, ScanResult()
            self._marks = {name: [] for name in _MARKS}
        for frame in new:
            for name in ("faces", "searched", "appearance"):
                known = getattr(found, name)
                if frame.index in known:
                    getattr(self._pending, name)[frame.index] = known[frame.index]
        self._next = new[-1].index + 1
        self._take_final(found)
        cuts = [cut for cut in self._marks["cuts"] if (self._start is None or cut > self._start) and self._settled(cut)]
        if cuts:
            self._track_until(cuts[-1])

    def _take_final(self, found: ScanResult) -> None:
        final = self._next - FINAL_FRAMES
        if final > self._final:
            for name, frames in found.final(FrameRange(self._final, final)).items():
                self._marks[name] += frames.tolist()
            self._final = final

    def _settled(self, cut: int) -> bool:
        """Return whether the range of mixed frames around a cut is known to its end, or has been waited for enough."""
        mixed = self._marks["mixed"]
        goes_on = bool(mixed) and self._final - mixed[-1] <= MAX_BRIDGED_FRAMES + 1
        return not goes_on or self._final - cut > MAX_WAIT_FRAMES or cut < self._mixed_ranges[-1, 0]

    @property
    def _mixed_ranges(self) -> NDArray[np.int64]:
        return mixed_ranges(np.array(self._marks["mixed"], np.int64), frames=self._reader.info.frame_count)

    def _track_until(self, cut: int) -> None:
        """Track the shots before a cut, and forget what is only needed for them."""
        if self._start is not None:
            frames = FrameRange(self._start, cut)
            self._make_room()
            self.track(self.search_isolated(self._scan(frames), within=frames), within=frames)
            self._release(frames)
        for known in (self._pending.faces, self._pending.searched, self._pending.appearance):
            for number in [number for number in known if number < cut]:
                del known[number]
        # What reaches into the next shot, or begins just before it, counts there too.
        reaching = [int(first) for first, last in self._mixed_ranges if last + 1 >= cut]
        since = min([cut - MAX_BRIEF_FRAMES - 1, *reaching])
        self._marks = {name: [frame for frame in frames if frame >= since] for name, frames in self._marks.items()}
        self._start = cut
        self._reader.drop_kept(before=cut)

    def _make_room(self) -> None:
        """Free what the search took for its large images, which would lie idle while a shot is tracked."""
        rest(self._search.detector)
        trim_heap()

    def _release(self, frames: FrameRange) -> None:
        """Drop the networks that only tracking needs, after a shot long enough that compiling them again is little."""
        sizes = [each.picture_size for each in (*self._search.letterboxes, *self._search.half_detail)]
        if frames.length * max(width * height for width, height in sizes) >= MIN_RELEASED_PIXELS:
            release_others(self._search.detector, sizes)
            trim_heap()

    def _scan(self, frames: FrameRange) -> Scan:
        """Return what was found in some frames as a scan of these alone, with all that is mixed at their ends."""
        marks = {name: np.array(each, np.int64) for name, each in self._marks.items()}
        scan = join_chunks([assemble(self._pending, frames, marks=marks)], self._reader.info, self._search)
        ranges = {name: getattr(scan, name) for name in ("mixed", "brief")}
        kept = {name: each[(each[:, 0] < frames.stop) & (each[:, 1] >= frames.start)] for name, each in ranges.items()}
        ends = scan.ends[(scan.ends >= frames.start) & (scan.ends < frames.stop)]
        return replace(scan, **kept, ends=ends)

    def search_isolated(self, scan: Scan, *, within: FrameRange | None = None) -> Scan:
        """Return what `redactkit.analysis.thorough_search.search_isolated` does; nothing is searched twice."""
        return search_isolated(self._reader, scan, within=within, remembered=self._remembered)

    def track(self, scan: Scan, *, within: FrameRange | None = None, progress: ProgressLike = False) -> Tracks:
        """Track the faces of all shots of a scan, or of those within some frames.

        Returns
        -------
        propagated, discarded : DataFrame
            All rows of the tracks that were kept, with those found by propagation; the tracks that are hardly faces.
            Faces have IDs of their own in both together.
        """
        kept: list[pd.DataFrame] = []
        discarded: list[pd.DataFrame] = []
        faces = 0
        shots = list(_shots(scan, within or FrameRange(0, self._reader.info.frame_count)))
        with track(progress, "track", total=len(shots)) as update:
            for shot in shots:
                key = shot.key
                if key not in self._done:
                    self._make_room()
                    self._done[key] = self._tracked(shot)
                    if self._keep_crops:
                        self.crops.add(self._reader, self._done[key][0])
                for tables, table in zip((kept, discarded), self._done[key], strict=True):
                    tables.append(table.assign(face_id=table["face_id"] + faces))
                faces = max([faces, *(int(each[-1]["face_id"].max()) for each in (kept, discarded) if len(each[-1]))])
                update(1)
        none = scan.detections.iloc[:0]
        return pd.concat([none, *kept], ignore_index=True), pd.concat([none, *discarded], ignore_index=True)

    def _tracked(self, shot: _Shot) -> Tracks:
        """Link the boxes of a shot, set aside what is hardly a face, and propagate the others.

        Here it is decided whether a track is kept. In this order:

        1. Floor: a box below ``Thresholds.floor`` is in no track; `redactkit.analysis.frame_detector` and
           `redactkit.analysis.thorough_search` have left it out before.
        2. Weak: a track without one box of ``FilterOptions.strong``, without ``FilterOptions.evidence`` in sum and with
           fewer than ``FilterOptions.boxes`` boxes is discarded (`redactkit.tracking.filter_weak`).
        3. Brief: but not one that is only in isolated frames and has a box of ``Thresholds.mismatch``. It is kept
           without rescoring too, unless it is whole at an end of the video.
        4. Rigid: a track with all boxes below `redactkit.analysis.rigidity.MAX_CONFIDENCE` is discarded if its picture
           never changes while the camera moves, ``rigidity.MIN_CORRELATION``; a brief one too.
        5. Rescored: of the rest, one with a box of ``Thresholds.sure`` is kept; any other is kept if its rescored
           confidence is at least ``Thresholds.support``.

        6. Strays: doubtful boxes elsewhere, which propagation from the rest of their track does not reach, are
           discarded (`redactkit.tracking.discard_strays`).

        Discarded tracks are returned too, so that a person can bring them back.
        """
        info, thresholds = self._reader.info, self._search.thresholds
        detector = self._search.detector
        linked = link(shot.rows, frame_rate=float(info.frame_rate), appearance=shot.appearance)
        brief = _brief_faces(linked, shot.isolated, least=thresholds.mismatch)
        # At the video's ends, a face not cut by the frame's edge should also be in neighbouring frames; so it must pass
        # rescoring.
        whole = linked.loc[linked["frame"].isin(shot.ends) & ~_cut_off(linked, info), "face_id"]
        kept, weak = _set_weak_aside(linked, besides=brief)
        rigid = kept["face_id"].isin(rigid_faces(self._reader, kept))
        support = rescore_doubtful(
            self._reader, kept[~rigid], detector=detector, sure=thresholds.sure, enough=thresholds.support
        )
        believed = [*support.index[support >= thresholds.support], *sorted({*brief} - {*whole})]
        confirmed = kept["face_id"].isin(believed) & ~rigid
        # Propagate the others into their gaps and beyond both ends.
        propagated = refine(
            self._reader,
            kept[confirmed],
            detector=detector,
            cuts=shot.frames,
            options=PropagationOptions(min_confidence=thresholds.propagation),
        )
        steady, strays = discard_strays(propagated, longest=round(MAX_UNSEEN_SECONDS * float(info.frame_rate)))
        # Their IDs follow those of what is kept; some of these belong to what is discarded.
        strays = strays.assign(face_id=strays["face_id"] + linked["face_id"].max())
        return steady, pd.concat([weak, kept[~confirmed], strays], ignore_index=True)


def _shots(scan: Scan, frames: FrameRange) -> Iterator[_Shot]:
    cuts = np.unique(scan.cuts)
    edges = np.concatenate([[frames.start], cuts[(cuts > frames.start) & (cuts < frames.stop)], [frames.stop]])
    isolated = isolated_frames(scan)
    only_ends = np.setdiff1d(isolated, isolated_frames(replace(scan, ends=scan.ends[:0])))
    number = scan.detections["frame"].to_numpy()
    bounds = np.searchsorted(number, edges)
    for k in np.flatnonzero(np.diff(bounds)).tolist():
        rows, shot = slice(bounds[k], bounds[k + 1]), FrameRange(int(edges[k]), int(edges[k + 1]))
        inside, ends = (each[(each >= shot.start) & (each < shot.stop)] for each in (isolated, only_ends))
        yield _Shot(shot, scan.detections.iloc[rows].reset_index(drop=True), scan.appearance[rows], inside, ends)


def _brief_faces(linked: pd.DataFrame, isolated: NDArray[np.int64], *, least: float) -> list[int]:
    """Return faces seen only in isolated frames that have one box >= ``least``; they are kept despite being short."""
    lasting = linked.loc[~linked["frame"].isin(isolated), "face_id"]
    brief = linked[~linked["face_id"].isin(lasting) & (linked["confidence"] >= least)]
    return [int(face) for face in brief["face_id"].unique()]


def _cut_off(rows: pd.DataFrame, info: VideoInfo) -> NDArray[np.bool_]:
    """Tell which boxes reach the frame's edge: what lies there is a part of a face, if it is one."""
    x, y, width, height = rows[BOX].to_numpy(np.float64).T
    return np.asarray((x <= 1) | (y <= 1) | (x + width >= info.width - 1) | (y + height >= info.height - 1))


def _set_weak_aside(linked: pd.DataFrame, *, besides: list[int]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Set weak tracks aside; a box interpolated between two searched frames counts as detected."""
    kept, _ = filter_weak(linked.assign(source=linked["source"].where(linked["source"] != "interpolated", "detected")))
    strong = linked["face_id"].isin([*kept["face_id"], *besides])
    return linked[strong].reset_index(drop=True), linked[~strong].reset_index(drop=True)
