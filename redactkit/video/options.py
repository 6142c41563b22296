"""How a video is written, as one value for the writer, for chunks and for joining them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from redactkit.errors import OptionError

__all__ = ["WriterOptions"]

_SOUND = ("keep", "drop")


@dataclass(frozen=True)
class WriterOptions:
    """How a video is encoded, and what it takes over of its source beside the pictures.

    Parameters
    ----------
    codec, crf, preset
        See `redactkit.video.encoding.choose_encoding`.
    audio : {"keep", "drop"}
    mute : iterable of (float, float)
        Start and end, in seconds of the source's clock, of the time ranges that are silenced in every audio
        track. All audio is then transcoded to AAC, so that no packet of the source is left.
    keep_metadata : bool
        Keep the source's tags (title, location, device, times). Chapters, timecode, cover images,
        subtitles and data streams are never kept.
    set_id : int, optional
        ID of the H.264 parameter sets, for a chunk that is later joined with copied frames.

    Raises
    ------
    OptionError
        If the sound is neither kept nor dropped.

    Examples
    --------
    >>> WriterOptions(crf=20).audio
    'keep'
    """

    codec: str | None = None
    crf: float | None = None
    preset: str | None = None
    audio: Literal["keep", "drop"] = "keep"
    mute: Iterable[Iterable[float]] = ()
    keep_metadata: bool = False
    set_id: int | None = None

    def __post_init__(self) -> None:
        if self.audio not in _SOUND:
            raise OptionError(f"audio must be one of {', '.join(_SOUND)}, got {self.audio!r}")
