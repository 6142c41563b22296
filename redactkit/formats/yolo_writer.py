"""Write YOLO labels as a ZIP archive: ``data.yaml`` and a text file for every frame with a box."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np

from redactkit.annotations import Annotations
from redactkit.errors import AnnotationError
from redactkit.formats.capabilities import check_frames, warn_of_losses
from redactkit.formats.labels import FACE, class_names
from redactkit.formats.normalize import round_pixels
from redactkit.runtime.files import writing
from redactkit.runtime.marks import YAML_MARK
from redactkit.tables import BOX

__all__ = ["write_yolo"]

_DATE = (1980, 1, 1, 0, 0, 0)  # the same annotations are the same bytes


def write_yolo(annotations: Annotations, path: str | Path, *, overwrite: bool = False) -> Path:
    """Write ``class x y width height [confidence] track`` a line; a box without a label has the class ``face``.

    Confidences are written where every box has one, since a line has no word for none.

    References
    ----------
    Ultralytics, "Detect" and "Track" dataset formats.
    """
    detections = check_frames(annotations, path, format="yolo")
    size = annotations.video.width, annotations.video.height
    if min(size) <= 0:
        raise AnnotationError(f"{path}: yolo has shares of the frame, whose size is unknown; read with frame_size")
    digits = 10 + len(str(max(size)))
    pixels = round_pixels(detections[BOX].to_numpy(np.float64))
    shares = np.column_stack([pixels[:, :2] + pixels[:, 2:] / 2, pixels[:, 2:]]) / [*size, *size]
    classes = class_names(detections)
    names = sorted({*classes, FACE}, key=lambda name: (name != FACE, name))
    number_of = {name: number for number, name in enumerate(names)}
    scores = detections["confidence"].tolist() if detections["confidence"].notna().all() else None
    # A reader tells by the lowest number whether frames count from 0, so the first one has a file in any case.
    lines: dict[int, list[str]] = {0: []}
    columns = (detections["frame"].tolist(), detections["face_id"].tolist(), classes)
    for row, (frame, face, label) in enumerate(zip(*columns, strict=True)):
        numbers = [f"{share:.{digits}f}".rstrip("0").rstrip(".") for share in shares[row].tolist()]
        words = [str(number_of[label]), *numbers, *([repr(scores[row])] if scores else []), str(face)]
        lines.setdefault(frame, []).append(" ".join(words))
    with writing(path, overwrite=overwrite) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        entries = "".join(f"  {number}: {json.dumps(name)}\n" for number, name in enumerate(names))
        _put(archive, "data.yaml", compressed=False, text=f"{YAML_MARK}\ntrain: images\nval: images\nnames:\n{entries}")
        for frame, rows in lines.items():
            _put(archive, f"labels/frame_{frame:06d}.txt", "".join(f"{row}\n" for row in rows))
    holds = set() if scores or not len(detections) else {"confidence"}
    warn_of_losses(annotations, path, format="yolo", without=holds)
    return Path(path)


def _put(archive: zipfile.ZipFile, name: str, text: str, *, compressed: bool = True) -> None:
    entry = zipfile.ZipInfo(name, _DATE)
    entry.compress_type = zipfile.ZIP_DEFLATED if compressed else zipfile.ZIP_STORED
    archive.writestr(entry, text)
