"""Settings of glibc and Linux that keep memory low (``mallopt``, ``malloc_trim``, ``prctl``); no effect elsewhere."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

__all__ = ["limit_arenas", "mmap_large_blocks", "small_pages", "trim_heap"]

_M_ARENA_MAX, _M_MMAP_THRESHOLD = -8, -3
_MAX_MMAP_THRESHOLD_BYTES = 1 << 25
_PR_SET_THP_DISABLE, _PR_GET_THP_DISABLE = 41, 42


def limit_arenas() -> bool:
    """Limit glibc to one memory arena for each core (``M_ARENA_MAX``); return whether that worked.

    The default is eight for each core, and each keeps what its threads once needed: an analysis of 1080p then peaks
    some 40 MB higher.
    """
    library = _glibc()
    return library is not None and bool(library.mallopt(_M_ARENA_MAX, max(2, os.cpu_count() or 1)))


@contextmanager
def mmap_large_blocks(threshold: int = 1 << 20) -> Iterator[None]:
    """Make glibc map blocks of at least ``threshold`` bytes singly, so that they are returned (``M_MMAP_THRESHOLD``).

    By default glibc raises the threshold and puts such blocks on the heap, where small blocks after them keep them from
    being returned: after a few encoders in turn, a redaction of 1080p took 46 MB more than with the first one.
    A lower threshold returns more memory and costs more system calls.
    """
    library = _glibc()
    if library is not None:
        library.mallopt(_M_MMAP_THRESHOLD, threshold)
    try:
        yield
    finally:
        if library is not None:
            library.mallopt(_M_MMAP_THRESHOLD, _MAX_MMAP_THRESHOLD_BYTES)


@contextmanager
def small_pages() -> Iterator[None]:
    """Let the process have no huge pages (``PR_SET_THP_DISABLE``).

    x264 asks for them, and then also memory that it never uses is resident: of 1080p two encoders take 14 MB more,
    and up to 35 as the kernel joins pages. Without, they take some 3 % more time.
    """
    library = _glibc()
    if library is None or library.prctl(_PR_GET_THP_DISABLE, 0, 0, 0, 0):
        yield
        return
    library.prctl(_PR_SET_THP_DISABLE, 1, 0, 0, 0)
    try:
        yield
    finally:
        library.prctl(_PR_SET_THP_DISABLE, 0, 0, 0, 0)


def trim_heap() -> None:
    """Return free heap memory to the system now (``malloc_trim``)."""
    library = _glibc()
    if library is not None:
        library.malloc_trim(0)


@lru_cache(maxsize=1)
def _glibc() -> Any | None:
    library = ctypes.CDLL(None) if sys.platform == "linux" else None
    return library if hasattr(library, "mallopt") and hasattr(library, "malloc_trim") else None
