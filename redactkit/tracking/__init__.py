"""Detections into tracks: table in, table out, no pixels needed.

`link` gives every box a face ID, `split_weak` sets aside what is no face, `fill_gaps`, `hold_behind`,
`extend` and `smooth` make a track cover its face in every frame, `review_queue` ranks what a person should look at.
Followers on pixels are in `redactkit.tracking.follow`.
"""

from __future__ import annotations

from redactkit.tracking.behind import hold_behind
from redactkit.tracking.carrying import carry, join_carried
from redactkit.tracking.ends import extend
from redactkit.tracking.evidence import WeakOptions, split_weak
from redactkit.tracking.gaps import fill_gaps, long_gaps
from redactkit.tracking.linking import LinkOptions, link, renumber
from redactkit.tracking.risk import review_queue
from redactkit.tracking.smoothing import smooth

__all__ = [
    "LinkOptions",
    "WeakOptions",
    "carry",
    "extend",
    "fill_gaps",
    "hold_behind",
    "join_carried",
    "link",
    "long_gaps",
    "renumber",
    "review_queue",
    "smooth",
    "split_weak",
]
