"""Follow boxes that a person drew through a video: any object, from one box, in both directions.

The method is registration to a template with drift correction: optical flow carries the object from frame to frame, and
its pixels are then laid on those of the frame in which it was drawn.

References
----------
Matthews, Ishikawa and Baker, "The Template Update Problem", PAMI 2004.
"""

from redactkit.following.conditions import Ending, FollowedBox, FollowOptions
from redactkit.following.fitting import FLAT_KINDS
from redactkit.following.follower import Follower
from redactkit.following.plan import Plan, bridge, plan_following, plan_gaps, rows_of
from redactkit.following.sweep import Followed, Start, follow_boxes

__all__ = [
    "FLAT_KINDS",
    "Ending",
    "FollowOptions",
    "Followed",
    "Follower",
    "FollowedBox",
    "Plan",
    "Start",
    "bridge",
    "follow_boxes",
    "plan_following",
    "plan_gaps",
    "rows_of",
]
