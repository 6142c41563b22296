import numpy as np
import pytest

from redactkit.analysis.shot_boundaries import ShotBoundaryFinder
from redactkit.errors import OptionError


def find(frames):
    finder = ShotBoundaryFinder()
    for frame in frames:
        finder.add(frame)
    return finder.cuts().tolist()


def picture(name):
    from skimage import data

    return np.asarray(getattr(data, name)())


def pan(image, steps, speed):
    """A camera that moves over a picture."""
    return [image[:200, k * speed : k * speed + 350] for k in range(steps)]


def test_cuts_of_no_frames_are_none():
    cuts = ShotBoundaryFinder().cuts()
    assert cuts.dtype == np.int64
    assert cuts.tolist() == []


def test_cuts_of_one_frame_are_none():
    assert find([picture("coffee")]) == []


def test_cuts_are_the_first_frames_of_shots():
    shots = [picture("coffee")] * 4 + [picture("chelsea")] * 6 + [picture("astronaut")] * 5
    assert find(shots) == [4, 10]


def test_cuts_leave_camera_motion_alone():
    assert find(pan(picture("coffee"), 12, 20)) == []


def test_cuts_are_found_between_moving_shots():
    assert find(pan(picture("coffee"), 8, 12) + pan(picture("chelsea"), 8, 12)) == [8]


def test_cuts_leave_exposure_alone():
    coffee = picture("coffee").astype(float)
    assert find([np.clip(coffee * gain, 0, 255).astype(np.uint8) for gain in (1, 1, 1, 0.5, 0.5, 0.5, 1)]) == []


@pytest.mark.parametrize("length", [1, 2])
def test_cuts_leave_flashes_alone(length):
    flash = np.full((120, 160, 3), 250, np.uint8)
    assert find([picture("coffee")] * 6 + [flash] * length + [picture("coffee")] * 6) == []


def test_cuts_need_no_texture():
    black, gray = np.zeros((36, 64, 3), np.uint8), np.full((36, 64, 3), 3, np.uint8)
    assert find([black, gray, black, gray] * 3) == []


def test_cuts_refuse_what_is_no_frame():
    with pytest.raises(OptionError, match=r"uint8 of shape \(H, W, 3\)"):
        ShotBoundaryFinder().add(np.zeros((4, 4), np.uint8))


@pytest.mark.parametrize(
    ("name", "expected"),
    [("stage_four_shots.mp4", [20, 82, 211]), ("three_people_walking.gif", []), ("one_face_occluded.mp4", [])],
)
def test_cuts_of_real_clips(shared_media, name, expected):
    from redactkit.video import VideoReader

    with VideoReader(shared_media / name) as reader:
        assert find(frame.rgb(width=128, height=72) for frame in reader.frames()) == expected
