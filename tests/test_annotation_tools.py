"""Annotations of other tools: what was put in comes out."""

from __future__ import annotations

import base64
import json
import math
import zlib

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from redactkit.errors import AnnotationError, AnnotationWarning, RedactkitError
from redactkit.formats import READABLE, WRITABLE, read_annotations
from redactkit.inspection import inspect
from redactkit.tables import BOX
from tests.annotation_files import make_files
from tests.annotation_tools import NAMELESS, RENAMED, SIZE, TIMED, TOOLS, Row, zipped

pytestmark = pytest.mark.filterwarnings("ignore::redactkit.errors.AnnotationWarning")

FRAMES = 8
MAKERS = [(format, make) for format, makers in TOOLS.items() for make in makers]
IDS = [make.__name__ for _, make in MAKERS]


@st.composite
def rows_of_boxes(draw):
    """Boxes of up to three faces, each with a label of its own."""
    keys = draw(
        st.lists(st.tuples(st.integers(0, FRAMES - 1), st.integers(1, 3)), unique=True, min_size=1, max_size=12)
    )
    labels = {face: draw(st.sampled_from(["face", "person"])) for face in (1, 2, 3)}
    side = st.integers(1, 100)
    places = st.tuples(st.integers(0, 500), st.integers(0, 250), side, side)
    return sorted(Row(frame, face, *draw(places), labels[face]) for frame, face in keys)


def put(files, folder):
    """Write files and return the only one, or else the folder."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder / next(iter(files)) if len(files) == 1 else folder


def as_rows(annotations, *, faces=True):
    table = annotations.detections
    columns = [table["frame"].tolist(), table["face_id"].tolist(), *(table[name].round(6).tolist() for name in BOX)]
    rows = [Row(*values) for values in zip(*columns, table["label"].tolist(), strict=True)]
    return sorted(rows if faces else [row._replace(face=0) for row in rows])


def as_told(rows, make):
    """Return rows as the files of a tool can tell them."""
    names = RENAMED.get(make, {})
    told = [row._replace(label=names.get(row.label, row.label)) for row in rows]
    return sorted(row._replace(face=0) for row in told) if make in NAMELESS else sorted(told)


def test_every_format_that_is_only_read_is_tested_here_or_with_the_services():
    assert set(READABLE) - set(WRITABLE) - {"videoindexer", "rekognition", "google"} == set(TOOLS)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@pytest.mark.parametrize(("format", "make"), MAKERS, ids=IDS)
@given(rows=rows_of_boxes())
def test_boxes_labels_and_faces_come_back(rows, format, make, tmp_path_factory):
    path = put(make(rows, FRAMES), tmp_path_factory.mktemp("theirs"))
    annotations = read_annotations(path, frame_size=SIZE, frame_rate=25)
    wanted = as_told(rows, make)
    if make in TIMED:
        times = sorted({row.frame / 25 for row in rows})
        assert sorted(annotations.detections["time"].unique().tolist()) == pytest.approx(times)
        at = annotations.detections["time"].mul(25).round().astype("int64")
        annotations = annotations.replace(detections=annotations.detections.assign(frame=at))
    assert as_rows(annotations, faces=make not in NAMELESS) == wanted


@pytest.mark.parametrize(("format", "make"), MAKERS, ids=IDS)
def test_file_is_recognised_alone_and_in_an_archive_and_no_frame_is_lost(format, make, tmp_path):
    rows = [Row(2, 1, 10, 20, 30, 40, "face"), Row(3, 1, 11, 20, 30, 40, "face"), Row(5, 2, 9, 9, 8, 8, "person")]
    files = make(rows, FRAMES)
    path = put(files, tmp_path / "theirs")
    report = inspect(path, frame_size=SIZE, frame_rate=25)
    assert report.format == format
    assert sorted(report.annotations.detections["label"]) == sorted(row.label for row in as_told(rows, make))
    (tmp_path / "a.zip").write_bytes(zipped(files))
    assert as_rows(read_annotations(tmp_path / "a.zip", frame_size=SIZE, frame_rate=25)) == as_rows(report.annotations)


@pytest.mark.parametrize(("format", "make"), MAKERS, ids=IDS)
def test_nothing_is_nothing(format, make, tmp_path):
    path = put(make([], FRAMES), tmp_path)
    try:
        assert read_annotations(path, format=format, frame_size=SIZE).detections.empty
    except AnnotationError as err:
        assert "no annotation" in str(err) or "expected" in str(err)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
@pytest.mark.parametrize(("format", "make"), MAKERS, ids=IDS)
@given(data=st.data())
def test_damage_is_survived(format, make, data, tmp_path):
    """Any piece of a file replaced by something odd gives one clear error, or a sound table."""
    files = make([Row(1, 1, 10, 20, 30, 40, "face"), Row(3, 2, 9, 9, 8, 8, "person")], 4)
    name = data.draw(st.sampled_from(sorted(files)))
    text = files[name]
    start = data.draw(st.integers(0, max(len(text) - 1, 0)))
    stop = data.draw(st.integers(start, min(len(text), start + 30)))
    odd = data.draw(
        st.sampled_from(["", "null", "-1", "1e400", "[]", "{}", '"x"', "NaN", "<", "&x;", "\0", ",", "é", "9" * 30])
    )
    files[name] = text[:start] + odd + text[stop:]
    (tmp_path / "their.zip").write_bytes(zipped(files))
    for format_named in (None, format):
        try:
            annotations = read_annotations(tmp_path / "their.zip", format=format_named, frame_size=SIZE)
        except RedactkitError as err:
            assert "their.zip" in str(err)
        else:
            assert (annotations.detections[["width", "height"]].to_numpy() >= 0).all()


@pytest.mark.parametrize("format", list(TOOLS))
@pytest.mark.parametrize("other", sorted(make_files()))
def test_file_of_another_format_is_refused_or_sound(format, other, tmp_path):
    (tmp_path / "their.file").write_bytes(make_files()[other])
    try:
        read_annotations(tmp_path / "their.file", format=format, frame_size=SIZE)
    except RedactkitError as err:
        assert "their.file" in str(err)


def test_label_studio_moves_boxes_in_a_straight_line_between_keyframes_and_holds_the_last(tmp_path):
    keys = [(1, 10, True), (3, 20, True), (5, 20, False), (7, 30, True)]
    sequence = [{"frame": f, "x": x, "y": 10, "width": 10, "height": 10, "enabled": on} for f, x, on in keys]
    value = {"framesCount": 9, "sequence": sequence, "labels": ["face"]}
    task = {"video": "/data/a.mp4", "box": [value], "id": 1}
    path = put({"min.json": json.dumps([task])}, tmp_path)
    rows = read_annotations(path, frame_size=(100, 100)).detections
    assert dict(zip(rows["frame"], rows["x"], strict=True)) == {0: 10, 1: 15, 2: 20, 3: 20, 4: 20, 6: 30, 7: 30, 8: 30}


def test_label_studio_tasks_of_two_videos_are_told_apart(tmp_path):
    files = json.loads(TOOLS["labelstudio"][0]([Row(0, 1, 10, 10, 10, 10, "face")], 4)["project.json"])
    other = json.loads(json.dumps(files[0]).replace("a.mp4", "b.mp4").replace('"face"', '"person"'))
    path = put({"project.json": json.dumps([*files, other])}, tmp_path)
    with pytest.raises(AnnotationError, match="speaks of 2 videos"):
        read_annotations(path, frame_size=SIZE)
    assert read_annotations(path, frame_size=SIZE, video_name="b.mp4").detections["label"].tolist() == ["person"]


@pytest.mark.parametrize(
    ("shape", "box"),
    [
        ({"name": "circle", "cx": 50, "cy": 40, "r": 10}, [40, 30, 20, 20]),
        ({"name": "ellipse", "cx": 50, "cy": 40, "rx": 10, "ry": 5}, [40, 35, 20, 10]),
        ({"name": "polygon", "all_points_x": [1, 9, 5], "all_points_y": [2, 2, 8]}, [1, 2, 8, 6]),
    ],
)
def test_shapes_of_via_become_the_boxes_around_them(shape, box, tmp_path):
    regions = {"0": {"shape_attributes": shape, "region_attributes": {"type": {"face": True}}}}
    path = put({"a.json": json.dumps({"a0.jpg1": {"filename": "a0.jpg", "size": 1, "regions": regions}})}, tmp_path)
    rows = read_annotations(path).detections
    assert rows[BOX].to_numpy().tolist() == [box]
    assert rows["label"].tolist() == ["face"]


def test_circle_of_labelme_and_polygon_of_its_xml_become_boxes(tmp_path):
    shape = {"label": "face", "points": [[50, 40], [53, 44]], "shape_type": "circle", "group_id": None}
    path = put({"a.json": json.dumps({"shapes": [shape], "imagePath": "a.jpg"})}, tmp_path)
    assert read_annotations(path).detections[BOX].to_numpy().tolist() == [[45, 35, 10, 10]]
    points = "".join(f"<pt><x>{x}</x><y>{y}</y></pt>" for x, y in [(1, 2), (9, 2), (5, 8)])
    face = f"<object><name>face</name><polygon>{points}</polygon></object>"
    xml = f"<annotation><filename>a.jpg</filename>{face}</annotation>"
    assert read_annotations(put({"b.xml": xml}, tmp_path)).detections[BOX].to_numpy().tolist() == [[1, 2, 8, 6]]
    sides = "<xmin>3</xmin><ymin>4</ymin><xmax>9</xmax><ymax>8</ymax>"
    mask = xml.replace(f"<polygon>{points}</polygon>", f"<segm><box>{sides}</box><mask>m.png</mask></segm>")
    assert read_annotations(put({"c.xml": mask}, tmp_path)).detections[BOX].to_numpy().tolist() == [[3, 4, 6, 4]]


def test_keys_that_are_no_numbers_become_numbers_and_no_names(tmp_path):
    rows = [Row(0, 1, 10, 20, 30, 40, "face"), Row(1, 2, 11, 20, 30, 40, "face"), Row(2, 1, 12, 20, 30, 40, "face")]
    files = TOOLS["supervisely"][0](rows, 3)
    text = files["ds0/ann/a.mp4.json"].replace('"objectId"', '"other"').replace('"id"', '"another"')
    annotations = read_annotations(put({"a.mp4.json": text}, tmp_path))
    assert annotations.detections["face_id"].tolist() == [1, 2, 1]
    assert annotations.decisions["label"].tolist() == ["", ""]


def test_mask_and_graph_of_supervisely_become_boxes(tmp_path):
    picture = cv2.imencode(".png", np.full((7, 5), 255, np.uint8))[1].tobytes()
    mask = {"data": base64.b64encode(zlib.compress(picture)).decode(), "origin": [10, 20]}
    nodes = {"a": {"loc": [1, 2]}, "b": {"loc": [9, 5]}}
    objects = [{"classTitle": "face", "geometryType": "bitmap", "bitmap": mask}]
    objects.append({"classTitle": "face", "geometryType": "graph", "nodes": nodes})
    whole = {"size": {"width": 64, "height": 48}, "objects": objects}
    path = put({"a.png.json": json.dumps(whole)}, tmp_path)
    assert read_annotations(path).detections[BOX].to_numpy().tolist() == [[10, 20, 5, 7], [1, 2, 8, 3]]
    for data, fault in (("aGk=", "cannot be unpacked"), (base64.b64encode(zlib.compress(b"x")).decode(), "packed PNG")):
        mask["data"] = data
        with pytest.raises(AnnotationError, match=rf"{fault}.* - at a\.png\.json, \$\.objects\[0\]"):
            read_annotations(put({"a.png.json": json.dumps(whole)}, tmp_path))


def test_darwin_box_moves_between_keyframes_and_stays_to_the_end_of_its_range(tmp_path):
    keys = {str(f): {"bounding_box": {"x": x, "y": 1, "w": 9, "h": 9}} for f, x in [(1, 10), (3, 20), (7, 40)]}
    item = {"name": "face", "frames": keys, "ranges": [[0, 5], [6, 9]]}
    slot = {"type": "video", "width": 640, "height": 360, "fps": 25, "frame_count": 12}
    document = {"version": "2.0", "item": {"name": "a.mp4", "slots": [slot]}, "annotations": [item]}
    annotations = read_annotations(put({"a.json": json.dumps(document)}, tmp_path))
    rows = annotations.detections
    assert dict(zip(rows["frame"], rows["x"], strict=True)) == {0: 10, 1: 10, 2: 15, 3: 20, 4: 20, 6: 20, 7: 40, 8: 40}
    assert annotations.frame_count == 12


def test_ellipse_and_skeleton_of_darwin_become_boxes_and_tags_are_said_to_be_lost(tmp_path):
    ellipse = {"center": {"x": 100, "y": 50}, "radius": {"x": 20, "y": 10}, "angle": math.pi / 2}
    skeleton = {"nodes": [{"name": "1", "x": 5, "y": 7}, {"name": "2", "x": 15, "y": 27}]}
    items = [{"name": "face", "ellipse": ellipse}, {"name": "face", "skeleton": skeleton}, {"name": "x", "tag": {}}]
    document = {"version": "2.0", "item": {"name": "a.jpg", "slots": []}, "annotations": items}
    with pytest.warns(AnnotationWarning, match=r"1 annotations \(tags, .*\) have no box"):
        rows = read_annotations(put({"a.json": json.dumps(document)}, tmp_path)).detections
    assert rows[BOX].to_numpy().tolist() == [[90, 30, 20, 40], [5, 7, 10, 20]]


def test_openface_of_one_face_has_no_face_id(tmp_path):
    names = ", ".join(f"{axis}_{number}" for axis in "xy" for number in range(5))
    row = "1, 0, 0.9, 1, 10, 50, 30, 10, 50, 20, 20, 30, 60, 60"
    path = put({"a.csv": f"frame, timestamp, confidence, success, {names}\n{row}\n"}, tmp_path)
    rows = read_annotations(path).detections
    assert rows[["frame", "face_id", *BOX]].to_numpy().tolist() == [[0, 0, 10, 0, 40, 60]]


def test_openface_without_landmarks_in_pixels_says_how_to_run_it(tmp_path):
    text = "frame,face_id,timestamp,confidence,success,x_0,y_0,X_0,Y_0\n1,0,0.0,0.98,1,300,200,-12.1,8.0\n"
    with pytest.raises(AnnotationError, match=r"1 landmarks .* too few for a box; run it with -2Dfp"):
        read_annotations(put({"a.csv": text}, tmp_path))


def test_first_frame_of_scalabel_without_a_label_hides_none_of_the_others(tmp_path):
    label = {"id": "3", "category": "face", "box2d": {"x1": 1, "y1": 2, "x2": 4, "y2": 6}}
    frames = [{"name": "a-0.jpg", "videoName": "a"}, {"name": "a-1.jpg", "videoName": "a", "labels": [label]}]
    rows = read_annotations(put({"a.json": json.dumps({"frames": frames})}, tmp_path)).detections
    assert rows[["frame", "face_id", *BOX]].to_numpy().tolist() == [[1, 3, 1, 2, 3, 4]]
    listed = [{"url": "a-0.jpg", "videoName": "a"}, frames[1]]
    assert len(read_annotations(put({"b.json": json.dumps(listed)}, tmp_path)).detections) == 1


def test_attribute_of_via_that_is_a_list_is_no_face(tmp_path):
    rows = [Row(0, 1, 10, 20, 30, 40, "face")]
    whole = json.loads(TOOLS["via"][2](rows, 1)["via.json"])
    whole["metadata"]["1_0"]["av"]["2"] = [[]]
    assert len(read_annotations(put({"via.json": json.dumps(whole)}, tmp_path)).detections) == 1


def test_table_of_via_1_has_its_columns_behind_a_hash(tmp_path):
    text = TOOLS["via"][1]([Row(0, 1, 10, 20, 30, 40, "face")], 1)["via.csv"]
    rows = read_annotations(put({"via.csv": f"#{text}"}, tmp_path)).detections
    assert rows[["frame", "face_id", *BOX]].to_numpy().tolist() == [[0, 1, 10, 20, 30, 40]]


def test_stretches_of_time_of_via_are_said_to_have_no_box(tmp_path):
    whole = json.loads(TOOLS["via"][2]([Row(0, 1, 10, 20, 30, 40, "face")], 1)["via.json"])
    whole["metadata"]["1_x"] = {"vid": "1", "flg": 0, "z": [1.5, 2.5], "xy": [], "av": {"1": "talks"}}
    with pytest.warns(AnnotationWarning, match="1 stretches of time have no box"):
        assert len(read_annotations(put({"via.json": json.dumps(whole)}, tmp_path)).detections) == 1
