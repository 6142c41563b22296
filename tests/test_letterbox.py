import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from redactkit.analysis.letterbox import Letterbox, choose_detection_size, merge, plan_letterboxes
from redactkit.errors import OptionError

sides = st.integers(16, 4096)


def mark(width, height):
    """A black frame with one white box, and that box."""
    image = np.zeros((height, width, 3), np.uint8)
    box = [width // 4, height // 2, width // 4, height // 4]
    image[box[1] : box[1] + box[3], box[0] : box[0] + box[2]] = 255
    return image, box


def white_box(picture):
    rows, columns = np.nonzero(picture[..., 0] > 200)
    left, top = columns.min(), rows.min()
    return np.array([[left, top, columns.max() + 1 - left, rows.max() + 1 - top, 0.5]], np.float64)


def test_merge_of_nothing_is_empty():
    assert merge([]).shape == (0, 5)
    assert merge([np.zeros((0, 5))] * 2).shape == (0, 5)


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
@pytest.mark.parametrize("canvas", [None, (320, 256)])
def test_letterbox_maps_back_to_the_frame(rotation, canvas):
    image, box = mark(400, 240)
    letterbox = Letterbox(200, 120, canvas=canvas, rotation=rotation)
    picture = letterbox.picture(image)
    assert picture.flags.c_contiguous
    np.testing.assert_allclose(letterbox.faces(white_box(picture), width=400, height=240), [[*box, 0.5]], atol=2)


def test_letterbox_is_made_from_any_scaled_copy():
    letterbox = Letterbox(64, 48)
    image, _ = mark(640, 480)
    np.testing.assert_allclose(letterbox.picture(image), letterbox.picture(image[::2, ::2]), atol=40)


def test_letterbox_leaves_small_boxes_and_boxes_outside_to_others():
    letterbox = Letterbox(100, 100, canvas=(160, 160), min_box_pixels=16)
    found = np.array([[60, 60, 20, 20, 0.9], [60, 60, 20, 12, 0.9], [2, 2, 24, 24, 0.9]], np.float64)
    assert letterbox.faces(found, width=200, height=200).tolist() == [[60.0, 60.0, 40.0, 40.0, 0.9]]


@given(sides, sides)
def test_detection_size_lets_a_face_of_24_pixels_be_found(width, height):
    size = choose_detection_size(width, height)
    assert all(side % 32 == 0 and side >= 32 for side in size)
    scale = max(size) / max(width, height)
    assert scale * 24 >= 0.9 * min(16, 24 * 640 / max(width, height))


@given(sides, sides, st.floats(16, 200))
def test_detection_size_falls_with_the_smallest_face(width, height, smallest):
    assert choose_detection_size(width, height, smallest_face=2 * smallest) <= choose_detection_size(
        width, height, smallest_face=smallest
    )


def test_detection_size_refuses_faces_of_no_size():
    with pytest.raises(OptionError, match="smallest_face"):
        choose_detection_size(640, 360, smallest_face=0)


@given(sides, sides, st.none() | st.integers(32, 2000))
def test_plan_letterboxes_pictures_fit_the_network(width, height, size):
    letterboxes = plan_letterboxes(width, height, size=size, rotations=(180,))
    assert [letterbox.rotation for letterbox in letterboxes] == [0, 0, 180, 180]
    fine, coarse = letterboxes[:2]
    assert fine.width % 32 == fine.height % 32 == 0
    assert all(side % 32 == 0 for side in coarse.canvas)
    assert coarse.canvas[0] >= coarse.width
    assert coarse.canvas[1] >= coarse.height
    assert coarse.width * coarse.height < 0.2 * fine.width * fine.height


def test_plan_letterboxes_takes_the_size_asked_for():
    assert plan_letterboxes(1920, 1080, size=640)[0] == Letterbox(640, 352)
    with pytest.raises(OptionError, match="detection_size must be at least 32"):
        plan_letterboxes(1920, 1080, size=0)
