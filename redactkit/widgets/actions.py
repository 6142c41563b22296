"""Everything a key or a button of the frame viewer does, in one table: so no key is without its button."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol

from redactkit.boxes import expand
from redactkit.errors import OptionError
from redactkit.review import Review
from redactkit.widgets.geometry import Region

__all__ = [
    "ACTIONS",
    "Action",
    "add_in_middle",
    "delete_box",
    "key_name",
    "key_of",
    "mark",
    "merge_marked",
    "next_face",
    "nudge",
    "resize",
    "toggle_keyframe",
    "toggle_redact",
]


class Reviewing(Protocol):
    """A view of a review's current frame: what the actions need of it."""

    @property
    def review(self) -> Review:
        """The review that the view shows."""

    def seek(self, kind: str, direction: int = 1) -> None:
        """Go to the next frame of a kind, as `Review.seek`."""

    def step(self, frames: int) -> None:
        """Go some frames on, or back."""


class Action(NamedTuple):
    """One thing to do.

    ``keys`` are names as `key_of` gives them; a button is in the class ``rk-do-NAME``; ``act`` takes the view.
    """

    name: str
    icon: str
    tip: str
    keys: tuple[str, ...]
    act: Callable[[Any], Any]
    group: str


def toggle_redact(review: Review) -> None:
    """Hide the current face if it is visible, show it if it is hidden."""
    face = _current(review)
    review.decide([face], redact=face not in review.selected_ids)


def next_face(review: Review, step: int = 1) -> None:
    """Make the next face of this frame the current one."""
    faces = review.boxes_at()["face_id"].tolist()
    if faces:
        here = faces.index(review.current_face) + step if review.current_face in faces else 0
        review.current_face = faces[here % len(faces)]


def add_in_middle(review: Review, region: Region) -> None:
    """Add a new face with a box in the middle of what is shown."""
    side = min(region.width, region.height) / 4
    left, top = region.x + (region.width - side) / 2, region.y + (region.height - side) / 2
    review.add_face([left, top, side, side])


def resize(review: Review, share: float) -> None:
    """Grow the current box by a share of its sides; shrink it where negative."""
    box = _current_box(review)
    review.set_box(expand([box], share=share / 2)[0].tolist())


def nudge(review: Review, dx: float, dy: float) -> None:
    """Move the current box by some pixels of the frame."""
    box = _current_box(review)
    review.set_box([box[0] + dx, box[1] + dy, *box[2:]])


def toggle_keyframe(review: Review) -> None:
    """Mark the current box as a keyframe, or clear it."""
    rows = review.boxes_at()
    mine = rows[(rows["face_id"] == _current(review)).to_numpy()]
    review.set_keyframe(not mine["keyframe"].any())


def delete_box(review: Review) -> None:
    """Delete the current face's box in this frame."""
    frame = review.current_frame
    review.delete_boxes(faces=[_current(review)], start=frame, stop=frame + 1)


def merge_marked(review: Review) -> None:
    """Merge the marked faces."""
    review.merge_faces(review.marked)
    review.marked = ()


def mark(review: Review, face_id: int) -> None:
    """Pick a face for a merge, or put it back."""
    marked = set(review.marked) ^ {face_id}
    review.marked = tuple(sorted(marked))


def _current(review: Review) -> int:
    if review.current_face is None:
        raise OptionError("no face is current: click a box first, or a thumbnail")
    return int(review.current_face)


def _current_box(review: Review) -> list[float]:
    box = review.box_of(_current(review))
    if box is None:
        raise OptionError(f"face {review.current_face} has no box in frame {review.current_frame}")
    return box


def _interpolate(viewer: Reviewing) -> None:
    viewer.review.interpolate_boxes()


def _nudge(dx: float, dy: float) -> Callable[[Reviewing], Any]:
    return lambda viewer: nudge(viewer.review, dx, dy)


def _seek(kind: str, direction: int) -> Callable[[Reviewing], Any]:
    return lambda viewer: viewer.seek(kind, direction)


def _step(frames: int) -> Callable[[Reviewing], Any]:
    return lambda viewer: viewer.step(frames)


ACTIONS = (
    Action("first", "fast-backward", "first frame", ("home",), lambda v: v.go_to(0), "move"),
    Action("back10", "backward", "10 frames back", ("c",), _step(-10), "move"),
    Action("back", "step-backward", "1 frame back", ("d",), _step(-1), "move"),
    Action("play", "play", "play or pause", (" ",), lambda v: v.toggle_play(), "move"),
    Action("forward", "step-forward", "1 frame on", ("f",), _step(1), "move"),
    Action("forward10", "forward", "10 frames on", ("v",), _step(10), "move"),
    Action("last", "fast-forward", "last frame", ("end",), lambda v: v.go_to(v.review.frame_count - 1), "move"),
    Action("face-back", "user-minus", "last frame with this face", (",",), _seek("face", -1), "seek"),
    Action("face-on", "user-plus", "next frame with this face", (".",), _seek("face", 1), "seek"),
    Action("edge-back", "caret-left", "last start or end of a face", ("[",), _seek("edge", -1), "seek"),
    Action("edge-on", "caret-right", "next start or end of a face", ("]",), _seek("edge", 1), "seek"),
    Action("empty-back", "angle-double-left", "last frame without a box", ("shift+<",), _seek("empty", -1), "seek"),
    Action("empty-on", "angle-double-right", "next frame without a box", ("shift+>",), _seek("empty", 1), "seek"),
    Action("queue-back", "flag", "last frame to review", ("shift+q",), _seek("queue", -1), "seek"),
    Action("queue-on", "flag-checkered", "next frame to review", ("q",), _seek("queue", 1), "seek"),
    Action("redact", "eye-slash", "hide or show this face", ("r",), lambda v: toggle_redact(v.review), "face"),
    Action("next-face", "users", "next face in this frame", ("tab",), lambda v: next_face(v.review), "face"),
    Action(
        "new",
        "plus-square",
        "new face: a box in the middle",
        ("n",),
        lambda v: add_in_middle(v.review, v.region),
        "face",
    ),
    Action("keyframe", "key", "mark or clear the keyframe", ("k",), lambda v: toggle_keyframe(v.review), "face"),
    Action("interpolate", "bezier-curve", "interpolate between keyframes", ("i",), _interpolate, "face"),
    Action("grow", "expand", "grow this box by 5 %", ("+", "shift++", "="), lambda v: resize(v.review, 0.05), "face"),
    Action("shrink", "compress", "shrink this box by 5 %", ("-",), lambda v: resize(v.review, -0.05), "face"),
    Action("delete", "trash", "delete this box", ("delete", "backspace"), lambda v: delete_box(v.review), "face"),
    Action("split", "cut", "split the face: from here on a new one", ("s",), lambda v: v.review.split_face(), "face"),
    Action(
        "merge",
        "object-group",
        "merge the marked faces (Shift+click marks)",
        ("m",),
        lambda v: merge_marked(v.review),
        "face",
    ),
    Action("left", "arrow-left", "move this box 1 pixel to the left", ("arrowleft",), _nudge(-1, 0), "nudge"),
    Action("right", "arrow-right", "move this box 1 pixel to the right", ("arrowright",), _nudge(1, 0), "nudge"),
    Action("up", "arrow-up", "move this box 1 pixel up", ("arrowup",), _nudge(0, -1), "nudge"),
    Action("down", "arrow-down", "move this box 1 pixel down", ("arrowdown",), _nudge(0, 1), "nudge"),
    Action("zoom", "search-plus", "zoom to this face", ("z",), lambda v: v.toggle("zoom"), "look"),
    Action("preview", "user-secret", "redacted preview", ("p",), lambda v: v.toggle("preview"), "look"),
    Action("both", "columns", "original and redacted side by side", ("b",), lambda v: v.toggle("both"), "look"),
    Action("undo", "undo", "undo", ("ctrl+z",), lambda v: v.review.undo(), "edit"),
    Action("redo", "redo", "redo", ("ctrl+shift+z", "ctrl+y"), lambda v: v.review.redo(), "edit"),
    Action("save", "save", "save annotations and ID list", ("ctrl+s",), lambda v: v.save(), "edit"),
)


def key_name(key: str) -> str:
    """Return how a tooltip names a key.

    Examples
    --------
    >>> key_name("ctrl+shift+z"), key_name(" "), key_name("arrowleft")
    ('Ctrl+Shift+Z', 'Space', 'Left')
    """
    return "Space" if key == " " else key.replace("arrow", "").title()


def key_of(event: Mapping[str, Any]) -> str:
    """Return the name of a key event, lower case, with its modifiers in a fixed order.

    Examples
    --------
    >>> key_of({"key": "Z", "ctrlKey": True, "shiftKey": True})
    'ctrl+shift+z'
    """
    pressed = str(event.get("key", "")).lower()
    control = event.get("ctrlKey") or event.get("metaKey")
    held = [("ctrl", control), ("alt", event.get("altKey")), ("shift", event.get("shiftKey"))]
    return "".join(f"{name}+" for name, down in held if down) + pressed
