"""CVAT XML: read as CVAT shows it, written as its importer takes it."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from fractions import Fraction

import numpy as np
import pytest

from redactkit.annotations import Annotations
from redactkit.errors import AnnotationError, AnnotationWarning
from redactkit.formats import read_annotations, write_annotations
from redactkit.media import VideoInfo
from redactkit.runtime.resources import sample_truth_path
from redactkit.tables import BOX, as_detections, empty_detections

pytestmark = pytest.mark.filterwarnings("ignore::redactkit.errors.AnnotationWarning")


@pytest.fixture
def read(tmp_path):
    def write_and_read(content, *, encoding="utf-8", **options):
        path = tmp_path / "their.xml"
        path.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
        return read_annotations(path, **options)

    return write_and_read


def box(frame, left, *, outside=0, right=None, more="", inner=""):
    right = left + 10 if right is None else right
    return (
        f'<box frame="{frame}" outside="{outside}" occluded="0" keyframe="1" '
        f'xtl="{left}" ytl="5" xbr="{right}" ybr="25" {more}>{inner}</box>'
    )


def video_file(*tracks, size=10):
    meta = f"<size>{size}</size><original_size><width>320</width><height>240</height></original_size>"
    body = "".join(f'<track id="{face}" label="{label}">{shapes}</track>' for face, label, shapes in tracks)
    return f"<annotations><version>1.1</version><meta><task>{meta}</task></meta>{body}</annotations>"


def lefts(annotations, face=0):
    rows = annotations.detections[annotations.detections["face_id"] == face]
    return dict(zip(rows["frame"].tolist(), rows["x"].tolist(), strict=True))


def test_example_has_one_box_in_288_frames(shared_formats):
    with pytest.warns(AnnotationWarning, match="no frame rate, so times are NaN"):
        annotations = read_annotations(shared_formats / "cvat_video_example.xml")
    assert annotations.frame_count == 288
    assert (annotations.video.width, annotations.video.height) == (320, 240)
    rows = annotations.detections
    assert rows[["frame", "face_id", *BOX]].to_numpy().tolist() == [[0, 0, 115.72, 78.1, 104.44, 85.59]]
    assert rows["time"].isna().all()


def test_example_with_a_rate_has_times(shared_formats):
    annotations = read_annotations(shared_formats / "cvat_video_example.xml", frame_rate=25)
    assert annotations.detections["time"].tolist() == [0]
    assert annotations.video.duration == pytest.approx(288 / 25)


def test_no_tracks_is_empty(read):
    annotations = read(video_file())
    assert annotations.detections.equals(empty_detections())
    assert annotations.frame_count == 10


def test_boxes_between_keyframes_lie_on_a_straight_line(read):
    annotations = read(video_file((0, "face", box(2, 0) + box(6, 8, right=26) + box(7, 9, outside=1))))
    assert lefts(annotations) == {2: 0, 3: 2, 4: 4, 5: 6, 6: 8}
    assert annotations.detections["width"].tolist() == [10, 12, 14, 16, 18]


def test_outside_ends_a_track_until_the_next_box(read):
    annotations = read(video_file((0, "face", box(0, 0) + box(2, 0, outside=1) + box(5, 7) + box(6, 7, outside=1))))
    assert lefts(annotations) == {0: 0, 1: 0, 5: 7}


def test_last_box_holds_to_the_end_of_the_task(read):
    assert lefts(read(video_file((0, "face", box(7, 3))))) == {7: 3, 8: 3, 9: 3}


def test_track_without_a_box_is_nothing(read):
    assert read(video_file((0, "face", ""), (1, "face", box(9, 3)))).detections["face_id"].tolist() == [1]


def test_labels_are_kept(read):
    annotations = read(video_file((0, "face", box(9, 3)), (4, "person <b>".replace("<", "&lt;"), box(9, 3))))
    assert annotations.detections["label"].tolist() == ["face", "person <b>"]
    assert annotations.decisions["label"].tolist() == ["", ""]


def test_turned_box_becomes_the_box_around_it(read):
    rows = read(video_file((0, "face", box(9, 0, right=20, more='rotation="90.0"')))).detections
    assert rows[BOX].iloc[0].tolist() == pytest.approx([0, 5, 20, 20])
    rows = read(video_file((0, "face", box(9, 0, right=40, more='rotation="90.0"')))).detections
    assert rows[BOX].iloc[0].tolist() == pytest.approx([10, -5, 20, 40])


@pytest.mark.parametrize(
    ("shape", "wanted"),
    [
        ('<polygon frame="9" outside="0" points="10,5;30,5;20,45"/>', [10, 5, 20, 40]),
        ('<ellipse frame="9" outside="0" cx="20" cy="30" rx="5" ry="10"/>', [15, 20, 10, 20]),
        ('<mask frame="9" outside="0" left="3" top="4" width="5" height="6" rle="1"/>', [3, 4, 5, 6]),
    ],
)
def test_other_shapes_become_the_boxes_around_them_and_are_told(read, shape, wanted):
    with pytest.warns(AnnotationWarning, match="became the boxes around them"):
        rows = read(video_file((0, "face", shape))).detections
    assert rows[BOX].to_numpy().tolist() == [wanted]


def test_attributes_are_named_as_lost(read):
    shape = box(9, 0, inner='<attribute name="mask on">true</attribute>')
    with pytest.warns(AnnotationWarning, match="the attributes mask on have no place"):
        read(video_file((0, "face", shape)))


def test_images_are_frames(read):
    image = '<image id="{0}" name="f{0}.png" width="320" height="240">{1}</image>'
    plain = '<box label="face" occluded="0" xtl="{}" ytl="5" xbr="30" ybr="25">{}</box>'
    known = '<attribute name="track_id">7</attribute>'
    body = image.format(0, plain.format(10, known)) + image.format(1, "") + image.format(2, plain.format(20, ""))
    annotations = read(f"<annotations>{body}</annotations>")
    assert annotations.detections[["frame", "face_id", "x", "width"]].to_numpy().tolist() == [
        [0, 7, 10, 20],
        [2, 8, 20, 10],
    ]
    assert (annotations.video.width, annotations.video.height) == (320, 240)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "iso-8859-1"])
def test_encodings_are_read(read, encoding):
    text = f'<?xml version="1.0" encoding="{encoding.removesuffix("-sig")}"?>' + video_file((3, "é", box(9, 0)))
    assert read(text, encoding=encoding).detections["label"].tolist() == ["é"]


BOMB = '<!DOCTYPE a [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;&a;">]><annotations>&b;</annotations>'
REACH = '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><annotations><version>&x;</version></annotations>'


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (BOMB, "document type or entities are not read"),
        (REACH, "document type or entities are not read"),
        ("<annotations>&x;</annotations>", "malformed: undefined entity at line 1"),
        ("<annotations>\n<track id='1'>", "malformed: .* at line 2"),
        ("<annotations>" + "<a>" * 5000, "nested too deeply"),
        ("<annotations><track label='face'/></annotations>", "whole number as id of <track>, got 'none' - at line 1"),
        (video_file((0, "face", "\n" + box("x", 0))), "whole number as frame of <box>, got 'x' - at line 2"),
        (video_file((0, "face", box(0, "wide", right=3))), "number as xtl of <box>, got 'wide'"),
        (video_file((0, "face", box(0, "nan", right=3))), "finite coordinates"),
        (video_file((0, "face", box(0, "1e300", right=3))), "sides of 0 or more"),
        (video_file((0, "face", box(-1, 3))), "frame numbers must be 0 to"),
        (video_file((0, "face", box(10**12, 3))), "frame 1000000000000 is beyond"),
        (video_file(*((face, "face", box(0, 3)) for face in range(9)), size=9_000_000), "more than the 5000000"),
    ],
)
def test_what_means_nothing_is_refused_with_its_line(read, content, fault):
    with pytest.raises(AnnotationError, match=f"their.xml: .*{fault}"):
        read(content)


def make_annotations(rows, frames=12, **changes):
    """Rows are (frame, face, x, width)."""
    video = VideoInfo(None, 320, 240, Fraction(25), Fraction(1, 25), np.arange(frames))
    at = np.array([row[0] for row in rows], np.int64)
    table = {
        "frame": at,
        "time": at / 25,
        "face_id": [row[1] for row in rows],
        "x": [row[2] for row in rows],
        "y": 5.0,
        "width": [row[3] for row in rows],
        "height": 1 / 3,
    }
    return Annotations(video, as_detections(table), **changes)


def boxes_written(path):
    return [
        (int(track.get("id")), int(item.get("frame")), item.get("outside"), float(item.get("xtl")))
        for track in ET.parse(path).getroot().iter("track")
        for item in track.iter("box")
    ]


def test_straight_motion_needs_two_keyframes(tmp_path):
    rows = [(frame, 1, 2.5 * frame, 10) for frame in range(2, 8)]
    path = make_annotations(rows).to("cvat", tmp_path / "a.xml")
    assert boxes_written(path) == [(1, 2, "0", 5.0), (1, 7, "0", 17.5), (1, 8, "1", 17.5)]


def test_gap_is_outside_and_the_last_frame_needs_no_end(tmp_path):
    rows = [(0, 1, 0, 10), (1, 1, 0, 10), (5, 1, 3, 10), (11, 1, 3, 10), (11, 4, 9, 10)]
    path = make_annotations(rows).to("cvat", tmp_path / "a.xml")
    assert [item[:3] for item in boxes_written(path)] == [
        (1, 0, "0"), (1, 1, "0"), (1, 2, "1"), (1, 5, "0"), (1, 6, "1"), (1, 11, "0"), (4, 11, "0"),
    ]  # fmt: skip


def test_slow_bend_is_not_straightened(tmp_path):
    rows = [(frame, 1, 1e-11 * frame**2, 10 + 4e-11 * frame**2) for frame in range(12)]
    first = make_annotations(rows)
    again = read_annotations(first.to("cvat", tmp_path / "a.xml"), frame_rate=25)
    assert np.abs(again.detections[BOX].to_numpy() - first.detections[BOX].to_numpy()).max() <= 1e-9


def test_file_has_what_the_importer_asks_for(tmp_path):
    """CVAT takes label of a track, and frame, outside, keyframe, occluded and the four sides of a box."""
    rows = [(frame, 1, 7.0 * frame**2, 10) for frame in range(5)]
    root = ET.parse(make_annotations(rows).to("cvat", tmp_path / "a.xml")).getroot()
    assert root.tag == "annotations"
    assert root.findtext("version") == "1.1"
    assert root.findtext("meta/task/size") == "12"
    assert root.findtext("meta/task/stop_frame") == "11"
    assert root.findtext("meta/task/labels/label/name") == root.find("track").get("label") == "face"
    for item in root.iter("box"):
        assert {"frame", "outside", "keyframe", "occluded", "xtl", "ytl", "xbr", "ybr"} <= set(item.keys())
        assert item.get("keyframe") == "1"
        assert int(item.get("frame")) <= 11


def test_file_name_is_escaped(tmp_path):
    first = make_annotations([(0, 1, 0, 10)])
    video = VideoInfo(tmp_path / "a<b>&\x01.mp4", 320, 240, Fraction(25), Fraction(1, 25), np.arange(3))
    path = first.replace(video=video).to("cvat", tmp_path / "a.xml")
    assert ET.parse(path).getroot().findtext("meta/source") == "a<b>& .mp4"


def test_what_the_format_cannot_hold_is_named(tmp_path):
    first = make_annotations([(0, 1, 0, 10)], decisions={1: {"redact": False, "label": "anna"}}, cuts=[3])
    with pytest.warns(AnnotationWarning, match="cvat has no room for times, cuts; azure"):
        first.to("cvat", tmp_path / "a.xml")


def test_two_shapes_of_a_track_in_one_frame_are_both_kept_until_the_next(read):
    annotations = read(video_file((0, "face", box(3, 10) + box(3, 200) + box(6, 10, outside=1))))
    assert lefts(annotations)[3] == 200
    assert lefts(annotations, face=1) == {3: 10, 4: 10, 5: 10}


def test_skeleton_becomes_the_box_around_its_points(read):
    points = '<points label="{}" outside="{}" points="{}"/>'
    shape = '<skeleton frame="{}" outside="{}" keyframe="1">{}</skeleton>'
    seen = points.format(1, 0, "10,10") + points.format(2, 0, "50,60") + points.format(3, 1, "300,200")
    rows = read(video_file((0, "face", shape.format(0, 0, seen) + shape.format(5, 1, seen)))).detections
    assert rows["frame"].tolist() == [0, 1, 2, 3, 4]
    assert rows[BOX].to_numpy().tolist()[0] == [10, 10, 40, 50]


def test_tags_are_said_to_have_no_place(read):
    with pytest.warns(AnnotationWarning, match="1 tags say that something is in an image but not where"):
        rows = read(
            '<annotations><image id="0" name="a" width="9" height="9"><tag label="face"/></image></annotations>'
        )
    assert rows.detections.empty


@pytest.mark.parametrize(("ending", "frames"), [("", [10, 15]), (".jpg", [0, 1])])
def test_images_of_a_video_are_numbered_by_their_names_whatever_the_step(read, ending, frames):
    meta = "<meta><task><size>2</size><start_frame>10</start_frame><frame_filter>step=5</frame_filter></task></meta>"
    image = '<image id="{}" name="frame_{:06d}' + ending + '" width="320" height="240">{}</image>'
    box = '<box label="face" xtl="1" ytl="2" xbr="30" ybr="40"/>'
    images = image.format(0, 10, box) + image.format(1, 15, box)
    first = None if not ending else 0
    rows = read(f"<annotations>{meta}{images}</annotations>", first_frame=first).detections
    assert rows["frame"].tolist() == frames


@pytest.mark.parametrize(
    ("meta", "frames"),
    [
        ("<start_frame>100</start_frame><stop_frame>102</stop_frame>", [100, 101, 102]),
        ("<start_frame>100</start_frame><size>3</size>", [100, 101, 102]),
        (
            "<start_frame>100</start_frame><stop_frame>110</stop_frame><frame_filter>step=5</frame_filter>",
            list(range(100, 111)),
        ),
    ],
)
@pytest.mark.parametrize("counted", ["video", "task"])
def test_frames_counted_from_the_task_are_those_of_the_video(read, meta, frames, counted):
    step = 5 if "step" in meta else 1
    at = [0, 2] if counted == "task" else [100, 100 + 2 * step]
    track = f'<track id="0" label="face">{box(at[0], 10)}{box(at[1], 30)}</track>'
    annotations = read(f"<annotations><meta><task>{meta}</task></meta>{track}</annotations>")
    assert annotations.detections["frame"].tolist() == frames
    assert annotations.frame_count == frames[-1] + 1


def test_caller_may_say_that_numbers_are_those_of_the_video_all_the_same(read):
    meta = "<meta><task><start_frame>100</start_frame><stop_frame>102</stop_frame></task></meta>"
    track = f'<track id="0" label="face">{box(1, 10)}{box(2, 10, outside=1)}</track>'
    rows = read(f"<annotations>{meta}{track}</annotations>", first_frame=0).detections
    assert rows["frame"].tolist() == [1]


def test_swapped_corners_are_refused(read):
    with pytest.raises(AnnotationError, match="put the smaller number first"):
        read(video_file((0, "face", box(9, 30, right=20))))


def test_only_keyframes_come_back_as_keyframes_unless_somebody_moved_a_box(tmp_path):
    truth = read_annotations(sample_truth_path())
    rows = truth.detections.assign(keyframe=False)
    rows.loc[rows.index[[0, 300]], "keyframe"] = True
    path = write_annotations(truth.replace(detections=rows), tmp_path / "ours.xml", format="cvat")
    assert read_annotations(path).detections["keyframe"].tolist() == rows["keyframe"].tolist()
    # As CVAT does where somebody moves a box, or makes one in a frame between: attributes stay.
    text = path.read_text()
    assert '<attribute name="computed">1 119 263 229 391</attribute>' in text
    path.write_text(text.replace('xtl="119.00032"', 'xtl="124.5"'))
    assert read_annotations(path).detections["keyframe"].sum() == 3
