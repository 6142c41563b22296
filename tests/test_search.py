import json
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest

from redactkit.analysis.letterbox import plan_letterboxes
from redactkit.analysis.rotation import RotationSamples, find_rotations
from redactkit.analysis.search import SENSITIVITIES, plan_search, resolve_detector
from redactkit.detectors import load_detector
from redactkit.errors import OptionError
from redactkit.media import VideoInfo


def info(frames=3, width=320, height=320):
    return VideoInfo(None, width, height, Fraction(1), Fraction(1), np.arange(frames))


def blind(images):
    return [np.zeros((0, 5)) for _ in images]


class Still:
    """A video of one picture."""

    def __init__(self, image):
        self.image = image
        self.info = info(width=image.shape[1], height=image.shape[0])

    def ranges(self, ranges):
        for number, _ in ranges:
            self.index = number
            yield self

    def rgb(self, *, width, height):
        import cv2

        return cv2.resize(self.image, (width, height), interpolation=cv2.INTER_AREA)


@pytest.fixture(scope="module")
def portrait():
    import matplotlib.pyplot as plt
    from matplotlib.cbook import get_sample_data

    with get_sample_data("grace_hopper.jpg") as file:
        return np.ascontiguousarray(plt.imread(file)[:512, :, :3])


def test_find_rotations_of_no_faces_are_none():
    still = Still(np.zeros((64, 64, 3), np.uint8))
    assert find_rotations(still, RotationSamples(still.info, blind, plan_letterboxes(64, 64)[0])) == ()


@pytest.mark.parametrize("turned", [0, 90, 180, 270])
def test_find_rotations_brings_a_face_upright(portrait, turned):
    still = Still(np.ascontiguousarray(np.rot90(portrait, turned // 90)))
    found = find_rotations(
        still,
        RotationSamples(still.info, load_detector(threshold=0.1), plan_letterboxes(*still.image.shape[1::-1])[0]),
    )
    assert found in ({0: [()], 90: [(90,), ()], 180: [(180,)], 270: [(270,)]}[turned])


def test_search_rotated_adds_the_letterboxes_once():
    search = plan_search(info(), detector=blind)
    assert [each.rotation for each in search.letterboxes] == [0, 0]
    twice = search.with_rotations([180]).with_rotations([180])
    assert [each.rotation for each in twice.letterboxes] == [0, 0, 180, 180]
    assert search.with_rotations(()) == search


def test_search_settings_can_be_written():
    settings = plan_search(info(), size=64).with_rotations((90,)).settings
    assert json.loads(json.dumps(settings)) == settings
    assert settings["detector"] == "centerface"
    assert settings["detection_size"] == [64, 64]
    assert settings["turns"] == [90]


@pytest.mark.parametrize("name", SENSITIVITIES)
def test_sensitivities_are_in_order(name):
    ordered = [SENSITIVITIES[name][word] for word in ("high", "normal", "low")]
    for keener, duller in pairwise(ordered):
        assert keener.floor < duller.floor
        assert keener.support < duller.support
        assert keener.propagation <= duller.propagation
        assert keener.sure < duller.sure


def test_resolve_detector_takes_the_floor_of_a_sensitivity():
    found = [resolve_detector("centerface", sensitivity=name).threshold for name in ("high", "normal", "low")]
    assert found == [SENSITIVITIES["centerface"][name].floor for name in ("high", "normal", "low")]
    assert resolve_detector(blind) is blind


def test_resolve_detector_refuses_unknown_words():
    with pytest.raises(OptionError, match="'high', 'low', 'normal'"):
        resolve_detector("centerface", sensitivity="medium")
    with pytest.raises(OptionError, match="'centerface', 'scrfd', 'yunet'"):
        resolve_detector("retina")
    with pytest.raises(OptionError, match="sensitivity"):
        plan_search(info(), detector=blind, sensitivity="medium")


def test_search_light_halves_the_detail_and_has_no_coarse_letterbox():
    search = plan_search(info(width=1920, height=1080))
    assert [(each.width, each.height) for each in search.half_detail] == [(640, 352)]


def test_search_light_is_none_where_every_frame_counts():
    assert plan_search(info(), sensitivity="high").half_detail == ()
    assert plan_search(info(), detector=blind).half_detail == ()


def test_search_suits_half_detail_only_large_faces_that_do_not_fill_the_frame():
    video = info(width=1920, height=1080)
    search = plan_search(video)
    assert search.suits_half_detail(np.zeros((0, 5)), video)
    assert search.suits_half_detail(np.array([[0, 0, 61.0, 61.0, 0.9]]), video)
    assert not search.suits_half_detail(np.array([[0, 0, 61.0, 61.0, 0.9], [0, 0, 59.0, 70.0, 0.9]]), video)
    assert not search.suits_half_detail(np.array([[0, 0, 400.0, 500.0, 0.9]]), video)


def test_search_without_light_letterboxes_sees_nothing_lightly():
    assert not plan_search(info(), detector=blind).suits_half_detail(np.zeros((0, 5)), info())


def test_search_suits_half_detail_with_coarse_faces_that_fill_the_frame_but_no_small_ones():
    video = info(width=1920, height=1080)
    search = plan_search(video)
    assert [(each.width, each.canvas) for each in search.half_detail_with_coarse] == [(640, None), (320, (416, 288))]
    assert search.suits_half_detail_with_coarse(np.array([[0, 0, 61.0, 61.0, 0.9], [0, 0, 700.0, 900.0, 0.9]]), video)
    assert not search.suits_half_detail_with_coarse(np.array([[0, 0, 59.0, 70.0, 0.9]]), video)
    assert not plan_search(info(), detector=blind).suits_half_detail_with_coarse(np.zeros((0, 5)), info())


def test_search_suits_without_coarse_only_faces_well_inside_the_frame():
    video = info(width=1920, height=1080)
    search = plan_search(video)
    assert [(each.width, each.canvas) for each in search.without_coarse] == [(1280, None)]
    assert search.suits_without_coarse(np.zeros((0, 5)), video)
    assert search.suits_without_coarse(np.array([[500, 500, 20.0, 20.0, 0.9]]), video)
    for leaving in ([10, 500, 60.0, 60.0, 0.9], [500, 1000, 60.0, 75.0, 0.9], [500, 300, 500.0, 600.0, 0.9]):
        assert not search.suits_without_coarse(np.array([[500, 500, 20.0, 20.0, 0.9], leaving]), video)
    assert not plan_search(info(), detector=blind).suits_without_coarse(np.zeros((0, 5)), info())
