"""Read YOLO labels: a text file for every image, whose boxes are shares of it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import PurePosixPath

from redactkit.errors import AnnotationError
from redactkit.formats.assemble import Numbering
from redactkit.formats.imagenames import read_names
from redactkit.formats.images import Image, around, read_images
from redactkit.formats.normalize import Reading, Remark
from redactkit.formats.source import Source
from redactkit.runtime.marks import YAML_MARK

__all__ = ["read_yolo"]

_BOX, _WITH_ID = 5, 7
_KEY = re.compile(r"^(\w+)\s*:\s*(.*)$")
_ENTRY = re.compile(r"^\s+(?:-|(\d+)\s*:)\s*(.+)$")
_PART = re.compile(r"""\s*(?:\d+\s*:\s*)?(?:"(?:[^"\\]|\\.)*"|'(?:[^']|'')*')\s*(?=,|$)|[^,]+""")
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')
_UNPADDED = 100_000  # FFmpeg and most tools write at least so many digits that smaller numbers begin with a zero
_ULTRALYTICS = Numbering(
    "the numbers in file names count from 1, as Ultralytics names the results of a video",
    1,
    doubt="pass first_frame=0 (--first-frame 0) if they count from 0",
)

_NO_LABELS = re.compile(r"(classes|labels|train|val|valid|test|notes|readme.*|requirements)\.txt$", re.IGNORECASE)

Row = list[float]


def read_yolo(source: Source) -> Reading:
    """Read YOLO text: ``class x y width height [confidence] [track]`` a line, the middle and the sides in shares.

    Polygons and turned boxes arrive as the boxes around them; of poses the box is read where ``kpt_shape`` in
    ``data.yaml`` says that they are poses. Classes are named by ``data.yaml``, ``obj.names`` or ``classes.txt``. Where
    lines have six numbers the last one is a track if all are whole numbers, else a confidence.

    References
    ----------
    Ultralytics, "Detect", "Track" and "Segment" dataset formats; CVAT manual, "YOLO".
    """
    try:
        names, pose = _classes({**source.members, **source.beside})
        labels = [name for name in sorted(source.members) if not _NO_LABELS.match(PurePosixPath(name).name)]
        rows = {name: _parse(source.members[name], name) for name in labels}
        sixth = [line[_BOX] for lines in rows.values() for line in lines if len(line) == _BOX + 1]
        tracked = all(value.is_integer() for value in sixth)
        images = []
        for name, lines in rows.items():
            image = Image(name)
            for number, line in enumerate(lines, start=1):
                _add(image, line, names, pose=pose, tracked=tracked, place=f"{name}, line {number}")
            images.append(image)
        rule = _numbering(images)
        ours = any(data.startswith(YAML_MARK.encode()) for data in source.beside.values())
        remarks = [] if names else [_unnamed(images)] if any(image.boxes for image in images) else []
        return read_images(
            images, source, format="yolo", numbering=rule, listed=False, shares=True, ours=ours, remarks=remarks
        )
    except AnnotationError as err:
        raise type(err)(f"{source.path}: {err}") from err


def _unnamed(images: list[Image]) -> Remark:
    classes = sorted({item["label"] for image in images for item in image.boxes})
    return Remark("labels", f"no data.yaml, obj.names or classes.txt names the classes {', '.join(classes[:20])}")


def _parse(data: bytes, name: str) -> list[Row]:
    rows = []
    for number, line in enumerate(data.decode("utf-8-sig", "replace").splitlines(), start=1):
        words = line.split()
        if not words:
            continue
        try:
            row = [float(word) for word in words]
        except ValueError:
            raise AnnotationError(f"expected numbers, got {line.strip()[:40]!r} - at {name}, line {number}") from None
        if len(row) < _BOX or not row[0].is_integer() or row[0] < 0:
            raise AnnotationError(
                f"expected a class and at least four numbers, got {line.strip()[:40]!r} - at {name}, line {number}"
            )
        rows.append(row)
    return rows


def _add(image: Image, row: Row, names: Mapping[int, str], *, pose: bool, tracked: bool, place: str) -> None:
    label = names.get(int(row[0]), f"class {int(row[0])}")
    if len(row) > _WITH_ID and not pose:
        points = row[1 : 1 + (len(row) - 1) // 2 * 2]
        image.add(around(list(zip(points[::2], points[1::2], strict=True))), label=label, place=place)
        return
    x, y, width, height = row[1:_BOX]
    box = (x - width / 2, y - height / 2, width, height)
    extra = [] if pose else row[_BOX:]
    if len(extra) == 1 and tracked:
        image.add(box, label=label, face=int(extra[0]), place=place)
    else:
        confidence = extra[0] if extra and 0 <= extra[0] <= 1 else None
        face = int(extra[1]) if len(extra) == 2 and extra[1].is_integer() else None
        image.add(box, label=label, face=face, confidence=confidence, place=place)


def _numbering(images: list[Image]) -> Numbering | None:
    """Set the frame numbers where names are those that Ultralytics gives the frames of a video, ``clip_7.txt``."""
    stems = [PurePosixPath(image.name).stem for image in images]
    parts = read_names([image.name for image in images])
    if not parts or len({(part.before, part.after) for part in parts}) > 1:
        return None
    unpadded = all(stem.endswith(f"_{part.number}") for stem, part in zip(stems, parts, strict=True))
    if not unpadded or not 0 < min(part.number for part in parts) < _UNPADDED:
        return None
    for image, part in zip(images, parts, strict=True):
        image.frame = part.number
    return _ULTRALYTICS if min(part.number for part in parts) > 1 else Numbering(_ULTRALYTICS.rule, 1)


def _classes(beside: Mapping[str, bytes]) -> tuple[dict[int, str], bool]:
    """Return the names of classes by number, and whether the labels are poses."""
    for name, data in sorted(beside.items()):
        path = PurePosixPath(name.replace("\\", "/"))
        text = data.decode("utf-8-sig", "replace")
        if path.suffix in (".yaml", ".yml"):
            names = _names_in_yaml(text)
            if names:
                return names, re.search(r"^kpt_shape\s*:", text, re.MULTILINE) is not None
        if path.suffix == ".names" or path.name in ("classes.txt", "labels.txt", "_darknet.labels"):
            return dict(enumerate(line.strip() for line in text.splitlines() if line.strip())), False
    return {}, False


def _names_in_yaml(text: str) -> dict[int, str]:
    """Return what stands at ``names`` in a data.yaml: a list or a mapping, on one line or on several."""
    found: list[tuple[str | None, str]] = []
    inside = False
    for line in text.splitlines():
        key = _KEY.match(line)
        if key:
            inside = key[1] == "names" and not key[2].strip()
            if key[1] == "names" and key[2].strip():
                found = [_split_entry(part) for part in _PART.findall(key[2].strip("[]{} "))]
        elif inside and (entry := _ENTRY.match(line) or re.match(r"^()-\s*(.+)$", line)):
            found.append((entry[1], entry[2]))
    return {int(number) if number else place: _plain(name) for place, (number, name) in enumerate(found)}


def _plain(text: str) -> str:
    """Return a word of YAML without its quotes and comment; what is escaped between double quotes is as in JSON."""
    text = text.strip()
    if quoted := _QUOTED.match(text):
        try:
            return str(json.loads(quoted[0]))
        except ValueError:  # a Windows path, say
            pass
    return text.split(" #")[0].strip().strip("'\"")


def _split_entry(part: str) -> tuple[str | None, str]:
    number, colon, name = part.partition(":")
    return (number.strip(), name) if colon and number.strip().isdigit() else (None, part)
