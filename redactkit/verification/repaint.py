"""Paint each box of a redaction again, and tell where the output is something else.

A redaction is deterministic: source, boxes and settings say what every hidden pixel is before it is encoded. What
differs by more than the encoder explains was painted otherwise or not at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from redactkit import effects
from redactkit.effects import PixelLayout
from redactkit.effects.layout import Plane
from redactkit.effects.regions import Region, find_regions
from redactkit.media import VideoInfo
from redactkit.redaction.plan import Plan, noise_seed
from redactkit.verification.detail import detail_score, fine_detail
from redactkit.verification.pairs import Pair
from redactkit.video import Pictures, pixel_layout, plane_views
from redactkit.video.encoding import Encoding
from redactkit.video.likeplanes import LikePlanes

__all__ = ["BoxCheck", "Painting", "Repainter"]

TILE_PIXELS = 8
"""Luma pixels along a tile; a chroma tile lies over the same pixels."""

MAX_TILES = 24
"""Tiles along a side of a box: of large faces tiles are larger."""

TILE_BOUNDS = (6.0, 7.0, 7.0)
"""Mean difference of a tile, in grey levels of Y, U and V, that an encoder explains at the default quality.

Measured on 1,900 boxes of each hiding kind: inside a box the largest was 5.9, 5.0 and 5.6.
"""

RIM_FACTOR = 2.2
"""How many times that bound a tile at the rim of a box may differ, where it shares blocks with what is around."""

NOISE_STEP_FRAMES = 4
"""Frames from one estimate of the encoder's noise to the next."""

USUAL_NOISE = 0.5
"""Mean difference in grey levels of untouched tiles, their median, that goes with `TILE_BOUNDS`.

At the default quality it is 0.2 to 0.6, encoded again at crf 28 0.7, at crf 35 1.2 to 1.5.
"""

MAX_NOISE_FACTOR = 4.0
"""How many times the bound is raised at most for a noisier encoding."""

MIN_ODD_SHARE = 0.08
"""Share of a box's tiles that differ from which the box counts: a face of 20 pixels has 16 tiles."""

MAX_TILE_WEIGHT = 3.0
"""How many tiles one counts for at most that differs by a multiple of the bound: eyes are a few such tiles."""

MIN_SOURCE_TILES_SHARE = 0.5
"""Share of the tiles that differ that must show the source: of tiles painted with other noise some do by chance."""

SOURCE_BOUND_SHARE = 0.6
"""Share of the bound within which a tile is the source's."""

SOURCE_SHARE = 0.5
"""A tile shows the source where it is nearer to it than to the painting by this factor."""

MIN_CONTRAST = 2.5
"""Root mean square difference of source and painting, in grey levels, from which a whole plane is judged."""

MIN_PLANE_DIFFERENCE = 0.8
"""Mean difference of a plane, in grey levels, below which it cannot lie toward such a source."""

MIN_NEARNESS = 0.6
"""How far the plane must lie toward the source."""

MIN_TRACE_CORRELATION, MIN_TRACE_SHARE = 0.6, 0.1
"""Correlation of what differs from the painting with the source's detail, and the share of that detail, for a trace.

In 309 boxes of three kinds at the default quality the encoder reached 0.41 and 0.03; encoded again at crf 33, 0.60 and
0.18, which is why the share goes with the noise.
"""

MIN_TRACE_PIXELS = 16
"""Shorter side of a box, its rim left out, from which a trace is looked for."""

INNER_RIM_SHARE = 0.06
"""Share of a box left out on each side before its detail is judged."""


@dataclass(frozen=True)
class Painting:
    """What is known of how a video was hidden.

    Parameters
    ----------
    kind : str or None
        Blur kind; None where nobody knows, and only the source's detail can be looked for.
    margin : float
    strength : float
    exact : bool
        Whether a report of this very file and these very boxes says so: then anything else in a box is a fault.
    """

    kind: str | None
    margin: float = 0.15
    strength: float = 1.0
    exact: bool = False


@dataclass(frozen=True)
class BoxCheck:
    """What one hidden box shows.

    Parameters
    ----------
    face : int
    odd : float
        Share of its tiles that are not as painted again.
    bare : float
        Share of its tiles that are the source's in every plane.
    near : float
        Share of its tiles that are nearer to the source than to the painting in a plane that differs.
    detail : float
        From 1 on, the source's detail is in it (`redactkit.verification.detail`); 0 where it was not looked for,
        since the box is as painted.
    """

    face: int
    odd: float
    bare: float
    near: float
    detail: float

    @property
    def as_painted(self) -> bool:
        """Whether the box is what the redaction made of it."""
        return self.odd < MIN_ODD_SHARE and self.detail < 1

    @property
    def shows_source(self) -> bool:
        """Whether part of the source is in it: its detail, or tiles that are the source rather than anything else."""
        return (
            self.detail >= 1
            or self.bare >= MIN_ODD_SHARE
            or (self.near >= MIN_ODD_SHARE and self.near >= MIN_SOURCE_TILES_SHARE * self.odd)
        )


class Repainter:
    """Holds the hidden boxes of one frame after the other against what they should be; frames go forward."""

    def __init__(self, info: VideoInfo, output: VideoInfo, plan: Plan, painting: Painting, encoding: Encoding) -> None:
        self._info, self._plan, self.painting = info, plan, painting
        self._pictures = Pictures(info, encoding)
        self._like = LikePlanes(info, output)
        self._spare: Any = None
        self._effect: effects.Effect | None = None
        self.noise = 0.0
        """Median of the mean differences of untouched tiles, the highest of late."""

    def check(self, pair: Pair) -> list[BoxCheck]:
        """Return what each hidden box of a frame shows, in no order."""
        boxes, faces = self._plan.at(pair.index)
        if not len(boxes):
            return []
        source = self._pictures.convert(pair.source.picture)
        layout = pixel_layout(source)
        before = plane_views(source)[:3]
        height, width = before[0].shape
        looks = self._plan.looks_at(pair.index)
        regions = find_regions(boxes, faces, layout=layout, size=(height, width), frame=pair.index, looks=looks)
        after = self._like(pair.output, source, layout)
        painted = self._painted(source, layout, boxes, faces, pair.index)
        if pair.index % NOISE_STEP_FRAMES == 0 or not self.noise:
            self._estimate_noise(before[0], after[0], regions, layout)
        return [self._judge(region, before, after, painted, layout) for region in regions]

    def _painted(
        self,
        source: Any,
        layout: PixelLayout,
        boxes: NDArray[np.float64],
        faces: NDArray[np.int64],
        frame: int,
    ) -> Sequence[Plane] | None:
        """Return the planes as the redaction painted them before they were encoded, None where nobody knows."""
        painting = self.painting
        if painting.kind is None:
            return None
        self._spare = self._pictures.prepare(source, into=self._spare)
        planes = plane_views(self._spare)
        if self._effect is None:
            seed = noise_seed(self._info)
            self._effect = effects.Effect(painting.kind, layout, strength=painting.strength, seed=seed)
        self._effect.apply(planes, boxes, faces=faces, frame=frame, looks=self._plan.looks_at(frame))
        return planes[:3]

    def _estimate_noise(self, before: Plane, after: Plane, regions: Sequence[Region], layout: PixelLayout) -> None:
        """Learn from some untouched rows how much the encoder changes."""
        step = max(1, before.shape[0] // TILE_PIXELS // 12) * TILE_PIXELS
        rows = [slice(top, top + TILE_PIXELS) for top in range(0, before.shape[0] - TILE_PIXELS, step)]
        if not rows or before.shape[1] < TILE_PIXELS:
            return
        strips = [abs(before[row].astype(np.int32) - after[row]) for row in rows]
        for strip, row in zip(strips, rows, strict=True):
            for region in regions:
                if region.top < row.stop and region.bottom > row.start:
                    strip[:, region.left : region.right] = -1
        whole = before.shape[1] // TILE_PIXELS * TILE_PIXELS
        tiles = np.array(strips)[:, :, :whole].reshape(len(rows), TILE_PIXELS, -1, TILE_PIXELS)
        clear = (tiles >= 0).all(axis=(1, 3))
        if clear.sum() >= TILE_PIXELS:
            estimate = float(np.median(tiles.mean(axis=(1, 3))[clear])) / (1 << layout.bit_depth - 8)
            self.noise = max(estimate, 0.9 * self.noise)

    def _judge(
        self,
        region: Region,
        before: Sequence[Plane],
        after: Sequence[Plane],
        painted: Sequence[Plane] | None,
        layout: PixelLayout,
    ) -> BoxCheck:
        # What an object's own look paints without hiding who it is, is bare though it is as painted.
        if painted is None or effects.BLUR_KINDS[region.look.kind].cosmetic:
            return BoxCheck(region.face, 0.0, 0.0, 0.0, self._detail(region, before, after, layout))
        noise_factor = float(np.clip(self.noise / USUAL_NOISE, 1.0, MAX_NOISE_FACTOR))
        odd, bare, near = _tiles(region, before, after, painted, layout, noise_factor=noise_factor)
        compared = odd >= MIN_ODD_SHARE and not self.painting.exact
        detail = self._detail(region, before, after, layout) if compared else 0.0
        return BoxCheck(region.face, odd, bare, near, detail)

    def _detail(self, region: Region, before: Sequence[Plane], after: Sequence[Plane], layout: PixelLayout) -> float:
        """Return the score of the plane that shares most with the source, as it stands, mirrored or upside down."""
        best, scale = 0.0, 1 << layout.bit_depth - 8
        for number, (old, new) in enumerate(zip(before, after, strict=True)):
            part = _inner(region.slices(*layout.shift(number)))
            source, output = old[part].astype(np.float32) / scale, new[part].astype(np.float32) / scale
            ways = (source, source[:, ::-1], source[::-1], source[::-1, ::-1])
            best = max(best, *(detail_score(each, output, chroma=number > 0) for each in ways))
        return best


def _inner(part: tuple[slice, slice]) -> tuple[slice, slice]:
    """Leave out the rim of a box, where blocks hold something of what is around."""
    cuts = [max(1, round((each.stop - each.start) * INNER_RIM_SHARE)) for each in part]
    rows, columns = (slice(each.start + cut, each.stop - cut) for each, cut in zip(part, cuts, strict=True))
    return rows, columns


def _tiles(
    region: Region,
    before: Sequence[Plane],
    after: Sequence[Plane],
    painted: Sequence[Plane],
    layout: PixelLayout,
    *,
    noise_factor: float,
) -> tuple[float, float, float]:
    """Return the shares of tiles that are not as painted, that are the source's, and that are nearer to that.

    A tile counts for as many as it differs by bounds, up to `MAX_TILE_WEIGHT`; shares are at most 1.
    """
    rows, columns = (_count(side) for side in (region.bottom - region.top, region.right - region.left))
    scale = noise_factor * (1 << layout.bit_depth - 8)
    limit = np.full((rows, columns), RIM_FACTOR * scale)
    limit[1:-1, 1:-1] = scale
    parts = [region.slices(*layout.shift(number)) for number in range(len(painted))]
    apart = [
        _apart(new[part], wanted[part], rows, columns) for part, new, wanted in zip(parts, after, painted, strict=True)
    ]
    # Of a box that is as painted, which nearly all are, nothing more is asked.
    if all(
        (each <= TILE_BOUNDS[n] * limit).all() and each.mean() < MIN_PLANE_DIFFERENCE * scale
        for n, each in enumerate(apart)
    ):
        return 0.0, 0.0, 0.0
    odd, near = np.zeros((rows, columns), np.float32), np.zeros((rows, columns), np.float32)
    same = np.ones((rows, columns), bool)
    for number, part in enumerate(parts):
        source, output, expected = before[number][part], after[number][part], painted[number][part]
        bound = TILE_BOUNDS[number] * limit
        times = np.minimum(apart[number] / bound, MAX_TILE_WEIGHT)
        here = np.where(times > 1, times, 0)
        off = _apart(output, source, rows, columns)
        shown = off < SOURCE_SHARE * apart[number]
        same &= off < SOURCE_BOUND_SHARE * bound
        least = MIN_CONTRAST * scale
        faint = _nearness(source, output, expected, least=least) > MIN_NEARNESS
        if faint or (number == 0 and _has_trace(source, output, expected, least=least, noise_factor=noise_factor)):
            # Too faint for single tiles, as where a pale colour alone is left; the box as a whole tells.
            here, shown = np.ones_like(odd), np.ones((rows, columns), bool)
        odd = np.maximum(odd, here)
        near = np.maximum(near, np.where(shown, here, 0))
    shares = (odd, np.where(same, odd, 0), near)
    all_odd, bare, nearer = (min(1.0, float(share.mean())) for share in shares)
    return all_odd, bare, nearer


def _has_trace(source: Plane, output: Plane, expected: Plane, *, least: float, noise_factor: float) -> bool:
    """Tell whether the source's detail is laid faintly over the painting, by the correlation of both differences."""
    part = _inner(_inner((slice(0, source.shape[0]), slice(0, source.shape[1]))))
    if min(source[part].shape) < MIN_TRACE_PIXELS:
        return False
    # Smooth differences are left out: those of the surface that other boxes would have go with the source's.
    detail, added = (fine_detail(one[part].astype(np.float32) - expected[part]) for one in (source, output))
    strength, left = float(np.sqrt((detail**2).mean())), float(np.sqrt((added**2).mean()))
    if strength < least or not left:
        return False
    correlation = float((detail * added).mean()) / (strength * left)
    share = correlation * left / strength
    return correlation > MIN_TRACE_CORRELATION and share > MIN_TRACE_SHARE * noise_factor


def _nearness(source: Plane, output: Plane, expected: Plane, *, least: float) -> float:
    """Return how far a plane lies from the painting, 0, toward the source, 1; 0 where the two hardly differ."""
    away, moved, rest = (
        one.astype(np.float32) - other for one, other in ((source, expected), (output, expected), (output, source))
    )
    if np.sqrt((away**2).mean()) < least or (rest**2).mean() >= SOURCE_SHARE * (moved**2).mean():
        return 0.0
    return float((away * moved).sum() / (away**2).sum())


def _count(side: int) -> int:
    return int(np.clip(round(side / TILE_PIXELS), 1, MAX_TILES))


def _apart(first: Plane, second: Plane, rows: int, columns: int) -> NDArray[np.float32]:
    """Return the mean differences of rows x columns equal parts of two patches."""
    import cv2

    apart = cv2.absdiff(np.ascontiguousarray(first), np.ascontiguousarray(second)).astype(np.float32)
    means = cv2.resize(apart, (columns, rows), interpolation=cv2.INTER_AREA)
    return np.asarray(means, np.float32).reshape(rows, columns)
