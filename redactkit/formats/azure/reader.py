"""Read the JSON of Azure Media Redactor and Azure Face Detector, in every variant met in the wild."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fractions import Fraction
from itertools import chain
from typing import Any

import numpy as np
import pandas as pd
from msgspec import Struct
from numpy.typing import NDArray

from redactkit.annotations import Annotations
from redactkit.errors import AnnotationError
from redactkit.formats.azure.checks import check_fragments
from redactkit.formats.azure.time_grid import FragmentSpan, build_grid, usual_spacing
from redactkit.formats.columns import read_kind
from redactkit.formats.header import SCHEMA, Header, decisions_of, discarded_of, pairs_of, video_of
from redactkit.formats.normalize import (
    Reading,
    Remark,
    as_labels,
    check_boxes,
    number_faces,
    round_pixels,
    separate_doubles,
)
from redactkit.formats.source import Source, decode_json, line_of
from redactkit.formats.units import from_shares
from redactkit.media import VideoInfo
from redactkit.tables import BOX, SOURCES, as_decisions, as_detections

__all__ = ["read_azure"]

Number = int | float
FrameSize = tuple[int, int]

_FINE = 1000
_SLOWEST, _FASTEST = 1e-3, 1e12
_LARGEST_TICK = 2**53
_INT64 = 2**63


class Face(Struct, gc=False):
    """One face of one entry; the box in shares of the frame."""

    x: float
    y: float
    width: float
    height: float
    id: int | str | None = None
    confidence: float | None = None
    source: str | None = None
    label: str | None = None
    kind: str | None = None
    occluded: bool | None = None
    person: str | None = None
    keyframe: bool | None = None


class Fragment(Struct, gc=False):
    """A span of time; ``events`` has one list of faces per interval."""

    start: Number
    duration: Number | None = None
    interval: Number | None = None
    events: list[list[Face] | None] | None = None


class Document(Struct):
    """The file."""

    timescale: Number
    fragments: list[Fragment] | None
    offset: Number | None = None
    framerate: Number | None = None
    width: Number | None = None
    height: Number | None = None
    rotation: Number | None = None
    redactkit: Header | None = None


_KNOWN = {
    "timescale", "fragments", "offset", "framerate", "width", "height", "rotation", "redactkit", "version",
    "start", "duration", "interval", "events", "x", "y", "id", "index", "confidence", "source", "label",
    "kind", "occluded", "person", "keyframe", "facesdetected", "faceid",
}  # fmt: skip
_KEY_WITH_CAPITAL = re.compile(rb'"([A-Za-z]*[A-Z][A-Za-z]*)"\s*:')
_KEY = re.compile(rb'"([A-Za-z_]\w*)"\s*:')
_FIRST_EVENT = 200
_X = re.compile(rb'"x"\s*:', re.IGNORECASE)
# What other services of Azure Media write into the same frame of fragments and events, by a key of theirs.
_OTHERS = {
    b'"windowFaceDistribution"': "Azure Face Detector output of the mode aggregateEmotion, which counts moods",
    b'"reviewRecommended"': "Azure Content Moderator output",
    b'"adultScore"': "Azure Content Moderator output",
    b'"locations"': "Azure Motion Detector output",
    b'"language"': "Azure OCR output",
}
_PASSED_OVER = {b"facesDetected", b"faceId"}


def read_azure(source: Source) -> Reading:
    """Read an Azure annotation file; see `redactkit.formats.read_annotations`."""
    document = decode_document(source)
    try:
        return _as_reading(document, _lost_keys(source.text, document), source)
    except AnnotationError as err:
        raise AnnotationError(f"{source.path}: {err}{line_of(str(err), source.text)}") from err


def decode_document(source: Source) -> Document:
    """Return the file as it stands, for questions about its fragments that the tables cannot answer."""
    text = source.text
    try:
        return decode_json(
            text, Document, path=source.path, ignore_case=_has_odd_keys(text), known=_KNOWN, apart="redactkit"
        )
    except AnnotationError as err:
        other = next((what for key, what in _OTHERS.items() if key in text), None)
        if other is None or _X.search(_around_events(text)):
            raise
        raise AnnotationError(f"{source.path}: this is {other}; it says nowhere where a face is") from err


def _around_events(text: bytes) -> bytes:
    """Return the start of the first event that is not empty, without places inside it."""
    start = text.find(b"{", text.find(b'"events"'))
    return text[start:].split(b'"locations"')[0][:_FIRST_EVENT] if start >= 0 else b""


def _has_odd_keys(text: bytes) -> bool:
    """Return whether a key is spelled with capitals, or escaped so that a quick look cannot tell."""
    if b"\\u" in text:
        return True
    found = (match[1] for match in _KEY_WITH_CAPITAL.finditer(text))
    return any(key not in _PASSED_OVER and key.lower().decode() in _KNOWN for key in found)


def _lost_keys(text: bytes, document: Document) -> list[Remark]:
    """Name the fields we have no room for, as far as the file's first and last part show them."""
    if document.redactkit is not None:
        return []
    shown = text[:500_000] + text[-10_000:]
    names = sorted({key.decode() for key in _KEY.findall(shown) if key.lower().decode() not in _KNOWN})
    if not names:
        return []
    return [Remark("lost fields", f"the fields {', '.join(names[:20])} have no place in our tables and are left out")]


def _as_reading(document: Document, remarks: list[Remark], source: Source) -> Reading:
    fragments = document.fragments or []
    timescale, factor = _timescale(document)
    spans = [_as_fragment(fragment, place, factor) for place, fragment in enumerate(fragments)]
    size = source.find_size((document.width, document.height))
    rate = _frame_rate(document)
    spacing = usual_spacing(spans, otherwise=max(1, round(timescale / rate)) if rate else 1)
    info, grid = _as_video(document, spans, size, timescale, spacing, rate)
    entries = np.concatenate([span.ticks for span in spans]) if spans else np.zeros(0, np.int64)
    ours = document.redactkit is not None
    detections, labels, odd = _as_rows(fragments, np.searchsorted(grid, entries), info, trusted=ours)
    detections, doubles = separate_doubles(detections)
    header = document.redactkit
    annotations = Annotations(
        info,
        detections,
        decisions=as_decisions(as_labels(labels)) if header is None else decisions_of(header),
        **({} if header is None else _from_header(header)),
    )
    remarks += [*_contradictions(document, info), *check_fragments(spans, timescale=timescale, spacing=spacing)]
    return Reading(annotations, "azure", [*remarks, *odd, *doubles])


def _from_header(header: Header) -> dict[str, Any]:
    return {
        "discarded": discarded_of(header),
        "pairs": pairs_of(header),
        "cuts": np.array(header.cuts),
        "settings": header.settings,
    }


def _contradictions(document: Document, info: VideoInfo) -> list[Remark]:
    remarks = []
    if document.offset:
        text = f"offset is {document.offset} ticks, which version 1 does not know; it was not added"
        remarks.append(Remark("offset", text))
    written = info.frame_count if document.redactkit is None else document.redactkit.video.frame_count
    if written != info.frame_count:
        text = f"it was written with {written} frames but has {info.frame_count}; another tool changed it"
        remarks.append(Remark("frame count", text))
    return remarks


def _timescale(document: Document) -> tuple[Fraction, int]:
    """Return ticks per second, and what ticks are multiplied by to be whole numbers."""
    if not _SLOWEST <= document.timescale <= _FASTEST:
        raise AnnotationError(f"timescale must be positive ticks per second, got {document.timescale}")
    stated = [part for item in document.fragments or [] for part in (item.start, item.interval, item.duration)]
    parts = [part for part in stated if part is not None]
    too_large = [part for part in parts if not abs(part) < _LARGEST_TICK]
    if too_large:
        raise AnnotationError(f"ticks must be numbers below 2^53, got {too_large[0]}")
    factor = 1 if all(part == int(part) for part in parts) else _FINE
    return Fraction(document.timescale).limit_denominator(10**6) * factor, factor


def _as_fragment(fragment: Fragment, place: int, factor: int) -> FragmentSpan:
    count = len(fragment.events or ())
    duration = fragment.duration or 0
    interval = fragment.interval
    if interval is None and count:
        interval = duration / count
    interval = interval or 0
    if interval < 0 or duration < 0 or (count > 1 and interval <= 0):
        raise AnnotationError(
            f"expected an interval above 0 between {count} events, got interval {fragment.interval} "
            f"and duration {fragment.duration} - at `$.fragments[{place}]`"
        )
    if count and interval * count * factor >= _LARGEST_TICK:
        raise AnnotationError(f"expected times below 2^53 ticks - at `$.fragments[{place}]`")
    return FragmentSpan(round(fragment.start * factor), round(interval * factor), count, round(duration * factor))


def _frame_rate(document: Document) -> Fraction | None:
    rate = document.framerate
    if rate is None or not 0 < rate <= 10**6:
        return None
    return Fraction(str(rate)).limit_denominator(10**6)


def _as_video(
    document: Document,
    spans: Sequence[FragmentSpan],
    size: FrameSize,
    timescale: Fraction,
    spacing: int,
    rate: Fraction | None,
) -> tuple[VideoInfo, NDArray[np.int64]]:
    """Return the header and the tick of each of its frames."""
    own = document.redactkit
    if own is not None:
        ticks = np.unique(np.concatenate([span.ticks for span in spans])) if spans else np.zeros(0, np.int64)
        if own.schema > SCHEMA:
            raise AnnotationError(f"redactkit.schema {own.schema} is newer than this version reads ({SCHEMA})")
        pts = _as_pts(ticks, timescale, own.video.time_base)
        return video_of(own.video, width=size[0], height=size[1], pts=pts), ticks
    grid = build_grid(spans, spacing=spacing, timescale=float(timescale))
    info = VideoInfo(
        path=None,
        width=size[0],
        height=size[1],
        frame_rate=rate or timescale / spacing,
        time_base=1 / timescale,
        pts=grid,
    )
    return info, grid


def _as_pts(ticks: NDArray[np.int64], timescale: Fraction, time_base: tuple[int, int]) -> NDArray[np.int64]:
    if time_base[0] <= 0 or time_base[1] <= 0:
        raise AnnotationError(f"redactkit.video.time_base must be a positive ratio, got {time_base[0]}/{time_base[1]}")
    step = 1 / (timescale * Fraction(*time_base))
    largest = int(np.abs(ticks).max(initial=0)) * step.numerator
    if largest >= _INT64 or (ticks * step.numerator % step.denominator).any():
        raise AnnotationError("redactkit.video.time_base does not fit the fragments' ticks")
    pts: NDArray[np.int64] = ticks * step.numerator // step.denominator
    return pts


def _as_rows(
    fragments: Sequence[Fragment], frame_of_entry: NDArray[np.int64], info: VideoInfo, *, trusted: bool
) -> tuple[pd.DataFrame, dict[int, str], list[Remark]]:
    entries = [entry or () for fragment in fragments for entry in fragment.events or ()]
    faces = list(chain.from_iterable(entries))
    counts = np.fromiter(map(len, entries), np.int64, len(entries))
    entry = np.repeat(np.arange(len(entries)), counts)
    shares = np.array([(face.x, face.y, face.width, face.height) for face in faces], np.float64).reshape(-1, 4)
    check_boxes(shares, where=lambda row: _place(row, entry, fragments))
    size = (info.width, info.height)
    pixels, scale = (
        (shares * [*size, *size], [])
        if trusted
        else from_shares(shares, size, where=lambda row: _place(row, entry, fragments))
    )
    ids, labels, remarks = number_faces([face.id for face in faces])
    frames = frame_of_entry[entry] if len(entry) else entry
    sources, unknown = _sources(faces)
    table = {
        "frame": frames,
        "time": info.times[frames],
        "face_id": ids,
        **dict(zip(BOX, round_pixels(pixels).T, strict=True)),
        "confidence": np.array([np.nan if face.confidence is None else face.confidence for face in faces], np.float64),
        "source": sources,
        "label": np.array([face.label or "" for face in faces], object),
        "kind": np.array([read_kind(face.kind or "") for face in faces], object),
        "occluded": np.array([bool(face.occluded) for face in faces], bool),
        "person": np.array([face.person or "" for face in faces], object),
        "keyframe": np.array([face.keyframe for face in faces], object),
    }
    return as_detections(table), labels, [*remarks, *unknown, *scale]


def _sources(faces: Sequence[Face]) -> tuple[Any, list[Remark]]:
    given = [face.source for face in faces]
    unknown = {str(name) for name in set(given) - {None, *SOURCES}}
    sources = ["imported" if name is None or name in unknown else name for name in given]
    text = f"source {sorted(unknown)[:5]} is none of ours and became 'imported'"
    return np.array(sources, dtype=object), [Remark("unknown source", text)] if unknown else []


def _place(row: int, entry: NDArray[np.int64], fragments: Sequence[Fragment]) -> str:
    ends = np.cumsum([len(fragment.events or ()) for fragment in fragments])
    fragment = int(np.searchsorted(ends, entry[row], side="right"))
    event = int(entry[row]) - (int(ends[fragment - 1]) if fragment else 0)
    inner = row - int(np.argmax(entry == entry[row]))
    return f"$.fragments[{fragment}].events[{event}][{inner}]"
