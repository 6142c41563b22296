"""Scan a section of a video: search sampled frames, then more of the frames between until all faces are predicted.

The section passes through a pipeline of four stages, each a generator:

1. `_scanned_frames` feeds the shot boundary finders, marks the frames to sample and scales those that surely need a
   search at full detail.
2. `_full_detail_batches` gathers batches of frames and runs the detector on the scaled ones.
3. `_sampled_batches` searches the other sampled frames, and one between them where something comes and goes, and
   interpolates where all faces are predicted.
4. `search_frames` closes the remaining gaps by bisection.

The first two stages may run ahead in threads of their own. What is searched in a batch is decided by
`redactkit.analysis.scanner`.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import closing

from redactkit.analysis.frame_detector import FrameDetector, ScannedFrame, scaled_image
from redactkit.analysis.sampling import IntArray, sampled_frames
from redactkit.analysis.scan_result import ScanResult
from redactkit.analysis.scanner import Gap, Scanner
from redactkit.analysis.search import Search
from redactkit.analysis.shot_boundaries import THUMBNAIL_SIZE
from redactkit.media import FrameRange, VideoInfo
from redactkit.runtime.streams import buffered
from redactkit.video import Frame, KeptFrame

__all__ = ["search_frames"]

BATCH_SAMPLES = 4
"""Sampled frames in a batch. Raising it gives the detector more frames at once, and holds more of their pictures."""

BUFFERED_BATCHES = 1
"""Items that the first two stages may be ahead. Raising it evens out their speeds, and holds more of them."""

Keep = Callable[[Frame], KeptFrame]

BATCH_MEMORY_BYTES = 24 << 20
"""Memory for the frames of a batch. Raising it makes larger batches of large frames."""


def search_frames(
    frames: Iterator[Frame],
    info: VideoInfo,
    search: Search,
    found: ScanResult,
    *,
    wanted: FrameRange,
    edges: IntArray,
    keep: Keep,
) -> Iterator[list[KeptFrame]]:
    """Search frames in order and add the faces and shot boundaries to ``found``.

    Decoding and the surely needed searches run ahead in threads of their own.

    Parameters
    ----------
    frames : iterator of Frame
        Those outside ``wanted`` serve to find shot boundaries only.
    info : VideoInfo
    search : Search
    found : ScanResult
        Empty at first; changed in place.
    wanted : FrameRange
        The frames to search.
    edges : ndarray of int
        Frames at which sampling starts anew.
    keep : callable
        Takes a frame out of memory, see `redactkit.video.VideoReader.keep`.

    Yields
    ------
    list of KeptFrame
        Frames that are done.
    """
    detect = FrameDetector(info, search)
    scanner = Scanner(info, search, found, detect)
    decoded = buffered(frames, ahead=BUFFERED_BATCHES)
    scanned = _scanned_frames(decoded, info, search, found, wanted=wanted, edges=edges, keep=keep)
    batches = _full_detail_batches(buffered(scanned, ahead=BUFFERED_BATCHES), detect)
    sampled = _sampled_batches(buffered(batches, ahead=0), scanner)
    with closing(buffered(sampled, ahead=0)) as ready:
        for batch, gaps in ready:
            scanner.close(gaps, batch)
            done = [item.frame for item in batch]
            batch.clear()  # or its pictures would be held until the next batch is whole
            yield done


def _scanned_frames(
    frames: Generator[Frame, None, None],
    info: VideoInfo,
    search: Search,
    found: ScanResult,
    *,
    wanted: FrameRange,
    edges: IntArray,
    keep: Keep,
) -> Iterator[ScannedFrame]:
    """Yield the frames of ``wanted``, with images of those that surely need a search at full detail."""
    sampled, full = sampled_frames(info, search.sample_seconds), sampled_frames(info, 2 * search.sample_seconds)
    restarts = {int(edge) for edge in edges}
    width, height = (2 * side for side in THUMBNAIL_SIZE)
    first = True
    with closing(frames):
        for frame in frames:
            # Both finders see every frame, also those around the section, so that they judge as in the whole video.
            small = frame.rgb(width=width, height=height)
            jump = found.boundary_finder.add(small)
            found.mix_finder.add(small)
            found.numbers.append(frame.index)
            if not wanted.holds(frame.index):
                continue
            # Nothing is predicted over a shot boundary or the edge of a section.
            restart = first or jump or frame.index in restarts
            first = False
            section_end = frame.index + 1 in restarts
            # Every other sampled frame needs full detail; the rest may do with less, see `Scanner._search_lightly`.
            image = scaled_image(frame, search.letterboxes[0]) if restart or section_end or full[frame.index] else None
            certain = bool(restart or section_end or sampled[frame.index])
            yield ScannedFrame(keep(frame), restart, section_end, certain, small, image)


def _batches(scanned: Iterator[ScannedFrame], info: VideoInfo) -> Iterator[list[ScannedFrame]]:
    """Yield batches of frames that end with a sampled one: a few sampled frames, or as many frames as may be held.

    A section's end also ends a batch, so that a chunk is divided as the whole video is.
    """
    most = max(2, BATCH_MEMORY_BYTES // max(2 * info.width * info.height, 1))
    batch: list[ScannedFrame] = []
    samples = 0
    for item in scanned:
        batch.append(item)
        samples += item.sampled
        if item.section_end or (item.sampled and (samples >= BATCH_SAMPLES or len(batch) >= most)):
            yield batch
            batch, samples = [], 0
    if batch:
        yield batch


def _full_detail_batches(
    scanned: Generator[ScannedFrame, None, None], detect: FrameDetector
) -> Iterator[list[ScannedFrame]]:
    """Yield batches in which the frames that surely need full detail have been searched."""
    with closing(scanned):
        for batch in _batches(scanned, detect.info):
            detect.search_certain(batch)
            yield batch


def _sampled_batches(
    batches: Generator[list[ScannedFrame], None, None], scanner: Scanner
) -> Iterator[tuple[list[ScannedFrame], list[Gap]]]:
    """Yield batches in which all sampled frames have been searched, with the gaps that have mismatched faces."""
    with closing(batches):
        for batch in batches:
            yield batch, scanner.sample(batch)
