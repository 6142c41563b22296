"""Effects: only boxes change, all of each box changes, and what is left of a face is bounded."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from redactkit.effects import BLUR_KINDS, HIDING_KINDS, Effect, PixelLayout, get_kind, swatches
from redactkit.effects.grids import grid_shape
from redactkit.effects.regions import find_regions
from redactkit.effects.surroundings import find_rims, side_means
from redactkit.errors import OptionError, TableError

LAYOUTS = [
    PixelLayout(1, 1, 8, False),
    PixelLayout(1, 0, 8, True),
    PixelLayout(0, 0, 10, False),
    PixelLayout(1, 1, 10, True),
]


def make_planes(layout: PixelLayout, height: int = 97, width: int = 131, *, seed: int = 0) -> list[np.ndarray]:
    """Return noise, so that every pixel that is written to shows."""
    chance = np.random.default_rng(seed)
    dtype = np.uint8 if layout.bit_depth == 8 else np.uint16
    shapes = [layout.plane_shape((height, width), number) for number in range(3)]
    return [chance.integers(0, 1 << layout.bit_depth, shape).astype(dtype) for shape in shapes]


def apply(kind: str, planes: list[np.ndarray], boxes: object, *, layout: PixelLayout = LAYOUTS[0], **options) -> list:
    """Return copies of the planes with the effect on them."""
    copies = [plane.copy() for plane in planes]
    faces = options.pop("faces", range(len(boxes)))
    Effect(kind, layout, **options).apply(copies, boxes, faces=faces, frame=0)
    return copies


@pytest.mark.parametrize("kind", BLUR_KINDS)
def test_no_box_changes_nothing(kind):
    planes = make_planes(LAYOUTS[0])
    for before, after in zip(planes, apply(kind, planes, []), strict=True):
        np.testing.assert_array_equal(before, after)


def _mask(layout: PixelLayout, number: int, shape: tuple[int, int], box: list[float]) -> np.ndarray:
    """Return which samples of a plane share a pixel, or a chroma sample, with the box."""
    shift_x, shift_y = layout.shift(number)
    step_x, step_y = (1 << layout.chroma_x) >> shift_x, (1 << layout.chroma_y) >> shift_y
    rows, columns = np.indices(shape)
    x, y, width, height = box

    def reach(index, step, shift, first, size):
        cell = (index // step * step) << shift
        return (cell < first + size) & (cell + (step << shift) > first)

    return reach(rows, step_y, shift_y, y, height) & reach(columns, step_x, shift_x, x, width)


@pytest.mark.parametrize(("kind", "layout"), list(product(BLUR_KINDS, LAYOUTS)))
@settings(deadline=None, max_examples=30)
@given(box=st.tuples(st.floats(-30, 140), st.floats(-30, 110), st.floats(0.1, 90), st.floats(0.1, 90)))
def test_pixels_outside_the_box_keep_their_values(kind, layout, box):
    planes = make_planes(layout)
    for number, (before, after) in enumerate(zip(planes, apply(kind, planes, [box], layout=layout), strict=True)):
        outside = ~_mask(layout, number, before.shape, list(box))
        np.testing.assert_array_equal(before[outside], after[outside])


@pytest.mark.parametrize(("kind", "layout"), list(product(HIDING_KINDS, LAYOUTS)))
def test_hiding_kinds_replace_every_pixel_of_the_box(kind, layout):
    planes = make_planes(layout)
    box = [30.4, 20.6, 55.3, 61.2]
    equal = [
        (before == after)[_mask(layout, number, before.shape, box)].mean()
        for number, (before, after) in enumerate(zip(planes, apply(kind, planes, [box], layout=layout), strict=True))
    ]
    assert max(equal) < 0.02


@pytest.mark.parametrize("kind", HIDING_KINDS)
def test_a_box_that_takes_all_of_the_frame_is_hidden(kind):
    planes = make_planes(LAYOUTS[0])
    for before, after in zip(planes, apply(kind, planes, [[-50, -50, 400, 400]]), strict=True):
        assert (before == after).mean() < 0.03


def test_fill_without_surroundings_is_gray():
    luma, *chroma = apply("Fill", make_planes(LAYOUTS[0]), [[-50, -50, 400, 400]])
    assert set(np.unique(luma)) <= {125, 126}
    assert all((plane == 128).all() for plane in chroma)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_black_is_black_in_every_range_and_depth(layout):
    luma, *chroma = apply("Black", make_planes(layout), [[10, 10, 40, 40]], layout=layout)
    assert (luma[10:50, 10:50] == (0 if layout.full_range else 16 << (layout.bit_depth - 8))).all()
    for plane in chroma:
        assert (plane[15:20, 15:20] == 1 << (layout.bit_depth - 1)).all()


@pytest.mark.parametrize("kind", HIDING_KINDS)
def test_the_same_face_at_any_size_leaves_no_more_than_its_cells(kind):
    """Two faces that agree in their cells come out alike, however much they differ in detail."""
    for size in (20, 100, 600):
        flat = np.full((700, 700), 120, np.uint8)
        fine = flat.copy()
        box = [50, 40, size, size]
        fine[40 : 40 + size, 50 : 50 + size] += (np.indices((size, size)).sum(axis=0) % 2 * 20 - 10).astype(np.uint8)
        results = [apply(kind, [picture], [box])[0].astype(int) for picture in (flat, fine)]
        assert abs(results[0] - results[1])[40 : 40 + size, 50 : 50 + size].max() <= 8


def test_cells_stay_few_from_small_faces_to_large_ones():
    for cells in {BLUR_KINDS[name].cells for name in HIDING_KINDS} - {0}:
        shapes = {grid_shape((0, 0, size, size * 1.25), cells) for size in (30, 100, 1000)}
        assert max(rows * columns for rows, columns in shapes) <= 20


def test_strength_makes_fewer_cells():
    planes = make_planes(LAYOUTS[0])
    counts = [
        len(np.unique(apply("Pixelate", planes, [[10, 10, 80, 80]], strength=by)[0][12:88, 12:88])) for by in (1, 5)
    ]
    assert counts[0] > counts[1] == 1


def test_pixels_of_one_face_never_reach_another_by_overlap():
    """Of a small box over a large one nothing finer than the large one's cells is left."""
    luma = make_planes(LAYOUTS[0])[0]
    both = apply("Pixelate", [luma], [[10, 10, 80, 80], [40, 40, 12, 12]])[0]
    alone = apply("Pixelate", [luma], [[10, 10, 80, 80]])[0]
    np.testing.assert_array_equal(both, alone)


@pytest.mark.parametrize("kind", HIDING_KINDS)
def test_overlapping_boxes_are_sampled_before_any_is_painted_and_all_covered(kind):
    planes = make_planes(LAYOUTS[0])
    boxes = [[10, 10, 50, 50], [40, 30, 50, 50], [42, 34, 20, 20]]
    there = apply(kind, planes, boxes, faces=[1, 2, 3])
    back = apply(kind, planes, boxes[::-1], faces=[3, 2, 1])
    for first, second in zip(there, back, strict=True):
        np.testing.assert_array_equal(first, second)
    covered = np.zeros(planes[0].shape, bool)
    for x, y, width, height in boxes:
        covered[y : y + height, x : x + width] = True
    assert (planes[0] == there[0])[covered].mean() < 0.03


def test_fill_uses_no_pixel_of_any_redacted_box():
    """What is inside a neighbour's box makes no difference to the boxes beside it."""
    first, second = np.full((80, 160), 90, np.uint8), np.full((80, 160), 90, np.uint8)
    boxes = [[20, 20, 40, 40], [60, 20, 40, 40], [50, 10, 20, 20]]
    for x, y, width, height in boxes:
        second[y : y + height, x : x + width] = make_planes(LAYOUTS[0])[0][:height, :width]
    np.testing.assert_array_equal(apply("Fill", [first], boxes)[0], apply("Fill", [second], boxes)[0])


def test_box_kind_draws_a_visible_line_and_keeps_the_inside():
    planes = [np.full((360, 640), 60, np.uint8)]
    luma = apply("Box", planes, [[100, 100, 80, 80]])[0]
    assert (luma[100:102, 100:180] > 150).all()
    assert (luma[104:176, 104:176] == 60).all()


def test_gray_pictures_and_alpha_planes_are_taken():
    luma = make_planes(LAYOUTS[0])[0]
    alpha = luma.copy()
    assert (apply("Black", [luma], [[10, 10, 20, 20]])[0][10:30, 10:30] == 16).all()
    four = apply("Black", [*make_planes(LAYOUTS[0]), alpha], [[10, 10, 20, 20]])
    np.testing.assert_array_equal(four[3], alpha)


def test_two_boxes_of_one_face_keep_their_own_values():
    luma = np.full((100, 200), 30, np.uint8)
    luma[:, 100:] = 220
    hidden = apply("Pixelate", [luma], [[10, 10, 60, 60], [120, 10, 60, 60]], faces=[5, 5])[0]
    assert hidden[12:68, 12:68].mean() < 110 < 140 < hidden[12:68, 122:178].mean()


def test_same_input_gives_the_same_output_and_the_seed_changes_the_noise():
    planes = make_planes(LAYOUTS[0])
    first, again, other = (apply("High", planes, [[10, 10, 60, 60]], seed=seed)[0] for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


@pytest.mark.parametrize(
    ("boxes", "faces", "message"),
    [
        ([[0, 0, np.nan, 4]], [1], "finite"),
        ([[0, 0, -1, 4]], [1], "sides of 0 or more"),
        ([[0, 0, 5, 5]], [1, 2], r"faces must have shape \(1,\)"),
    ],
)
def test_bad_boxes_are_refused(boxes, faces, message):
    planes = make_planes(LAYOUTS[0])
    with pytest.raises(TableError, match=message):
        Effect("Med", LAYOUTS[0]).apply(planes, boxes, faces=faces, frame=7)


def test_planes_of_another_layout_are_refused():
    planes = make_planes(LAYOUTS[2])
    effect = Effect("Med", LAYOUTS[0])
    with pytest.raises(OptionError, match="plane 0 must be uint8"):
        effect.apply(planes, [], faces=[], frame=0)
    with pytest.raises(OptionError, match="1 plane"):
        effect.apply(planes[:2], [], faces=[], frame=0)
    frozen = make_planes(LAYOUTS[0])[0]
    frozen.flags.writeable = False
    with pytest.raises(OptionError, match="read-only"):
        effect.apply([frozen], [], faces=[], frame=0)


def test_unknown_kinds_and_values_out_of_range_are_refused():
    with pytest.raises(OptionError, match=f"choose one of {', '.join(BLUR_KINDS)}$"):
        get_kind("blurry")
    with pytest.raises(OptionError, match="strength"):
        Effect("Med", LAYOUTS[0], strength=0.5)
    with pytest.raises(OptionError, match="hold"):
        Effect("Med", LAYOUTS[0], hold=0)
    assert get_kind(" BLACK ") is BLUR_KINDS["Black"]


def test_swatches_show_every_kind_differently():
    pictures = swatches(size=256)
    assert list(pictures) == list(BLUR_KINDS)
    assert len({picture.tobytes() for picture in pictures.values()}) == len(BLUR_KINDS)


def test_means_along_a_side_are_those_of_its_parts_and_of_no_pixel_that_is_hidden():
    plane = np.random.default_rng(4).integers(0, 256, (120, 160), dtype=np.uint8)
    region, other = find_regions(
        [[60.0, 40.0, 30.0, 30.0], [90.0, 30.0, 60.0, 30.0]],
        [1, 2],
        layout=PixelLayout(0, 0),
        size=(120, 160),
        frame=0,
    )
    hidden = np.array([each.edges(0, 0) for each in (region, other)])
    rim = find_rims(hidden[:1], hidden=hidden, height=120, width=160)
    means = side_means([plane, 255 - plane], [rim, rim]).reshape(2, 4, -1)
    assert np.isnan(means[:, 1, :8]).all(), "the other face's pixels"
    shares = np.array([1, 1, 0.5])  # 30 pixels in 12 parts
    assert means[0, 1, 8] == pytest.approx((plane[60:63, 90:92].T * shares).sum() / 5, abs=1e-3)
    assert means[0, 0, 0] == pytest.approx((plane[38:40, 60:63] * shares).sum() / 5, abs=1e-3)
    assert means[0, 2, 1] == pytest.approx((plane[70:72, 62:65] * shares[::-1]).sum() / 5, abs=1e-3)
    assert means[1, 3] == pytest.approx(255 - means[0, 3], abs=1e-3)
