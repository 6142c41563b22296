"""MOTChallenge text: ground truth, detections, tracker output."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from redactkit import boxes as bx
from redactkit.errors import AnnotationError, AnnotationWarning
from redactkit.formats import read_annotations
from redactkit.tables import BOX

pytestmark = pytest.mark.filterwarnings("ignore::redactkit.errors.AnnotationWarning")


@pytest.fixture
def read(tmp_path):
    def write_and_read(content, **options):
        path = tmp_path / "seq" / "gt" / "gt.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        return read_annotations(path, **options)

    return write_and_read


def test_frames_and_pixels_count_from_one(read):
    """The first line of the benchmark's own page: frame 1, box at (794.2, 47.5)."""
    rows = read("1,3,794.27,247.59,71.245,174.88,-1,-1,-1,-1\n").detections
    assert rows[["frame", "face_id", *BOX]].to_numpy().tolist() == [[0, 3, 793.27, 246.59, 71.245, 174.88]]
    assert rows["confidence"].isna().all()


def test_tracker_output_has_confidence(read):
    rows = read("2,1,10,20,30,40,0.5\n1,1,10,20,30,40,1\n").detections
    assert rows["frame"].tolist() == [0, 1]
    assert rows["confidence"].tolist() == [1, 0.5]


def test_ground_truth_has_a_flag_instead(read):
    with pytest.warns(AnnotationWarning, match="flag and visibility"):
        rows = read("1,1,10,20,30,40,1,1,0.75\n1,2,10,20,30,40,0,7,0\n").detections
    assert rows["face_id"].tolist() == [1, 2]
    assert rows["confidence"].isna().all()


def test_detections_without_identity_are_faces_of_their_own(read):
    with pytest.warns(AnnotationWarning, match="2 boxes have no face ID"):
        rows = read("1,-1,10,20,30,40,0.5\n2,-1,10,20,30,40,0.5\n").detections
    assert rows["face_id"].tolist() == [1, 2]


def test_confidence_of_another_scale_is_told(read):
    with pytest.warns(AnnotationWarning, match="1 confidences outside 0 to 1 became NaN"):
        rows = read("1,1,10,20,30,40,71.5\n2,1,10,20,30,40,0.5\n").detections
    assert rows["confidence"].isna().tolist() == [True, False]


def test_confidence_is_read_to_the_last_digit(read):
    assert read("1,3,5,6,7,8,0.9014274576114835\n").detections["confidence"].tolist() == [0.9014274576114835]
    assert read("1,3,5,6,7,8,0.13436424411240122\n").detections["confidence"].tolist() == [0.13436424411240122]


def test_words_may_be_apart_by_spaces(read):
    assert read("1 3 5 6 7 8\n2 3 5 6 7 8\n").detections["frame"].tolist() == [0, 1]


def test_seqinfo_beside_the_folder_gives_size_and_rate(read, tmp_path):
    (tmp_path / "seq").mkdir()
    (tmp_path / "seq" / "seqinfo.ini").write_text(
        "[Sequence]\nname=MOT16-02\nframeRate=30\nseqLength=600\nimWidth=1920\nimHeight=1080\n"
    )
    annotations = read("31,3,5,6,7,8,1\n")
    assert (annotations.video.width, annotations.video.height, annotations.frame_count) == (1920, 1080, 600)
    assert annotations.video.frame_rate == 30
    assert annotations.detections["time"].tolist() == [1.0]


def test_broken_seqinfo_is_passed_over(read, tmp_path):
    (tmp_path / "seq").mkdir()
    (tmp_path / "seq" / "seqinfo.ini").write_text("[Sequence\nframeRate=x")
    assert read("1,3,5,6,7,8,1\n").detections["time"].isna().all()


def test_caller_may_say_size_and_rate(read):
    annotations = read("2,3,5,6,7,8,1\n", frame_size=(64, 48), frame_rate=Fraction(25, 2))
    assert (annotations.video.width, annotations.video.height) == (64, 48)
    assert annotations.detections["time"].tolist() == [0.08]


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ("1,1,10,20,30,40\n1,2,10,x,30,40\n", "line 2: expected numbers, got 'x'"),
        ("1,1,10,20,30,40\n1,2,10,20,30,40,1,1\n", "line 2: expected 6 numbers, got 8"),
        ("1,1,10,20,30,40\n1,2,10\n", "row 2: expected a number as top"),
        ("1,1,10,20,30,40,1,1,1,1,1,1\n", "expected 6 to 11 numbers a line, got 12"),
        ("1,1,10,20,nan,40\n", "row 1: expected a number as width, got nan"),
        ("1.5,1,10,20,30,40\n", "row 1: frame must be a whole number"),
        ("1,1e30,10,20,30,40\n", "row 1: id must be a whole number"),
        ("1,1,10,20,-30,40\n", "sides of 0 or more, .* - at `row 1`"),
        ("99999999999,1,10,20,30,40\n", "frame numbers must be 1 to"),
    ],
)
def test_what_means_nothing_is_refused_with_its_row(read, content, fault):
    with pytest.raises(AnnotationError, match=f"gt.txt: .*{fault}"):
        read(content, format="mot")


def test_empty_file_is_empty_where_the_format_is_said(read):
    assert read("\n", format="mot").detections.empty
    with pytest.raises(AnnotationError, match="the file is empty"):
        read("\n")


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_motmetrics_scores_what_is_written(read, tmp_path):
    motmetrics = pytest.importorskip("motmetrics", reason="needs the extra compare")
    first = read("1,1,10.5,20,30,40,1\n2,1,11,20,30,40,1\n2,2,80,20,30,40,0.5\n", frame_rate=25)
    path = first.to("mot", tmp_path / "out.txt")
    assert path.read_text().splitlines()[0] == "1,1,10.5,20,30,40,1,-1,-1,-1"
    loaded = motmetrics.io.loadtxt(path, fmt="mot15-2D")
    assert loaded.index.tolist() == [(1, 1), (2, 1), (2, 2)]
    assert np.allclose(loaded[["X", "Y", "Width", "Height"]].to_numpy(), first.detections[BOX].to_numpy())
    scores = motmetrics.MOTAccumulator()
    for frame, rows in loaded.groupby("FrameId"):
        boxes = rows[["X", "Y", "Width", "Height"]].to_numpy()
        ids = rows.index.get_level_values("Id").tolist()
        scores.update(ids, ids, 1 - bx.iou(boxes, boxes), frameid=frame)
    summary = motmetrics.metrics.create().compute(scores, metrics=["mota", "idf1", "num_objects"])
    assert summary.iloc[0].tolist() == [1, 1, 3]


def test_flag_that_pathtrack_writes_at_the_end_is_passed_over(read):
    rows = read("1 1 893 90 148 538 -1 -1 -1 -1 0\n2 1 892 89 152 541 -1 -1 -1 -1 1\n").detections
    assert rows["x"].tolist() == [892, 891]
    assert rows["confidence"].isna().all()
