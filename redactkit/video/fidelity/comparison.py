"""All checks of an output put together: with its source, or of its container alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pandas as pd

from redactkit.media import VideoInfo
from redactkit.runtime.timecode import Ranges
from redactkit.video.aperture import Cropping, read_aperture
from redactkit.video.encoding import choose_encoding
from redactkit.video.fidelity.container import container_checks
from redactkit.video.fidelity.rows import CHECKS, Row, equal
from redactkit.video.fidelity.samples import (
    Boxes,
    SampleCollector,
    compared_frames,
    picture_checks,
    read_frames,
    source_frames,
)
from redactkit.video.fidelity.sounds import read_sounds, sound_checks
from redactkit.video.fidelity.timeline import (
    Timeline,
    decode_timeline,
    part_ticks,
    read_timeline,
    time_checks,
    true_timeline,
)
from redactkit.video.fields import count_orders
from redactkit.video.opening import av_errors, checked_file, opened, video_stream
from redactkit.video.probe import probe
from redactkit.video.stream_traits import read_traits

__all__ = ["check_container", "compare_files"]


def compare_files(
    source: VideoInfo,
    output: str | Path,
    *,
    audio: Literal["keep", "drop"] = "keep",
    mute: Ranges = (),
    hidden: Boxes | None = None,
    exact: bool = False,
) -> pd.DataFrame:
    """Compare a redacted video with its source.

    Parameters
    ----------
    source : VideoInfo
    output : path
    audio : {"keep", "drop"}
    mute : sequence of (float, float)
        As of the writer. Muted ranges are decoded and checked for silence.
    hidden : callable, optional
        Takes a frame's number and returns the boxes hidden in it, shape (N, 4), in pixels of the picture as stored;
        pictures are compared outside them. Without it, the tiles that differ most count as hidden.
    exact : bool
        Decode the output to count its frames; otherwise its packets are read.

    Returns
    -------
    DataFrame
        Columns ``check``, ``expected``, ``got``, ``ok``, ``note``; the output is faithful if all are ``ok``.

    Raises
    ------
    VideoError
        If ``output`` is no video.

    Examples
    --------
    >>> compare_files(probe("lobby.mp4"), "lobby_redacted.mp4")["ok"].all()  # doctest: +SKIP
    True
    """
    got = probe(output)
    assert got.path is not None
    sounds = [] if source.path is None or audio != "keep" else read_sounds(source.path, part=source.part_times)
    rows = [
        *_frame_checks(source, got, hidden=hidden, exact=exact),
        *_header_checks(source, got),
        *sound_checks(source, got.path, sounds, mute=mute),
        *container_checks(got.path, sounds=len(sounds)),
    ]
    return _table(rows)


def check_container(path: str | Path, *, sounds: int | None = None) -> pd.DataFrame:
    """Check that a redacted video holds one video stream, its sound, and nothing that players do not show.

    It needs no source. It finds a second video stream, a cover image, packets hidden by an edit list, and bytes that
    belong to no sample.

    Parameters
    ----------
    path : path
    sounds : int, optional
        Expected number of audio streams; any number if not given.

    Returns
    -------
    DataFrame
        As of `compare_files`: rows ``streams``, ``hidden packets`` and ``loose bytes``.

    Raises
    ------
    VideoError
        If ``path`` is no video.

    Examples
    --------
    >>> from redactkit.runtime.resources import sample_path
    >>> check_container(sample_path())["check"].tolist()
    ['streams', 'hidden packets', 'loose bytes']
    """
    return _table(list(container_checks(checked_file(path), sounds=sounds)))


def _table(rows: list[Row]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=list(CHECKS)).astype(CHECKS)


def _frame_checks(source: VideoInfo, got: VideoInfo, *, hidden: Boxes | None, exact: bool) -> Iterator[Row]:
    assert got.path is not None
    have = decode_timeline(got.path) if exact else read_timeline(got.path)
    if source.path is None:
        expected = Timeline(tuple(source.pts.tolist()), source.time_base)
        yield from time_checks(source, got, expected, have)
        return
    frames = compared_frames(len(have.ticks), source.keyframes.tolist())
    collector = SampleCollector(source_frames(frames))
    expected = true_timeline(source, have, visit=collector)
    yield from time_checks(source, got, expected, have)
    before = collector.images
    if not expected.decoded:
        before = read_frames(source.path, expected, collector.wanted, keyframes=source.keyframes.tolist())
    if not set(before) >= {number for number in collector.wanted if number < len(expected.ticks)}:
        collector.images.clear()
        decode_timeline(source.path, visit=collector, only=part_ticks(source))
        before = collector.images
    after = read_frames(got.path, have, frames, keyframes=got.keyframes.tolist())
    yield from picture_checks(source, before, after, frames, hidden=hidden)


def _header_checks(source: VideoInfo, got: VideoInfo) -> Iterator[Row]:
    encoding = choose_encoding(source)
    color, have = encoding.color, got.color
    yield equal("size", f"{source.width}x{source.height}", f"{got.width}x{got.height}")
    yield equal("shown size", _shown(source), _shown(got))
    yield equal("rotation", source.rotation, got.rotation)
    yield equal("mirrored", source.mirrored, got.mirrored)
    yield equal("aspect", str(source.sample_aspect_ratio), str(got.sample_aspect_ratio))
    yield _field_check(source, got)
    yield equal("bit depth", min(source.bit_depth, 10), got.bit_depth, "stored as 10" if source.bit_depth > 10 else "")
    # A YUV stream without a range tag is of limited range.
    yield equal("colour range", color.range or 1, have.range or 1)
    for name in ("space", "primaries", "transfer"):
        yield equal(f"colour {name}", getattr(color, name), getattr(have, name))


def _shown(info: VideoInfo) -> str:
    """Return the part of the stored picture that is shown, and its size as displayed."""
    crop = Cropping() if info.path is None else read_aperture(info.path)
    width = info.coded_width - crop.left - crop.right
    height = info.coded_height - crop.top - crop.bottom
    size = f"{height}x{width}" if info.rotation % 180 else f"{width}x{height}"
    return f"{size} from {crop.left},{crop.top}" if any(crop) else size


def _field_check(source: VideoInfo, got: VideoInfo) -> Row:
    """Compare the field order; frames that H.264 cannot interlace are expected as progressive ones."""
    expected = read_traits(source).fields
    woven = expected is not None and (got.codec != "h264" or got.coded_height % 4)
    assert got.path is not None
    with av_errors(got.path, "decode it"), opened(got.path) as container:
        orders = count_orders(container.decode(video_stream(container, got.path)))
    have = " and ".join(sorted(orders))
    return equal("fields", (None if woven else expected) or "progressive", have, "fields woven" if woven else "")
