"""Write annotations in any format that is written, whole or not at all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from redactkit.annotations import Annotations
from redactkit.errors import OptionError
from redactkit.formats.azure.writer import write_azure
from redactkit.formats.cvat_writer import write_cvat
from redactkit.formats.writers import write_coco, write_csv, write_mot, write_parquet
from redactkit.formats.yolo_writer import write_yolo
from redactkit.runtime.partial_files import sweep_partial_files

__all__ = ["WRITABLE", "write_annotations"]

_WRITERS: dict[str, Callable[..., Path]] = {
    "azure": write_azure,
    "cvat": write_cvat,
    "mot": write_mot,
    "coco": write_coco,
    "yolo": write_yolo,
    "csv": write_csv,
    "parquet": write_parquet,
}
WRITABLE = list(_WRITERS)


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

    Examples
    --------
    >>> import tempfile
    >>> from redactkit.formats import read_annotations
    >>> from redactkit.runtime.resources import sample_truth_path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_annotations(read_annotations(sample_truth_path()), f"{folder}/lobby_annotations.json").name
    'lobby_annotations.json'
    """
    if format not in _WRITERS:
        raise OptionError(f"format must be one of {', '.join(_WRITERS)}, got {format!r}")
    sweep_partial_files(Path(path).parent)
    return _WRITERS[format](annotations, path, overwrite=overwrite)
