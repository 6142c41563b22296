import numpy as np

from redactkit.analysis.appearance import LENGTH, describe


def picture(color):
    return np.full((100, 100, 3), color, np.uint8)


def test_describe_nothing_is_empty():
    assert describe(picture(0), np.zeros((0, 4))).shape == (0, LENGTH)


def test_describe_has_length_one_and_is_its_own_likeness():
    (look,) = describe(picture((200, 30, 30)), np.array([[40.0, 30, 20, 25]]))
    np.testing.assert_allclose(look @ look, 1, rtol=1e-5)


def test_describe_tells_colours_apart():
    place = np.array([[40.0, 30, 20, 25]])
    red, green = (describe(picture(color), place)[0] for color in ((200, 30, 30), (30, 200, 30)))
    assert red @ green < 0.9


def test_describe_knows_what_is_worn():
    worn = picture(120)
    worn[60:] = (20, 20, 200)
    place = np.array([[40.0, 30, 20, 25]])
    assert describe(picture(120), place)[0] @ describe(worn, place)[0] < 0.9


def test_describe_takes_what_is_inside_the_picture():
    inside, outside = describe(picture(90), np.array([[-10.0, 30, 20, 25], [300, 300, 20, 25]]))
    assert np.isfinite(inside).all()
    assert np.isnan(outside).all()
