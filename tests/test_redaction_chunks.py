from itertools import pairwise

import av
import numpy as np
import pytest

from redactkit.annotations import Annotations
from redactkit.effects import BLUR_KINDS, HOLD_FRAMES
from redactkit.errors import OptionError, OutputExistsError, VideoError
from redactkit.media import FrameRange
from redactkit.passes import redact
from redactkit.redaction import RedactionOptions, prepare
from redactkit.redaction.chunked import chunk_files, join_chunks, prepare_chunks, write_chunk
from redactkit.redaction.rendering import write_frames
from redactkit.tables import as_decisions, as_detections
from redactkit.video import Pictures, VideoReader, compare_files, plane_views, probe
from redactkit.video.chunks import LEAD_FRAMES
from redactkit.video.joining import join_videos
from tests.clips import Clip, make

CHUNKS = [FrameRange(0, 28), FrameRange(28, 48), FrameRange(48, 78), FrameRange(78, 90)]


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """Ninety frames at an uneven pace, with sound, a keyframe every ten."""
    pts = np.cumsum(np.random.default_rng(0).integers(400, 800, 90)).tolist()
    options = {"g": "10", "preset": "ultrafast", "sc_threshold": "0"}
    clip = Clip(frames=90, pts=pts, time_base="1/12800", audio=("aac",), options=options)
    return make(tmp_path_factory.mktemp("clips") / "clip.mp4", clip.but(time_base=_fraction(clip.time_base)))


def _fraction(text):
    from fractions import Fraction

    return Fraction(text)


def faces_of(info, ids=(1, 2)):
    """Boxes that drift over the frame, one to each face, in every frame."""
    frames = np.tile(np.arange(info.frame_count), len(ids))
    faces = np.repeat(ids, info.frame_count)
    columns = {"frame": frames, "time": info.times[frames], "face_id": faces, "confidence": 0.9, "source": "detected"}
    boxes = {"x": 20.0 * faces + frames / 3, "y": 30.0, "width": 24.0, "height": 30.0}
    return Annotations(video=info, detections=as_detections(columns | boxes))


def pictures(path):
    with VideoReader(path) as reader:
        return [frame.rgb() for frame in reader.frames()]


def redact_by_chunks(clip, folder, output, *, chunks=CHUNKS, annotations=None, **options):
    annotations = annotations or faces_of(probe(clip))
    faces = {name: options.pop(name) for name in ("ids", "include", "exclude") if name in options}
    chosen = RedactionOptions(**{"smart_copy": False, **options})
    prepare_chunks(prepare(clip, annotations, chosen, **faces), folder)
    for chunk in reversed(chunks):
        write_chunk(clip, folder, chunk)
    return join_chunks(clip, annotations, folder, chunks=chunks, output=output)


def test_chunks_join_without_a_seam_in_time_and_sound(clip, tmp_path):
    report = redact_by_chunks(clip, tmp_path / "work", tmp_path / "joined.mp4")
    assert report.ok, report.fidelity
    assert np.array_equal(probe(tmp_path / "joined.mp4", exact=True).times, probe(clip).times)
    assert compare_files(probe(clip), tmp_path / "joined.mp4", exact=True)["ok"].all()


def test_chunks_hide_what_one_go_hides_with_the_same_values(clip, tmp_path):
    """Nothing but the encoder's loss may differ, at the borders of chunks as elsewhere."""
    options = {"blur": "Pixelate", "crf": 1, "preset": "veryfast"}
    redact_by_chunks(clip, tmp_path / "work", tmp_path / "joined.mp4", **options)
    redact(clip, faces_of(probe(clip)), output=tmp_path / "whole.mp4", progress=False, **options)
    pairs = zip(pictures(tmp_path / "joined.mp4"), pictures(tmp_path / "whole.mp4"), strict=True)
    worst = [np.abs(a.astype(int) - b).max() for a, b in pairs]
    assert max(worst) <= 12, worst


def test_chunks_have_the_report_of_one_go(clip, tmp_path):
    joined = redact_by_chunks(clip, tmp_path / "work", tmp_path / "joined.mp4", exclude=[2], blur="Black")
    options = {"exclude": [2], "blur": "Black", "smart_copy": False, "progress": False}
    whole = redact(clip, faces_of(probe(clip)), output=tmp_path / "a.mp4", **options)
    assert joined.settings == whole.settings
    assert joined.faces.equals(whole.faces)
    assert joined.notes == whole.notes
    assert joined.path.exists()


def some_of(annotations, frames):
    """The same with boxes in some frames only."""
    rows = annotations.detections
    return annotations.replace(detections=rows[rows["frame"].isin(frames)].reset_index(drop=True))


FEW = {
    "across a border": [*range(22, 35), 61],
    "in one chunk": [50, 51],
    "at the ends": [0, 89],
    "none in two chunks": [3, 84],
}


@pytest.mark.parametrize("frames", FEW.values(), ids=FEW)
def test_chunks_copy_the_groups_that_one_go_copies(clip, tmp_path, frames):
    """The same packets beside the same pictures, on one clock, with the report of one go."""
    annotations = some_of(faces_of(probe(clip)), frames)
    options = {"blur": "Pixelate", "crf": 1, "smart_copy": True}
    joined = redact_by_chunks(clip, tmp_path / "work", tmp_path / "joined.mp4", annotations=annotations, **options)
    whole = redact(clip, annotations, output=tmp_path / "whole.mp4", progress=False, **options)
    assert joined.ok, joined.fidelity
    assert compare_files(probe(clip), tmp_path / "joined.mp4", exact=True)["ok"].all()
    assert joined.record["copied_frames"] == whole.record["copied_frames"] != []
    assert (joined.settings, joined.notes) == (whole.settings, whole.notes)
    source, ours, theirs = (pictures(path) for path in (clip, tmp_path / "joined.mp4", tmp_path / "whole.mp4"))
    copied = {frame for first, last in joined.record["copied_frames"] for frame in range(first, last)}
    assert not copied & set(frames)
    assert all(np.array_equal(source[frame], ours[frame]) for frame in copied)
    assert max(np.abs(a.astype(int) - b).max() for a, b in zip(ours, theirs, strict=True)) <= 12


def test_chunks_beside_copied_groups_with_reordered_frames_keep_one_clock(tmp_path):
    options = {"g": "12", "bf": "2", "x264-params": "scenecut=0"}
    source = make(tmp_path / "a.mp4", Clip(frames=90, audio=["aac"], options=options))
    annotations = some_of(faces_of(probe(source)), [*range(26, 50), 80])
    options = {"annotations": annotations, "smart_copy": True, "preset": "medium"}
    report = redact_by_chunks(source, tmp_path / "work", tmp_path / "b.mp4", **options)
    assert report.ok, report.fidelity
    assert report.record["copied_frames"] == [[0, 25], [60, 79], [84, 90]]
    with av.open(str(tmp_path / "b.mp4")) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
    assert all(after.dts > before.dts for before, after in pairwise(packets))
    assert all(packet.dts <= packet.pts for packet in packets)
    assert any(packet.dts < packet.pts for packet in packets)
    assert len(pictures(tmp_path / "b.mp4")) == 90


def test_chunks_of_a_video_without_faces_are_all_copied(clip, tmp_path):
    annotations = some_of(faces_of(probe(clip)), [])
    report = redact_by_chunks(
        clip, tmp_path / "work", tmp_path / "joined.mp4", annotations=annotations, smart_copy=True, allow_nothing=True
    )
    assert report.ok
    assert report.record["copied_frames"] == [[0, 90]]
    assert all(np.array_equal(*pair) for pair in zip(pictures(clip), pictures(report.output), strict=True))


def test_chunks_encoded_in_another_way_are_not_put_beside_copied_groups(clip, tmp_path):
    annotations = some_of(faces_of(probe(clip)), [50, 84])
    for name, preset in (("a", "ultrafast"), ("b", "medium")):
        prepare_chunks(prepare(clip, annotations, RedactionOptions(preset=preset)), tmp_path / name)
        for chunk in CHUNKS:
            write_chunk(clip, tmp_path / name, chunk)
    for chunk, path in chunk_files(tmp_path / "b", CHUNKS[3]).items():
        path.replace(chunk_files(tmp_path / "a", CHUNKS[3])[chunk])
    with pytest.raises(VideoError, match="another way"):
        join_chunks(clip, annotations, tmp_path / "a", chunks=CHUNKS, output=tmp_path / "out.mp4")
    assert not (tmp_path / "out.mp4").exists()


def test_chunks_of_a_damaged_video_copy_nothing(clip, tmp_path):
    annotations = some_of(faces_of(probe(clip)), [50]).replace(settings={"decode_errors": ["x"]})
    report = redact_by_chunks(
        clip, tmp_path / "work", tmp_path / "joined.mp4", annotations=annotations, smart_copy=True, allow_nothing=True
    )
    assert report.record["copied_frames"] == []


def test_chunks_hide_nothing_when_every_face_is_visible(clip, tmp_path):
    annotations = faces_of(probe(clip))
    everyone_visible = annotations.replace(decisions=annotations.decisions.assign(redact=False))
    report = redact_by_chunks(
        clip, tmp_path / "work", tmp_path / "joined.mp4", annotations=everyone_visible, allow_nothing=True
    )
    assert report.settings["faces"] == []
    assert not report.faces["redact"].any()


def test_a_chunk_that_is_there_is_not_written_again(clip, tmp_path):
    prepare_chunks(prepare(clip, faces_of(probe(clip)), RedactionOptions(smart_copy=False)), tmp_path)
    (first,) = write_chunk(clip, tmp_path, CHUNKS[1])
    before = first.stat().st_mtime_ns
    steps = []
    assert write_chunk(clip, tmp_path, CHUNKS[1], progress=lambda *step: steps.append(step)) == [first]
    assert first.stat().st_mtime_ns == before
    assert steps == []


@pytest.mark.parametrize("codec", ["h264", "hevc"])
def test_joined_decoding_times_rise_and_are_never_late(clip, tmp_path, codec):
    redact_by_chunks(clip, tmp_path / "work", tmp_path / "joined.mp4", codec=codec)
    with av.open(str(tmp_path / "joined.mp4")) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
        assert container.streams.video[0].codec_context.name == codec
    assert all(after.dts > before.dts for before, after in pairwise(packets))
    assert all(packet.dts <= packet.pts for packet in packets)
    assert sum(packet.is_keyframe for packet in packets) >= len(CHUNKS)
    assert len({packet.pts for packet in packets}) == 90


@pytest.mark.parametrize(
    ("chunks", "message"),
    [
        (CHUNKS[:-1], "lack 12 of 90"),
        ([*CHUNKS, CHUNKS[0]], "twice"),
        ([CHUNKS[1], CHUNKS[0], *CHUNKS[2:]], "too late|twice"),
    ],
)
def test_join_refuses_chunks_that_are_not_the_whole(clip, tmp_path, chunks, message):
    info = probe(clip)
    prepare_chunks(prepare(clip, faces_of(info), RedactionOptions(smart_copy=False)), tmp_path / "work")
    for chunk in CHUNKS:
        write_chunk(clip, tmp_path / "work", chunk)
    files = [path for chunk in chunks for path in chunk_files(tmp_path / "work", chunk).values()]
    with pytest.raises(VideoError, match=message):
        join_videos(files, tmp_path / "out.mp4", info)
    assert [path.name for path in tmp_path.iterdir()] == ["work"]


def test_join_refuses_chunks_encoded_in_different_ways(clip, tmp_path):
    info = probe(clip)
    for name, preset in (("a", "ultrafast"), ("b", "medium")):
        prepare_chunks(
            prepare(clip, faces_of(info), RedactionOptions(preset=preset, smart_copy=False)), tmp_path / name
        )
    files = write_chunk(clip, tmp_path / "a", FrameRange(0, 48))
    files += write_chunk(clip, tmp_path / "b", FrameRange(48, 90))
    with pytest.raises(VideoError, match="another way"):
        join_videos(files, tmp_path / "out.mp4", info)
    assert not (tmp_path / "out.mp4").exists()


def test_join_does_not_replace_a_file(clip, tmp_path):
    (tmp_path / "out.mp4").write_text("mine")
    with pytest.raises(OutputExistsError):
        join_videos([], tmp_path / "out.mp4", probe(clip))


def test_write_chunk_needs_a_prepared_folder(clip, tmp_path):
    prepare_chunks(prepare(clip, faces_of(probe(clip)), RedactionOptions(smart_copy=False)), tmp_path)
    (tmp_path / "settings.json").unlink()
    with pytest.raises(OptionError, match="was not prepared"):
        write_chunk(clip, tmp_path, CHUNKS[0])


class Recorder:
    """A writer that keeps the pixels it is given."""

    def __init__(self, info, *segments):
        self._pictures = Pictures(info)
        self.segments = segments or [FrameRange(0, info.frame_count)]
        self.written = {}

    def prepare(self, picture, pts):
        return self._pictures.prepare(picture)

    def write(self, picture, pts):
        self.written[pts] = b"".join(plane.tobytes() for plane in plane_views(picture))


@pytest.mark.parametrize("kind", BLUR_KINDS)
def test_chunks_have_the_pixels_of_one_go_before_they_are_encoded(clip, kind):
    """Wherever the border lies in the window for which cells are held, with faces on both sides of it."""
    info = probe(clip)
    plan = prepare(clip, faces_of(info)).plan
    whole = Recorder(info)
    write_frames(info, plan, whole, kind=kind, strength=1.0, progress=False)
    assert len(whole.written) == 90
    for border in range(28, 28 + HOLD_FRAMES):
        chunk = Recorder(info, FrameRange(border, border + 12))
        write_frames(info, plan, chunk, kind=kind, strength=1.0, progress=False)
        expected = {pts: whole.written[pts] for pts in info.pts[border : border + 12].tolist()}
        assert chunk.written == expected, f"chunk from frame {border}"


def test_chunks_look_back_no_further_than_they_can_start_decoding():
    assert HOLD_FRAMES - 1 <= LEAD_FRAMES


@pytest.mark.slow
def test_what_is_encoded_does_not_depend_on_the_number_of_cores(sample_media, tmp_path):
    import os
    import subprocess
    import sys

    if not hasattr(os, "sched_setaffinity") or len(os.sched_getaffinity(0)) < 2:
        pytest.skip("needs two cores and an operating system that can take one away")
    sample = sample_media / "sample.mp4"
    script = f"""if True:
        import os, sys
        os.sched_setaffinity(0, list(os.sched_getaffinity(0))[:int(sys.argv[1])])
        from redactkit import redact
        truth = {str(sample.with_name("sample_truth_annotations.json"))!r}
        redact({str(sample)!r}, truth, output=sys.argv[2], progress=False)
    """
    for cores in ("1", "2"):
        subprocess.run([sys.executable, "-c", script, cores, str(tmp_path / f"{cores}.mp4")], check=True)
    assert (tmp_path / "1.mp4").read_bytes() == (tmp_path / "2.mp4").read_bytes()


def test_chunks_keep_ranges_looks_and_regions(clip, tmp_path):
    annotations = faces_of(probe(clip))
    face = int(annotations.detections["face_id"].iloc[0])
    told = {"look": "blur=Black shape=ellipse", "visible_at": "0.4-0.8"}
    annotations = annotations.replace(decisions=as_decisions({face: told}, faces=annotations.selected_ids))
    more = {"ranges": [(0.2, 2.0)], "regions": [{"box": [2, 2, 40, 20], "kind": "screen"}], "smart_copy": False}
    more |= {"crf": 0}
    joined = redact_by_chunks(clip, tmp_path / "work", tmp_path / "joined.mp4", annotations=annotations, **more)
    whole = redact(clip, annotations, output=tmp_path / "whole.mp4", progress=False, **more)
    assert joined.ok and whole.ok
    assert joined.faces.equals(whole.faces)
    assert joined.settings == whole.settings
    with VideoReader(joined.output) as one, VideoReader(whole.output) as other:
        for a, b in zip(one.frames(), other.frames(), strict=True):
            assert np.array_equal(a.luma(), b.luma())
