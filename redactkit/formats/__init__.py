"""Read and write annotation files of this and other tools, ID lists and presets."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

from redactkit.annotations import Annotations, thumbnail_name
from redactkit.errors import OptionError
from redactkit.formats.alignment import align
from redactkit.formats.azure import read_azure
from redactkit.formats.azure_writer import write_azure
from redactkit.formats.ids import read_ids, write_ids
from redactkit.formats.preset import Preset, read_preset
from redactkit.formats.rows import Reading, tell
from redactkit.formats.source import Source, load_bytes
from redactkit.media import VideoInfo

__all__ = [
    "Preset",
    "align",
    "read_annotations",
    "read_ids",
    "read_preset",
    "thumbnail_name",
    "write_annotations",
    "write_ids",
]

_READERS = {"azure": read_azure}
_WRITERS = {"azure": write_azure}


def read_annotations(
    path: str | Path,
    *,
    format: str | None = None,
    video: VideoInfo | None = None,
    frame_size: tuple[int, int] | None = None,
    frame_rate: Fraction | float | None = None,
) -> Annotations:
    """Read an annotation file of any format known.

    Parameters
    ----------
    path : path
    format : str, optional
        Default: recognised by content.
    video : VideoInfo, optional
        The video that the file is about: boxes are laid on its frames.
    frame_size : (int, int), optional
        Width and height in pixels, where the file has none.
    frame_rate : Fraction or float, optional
        Frames per second, where the file has none. Without it times are NaN.

    Returns
    -------
    Annotations
        Without ``video``, on the instants that the file itself speaks of.

    Raises
    ------
    AnnotationError
        If the file cannot be read or means nothing, with the place in it.

    Warns
    -----
    AnnotationWarning
        For what is lost or was repaired.
    """
    reading = load(path, format=format, video=video, frame_size=frame_size, frame_rate=frame_rate)
    tell(reading.remarks, path=path)
    return reading.annotations if video is None else align(reading.annotations, video)


def load(
    path: str | Path,
    *,
    format: str | None = None,
    video: VideoInfo | None = None,
    frame_size: tuple[int, int] | None = None,
    frame_rate: Fraction | float | None = None,
) -> Reading:
    """Read a file and keep what its reader had to remark."""
    name = format or "azure"
    if name not in _READERS:
        raise OptionError(f"format must be one of {', '.join(_READERS)}, got {name!r}")
    rate = None if frame_rate is None else Fraction(frame_rate).limit_denominator(10**6)
    return _READERS[name](Source(Path(path), load_bytes(path), video, frame_size, rate))


def write_annotations(
    annotations: Annotations, path: str | Path, *, format: str = "azure", overwrite: bool = False
) -> Path:
    """Write annotations to a file, whole or not at all.

    Parameters
    ----------
    annotations : Annotations
    path : path
    format : str
    overwrite : bool
        Replace a file that is there.

    Returns
    -------
    Path

    Raises
    ------
    OutputExistsError
        If the file exists and ``overwrite`` is false.
    AnnotationError
        If the format cannot hold the annotations without dropping boxes.

    Warns
    -----
    AnnotationWarning
        For what is lost.
    """
    if format not in _WRITERS:
        raise OptionError(f"format must be one of {', '.join(_WRITERS)}, got {format!r}")
    return _WRITERS[format](annotations, path, overwrite=overwrite)
