"""Every frame from the decoder to the encoder, its faces hidden on the way."""

from __future__ import annotations

from redactkit import effects
from redactkit.errors import MismatchError, OptionError
from redactkit.media import VideoInfo
from redactkit.progress import ProgressLike, track
from redactkit.redaction.plan import Plan, noise_seed
from redactkit.video import VideoReader, VideoWriter, pixel_layout, plane_views

__all__ = ["write_frames"]


def write_frames(
    info: VideoInfo,
    plan: Plan,
    writer: VideoWriter,
    *,
    span: tuple[int, int] | None = None,
    kind: str,
    strength: float,
    progress: ProgressLike,
) -> list[str]:
    """Hide the faces of a video's frames and write them.

    Parameters
    ----------
    info : VideoInfo
    plan : Plan
    writer : VideoWriter
    span : (int, int), optional
        First frame and the frame after the last one; by default all that the writer does not copy. The
        frames of a part look as they would if the whole video was written.
    kind : str
        Blur kind.
    strength : float
        As in `redactkit.redact`.
    progress : bool or callable

    Returns
    -------
    list of str
        What was odd about the source: packets that did not decode, and how many frames that cost.

    Raises
    ------
    MismatchError
        If frames did not come that were announced, and no damage to the file explains it.
    """
    if info.path is None:
        raise OptionError("these annotations name no video file; pass the path of the video")
    start = span[0] if span else 0
    expected = sum(last - first for first, last in ([span] if span else writer.wanted))
    # The effect holds what it took since its window began, so those frames before a part are shown to it too.
    ranges = [(start - start % effects.HOLD, span[1])] if span else writer.wanted
    effect: effects.Effect | None = None
    seed = noise_seed(info)
    written: set[int] = set()
    with VideoReader(info.path, info=info) as reader, track(progress, "redact", total=expected) as update:
        for frame in reader.ranges(ranges):
            boxes, faces = plan.at(frame.index)
            wanted = frame.index >= start
            if not wanted and not len(boxes):
                continue
            picture = frame.picture
            if len(boxes):
                picture = writer.prepare(picture)
                effect = effect or effects.Effect(kind, pixel_layout(picture), strength=strength, seed=seed)
                effect.apply(plane_views(picture), boxes, faces=faces, frame=frame.index, paint=wanted)
            if wanted:
                writer.write(picture, frame.pts)
                written.add(frame.index)
                update(1)
        odd = list(reader.decode_errors)
    return odd + _left_out(written, writer, span=span, odd=odd)


def _left_out(written: set[int], writer: VideoWriter, *, span: tuple[int, int] | None, odd: list[str]) -> list[str]:
    """Tell the writer which frames did not come, and say so; without a broken packet that explains it, refuse."""
    wanted = {frame for first, last in ([span] if span else writer.wanted) for frame in range(first, last)}
    missing = sorted(wanted - written)
    if not missing:
        return []
    if not odd:
        raise MismatchError(f"frames {missing[:10]} of the source did not come; nothing was written")
    writer.leave_out(missing)
    return [f"{len(missing)} frame(s) that do not decode are not in the output, the first of them {missing[0]}"]
