"""Search one chunk of a video, with several of its sections at once, each in a thread of its own.

Sampling starts anew at each section, so sections are independent, and the result is the same as in turn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from itertools import pairwise, starmap

import numpy as np
from numpy.typing import NDArray

from redactkit.analysis.appearance import DESCRIPTOR_LENGTH
from redactkit.analysis.checkpoint import ChunkResult
from redactkit.analysis.readers import open_readers
from redactkit.analysis.sampling import section_edges
from redactkit.analysis.scan_result import ScanResult
from redactkit.analysis.scanning import search_frames
from redactkit.analysis.search import Search
from redactkit.errors import VideoError
from redactkit.media import FrameRange
from redactkit.runtime.progress import Update
from redactkit.runtime.streams import side_by_side
from redactkit.video import VideoReader
from redactkit.video.chunks import LEAD_FRAMES

__all__ = ["scan_separate_chunk", "scan_chunk"]

MAX_FRAME_PIXELS = 640 * 360
"""Largest frame for which sections are searched at once. At 1080p that costs memory and saves hardly any time."""


@dataclass
class _Section:
    """The frames from of one section, and what was found in them."""

    frames: FrameRange
    found: ScanResult = field(default_factory=ScanResult)
    errors: tuple[str, ...] = ()

    def search(self, reader: VideoReader, search: Search, *, alone: bool) -> Iterator[list[int]]:
        """Search the frames and yield the numbers of those that are done.

        A few frames before and after are decoded too, so that shot boundaries are found as in the whole video. With
        ``alone``, no other section is searched meanwhile, and decoding runs ahead of the search.
        """
        known = len(reader.decode_errors)
        read = reader.frames if alone else reader.frames_here
        frames = read(max(self.frames.start - LEAD_FRAMES, 0), self.frames.stop + LEAD_FRAMES)
        edges = section_edges(reader.info)
        yield from search_frames(
            frames, reader.info, search, self.found, wanted=self.frames, edges=edges, overlap=alone
        )
        self.errors = tuple(reader.decode_errors[known:])

    @property
    def whole(self) -> bool:
        """Whether all frames were decoded."""
        return len(self.found.faces) == self.frames.length

    def marked(self, name: str) -> NDArray[np.int64]:
        """Return the ``cuts``, ``mixed`` or ``jumps`` inside this section, without those around it."""
        frames: NDArray[np.int64] = getattr(self.found, name)
        return frames[(frames >= self.frames.start) & (frames < self.frames.stop)]


def scan_chunk(reader: VideoReader, search: Search, chunk: FrameRange, *, update: Update) -> ChunkResult:
    """Search the frames of one chunk.

    Whole sections are searched, those at the edges too, so that the result is the same as in the whole video.
    """
    start, stop = chunk
    # The last edge at or before the chunk, the first one at or after it, and those between.
    edges = section_edges(reader.info)
    edges = edges[(edges >= edges[edges <= start].max()) & (edges <= edges[edges >= stop].min())]
    bounds = [int(edge) for edge in edges]

    def count(numbers: list[int]) -> int:
        return sum(map(chunk.holds, numbers))

    sections = _search_at_once(reader, search, list(starmap(FrameRange, pairwise(bounds))), count=count, update=update)
    if sections is None:
        sections = [_Section(FrameRange(bounds[0], bounds[-1]))]
        # One go over all sections; decoding may run ahead of the search.
        for numbers in sections[0].search(reader, search, alone=True):
            update(count(numbers))
    return _assemble(sections, chunk)


def scan_separate_chunk(reader: VideoReader, search: Search, chunk: FrameRange, update: Update) -> ChunkResult | None:
    """Search a chunk; return None if decoding from its first keyframe does not give all its frames."""
    done = 0

    def count(frames: int) -> None:
        nonlocal done
        done += frames
        update(frames)

    try:
        result = scan_chunk(reader, search, chunk, update=count)
    except VideoError:
        result = None
    if result is None or result.searched < chunk.length:
        update(-done)  # its frames will be searched again
        return None
    return result


def _search_at_once(
    reader: VideoReader,
    search: Search,
    ranges: Sequence[FrameRange],
    *,
    count: Callable[[list[int]], int],
    update: Update,
) -> list[_Section] | None:
    """Search sections at once; return None if that does not pay, or if one does not decode by itself."""
    if reader.info.width * reader.info.height > MAX_FRAME_PIXELS:
        return None
    sections = [_Section(frames) for frames in ranges]
    left = iter(sections)  # shared: whichever thread is done first takes the next section
    done = 0
    with ExitStack() as stack:
        readers = [stack.enter_context(other) for other in open_readers(reader, search.detector, tasks=len(sections))]
        if not readers:
            return None
        searching = [_search_sections(other, search, left) for other in readers]
        try:
            for numbers in stack.enter_context(closing(side_by_side(searching))):
                done += count(numbers)
                update(count(numbers))
        except VideoError:
            pass  # some section is not whole, which is found below
    if all(section.whole for section in sections):
        return sections
    update(-done)  # the frames will be searched again, in turn
    return None


def _search_sections(reader: VideoReader, search: Search, left: Iterator[_Section]) -> Iterator[list[int]]:
    """Search one section after the other while there are any left and all their frames decode."""
    for section in left:
        yield from section.search(reader, search, alone=False)
        if not section.whole:
            raise VideoError(f"frames {section.frames.start} to {section.frames.stop} do not decode by themselves")


def _assemble(sections: Sequence[_Section], chunk: FrameRange) -> ChunkResult:
    """Put the results of all sections into arrays, in order of frame, without the frames outside the chunk."""
    faces = {number: each for section in sections for number, each in section.found.faces.items()}
    searched = {number: each for section in sections for number, each in section.found.searched.items()}
    appearance = {number: each for section in sections for number, each in section.found.appearance.items()}
    numbers = [number for number in sorted(faces) if chunk.holds(number)]
    counts = [len(faces[number]) for number in numbers]
    blank = [np.zeros((each, DESCRIPTOR_LENGTH), np.uint8) for each in counts]
    marks = {name: _marked(sections, name, chunk) for name in ("cuts", "mixed", "jumps")}
    return ChunkResult(
        frames=chunk,
        searched=len(numbers),
        frame=np.repeat(np.array(numbers, np.int64), counts),
        faces=np.vstack([np.zeros((0, 5)), *(faces[number] for number in numbers)]),
        detected=np.concatenate(
            [np.zeros(0, bool)]
            + [searched.get(number, np.zeros(each, bool)) for number, each in zip(numbers, counts, strict=True)]
        ),
        appearance=np.vstack(
            [np.zeros((0, DESCRIPTOR_LENGTH), np.uint8)]
            + [appearance.get(number, none) for number, none in zip(numbers, blank, strict=True)]
        ),
        **marks,
        errors=tuple(error for section in sections for error in section.errors),
    )


def _marked(sections: Sequence[_Section], name: str, chunk: FrameRange) -> NDArray[np.int64]:
    frames = np.concatenate([section.marked(name) for section in sections])
    return np.asarray(frames[(frames >= chunk.start) & (frames < chunk.stop)])
