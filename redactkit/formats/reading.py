"""Read annotation files of any format known, by one way for every caller."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import numpy as np

from redactkit.annotations import Annotations
from redactkit.errors import AnnotationError, MismatchError, OptionError
from redactkit.formats.alignment import align
from redactkit.formats.azure.reader import read_azure
from redactkit.formats.coco import read_coco
from redactkit.formats.cvat import read_cvat
from redactkit.formats.darwin import read_darwin
from redactkit.formats.datumaro import read_datumaro
from redactkit.formats.dlib import read_dlib
from redactkit.formats.fit import add_doubts, doubt_fit, doubts_in
from redactkit.formats.google import read_google
from redactkit.formats.kitti import read_kitti
from redactkit.formats.labelme import read_labelme
from redactkit.formats.labels import choose_labels
from redactkit.formats.labelstudio import read_labelstudio
from redactkit.formats.mot import read_mot
from redactkit.formats.normalize import INCOMPLETE, Reading, warn
from redactkit.formats.openface import read_openface
from redactkit.formats.opening import Paths, open_source
from redactkit.formats.plain import read_csv, read_parquet
from redactkit.formats.rekognition import read_rekognition
from redactkit.formats.scalabel import read_scalabel
from redactkit.formats.source import MOST_RATE, Source
from redactkit.formats.supervisely import read_supervisely
from redactkit.formats.units import UNITS
from redactkit.formats.via import read_via
from redactkit.formats.videoindexer import read_videoindexer
from redactkit.formats.visdrone import read_visdrone
from redactkit.formats.voc import read_voc
from redactkit.formats.wider import read_wider
from redactkit.formats.yolo import read_yolo
from redactkit.media import VideoInfo

__all__ = ["MAX_STEP", "READABLE", "ReadOptions", "load", "probed", "read_annotations"]

_READERS: dict[str, Callable[[Source], Reading]] = {
    "azure": read_azure,
    "videoindexer": read_videoindexer,
    "rekognition": read_rekognition,
    "google": read_google,
    "cvat": read_cvat,
    "mot": read_mot,
    "coco": read_coco,
    "yolo": read_yolo,
    "labelstudio": read_labelstudio,
    "voc": read_voc,
    "labelme": read_labelme,
    "via": read_via,
    "supervisely": read_supervisely,
    "darwin": read_darwin,
    "datumaro": read_datumaro,
    "scalabel": read_scalabel,
    "openface": read_openface,
    "wider": read_wider,
    "dlib": read_dlib,
    "kitti": read_kitti,
    "visdrone": read_visdrone,
    "csv": read_csv,
    "parquet": read_parquet,
}
READABLE = list(_READERS)
MAX_STEP = 100_000
_LONGEST_ERROR = 1500  # characters


@dataclass(frozen=True)
class ReadOptions:
    """What the caller knows of a file that the file may not say itself; each as in `read_annotations`."""

    format: str | None = None
    video: VideoInfo | str | Path | None = None
    frame_size: tuple[int, int] | None = None
    frame_rate: Fraction | float | None = None
    labels: str | Iterable[str] | None = None
    video_name: str | None = None
    first_frame: int | None = None
    frame_step: int | None = None
    units: str | None = None


_NOTHING_KNOWN = ReadOptions()


def read_annotations(
    path: Paths,
    *,
    format: str | None = None,
    video: VideoInfo | str | Path | None = None,
    frame_size: tuple[int, int] | None = None,
    frame_rate: Fraction | float | None = None,
    labels: str | Iterable[str] | None = None,
    video_name: str | None = None,
    first_frame: int | None = None,
    frame_step: int | None = None,
    units: str | None = None,
) -> Annotations:
    """Read an annotation file of any format known.

    Parameters
    ----------
    path : path, or sequence of paths
        A file, also compressed by gzip; a ZIP archive or a folder with one annotation file in it, or with one for
        every image. Several files are the pages of one Rekognition result, in order.
    format : str, optional
        One of `READABLE`; default: recognised by content.
    video : VideoInfo or path, optional
        The video that the file is about: its size, rate and times stand in where the file has none, and boxes
        are laid on its frames.
    frame_size : (int, int), optional
        Width and height in pixels, where the file has none.
    frame_rate : Fraction or float, optional
        Frames per second, where the file has none. Without it times are NaN.
    labels : str or iterable of str, optional
        Only boxes with one of these labels, see `choose_labels`; default: all boxes.
    video_name : str, optional
        Which video is meant, where the file speaks of several; default: the name of ``video``.
    first_frame : int, optional
        The number that the file gives the video's first frame; default: by the rule of the tool that wrote it.
    frame_step : int, optional
        How many frames of the video the file's frame numbers are apart.
    units : str, optional
        ``"pixels"``, ``"percent"`` or ``"shares"`` of the frame, where the file does not say what its boxes are in;
        default: told by the numbers, and refused where they may be percent as well as pixels.

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

    Examples
    --------
    >>> from redactkit.runtime.resources import sample_truth_path
    >>> annotations = read_annotations(sample_truth_path())
    >>> annotations.video.frame_count, len(annotations.tracks)
    (500, 6)
    """
    info = probed(video)
    options = ReadOptions(format, info, frame_size, frame_rate, labels, video_name, first_frame, frame_step, units)
    reading = load(path, options)
    warn(reading.remarks, path=path)
    return reading.annotations if info is None else align(reading.annotations, info)


def load(path: Paths, options: ReadOptions = _NOTHING_KNOWN) -> Reading:
    """Read a file and keep what its reader had to remark; errors as of `read_annotations`.

    Examples
    --------
    >>> from redactkit.runtime.resources import sample_truth_path
    >>> load(sample_truth_path()).format
    'azure'
    """
    if options.format is not None and options.format not in _READERS:
        raise OptionError(f"format must be one of {', '.join(_READERS)}, got {options.format!r}")
    if options.frame_step is not None and not 1 <= options.frame_step <= MAX_STEP:
        raise OptionError(f"frame_step must be 1 to {MAX_STEP}, got {options.frame_step}")
    if options.units is not None and options.units not in UNITS:
        raise OptionError(f"units must be one of {', '.join(UNITS)}, got {options.units!r}")
    rate = None if options.frame_rate is None else _as_rate(options.frame_rate)
    info = probed(options.video)

    def make(name: Path, data: bytes) -> Source:
        return Source(
            name,
            data,
            info,
            options.frame_size,
            rate,
            options.video_name,
            options.first_frame,
            options.frame_step,
            options.units,
        )

    try:
        source, name, remarks = open_source(path, format=options.format, make=make)
        if options.units is not None and name == "azure":
            raise AnnotationError(f"{source.path}: azure states the units of its boxes; leave out units (--units)")
        with np.errstate(over="ignore"):  # sides that are no finite number are refused with their place
            reading = _READERS[name](source)
    except RecursionError as err:
        raise AnnotationError(f"{path}: nested too deeply to be read as annotations") from err
    except MismatchError as err:
        raise MismatchError(f"{source.path}: {err}") from err
    except AnnotationError as err:
        if len(str(err)) <= _LONGEST_ERROR:
            raise
        # A hostile or broken file can have names and nests of any length, which a reader quotes.
        half = _LONGEST_ERROR // 2
        raise type(err)(f"{str(err)[:half]} ... {str(err)[-half:]}") from err
    if options.labels is not None:
        reading = replace(reading, annotations=choose_labels(reading.annotations, options.labels))
    reading = replace(reading, remarks=[*remarks, *reading.remarks, *doubt_fit(reading)])
    reading = replace(reading, annotations=add_doubts(reading.annotations, doubts_in(reading.remarks)))
    missing = [remark.text for remark in reading.remarks if remark.kind in INCOMPLETE]
    if not missing:
        return reading
    known = reading.annotations
    return replace(reading, annotations=known.replace(settings={**known.settings, "incomplete": missing}))


def probed(video: VideoInfo | str | Path | None) -> VideoInfo | None:
    """Return a video's header, read from the file where only its path is given.

    Examples
    --------
    >>> from redactkit.runtime.resources import sample_path
    >>> probed(sample_path()).frame_count, probed(None)
    (500, None)
    """
    if not isinstance(video, str | Path):
        return video
    from redactkit.video import probe  # most files are read without a video, and without PyAV

    return probe(video)


def _as_rate(rate: Fraction | float) -> Fraction:
    if not 0 < rate <= MOST_RATE:
        raise OptionError(f"frame_rate must be above 0 and at most {MOST_RATE} frames per second, got {rate}")
    return Fraction(str(rate)).limit_denominator(10**6)
