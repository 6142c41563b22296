"""Read and write annotation files of this and other tools, ID lists and presets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

from redactkit.annotations import Annotations, thumbnail_name
from redactkit.errors import OptionError
from redactkit.formats.alignment import align
from redactkit.formats.azure.reader import read_azure
from redactkit.formats.azure.writer import write_azure
from redactkit.formats.coco import read_coco
from redactkit.formats.cvat import read_cvat
from redactkit.formats.cvat_writer import write_cvat
from redactkit.formats.detect_format import recognize
from redactkit.formats.google import read_google
from redactkit.formats.ids import faces_of_list, find_id_lists, id_list_name, read_ids, write_ids
from redactkit.formats.mot import read_mot
from redactkit.formats.normalize import Reading, warn
from redactkit.formats.plain import read_csv, read_parquet
from redactkit.formats.preset import Preset, read_preset
from redactkit.formats.rekognition import read_rekognition
from redactkit.formats.same_video import check_same_video
from redactkit.formats.source import MOST_RATE, Source, load_bytes, to_utf8
from redactkit.formats.videoindexer import read_videoindexer
from redactkit.formats.writers import write_coco, write_csv, write_mot, write_parquet
from redactkit.media import VideoInfo
from redactkit.runtime.files import sweep_parts

__all__ = [
    "READABLE",
    "WRITABLE",
    "Preset",
    "align",
    "check_same_video",
    "faces_of_list",
    "find_id_lists",
    "id_list_name",
    "load",
    "probed",
    "read_annotations",
    "read_ids",
    "read_preset",
    "thumbnail_name",
    "write_annotations",
    "write_ids",
]

_READERS: dict[str, Callable[[Source], Reading]] = {
    "azure": read_azure,
    "videoindexer": read_videoindexer,
    "rekognition": read_rekognition,
    "google": read_google,
    "cvat": read_cvat,
    "mot": read_mot,
    "coco": read_coco,
    "csv": read_csv,
    "parquet": read_parquet,
}
_WRITERS: dict[str, Callable[..., Path]] = {
    "azure": write_azure,
    "cvat": write_cvat,
    "mot": write_mot,
    "coco": write_coco,
    "csv": write_csv,
    "parquet": write_parquet,
}
Paths = str | Path | Sequence[str | Path]
READABLE = list(_READERS)
WRITABLE = list(_WRITERS)


def read_annotations(
    path: Paths,
    *,
    format: str | None = None,
    video: VideoInfo | str | Path | None = None,
    frame_size: tuple[int, int] | None = None,
    frame_rate: Fraction | float | None = None,
) -> Annotations:
    """Read an annotation file of any format known.

    Parameters
    ----------
    path : path, or sequence of paths
        Several files are the pages of one Rekognition result, in order.
    format : str, optional
        One of `READABLE`; default: recognised by content.
    video : VideoInfo or path, optional
        The video that the file is about: its size, rate and times stand in where the file has none, and boxes
        are laid on its frames.
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
    VideoError
        If the video cannot be read.

    Warns
    -----
    AnnotationWarning
        For what is lost or was repaired.
    """
    info = probed(video)
    reading = load(path, format=format, video=info, frame_size=frame_size, frame_rate=frame_rate)
    warn(reading.remarks, path=path)
    return reading.annotations if info is None else align(reading.annotations, info)


def load(
    path: Paths,
    *,
    format: str | None = None,
    video: VideoInfo | str | Path | None = None,
    frame_size: tuple[int, int] | None = None,
    frame_rate: Fraction | float | None = None,
) -> Reading:
    """Read a file and keep what its reader had to remark."""
    rate = None if frame_rate is None else _as_rate(frame_rate)
    source = Source(*_load(path), probed(video), frame_size, rate)
    name = format or recognize(source)
    if name not in _READERS:
        raise OptionError(f"format must be one of {', '.join(_READERS)}, got {name!r}")
    return _READERS[name](source)


def probed(video: VideoInfo | str | Path | None) -> VideoInfo | None:
    """Return a video's header, read from the file where only its path is given."""
    if not isinstance(video, str | Path):
        return video
    from redactkit.video import probe  # most files are read without a video, and without PyAV

    return probe(video)


def _as_rate(rate: Fraction | float) -> Fraction:
    if not 0 < rate <= MOST_RATE:
        raise OptionError(f"frame_rate must be above 0 and at most {MOST_RATE} frames per second, got {rate}")
    return Fraction(str(rate)).limit_denominator(10**6)


def _load(path: Paths) -> tuple[Path, bytes]:
    """Return a file's name and bytes; several files are joined, as pages of one result."""
    if isinstance(path, str | Path):
        return Path(path), load_bytes(path)
    pages = [to_utf8(load_bytes(page), path=page) for page in path]
    if not pages:
        raise OptionError("no file to read; name at least one")
    return Path(path[0]), b"\n".join(pages)


def write_annotations(
    annotations: Annotations, path: str | Path, *, format: str = "azure", overwrite: bool = False
) -> Path:
    """Write annotations to a file, whole or not at all.

    Parameters
    ----------
    annotations : Annotations
    path : path
    format : str
        One of `WRITABLE`.
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
    sweep_parts(Path(path).parent)
    return _WRITERS[format](annotations, path, overwrite=overwrite)
