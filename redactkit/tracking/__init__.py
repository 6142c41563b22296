"""Detections into tracks: table in, table out, no pixels needed.

`link` gives every box a face ID, `filter_weak` sets aside what is no face, `merge_doubles` makes two tracks on
one face one, `fill_gaps`, `hold_occluded`, `extend` and `smooth` make a track cover its face in every frame,
`review_queue` ranks what a person should look at.
Followers on pixels are in `redactkit.tracking.optical_flow`.
"""

from __future__ import annotations

from redactkit.tracking.boundary_extension import carry, join_carried
from redactkit.tracking.doubles import merge_doubles
from redactkit.tracking.extension import extend
from redactkit.tracking.filtering import FilterOptions, filter_weak
from redactkit.tracking.gaps import fill_gaps, long_gaps
from redactkit.tracking.linking import LinkOptions, link, renumber
from redactkit.tracking.occlusion import hold_occluded
from redactkit.tracking.review_queue import review_queue
from redactkit.tracking.smoothing import smooth

__all__ = [
    "LinkOptions",
    "FilterOptions",
    "carry",
    "extend",
    "fill_gaps",
    "hold_occluded",
    "join_carried",
    "link",
    "long_gaps",
    "merge_doubles",
    "renumber",
    "review_queue",
    "smooth",
    "filter_weak",
]
