"""A file that speaks of several videos: which of them is meant."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PureWindowsPath

from redactkit.errors import AnnotationError
from redactkit.formats.normalize import Remark
from redactkit.formats.source import Source

__all__ = ["choose_video"]

_SHOWN = 8
_VIDEOS = {".mp4", ".mov", ".m4v", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts", ".mts", ".wmv", ".flv", ".3gp"}

Names = tuple[str, ...]


def choose_video(videos: Sequence[Names], source: Source) -> tuple[int, list[Remark]]:
    """Return which of a file's videos is meant, and a remark where there are several.

    Parameters
    ----------
    videos : sequence of tuple of str
        For each video what it is called in the file, the best name first: its file, its title, its ID.
    source : Source
        Says which is wanted by ``video_name``, else by the name of the video's file.

    Raises
    ------
    AnnotationError
        If there are several and nothing says which is meant, or what is said fits none, or several.
    """
    named = [name for names in videos for name in names if name]
    if len(videos) <= 1 and (source.video_name is None or not named or _fitting(videos, source.video_name)):
        return 0, _doubt(named, source)
    if len(videos) == 1:
        raise AnnotationError(f"the file speaks of the video {named[0][:80]} and not of {source.video_name!r}")
    shown = [next((name for name in names if name), "without a name") for names in videos]
    wanted = source.wanted_video
    fits = _fitting(videos, wanted) if wanted else []
    if len(fits) == 1:
        text = f"the file speaks of {len(videos)} videos ({_listed(shown)}); what it says of {shown[fits[0]]} was read"
        return fits[0], [Remark("several videos", text, quiet=True)]
    fault = f"; {wanted!r} is the name of {len(fits) or 'none'} of them" if wanted else ""
    raise AnnotationError(
        f"the file speaks of {len(videos)} videos ({_listed(shown)}){fault}; say which one with video_name= "
        "(--video-name)"
    )


def _doubt(names: Sequence[str], source: Source) -> list[Remark]:
    """Return what is to be said where the one video of a file is called otherwise: files are renamed, and mixed up."""
    wanted = source.wanted_video
    files = [name for name in names if PureWindowsPath(name).suffix.lower() in _VIDEOS]
    # Tools put numbers and words of their own before the name, and behind it.
    if wanted is None or not files or any(_stem(wanted) in _stem(name) for name in names):
        return []
    text = f"the file is about a video called {files[0][:80]}, and this one is called {wanted[:80]}"
    return [Remark("other video", text)]


def _fitting(videos: Sequence[Names], wanted: str) -> list[int]:
    """Return the videos that have a name: exactly, else without folders, else without folders and ending."""
    for form in (str, _base, _stem):
        fits = [place for place, names in enumerate(videos) if form(wanted) in {form(name) for name in names if name}]
        if fits:
            return fits
    return []


def _base(name: str) -> str:
    return PureWindowsPath(name).name.casefold()


def _stem(name: str) -> str:
    return PureWindowsPath(name).stem.casefold()


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(name[:80] for name in names[:_SHOWN]) + more
