"""The search for faces that nobody hid: where it looks closely, and how it judges what it found."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import av
import numpy as np
import pandas as pd
import pytest

from redactkit.annotations import Annotations
from redactkit.tables import as_decisions, as_detections, empty_detections
from redactkit.verification.findings import GAP, leak_table
from redactkit.verification.judging import judge_unknown_faces
from redactkit.verification.pairs import Pair
from redactkit.verification.settings import RecordedRedaction
from redactkit.verification.track_gaps import plan_near
from redactkit.verification.unknown_faces import Known, UnknownFaceSearch
from redactkit.video import VideoReader
from tests.annotation_files import make_annotations

RATE = 25


@pytest.fixture
def known() -> Annotations:
    """Annotations of a video with nothing in it, 25 frames a second."""
    nothing = empty_detections()
    return make_annotations(25).replace(detections=nothing, discarded=nothing, cuts=np.zeros(0, np.int64))


def tracked(known: Annotations, frames: list[int]) -> Annotations:
    """Give a face that moves 2 pixels a frame boxes in some frames."""
    rows = pd.DataFrame({"frame": frames, "face_id": 1, "x": [2.0 * frame for frame in frames], "y": 5.0})
    rows = rows.assign(width=20.0, height=30.0, confidence=0.9, source="detected")
    return known.replace(detections=as_detections(rows.assign(time=rows["frame"] / RATE)))


def found(frames: list[int], **scores: float) -> list[dict[str, Any]]:
    """Return rows of the search for one place."""
    place = {"x": 10.0, "y": 10.0, "width": 30.0, "height": 40.0, "covered": 0.0, "near": -1}
    return [{"frame": frame, "time": frame / RATE, **place, **scores} for frame in frames]


def test_nothing_is_looked_for_near_no_track(known: Annotations) -> None:
    assert plan_near(known, [], known.video) == {}
    assert judge_unknown_faces([], known, known.video) == []


def test_gaps_and_ends_of_tracks_are_looked_at_where_the_face_would_be(known: Annotations) -> None:
    near = plan_near(tracked(known, [4, 5, 6, 9, 10]), [1], known.video)
    assert sorted(near) == [1, 2, 3, 7, 8, 11, 12, 13]
    assert [near[frame][0].short_gap for frame in (3, 7, 8, 11)] == [False, True, True, False]
    for frame in (1, 3, 7, 8, 11):
        assert near[frame][0].box[0] == pytest.approx(2 * frame)
    assert near[11][0].last[0] == pytest.approx(20)


def test_a_short_gap_is_a_finding_though_no_face_is_seen_in_it(known: Annotations) -> None:
    skipped = found([7, 8], near=3)
    (gap,) = judge_unknown_faces([], known, known.video, gaps=skipped)
    assert (gap.in_gap, gap.sure, gap.near) == (True, False, 3)
    table = leak_table([gap], known)
    assert table["what"].unique().tolist() == [GAP]
    assert table["frame"].tolist() == [7, 8]
    seen = found([7], near=3, confidence=0.8, source=0.8, output=0.8)
    (face,) = judge_unknown_faces(seen, known, known.video, gaps=skipped)
    assert not face.in_gap


def test_what_is_found_twice_in_a_frame_is_one_face(known: Annotations) -> None:
    scores = {"confidence": 0.8, "source": 0.8, "output": 0.8}
    rows = [*found([3, 4, 5], near=1, **scores), *found([4, 5], x=11.0, **scores)]
    (face,) = judge_unknown_faces(rows, known, known.video)
    assert face.rows["frame"].tolist() == [3, 4, 5]


@pytest.mark.parametrize(
    ("frames", "confidence", "crops", "width", "counts"),
    [
        ([3, 9], 0.40, 0.35, 30.0, True),
        ([3, 9], 0.28, 0.21, 30.0, False),
        ([3, 9], 0.60, 0.10, 30.0, True),  # the search itself was sure
        ([3], 0.46, 0.37, 30.0, True),
        ([3], 0.37, 0.34, 30.0, False),
        ([3], 0.46, 0.37, 14.0, False),
    ],
)
def test_weak_support_counts_where_nobody_set_it_aside(
    known: Annotations, frames: list[int], confidence: float, crops: float, width: float, counts: bool
) -> None:
    rows = found(frames, confidence=confidence, source=crops, output=crops, width=width)
    judged = judge_unknown_faces(rows, known, known.video)
    assert len(judged) == counts
    assert not any(face.sure for face in judged if confidence < 0.6)
    aside = as_detections(pd.DataFrame(rows).assign(face_id=9, source="detected").drop(columns=["source"]))
    looked_at = known.replace(discarded=aside.assign(source="detected"))
    if max(confidence, np.mean(crops)) < 0.6:
        assert judge_unknown_faces(rows, looked_at, known.video) == []


def test_nothing_is_carried_over_a_cut_or_beyond_the_video(known: Annotations) -> None:
    cut = tracked(known, [4, 5, 6, 9, 10, 24]).replace(cuts=np.array([8]))
    near = plan_near(cut, [1], known.video)
    assert not any(place.short_gap for places in near.values() for place in places)
    assert [near[frame][0].box[0] for frame in (7, 8)] == [pytest.approx(14), pytest.approx(16)]
    assert max(near) < 24


def test_both_sides_of_a_jump_are_searched_though_nobody_calls_it_a_cut(known: Annotations, tmp_path: Path) -> None:
    shots = np.random.default_rng(0).integers(0, 255, (2, 36, 64, 3), np.uint8)
    looked: list[int] = []

    def detector(images: Sequence[np.ndarray]) -> list[np.ndarray]:
        looked.append(frame.index)
        return [np.zeros((0, 5)) for _ in images]

    path, info = tmp_path / "flash.mp4", known.video
    with av.open(str(path), "w") as output:
        stream = output.add_stream("libx264", rate=RATE, options={"crf": "18"})
        stream.width, stream.height, stream.pix_fmt = 640, 360, "yuv420p"
        for number in range(info.frame_count):
            picture = np.kron(shots[int(number == 13)], np.ones((10, 10, 1), np.uint8))
            output.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        output.mux(stream.encode(None))
    search = UnknownFaceSearch(info, detector, Known({}, {}, {}), known, [])
    with VideoReader(path) as reader:
        for frame in reader.frames():
            search.search(Pair(frame, frame))
    assert sorted(set(looked)) == [0, 3, 9, 13, 14, 15, 21, 24]
    assert search.searched_frames == 9  # with frame 12, once it is known that the next one is another shot


def test_what_a_finding_was_answered_with_is_newer_than_the_report(known: Annotations) -> None:
    rows = tracked(known, [1, 2]).detections
    faces = pd.concat([rows.assign(face_id=face) for face in (1, 2, 3, 4)])
    recorded = RecordedRedaction({"faces": [1]}, {"faces": [{"face_id": 1}, {"face_id": 2}, {"face_id": 3}]})
    decisions = {2: {"redact": True, "reason": "leak check"}, 3: {"redact": True, "label": "a guest"}}
    for new, wanted in ((True, [1, 2, 4]), (False, [1, 2])):
        decided = as_decisions(decisions | {4: {"redact": new, "reason": "leak check"}})
        assert recorded.select(known.replace(detections=faces, decisions=decided)) == wanted
