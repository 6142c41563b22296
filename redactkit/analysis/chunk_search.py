"""Search one chunk of a video, section by section.

Sampling starts anew at each section, so a chunk searched alone gives the result it has in the whole video.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from redactkit.analysis.appearance import DESCRIPTOR_LENGTH
from redactkit.analysis.checkpoint import ChunkResult
from redactkit.analysis.sampling import section_edges
from redactkit.analysis.scan_result import ScanResult
from redactkit.analysis.scanning import search_frames
from redactkit.analysis.search import Search
from redactkit.errors import VideoError
from redactkit.media import FrameRange
from redactkit.runtime.progress import Update
from redactkit.video import KeptFrame, VideoReader
from redactkit.video.chunks import LEAD_FRAMES

__all__ = ["Watch", "assemble", "scan_chunk", "scan_separate_chunk"]

Watch = Callable[[list[KeptFrame], ScanResult], None]
"""Is given the frames of each batch when it has been searched, with what was found so far.

It also says which frames need not be kept any more (`redactkit.video.VideoReader.drop_kept`)."""


def scan_chunk(
    reader: VideoReader, search: Search, chunk: FrameRange, *, update: Update, watch: Watch | None = None
) -> ChunkResult:
    """Search the frames of one chunk.

    Whole sections are searched, those at the edges too, so that the result is the same as in the whole video. A few
    frames before and after are decoded too, so that shot boundaries are found as there.
    """
    start, stop = chunk
    # The last edge at or before the chunk, and the first one at or after it.
    edges = section_edges(reader.info)
    wanted = FrameRange(int(edges[edges <= start].max()), int(edges[edges >= stop].min()))
    known = len(reader.decode_errors)
    frames = reader.frames(max(wanted.start - LEAD_FRAMES, 0), wanted.stop + LEAD_FRAMES)
    found = ScanResult()
    for batch in search_frames(frames, reader.info, search, found, wanted=wanted, edges=edges, keep=reader.keep):
        if watch is None:
            reader.drop_kept(before=batch[-1].index + 1)
        else:
            watch(batch, found)
        update(sum(chunk.holds(frame.index) for frame in batch))
        batch.clear()  # or those held in memory would be until the next batch is whole
    marks = {name: _inside(getattr(found, name), chunk) for name in ("cuts", "mixed", "jumps")}
    return assemble(found, chunk, marks=marks, errors=tuple(reader.decode_errors[known:]))


def scan_separate_chunk(
    reader: VideoReader, search: Search, chunk: FrameRange, update: Update, *, watch: Watch | None = None
) -> ChunkResult | None:
    """Search a chunk; return None if decoding from its first keyframe does not give all its frames."""
    done = 0

    def count(frames: int) -> None:
        nonlocal done
        done += frames
        update(frames)

    try:
        result = scan_chunk(reader, search, chunk, update=count, watch=watch)
    except VideoError:
        result = None
    if result is None or result.frames_done < chunk.length:
        update(-done)  # its frames will be searched again
        return None
    return result


def assemble(
    found: ScanResult, chunk: FrameRange, *, marks: dict[str, NDArray[np.int64]], errors: tuple[str, ...] = ()
) -> ChunkResult:
    """Put what was found in the frames of a chunk into arrays, in order of frame, with its cuts and such."""
    numbers = [number for number in sorted(found.faces) if chunk.holds(number)]
    counts = [len(found.faces[number]) for number in numbers]
    blank = [np.zeros((each, DESCRIPTOR_LENGTH), np.uint8) for each in counts]
    return ChunkResult(
        frames=chunk,
        frames_done=len(numbers),
        frame=np.repeat(np.array(numbers, np.int64), counts),
        faces=np.vstack([np.zeros((0, 5)), *(found.faces[number] for number in numbers)]),
        detected=np.concatenate(
            [np.zeros(0, bool)]
            + [found.searched.get(number, np.zeros(each, bool)) for number, each in zip(numbers, counts, strict=True)]
        ),
        appearance=np.vstack(
            [np.zeros((0, DESCRIPTOR_LENGTH), np.uint8)]
            + [found.appearance.get(number, none) for number, none in zip(numbers, blank, strict=True)]
        ),
        **marks,
        errors=errors,
    )


def _inside(frames: NDArray[np.int64], chunk: FrameRange) -> NDArray[np.int64]:
    return np.asarray(frames[(frames >= chunk.start) & (frames < chunk.stop)])
