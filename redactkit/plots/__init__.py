"""Pictures of the tables, as matplotlib figures: who is seen when, where, how large and how surely.

Every function takes tables and works without a video. Figures are made without pyplot, so nothing here has
global state; a notebook shows them all the same.
"""

from redactkit.plots.charts import confidence_histogram, face_history, faces_per_second, heat_map, timeline
from redactkit.plots.sheets import FaceSheet, thumbnail_sheet, thumbnails

__all__ = [
    "FaceSheet",
    "confidence_histogram",
    "face_history",
    "faces_per_second",
    "heat_map",
    "thumbnail_sheet",
    "thumbnails",
    "timeline",
]


def __dir__() -> list[str]:
    return sorted(__all__)
