"""What files are that hold no annotations, or none that can be read: told by their first bytes, keys or columns."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

__all__ = ["name_binary", "name_keys", "name_text"]

_MAGIC = [
    (0, b"\x1a\x45\xdf\xa3", "a video (Matroska or WebM)"),
    (8, b"AVI ", "a video (AVI)"),
    (8, b"WAVE", "sound (WAV)"),
    (8, b"WEBP", "an image (WebP)"),
    (0, b"FLV\x01", "a video (Flash)"),
    (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "a video (Windows Media)"),
    (0, b"\x00\x00\x01\xba", "a video (MPEG program stream)"),
    (0, b"\x00\x00\x01\xb3", "a video (MPEG)"),
    (0, b"OggS", "a video or sound (Ogg)"),
    (0, b"ID3", "sound (MP3)"),
    (0, b"\xff\xd8\xff", "an image (JPEG)"),
    (0, b"\x89PNG\r\n\x1a\n", "an image (PNG)"),
    (0, b"GIF8", "an image (GIF)"),
    (0, b"BM", "an image (BMP)"),
    (0, b"II*\x00", "an image (TIFF)"),
    (0, b"MM\x00*", "an image (TIFF)"),
    (0, b"%PDF", "a PDF document"),
    (0, b"\x89HDF\r\n\x1a\n", "HDF5 data, such as a Keras model"),
    (0, b"\x93NUMPY", "a NumPy array"),
    (0, b"MATLAB 5.0", "MATLAB data"),
    (0, b"SQLite format 3\x00", "a SQLite database"),
    (0, b"Obj\x01", "Avro data"),
    (0, b"ARROW1", "Arrow data (Feather); save it as Parquet"),
    (0, b"\x7fELF", "a program"),
    (0, b"MZ", "a program"),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7z archive; unpack it"),
    (0, b"Rar!\x1a\x07", "a RAR archive; unpack it"),
    (0, b"\xfd7zXZ\x00", "an xz file; unpack it"),
    (0, b"BZh", "a bzip2 file; unpack it"),
    (0, b"\x28\xb5\x2f\xfd", "a Zstandard file; unpack it"),
    (257, b"ustar", "a tar archive; unpack it"),
    (4, b"TFL3", "a model (TensorFlow Lite)"),
    (0, b"GGUF", "a model (GGUF)"),
]
_CAFFE = re.compile(rb"^\s*(name\s*:\s*\"|layer\s*\{|input\s*:\s*\")")

# By the members of an archive.
_MEMBERS = [
    (re.compile(r"(^|/)data\.pkl$"), "a model (PyTorch)"),
    (re.compile(r"^xl/"), "an Excel workbook; save the sheet as CSV"),
    (re.compile(r"^word/"), "a Word document"),
    (re.compile(r"^ppt/"), "a PowerPoint document"),
    (re.compile(r"\.npy$"), "NumPy arrays (npz)"),
    (re.compile(r"^META-INF/"), "a Java archive"),
    (re.compile(r"^content\.xml$"), "an OpenDocument file; save a table as CSV"),
    (re.compile(r"\.(zip|gz|tar|tgz|7z|rar)$", re.IGNORECASE), "an archive in an archive; unpack the outer one"),
]

# By keys of JSON, lowered and without underscores: all of the first must be there.
_KEYS = [
    ({"facerectangle"}, "a face of Azure Face or Face++, of one image"),
    ({"faceid", "facerectangle"}, "faces of Azure Face, of one image"),
    ({"facetoken"}, "faces of Face++, of one image"),
    ({"moderationlabels"}, "Rekognition content moderation, which has no face boxes"),
    ({"textdetections"}, "Rekognition text detection, which has no face boxes"),
    ({"segments", "selectedsegmenttypes"}, "Rekognition segment detection, which has no face boxes"),
    ({"facemodelversions", "labels"}, "Rekognition labels"),
    ({"facesearchresponse"}, "records of a Rekognition stream processor, which are of a live stream and not of a file"),
    ({"searchedfaceid", "facematches"}, "a search of a Rekognition collection, whose boxes are of other images"),
    ({"searchedfaceboundingbox"}, "a search of a Rekognition collection, whose boxes are of other images"),
    ({"protectiveequipmentmodelversion"}, "Rekognition protective equipment, which has no face boxes"),
    ({"api", "jobid", "status"}, "the notice that a Rekognition job has ended, and not the job's result"),
    ({"statement", "version"}, "an access policy (AWS)"),
    ({"jobid"}, "the answer to a request that started a job, and not the job's result"),
    ({"resourcemanifest"}, "a Rekognition manifest"),
    ({"segmentsinfo"}, "COCO panoptic segmentation, whose masks are in images beside it"),
    ({"assets", "videosettings"}, "a VoTT project; export it as CSV or Pascal VOC"),
    ({"image", "coordinates"}, "Create ML JSON; export Pascal VOC or COCO instead"),
    ({"label", "coordinates"}, "Create ML JSON; export Pascal VOC or COCO instead"),
    ({"trackbboxes", "trackmasks"}, "raw results of mmtracking; write MOT text instead"),
    ({"nbformat", "cells"}, "a Jupyter notebook"),
    ({"type", "features"}, "GeoJSON"),
    ({"people", "version"}, "OpenPose keypoints, which have no boxes"),
    ({"streams", "format"}, "what ffprobe says of a video"),
    ({"dependencies"}, "a package manifest"),
    ({"modeltopology"}, "a model (TensorFlow.js)"),
    ({"error"}, "an error that a service answered with, and no result"),
]


def name_binary(data: bytes) -> str | None:
    r"""Return what a file of another kind is, by its first bytes; None if they say nothing.

    Examples
    --------
    >>> name_binary(b"\x00\x00\x00\x18ftypmp42")
    'a video (MP4)'
    """
    if data[4:8] == b"ftyp":
        brand = data[8:12]
        if brand in (b"avif", b"heic", b"mif1"):
            return "an image (HEIF or AVIF)"
        return "a video (QuickTime)" if brand == b"qt  " else "a video (MP4)"
    if data[4:8] in (b"moov", b"mdat", b"styp", b"moof"):
        return "a video (MP4)"
    if data[:1] == b"\x47" and data[188:189] == b"\x47":
        return "a video (MPEG transport stream)"
    for start, magic, name in _MAGIC:
        if data[start : start + len(magic)] == magic:
            return name
    if data[:2] in (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05"):
        return "a Python pickle, such as a model; it is never opened, since it could run anything"
    if data[:2] == b"\x08\x03" or (data[:1] == b"\x08" and (b"onnx" in data[:200] or b"pytorch" in data[:200])):
        return "a model (ONNX)"
    return None


def name_members(names: Collection[str]) -> str | None:
    """Return what an archive without annotations is, by the names in it; None if they say nothing."""
    return next((what for pattern, what in _MEMBERS if any(pattern.search(name) for name in names)), None)


def name_keys(value: Any) -> str | None:
    """Return what decoded JSON of another kind is, by its keys and those of its first items."""
    for keys in _levels(value, 3):
        for wanted, what in _KEYS:
            if wanted <= keys:
                return what
    return None


def _levels(value: Any, deepest: int) -> list[set[str]]:
    """Return the keys of an object, and of the first object in each list or object within."""
    if isinstance(value, list):
        return _levels(value[0], deepest) if value else []
    if not isinstance(value, dict):
        return []
    own = [{str(key).lower().replace("_", "") for key in value}]
    if deepest:
        for item in list(value.values())[:20]:
            own += _levels(item, deepest - 1)
    return own


def name_text(line: str) -> str | None:
    """Return what text of another kind is, by its first line."""
    if _CAFFE.match(line.encode()):
        return "a model's layout (Caffe)"
    if line.startswith("WEBVTT") or re.match(r"\d+:\d\d:\d\d[,.]\d{3} --> ", line):
        return "subtitles"
    if line.startswith(("version https://git-lfs", "oid sha256:")):
        return "a pointer of Git LFS and not the file itself; fetch it with git lfs pull"
    if line.startswith("/annex/objects") or "/.git/annex/" in line:
        return "a pointer of git-annex and not the file itself; fetch it with git annex get"
    if line.startswith("#Study :"):
        return "an iMotions table; save frame, x, y, width and height as CSV"
    if re.match(r"(train|val|test|names|nc|path|download|yaml|roboflow)\s*:", line):
        return "the data.yaml of a YOLO data set, without a box; name the folder or the archive in which it is"
    if line.startswith(("#!", "import ", "from ", "def ")):
        return "a program's text"
    if re.fullmatch(r"[-\d.,\s]+", line) and len(line.split()) == 1 and line.strip().isdigit():
        return "a list of numbers; an ID list is given with ids= (--ids)"
    return None
