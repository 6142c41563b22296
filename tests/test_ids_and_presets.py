"""ID lists and presets, as the original service and its users wrote them."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redactkit.errors import AnnotationError, OutputExistsError
from redactkit.formats import Preset, read_ids, read_preset, write_ids


@pytest.mark.parametrize(
    ("data", "ids"),
    [
        (b"", []),
        (b"\r\n \n\t\n", []),
        (b"1\n4\n7\n", [1, 4, 7]),
        (b"1\r\n\r\n4\r\n7", [1, 4, 7]),
        (b"1, 4, 7", [1, 4, 7]),
        (b"\xef\xbb\xbf1\n4\n", [1, 4]),
        ("1\n4\n".encode("utf-16"), [1, 4]),
        ("1\r\n4\r\n".encode("utf-16-le"), [1, 4]),
        (b"1\xa0\n4\x1a", [1, 4]),
        (b"4\n1\n4\n", [4, 1]),
        (b"1138\r2028\r", [1138, 2028]),
    ],
)
def test_read_ids_takes_every_form(tmp_path, data, ids):
    path = tmp_path / "foo_IDList.txt"
    path.write_bytes(data)
    assert read_ids(path) == ids


@pytest.mark.parametrize("word", [b"face", b"1.5", b"0x10", b"1e3", b"9" * 30, b"\xff\xd9\x00\x01", b"<b>"])
def test_read_ids_names_line_and_word(tmp_path, word):
    path = tmp_path / "foo_IDList.txt"
    path.write_bytes(b"1\n" + word + b"\n")
    with pytest.raises(AnnotationError, match=r"line 2: expected a face ID"):
        read_ids(path)


def test_read_ids_refuses_what_is_no_file(tmp_path):
    with pytest.raises(AnnotationError, match="expected a file"):
        read_ids(tmp_path)
    with pytest.raises(AnnotationError, match="no such file"):
        read_ids(tmp_path / "absent.txt")


def test_write_ids_is_plain_ascii(tmp_path):
    path = write_ids(tmp_path / "foo_IDList.txt", [4, 12])
    assert path.read_bytes() == b"4\n12\n"


def test_write_ids_refuses_the_empty_list_that_would_mean_all(tmp_path):
    with pytest.raises(AnnotationError, match="would mean every face"):
        write_ids(tmp_path / "foo_IDList.txt", [])
    assert list(tmp_path.iterdir()) == []


def test_write_ids_keeps_a_file_that_is_there(tmp_path):
    path = write_ids(tmp_path / "foo_IDList.txt", [1])
    with pytest.raises(OutputExistsError):
        write_ids(path, [2])
    assert read_ids(path) == [1]


@given(st.lists(st.integers(0, 999_999), min_size=1, unique=True))
def test_ids_round_trip(tmp_path_factory, ids):
    path = tmp_path_factory.mktemp("ids") / "list.txt"
    assert read_ids(write_ids(path, ids)) == ids


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({}, Preset("combined", "Med", "SourceResolution")),
        ({"version": "1.0"}, Preset()),
        ({"version": "1.0", "options": {"mode": "analyze"}}, Preset("analyze")),
        ({"Version": "1.0", "Options": {"Mode": "Redact", "BlurType": "LOW"}}, Preset("redact", "Low")),
        (
            {
                "@odata.type": "#Microsoft.Media.FaceDetectorPreset",
                "mode": "Combined",
                "blurType": "Black",
                "resolution": "standarddefinition",
            },
            Preset("combined", "Black", "StandardDefinition"),
        ),
    ],
)
def test_read_preset_takes_every_form(tmp_path, given, wanted):
    path = tmp_path / "preset.json"
    path.write_text(json.dumps(given), encoding="utf-16")
    assert read_preset(path) == wanted
    assert read_preset(given) == wanted


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        ({"options": {"mode": "blur"}}, "mode must be one of analyze, redact, combined, got 'blur'"),
        ({"options": {"blurType": 3}}, "blurtype must be one of Low, Med, High, Box, Black"),
        ({"options": {"speed": 3}}, "unknown options"),
        ({"options": "analyze"}, "options must be an object"),
        ({"mode": "analyze", "Mode": "redact"}, "differ in case only"),
    ],
)
def test_read_preset_says_what_is_wrong(tmp_path, given, fault):
    with pytest.raises(AnnotationError, match=fault):
        read_preset(given)
    path = tmp_path / "preset.json"
    path.write_text(json.dumps(given), encoding="utf-8")
    with pytest.raises(AnnotationError, match=f"preset.json: .*{fault}"):
        read_preset(path)


@pytest.mark.parametrize("text", ["", "[1]", "{", "mode: analyze", "[" * 100_000, '{"options": ' * 9000])
def test_read_preset_refuses_what_is_no_preset(tmp_path, text):
    path = tmp_path / "preset.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(AnnotationError, match=r"preset\.json"):
        read_preset(path)
