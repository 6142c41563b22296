"""Check that an mp4 holds one video stream, its sound, and nothing that players do not show.

A cover image, frames that an edit list hides, or bytes that belong to no sample could show what was to be hidden.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
from av.container import InputContainer
from av.stream import Disposition, Stream
from numpy.typing import NDArray

from redactkit.video.fidelity.rows import Row, equal
from redactkit.video.mp4boxes import Box, Mp4Boxes, children
from redactkit.video.opening import av_errors, opened
from redactkit.video.sound import PREROLL_SECONDS
from redactkit.video.timing import as_fraction

__all__ = ["container_checks"]

_TOP_BOXES = {b"ftyp", b"moov", b"mdat", b"free", b"wide"}
_MOOV_BOXES = {b"mvhd", b"trak", b"udta", b"iods"}
_CONTAINER_BOXES = {b"trak", b"edts", b"mdia", b"minf", b"stbl"}
_FREE_BOXES = {b"free", b"skip", b"wide", b"uuid"}  # boxes in the index that can hold any bytes


def container_checks(path: Path, *, sounds: int | None = None) -> Iterator[Row]:
    """Yield the rows ``streams``, ``hidden packets`` and ``loose bytes``.

    Parameters
    ----------
    path : Path
    sounds : int, optional
        Expected number of audio streams; any number if not given.

    Raises
    ------
    VideoError
        If it is no video.
    """
    with av_errors(path, "read its streams"), opened(path) as container:
        kinds = Counter(_kind(stream) for stream in container.streams)
        shown = _count_shown(container)
    expected = Counter({"video": 1, "audio": kinds["audio"] if sounds is None else sounds})
    yield equal("streams", _listed(expected), _listed(kinds))
    boxes = Mp4Boxes(path)
    if not boxes.moov or any(box.kind == b"moof" for box in boxes.boxes):
        yield "hidden packets", 0, "unknown", False, "it is no mp4 with one index of all its samples"
        return
    try:
        yield equal("hidden packets", 0, _count_samples(boxes) - shown, "kept from players")
        yield equal("loose bytes", 0, _loose_bytes(boxes), "of no stream")
    except ValueError as err:
        yield "hidden packets", 0, "unknown", False, str(err)


def _listed(kinds: Counter[str]) -> str:
    return ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()) if count)


def _kind(stream: Stream) -> str:
    return "cover image" if stream.disposition & Disposition.attached_pic else stream.type


def _count_shown(container: InputContainer) -> int:
    """Count the packets that players use: those that are shown, and the preroll of sound."""
    waiting: dict[int, list[Fraction]] = {stream.index: [] for stream in container.streams.audio}
    count = 0
    for packet in container.demux():
        index = packet.stream_index
        if not packet.size:
            continue
        base = as_fraction(packet.time_base) or Fraction(0)
        start = (packet.pts or 0) * base
        if not packet.is_discard:
            ends, waiting[index] = waiting.get(index, []), []
            count += 1 + sum(start - end <= PREROLL_SECONDS for end in ends)
        elif index in waiting:
            waiting[index].append(start + (packet.duration or 0) * base)
    return count


def _count_samples(boxes: Mp4Boxes) -> int:
    return sum(int(np.count_nonzero(track.sample_sizes)) for track in boxes.tracks)


def _loose_bytes(boxes: Mp4Boxes) -> int:
    """Count the bytes that belong to no sample and to no box that describes samples."""
    outside = boxes.size - boxes.end
    outside += sum(box.end - box.start for box in boxes.boxes if box.kind not in _TOP_BOXES)
    outside += sum(box.end - box.body for box in boxes.boxes if box.kind in (b"free", b"wide"))
    for kind in (b"ftyp", b"moov"):
        outside += sum(box.end - box.start for box in [box for box in boxes.boxes if box.kind == kind][1:])
    outside += sum(box.end - box.start for box in boxes.within_index if box.kind not in _MOOV_BOXES)
    outside += sum(_free_bytes(boxes.moov, box) for box in boxes.within_index)
    held = [(box.body, box.end) for box in boxes.boxes if box.kind == b"mdat"]
    taken = np.concatenate([np.zeros((0, 2), np.int64), *(track.extents for track in boxes.tracks)])
    return outside + sum(_uncovered(taken, start, end) for start, end in held)


def _free_bytes(data: bytes, parent: Box) -> int:
    """Count the bytes below a box of the index that are in free boxes, or in no box."""
    if parent.kind not in _CONTAINER_BOXES:
        return 0
    count, end = 0, parent.body
    for box in children(data, parent.body, parent.end):
        count += box.end - box.body if box.kind in _FREE_BOXES else _free_bytes(data, box)
        end = box.end
    return count + parent.end - end


def _uncovered(extents: NDArray[np.int64], start: int, end: int) -> int:
    """Count the bytes from ``start`` to ``end`` that no extent covers."""
    inside = np.clip(extents[np.argsort(extents[:, 0], kind="stable")], start, end)
    reached = np.maximum.accumulate(np.concatenate([[start], inside[:, 1]]))
    gaps = np.maximum(0, inside[:, 0] - reached[:-1]).sum() if len(inside) else 0
    return int(gaps + end - reached[-1])
