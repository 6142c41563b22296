"""Read the text of VisDrone's video tasks, which looks like MOT and has classes of its own."""

from __future__ import annotations

import numpy as np

from redactkit.errors import AnnotationError
from redactkit.formats.assemble import FileFacts, Numbering, ParsedBoxes, RowLocations, by_frame
from redactkit.formats.mot import parse_rows, whole_numbers
from redactkit.formats.normalize import Reading, Remark
from redactkit.formats.source import Source

__all__ = ["read_visdrone"]

_RULE = Numbering("VisDrone counts frames from 1", 1)
_COLUMNS = 10
_CLASSES = [
    "ignored regions", "pedestrian", "people", "bicycle", "car", "van", "truck", "tricycle", "awning-tricycle", "bus",
    "motor", "others",
]  # fmt: skip
_LOST = "truncation and occlusion have no place in our tables and are left out"


def read_visdrone(source: Source) -> Reading:
    """Read ``frame,target,left,top,width,height,score,category,truncation,occlusion``; pixels count from 0.

    References
    ----------
    Zhu et al., "Detection and Tracking Meet Drones Challenge", TPAMI 2021; its toolkits.
    """
    try:
        table = parse_rows(source.text)
        if not len(table):
            table = np.zeros((0, _COLUMNS))
        if table.shape[1] != _COLUMNS:
            raise AnnotationError(f"expected {_COLUMNS} numbers a line, got {table.shape[1]}")
        whole = whole_numbers(table)
        classes = [int(number) if 0 <= number < len(_CLASSES) else -1 for number in table[:, 7].tolist()]
        found = ParsedBoxes(
            at=whole[:, 0].tolist(),
            faces=[None if face < 0 else face for face in whole[:, 1].tolist()],
            boxes=table[:, 2:6].tolist(),
            confidence=[score if 0 < score < 1 else None for score in table[:, 6].tolist()],
            locations=RowLocations(len(table)),
            labels=["" if number < 0 else _CLASSES[number] for number in classes],
        )
        size = source.find_size(otherwise=(0, 0))
        return by_frame(
            found,
            source,
            FileFacts(format="visdrone", size=size, remarks=[Remark("lost fields", _LOST)]),
            numbering=_RULE,
        )
    except AnnotationError as err:
        raise type(err)(f"{source.path}: {err}") from err
