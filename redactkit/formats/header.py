"""The ``redactkit`` object in an Azure file: what the format itself has no room for."""

from __future__ import annotations

from fractions import Fraction
from pathlib import PurePath
from typing import Annotated, Any

import msgspec
import numpy as np
import pandas as pd
from msgspec import Meta, Struct
from numpy.typing import NDArray

from redactkit.annotations import Annotations
from redactkit.errors import AnnotationError, TableError
from redactkit.identities import PAIRS, as_pairs
from redactkit.media import AudioInfo, ColorTags, VideoInfo
from redactkit.tables import DECISIONS, DETECTIONS, OPTIONAL, as_decisions, as_detections, empty_detections

__all__ = [
    "SCHEMA",
    "Header",
    "VideoHeader",
    "as_header",
    "as_video",
    "decisions_of",
    "discarded_of",
    "pairs_of",
    "plain",
    "video_of",
]

SCHEMA = 1

Whole = Annotated[int, Meta(ge=-(2**53), le=2**53)]
Ratio = tuple[Whole, Whole]


class AudioHeader(Struct, omit_defaults=True):
    """One audio stream."""

    index: Whole
    codec: str
    sample_rate: Whole
    channels: Whole
    start: Ratio | None = None


class VideoHeader(Struct, omit_defaults=True):
    """What `VideoInfo` holds beside size and PTS, which the Azure fields carry."""

    time_base: Ratio
    frame_rate: Ratio
    frame_count: Whole
    name: str = ""
    sha256: str = ""
    rotation: Whole = 0
    mirrored: bool = False
    codec: str = ""
    pixel_format: str = ""
    bit_depth: Whole = 8
    sample_aspect_ratio: Ratio = (1, 1)
    color: tuple[Whole, Whole, Whole, Whole] = (0, 2, 2, 2)
    container: str = ""
    audio: list[AudioHeader] = []
    keyframes: list[Whole] = []


class Decision(Struct, omit_defaults=True):
    """What the analyst decided about one face."""

    face_id: Whole
    redact: bool
    label: str = ""
    reason: str = ""
    person_id: Whole | None = None
    visible_at: str = ""
    look: str = ""


class Pair(Struct, omit_defaults=True):
    """Two tracks that may be one person, and what was answered."""

    face_id: Whole
    other_id: Whole
    similarity: float | None = None
    sure: bool = False
    basis: str = ""
    answer: str = ""


class Header(Struct, omit_defaults=True):
    """The ``redactkit`` object."""

    schema: Whole
    video: VideoHeader
    decisions: list[Decision] = []
    discarded: dict[str, list[Any]] = {}
    pairs: list[Pair] = []
    cuts: list[Whole] = []
    settings: dict[str, Any] = {}


def _ratio(value: Fraction) -> Ratio:
    return value.numerator, value.denominator


def _fraction(ratio: Ratio, name: str, *, positive: bool = True) -> Fraction:
    if ratio[1] == 0 or (positive and Fraction(*ratio) <= 0):
        raise AnnotationError(f"redactkit.video.{name} must be a positive ratio, got {ratio[0]}/{ratio[1]}")
    return Fraction(*ratio)


def plain(value: Any) -> Any:
    """Turn what JSON does not know into what it does; the ``enc_hook`` of msgspec."""
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    if isinstance(value, Fraction | PurePath):
        return str(value)
    raise AnnotationError(f"settings must hold what JSON can, got {type(value).__name__}")


def as_header(annotations: Annotations) -> Header:
    """Return the object that, beside the boxes and PTS, holds everything else."""
    table = annotations.decisions
    rows = zip(table.index.tolist(), *(table[name].tolist() for name in DECISIONS), strict=True)
    pairs = zip(*(annotations.pairs[name].tolist() for name in PAIRS), strict=True)
    return Header(
        schema=SCHEMA,
        video=as_video(annotations.video),
        decisions=[
            Decision(face, bool(redact), str(label), str(reason), None if person == face else person, *more)
            for face, redact, label, reason, person, *more in rows
        ],
        discarded=_as_columns(annotations.discarded),
        pairs=[Pair(a, b, None if np.isnan(how) else how, *rest) for a, b, how, *rest in pairs],
        cuts=annotations.cuts.tolist(),
        settings=dict(annotations.settings),
    )


def as_video(video: VideoInfo) -> VideoHeader:
    """Return what a file beside size and PTS says of a video; its hash is read if it is not known."""
    audio = [
        AudioHeader(
            item.index,
            item.codec,
            item.sample_rate,
            item.channels,
            None if item.start is None else _ratio(item.start),
        )
        for item in video.audio
    ]
    return VideoHeader(
        time_base=_ratio(video.time_base),
        frame_rate=_ratio(video.frame_rate),
        frame_count=video.frame_count,
        name=video.name,
        sha256=_digest(video),
        rotation=video.rotation,
        mirrored=video.mirrored,
        codec=video.codec,
        pixel_format=video.pixel_format,
        bit_depth=video.bit_depth,
        sample_aspect_ratio=_ratio(video.sample_aspect_ratio),
        color=(video.color.range, video.color.space, video.color.primaries, video.color.transfer),
        container=video.container,
        audio=audio,
        keyframes=video.keyframes.tolist(),
    )


def _digest(video: VideoInfo) -> str:
    if video.digest is None and video.path is not None and not video.path.exists():
        return ""
    return video.sha256


def _as_columns(table: pd.DataFrame) -> dict[str, list[Any]]:
    if table.empty:
        return {}
    columns = {name: table[name].tolist() for name in DETECTIONS}
    columns["confidence"] = [None if np.isnan(value) else value for value in columns["confidence"]]
    return columns


def video_of(header: VideoHeader, *, width: int, height: int, pts: NDArray[np.int64]) -> VideoInfo:
    """Return the `VideoInfo` that was written.

    Raises
    ------
    AnnotationError
        If a ratio means nothing.
    """
    audio = tuple(
        AudioInfo(
            item.index,
            item.codec,
            item.sample_rate,
            item.channels,
            None if item.start is None else _fraction(item.start, "audio.start", positive=False),
        )
        for item in header.audio
    )
    return VideoInfo(
        path=None,
        width=width,
        height=height,
        frame_rate=_fraction(header.frame_rate, "frame_rate"),
        time_base=_fraction(header.time_base, "time_base"),
        pts=pts,
        rotation=header.rotation,
        mirrored=header.mirrored,
        codec=header.codec,
        pixel_format=header.pixel_format,
        bit_depth=header.bit_depth,
        sample_aspect_ratio=_fraction(header.sample_aspect_ratio, "sample_aspect_ratio"),
        color=ColorTags(*header.color),
        audio=audio,
        container=header.container,
        keyframes=np.array(header.keyframes, np.int64),
        digest=header.sha256,
        name=header.name,
    )


def decisions_of(header: Header) -> pd.DataFrame:
    """Return the analyst's decisions as a table."""
    rows = {item.face_id: msgspec.structs.asdict(item) for item in header.decisions}
    for face, row in rows.items():
        row["person_id"] = face if row["person_id"] is None else row["person_id"]
    return as_decisions(rows)


def pairs_of(header: Header) -> pd.DataFrame:
    """Return the pairs of tracks that may be one person as a table.

    Raises
    ------
    AnnotationError
        If an answer is none that there is.
    """
    try:
        return as_pairs([msgspec.structs.asdict(item) for item in header.pairs])
    except TableError as err:
        raise AnnotationError(f"redactkit.pairs is no table of pairs: {err}") from err


def discarded_of(header: Header) -> pd.DataFrame:
    """Return the detections that were set aside as a table.

    Raises
    ------
    AnnotationError
        If the columns are not those of a detections table, or of unequal length.
    """
    if not header.discarded:
        return empty_detections()
    try:
        given = [name for name in DETECTIONS if name not in OPTIONAL or name in header.discarded]
        return as_detections({name: header.discarded[name] for name in given})
    except (KeyError, TypeError, ValueError, OverflowError) as err:
        raise AnnotationError(f"redactkit.discarded is no detections table: {err}") from err
