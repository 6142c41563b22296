"""Playback: a thread that shows each frame at its time and leaves out those it would show too late."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

__all__ = ["Player"]


class Player:
    """Plays frames by their timestamps.

    Parameters
    ----------
    times : callable
        Gives the time of every frame in seconds, shape (F,).
    position : callable
        Gives the current frame; where it is not the frame shown last, somebody has moved it, and playing
        goes on from there.
    show : callable
        Shows a frame, and returns when that is done.
    ended : callable
        Called when playing stops, for whatever reason.
    """

    def __init__(
        self,
        *,
        times: Callable[[], NDArray[np.float64]],
        position: Callable[[], int],
        show: Callable[[int], None],
        ended: Callable[[], None],
    ) -> None:
        self._times, self._position, self._show, self._ended = times, position, show, ended
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self.speed = 1.0
        self.shown = 0

    @property
    def playing(self) -> bool:
        """Whether frames are being played."""
        thread = self._thread
        return thread is not None and thread.is_alive() and not self._stop.is_set()

    @property
    def is_here(self) -> bool:
        """Whether the caller runs in the player's own thread."""
        return threading.current_thread() is self._thread

    def start(self) -> None:
        """Play from the current frame, from the first one where that is the last."""
        if self.playing:
            return
        self._stop = threading.Event()
        self.shown = 0
        self._thread = threading.Thread(target=self._run, args=(self._stop,), name="redactkit-player", daemon=True)
        self._thread.start()

    def stop(self, *, wait: float = 0.0) -> None:
        """Stop playing, and wait up to some seconds for the frame under way."""
        self._stop.set()
        thread = self._thread
        if wait and thread is not None and not self.is_here:
            thread.join(wait)

    def _run(self, stop: threading.Event) -> None:
        try:
            self._play(stop)
        finally:
            stop.set()
            self._ended()

    def _play(self, stop: threading.Event) -> None:
        times = self._times()
        frame = self._position() if self._position() < len(times) - 1 else 0
        self._show(frame)
        begun, speed, origin = time.monotonic(), self.speed, times[frame]
        while not stop.is_set() and frame < len(times) - 1:
            if self._position() != frame or self.speed != speed:
                frame, speed = self._position(), self.speed
                begun, origin = time.monotonic(), times[frame]
                continue
            wanted = origin + (time.monotonic() - begun) * speed
            due = int(np.searchsorted(times, wanted, side="right")) - 1
            if due <= frame:
                stop.wait(max((times[frame + 1] - wanted) / speed, 0.001))
                continue
            frame = due
            self._show(frame)
            self.shown += 1
