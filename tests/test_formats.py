"""Formats told by content, written and read again with nothing lost unsaid."""

from __future__ import annotations

import json
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from redactkit.annotations import Annotations
from redactkit.errors import AnnotationError, AnnotationWarning, OptionError, OutputExistsError
from redactkit.formats import READABLE, WRITABLE, read_annotations, write_annotations
from redactkit.media import VideoInfo
from redactkit.tables import BOX, DETECTIONS, SOURCES, as_detections, empty_detections

lossy = pytest.mark.filterwarnings("ignore::redactkit.errors.AnnotationWarning")


def make_annotations(**changes):
    video = VideoInfo(None, 640, 360, Fraction(25), Fraction(1, 12800), np.arange(6) * 512 + 3, digest="")
    frames = np.array([0, 1, 1, 4])
    table = {
        "frame": frames,
        "time": video.times[frames],
        "face_id": [1, 1, 2, 1],
        "x": [-3.5, 1 / 3, 10, 639],
        "y": [1.5, 2, 3, 4],
        "width": 20.0,
        "height": [30, 0, 50.125, 2],
        "confidence": [0.5, np.nan, 1 / 3, 1],
        "source": SOURCES[:4],
        "label": ["", "", "person", ""],
    }
    decisions = {1: {"redact": False, "reason": 'agreed, "yes"'}, 2: {"label": "NA"}}
    given = {"video": video, "detections": as_detections(table), "decisions": decisions, "cuts": [4]}
    return Annotations(**{**given, "settings": {"detector": "yunet"}, **changes})


def read_back(first, folder, format):
    path = first.to(format, folder / f"a.{format}")
    return read_annotations(path, frame_size=(640, 360))


def test_formats_are_named():
    assert set(WRITABLE) < set(READABLE)
    assert WRITABLE == ["azure", "cvat", "mot", "coco", "yolo", "csv", "parquet"]


@lossy
@pytest.mark.parametrize("format", WRITABLE)
def test_no_detections_are_written_and_read(tmp_path, format):
    if format == "parquet":
        pytest.importorskip("pyarrow")
    first = Annotations(make_annotations().video, empty_detections())
    path = first.to(format, tmp_path / "a")
    again = read_annotations(path, format="mot" if format == "mot" else None, frame_size=(640, 360))
    assert again.detections.equals(empty_detections())


@lossy
@pytest.mark.parametrize("format", WRITABLE)
def test_boxes_come_back(tmp_path, format):
    if format == "parquet":
        pytest.importorskip("pyarrow")
    first = make_annotations()
    rows = read_back(first, tmp_path, format).detections
    assert rows[["frame", "face_id"]].equals(first.detections[["frame", "face_id"]])
    assert np.abs(rows[BOX].to_numpy() - first.detections[BOX].to_numpy()).max() <= 1e-9
    assert rows.dtypes.to_dict() == first.detections.dtypes.to_dict()


def test_parquet_loses_nothing(tmp_path):
    pytest.importorskip("pyarrow")
    first = make_annotations(discarded=make_annotations().detections)
    assert read_back(first, tmp_path, "parquet") == first


@lossy
def test_parquet_with_a_frame_that_it_has_not_is_refused(tmp_path):
    pytest.importorskip("pyarrow")
    annotations = make_annotations()
    beyond = annotations.replace(detections=annotations.detections.assign(frame=annotations.frame_count))
    with pytest.raises(AnnotationError, match=r"a\.parquet: row 1: frame \d+ is none of the \d+ that the file has"):
        read_annotations(beyond.to("parquet", tmp_path / "a.parquet"))


def test_parquet_of_ours_whose_labels_became_numbers_has_texts(tmp_path):
    pq = pytest.importorskip("pyarrow.parquet")
    first = pq.read_table(make_annotations().to("parquet", tmp_path / "a.parquet"))
    place = first.column_names.index("label")
    pq.write_table(first.set_column(place, "label", [list(range(first.num_rows))]), tmp_path / "b.parquet")
    rows = read_annotations(tmp_path / "b.parquet").detections
    assert rows["label"].tolist() == [str(number) for number in range(first.num_rows)]


@lossy
def test_csv_keeps_every_number_and_the_decisions(tmp_path):
    first = make_annotations()
    again = read_back(first, tmp_path, "csv")
    assert again.detections[BOX].round(9).equals(first.detections[BOX].round(9))
    for name in set(DETECTIONS) - set(BOX):
        assert again.detections[name].equals(first.detections[name])
    assert again.decisions.equals(first.decisions)


@lossy
def test_coco_keeps_times_confidence_and_labels(tmp_path):
    first = make_annotations()
    again = read_back(first, tmp_path, "coco")
    assert again.detections[["time", "confidence"]].equals(first.detections[["time", "confidence"]])
    assert again.decisions["label"].tolist() == ["", "NA"]
    assert again.video.times.tolist() == pytest.approx(first.video.times.tolist(), abs=1e-9)
    assert again.video.frame_rate == 25


@pytest.mark.parametrize(
    ("format", "lost"),
    [
        ("cvat", "times, confidence, source, cuts, settings"),
        (
            "mot",
            "times, frame size, frames without faces, source, names of faces, labels, keyframes, reasons, cuts, "
            "settings",
        ),
        ("coco", "source, keyframes, cuts, settings"),
        (
            "yolo",
            "times, frame size, frames without faces, confidence, source, decisions, names of faces, keyframes, "
            "reasons, cuts, settings",
        ),
        ("csv", "frame size, frames without faces, cuts, settings"),
    ],
)
def test_what_is_lost_is_said(tmp_path, format, lost):
    with pytest.warns(AnnotationWarning, match=f"{format} has no room for {lost}; azure and parquet have"):
        make_annotations().to(format, tmp_path / "a")


@pytest.mark.parametrize("format", ["cvat", "mot", "coco", "yolo", "csv"])
def test_what_was_not_searched_is_said_where_the_format_cannot_say_it(tmp_path, format):
    region = {"box": [0.5, 0, 0.5, 0.2], "unit": "shares", "rule": "ignore", "end": 3}
    narrowed = make_annotations(settings={"searched": [0.4, 1.2], "regions": [region, {"box": [0, 0, 9, 9]}]})
    with pytest.warns(AnnotationWarning) as said:
        narrowed.to(format, tmp_path / "a")
    told = [str(each.message) for each in said if "faces were searched" in str(each.message)]
    assert len(told) == 1
    assert "only from 00:00:00.400 to 00:00:01.200 and not in 0.5, 0, 0.5, 0.2 (shares) from" in told[0]


@pytest.mark.parametrize("format", ["azure", "parquet"])
def test_formats_that_hold_all_warn_of_nothing(tmp_path, format):
    if format == "parquet":
        pytest.importorskip("pyarrow")
    make_annotations().to(format, tmp_path / "a")


@lossy
@pytest.mark.parametrize("format", WRITABLE)
def test_existing_output_is_kept(tmp_path, format):
    if format == "parquet":
        pytest.importorskip("pyarrow")
    path = tmp_path / "a"
    path.write_text("mine")
    with pytest.raises(OutputExistsError):
        write_annotations(make_annotations(), path, format=format)
    assert path.read_text() == "mine"
    assert [item.name for item in tmp_path.iterdir()] == ["a"]
    write_annotations(make_annotations(), path, format=format, overwrite=True)
    assert len(read_annotations(path, frame_size=(640, 360)).detections) == 4


@lossy
@pytest.mark.parametrize("format", ["azure", "cvat", "mot", "coco", "yolo"])
def test_faces_without_boxes_are_refused(tmp_path, format):
    boxless = make_annotations().detections.assign(x=np.nan)
    with pytest.raises(AnnotationError, match="when faces are seen but not where"):
        make_annotations(detections=boxless).to(format, tmp_path / "a")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("format", ["cvat", "mot", "coco", "yolo"])
def test_instants_further_apart_than_frames_are_refused_where_frames_go_by_number(tmp_path, format):
    video = VideoInfo(None, 640, 360, Fraction(25), Fraction(1, 2), np.arange(6))
    coarse = make_annotations(video=video)
    with pytest.raises(AnnotationError, match=r"instants 12.5 frames apart; lay them on the video first"):
        coarse.to(format, tmp_path / "a")


def test_unknown_formats_are_named(tmp_path):
    with pytest.raises(OptionError, match=r"format must be one of azure, cvat, .* got 'none'"):
        make_annotations().to("none", tmp_path / "a")
    path = make_annotations().to("azure", tmp_path / "a.json")
    with pytest.raises(OptionError, match="got 'none'"):
        read_annotations(path, format="none")
    with pytest.raises(OptionError, match="frame_rate must be above 0"):
        read_annotations(path, frame_rate=0)


def test_missing_package_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(OptionError, match=r"pip install 'redactkit\[parquet\]'"):
        make_annotations().to("parquet", tmp_path / "a.parquet")
    (tmp_path / "b.parquet").write_bytes(b"PAR1")
    with pytest.raises(OptionError, match=r"pip install 'redactkit\[parquet\]'"):
        read_annotations(tmp_path / "b.parquet")


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"", "the file is empty"),
        (b" \r\n", "the file is empty"),
        (b"PK\x03\x04", r"the ZIP archive is cut off or damaged .*; download it again"),
        (b"{}", "JSON with the keys none"),
        (b'{"hello": 1}', "JSON with the keys hello"),
        (b"[1, 2]", "a JSON list of numbers"),
        (b"<html></html>", "a web page"),
        (b"Dear colleague,\nhere are the faces", "expected a column frame or time|text that begins with 'Dear"),
        (b"\x00\x01\x02\x03\xff\xfe", "data that is no text"),
        (b"\xff\xd8\xff\xe0 JFIF", "an image"),
    ],
)
def test_other_files_are_refused_by_name(tmp_path, content, fault):
    path = tmp_path / "their.file"
    path.write_bytes(content)
    with pytest.raises(AnnotationError, match=rf"their.file: .*({fault})"):
        read_annotations(path)


def test_what_is_no_file_is_refused(tmp_path):
    with pytest.raises(AnnotationError, match="a folder without an annotation file"):
        read_annotations(tmp_path)
    with pytest.raises(AnnotationError, match="no such file"):
        read_annotations(tmp_path / "absent.json")
    with pytest.raises(AnnotationError, match=r"cannot be read|no such file"):
        read_annotations(tmp_path / "a\0b")
    with pytest.raises(OptionError, match="no file to read"):
        read_annotations([])


@pytest.fixture
def read_table(tmp_path):
    def write_and_read(content, **options):
        path = tmp_path / "their.csv"
        path.write_text(content)
        return read_annotations(path, **options)

    return write_and_read


@lossy
@pytest.mark.parametrize(
    "content",
    [
        "frame,face_id,x,y,width,height\n3,7,10,20,30,40\n",
        "Frame;ID;X;Y;W;H\n3;7;10;20;30;40\n",
        "frame\ttrack_id\tleft\ttop\tright\tbottom\n3\t7\t10\t20\t40\t60\n",
        "frame_number, id, xmin, ymin, xmax, ymax\n3, 7, 10, 20, 40, 60\n",
        "frame,face,cx,cy,w,h\n3,7,25,40,30,40\n",
        '"frame","face_id","x1","y1","x2","y2"\r\n"3","7","10","20","40","60"\r\n',
        "frame,face_id,left,top,width,height\n3.0,7.0,10,20,30,40\n",
    ],
)
def test_tables_of_any_box_form_are_read(read_table, content):
    rows = read_table(content).detections
    assert rows[["frame", "face_id", *BOX]].to_numpy().tolist() == [[3, 7, 10, 20, 30, 40]]
    assert rows["time"].isna().all()


@lossy
def test_table_with_decimal_commas_is_read(read_table):
    table = read_table(
        "frame;face_id;x;y;width;height;label\n3;7;10,5;20;30,25;40;a,1\n4;7;-1,125;20;30;40;b\n"
    ).detections
    assert table[["frame", "face_id", *BOX]].to_numpy().tolist() == [
        [3, 7, 10.5, 20, 30.25, 40],
        [4, 7, -1.125, 20, 30, 40],
    ]
    assert table["label"].tolist() == ["a,1", "b"]


@lossy
def test_table_by_time_alone_is_read(read_table):
    annotations = read_table("time,face_id,x,y,width,height\n0.5,7,1,2,3,4\n0.54,7,1,2,3,4\n")
    assert annotations.detections["time"].tolist() == [0.5, 0.54]
    assert annotations.video.frame_rate == 25


@lossy
def test_table_of_py_feat_has_boxes_beside_hundreds_of_landmarks(read_table):
    more = [f"{axis}_{number}" for axis in "xyXY" for number in range(300)]
    names = ["FaceRectX", "FaceRectY", "FaceRectWidth", "FaceRectHeight", "FaceScore", *more, "frame", "input"]
    rows = [
        ",".join(map(str, [x, 20, 30, 40, 0.75, *[1] * len(more), frame, "a.mp4"])) for frame, x in ((0, 10), (2, 12))
    ]
    table = read_table("\n".join([",".join(names), *rows, ""])).detections
    assert table[["frame", *BOX, "confidence"]].to_numpy().tolist() == [
        [0, 10, 20, 30, 40, 0.75],
        [2, 12, 20, 30, 40, 0.75],
    ]


@lossy
def test_table_of_ours_without_a_box_comes_back_as_one_that_says_when_only(read_table):
    names = "frame,time,face_id,x,y,width,height,confidence,source,redact,label,reason"
    table = read_table(
        f"{names}\n0,5.04,1158,,,,,0.9942,imported,True,Ann,\n1,6.84,1158,,,,,0.9942,imported,True,Ann,\n"
    )
    assert table.detections["time"].tolist() == [5.04, 6.84]
    assert not table.has_boxes
    assert table.decisions["label"].tolist() == ["Ann"]


@lossy
def test_table_face_is_redacted_if_one_row_says_so(read_table):
    head = "frame,face_id,x,y,width,height,redact,label\n"
    rows = "0,1,1,2,3,4,False,anna\n1,1,1,2,3,4,True,anna\n0,2,1,2,3,4,no,\n0,3,1,2,3,4,perhaps,\n"
    assert read_table(head + rows).decisions["redact"].to_dict() == {1: True, 2: False, 3: True}


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ("face_id,x,y,width,height\n1,1,2,3,4\n", "expected a column frame or time, got face_id"),
        ("frame,face_id,x,y\n1,1,2,3\n", "expected the columns x, y, width, height"),
        ("frame,x,y,width,height\n1,wide,2,3,4\n", "row 1: expected a number as x, got 'wide'"),
        ("frame,x,y,width,height\n1,1,2,3,4\n,1,2,3,4\n", "row 2: expected frame to be a whole number, got nan"),
        ("frame,x,y,width,height\n1.5,1,2,3,4\n", "row 1: expected frame to be a whole number"),
        (f"frame,x,y,width,height\n1,{'9' * 400},2,3,4\n", "expected numbers as x, got one that is too large"),
        ("frame,x,y,width,height\n1,1,,3,4\n", "finite numbers .* - at `row 1`"),
        ("frame,x,y,width,height\n1,1,2,-3,4\n", "sides of 0 or more, .* - at `row 1`"),
        ("frame,frame_id,x,y,width,height\n1,1,1,2,3,4\n", "two columns mean the same: frame, frame_id; keep one"),
        ("a.jpg,face,1,2,30,40\n", "expected a first line that names the columns, such as frame,.*, got a.jpg, face"),
        ("367,101,41,16\n368,101,41,16\n", "expected a first line that names the columns"),
        ('image_name,bbox\n1.jpg,"[1, 2, 3, 4]"\n', "each number in a column of its own"),
        ("frame,time,face_id,x,y,width,height\n0,0,1,1,2,3,4\n0,1,2,1,2,3,4\n", "frame 0 has two times"),
        ("frame,time,face_id,x,y,width,height\n0,1,1,1,2,3,4\n1,0,1,1,2,3,4\n", "time does not ascend after frame 0"),
        ('frame,x,y,width,height\n1,"1,2,3,4\n', "not a CSV table"),
    ],
)
def test_table_that_means_nothing_is_refused_with_its_row(read_table, content, fault):
    with pytest.raises(AnnotationError, match=f"their.csv: .*{fault}"):
        read_table(content)


def test_table_columns_left_out_are_named(read_table):
    with pytest.warns(AnnotationWarning, match="the columns blur, emotion have no place"):  # noqa: SIM117
        with pytest.warns(AnnotationWarning, match="times are NaN"):
            read_table("frame,face_id,x,y,width,height,blur,emotion\n3,7,10,20,30,40,1,x\n")


GRID = st.integers(-200_000, 500_000).map(lambda value: value / 64)
LENGTH = st.integers(0, 100_000).map(lambda value: value / 64)


@lossy
@pytest.mark.parametrize("text", ["0", "007", "1e5", "true", " ", " a", "a ", ' "a", b', "NaN", "a\n b"])
def test_csv_keeps_labels_and_reasons_that_look_like_something_else(text, tmp_path):
    first = make_annotations(decisions={1: {"label": text}, 2: {"redact": False, "reason": text}})
    again = read_back(first, tmp_path, "csv")
    assert again.decisions["label"].tolist() == [text, ""]
    assert again.decisions["reason"].tolist() == ["", text]
    assert len(again.detections) == len(first.detections)


@st.composite
def annotations(draw):
    """Annotations of a steady video; boxes on a grid of 1/64 pixel."""
    count = draw(st.integers(0, 15))
    rate = draw(st.sampled_from([Fraction(25), Fraction(30000, 1001), Fraction(25, 2)]))
    video = VideoInfo(None, 640, 360, rate, 1 / rate, np.arange(count), digest="")
    keys = st.tuples(st.integers(0, max(count - 1, 0)), st.integers(0, 5))
    rows = sorted(draw(st.lists(keys, unique=True, max_size=30))) if count else []
    frames = np.array([frame for frame, _ in rows], np.int64)

    def column(values):
        return draw(st.lists(values, min_size=len(rows), max_size=len(rows)))

    table = {
        "frame": frames,
        "time": video.times[frames],
        "face_id": [face for _, face in rows],
        **{name: column(LENGTH if name in ("width", "height") else GRID) for name in BOX},
        "confidence": column(st.none() | st.floats(0, 1)),
        "source": np.array(column(st.sampled_from(SOURCES)), object),
        "label": np.array(column(st.sampled_from(["", "face", "person", "a b", "0"])), object),
    }
    faces = sorted({face for _, face in rows})
    text = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=10)
    return Annotations(video, as_detections(table), decisions={face: {"label": draw(text)} for face in faces})


@lossy
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@pytest.mark.parametrize("format", WRITABLE)
@given(first=annotations())
def test_any_annotations_come_back_exactly(first, format, tmp_path_factory):
    if format == "parquet":
        pytest.importorskip("pyarrow")
    path = first.to(format, Path(tmp_path_factory.mktemp("any")) / "a")
    again = read_annotations(path, format=format, frame_rate=first.video.frame_rate, frame_size=(640, 360))
    kept = ["frame", "face_id", *BOX] + (["confidence"] if format not in ("cvat", "yolo") else [])
    kept += ["source"] if format in ("azure", "csv", "parquet") else []
    kept += ["label"] if format in ("azure", "coco", "csv", "parquet") else []
    assert again.detections[kept].equals(first.detections[kept])
    assert again.detections["time"].tolist() == pytest.approx(first.detections["time"].tolist(), abs=1e-9)
    if format in ("azure", "csv", "coco", "parquet"):
        assert again.decisions.equals(first.decisions)


@lossy
@pytest.mark.parametrize("format", ["cvat", "mot", "coco", "yolo"])
def test_chain_of_conversions_ends_where_it_began(tmp_path, format):
    first = make_annotations(decisions={}, cuts=[], settings={})
    plain = first.detections.assign(
        x=10.25, confidence=0.5, source="imported", label="", kind="face", keyframe=format == "cvat"
    )
    first = first.replace(detections=as_detections(plain))
    there = read_annotations(first.to(format, tmp_path / "a"), video=first.video)
    back = read_annotations(there.to("azure", tmp_path / "b.json"))
    if format in ("cvat", "yolo"):
        assert set(back.detections["label"]) == {"face"}
        back = back.replace(detections=as_detections(back.detections.assign(confidence=0.5, label="")))
    assert back == first
    assert json.loads((tmp_path / "b.json").read_text())["timescale"] == 12800
