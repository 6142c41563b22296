"""Write MOT, COCO, CSV and Parquet."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pandas as pd

from redactkit.annotations import Annotations
from redactkit.errors import AnnotationError
from redactkit.formats.attributes import FACE_LABEL, attributes_of
from redactkit.formats.capabilities import check_frames, warn_of_losses
from redactkit.formats.header import as_header, plain
from redactkit.formats.labels import stated_kinds
from redactkit.formats.plain import METADATA, ParquetHeader, import_pyarrow
from redactkit.runtime.files import write_bytes, write_text, writing
from redactkit.runtime.marks import COCO_CONTRIBUTOR, MOT_MARK, MOT_VISIBLE
from redactkit.tables import BOX, CARRIED, FACE, TEXTS, sort_detections

__all__ = ["write_coco", "write_csv", "write_mot", "write_parquet"]

_NO_WORLD = "-1,-1"  # the rest of a place in the world, which nobody knows


def write_mot(annotations: Annotations, path: str | Path, *, overwrite: bool = False) -> Path:
    """Write MOTChallenge text: frames and pixels count from 1, confidence is -1 where there is none.

    Of the place in the world, which is -1 where nobody knows it, x is `MOT_VISIBLE` for a face that stays visible.
    """
    detections = check_frames(annotations, path, format="mot")
    columns = [
        (detections["frame"] + 1).tolist(),
        detections["face_id"].tolist(),
        *((detections[name] + (name in "xy")).round(9).tolist() for name in BOX),
        detections["confidence"].fillna(-1).tolist(),
        np.where(annotations.decisions["redact"].reindex(detections["face_id"]), -1, MOT_VISIBLE).tolist(),
    ]
    lines = [f"{','.join(map(_short, row))},{_NO_WORLD}" for row in zip(*columns, strict=True)]
    if lines:
        lines[-1] = f"{lines[-1].removesuffix(_NO_WORLD)}{MOT_MARK}"
    write_text(path, "".join(f"{line}\n" for line in lines), overwrite=overwrite)
    warn_of_losses(annotations, path, format="mot")
    return Path(path)


def _short(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(value)


def write_coco(annotations: Annotations, path: str | Path, *, overwrite: bool = False) -> Path:
    """Write COCO JSON of a video: an image for every frame with its time, ``track_id`` for the face ID."""
    detections = check_frames(annotations, path, format="coco")
    video = annotations.video
    last = int(detections["frame"].max()) if len(detections) else -1
    if last >= video.frame_count:
        raise AnnotationError(f"{path}: frame {last} has a box, but the video only {video.frame_count} frames")
    document = {
        "info": {"description": "faces by redactkit", "version": "1.0", "contributor": COCO_CONTRIBUTOR},
        "licenses": [],
        "videos": [{"id": 1, **_named(annotations), **_sized(annotations), **_rated(annotations)}],
        "images": _images(annotations),
        "annotations": _coco_boxes(detections, attributes_of(annotations.decisions)),
        "categories": _categories(detections),
    }
    write_bytes(path, msgspec.json.encode(document), overwrite=overwrite)
    warn_of_losses(annotations, path, format="coco")
    return Path(path)


def _categories(detections: pd.DataFrame) -> list[dict[str, Any]]:
    """Return a category for each label and kind; boxes without a label come back without one."""
    pairs = {*zip(detections["label"], stated_kinds(detections), strict=True)} - {("", "")}
    named = [
        {"id": number, "name": kind or label, "label": label, "kind": kind, "supercategory": ""}
        for number, (label, kind) in enumerate(sorted(pairs), start=2)
    ]
    return [{"id": 1, "name": FACE, "label": "", "kind": "", "supercategory": "person"}, *named]


def _named(annotations: Annotations) -> dict[str, Any]:
    path = annotations.video.path
    return {"name": path.name if path is not None else "video"}


def _sized(annotations: Annotations) -> dict[str, Any]:
    video = annotations.video
    return {"width": video.width, "height": video.height}


def _rated(annotations: Annotations) -> dict[str, Any]:
    return {"fps": float(annotations.video.frame_rate)} if annotations.has_times else {}


def _images(annotations: Annotations) -> list[dict[str, Any]]:
    size = _sized(annotations)
    times = annotations.video.times.tolist()
    timed = annotations.has_times
    return [
        {"id": frame + 1, "video_id": 1, "frame_id": frame, "file_name": f"frame_{frame:06d}.png", **size}
        | ({"time": time} if timed else {})
        for frame, time in enumerate(times)
    ]


def _coco_boxes(detections: pd.DataFrame, decided: dict[int, dict[str, Any]]) -> list[dict[str, Any]]:
    columns = [detections["frame"].tolist(), detections["face_id"].tolist(), detections[BOX].to_numpy().tolist()]
    scores = [None if np.isnan(value) else value for value in detections["confidence"].tolist()]
    number_of = {(item["label"], item["kind"]): item["id"] for item in _categories(detections)}
    kinds = [number_of[pair] for pair in zip(detections["label"], stated_kinds(detections), strict=True)]
    said = [detections[name].tolist() for name in ("occluded", "person")]
    rows = []
    for number, (frame, face, box, kind, score, occluded, person) in enumerate(
        zip(*columns, kinds, scores, *said, strict=True), start=1
    ):
        row = {"id": number, "image_id": frame + 1, "video_id": 1, "category_id": kind, "track_id": face, "bbox": box}
        row |= {"area": box[2] * box[3], "iscrowd": 0}
        row |= {"score": score} if score is not None else {}
        said_of_box = {name: value for name, value in (("occluded", occluded), ("person", person)) if value}
        attributes = said_of_box | decided.get(face, {})
        rows.append(row | ({"attributes": attributes} if attributes else {}))
    return rows


def write_csv(annotations: Annotations, path: str | Path, *, overwrite: bool = False) -> Path:
    """Write the detections with the decision of each face as CSV, numbers in full; text comes back exactly.

    ``label`` is the class of the box, ``face_label`` the name that the analyst gave the face.
    """
    rows = sort_detections(annotations.detections)
    decided = annotations.decisions.rename(columns={"label": FACE_LABEL}).reindex(rows["face_id"])
    table = rows.assign(**{str(name): decided[name].to_numpy() for name in decided})
    # Readers leave out blanks after a comma, unless text is in quotes.
    written = (*CARRIED, FACE_LABEL, *TEXTS[1:])
    blanks = any(text[:1].isspace() for name in written for text in map(str, table[name].unique()))
    quoted: dict[str, Any] = {"quoting": csv.QUOTE_NONNUMERIC} if blanks else {}
    with writing(path, overwrite=overwrite) as file:
        table.to_csv(file, index=False, mode="wb", encoding="utf-8", lineterminator="\n", **quoted)
    warn_of_losses(annotations, path, format="csv")
    return Path(path)


def write_parquet(annotations: Annotations, path: str | Path, *, overwrite: bool = False) -> Path:
    """Write the detections as Parquet, everything else in its metadata; nothing is lost.

    Raises
    ------
    OptionError
        If the package pyarrow is not installed.
    """
    parquet = import_pyarrow()
    import pyarrow

    video = annotations.video
    header = as_header(annotations)
    header = ParquetHeader(
        **{name: getattr(header, name) for name in header.__struct_fields__},
        width=video.width,
        height=video.height,
        pts=video.pts.tolist(),
    )
    rows = sort_detections(annotations.detections)
    rows = rows.assign(**{name: rows[name].astype(str) for name in ("source", *CARRIED)})
    table = pyarrow.Table.from_pandas(rows, preserve_index=False)
    table = table.replace_schema_metadata({METADATA: msgspec.json.encode(header, enc_hook=plain)})
    with writing(path, overwrite=overwrite) as file:
        parquet.write_table(table, file)
    return Path(path)
