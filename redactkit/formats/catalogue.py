"""The formats by name: what they are called, and what a file of each can hold when it is read and written.

The table in ``docs/formats.md`` is made from this by `as_markdown`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["COLUMNS", "FORMATS", "READ", "Form", "as_markdown"]

COLUMNS = [
    "boxes",
    "face IDs",
    "labels",
    "confidence",
    "times",
    "frame size",
    "names of faces",
    "decisions",
    "occlusion",
    "persons",
    "keyframes",
]
_ALL = {
    "boxes", "face IDs", "labels", "kinds", "confidence", "times", "frame size", "names of faces", "decisions",
    "reasons", "time ranges", "looks", "people", "occlusion", "persons", "keyframes", "suggestions", "source",
    "frames without faces", "discarded boxes", "cuts", "settings", "SHA-256",
}  # fmt: skip


@dataclass(frozen=True)
class Form:
    """What a format is and what it holds.

    Parameters
    ----------
    title : str
    read : set of str
        What can be read from a file, of the names in `redactkit.formats.capabilities`.
    written : set of str
        What is written; empty where the format is only read.
    many : str
        Where each file is about one image, and a folder or an archive of them about a video, their ending; else "".
    """

    title: str
    read: set[str] = field(default_factory=set)
    written: set[str] = field(default_factory=set)
    many: str = ""


_TRACKED = {"boxes", "face IDs"}
_SIZED = _TRACKED | {"frame size"}
_SAID = {"names of faces", "decisions", "reasons", "time ranges", "looks", "people", "occlusion", "persons"}
"""What attributes of boxes hold."""

FORMATS: dict[str, Form] = {
    "azure": Form("Azure Media Redactor and Face Detector JSON, redactkit's own", _ALL, _ALL),
    "videoindexer": Form("Azure Video Indexer insights", {"face IDs", "confidence", "times", "names of faces"}),
    "rekognition": Form("Amazon Rekognition results", _SIZED | {"labels", "confidence", "times", "names of faces"}),
    "google": Form("Google Video Intelligence results", _TRACKED | {"labels", "confidence", "times"}),
    "cvat": Form(
        "CVAT XML 1.1, for video and for images",
        _SIZED | _SAID | {"labels", "keyframes", "frames without faces"},
        _SIZED | _SAID | {"labels", "keyframes", "frames without faces"},
    ),
    "mot": Form(
        "MOTChallenge text",
        _SIZED | {"labels", "confidence", "times", "decisions"},
        _TRACKED | {"confidence", "decisions"},
    ),
    "coco": Form(
        "COCO JSON, for images and for video",
        _SIZED | _SAID | {"labels", "kinds", "confidence", "times", "frames without faces"},
        _SIZED | _SAID | {"labels", "kinds", "confidence", "times", "frames without faces"},
    ),
    "yolo": Form(
        "YOLO labels with data.yaml, in a folder or a ZIP archive",
        _TRACKED | {"labels", "confidence"},
        _TRACKED | {"labels", "confidence"},
        many=".txt",
    ),
    "labelstudio": Form(
        "Label Studio JSON, of videos and images", _SIZED | {"labels", "confidence", "times", "keyframes"}
    ),
    "voc": Form("Pascal VOC XML, in a folder or a ZIP archive", _SIZED | {"labels"}, many=".xml"),
    "labelme": Form("LabelMe JSON, in a folder or a ZIP archive", _SIZED | {"labels"}, many=".json"),
    "via": Form(
        "VGG Image Annotator: projects, annotations and tables, of images and of videos", _TRACKED | {"labels", "times"}
    ),
    "supervisely": Form("Supervisely JSON, of a video or of images", _SIZED | {"labels"}, many=".json"),
    "darwin": Form(
        "Darwin JSON 2 (V7), of a video or of images", _SIZED | {"labels", "times", "keyframes"}, many=".json"
    ),
    "datumaro": Form("Datumaro JSON", _SIZED | {"labels"}),
    "scalabel": Form("Scalabel and BDD100K JSON", _SIZED | {"labels", "confidence"}),
    "openface": Form("OpenFace landmarks", _TRACKED | {"confidence", "times"}),
    "wider": Form("WIDER FACE text", {"boxes", "labels", "confidence"}),
    "dlib": Form("dlib imglab XML", {"boxes", "labels", "frame size"}),
    "kitti": Form("KITTI labels, tracking and objects", _TRACKED | {"labels", "confidence"}, many=".txt"),
    "visdrone": Form("VisDrone text", _TRACKED | {"labels", "confidence"}),
    "csv": Form(
        "tables (CSV)",
        _TRACKED | _SAID | {"labels", "kinds", "confidence", "times", "keyframes", "source"},
        _TRACKED | _SAID | {"labels", "kinds", "confidence", "times", "keyframes", "source"},
    ),
    "parquet": Form("tables (Parquet)", _ALL, _ALL),
}

READ = ", ".join(FORMATS)
"""The formats that are read, for a message."""


def as_markdown() -> str:
    """Return the table of formats for the documentation.

    Examples
    --------
    >>> print(as_markdown().splitlines()[0][:55])
    | format | what it is | boxes | face IDs | labels | con
    """
    rows = [["format", "what it is", *COLUMNS], ["---"] * (len(COLUMNS) + 2)]
    rows += [[f"`{name}`", form.title, *(_cell(form, column) for column in COLUMNS)] for name, form in FORMATS.items()]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _cell(form: Form, column: str) -> str:
    """Return ``r`` for what is read, ``w`` for what is written."""
    return ("r" if column in form.read else "") + ("w" if column in form.written else "") or "-"
