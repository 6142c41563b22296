"""Azure annotation files: every variant read, one strict form written, nothing lost between the two."""

from __future__ import annotations

import json
import os
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from redactkit.annotations import Annotations
from redactkit.errors import AnnotationError, AnnotationWarning, OutputExistsError, TableError
from redactkit.formats import read_annotations, write_annotations
from redactkit.media import AudioInfo, ColorTags, VideoInfo
from redactkit.tables import BOX, SOURCES, as_detections, empty_detections

FACE = {"id": 3, "x": 0.25, "y": 0.5, "width": 0.125, "height": 0.25}


def make_file(**changes):
    fragment = {"start": 0, "duration": 3003, "interval": 1001, "events": [[], [FACE], []]}
    return {"timescale": 30000, "framerate": 29.97, "width": 640, "height": 360, "fragments": [fragment], **changes}


@pytest.fixture
def read(tmp_path):
    def write_and_read(content, **options):
        path = tmp_path / "their_annotations.json"
        path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
        return read_annotations(path, **options)

    return write_and_read


def test_no_fragments_loads_empty(read):
    for empty in ([], None):
        annotations = read(make_file(fragments=empty))
        assert annotations.detections.equals(empty_detections())
        assert annotations.frame_count == 0
        assert (annotations.video.width, annotations.video.height) == (640, 360)


def test_redactor_example_gives_the_numbers_of_its_page(shared_formats):
    annotations = read_annotations(shared_formats / "redactor_example.json")
    rows = annotations.detections
    assert rows["frame"].tolist() == [13, 13]
    assert rows["face_id"].tolist() == [1138, 2028]
    assert rows["time"].tolist() == pytest.approx([13 * 1001 / 24000] * 2)
    first = [0.29537 * 1280, -0.18987 * 720, 0.36239 * 1280, 0.80335 * 720]
    assert rows[BOX].iloc[0].tolist() == pytest.approx(first, abs=1e-9)
    assert rows["confidence"].isna().all()
    assert (rows["source"] == "imported").all()
    assert annotations.video.frame_rate == Fraction("23.976")
    assert annotations.video.pts.tolist() == [1001 * i for i in range(14)]


def test_face_detector_example_counts_frames_through_its_gap(shared_formats):
    annotations = read_annotations(shared_formats / "face_detector_example.json")
    assert annotations.detections["frame"].tolist() == [60, 61, 62]
    assert annotations.detections["time"].tolist() == pytest.approx([2.002, 2.002 + 1001 / 30000, 2.002 + 2002 / 30000])
    assert annotations.detections[BOX].iloc[0].tolist() == pytest.approx(
        [0.519531 * 1280, 0.180556 * 720, 0.0867188 * 1280, 0.154167 * 720], abs=1e-9
    )
    assert annotations.tracks.loc[0, "duration"] == pytest.approx(2002 / 30000)


def test_time_is_start_plus_entries_over_timescale(read):
    fragment = {"start": 6300, "duration": 200, "interval": 100, "events": [[FACE], [FACE]]}
    rows = read(make_file(timescale=2997, fragments=[fragment])).detections
    assert rows["time"].tolist() == pytest.approx([6300 / 2997, 6400 / 2997])
    assert rows["frame"].tolist() == [63, 64]


@pytest.mark.parametrize("name", ["redactor_example.json", "face_detector_example.json"])
def test_examples_round_trip(shared_formats, tmp_path, name):
    first = read_annotations(shared_formats / name)
    again = read_annotations(first.to("azure", tmp_path / "a.json"))
    assert again == first
    assert again.to("azure", tmp_path / "b.json").read_bytes() == (tmp_path / "a.json").read_bytes()
    written = json.loads((tmp_path / "a.json").read_text())
    original = json.loads((shared_formats / name).read_text())
    for before in (face for item in original["fragments"] for entry in item.get("events", []) for face in entry):
        after = next(
            face
            for entry in written["fragments"][0]["events"]
            for face in entry
            if all(face[key] == before[key] for key in ("id", "x", "y", "width", "height"))
        )
        assert after["source"] == "imported"


@pytest.mark.parametrize("events", [{}, {"events": None}, {"events": []}, {"events": None, "interval": None}])
def test_fragment_without_events_is_a_gap(read, events):
    gap = {"start": 3003, "duration": 2002, **events}
    after = {"start": 5005, "duration": 1001, "interval": 1001, "events": [[FACE]]}
    annotations = read(make_file(fragments=[*make_file()["fragments"], gap, after]))
    assert annotations.detections["frame"].tolist() == [1, 5]
    assert annotations.frame_count == 6


def test_null_entry_is_a_frame_without_faces(read):
    fragment = {"start": 0, "interval": 1001, "events": [None, [FACE], None]}
    assert read(make_file(fragments=[fragment])).detections["frame"].tolist() == [1]


def test_missing_interval_follows_from_the_duration(read):
    fragment = {"start": 0, "duration": 3003, "events": [[], [FACE], []]}
    assert read(make_file(fragments=[fragment])).video.pts.tolist() == [0, 1001, 2002]


@pytest.mark.parametrize("spell", [str.capitalize, str.upper, str.title])
def test_capitalised_keys_are_read(read, spell):
    def respell(value):
        if isinstance(value, dict):
            return {spell(key): respell(item) for key, item in value.items()}
        return [respell(item) for item in value] if isinstance(value, list) else value

    assert read(respell(make_file())) == read(make_file())


def test_one_capitalised_key_among_others_loses_no_face(read):
    text = json.dumps(make_file()).replace('"events"', '"Events"')
    assert read(text.encode()) == read(make_file())


def test_escaped_key_loses_no_face(read):
    text = json.dumps(make_file()).replace('"events"', '"\\u0045vents"')
    assert read(text.encode()) == read(make_file())


def test_keys_that_differ_in_case_only_are_refused(read):
    with pytest.raises(AnnotationError, match="differ in case only"):
        read(make_file(Fragments=[]))


def test_extra_fields_are_named_and_left_out(read):
    face = {**FACE, "scores": {"anger": 0.5}, "index": 1}
    fragment = {"start": 0, "interval": 1001, "events": [[], [face], []]}
    content = make_file(fragments=[fragment], facesDetected=[{"faceId": 3}], version=1)
    with pytest.warns(AnnotationWarning, match="the fields anger, scores have no place"):
        assert read(content) == read(make_file())


def test_ids_as_strings_are_numbers(read):
    fragment = {"start": 0, "interval": 1001, "events": [[], [{**FACE, "id": "3"}], []]}
    assert read(make_file(fragments=[fragment])) == read(make_file())


def test_ids_that_are_words_get_numbers_and_labels(read):
    entries = [[{**FACE, "id": "anna"}, {**FACE, "id": 7}], [{**FACE, "id": "anna"}, {**FACE, "id": "ben"}]]
    annotations = read(make_file(fragments=[{"start": 0, "interval": 1001, "events": entries}]))
    assert annotations.detections["face_id"].tolist() == [7, 8, 8, 9]
    assert annotations.decisions["label"].to_dict() == {7: "", 8: "anna", 9: "ben"}
    assert annotations.decisions["redact"].all()


def test_boxes_without_id_are_faces_of_their_own(read):
    face = {key: value for key, value in FACE.items() if key != "id"}
    fragment = {"start": 0, "interval": 1001, "events": [[face], [face, FACE]]}
    with pytest.warns(AnnotationWarning, match="2 boxes have no face ID"):
        annotations = read(make_file(fragments=[fragment]))
    assert annotations.detections["face_id"].tolist() == [4, 3, 5]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_encodings_and_line_ends_are_read(read, encoding, ends):
    text = json.dumps(make_file(), indent=1).replace("\n", ends)
    assert read(text.encode(encoding)) == read(make_file())


def test_boxes_outside_the_frame_are_kept(read):
    face = {**FACE, "x": -0.5, "y": 1.5}
    rows = read(make_file(fragments=[{"start": 0, "interval": 1001, "events": [[face]]}])).detections
    assert rows[BOX].iloc[0].tolist() == [-320, 540, 80, 90]


def test_numbers_as_strings_are_numbers(read):
    fragment = {"start": "0", "interval": "1001", "events": [[], [{**FACE, "x": "0.25"}], []]}
    assert read(make_file(timescale="30000", width="640", fragments=[fragment])) == read(make_file())


def test_second_box_of_a_face_in_a_frame_is_kept_under_another_id(read):
    other = {**FACE, "x": 0.75}
    entries = [[FACE, other], [FACE, other], [FACE, FACE]]
    with pytest.warns(AnnotationWarning, match="face 3 has a second box in frame 0; it became face 4"):  # noqa: SIM117
        with pytest.warns(AnnotationWarning, match="1 boxes stand twice"):
            annotations = read(make_file(fragments=[{"start": 0, "interval": 1001, "events": entries}]))
    assert annotations.detections["face_id"].tolist() == [3, 4, 3, 4, 3]
    assert annotations.detections["x"].tolist() == [160, 480, 160, 480, 160]


def test_fragments_of_the_same_time_are_joined(read):
    one = {"start": 0, "interval": 1001, "events": [[FACE], [FACE]]}
    two = {"start": 1001, "interval": 1001, "events": [[{**FACE, "id": 9}], [{**FACE, "id": 9}]]}
    rows = read(make_file(fragments=[two, one])).detections
    assert list(zip(rows["frame"], rows["face_id"], strict=True)) == [(0, 3), (1, 3), (1, 9), (2, 9)]


def test_frame_size_is_asked_for_where_the_file_has_none(read):
    content = {key: value for key, value in make_file().items() if key not in ("width", "height")}
    with pytest.raises(AnnotationError, match="pass frame_size"):
        read(content)
    assert read(content, frame_size=(640, 360)) == read(make_file())


def test_offset_is_not_added_but_told(read):
    with pytest.warns(AnnotationWarning, match="offset is 500 ticks"):
        annotations = read(make_file(offset=500))
    assert annotations == read(make_file())


def test_hole_of_a_second_is_left_open_and_a_longer_one_laid_out(read):
    def with_hole(ticks):
        after = {"start": 3003 + ticks, "interval": 1001, "events": [[FACE]]}
        return read(make_file(fragments=[*make_file()["fragments"], after]))

    assert with_hole(30030).video.pts.tolist() == [0, 1001, 2002, 33033]
    with pytest.warns(AnnotationWarning, match=r"nothing is said of 3.003 s before the fragment at tick 93093"):
        assert with_hole(90090).detections["frame"].tolist() == [1, 93]


REFUSED = {
    "no timescale": (lambda: {"fragments": []}, "missing required field `timescale`"),
    "null timescale": (lambda: make_file(timescale=None), r"expected `int \| float`, got `null` - at `\$.timescale`"),
    "zero timescale": (lambda: make_file(timescale=0), "timescale must be positive"),
    "no fragments": (lambda: {"timescale": 30000}, "missing required field `fragments`"),
    "number for a list": (
        lambda: make_file(fragments=[{"start": 0, "events": 3}]),
        r"expected `array \| null`, got `int` - at `\$.fragments\[0\].events` \(byte \d+, line 1\)",
    ),
    "list for an object": (
        lambda: make_file(fragments=[{"start": 0, "interval": 1, "events": [[[]]]}]),
        r"expected `object`, got `array` - at `\$.fragments\[0\].events\[0\]\[0\]`",
    ),
    "no x": (
        lambda: make_file(fragments=[{"start": 0, "interval": 1, "events": [[], [{"id": 1}]]}]),
        r"missing required field `x` - at `\$.fragments\[0\].events\[1\]\[0\]`",
    ),
    "NaN box": (
        lambda: make_file(fragments=[{"start": 0, "interval": 1, "events": [[{**FACE, "x": float("nan")}]]}]),
        r"at byte \d+, line 1: 'NaN.* - at `\$.fragments\[0\].events\[0\]\[0\].x`",
    ),
    "NaN as text": (
        lambda: make_file(fragments=[{"start": 0, "interval": 1, "events": [[], [FACE, {**FACE, "y": "nan"}]]}]),
        r"finite numbers .* - at `\$.fragments\[0\].events\[1\]\[1\]` \(byte \d+",
    ),
    "negative size": (
        lambda: make_file(fragments=[{"start": 0, "interval": 1, "events": [[{**FACE, "width": -0.1}]]}]),
        r"sides of 0 or more, .* - at `\$.fragments\[0\].events\[0\]\[0\]`",
    ),
    "huge box": (
        lambda: make_file(fragments=[{"start": 0, "interval": 1, "events": [[{**FACE, "x": 1e300}]]}]),
        r"finite numbers .* - at `\$.fragments\[0\].events\[0\]\[0\]`",
    ),
    "huge id": (
        lambda: make_file(fragments=[{"start": 0, "interval": 1, "events": [[{**FACE, "id": 10**30}]]}]),
        "face ID must fit 64 bits",
    ),
    "huge tick": (lambda: make_file(fragments=[{"start": 10**17, "events": [[]]}]), r"below 2\^53"),
    "endless gap": (lambda: make_file(fragments=[{"start": 0, "duration": 10**15}]), "span 1000000000000|frames, more"),
    "no interval": (
        lambda: make_file(fragments=[{"start": 0, "events": [[], [FACE]]}]),
        r"interval above 0 .* - at `\$.fragments\[0\]`",
    ),
    "huge frame": (lambda: make_file(width=10**12), "at most 1000000 pixels"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_means_nothing_is_refused_with_its_place(read, case):
    make, fault = REFUSED[case]
    with pytest.raises(AnnotationError, match=f"their_annotations.json: .*{fault}"):
        read(make())


def test_truncated_file_is_refused_with_its_end(read):
    text = json.dumps(make_file(), indent=1).encode()
    with pytest.raises(AnnotationError, match=r"truncated: the file ends at byte 220, line \d+, inside `\$"):
        read(text[:220])


def test_deep_nesting_is_refused(read):
    with pytest.raises(AnnotationError, match="nested too deeply"):
        read(b'{"timescale": 1, "extra": ' + b"[" * 100_000 + b"]" * 100_000 + b"}")


def test_fault_is_named_by_line(read):
    text = json.dumps(make_file(), indent=1).replace("0.25,", "NaN,", 1)
    line = text[: text.index("NaN")].count("\n") + 1
    with pytest.raises(AnnotationError, match=rf"line {line}: 'NaN"):
        read(text.encode())


def test_newer_schema_is_refused(tmp_path, read):
    path = make_annotations().to("azure", tmp_path / "a.json")
    content = json.loads(path.read_text())
    content["redactkit"]["schema"] = 99
    with pytest.raises(AnnotationError, match="schema 99 is newer"):
        read(content)


def test_file_that_another_tool_shortened_still_loads(tmp_path, read):
    path = make_annotations().to("azure", tmp_path / "a.json")
    content = json.loads(path.read_text())
    del content["fragments"][0]["events"][-3:]
    with pytest.warns(AnnotationWarning, match="written with 12 frames but has 9"):
        annotations = read(content)
    assert annotations.frame_count == 9
    assert annotations.decisions.loc[2, "label"].startswith("a guest")


def make_video(**changes):
    given = {
        "path": None,
        "width": 640,
        "height": 360,
        "frame_rate": Fraction(30000, 1001),
        "time_base": Fraction(1, 11988),
        "pts": 10214 + 400 * np.arange(12),
        "digest": "",
    }
    return VideoInfo(**{**given, **changes})


def make_annotations(video=None, **changes):
    video = video or make_video()
    frames = np.array([0, 0, 3, 7])
    detections = as_detections(
        {
            "frame": frames,
            "time": video.times[frames],
            "face_id": [1, 2, 1, 999_999],
            "x": [-3.5, 10, 1 / 3, 639],
            "y": [0.015625, 2, 3, 4],
            "width": 20.0,
            "height": [30, 0, 50.125, 2],
            "confidence": [0.5, np.nan, 1 / 3, 1],
            "source": SOURCES[:4],
        }
    )
    given = {"decisions": {1: {"redact": False, "reason": "agreed"}, 2: {"label": "a guest <b>é\n"}}, "cuts": [4, 9]}
    return Annotations(video, detections, **{**given, **changes})


def test_everything_comes_back(tmp_path):
    video = make_video(
        rotation=90,
        mirrored=True,
        codec="hevc",
        pixel_format="yuv420p10le",
        bit_depth=10,
        sample_aspect_ratio=Fraction(4, 3),
        color=ColorTags(1, 9, 9, 16),
        audio=(AudioInfo(1, "aac", 48000, 2, Fraction(0)), AudioInfo(2, "ac3", 44100, 6)),
        container="mov,mp4",
        keyframes=np.array([0, 6]),
        digest="ab" * 32,
    )
    first = make_annotations(
        video,
        discarded=make_annotations().detections,
        settings={"detector": "centerface", "size": [640, 352], "share": 0.1, "nested": {"a": None}},
    )
    again = read_annotations(first.to("azure", tmp_path / "a.json"))
    assert again.equals(first, tolerance=1e-9)
    assert again.video.digest == "ab" * 32
    assert again.video.path is None
    exact = first.detections.drop(index=2)
    assert again.detections.drop(index=2).equals(exact)


def test_video_without_faces_keeps_every_frame(tmp_path):
    first = Annotations(make_video(), empty_detections())
    path = first.to("azure", tmp_path / "a.json")
    assert read_annotations(path) == first
    assert json.loads(path.read_text())["fragments"] == [
        {"start": 10214, "duration": 4800, "interval": 400, "events": [[]] * 12}
    ]


def test_video_without_frames_is_written_and_read(tmp_path):
    first = Annotations(make_video(pts=np.zeros(0)), empty_detections())
    assert read_annotations(first.to("azure", tmp_path / "a.json")) == first


def test_single_frame_lasts_one_frame(tmp_path):
    path = Annotations(make_video(pts=[77]), empty_detections()).to("azure", tmp_path / "a.json")
    assert json.loads(path.read_text())["fragments"] == [
        {"start": 77, "duration": 400, "interval": 400, "events": [[]]}
    ]


def test_variable_rate_starts_a_fragment_where_the_spacing_changes(tmp_path):
    video = make_video(pts=[0, 33, 67, 100, 133, 167])
    fragments = json.loads(Annotations(video, empty_detections()).to("azure", tmp_path / "a.json").read_text())[
        "fragments"
    ]
    spans = [(item["start"], item["interval"], len(item["events"]), item["duration"]) for item in fragments]
    assert spans == [(0, 33, 1, 33), (33, 34, 1, 34), (67, 33, 2, 66), (133, 34, 2, 68)]
    ends = [start + duration for start, _, _, duration in spans]
    assert ends[:-1] == [start for start, *_ in spans[1:]]


def test_written_file_is_what_the_strict_visualizer_reads(tmp_path):
    content = json.loads(make_annotations().to("azure", tmp_path / "a.json").read_text())
    assert list(content) == [
        "version", "timescale", "offset", "framerate", "width", "height", "fragments", "redactkit",
    ]  # fmt: skip
    assert content["timescale"] == 11988
    faces = []
    for item in content["fragments"]:
        assert isinstance(item["start"], int)
        assert isinstance(item["interval"], int)
        assert item["duration"] == item["interval"] * len(item["events"])
        for place, entry in enumerate(item["events"]):
            time = np.float32((item["start"] + place * item["interval"]) / content["timescale"])
            faces += [(time, face) for face in entry]
    assert [face["id"] for _, face in faces] == [1, 2, 1, 999_999]
    assert [face["index"] for _, face in faces] == [0, 0, 3, 7]
    assert faces[3][0] == np.float32((10214 + 7 * 400) / 11988)
    assert faces[0][1]["x"] == -3.5 / 640


def test_ticks_too_fine_for_32_bits_are_made_coarser_where_exact(tmp_path):
    video = make_video(time_base=Fraction(1, 10**9), pts=np.arange(12) * 40_000_000 + 10**11)
    first = make_annotations(video)
    path = first.to("azure", tmp_path / "a.json")
    content = json.loads(path.read_text())
    assert (content["timescale"], content["fragments"][0]["interval"]) == (25, 1)
    assert read_annotations(path).equals(first, tolerance=1e-9)


def test_ticks_that_need_more_bits_stay_exact_and_are_told(tmp_path):
    first = make_annotations(make_video(time_base=Fraction(1, 10**9), pts=np.arange(12) * 33_366_667 + 10**11))
    with pytest.warns(AnnotationWarning, match="more than 32 bits"):
        path = first.to("azure", tmp_path / "a.json")
    assert read_annotations(path).equals(first, tolerance=1e-9)


def test_time_base_with_a_numerator_stays_exact(tmp_path):
    first = make_annotations(make_video(time_base=Fraction(1001, 30000), pts=np.arange(12)))
    path = first.to("azure", tmp_path / "a.json")
    assert json.loads(path.read_text())["fragments"][0]["interval"] == 1001
    assert read_annotations(path).equals(first, tolerance=1e-9)


@pytest.mark.parametrize(
    ("change", "error", "fault"),
    [
        (lambda a: a.replace(detections=a.detections.assign(face_id=[1, 2, 3, 1_000_000])), AnnotationError, "1000000"),
        (lambda a: a.replace(detections=a.detections.assign(face_id=[-1, 2, 3, 4])), AnnotationError, "face -1"),
        (lambda a: a.replace(detections=a.detections.assign(frame=12)), TableError, "second box|has a box"),
        (lambda a: a.replace(detections=a.detections.assign(frame=[1, 2, 3, 12])), AnnotationError, "only 12 frames"),
        (lambda a: a.replace(detections=a.detections.assign(x=np.nan)), AnnotationError, "not where"),
        (lambda a: a.replace(detections=a.detections.assign(time=np.nan)), AnnotationError, "times .* unknown"),
        (lambda a: a.replace(video=make_video(width=0)), AnnotationError, "size is unknown"),
        (lambda a: a.replace(video=make_video(pts=np.zeros(12))), AnnotationError, "must ascend"),
        (lambda a: a.replace(settings={"made by": object()}), AnnotationError, "cannot be written|must hold"),
        (lambda a: a.replace(settings={"share": float("nan"), ("a",): 1}), AnnotationError, "cannot be written"),
    ],
)
def test_what_the_format_cannot_hold_is_refused_and_no_file_left(tmp_path, change, error, fault):
    with pytest.raises(error, match=fault):
        change(make_annotations()).to("azure", tmp_path / "a.json")
    assert list(tmp_path.iterdir()) == []


def test_existing_file_is_kept_unless_asked(tmp_path):
    path = make_annotations().to("azure", tmp_path / "a.json")
    before = path.read_bytes()
    with pytest.raises(OutputExistsError):
        make_annotations().select([2]).to("azure", path)
    assert path.read_bytes() == before
    write_annotations(make_annotations().select([2]), path, overwrite=True)
    assert read_annotations(path).selected_ids == [2]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_failed_write_leaves_nothing(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(OSError, match="denied"):
        make_annotations().to("azure", tmp_path / "a.json")
    assert list(tmp_path.iterdir()) == []


SIDES = st.floats(-2000, 5000, allow_nan=False, width=32)
LENGTHS = st.floats(0, 3000, allow_nan=False, width=32)


@st.composite
def annotations(draw, most_frames=12):
    """Any annotations that keep the schema."""
    gaps = draw(st.lists(st.integers(1, 5000), max_size=most_frames))
    pts = np.cumsum([draw(st.integers(-(10**6), 10**6)), *gaps])[: len(gaps)]
    video = VideoInfo(
        path=None,
        width=draw(st.integers(1, 8192)),
        height=draw(st.integers(1, 8192)),
        frame_rate=draw(st.fractions(Fraction(1, 10), 240, max_denominator=1001)),
        time_base=draw(st.sampled_from([Fraction(1, 90000), Fraction(1, 12800), Fraction(1001, 30000)])),
        pts=pts,
        digest=draw(st.sampled_from(["", "00" * 32])),
    )
    keys = st.tuples(st.integers(0, max(len(pts) - 1, 0)), st.integers(0, 999_999))
    rows = sorted(draw(st.lists(keys, unique=True, max_size=20))) if len(pts) else []
    frames = np.array([frame for frame, _ in rows], np.int64)

    def column(values):
        return draw(st.lists(values, min_size=len(rows), max_size=len(rows)))

    table = {
        "frame": frames,
        "time": video.times[frames],
        "face_id": [face for _, face in rows],
        **{name: column(LENGTHS if name in ("width", "height") else SIDES) for name in BOX},
        "confidence": column(st.none() | st.floats(0, 1)),
        "source": np.array(column(st.sampled_from(SOURCES)), object),
    }
    text = st.text(max_size=20)
    faces = draw(st.lists(st.sampled_from([face for _, face in rows]), unique=True)) if rows else []
    decided = {face: {"redact": draw(st.booleans()), "label": draw(text), "reason": draw(text)} for face in faces}
    frame_numbers = st.integers(0, 1000)
    return Annotations(
        video,
        as_detections(table),
        decisions=decided,
        cuts=sorted(draw(st.sets(frame_numbers, max_size=5))),
        settings=draw(st.dictionaries(text, text | st.integers(-100, 100) | st.booleans(), max_size=3)),
    )


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(first=annotations())
def test_any_annotations_round_trip(first, tmp_path_factory):
    folder = Path(tmp_path_factory.mktemp("azure"))
    again = read_annotations(first.to("azure", folder / "a.json"))
    assert again.equals(first, tolerance=1e-9)
    assert read_annotations(again.to("azure", folder / "b.json")) == again
    assert (folder / "b.json").read_bytes() == (folder / "a.json").read_bytes()


def test_rows_of_any_order_are_written_alike(tmp_path):
    first = make_annotations()
    shuffled = first.replace(detections=first.detections.iloc[::-1])
    assert shuffled.to("azure", tmp_path / "a.json").read_bytes() == first.to("azure", tmp_path / "b.json").read_bytes()
