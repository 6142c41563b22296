"""Frame numbers, times and units: by the rule of the tool that wrote them, and said."""

from __future__ import annotations

import json
from fractions import Fraction

import numpy as np
import pytest

from redactkit.errors import AnnotationError, AnnotationWarning, MismatchError, OptionError
from redactkit.formats import read_annotations, write_annotations
from redactkit.inspection import inspect
from redactkit.media import VideoInfo
from redactkit.tables import BOX

pytestmark = pytest.mark.filterwarnings("ignore::redactkit.errors.AnnotationWarning")


def make_video(frames, *, size=(640, 360)):
    return VideoInfo(None, *size, Fraction(25), Fraction(1, 25), np.arange(frames))


@pytest.fixture
def write(tmp_path):
    def write_file(content, name="their.json"):
        path = tmp_path / name
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return path

    return write_file


def coco(*images, **more):
    images = [{"id": place, "width": 640, "height": 360, **image} for place, image in enumerate(images)]
    items = [
        {"id": place, "image_id": place, "category_id": 1, "track_id": 1, "bbox": [10, 10, 20, 20]}
        for place in range(len(images))
    ]
    return {"images": images, "annotations": items, "categories": [{"id": 1, "name": "face"}], **more}


def named(*names):
    return coco(*({"file_name": name} for name in names))


HASH = "_jpg.rf.3ed24d700b137d1075a2ac511b338725.jpg"


@pytest.mark.parametrize(
    ("content", "frames", "rule"),
    [
        (coco(*({"frame_id": number, "prev_image_id": -1} for number in (1, 2))), [0, 1], "as ByteTrack writes it"),
        (coco(*({"frame_id": number} for number in (0, 1))), [0, 1], "frame_id counts from 0, as in COCO-VID"),
        (coco({"frame_index": 390, "frame_id": 0}, {"frame_index": 420, "frame_id": 1}), [390, 420], "as in TAO"),
        (named(f"clip_mp4-0003{HASH}", f"clip_mp4-0004{HASH}"), [3, 4], "file names count from 0"),
        (named("frame_000001.jpg", "frame_000002.jpg"), [0, 1], "from 1, as FFmpeg writes them"),
        (named("a/frame_000000.jpg", "a/frame_000007.jpg"), [0, 7], "file names count from 0"),
        (named("a.jpg", "b.jpg"), [0, 1], "by their place in the file"),
    ],
)
def test_images_are_numbered_as_their_tool_does_and_the_rule_is_said(write, content, frames, rule):
    path = write(content)
    assert read_annotations(path).detections["frame"].tolist() == frames
    assert any("the first frame number in the file is" in note and rule in note for note in inspect(path).notes)


def test_caller_may_say_the_first_frame_and_the_step(write):
    path = write(named("frame_000001.jpg", "frame_000002.jpg"))
    assert read_annotations(path, first_frame=0).detections["frame"].tolist() == [1, 2]
    assert read_annotations(path, first_frame=1, frame_step=30).detections["frame"].tolist() == [0, 30]
    assert "the caller says" in " ".join(inspect(path, first_frame=0).notes)
    with pytest.raises(AnnotationError, match=r"frame numbers must be 2 to .* pass first_frame"):
        read_annotations(path, first_frame=2)
    with pytest.raises(OptionError, match="frame_step must be 1 to"):
        read_annotations(path, frame_step=0)


def test_last_number_that_is_the_number_of_frames_shows_that_they_count_from_one(write):
    path = write(coco(*({"frame_id": number} for number in (2, 3, 4, 5))))
    assert read_annotations(path, video=make_video(5)).detections["frame"].tolist() == [1, 2, 3, 4]
    assert read_annotations(path, video=make_video(6)).detections["frame"].tolist() == [2, 3, 4, 5]


def test_every_nth_frame_numbered_one_after_the_other_is_refused_where_the_video_shows_it(write):
    path = write(named("frame_000000.jpg", "frame_000001.jpg", "frame_000002.jpg"))
    with pytest.raises(
        MismatchError,
        match=r"their.json: the frames it lists are 3, .* but the video has 90; .*frame_step=n \(--frame-step n\)",
    ):
        read_annotations(path, video=make_video(90))
    rows = read_annotations(path, video=make_video(90), frame_step=30).detections
    assert rows["frame"].tolist() == list(range(90))
    assert read_annotations(path, video=make_video(90), frame_step=1).detections["frame"].tolist() == [0, 1, 2]


def test_frames_stepped_over_are_covered_on_the_video(write):
    path = write(coco({"frame_index": 0}, {"frame_index": 30}, {"frame_index": 60}))
    assert read_annotations(path).detections["frame"].tolist() == [0, 30, 60]
    assert set(read_annotations(path, video=make_video(62)).detections["frame"]) == set(range(62))


def test_box_beyond_the_video_is_refused_and_the_option_named(write):
    path = write(named("frame_000000.jpg", "frame_000009.jpg"))
    with pytest.raises(MismatchError, match=r"frame 9 has a box, but the video has only 5 .*--first-frame"):
        read_annotations(path, video=make_video(5))


@pytest.mark.parametrize(
    ("content", "frames", "x"),
    [
        ("frame,id,x,y,w,h,conf\n1,1,10,10,20,20,1\n", [0], 9),
        ("frame,id,bb_left,bb_top,bb_width,bb_height\n1,1,10,10,20,20\n", [0], 9),
        ("1;1;10;10;20;20;1;-1;-1;-1\n", [0], 9),
        ("0,1,10,10,20,20,0.9,-1,-1,-1\n1,1,11,10,20,20,0.9,-1,-1,-1\n", [0, 1], 10),
        ("1,1,10,10,20,20,0.9,-1,-1,-1,\n", [0], 9),
    ],
)
def test_mot_counts_from_one_unless_it_has_a_frame_zero(write, content, frames, x):
    rows = read_annotations(write(content, "their.txt")).detections
    assert rows["frame"].tolist() == frames
    assert rows["x"].iloc[0] == x


@pytest.mark.parametrize(
    "content",
    [
        "frame,id,x1,y1,x2,y2,conf\n0,1,0.10,0.20,0.30,0.50,0.9\n1,1,0.11,0.20,0.31,0.50,0.9\n",
        "frame,id,cx,cy,w,h\n0,1,0.20,0.35,0.20,0.30\n1,1,0.21,0.35,0.20,0.30\n",
    ],
)
def test_shares_in_a_table_become_pixels_where_the_size_is_known(write, content):
    path = write(content, "their.csv")
    with pytest.raises(AnnotationError, match=r"are shares of the frame, not pixels, .*--size WxH"):
        read_annotations(path)
    for known in ({"frame_size": (640, 360)}, {"video": make_video(2)}):
        rows = read_annotations(path, **known).detections
        assert rows.iloc[0][["x", "y", "width", "height"]].tolist() == pytest.approx([64, 72, 128, 108])


def azure(*faces):
    return {
        "timescale": 25,
        "width": 640,
        "height": 360,
        "fragments": [{"start": 0, "interval": 1, "events": [[*faces]]}],
    }


def test_pixels_where_shares_belong_are_taken_for_pixels_or_refused(write):
    pixels = {"id": 1, "x": 378, "y": 20, "width": 64, "height": 80}
    shares = {"id": 2, "x": 0.5, "y": 0.25, "width": 0.1, "height": 0.2}
    rows = read_annotations(write(azure(pixels))).detections
    assert rows.iloc[0][["x", "y", "width", "height"]].tolist() == [378, 20, 64, 80]
    with pytest.raises(AnnotationError, match=r"1 boxes are shares of the frame and 1 cannot be: \[378"):
        read_annotations(write(azure(pixels, shares)))
    with pytest.raises(AnnotationError, match="neither shares nor pixels"):
        read_annotations(write(azure({**pixels, "x": 2000})))


def test_percent_is_refused_where_shares_or_pixels_belong(write):
    left = {"id": 1, "x": 9.5, "y": 36.5, "width": 8.6, "height": 17.7}
    right = {"id": 2, "x": 92.5, "y": 30.25, "width": 10.0, "height": 20.0}
    with pytest.raises(AnnotationError, match=r"may be percent, or pixels of its corner: \[9\.5"):
        read_annotations(write(azure(left, right)))
    rows = "\n".join(",".join(map(str, (0, *face.values()))) for face in (left, right))
    table = write(f"frame,id,x,y,width,height\n{rows}\n", "their.csv")
    with pytest.raises(AnnotationError, match=r"may be percent, not pixels of 640x360.*--units"):
        read_annotations(table, video=make_video(2))
    # So is one face, or faces close together: as pixels they would leave bare what they should hide.
    for faces in ((left,), (left, {**left, "x": 20.5})):
        with pytest.raises(AnnotationError, match=r"may be percent, or pixels of its corner: \[9\.5"):
            read_annotations(write(azure(*faces)))
    whole = {**left, "x": 9, "y": 36, "width": 8, "height": 17}
    assert read_annotations(write(azure(whole))).detections["x"].tolist() == [9]


@pytest.mark.parametrize(
    "content",
    [
        ",frame,face_id,x,y,width,height\n0,3,1,50,60,40,50\n1,4,1,52,60,40,50\n",
        "sep=;\r\nframe;face_id;x;y;width;height\r\n3;1;50;60;40;50\r\n4;1;52;60;40;50\r\n",
        "x_min,y_min,x_max,y_max,tracker_id,frame_index\n50,60,90,110,1,3\n52,60,92,110,1,4\n",
        "Frame No,Track ID,Left,Top,W,H\n3,1,50,60,40,50\n4,1,52,60,40,50\n",
        "frame,frame_index,id,tracker_id,x,y,w,h\n3,0,1,9,50,60,40,50\n4,1,1,9,52,60,40,50\n",
    ],
    ids=["index of pandas", "separator for Excel", "supervision", "words of people", "two counts"],
)
def test_tables_as_tools_and_people_write_them(write, content):
    rows = read_annotations(write(content, "their.csv"), video=make_video(5)).detections
    assert rows[["frame", "face_id", "x", "y", "width", "height"]].to_numpy().tolist() == [
        [3, 1, 50, 60, 40, 50],
        [4, 1, 52, 60, 40, 50],
    ]


def test_milliseconds_in_a_table_are_told_from_seconds(write):
    head, rows = "{},id,x,y,width,height\n", "0,1,1,2,30,40\n40,1,1,2,30,40\n80,1,1,2,30,40\n"
    assert read_annotations(write(head.format("time_ms") + rows)).detections["time"].tolist() == [0, 0.04, 0.08]
    with pytest.raises(AnnotationError, match=r"may be milliseconds; name the column time_ms, or seconds"):
        read_annotations(write(head.format("timestamp") + rows))
    assert read_annotations(write(head.format("seconds") + rows)).detections["time"].tolist() == [0, 40, 80]
    laid = read_annotations(write(head.format("timestamp") + rows), video=make_video(3))
    assert laid.detections["frame"].tolist() == [0, 1, 2]


def test_offset_means_nothing_where_boxes_go_by_time(write):
    path = write("time,id,x,y,width,height\n0.5,1,1,2,30,40\n", "their.csv")
    with pytest.raises(AnnotationError, match="places boxes by time, so first_frame and frame_step mean nothing"):
        read_annotations(path, first_frame=1)
    assert any("the first time in the file is 0.5 s" in note for note in inspect(path).notes)


def test_images_of_several_sizes_are_put_on_the_video_or_their_shape_refused(write):
    alike = coco({"width": 320, "height": 180}, {"width": 640, "height": 360})
    rows = read_annotations(write(alike), video=make_video(2)).detections
    assert rows["x"].tolist() == [20, 10]
    assert read_annotations(write(alike)).video.width == 0
    other = write(coco({"width": 200, "height": 900}, {"width": 640, "height": 360}))
    with pytest.raises(AnnotationError, match="an image of 200x900 is of another shape than the video's 640x360"):
        read_annotations(other, video=make_video(2))


def test_file_without_a_box_is_not_asked_for_its_step(write):
    path = write({**named("frame_000000.jpg"), "annotations": []})
    assert read_annotations(path, video=make_video(90)).detections.empty


@pytest.mark.parametrize(("last", "told"), [("600,300,640,350", True), ("600,300,40,50", False)])
def test_corners_in_columns_of_sizes_are_told(write, last, told):
    path = write(f"frame,id,x,y,w,h\n0,1,50,60,90,110\n1,1,400,60,440,110\n1,2,{last}\n", "their.csv")
    notes = inspect(path, video=make_video(2)).notes
    assert any("name the columns left, top, right, bottom" in note for note in notes) == told


CORNER = "0,1,20,30,10,15\n1,1,21,30,10,15\n2,1,22,30,10,15\n"


@pytest.mark.parametrize(
    ("units", "wanted"),
    [("pixels", [20, 30, 10, 15]), ("percent", [256, 216, 128, 108]), ("shares", [25600, 21600, 12800, 10800])],
)
def test_whole_numbers_that_may_be_percent_are_refused_until_the_units_are_said(write, units, wanted):
    table = write(f"frame,face_id,x,y,width,height\n{CORNER}", "their.csv")
    video = make_video(3, size=(1280, 720))
    with pytest.raises(AnnotationError, match=r"may be percent, not pixels of 1280x720.*--units"):
        read_annotations(table, video=video)
    assert read_annotations(table, video=video, units=units).detections.loc[0, BOX].tolist() == wanted


def test_units_need_a_size_and_mean_nothing_where_a_format_states_them(write):
    table = write(f"frame,face_id,x,y,width,height\n{CORNER}", "their.csv")
    with pytest.raises(AnnotationError, match="boxes in percent need the frame's size"):
        read_annotations(table, units="percent")
    with pytest.raises(AnnotationError, match="azure states the units"):
        read_annotations(write(azure({"id": 1, "x": 0.1, "y": 0.1, "width": 0.2, "height": 0.2})), units="percent")
    with pytest.raises(OptionError, match="units must be one of pixels, percent, shares"):
        read_annotations(table, units="inches")


@pytest.mark.parametrize("format", ["csv", "parquet", "mot", "coco", "cvat", "azure", "yolo"])
def test_own_files_with_faces_in_the_corner_are_never_refused(write, tmp_path, format):
    table = write(f"frame,face_id,x,y,width,height\n{CORNER}", "their.csv")
    video = make_video(3, size=(1280, 720))
    path = tmp_path / ("labels" if format == "yolo" else f"ours.{format}")
    given = read_annotations(table, video=video, units="pixels")
    path = write_annotations(given, path, format=format)
    assert read_annotations(path, video=video).detections[BOX].to_numpy() == pytest.approx(given.detections[BOX])


def test_doubts_about_the_size_are_told_wherever_a_file_is_read(write):
    table = write("frame,face_id,x,y,width,height\n" + CORNER.replace(",20,", ",220,"), "their.csv")
    video = make_video(3, size=(1280, 720))
    with pytest.warns(AnnotationWarning, match="no box reaches beyond half of the frame"):
        laid = read_annotations(table, video=video)
    assert "no box reaches beyond half" in laid.settings["doubts"][0]
    assert set(laid.settings["doubts"]) <= set(inspect(table, video=video).notes)


@pytest.mark.parametrize(
    "change",
    [
        lambda text: "# made by hand\n# twice\n" + text,
        lambda text: text.replace(",", "|"),
        lambda text: text.replace(",", " "),
        lambda text: text + ",,,,,\n,,,,,\n",
    ],
    ids=["comments", "bars", "blanks", "empty rows"],
)
def test_tables_of_other_shapes_are_read(write, change):
    text = "frame,face_id,x,y,width,height\n0,1,200,300,10,15\n1,1,220,330,10,15\n"
    rows = read_annotations(write(change(text), "their.csv")).detections
    assert rows[["frame", "face_id", *BOX]].to_numpy().tolist() == [[0, 1, 200, 300, 10, 15], [1, 1, 220, 330, 10, 15]]


@pytest.mark.parametrize(
    ("row", "what"),
    [
        ("0,1,20%,30%,10%,15%", "--units percent"),
        ('0,1,"1,050",30,10,15', "without a comma"),
        ("00:00:01.5,1,20,30,10,15", "write seconds as one number"),
    ],
)
def test_words_that_are_no_numbers_are_refused_with_what_to_do(write, row, what):
    name = "time" if ":" in row else "frame"
    with pytest.raises(AnnotationError, match=what):
        read_annotations(write(f"{name},face_id,x,y,width,height\n{row}\n", "their.csv"))
