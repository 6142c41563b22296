"""Everything that a key or a button of a frame viewer does, in one table: the page's keys, its help, the deeds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

from redactkit.errors import OptionError
from redactkit.review import Review
from redactkit.widgets.edits import set_aside

__all__ = [
    "ACTIONS",
    "MOVES",
    "Action",
    "add_in_middle",
    "as_plain",
    "delete_box",
    "mark",
    "merge_marked",
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


class Action(NamedTuple):
    """One thing to do.

    ``keys`` are the browser's names, lower case, with ``ctrl+``, ``alt+`` and ``shift+`` before them in this order;
    ``act`` takes the view, and is None where the page does it by itself; ``group`` is the heading under which the
    menu "More" offers it, empty where it does not.
    """

    name: str
    tip: str
    keys: tuple[str, ...] = ()
    act: Callable[[Any], Any] | None = None
    group: str = ""


def toggle_redact(review: Review) -> None:
    """Hide the current face if it is visible, show it if it is hidden."""
    face = _current(review)
    review.decide([face], redact=face not in review.selected_ids)


def add_in_middle(review: Review) -> None:
    """Add a new face with a box in the middle of the frame."""
    video = review.video
    side = min(video.width, video.height) / 4
    review.add_face([(video.width - side) / 2, (video.height - side) / 2, side, side])


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
    """Merge the marked faces, of which the current one is one."""
    faces = set(review.marked) | ({review.current_face} if review.current_face is not None and review.marked else set())
    if len(faces) < 2:
        raise OptionError("a merge needs two faces: Shift+click on the others first")
    review.merge_faces(sorted(faces))
    review.marked = ()


def mark(review: Review, face_id: int) -> None:
    """Pick a face for a merge, or put it back."""
    marked = set(review.marked) ^ {face_id}
    review.marked = tuple(sorted(marked))


def _current(review: Review) -> int:
    if review.current_face is None:
        raise OptionError("no face is chosen: click a box first, or a card")
    return int(review.current_face)


def _decide(redact: bool) -> Callable[[Reviewing], Any]:
    return lambda view: view.review.decide([_current(view.review)], redact=redact)


def _no_face(view: Reviewing) -> None:
    set_aside(view.review, [_current(view.review)])


def _seek(kind: str, direction: int) -> Callable[[Reviewing], Any]:
    return lambda view: view.seek(kind, direction)


MOVES = (
    Action("play", "play or pause", (" ",)),
    Action("back", "1 frame back", ("arrowleft", "a")),
    Action("forward", "1 frame on", ("arrowright", "d")),
    Action("back10", "10 frames back", ("shift+arrowleft", "shift+a")),
    Action("forward10", "10 frames on", ("shift+arrowright", "shift+d")),
    Action("first", "first frame", ("home",)),
    Action("last", "last frame", ("end",)),
    Action("full", "fill the window, and back", ("w",)),
    Action("help", "show all keys", ("shift+?", "?"), group="Help"),
    Action("leave", "let go: of a drag, of this list, of the window, of the face", ("escape",)),
)
"""What every viewer's page does."""

ACTIONS = (
    *MOVES,
    Action("hide", "hide this face", ("enter", "h"), _decide(True)),
    Action("visible", "leave this face visible", ("v",), _decide(False)),
    Action("redact", "hide this face, or leave it visible", ("r",), lambda view: toggle_redact(view.review)),
    Action("no-face", "it is no face: set it aside", ("n",), _no_face),
    Action("follow", "follow this box through the video, to the keyframes beside it", ("g",), lambda v: v.follow_box()),
    Action("rename", "name this face", ("e",)),
    Action("split", "from this frame on, a face of its own", ("s",), lambda view: view.review.split_face()),
    Action(
        "merge",
        "merge this face with those marked by Shift+click",
        ("m",),
        lambda view: merge_marked(view.review),
        group="Boxes",
    ),
    Action("delete", "delete this box in this frame", ("delete", "backspace"), lambda view: delete_box(view.review)),
    Action("delete-range", "delete boxes from here to where it is pressed again", ("x",), lambda v: v.delete_range()),
    Action("nudge", "move the box by a pixel, with Shift by ten", ("alt+arrowleft", "alt+arrowright")),
    Action("grow", "grow this box by 5 %", ("+", "shift++", "=")),
    Action("shrink", "shrink this box by 5 %", ("-",)),
    Action(
        "new", "new face: a box in the middle", ("shift+n",), lambda view: add_in_middle(view.review), group="Boxes"
    ),
    Action("keyframe", "mark or clear the keyframe", ("k",), lambda view: toggle_keyframe(view.review), group="Boxes"),
    Action(
        "interpolate",
        "interpolate between keyframes",
        ("i",),
        lambda view: view.review.interpolate_boxes(),
        group="Boxes",
    ),
    Action("next-face", "next face in this frame (1 to 9 pick one)", ("t",)),
    Action("last-face", "last face in this frame", ("shift+t",)),
    Action("face-back", "last frame with this face", (",",), _seek("face", -1)),
    Action("face-on", "next frame with this face", (".",), _seek("face", 1)),
    Action("edge-back", "last start or end of a face", ("[",), _seek("edge", -1)),
    Action("edge-on", "next start or end of a face", ("]",), _seek("edge", 1), group="Go"),
    Action("empty-back", "last frame without a box", ("shift+<", "<"), _seek("empty", -1)),
    Action("empty-on", "next frame without a box", ("shift+>", ">"), _seek("empty", 1), group="Go"),
    Action("queue-back", "last place to check", ("shift+q",), _seek("queue", -1)),
    Action("queue-on", "next place to check", ("q",), _seek("queue", 1), group="Go"),
    Action("zoom", "zoom to this face, and back", ("f",), group="Look"),
    Action("names", "all names, or only the chosen face's", ("l",), group="Look"),
    Action("preview", "the frame as it will be written", ("p",)),
    Action("both", "original and redacted side by side", ("b",), group="Look"),
    Action("undo", "undo", ("z", "ctrl+z"), lambda view: view.review.undo()),
    Action("redo", "redo", ("ctrl+y", "ctrl+shift+z", "shift+z"), lambda view: view.review.redo(), group="Work"),
    Action("save", "save annotations and ID list", ("ctrl+s",), lambda view: view.save(), group="Work"),
)
"""What a frame viewer does besides."""


def as_plain(actions: tuple[Action, ...]) -> list[dict[str, Any]]:
    """Return what the page must know of actions."""
    return [{"name": one.name, "tip": one.tip, "keys": list(one.keys), "group": one.group} for one in actions]
