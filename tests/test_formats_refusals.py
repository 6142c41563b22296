"""What no annotation file is: named, with what is read and how to name a format."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from redactkit.cli.reading import FORMATS as CHOICES
from redactkit.errors import AnnotationError, OptionError
from redactkit.formats import READABLE, WRITABLE, read_annotations
from redactkit.formats.catalogue import FORMATS, as_markdown

pytestmark = pytest.mark.filterwarnings("ignore::redactkit.errors.AnnotationWarning")

MP4 = b"\x00\x00\x00\x18ftypmp42" + bytes(32)
EVENTS = {"timescale": 25, "width": 640, "height": 360}


def azure(event):
    return {**EVENTS, "fragments": [{"start": 0, "duration": 9}, {"start": 9, "interval": 1, "events": [[], [event]]}]}


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (MP4, r"a video \(MP4\)"),
        (b"\x1a\x45\xdf\xa3\x00", "a video"),
        (b"RIFF\x00\x00\x00\x00AVI ", "a video"),
        (b"\x00\x00\x01\xba\x44", "a video"),
        (b"\x47" + bytes(187) + b"\x47" + bytes(187), "a video"),
        (b"\x89PNG\r\n\x1a\n\x00", "an image"),
        (b"\x08\x07\x12\x07pytorch", r"a model \(ONNX\)"),
        (b"\x89HDF\r\n\x1a\n", "HDF5 data"),
        (b"\x80\x04\x95", "a Python pickle"),
        (b"%PDF-1.7", "a PDF document"),
        (b"\x28\xb5\x2f\xfd", "a Zstandard file; unpack it"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "a pointer of Git LFS"),
        (b"1\n4\n7\n", r"an ID list is given with ids= \(--ids\)"),
        (b"<!DOCTYPE html><html></html>", "a web page"),
        (b"<svg></svg>", "XML with the outermost element <svg>"),
        (b'{"nbformat": 4, "cells": []}', "a Jupyter notebook"),
        (b'{"faces": [{"face_rectangle": {"top": 1}, "face_token": "x"}]}', "a face of Azure Face or Face"),
        (b'[{"faceId": "x", "faceRectangle": {"top": 1}}]', "Azure Face"),
        (b'{"ModerationLabels": [], "JobStatus": "SUCCEEDED"}', "Rekognition content moderation"),
        (b'{"JobId": "abc"}', "the answer to a request that started a job"),
        (b'{"SearchedFaceId": "x", "FaceMatches": []}', "a search of a Rekognition collection"),
        (b'{"FaceSearchResponse": [], "InputInformation": {}}', "records of a Rekognition stream processor"),
        (b'{"JobId": "x", "Status": "SUCCEEDED", "API": "StartFaceDetection"}', "the notice that a Rekognition job"),
        (b'[{"image": "a.jpg", "annotations": [{"label": "a", "coordinates": {}}]}]', "Create ML JSON"),
        (b'{"name": "a", "videoSettings": {}, "assets": {}}', "a VoTT project"),
        (b"train: ../train/images\nnc: 1\nnames: [a]\n", "the data.yaml of a YOLO data set"),
        (b"# Licence\n\npath: ../datasets\nnames: [a]\n", "the data.yaml of a YOLO data set"),
        (b"#Study : a\n", "an iMotions table"),
        (b'{"ok": true, "theResult": {"annotationResults": []}}', "JSON that has google in it, in 'theResult'; save"),
        (b'{"data": [{"image_id": 1, "bbox": [1, 2, 3, 4]}], "n": 1}', "JSON that has coco in it, in 'data'"),
        (b"[]", "a JSON list that is empty"),
        (b"\x07\x00\x81\x92\x00\x00", "data that is no text"),
        (b"\xd3\x84\x9f\xe1 junk", "data that is no text"),
    ],
)
def test_other_files_are_named_with_what_is_read(tmp_path, content, what):
    path = tmp_path / "their.file"
    path.write_bytes(content)
    with pytest.raises(AnnotationError, match=rf"their.file: .*this is .*{what}") as caught:
        read_annotations(path)
    assert all(name in str(caught.value) for name in READABLE)
    assert "format= (--format)" in str(caught.value)


@pytest.mark.parametrize(
    ("event", "what"),
    [
        ({"windowFaceDistribution": {"neutral": 0}, "windowMeanScores": {}}, "aggregateEmotion"),
        ({"region": {"language": "English", "lines": [{"text": "x", "left": 10}]}}, "Azure OCR"),
        ({"reviewRecommended": False, "adultScore": 0.1}, "Azure Content Moderator"),
        (
            {"type": 2, "typeName": "motion", "locations": [{"x": 0.1, "y": 0.1}], "regionId": 0},
            "Azure Motion Detector",
        ),
    ],
)
def test_other_services_of_azure_are_named(tmp_path, event, what):
    path = tmp_path / "their.json"
    path.write_text(json.dumps(azure(event)))
    with pytest.raises(AnnotationError, match=f"this is {what}|this is Azure Face Detector output of the mode {what}"):
        read_annotations(path)


def test_fault_in_a_file_of_faces_is_told_and_not_taken_for_another_service(tmp_path):
    path = tmp_path / "their.json"
    path.write_text(json.dumps(azure({"id": 1, "x": 0.1, "y": 0.1, "width": 0.1, "language": "en"})))
    with pytest.raises(AnnotationError, match="missing required field `height`"):
        read_annotations(path)


@pytest.mark.parametrize(
    "content", [b"<" + b"a" * 9000 + b"/>", b'<?xml version="1.0" encoding="' + b"x" * 9000 + b'"?>']
)
def test_error_stays_short_whatever_it_quotes(tmp_path, content):
    (tmp_path / "their.file").write_bytes(content)
    with pytest.raises(AnnotationError, match=r"their\.file") as caught:
        read_annotations(tmp_path / "their.file", format="cvat" if b"xml" in content else None)
    assert len(str(caught.value)) < 2000


def test_list_of_labels_stays_short_whatever_they_are(tmp_path):
    (tmp_path / "a.csv").write_text(f"frame,x,y,width,height,label\n0,1,2,30,40,{'x' * 5000}\n")
    with pytest.raises(OptionError, match=r"no box has the label 'face'; the labels are x{60}: 1") as caught:
        read_annotations(tmp_path / "a.csv", frame_size=(640, 360), labels=["face"])
    assert len(str(caught.value)) < 200


def test_table_of_tens_of_thousands_of_columns_is_refused_before_it_is_parsed(tmp_path):
    (tmp_path / "a.csv").write_text(
        "frame,x,y,width,height," + ",".join(f"c{k}" for k in range(20_000)) + "\n0,1,2,3,4\n"
    )
    with pytest.raises(AnnotationError, match=r"a\.csv: its first line has more than 5000 columns"):
        read_annotations(tmp_path / "a.csv", frame_size=(640, 360), format="csv")


def test_nests_that_a_reader_walks_are_refused_by_their_depth(tmp_path):
    # Keys in snake_case are spelled anew, by a function that calls itself.
    nest = '{"more": ' * 1200 + "1" + "}" * 1200
    facts = '{"frame_rate": 25, "frame_width": 64, "frame_height": 36}'
    page = f'{{"video_metadata": {facts}, "faces": [], "more": {nest}}}'
    (tmp_path / "a.json").write_text(page)
    with pytest.raises(AnnotationError, match=r"a\.json: (JSON )?nested too deeply"):
        read_annotations(tmp_path / "a.json", format="rekognition")


def test_documentation_has_the_table_that_the_code_makes():
    page = (Path(__file__).parents[1] / "docs" / "formats.md").read_text(encoding="utf-8")
    assert as_markdown() in page


def test_catalogue_names_every_format():
    assert list(FORMATS) == READABLE
    assert [name for name, form in FORMATS.items() if form.written] == WRITABLE == CHOICES


def test_table_in_an_old_encoding_is_refused_with_what_to_do(tmp_path):
    path = tmp_path / "their.csv"
    path.write_bytes("frame,id,person,x,y,w,h\n0,1,Jürgen,50,60,40,50\n".encode("cp1252"))
    with pytest.raises(AnnotationError, match="in an old encoding; save it as CSV in UTF-8"):
        read_annotations(path)
