"""One frame on the page with its boxes: shown, played and edited in the browser, which tells the kernel what was done.

The front end is plain JavaScript in ``static/``, joined to one ES module; nothing is fetched from anywhere but the
kernel and the Jupyter server that shows the page. Pictures travel as messages and are never part of a widget's saved
state, so that a notebook saved with it holds no face.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import anywidget
import numpy as np
import traitlets
from numpy.typing import NDArray

from redactkit.errors import RedactkitError
from redactkit.media import VideoInfo
from redactkit.widgets.geometry import Region
from redactkit.widgets.worker import LatestWorker

__all__ = ["BoxRows", "Scene", "Stage", "read_static"]

_STATIC = Path(__file__).parent / "static"
_PARTS = (
    "dom",
    "times",
    "boxes",
    "pictures",
    "lens",
    "drawing",
    "pointer",
    "keys",
    "menu",
    "controls",
    "fit",
    "player",
    "stage",
    "main",
)
_ROWS_BEFORE, _ROWS_AFTER = 120, 360
"""Frames before and after the one asked for whose boxes are sent. More make playing on need fewer messages."""

_SENT_AGAIN_AFTER = 0.7
"""Seconds within which a picture that was just sent is taken to be still on its way."""


def read_static(names: Sequence[str], suffix: str) -> str:
    """Return files of ``static/`` joined to one text."""
    return "\n".join((_STATIC / f"{name}.{suffix}").read_text(encoding="utf-8") for name in names)


class BoxRows(NamedTuple):
    """Boxes of some frames, sorted by frame.

    ``frames`` and ``faces`` are int32 of shape (N,), ``places`` float32 of shape (N, 4), x, y, width, height in
    pixels of the displayed frame; ``marks`` uint8 of shape (N,): which of ``kinds`` a box is, or where a stage has
    none, 1 for a keyframe.
    """

    frames: NDArray[np.int32]
    faces: NDArray[np.int32]
    places: NDArray[np.float32]
    marks: NDArray[np.uint8]


class Scene(Protocol):
    """What a stage shows."""

    def rows(self, start: int, stop: int) -> BoxRows:
        """Return the boxes of frames ``start`` up to, not including, ``stop``."""

    def picture(self, look: str, frame: int, region: Region | None, *, width: int) -> bytes:
        """Return a frame, or a region of it, as JPEG at most ``width`` across; look is original or redacted."""

    def do(self, message: Mapping[str, Any]) -> None:
        """Take what a person did: an edit, or one of the ``actions``."""


class Stage(anywidget.AnyWidget):
    """The front end of a frame viewer.

    Parameters
    ----------
    scene : Scene
    video : VideoInfo
    sources : sequence of str
        Paths on the Jupyter server at which the video may be, for playing it.
    most : int
        Most pixels across of the pictures sent.
    **state
        Values of the traits.
    """

    _esm = read_static(_PARTS, "js")
    _css = read_static(("stage",), "css")

    video = traitlets.Dict().tag(sync=True)
    times = traitlets.Bytes().tag(sync=True)
    actions: traitlets.List[Any] = traitlets.List().tag(sync=True)
    editable = traitlets.Bool(False).tag(sync=True)
    height = traitlets.Int(0).tag(sync=True)
    kinds: traitlets.List[Any] = traitlets.List().tag(sync=True)
    frame = traitlets.Int(0).tag(sync=True)
    shown = traitlets.Int(-1).tag(sync=True)
    faces = traitlets.Dict().tag(sync=True)
    current = traitlets.Int(None, allow_none=True).tag(sync=True)
    marked: traitlets.List[Any] = traitlets.List().tag(sync=True)
    look = traitlets.Enum(["original", "redacted", "both"], "original").tag(sync=True)
    zoom = traitlets.Bool(False).tag(sync=True)
    speed = traitlets.Float(1.0, min=0.25, max=4.0).tag(sync=True)
    note = traitlets.Dict().tag(sync=True)
    history = traitlets.List(["", ""]).tag(sync=True)
    saved = traitlets.Float(0.0).tag(sync=True)

    def __init__(
        self, scene: Scene, video: VideoInfo, *, sources: Sequence[str] = (), most: int = 1280, **state: Any
    ) -> None:
        self._scene, self._lock = scene, threading.Lock()
        self._wanted: list[tuple[str, int, Region | None, int]] = []
        self._sent: dict[tuple[str, int], tuple[int, float]] = {}
        self._edit = self._revision = self._around = 0
        self.failed: Callable[[str], None] = lambda text: None
        facts, times = _facts(video, sources, most)
        super().__init__(video=facts, times=times, **state)
        self._workers = [LatestWorker(self._send_pictures), LatestWorker(self._send_boxes, interval=0.02)]
        self.on_msg(self._receive)

    def show_boxes(self, *, changed: bool = True) -> None:
        """Send the boxes around the frame last asked for; ``changed`` also forgets pictures made of older ones."""
        if changed:
            self._revision += 1
            with self._lock:
                self._sent = {key: sent for key, sent in self._sent.items() if key[0] == "original"}
        self._workers[1].submit()

    def forget_pictures(self, look: str) -> None:
        """Let the page ask anew for the pictures of a look."""
        with self._lock:
            self._sent.clear()
        self.send({"what": "stale", "look": look})

    def play(self, on: bool = True) -> None:
        """Let the page play, or stop."""
        self.send({"what": "play", "on": on})

    def wait(self, timeout: float = 10.0) -> bool:
        """Wait until everything asked for is sent; return whether that came in time."""
        return all(worker.wait(timeout) for worker in self._workers)

    def close(self) -> None:
        """Blank the picture and take the stage out of the page."""
        for worker in getattr(self, "_workers", ()):
            worker.stop()
        self.send({"what": "blank"})
        super().close()

    def _receive(self, _: Any, message: Mapping[str, Any], __: Any = None) -> None:
        kind = message.get("do")
        if kind == "want":
            width = int(message["width"])
            self._want([(str(look), int(frame), None, width) for look, frame in message["frames"]])
        elif kind == "detail":
            region = Region(*(float(value) for value in message["region"]))
            self._want([(str(message["look"]), int(message["frame"]), region, int(message["width"]))], first=True)
        elif kind == "boxes":
            self._around = int(message["frame"])
            self.show_boxes(changed=False)
        else:
            self._around = int(message.get("frame", self._around))
            self._scene.do(message)
            self._edit = max(self._edit, int(message.get("edit", 0)))
            self.show_boxes(changed=False)

    def _want(self, pictures: list[tuple[str, int, Region | None, int]], *, first: bool = False) -> None:
        with self._lock:
            self._wanted = [*pictures, *self._wanted] if first else pictures
        self._workers[0].submit()

    def _next(self) -> tuple[str, int, Region | None, int] | None:
        now = time.monotonic()
        with self._lock:
            while self._wanted:
                look, frame, region, width = self._wanted.pop(0)
                before = self._sent.get((look, frame), (0, 0.0))
                if region is not None or before[0] < width or now - before[1] > _SENT_AGAIN_AFTER:
                    return look, frame, region, width
        return None

    def _send_pictures(self) -> None:
        while (wanted := self._next()) is not None:
            look, frame, region, width = wanted
            try:
                data = self._scene.picture(look, frame, region, width=width)
            except RedactkitError as err:
                self.failed(str(err))
                return
            sent = {"what": "picture", "look": look, "frame": frame, "region": region, "width": width}
            with self._lock:
                if region is None:
                    self._sent[look, frame] = (width, time.monotonic())
                if len(self._sent) > 4096:
                    self._sent.clear()
            self.send(sent, [data])

    def _send_boxes(self) -> None:
        edit, revision = self._edit, self._revision
        start, stop = max(self._around - _ROWS_BEFORE, 0), min(self._around + _ROWS_AFTER, self.video["count"])
        rows = self._scene.rows(start, stop)
        sent = {"what": "boxes", "start": start, "stop": stop, "edit": edit, "revision": revision}
        self.send(sent, [np.ascontiguousarray(column).tobytes() for column in rows])


def _facts(video: VideoInfo, sources: Sequence[str], most: int) -> tuple[dict[str, Any], bytes]:
    """Return what the page must know of a video, and the times of its frames where their rate varies."""
    count = max(video.frame_count, 1)
    times = video.times if video.frame_count else np.zeros(1)
    span = float(times[-1] - times[0])
    rate = (count - 1) / span if span > 0 else float(video.frame_rate) or 25.0
    even = np.abs(times - times[0] - np.arange(count) / rate).max() < 0.2 / rate
    facts = {
        "width": max(video.width, 1),
        "height": max(video.height, 1),
        "count": count,
        "rate": rate,
        "first": float(times[0]),
        "duration": video.duration,
        "name": video.name or "",
        "sources": list(sources),
        "most": most,
    }
    return facts, b"" if even else np.ascontiguousarray(times, np.float64).tobytes()
