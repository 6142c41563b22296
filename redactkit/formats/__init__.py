"""Read and write annotation files of this and other tools, ID lists and presets."""

from __future__ import annotations

from redactkit.annotations import thumbnail_name
from redactkit.formats.alignment import align
from redactkit.formats.ids import faces_of_list, find_id_lists, id_list_name, read_ids, write_ids
from redactkit.formats.labels import choose_labels
from redactkit.formats.preset import Preset, read_preset
from redactkit.formats.querying import query
from redactkit.formats.reading import READABLE, ReadOptions, load, probed, read_annotations
from redactkit.formats.same_video import check_same_video
from redactkit.formats.supervision import from_supervision, to_supervision
from redactkit.formats.writing import WRITABLE, write_annotations

__all__ = [
    "READABLE",
    "WRITABLE",
    "Preset",
    "ReadOptions",
    "align",
    "choose_labels",
    "check_same_video",
    "faces_of_list",
    "find_id_lists",
    "from_supervision",
    "id_list_name",
    "load",
    "probed",
    "query",
    "read_annotations",
    "read_ids",
    "read_preset",
    "thumbnail_name",
    "to_supervision",
    "write_annotations",
    "write_ids",
]


def __dir__() -> list[str]:
    return sorted(__all__)
