"""Broken, hostile and absurd annotation files: one clear error, or a table that keeps the schema."""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from redactkit.errors import AnnotationError, AnnotationWarning, RedactkitError
from redactkit.formats import READABLE, read_annotations, read_ids, read_preset
from redactkit.inspection import inspect
from redactkit.tables import BOX, DETECTIONS
from tests.annotation_files import FRAME_SIZE, make_files

pytest.importorskip("pyarrow", reason="needs the extra parquet")
pytestmark = pytest.mark.filterwarnings("ignore::redactkit.errors.AnnotationWarning")

FILES = make_files()
TEXTS = [name for name in FILES if name != "parquet"]
EXAMPLES = int(os.environ.get("REDACTKIT_EXAMPLES", "100"))
JSONS = ["azure", "coco", "rekognition", "google", "videoindexer", "labelstudio", "via"]


def survives(data, folder, *, format=None):
    """Read bytes; the outcome must be a sound table or one error that names the file."""
    path = Path(folder) / "their.file"
    path.write_bytes(data)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            warnings.simplefilter("ignore", AnnotationWarning)
            annotations = read_annotations(path, format=format, frame_size=FRAME_SIZE)
    except RedactkitError as err:
        assert "their.file" in str(err)
        assert len(str(err)) < 2000
        return None
    assert annotations.detections.dtypes.to_dict() == {
        name: np.dtype(dtype) if isinstance(dtype, str) else dtype for name, dtype in DETECTIONS.items()
    }
    sides = annotations.detections[["width", "height"]].to_numpy()
    assert np.isfinite(annotations.detections[BOX].to_numpy()).all() or annotations.detections[BOX].isna().all(
        axis=None
    )
    assert not (sides < 0).any()
    assert not annotations.detections.duplicated(["frame", "face_id"]).any()
    assert (annotations.detections["frame"].to_numpy() < max(annotations.frame_count, 1)).all()
    return annotations


def test_every_format_has_a_file_here():
    assert set(FILES) == set(READABLE)


@pytest.mark.parametrize("format", FILES)
def test_whole_file_is_recognised_and_read(format, tmp_path):
    (tmp_path / "a").write_bytes(FILES[format])
    assert inspect(tmp_path / "a", frame_size=FRAME_SIZE).format == format
    assert len(survives(FILES[format], tmp_path).detections) > 0


@pytest.mark.parametrize("format", FILES)
def test_truncated_file_never_passes_for_a_whole_one(format, tmp_path):
    """Formats that say where they end refuse a part; tables of lines cannot know."""
    data = FILES[format]
    for tenth in range(10):
        part = survives(data[: len(data) * tenth // 10], tmp_path)
        if format not in ("csv", "mot", "wider", "visdrone"):
            assert part is None


@pytest.mark.parametrize("format", FILES)
def test_flipped_bytes_are_survived(format, tmp_path):
    random_of = random.Random(7)
    for _ in range(40):
        data = bytearray(FILES[format])
        for _ in range(random_of.randint(1, 4)):
            data[random_of.randrange(len(data))] = random_of.randrange(256)
        survives(bytes(data), tmp_path)
        survives(bytes(data), tmp_path, format=format)


@pytest.mark.parametrize("format", READABLE)
@pytest.mark.parametrize("other", FILES)
def test_file_of_another_format_is_refused_or_sound(format, other, tmp_path):
    survives(FILES[other], tmp_path, format=format)


ODD = st.sampled_from(
    [None, True, False, 0, -1, 1e300, -1e300, 2**53, 2**63, 2**64, -(2**63), 10**40, 0.1, "", "7", "nan", "inf", "-inf",
     "1e999", "<script>", "\x00", "../../x", "é" * 50, [], {}, [[]], [None], {"": 0}, [[[[]]]]]
)  # fmt: skip


def places_in(value, path=()):
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from places_in(item, (*path, key))


def put(value, path, item):
    if not path:
        return item
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = put(copy[path[0]], path[1:], item)
    return copy


def test_kind_that_is_no_word_is_refused_with_the_file(tmp_path):
    content = json.loads(FILES["coco"])
    content["categories"][0]["kind"] = "x" * 50
    (tmp_path / "faces.json").write_text(json.dumps(content))
    with pytest.raises(AnnotationError, match=r"faces.json: kind must be a word"):
        read_annotations(tmp_path / "faces.json", format="coco")


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@pytest.mark.parametrize("format", JSONS)
@given(data=st.data())
def test_any_value_anywhere_is_survived(format, data, tmp_path):
    content = json.loads(FILES[format])
    for _ in range(data.draw(st.integers(1, 2))):
        where = data.draw(st.sampled_from(list(places_in(content))))
        content = put(content, where, data.draw(ODD))
    survives(json.dumps(content).encode(), tmp_path, format=format)


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    content=st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(
                st.sampled_from(["timescale", "fragments", "Faces", "annotations", "images", "faces"]) | st.text(),
                inner,
            )
        ),
    )
)
def test_any_json_is_survived(content, tmp_path):
    survives(json.dumps(content).encode(), tmp_path)


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    data=st.binary(max_size=200),
    start=st.sampled_from(
        [
            b"",
            b"{",
            b"[",
            b"<annotations>",
            b"1,2,3,4,5,6\n",
            b"PAR1",
            b"frame,x,y,width,height\n",
            b"\xff\xfe",
            b"\xef\xbb\xbf",
        ]
    ),
)
def test_any_bytes_are_survived(data, start, tmp_path):
    survives(start + data, tmp_path)


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    lines=st.lists(
        st.lists(
            st.one_of(st.integers(), st.floats(), st.sampled_from(["", "x", "-1", "1e9"])), min_size=1, max_size=11
        ),
        max_size=8,
    )
)
def test_any_rows_are_survived(lines, tmp_path):
    text = "\n".join(",".join(map(str, line)) for line in lines)
    survives(text.encode(), tmp_path, format="mot")
    survives(b"frame,face_id,x,y,width,height,time,confidence,source\n" + text.encode(), tmp_path, format="csv")


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=100) | st.text(max_size=100).map(str.encode))
def test_any_id_list_and_preset_are_survived(data, tmp_path):
    path = tmp_path / "their.file"
    path.write_bytes(data)
    for read in (read_ids, read_preset):
        try:
            read(path)
        except AnnotationError as err:
            assert "their.file" in str(err)


@pytest.mark.parametrize("format", JSONS)
@pytest.mark.parametrize("opening", [b"[", b'{"a":', b'{"fragments":[{"events":', b'{"annotations":[{"attributes":'])
def test_deep_nesting_is_refused(format, opening, tmp_path):
    assert survives(opening * 200_000, tmp_path, format=format) is None


def test_hostile_names_and_labels_are_only_text(tmp_path):
    """Paths in labels are never opened, control characters and markup come back as they were."""
    evil = '<img src=x onerror="alert(1)">\x1b]0;owned\x07 ../../etc/passwd \u202e'
    content = json.loads(FILES["azure"])
    content["redactkit"]["decisions"][0]["label"] = evil
    content["redactkit"]["video"]["name"] = "../../../etc/passwd"
    annotations = survives(json.dumps(content).encode(), tmp_path)
    assert annotations.decisions.loc[1, "label"] == evil
    assert annotations.video.path is None
    assert "\x1b" not in str(inspect(annotations))
    assert "<img" not in inspect(annotations)._repr_html_()


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ({"timescale": 1, "width": 9, "height": 9, "fragments": [{"start": 0, "duration": 10**15}]}, "more than the"),
        ({"timescale": 1e12, "width": 9, "height": 9, "fragments": [{"start": 2**52, "duration": 1}]}, "more than the"),
    ],
)
def test_absurd_ranges_are_refused_at_once(content, fault, tmp_path):
    path = tmp_path / "their.file"
    path.write_text(json.dumps(content))
    with pytest.raises(AnnotationError, match=fault):
        read_annotations(path)


def test_unreadable_and_special_files_are_refused(tmp_path):
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for name in ("loop", "absent", "."):
        with pytest.raises(AnnotationError, match=re.escape(str(tmp_path))):
            read_annotations(tmp_path / name)
    with pytest.raises(AnnotationError, match="expected a file"):
        read_annotations("/dev/zero")


def test_file_beyond_the_limit_is_refused_unread(tmp_path):
    path = tmp_path / "huge.json"
    with path.open("wb") as file:
        file.truncate(2**33)
    with pytest.raises(AnnotationError, match="are more than the"):
        read_annotations(path)


MANY = """
import json, resource, sys
from redactkit.formats import read_annotations
from redactkit.errors import RedactkitError
path = sys.argv[1]
with open(path, "w") as file:
    file.write('{"timescale": 1000, "width": 640, "height": 360, "fragments": [{"start": 0, "interval": 1, "events": [')
    file.write("[]," * 9_999_999 + "[]]}]}")
try:
    print(read_annotations(path))
except RedactkitError as err:
    print(err)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


@pytest.mark.slow
def test_ten_million_events_stay_within_memory(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", MANY, str(tmp_path / "many.json")],
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    )
    said, peak = done.stdout.splitlines()
    assert "10000000 frames" in said
    assert int(peak) < 2500
