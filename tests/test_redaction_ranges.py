"""When: time ranges of a redaction and of decisions; what is outside of them is bare on purpose, and said so."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
import pytest

import redactkit as rk
from redactkit.annotations import Annotations
from redactkit.errors import AnnotationError, OptionError
from redactkit.formats import read_annotations
from redactkit.media import FrameRange, VideoInfo, frames_in_ranges
from redactkit.passes import redact
from redactkit.redaction import RedactionOptions
from redactkit.redaction.plan import lay_out
from redactkit.review import Review
from redactkit.runtime.visible import as_visible, parse_visible
from redactkit.tables import as_decisions, as_detections
from redactkit.verification import verify
from redactkit.video import VideoReader, probe
from tests.clips import Clip, make

RATE = 25


def plan_of(annotations: Annotations, **options):
    checked = RedactionOptions(**options).checked(0, 60)
    return lay_out(annotations, annotations.video, faces=annotations.selected_ids, options=checked)


def gray(path, frame):
    with VideoReader(path) as reader:
        return reader.frame_at(frame).gray().astype(int)


def test_no_range_is_the_whole_video(short_truth):
    assert np.array_equal(plan_of(short_truth).frames, short_truth.detections["frame"])


def test_frames_that_a_range_touches_are_hidden(short_truth):
    plan = plan_of(short_truth, start=0.5, end=1.0)
    assert (plan.frames.min(), plan.frames.max()) == (12, 24)
    both = plan_of(short_truth, ranges=[(0, 0.2), (2, 60)])
    assert set(both.frames) == {*range(5), *range(50, 60)}


def test_frames_with_one_timestamp_are_both_in_a_range_that_begins_there():
    video = VideoInfo(None, 64, 48, Fraction(10), Fraction(1, 10), np.array([0, 1, 1, 2]))
    assert frames_in_ranges(video, [(0.1, 0.2)]).tolist() == [False, True, True, False]
    assert frames_in_ranges(video, [(0.12, 0.2)]).tolist() == [False, False, True, False]


def test_visible_range_of_a_decision_leaves_whole_frames_only(short_truth):
    face = int(short_truth.detections["face_id"].iloc[0])
    review = Review(short_truth)
    review.decide([face], visible=[(0.5, 1.0, "consent")])
    plan = plan_of(review.annotations)
    hidden = set(plan.frames[plan.faces == face])
    own = set(short_truth.detections.loc[short_truth.detections["face_id"] == face, "frame"])
    assert own - hidden == {frame for frame in own if 13 <= frame <= 24}
    review.undo()
    assert len(plan_of(review.annotations).frames) == len(short_truth.detections)


def test_merge_and_split_forget_visible_ranges(short_truth):
    review = Review(short_truth)
    first, second = review.tracks.index[:2].tolist()
    review.decide([first], visible=[(0, 1)])
    review.split_face(face_id=first, frame=30)
    assert (review.decisions["visible_at"] == "").all()
    review.decide([first], visible=[(0, 1)])
    review.merge_faces([first, second])
    assert (review.decisions["visible_at"] == "").all()


@pytest.mark.filterwarnings("ignore::redactkit.errors.AnnotationWarning")
@pytest.mark.parametrize("format", ["azure", "csv", "coco", "cvat", "parquet"])
def test_visible_ranges_and_looks_come_back(short_truth, tmp_path, format):
    if format == "parquet":
        pytest.importorskip("pyarrow")
    review = Review(short_truth)
    face = int(review.tracks.index[0])
    review.decide([face], visible=[(0.25, 0.75, "on stage"), (1, 1.5)], look={"blur": "black", "shape": "ellipse"})
    again = read_annotations(review.annotations.to(format, tmp_path / "a"), video=short_truth.video)
    assert again.decisions.loc[face, "visible_at"] == "0.25-0.75 on stage; 1-1.5"
    assert again.decisions.loc[face, "look"] == "blur=Black shape=ellipse"
    assert (again.decisions.drop(index=face)[["visible_at", "look"]] == "").to_numpy().all()


def test_autosave_brings_ranges_and_looks_back(short_truth, tmp_path):
    review = Review(short_truth, autosave=tmp_path / "autosave")
    face = int(review.tracks.index[0])
    review.decide([face], visible=[(0, 1)], look={"head": True})
    again = Review(short_truth, autosave=tmp_path / "autosave")
    assert again.decisions.loc[face, ["visible_at", "look"]].tolist() == ["0-1", "head=yes"]


@pytest.mark.parametrize("given", [[(2, 1)], [(0, 2), (1, 3)], [(1, 2, "a", "b")], "5 to 8", [(-1, 2)]])
def test_visible_ranges_that_are_none_are_refused(given):
    with pytest.raises(OptionError):
        as_visible(given)


def test_visible_ranges_read_clock_times():
    assert parse_visible("0:01:00-0:01:02.5 press photo")[0] == (60, 62.5, "press photo")


def test_range_redaction_hides_there_copies_the_rest_and_says_so(short_clip, short_truth, tmp_path):
    report = redact(short_clip, short_truth, output=tmp_path / "out.mp4", start=1.0, end=1.4, progress=False)
    assert report.ok, report
    assert "ONLY FROM 00:00:01.000 to 00:00:01.400, all else is left bare" in str(report)
    assert "are left bare" in report.notes[0]
    assert report.settings["ranges"] == [[1.0, 1.4]]
    assert report.faces["left_bare"].sum() == (~short_truth.detections["frame"].between(25, 34)).sum()
    for frame, same in [(3, True), (30, False), (55, True)]:
        apart = np.abs(gray(short_clip, frame) - gray(report.output, frame)).max()
        assert (apart < 40) == same, frame
    check = verify(short_clip, report.output, short_truth, progress=False)
    assert (check.verdict, check.frames) == ("clean", 10)
    assert str(check).startswith("CHECKED FROM 00:00:01.000 to 00:00:01.400 ONLY")
    assert check.summary()["ranges"] == [[1.0, 1.4]]


def test_range_without_a_hidden_box_hides_nothing_and_is_refused(short_clip, short_truth, tmp_path):
    late = short_truth.replace(detections=short_truth.detections[short_truth.detections["frame"] >= 40])
    with pytest.raises(AnnotationError, match=r"nothing would be hidden from 00:00:00.000 to 00:00:01.000"):
        redact(short_clip, late, output=tmp_path / "a.mp4", ranges=[(0, 1), (1.5, 2)], progress=False)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("ranges", [[(3, 2)], [(50, 60)], [(1, 2, 3)], "5-7"])
def test_wrong_ranges_are_refused_before_work(short_clip, short_truth, tmp_path, ranges):
    with pytest.raises(OptionError):
        redact(short_clip, short_truth, output=tmp_path / "a.mp4", ranges=ranges, progress=False)


@pytest.mark.parametrize("more", [{}, {"mute": [(0.9, 1.1)]}])
def test_trimmed_output_is_the_range_alone_with_its_sound_in_step(short_clip, short_truth, tmp_path, more):
    report = redact(
        short_clip,
        short_truth,
        output=tmp_path / "out.mp4",
        start=0.8,
        end=1.6,
        trim=True,
        check=True,
        progress=False,
        **more,
    )
    assert report.ok, (report, report.fidelity[~report.fidelity["ok"]], report.check)
    assert "ONLY FROM 00:00:00.800 to 00:00:01.600, and cut down to that" in str(report)
    source, output = probe(short_clip), probe(report.output)
    assert output.frame_count == 20
    assert np.allclose(output.times, source.times[20:40] - source.times[20], atol=1e-4)
    # The same picture as a redaction of the whole video, from the frame before it on.
    outside = np.ones((360, 640), bool)
    for x, y, width, height in lay_out(
        short_truth, source, faces=short_truth.selected_ids, options=RedactionOptions()
    ).at(25)[0]:
        outside[max(0, int(y) - 16) : int(y + height) + 16, max(0, int(x) - 16) : int(x + width) + 16] = False
    assert np.abs(gray(short_clip, 25) - gray(report.output, 5))[outside].max() < 40
    if not more:
        with av.open(str(report.output)) as container:
            first = next(packet for packet in container.demux(container.streams.audio[0]) if packet.size)
            assert -0.03 < float(first.pts * first.time_base) <= 0.001
    assert report.check.verdict == "clean"
    assert report.check.frames == 20
    again = verify(short_clip, report.output, short_truth, progress=False)
    assert again.verdict == "clean"


def test_trim_needs_one_range(short_clip, short_truth, tmp_path):
    for ranges in ((), [(0, 0.5), (1, 1.5)]):
        with pytest.raises(OptionError, match="trim cuts down to one time range"):
            redact(short_clip, short_truth, output=tmp_path / "a.mp4", ranges=ranges, trim=True, progress=False)


def test_reader_of_a_part_gives_its_frames_alone(short_clip):
    info = probe(short_clip)
    part = info.of_part(FrameRange(23, 41))
    with VideoReader(short_clip) as whole, VideoReader(short_clip, info=part) as reader:
        frames = list(reader.frames())
        assert [frame.index for frame in frames] == list(range(18))
        assert [frame.pts for frame in frames] == info.pts[23:41].tolist()
        for number in (0, 17, 5):
            assert np.array_equal(reader.frame_at(number).gray(), whole.frame_at(23 + number).gray())


def test_analysis_of_a_stretch_finds_what_is_there_and_a_redaction_beyond_is_refused(short_clip, tmp_path):
    folder = tmp_path / "found"
    found = rk.analyze(short_clip, output=folder, start=1.0, end=1.8, same_person=False, progress=False)
    assert found.frame_count == 60
    assert set(found.detections["frame"]) == set(range(25, 45))
    assert np.allclose(found.detections["time"], found.video.times[found.detections["frame"]])
    assert found.settings["searched"] == [1.0, 1.8]
    assert len(list(folder.glob("*_thumb*.jpg"))) == len(found.tracks)
    saved = read_annotations(folder / "short_annotations.json")
    with pytest.raises(AnnotationError, match="was searched for faces"):
        redact(short_clip, saved, output=tmp_path / "a.mp4", progress=False)
    report = redact(short_clip, saved, start=1.0, end=1.8, output=tmp_path / "b.mp4", progress=False)
    assert report.ok


def test_analysis_of_a_stretch_without_frames_is_refused(short_clip):
    with pytest.raises(OptionError):
        rk.analyze(short_clip, start=70, end=80, progress=False)


def test_ranges_before_a_late_clock_are_refused_and_others_noted(tmp_path):
    """Players show a transport stream from 0, and its own clock begins later: neither is meant for certain."""
    source = make(
        tmp_path / "a.ts", Clip(frames=50, time_base=Fraction(1, 1000), pts=[1480 + 40 * i for i in range(50)])
    )
    info = probe(source)
    assert info.times[0] > 1
    rows = {"frame": range(50), "face_id": 1, "x": 40.0, "y": 40.0, "width": 30.0, "height": 30.0, "time": info.times}
    annotations = Annotations(video=info, detections=as_detections(rows), decisions=as_decisions({}, faces=[1]))
    for option in ({"ranges": [(0, 1)]}, {"mute": [(0, 1)]}, {"end": 2}):
        with pytest.raises(
            OptionError, match=r"before the file's clock, which begins at 1\.\d+ s, where players show 0"
        ):
            redact(source, annotations, output=tmp_path / "b.mp4", progress=False, **option)
    assert not (tmp_path / "b.mp4").exists()
    report = redact(source, annotations, output=tmp_path / "b.mp4", start=1.6, end=2, mute=[(1.6, 2)], progress=False)
    assert any("clock, which begins at 1." in note for note in report.notes)
