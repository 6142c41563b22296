"""Turn detections into tracks: a table goes in, a table comes out, no pixels are needed.

`link` gives every box a face ID. `filter_weak` sets aside tracks that are hardly faces, `discard_strays` such parts of
tracks. `merge_doubles` merges two tracks of one face. `fill_gaps`, `hold_occluded`, `extend` and `smooth` make a track
cover its face in every frame. `review_queue` ranks what a person should look at. Tracking by pixels is in
`redactkit.tracking.optical_flow`.
"""

from __future__ import annotations

from redactkit.tracking.boundary_extension import extend_over_mixed, merge_extensions
from redactkit.tracking.doubles import merge_doubles
from redactkit.tracking.extension import extend
from redactkit.tracking.filtering import FilterOptions, discard_strays, filter_weak
from redactkit.tracking.gaps import fill_gaps, long_gaps
from redactkit.tracking.linking import LinkOptions, link, renumber
from redactkit.tracking.occlusion import hold_occluded
from redactkit.tracking.review_queue import review_queue
from redactkit.tracking.smoothing import smooth

__all__ = [
    "LinkOptions",
    "FilterOptions",
    "discard_strays",
    "extend",
    "extend_over_mixed",
    "fill_gaps",
    "hold_occluded",
    "link",
    "long_gaps",
    "merge_doubles",
    "merge_extensions",
    "renumber",
    "review_queue",
    "smooth",
    "filter_weak",
]


def __dir__() -> list[str]:
    return sorted(__all__)
