import threading
from dataclasses import replace

import numpy as np
import pytest

from redactkit.analysis.detection import detect
from redactkit.analysis.letterbox import Letterbox
from redactkit.analysis.search import resolve_detector
from redactkit.errors import DetectorError, PassCancelled
from redactkit.tables import BOX, DETECTIONS, check_detections
from redactkit.video import VideoReader

FACE = np.array([[8.0, 16.0, 32.0, 32.0, 0.9]])


@pytest.fixture
def reader(sample_media):
    with VideoReader(sample_media / "sample.mp4") as opened:
        yield opened


def short(reader, frames):
    """The first frames of a video, as a reader of its own."""

    class Short:
        info = replace(reader.info, path=None)
        decode_errors = ()

        frame_at, keep, drop_kept = reader.frame_at, reader.keep, reader.drop_kept

        def frames(self, start, stop):
            return reader.frames(0, frames)

    return Short()


def nothing(images):
    return [np.zeros((0, 5)) for _ in images]


def threads():
    ours = [thread for thread in threading.enumerate() if thread.name.startswith("redactkit")]
    return [thread for thread in ours if thread.name != "redactkit-view"]  # that of another test may still be ending


def test_detect_nothing_gives_an_empty_table(reader):
    scan = detect(short(reader, 6), detector=nothing, progress=False)
    assert scan.detections.dtypes.to_dict() == DETECTIONS
    assert scan.detections.empty
    assert scan.cuts.tolist() == []


def test_detect_no_frames_gives_an_empty_table(reader):
    scan = detect(short(reader, 0), detector=nothing, progress=False)
    assert scan.detections.dtypes.to_dict() == DETECTIONS
    assert scan.detections.empty


def test_detect_gives_boxes_in_pixels_of_the_frame(reader):
    def finder(images):
        return [FACE if image.shape[1] == 640 else np.zeros((0, 5)) for image in images]

    scan = detect(short(reader, 9), detector=finder, size=640, progress=False)
    table = check_detections(scan.detections)
    assert table["frame"].tolist() == list(range(9))
    np.testing.assert_allclose(table["time"], reader.info.times[:9])
    np.testing.assert_allclose(table[BOX], [[16, 16 * 720 / 352, 64, 32 * 720 / 352]] * 9)
    assert table["source"].iloc[0] == "detected"
    assert scan.settings["detection_size"] == [640, 352]


class Large:
    """A detector that finds one large face in every picture but square crops, and notes the pictures' widths."""

    name = "centerface"

    def __init__(self, *, width=0.2):
        self.widths, self.box = [], np.array([[0.5 - width / 2, 0.3, width, 2 * width, 0.9]])

    def __call__(self, images):
        self.widths += [image.shape[1] for image in images]
        sizes = [image.shape[1::-1] for image in images]
        return [self.box[: width != height] * [width, height, width, height, 1] for width, height in sizes]


@pytest.mark.parametrize("width", [0.2, 0.35])
def test_detect_looks_at_full_detail_at_every_other_searched_frame_while_faces_are_large(reader, width):
    large = Large(width=width)
    found = detect(short(reader, 100), detector=large, progress=False)
    assert found.detections["frame"].nunique() == 100
    counts = {width: large.widths.count(width) for width in {*large.widths}}
    assert counts[max(counts)] <= 11, "every 12th frame, the first and the last"
    assert sum(found.detections["source"] == "detected") <= 20, "every 6th frame"


def test_detect_numbers_the_boxes_of_a_frame(reader):
    far = FACE + np.array([[100, 0, 0, 0, -0.2]])
    scan = detect(short(reader, 2), detector=lambda images: [np.vstack([far, FACE])] * len(images), progress=False)
    fine = scan.detections[scan.detections["frame"] == 1]
    assert fine["face_id"].tolist() == list(range(1, len(fine) + 1))
    assert fine["confidence"].is_monotonic_decreasing


def test_detect_is_the_same_every_time(reader):
    first, second = (detect(short(reader, 10), progress=False).detections for _ in range(2))
    assert len(first) > 0
    assert first.equals(second)


def test_detect_reports_progress_and_can_be_cancelled(reader):
    steps = []

    def progress(stage, done, total):
        steps.append((stage, done, total))
        if done >= 8:
            raise PassCancelled("enough")

    with pytest.raises(PassCancelled):
        detect(reader, detector=nothing, progress=progress)
    assert steps[0] == ("analyze", 0, reader.info.frame_count)
    assert 8 <= steps[-1][1] < reader.info.frame_count
    assert threads() == []


def test_detect_stops_where_the_detector_fails(reader):
    def broken(images):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        detect(reader, detector=broken, progress=False)
    assert threads() == []


def test_detect_stops_where_the_video_fails(reader):
    class Broken:
        info = reader.info
        decode_errors = ()
        frame_at, keep, drop_kept = reader.frame_at, reader.keep, reader.drop_kept

        def frames(self, start, stop):
            yield from reader.frames(0, 3)
            raise OSError("the disk is gone")

    with pytest.raises(OSError, match="the disk is gone"):
        detect(Broken(), detector=nothing, progress=False)
    assert threads() == []


def test_detect_refuses_results_of_another_number(reader):
    with pytest.raises(DetectorError, match="returned 0 results"):
        detect(short(reader, 2), detector=lambda images: [], progress=False)


@pytest.mark.parametrize(("width", "height"), [(1280, 720), (1920, 1080)])
def test_detection_size_finds_faces_of_24_pixels(width, height):
    import cv2
    from skimage.data import astronaut, coffee

    from redactkit.analysis.letterbox import choose_detection_size
    from redactkit.boxes import iou

    frame = cv2.resize(coffee(), (width, height), interpolation=cv2.INTER_AREA)
    face = cv2.resize(astronaut()[0:230, 100:350], None, fx=24 / 88, fy=24 / 88, interpolation=cv2.INTER_AREA)
    boxes = []
    for x in range(40, width - 100, 211):
        for y in range(30, height - 100, 173):
            frame[y : y + face.shape[0], x : x + face.shape[1]] = face
            boxes.append([x + (181.6 - 100) * 24 / 88, y + 58.6 * 24 / 88, 24, 118.7 * 24 / 88])
    letterbox = Letterbox(*choose_detection_size(width, height))
    (found,) = resolve_detector("centerface")([letterbox.picture(frame)])
    best = iou(boxes, letterbox.faces(found, width=width, height=height)[:, :4]).max(axis=1)
    assert (best > 0.4).mean() > 0.95
