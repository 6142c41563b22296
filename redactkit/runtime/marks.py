"""The mark in files that redactkit writes, by which `redactkit.runtime.purge` recognizes them under any name."""

from __future__ import annotations

import struct
from collections.abc import Iterator

__all__ = [
    "CHECK_MARK",
    "COCO_CONTRIBUTOR",
    "EMBEDDINGS_MARK",
    "ID_LIST_MARK",
    "MARK",
    "MOT_MARK",
    "MOT_VISIBLE",
    "PEOPLE_MARK",
    "XML_MARK",
    "YAML_MARK",
    "is_csv_header",
    "is_marked_jpeg",
    "is_marked_png",
    "mark_jpeg",
]

MARK = "redactkit"
COCO_CONTRIBUTOR = MARK
ID_LIST_MARK = "ID list"
"""The value of the key ``redactkit`` in the file beside an ID list."""
CHECK_MARK = "leak check"
"""The value of the same key in the file in which a leak check is kept."""
YAML_MARK = f"# written by {MARK}"
"""The first line of ``data.yaml`` in our YOLO archives, where it stands first and not compressed."""
EMBEDDINGS_MARK = f"{MARK}_embeddings"
"""The name of the first array in a file of vectors of faces."""
PEOPLE_MARK = "people"
"""The value of the key ``redactkit`` in the file of answers about people of several clips."""
XML_MARK = f"<!-- written by {MARK} -->"
MOT_MARK = "-1,-1.00"
"""End of the last line of a MOT file; readers take it for -1. The format has no other place for a mark."""
MOT_VISIBLE = 0
"""The eighth number of a row of our MOT files whose face stays visible: that of others is no decision."""
CSV_START = "frame,time,face_id,x,y,width,height,confidence,source,"
"""The first columns of our CSV files of every version; more of each box and its face's decision follow."""

_JPEG, _PNG = b"\xff\xd8", b"\x89PNG\r\n\x1a\n"
_APP0, _COMMENT, _SCAN = 0xE0, 0xFE, 0xDA


def is_csv_header(line: str) -> bool:
    """Return whether a line is the first one of a CSV file of ours, whatever columns it had by then.

    Examples
    --------
    >>> is_csv_header("frame,time,face_id,x,y,width,height,confidence,source,label,redact,face_label,reason")
    True
    """
    return line.startswith(CSV_START) and {"redact", "reason"} <= set(line.split(","))


def mark_jpeg(data: bytes) -> bytes:
    """Return a JPEG file with the mark as its first comment; some readers want the JFIF segment before it.

    References
    ----------
    ITU-T T.81, B.2.4.5, "Comment".
    """
    at = next((end for code, _, end in _jpeg_segments(data) if code == _APP0), len(_JPEG))
    comment = MARK.encode()
    return data[:at] + struct.pack(">BBH", 0xFF, _COMMENT, len(comment) + 2) + comment + data[at:]


def is_marked_jpeg(data: bytes) -> bool:
    """Return whether the first bytes of a file are those of a JPEG with the mark."""
    comment = MARK.encode()
    return any(code == _COMMENT and body.rstrip(b"\0") == comment for code, body, _ in _jpeg_segments(data))


def _jpeg_segments(data: bytes) -> Iterator[tuple[int, bytes, int]]:
    """Yield code, content and end of each segment before the picture itself."""
    at = len(_JPEG)
    while data.startswith(_JPEG) and at + 4 <= len(data) and data[at] == 0xFF and data[at + 1] != _SCAN:
        end = at + 2 + struct.unpack_from(">H", data, at + 2)[0]
        yield data[at + 1], data[at + 4 : end], end
        at = end


def is_marked_png(data: bytes) -> bool:
    """Return whether the first bytes of a file are those of a PNG whose ``Software`` is the mark."""
    at = len(_PNG)
    while data.startswith(_PNG) and at + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        if kind == b"tEXt" and data[at + 8 : at + 8 + length] == b"Software\0" + MARK.encode():
            return True
        if kind == b"IDAT":
            return False
        at += 12 + length
    return False
