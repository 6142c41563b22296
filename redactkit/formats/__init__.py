"""Read and write annotation files of this and other tools, ID lists and presets."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from redactkit.annotations import Annotations, thumbnail_name
from redactkit.errors import MismatchError, OptionError
from redactkit.formats.alignment import align
from redactkit.formats.azure.reader import read_azure
from redactkit.formats.azure.writer import write_azure
from redactkit.formats.coco import read_coco
from redactkit.formats.cvat import read_cvat
from redactkit.formats.cvat_writer import write_cvat
from redactkit.formats.darwin import read_darwin
from redactkit.formats.datumaro import read_datumaro
from redactkit.formats.dlib import read_dlib
from redactkit.formats.google import read_google
from redactkit.formats.ids import faces_of_list, find_id_lists, id_list_name, read_ids, write_ids
from redactkit.formats.kitti import read_kitti
from redactkit.formats.labelme import read_labelme
from redactkit.formats.labels import choose_labels
from redactkit.formats.labelstudio import read_labelstudio
from redactkit.formats.mot import read_mot
from redactkit.formats.normalize import INCOMPLETE, Reading, warn
from redactkit.formats.openface import read_openface
from redactkit.formats.opening import Paths, open_source
from redactkit.formats.plain import read_csv, read_parquet
from redactkit.formats.preset import Preset, read_preset
from redactkit.formats.rekognition import read_rekognition
from redactkit.formats.same_video import check_same_video
from redactkit.formats.scalabel import read_scalabel
from redactkit.formats.source import MOST_RATE, Source
from redactkit.formats.supervisely import read_supervisely
from redactkit.formats.supervision import from_supervision, to_supervision
from redactkit.formats.via import read_via
from redactkit.formats.videoindexer import read_videoindexer
from redactkit.formats.visdrone import read_visdrone
from redactkit.formats.voc import read_voc
from redactkit.formats.wider import read_wider
from redactkit.formats.writers import write_coco, write_csv, write_mot, write_parquet
from redactkit.formats.yolo import read_yolo
from redactkit.formats.yolo_writer import write_yolo
from redactkit.media import VideoInfo
from redactkit.runtime.files import sweep_parts

__all__ = [
    "READABLE",
    "WRITABLE",
    "Preset",
    "align",
    "choose_labels",
    "check_same_video",
    "faces_of_list",
    "find_id_lists",
    "from_supervision",
    "id_list_name",
    "load",
    "probed",
    "read_annotations",
    "read_ids",
    "read_preset",
    "thumbnail_name",
    "to_supervision",
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
_WRITERS: dict[str, Callable[..., Path]] = {
    "azure": write_azure,
    "cvat": write_cvat,
    "mot": write_mot,
    "coco": write_coco,
    "yolo": write_yolo,
    "csv": write_csv,
    "parquet": write_parquet,
}
READABLE = list(_READERS)
MAX_STEP = 100_000
WRITABLE = list(_WRITERS)


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
    reading = load(
        path,
        format=format,
        video=info,
        frame_size=frame_size,
        frame_rate=frame_rate,
        labels=labels,
        video_name=video_name,
        first_frame=first_frame,
        frame_step=frame_step,
    )
    warn(reading.remarks, path=path)
    return reading.annotations if info is None else align(reading.annotations, info)


def load(
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
) -> Reading:
    """Read a file and keep what its reader had to remark; parameters as of `read_annotations`."""
    if format is not None and format not in _READERS:
        raise OptionError(f"format must be one of {', '.join(_READERS)}, got {format!r}")
    if frame_step is not None and not 1 <= frame_step <= MAX_STEP:
        raise OptionError(f"frame_step must be 1 to {MAX_STEP}, got {frame_step}")
    rate = None if frame_rate is None else _as_rate(frame_rate)
    info = probed(video)

    def make(name: Path, data: bytes) -> Source:
        return Source(name, data, info, frame_size, rate, video_name, first_frame, frame_step)

    source, name, remarks = open_source(path, format=format, make=make)
    try:
        reading = _READERS[name](source)
    except MismatchError as err:
        raise MismatchError(f"{source.path}: {err}") from err
    if labels is not None:
        reading = replace(reading, annotations=choose_labels(reading.annotations, labels))
    reading = replace(reading, remarks=[*remarks, *reading.remarks])
    missing = [remark.text for remark in reading.remarks if remark.kind in INCOMPLETE]
    if not missing:
        return reading
    known = reading.annotations
    return replace(reading, annotations=known.replace(settings={**known.settings, "incomplete": missing}))


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


def __dir__() -> list[str]:
    return sorted(__all__)
