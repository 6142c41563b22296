import numpy as np

from redactkit.analysis.appearance import DESCRIPTOR_LENGTH, describe


def picture(color):
    return np.full((100, 100, 3), color, np.uint8)


def test_describe_nothing_is_empty():
    assert describe(picture(0), np.zeros((0, 4))).shape == (0, DESCRIPTOR_LENGTH)


def alike(first, second):
    a, b = (each.astype(float) for each in (first, second))
    return a @ b / np.sqrt(a @ a * (b @ b))


def test_describe_tells_colours_apart():
    box = np.array([[40.0, 30, 20, 25]])
    red, green = (describe(picture(color), box)[0] for color in ((200, 30, 30), (30, 200, 30)))
    assert alike(red, red) > 0.999
    assert alike(red, green) < 0.9


def test_describe_knows_what_is_worn():
    worn = picture(120)
    worn[60:] = (20, 20, 200)
    box = np.array([[40.0, 30, 20, 25]])
    assert alike(describe(picture(120), box)[0], describe(worn, box)[0]) < 0.9


def test_describe_takes_what_is_inside_the_picture():
    inside, outside = describe(picture(90), np.array([[-10.0, 30, 20, 25], [300, 300, 20, 25]]))
    assert inside.any()
    assert not outside.any()
