"""Read the insights of Azure Video Indexer: when each face is seen, and not where."""

from __future__ import annotations

import re
from itertools import chain

import numpy as np
from msgspec import Struct

from redactkit.errors import AnnotationError
from redactkit.formats.assemble import FileFacts, ParsedBoxes, by_time
from redactkit.formats.normalize import Reading, Remark
from redactkit.formats.source import Source, decode_json
from redactkit.formats.videos import choose_video

__all__ = ["read_videoindexer"]

_TICKS = 10**7
_CLOCK = re.compile(r"(?:(?:(\d+)\.)?(\d+):)?(\d+):(\d+(?:\.\d{1,9})?)")
_LOST = "thumbnails, known persons and descriptions have no place in our tables and are left out"
_NOWHERE = "the file says when faces are seen but not where: boxes are NaN, and nothing can be redacted from it"


class _Appearance(Struct, rename="camel"):
    start: str | None = None
    end: str | None = None
    start_time: str | None = None
    end_time: str | None = None


class _Face(Struct, rename="camel"):
    id: int | str | None = None
    name: str | None = None
    confidence: float | None = None
    instances: list[_Appearance] | None = None
    appearances: list[_Appearance] | None = None


class _Insights(Struct, rename="camel"):
    faces: list[_Face] | None = None


class _Video(Struct, rename="camel"):
    id: str | None = None
    name: str | None = None
    insights: _Insights | None = None


class _Index(Struct, rename="camel"):
    faces: list[_Face] | None = None
    insights: _Insights | None = None
    videos: list[_Video] | None = None
    summarized_insights: _Insights | None = None


def read_videoindexer(source: Source) -> Reading:
    """Read Video Indexer insights; each appearance gives a row at its start and one at its end, boxes NaN."""
    index = decode_json(source.text, _Index, path=source.path)
    try:
        faces, remarks = _faces(index, source)
        found = ParsedBoxes()
        for place, face in enumerate(faces):
            _add_face(found, face, place)
        decisions = {_name(face, place): {"label": face.name} for place, face in enumerate(faces) if face.name}
        return by_time(
            found,
            source,
            FileFacts(
                format="videoindexer",
                size=source.find_size(otherwise=(0, 0)),
                frame_rate=source.frame_rate,
                decisions=decisions,
                remarks=[Remark("lost fields", _LOST), Remark("no boxes", _NOWHERE), *remarks],
                boxless=True,
            ),
            timescale=_TICKS,
            rule="times are those of the service, in seconds",
        )
    except AnnotationError as err:
        raise type(err)(f"{source.path}: {err}") from err


def _faces(index: _Index, source: Source) -> tuple[list[_Face], list[Remark]]:
    videos = index.videos or []
    names = [(video.name or "", video.id or "") for video in videos]
    place, remarks = choose_video(names, source)
    of_video = [videos[place].insights] if videos else []
    for insights in (*of_video, index.insights, index.summarized_insights):
        if insights is not None and insights.faces is not None:
            return insights.faces, remarks
    return index.faces or [], remarks


def _name(face: _Face, place: int) -> int | str:
    return f"face {place + 1}" if face.id is None else face.id


def _add_face(found: ParsedBoxes, face: _Face, place: int) -> None:
    for number, seen in enumerate(chain(face.instances or [], face.appearances or [])):
        where = f"$.faces[{place}].instances[{number}]"
        for clock in (seen.start or seen.start_time, seen.end or seen.end_time):
            at = _as_ticks(clock, where)
            found.add(at, _name(face, place), [np.nan] * 4, place=where, confidence=face.confidence)


def _as_ticks(clock: str | None, where: str) -> int:
    """Read hours:minutes:seconds, with days before a point as .NET writes them."""
    match = _CLOCK.fullmatch(clock or "")
    if match is None:
        raise AnnotationError(f"expected a time like 0:00:07.24, got {str(clock)[:40]!r} - at `{where}`")
    days, hours, minutes, seconds = match.groups(default="0")
    return ((int(days) * 24 + int(hours)) * 60 + int(minutes)) * 60 * _TICKS + round(float(seconds) * _TICKS)
