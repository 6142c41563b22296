"""Follow one object from frame to frame, and say when it is hidden, has left the picture, or is lost."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from redactkit.boxes import FloatArray, clip, expand, iou
from redactkit.following.appearance import Similarity, Template, compare, smoothed
from redactkit.following.conditions import HIDDEN_SHARE, Ending, FollowedBox, FollowOptions, Found
from redactkit.following.fitting import fit, flow, pick_points
from redactkit.following.search import search
from redactkit.following.views import BLOCK_PIXELS, GrayImage, Shape, box_of, project, shifted, view

__all__ = ["Follower"]

BoolArray = NDArray[np.bool_]

MAX_CORRECTION = 0.15
"""Largest shift of a corner by a template, in shares of the object's longer side, before it counts as another place."""

VELOCITY_SHARE = 0.5
"""Share of the last step in the velocity with which the next is predicted."""

USUAL_SHARE = 0.2
"""Share of the last frame in how much an object usually correlates with its template."""

MIN_LEAD = 0.05
"""How much more like its template than another place the one must be where an object is found again."""

WHOLE_SHARE = 0.95
"""Share of the object's blocks from which it is seen whole."""

MAX_LOSS = 0.1
"""How much less like its template an object may look where a detector sees it than where it was followed to."""

SURE_SHARE = 0.8
"""Share of the object's blocks from which its size and angle are sure."""

MIN_LAID_SHARE = 0.4
"""Share of an object's points, but those that are hidden, that must lie where a template has them."""

MIN_LAID_POINTS = 8
"""The same in points."""

OWN_FRAMES = 8
"""Frames after which what moves with an object belongs to it, though it looks otherwise. Raising it absorbs less."""

HOLD_GROWTH = 0.04
"""Share of a side by which the box of an object that is not seen grows on each side, for each frame."""

MAX_HOLD_GROWTH = 0.16
"""The same at most."""

LINGER_SECONDS = 0.05
"""How long the grown box of an object that should have left stays at the edge, in case a sliver still shows."""

SPARSE_FRAME_RATE = 20.0
"""Frames a second below which it stays for two frames at least: what moves far from one to the next is placed less
surely. Raising it covers more last slivers, and claims more frames in which nothing shows."""

MIN_VIEW_SHARE = 0.005
"""Share of the object inside the frame below which it has left."""


class Follower:
    """One object on its way in one direction.

    Parameters
    ----------
    image : ndarray of shape (H, W), uint8
        The frame in which its box is known, gray.
    box : ndarray of shape (4,)
        x, y, width, height in pixels of that frame.
    frame : int
        Its number.
    flat : bool
        Follow perspective too: a plate, a screen, a paper.
    frame_rate : float
        Frames a second.
    options : FollowOptions, optional

    Attributes
    ----------
    boxes : dict
        A `FollowedBox` by frame number, without the first frame's.
    ending : Ending or None
        None while it goes on.
    """

    def __init__(
        self,
        image: GrayImage,
        box: FloatArray,
        *,
        frame: int,
        flat: bool = False,
        frame_rate: float = 25.0,
        options: FollowOptions | None = None,
    ) -> None:
        self.options = options or FollowOptions()
        self.flat, self.frame = flat, frame
        self.boxes: dict[int, FollowedBox] = {}
        self.ending: Ending | None = None
        self.shape = Shape.of(box)
        self.pose = self.shape.pose(box)
        self._velocity = np.zeros(2)
        self._missed = 0
        self._correlation = self._usual = 1.0
        self._share = 1.0
        self._max_missed = max(1, round(self.options.max_hidden_seconds * frame_rate))
        self._out, self._linger = 0, max(2 if frame_rate < SPARSE_FRAME_RATE else 1, round(LINGER_SECONDS * frame_rate))
        self._hold = max(1, round(self.options.hold_seconds * frame_rate))
        picture = view(image, self.pose, self.shape)
        if picture is None:
            self.ending = Ending.LEFT
            return
        self._picture = picture
        self._first, self._recent = Template(picture, self.shape), Template(picture, self.shape)
        self._points = pick_points(self.shape.inner(picture), self.shape)
        self._trusted = np.ones(len(self._points), bool)
        self._moved = np.zeros((self.shape.rows, self.shape.columns), np.int64)
        self._last_seen = (frame, self.pose)
        self._sure_pose = self.pose

    @property
    def box(self) -> FloatArray:
        """Where the object is, or should be, in the frame reached."""
        return box_of(self.pose, self.shape)

    @property
    def unfinished(self) -> Ending:
        """How it stands with an object that is followed no further."""
        return Ending.END if not self._missed else Ending.HIDDEN if self._share < HIDDEN_SHARE else Ending.LOST

    def put(self, image: GrayImage, box: FloatArray, frame: int) -> bool:
        """Put the object where something else has found it in the frame reached, if it looks like itself there.

        Returns
        -------
        bool
            Whether it does: about as much as where it was followed to, or enough to be found again.
        """
        pose = self.shape.pose(box)
        picture = view(image, pose, self.shape)
        if picture is None:
            return False
        inside = self._shown(pose, self.shape.block_centers, image)
        moving = np.ones(len(self._points), bool)
        found = Found(pose, picture, moving, *self._similarity(picture, inside), inside)
        if not (self._is_again(found) if self._missed else found.correlation >= self._correlation - MAX_LOSS):
            return False
        self._take(found, frame)
        return True

    def step(self, image: GrayImage, frame: int) -> None:
        """Go on to the next frame, in either direction."""
        predicted = shifted(*self._velocity) @ self.pose
        found = None
        if not self._missed:
            found = self._tracked(image, predicted)
        if found is None:
            found = self._searched(image, predicted)
        if found is None:
            self._miss(image, predicted, frame)
        else:
            self._take(found, frame)
        self.frame = frame

    def _tracked(self, image: GrayImage, predicted: FloatArray) -> Found | None:
        """Track the object from the frame before by flow."""
        now = view(image, predicted, self.shape)
        if now is None:
            return None
        margin = self.shape.margin
        moved, good = flow(self._picture, now, self._points + margin)
        good &= self._shown(self.pose, self._points, image) & self._shown(predicted, moved - margin, image)
        # Points on what hides a part of the object are left out.
        motion = fit(self._points, moved - margin, good & self._trusted, shape=self.shape, flat=False)
        if motion is None:
            return None
        found = self._registered(image, predicted @ motion.matrix, motion.close)
        if found is None or not self._goes_on(found):
            return None
        return found

    def _goes_on(self, found: Found) -> bool:
        correlation = max(found.first.seen_correlation, found.recent.seen_correlation)
        return found.share >= self.options.min_seen_share and correlation >= self.options.min_correlation

    def _searched(self, image: GrayImage, predicted: FloatArray) -> Found | None:
        """Search for the object around the place where it should be."""
        best: list[Found] = []
        for template in (self._first, self._recent):
            for pose in search(image, predicted, template, missed=self._missed):
                near = self._laid(image, pose, self._first)
                found = self._registered(image, pose if near is None else near[0], None)
                if found is not None and self._is_again(found):
                    best.append(found)
        best.sort(key=lambda each: -each.correlation)
        # Of two things that look alike, neither is taken.
        rivals = [each for each in best[1:] if self._is_away(each, best[0])]
        if not best or (rivals and rivals[0].correlation > best[0].correlation - MIN_LEAD):
            return None
        return best[0]

    def _is_again(self, found: Found) -> bool:
        wanted = max(self.options.min_found_correlation, self._usual - self.options.max_found_loss)
        return found.share >= self.options.min_found_share and found.correlation >= wanted

    def _is_away(self, found: Found, other: Found) -> bool:
        boxes = (box_of(each.pose, self.shape)[None] for each in (found, other))
        return bool(iou(*boxes)[0, 0] < 0.5)

    def _registered(self, image: GrayImage, pose: FloatArray, moving: BoolArray | None) -> Found | None:
        """Lay the object on its template: the first, or the slowly changing one where it no longer looks like that."""
        laid = self._laid(image, pose, self._first) or self._laid(image, pose, self._recent)
        if laid is not None:
            pose, agreed = laid
            moving = agreed if moving is None else moving
        elif moving is None:
            return None
        picture = view(image, pose, self.shape)
        if picture is None:
            return None
        inside = self._shown(pose, self.shape.block_centers, image)
        return Found(pose, picture, moving, *self._similarity(picture, inside), inside)

    def _similarity(self, picture: GrayImage, inside: BoolArray) -> tuple[Similarity, Similarity]:
        """Compare a view with both templates; the second tells nothing new where the first is wholly seen."""
        smooth = smoothed(picture, self.shape)
        first = compare(self._first, smooth, inside)
        return first, first if (first.seen == inside).all() else compare(self._recent, smooth, inside)

    def _laid(self, image: GrayImage, pose: FloatArray, template: Template) -> tuple[FloatArray, BoolArray] | None:
        now = view(image, pose, self.shape)
        if now is None:
            return None
        margin = self.shape.margin
        moved, good = flow(template.picture, now, self._points + margin, levels=1, check=False)
        shown = self._shown(pose, self._points, image)
        good &= shown & self._shown(pose, moved - margin, image)
        motion = fit(self._points, moved - margin, good, shape=self.shape, flat=self.flat)
        # Of what is not hidden, enough must lie where the template has it.
        wanted = max(MIN_LAID_POINTS, MIN_LAID_SHARE * int((shown & self._trusted).sum()))
        if motion is None or int(motion.agreed.sum()) < wanted:
            return None
        shift = np.linalg.norm(project(motion.matrix, self.shape.corners) - self.shape.corners, axis=1)
        if shift.max() > MAX_CORRECTION * max(self.shape.width, self.shape.height):
            return None
        return pose @ motion.matrix, motion.close

    def _shown(self, pose: FloatArray, points: FloatArray, image: GrayImage) -> BoolArray:
        """Return which points, in the object's own coordinates, lie inside the frame."""
        height, width = image.shape
        placed = project(pose, points)
        return np.asarray(((placed >= 0) & (placed < (width, height))).all(axis=-1))

    def _take(self, found: Found, frame: int) -> None:
        """Go on with the object where it was found."""
        middle = np.array([[self.shape.width / 2, self.shape.height / 2]])
        last, before = self._last_seen
        if frame != last:
            step = (project(found.pose, middle) - project(before, middle))[0] / abs(frame - last)
            self._velocity = VELOCITY_SHARE * step + (1 - VELOCITY_SHARE) * self._velocity
        box = box_of(found.pose, self.shape)
        self._fill(frame, box)
        self.pose, self._picture, self._share = found.pose, found.picture, found.share
        self._missed, self._last_seen, self._correlation = 0, (frame, found.pose), found.correlation
        if found.share >= SURE_SHARE:
            self._sure_pose = found.pose
        if found.share >= WHOLE_SHARE:
            self._usual += USUAL_SHARE * (found.correlation - self._usual)
        self.boxes[frame] = FollowedBox(box, found.confidence, occluded=found.share < HIDDEN_SHARE)
        # A block belongs to the object where it still looks like it, or has moved with it for a while.
        moving = np.zeros((self.shape.rows, self.shape.columns), bool)
        at = (self._points // BLOCK_PIXELS).astype(int)
        moving[at[found.moving, 1], at[found.moving, 0]] = True
        self._moved = np.where(moving, self._moved + 1, 0)
        own = found.first.seen | (found.recent.seen & moving) | (self._moved >= OWN_FRAMES)
        if found.share >= SURE_SHARE:
            # While something comes before the object nothing is learnt: it may be of the same kind.
            self._recent.update(found.picture, found.inside & own)
        self._trusted = own[at[:, 1], at[:, 0]]

    def _fill(self, frame: int, box: FloatArray) -> None:
        """Assume the boxes between the last one seen and this one: on a straight line."""
        last, before = self._last_seen
        start, step = box_of(before, self.shape), 1 if frame > last else -1
        for between in range(last + step, frame, step):
            share = (between - last) / (frame - last)
            self.boxes[between] = FollowedBox(start + (box - start) * share, 0.1, seen=False)

    def _miss(self, image: GrayImage, predicted: FloatArray, frame: int) -> None:
        """Hold the box for a moment, then wait; end where it has left, or was not seen for long."""
        if not self._missed:
            # The last steps of an object that gets hidden are the least sure: its shape before that is searched for.
            middle = np.array([[self.shape.width / 2, self.shape.height / 2]])
            here, sure = project(predicted, middle)[0], project(self._sure_pose, middle)[0]
            predicted = shifted(*(here - sure)) @ self._sure_pose
        self._missed += 1
        self.pose = predicted
        height, width = image.shape
        # The longer it is not seen, the less is known of its place: the box grows. One on its way out goes on.
        growth = min(HOLD_GROWTH * self._missed, MAX_HOLD_GROWTH)
        box = box_of(predicted, self.shape)
        part = clip(box[None], width=width, height=height)[0]
        share = float(part[2:].prod() / max(float(box[2:].prod()), 1e-9))
        box = expand(box[None], share=growth)[0]
        self._out = self._out + 1 if share < MIN_VIEW_SHARE else 0
        if self._out > self._linger:
            self.ending = Ending.LEFT
        elif self._missed > self._max_missed:
            self.ending = self.unfinished
        elif self._missed <= self._hold or (share < 0.5 and self.frame in self.boxes):
            self.boxes[frame] = FollowedBox(box, 0.05, seen=False)
