"""Join chunks of a video that were encoded separately: one clock, one header, and the source's sound."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path

from av.packet import Packet
from av.video.stream import VideoStream

from redactkit.errors import VideoError
from redactkit.media import VideoInfo
from redactkit.runtime.files import check_video_output, replacing
from redactkit.runtime.timecode import check_ranges
from redactkit.video.encoding import Encoding
from redactkit.video.mp4file import Mp4File
from redactkit.video.muting import span_of
from redactkit.video.opening import av_errors, opened, video_stream
from redactkit.video.options import WriterOptions
from redactkit.video.smartcopy.clock import PacketClock
from redactkit.video.smartcopy.plan import CopyPlan
from redactkit.video.smartcopy.track import JoinedTrack
from redactkit.video.timing import start_shift

__all__ = ["join_videos"]

_DEFAULTS = WriterOptions()


def join_videos(
    chunks: Sequence[str | Path],
    path: str | Path,
    info: VideoInfo,
    options: WriterOptions = _DEFAULTS,
    *,
    overwrite: bool = False,
    copying: tuple[Encoding, CopyPlan] | None = None,
) -> list[str]:
    """Join chunks that `VideoWriter` wrote with the same options, without encoding anything.

    Every chunk starts with a keyframe, so decoding order is the order of the chunks. Packets keep their PTS;
    their DTS are assigned anew over the whole video (`redactkit.video.smartcopy.clock.PacketClock`).

    Parameters
    ----------
    chunks : sequence of path
        In order; together they hold every frame of ``info`` once, but for those that are copied.
    path : path
        The mp4 to write.
    info : VideoInfo
        The source; its audio is carried over from there.
    options, overwrite
        As of `VideoWriter`.
    copying : (Encoding, CopyPlan), optional
        How the chunks were encoded, and which frames are copied from the source instead.

    Returns
    -------
    list of str
        What became of the sound.

    Raises
    ------
    VideoError
        If the chunks are not of one kind, do not hold every frame exactly once, or cannot be read or written.
    OutputExistsError
        If the output exists and ``overwrite`` is false.
    """
    check_video_output(path, overwrite=overwrite, sources=() if info.path is None else (info.path,))
    shift, (begin, end) = start_shift(info), span_of(info)
    with replacing(path, overwrite=overwrite, public=True) as part, av_errors(Path(path), "join it"):
        file = Mp4File(
            part,
            info,
            shift=shift,
            audio=options.audio == "keep",
            mute=check_ranges(options.mute, start=begin, end=end),
            keep_metadata=options.keep_metadata,
        )
        try:
            made = [Path(name) for name in chunks]
            if copying is not None and copying[1].copied.any():
                _mux_all(JoinedTrack(file, info, *copying, chunks=made, shift=shift), file)
            else:
                _copy_chunks(made, file, info, shift)
            file.finish_sound()
            file.close()
        except BaseException:
            file.abandon()
            raise
    return list(file.notes)


def _mux_all(track: JoinedTrack, file: Mp4File) -> None:
    try:
        for packet in track.finish():
            file.mux(packet)
    finally:
        track.close()


def _copy_chunks(chunks: list[Path], file: Mp4File, info: VideoInfo, shift: Fraction) -> None:
    with opened(chunks[0]) as first:
        template = video_stream(first, chunks[0])
        header = template.codec_context.extradata
        stream = file.container.add_stream_from_template(template)
        delay = _delay([packet for packet in first.demux(template) if packet.size])
    stream.time_base = file.time_base
    file.begin(stream)
    clock = PacketClock(info, shift=shift, time_base=file.time_base, delay=delay)
    for packet in _packets(chunks, header):
        clock.stamp(packet)
        packet.stream = stream
        file.mux(packet)
    clock.check_whole()


def _packets(chunks: Iterable[Path], header: bytes | None) -> Iterator[Packet[VideoStream]]:
    for path in chunks:
        with opened(path) as container:
            stream = video_stream(container, path)
            if stream.codec_context.extradata != header:
                raise VideoError(f"{path} was encoded in another way than the chunk before it; encode both anew")
            yield from (packet for packet in container.demux(stream) if packet.size)


def _delay(packets: Sequence[Packet[VideoStream]]) -> int:
    """Return the reorder delay in frames: in rising PTS, the last DTS lies so many places before the last PTS."""
    rising = sorted(packet.pts or 0 for packet in packets)
    last = packets[-1].dts
    return len(rising) - 1 - rising.index(last) if last in rising else 0
