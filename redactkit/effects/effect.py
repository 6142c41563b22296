"""Apply one blur kind to the boxes of faces, frame after frame."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from redactkit.effects.grids import (
    Box,
    Cells,
    cells_at_nodes,
    grid_shape,
    paint_blocks,
    paint_fine,
    refine_nodes,
    sample_cells,
    soften,
)
from redactkit.effects.kinds import BLUR_KINDS, BlurKind, get_kind
from redactkit.effects.layout import PixelLayout, Plane
from redactkit.effects.look import Look
from redactkit.effects.outline import draw_outline
from redactkit.effects.regions import Region, find_regions
from redactkit.effects.surroundings import MEMBRANE_NODES, Strip, blend_into, find_rims, membranes, side_means
from redactkit.errors import OptionError

__all__ = ["HOLD_FRAMES", "Effect"]

HOLD_FRAMES = 8
"""Frames for which the cells of a face are held. Higher gives averaging over time fewer independent samples; lower
follows changes of light sooner."""

_CELL_LOOKS = ("blocks", "smooth")


class Effect:
    """Hide boxes in the planes of pictures, in place, and touch no pixel outside them.

    ``kind`` and ``strength`` hold for every box that has no `Look` of its own.

    The cells of a face are sampled once per window of ``hold`` frames and held: the painting follows the box,
    but its values do not change, so averaging frames reveals nothing new. Windows are aligned on frame numbers.

    An effect is for one thread and one video, with rising frame numbers. To start in the middle of a video,
    replay from `window_start` with ``paint=False``; the result is the same as in a run from the first frame.

    Parameters
    ----------
    kind : str or BlurKind
    layout : PixelLayout
    strength : float
        1 to 10: divides the number of cells. Higher hides more. Below 1, less would be hidden than was measured
        to hide identity, so that is refused.
    hold : int
        Frames per window, at least 1. Cosmetic kinds hold nothing.
    seed : int
        Seed of the noise. Keep it secret from viewers of the result: whoever knows it can subtract the noise
        and is left with the bare cells.

    Raises
    ------
    OptionError
        If the kind is unknown or a number is out of its range.

    Examples
    --------
    >>> luma = np.full((90, 160), 200, dtype=np.uint8)
    >>> Effect("Black", PixelLayout()).apply([luma], [[40, 20, 30, 40]], faces=[1], frame=0)
    [1]
    >>> int(luma[30, 50]), int(luma[0, 0])
    (16, 200)
    """

    def __init__(
        self,
        kind: str | BlurKind,
        layout: PixelLayout,
        *,
        strength: float = 1.0,
        hold: int = HOLD_FRAMES,
        seed: int = 0,
    ) -> None:
        if not 1 <= strength <= 10:
            raise OptionError(f"strength must be from 1 (as measured) to 10 (ten times coarser), got {strength}")
        if hold < 1:
            raise OptionError(f"hold must be 1 frame or more, got {hold}")
        self.kind = kind if isinstance(kind, BlurKind) else get_kind(kind)
        self._usual = Look(self.kind.name if self.kind.name in BLUR_KINDS else "Med", strength)
        self.layout = layout
        self.strength = strength
        self.hold = 1 if self.kind.cosmetic else hold
        self.seed = seed
        self._window = (-1, -1)
        self._held: dict[tuple[int, int], list[Cells]] = {}

    def window_start(self, frame: int) -> int:
        """Return the frame from which to replay so that ``frame`` comes out as in a run from the start.

        Examples
        --------
        >>> Effect("Med", PixelLayout(), hold=8).window_start(21)
        16
        """
        return frame - frame % self.hold

    def apply(
        self,
        planes: Sequence[Plane],
        boxes: ArrayLike,
        *,
        faces: ArrayLike,
        frame: int,
        paint: bool = True,
        looks: Sequence[Look] | None = None,
    ) -> list[int]:
        """Hide ``boxes`` in ``planes``, in place, and return the face of each box that was painted.

        Parameters
        ----------
        planes : sequence of ndarray
            Writable Y, U, V (and alpha, which is left alone), or Y alone, as the layout says.
        boxes : array_like of shape (N, 4)
            x, y, width, height in pixels of the frame as stored, already grown by the margin. They
            may reach outside the frame, and should: cells divide the whole box, not only its visible part.
            Each is rounded outward to whole chroma samples.
        faces : array_like of shape (N,), int
            The face of each box.
        frame : int
            Frame number from 0.
        paint : bool
            False only samples the cells that later frames of the window need.
        looks : sequence of Look, optional
            How each box is painted, where that is not the same for all.

        Returns
        -------
        list of int
            Once for every box; none for a box that covers no pixel, and none at all without ``paint``.

        Raises
        ------
        OptionError
            If the planes are not what the layout says.
        TableError
            If the boxes are not finite, have negative sides, or are not as many as the faces.
        """
        self.layout.check(planes)
        height, width = planes[0].shape
        size, given = (height, width), [self._usual] * len(np.atleast_1d(faces)) if looks is None else looks
        regions = find_regions(boxes, faces, layout=self.layout, size=size, frame=frame, looks=given)
        self._start_frame(frame)
        values = self._paint_values(planes[:3], regions)
        painted = []
        for region, cells in zip(regions, values, strict=True) if paint else ():
            self._paint(planes[:3], region, cells)
            painted.append(region.face)
        return painted

    def _start_frame(self, frame: int) -> None:
        """Drop held cells when a new window starts, or when frame numbers go back."""
        window, last = self._window
        if window != frame // self.hold or frame < last:
            self._held.clear()
        self._window = (frame // self.hold, frame)

    def _paint_values(self, planes: Sequence[Plane], regions: Sequence[Region]) -> list[list[Cells]]:
        """Return the values to paint over each region in each plane; all are taken before anything is painted."""
        looks = [self._kind_of(region).look for region in regions]
        pairs = list(zip(looks, regions, strict=True))
        unsampled = [look in _CELL_LOOKS and region.key not in self._held for look, region in pairs]
        # 1. Membranes: new faces need one for their chroma; smooth kinds need one for every region, to blend into.
        wanted = [
            region
            for region, look, new in zip(regions, looks, unsampled, strict=True)
            if look in ("smooth", "membrane") or new
        ]
        nodes = dict(zip([region.key for region in wanted], self._membranes(planes, wanted, regions), strict=True))
        # 2. Sample cells of faces that have none in this window.
        for region, new in zip(regions, unsampled, strict=True):
            if new:
                self._held[region.key] = self._cells(planes, region, nodes[region.key])
        return [self._values(region, look, nodes.get(region.key), planes[0].dtype) for look, region in pairs]

    def _values(self, region: Region, look: str, nodes: Cells | None, dtype: np.dtype[Any]) -> list[Cells]:
        """Return what is painted over one region in each plane."""
        if look == "blocks":
            return self._held[region.key]
        if nodes is None or look not in ("smooth", "membrane"):
            return []
        if look == "membrane":
            return [*refine_nodes(nodes, dtype)]
        # 3. Smooth kinds: interpolate the cells at the nodes, and blend them into the membrane at the border.
        inside = np.stack([cells_at_nodes(cells, region, nodes=MEMBRANE_NODES) for cells in self._held[region.key]])
        return [*refine_nodes(blend_into(nodes, inside.astype(nodes.dtype)), dtype)]

    def _kind_of(self, region: Region) -> BlurKind:
        return self.kind if region.look.kind == self._usual.kind else BLUR_KINDS[region.look.kind]

    def _cells(self, planes: Sequence[Plane], region: Region, membrane_nodes: Cells) -> list[Cells]:
        """Sample the cells of every plane; a kind without chroma cells takes the mean chroma of the membrane."""
        if self._kind_of(region).chroma_cells:
            return [self._sample(plane, number, region) for number, plane in enumerate(planes)]
        return [self._sample(planes[0], 0, region), *(nodes.mean(keepdims=True) for nodes in membrane_nodes[1:])]

    def _membranes(self, planes: Sequence[Plane], regions: Sequence[Region], hidden: Sequence[Region]) -> Cells:
        """Return the membranes over regions in every plane; no pixel of a ``hidden`` region is used.

        The result has shape (regions, planes, MEMBRANE_NODES, MEMBRANE_NODES).
        """
        if not regions:
            return np.zeros((0, len(planes), MEMBRANE_NODES, MEMBRANE_NODES), np.float32)
        strips: list[list[Strip]] = []
        for number in range(min(2, len(planes))):
            height, width = planes[number].shape
            shift = self.layout.shift(number)
            boxes, taken = (np.array([region.edges(*shift) for region in each]) for each in (regions, hidden))
            rims = find_rims(boxes, hidden=taken, height=height, width=width)
            strips += [rims] * (len(planes) - 1 if number else 1)
        sides = side_means(planes, strips).reshape(-1, 4, MEMBRANE_NODES)
        gray = (self.layout.black + self.layout.white) / 2
        empty = np.repeat([gray, *[self.layout.neutral] * (len(planes) - 1)], len(regions))
        return (
            membranes(sides, empty=empty)
            .reshape(len(planes), len(regions), MEMBRANE_NODES, MEMBRANE_NODES)
            .swapaxes(0, 1)
        )

    def _sample(self, plane: Plane, number: int, region: Region) -> Cells:
        shape = self._grid_shape(region.box, number, region)
        cells = sample_cells(plane, region, shape=shape, shift=self.layout.shift(number))
        return self._quantize(self._disturb(cells, number, region), region)

    def _grid_shape(self, box: Box, number: int, region: Region) -> tuple[int, int]:
        kind = self._kind_of(region)
        return grid_shape(box, (kind.chroma_cells if number else kind.cells) / region.look.strength)

    def _disturb(self, cells: Cells, number: int, region: Region) -> Cells:
        """Add noise, and shuffle the cells if the kind says so; both are the same for a face in every frame."""
        kind = self._kind_of(region)
        if not kind.noise:
            return cells
        chance = np.random.default_rng([abs(self.seed), abs(region.face), number])
        if kind.shuffled:
            cells = chance.permutation(cells.ravel()).reshape(cells.shape)
        reach = kind.noise * (1 << self.layout.bit_depth)
        tone = chance.uniform(-reach, reach)
        return np.asarray(cells + tone + chance.uniform(-reach, reach, cells.shape), dtype=np.float32)

    def _quantize(self, cells: Cells, region: Region) -> Cells:
        levels, top = self._kind_of(region).levels, (1 << self.layout.bit_depth) - 1
        if levels:
            step = (1 << self.layout.bit_depth) / levels
            cells = np.rint(cells / step) * step
        return np.clip(cells, 0, top).astype(np.float32)

    def _paint(self, planes: Sequence[Plane], region: Region, values: list[Cells]) -> None:
        look = self._kind_of(region).look
        if look == "outline":
            draw_outline(planes, region, self.layout)
            return
        for number, plane in enumerate(planes):
            shift = self.layout.shift(number)
            patch, mask = plane[region.slices(*shift)], region.mask(*shift)
            before = None if mask is None else patch.copy()
            if look == "linear":
                soften(plane, region, shape=self._grid_shape(region.visible, number, region), shift=shift)
            elif look == "flat":
                patch[...] = self.layout.neutral if number else self.layout.black
            elif look == "blocks":
                paint_blocks(plane, region, values[number], shift=shift)
            else:
                paint_fine(plane, region, values[number], shift=shift)
            if before is not None and mask is not None:
                np.copyto(patch, before, where=~mask)
