"""Mixed frames and brief shots: found, searched harder, and covered from both sides."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from redactkit.analysis import analyze
from redactkit.analysis.mixed_frames import MixFinder, brief_ranges, mixed_ranges
from redactkit.annotations import Annotations
from redactkit.boxes import clip, expand, union_cover
from redactkit.redaction import RedactionOptions
from redactkit.tables import BOX
from redactkit.verification import review_queue
from tests.mixed_clips import (
    BLACK,
    CUT,
    FIELDS,
    SIZE,
    WHITE,
    Mix,
    dissolve,
    make_mixed,
    mixed,
    ramp,
    seen_faces,
    true_faces,
)

COVERED = 0.7
SIDES = {"before": 5, "after": 5}


def found(pictures):
    finder = MixFinder()
    for picture in pictures:
        finder.add(picture)
    return finder.mixed().tolist(), finder.jumps().tolist()


def shots(count: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (count, 36, 64, 3), np.uint8)


def between(*frames: Mix) -> list[Mix]:
    """Return a cut of the sample with frames put into it."""
    plan = dissolve([], **SIDES)
    return [*plan[:5], *frames, *plan[5:]]


def bare(plan: list[Mix], annotations: Annotations) -> list[tuple[int, int]]:
    """Return frame and person of every visible face that is not covered."""
    left = []
    scale = annotations.video.width / SIZE[0]
    for frame, rows in seen_faces(plan).groupby("frame"):
        boxes = annotations.detections.loc[annotations.detections["frame"] == frame, BOX].to_numpy() / scale
        shown = clip(rows[BOX].to_numpy(), width=SIZE[0], height=SIZE[1])
        hidden = union_cover(shown, boxes) >= COVERED
        left += [(int(str(frame)), int(face)) for face in rows["face_id"].to_numpy()[~hidden]]
    return left


def test_finder_of_no_frame_finds_nothing():
    assert found([]) == ([], [])
    nothing = np.zeros(0, np.int64)
    assert mixed_ranges(nothing, frames=9).shape == brief_ranges(nothing, frames=9).shape == (0, 2)


def test_finder_finds_no_mixture_at_a_clean_cut():
    first, second = shots(2)
    assert found([first] * 6 + [second] * 6) == ([], [6])


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_finder_finds_a_blended_frame(share: float):
    first, second = shots(2)
    blend = (first * (1 - share) + second * share).astype(np.uint8)
    assert found([first] * 6 + [blend] + [second] * 6)[0] == [6]


@pytest.mark.parametrize("upper", [0, 1])
def test_finder_finds_a_frame_of_fields_of_two_shots(upper: int):
    pictures = [mixed({frame: 1}) for frame in (CUT - 2, CUT - 1, CUT, CUT + 1)]
    both = pictures[1].copy()
    both[upper::2] = pictures[2][upper::2]
    assert found([*pictures[:2], both, *pictures[2:]])[0] == [2]


def test_finder_finds_no_mixture_in_what_moves():
    wide = np.random.default_rng(0).integers(0, 255, (9, 40, 3), np.uint8).repeat(8, axis=0).repeat(8, axis=1)
    assert found([wide[:36, step : step + 64] for step in range(0, 100, 2)]) == ([], [])


def test_a_flash_is_brief():
    shot = shots(1)[0]
    pictures = [shot] * 6 + [np.full_like(shot, 255)] + [shot] * 6
    assert brief_ranges(np.array(found(pictures)[1]), frames=len(pictures)).tolist() == [[6, 6]]


CASES = {
    "a blended frame": between({CUT - 1: 0.5, CUT: 0.5}),
    "a little of the next shot": between({CUT - 1: 0.8, CUT: 0.2}),
    "a dissolve of two frames": dissolve(ramp(2), **SIDES),
    "a dissolve of five frames": dissolve(ramp(5), **SIDES),
    "a shot of one frame": between({150: 1}),
    "shots of one and two frames": between({60: 1}, {400: 1}, {401: 1}),
    "a flash at the cut": between({CUT - 1: 0.4, WHITE: 0.6}, {WHITE: 1}, {CUT: 0.4, WHITE: 0.6}),
    "black at the cut": between({BLACK: 1}),
}


@pytest.mark.parametrize("plan", CASES.values(), ids=CASES)
def test_faces_of_both_sides_are_covered_in(plan: list[Mix], tmp_path: Path):
    assert bare(plan, analyze(make_mixed(tmp_path / "a.mp4", plan), progress=False)) == []


@pytest.mark.parametrize(
    ("first", "second", "codec", "name", "height"),
    [
        (CUT - 1, CUT, "mpeg2video", "a.mpg", 360),
        (CUT, CUT - 1, "libx264", "a.mp4", 360),
        (CUT - 1, CUT, "libx264", "a.mp4", 1080),
    ],
)
def test_faces_of_both_fields_are_covered(first: int, second: int, codec: str, name: str, height: int, tmp_path: Path):
    plan = between({first: 1, second: 1, FIELDS: 1})
    path = make_mixed(tmp_path / name, plan, codec=codec, interlaced=True, height=height)
    assert bare(plan, analyze(path, progress=False)) == []


def test_a_video_of_one_frame_is_searched_harder(tmp_path: Path):
    faces = true_faces(238)
    cut_off = faces[faces["x"] + faces["width"] > SIZE[0]]
    assert len(cut_off) == 1
    annotations = analyze(make_mixed(tmp_path / "a.mp4", [{238: 1}]), progress=False)
    shown = clip(cut_off[BOX].to_numpy(), width=SIZE[0], height=SIZE[1])
    assert union_cover(shown, annotations.detections[BOX].to_numpy())[0] > COVERED


@pytest.fixture(scope="module")
def blended(tmp_path_factory: pytest.TempPathFactory) -> Path:
    plan = dissolve([0.5], before=15, after=15)
    options = {"x264-params": "keyint=8:min-keyint=8:scenecut=0"}
    return make_mixed(tmp_path_factory.mktemp("blended") / "a.mp4", plan, options=options)


def test_carried_boxes_are_marked_and_keep_ids_and_shots(blended: Path):
    annotations = analyze(blended, progress=False)
    rows = annotations.detections
    assert set(annotations.cuts) <= {15, 16}
    over = rows.groupby("face_id")["frame"].agg(["min", "max"])
    assert ((over["min"] == 15) | (over["max"] == 15)).all(), over
    assert (rows.loc[rows["frame"] == 15, "source"] == "interpolated").any()
    queue = review_queue(annotations)
    assert not queue["reason"].isin(["track ends inside the frame", "track starts inside the frame"]).any()


def test_carried_boxes_do_not_depend_on_the_chunks_of_a_video(blended: Path):
    whole, parts = (analyze(blended, chunk_frames=frames, progress=False) for frames in (3000, 8))
    assert whole.detections.equals(parts.detections)
    assert whole.cuts.tolist() == parts.cuts.tolist()


@pytest.mark.parametrize("order", [1, -1], ids=["last", "first"])
def test_half_a_face_at_the_edge_is_found_in_the_frame_at_the_end(order: int, tmp_path: Path):
    # At 12.5 frames a second, the face that walks in at the right is half inside in one frame alone.
    plan = [{number: 1.0} for number in range(0, 40, 2)][::order]
    end = 0 if order < 0 else len(plan) - 1
    faces = true_faces(38)
    shown = clip(faces.loc[faces["x"] > 0.9 * SIZE[0], BOX].to_numpy(), width=SIZE[0], height=SIZE[1])
    assert len(shown) == 1
    rows = analyze(make_mixed(tmp_path / "a.mp4", plan), progress=False).detections
    hidden = expand(rows.loc[rows["frame"] == end, BOX].to_numpy(), share=RedactionOptions().margin)
    assert union_cover(shown, hidden)[0] > COVERED
