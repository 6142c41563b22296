"""Side data of decoded frames, also of types that PyAV does not know."""

from __future__ import annotations

from typing import Any

import av
from av.buffer import Buffer
from av.sidedata.sidedata import Type

__all__ = ["side_data"]


def side_data(picture: av.VideoFrame, name: str) -> bytes:
    """Return the bytes of a type of side data, such as ``DISPLAYMATRIX``, empty if the frame has none."""
    try:
        data = picture.side_data.get(name)
    except ValueError:
        # PyAV 18 refuses all side data of a frame for one kind of a newer FFmpeg. From 19 on it gives such a kind a
        # name of its own; here it is taught to.
        Type._missing_ = classmethod(_named)  # type: ignore[assignment, method-assign]
        data = picture.side_data.get(name)
    return bytes(data) if isinstance(data, Buffer) else b""


def _named(kinds: type[Type], value: object) -> Any:
    kind: Any = object.__new__(kinds)
    kind._name_, kind._value_ = f"UNKNOWN_{value}", value
    return kind
