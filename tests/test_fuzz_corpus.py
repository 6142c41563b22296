"""What a fuzzer once found interesting is read again: nothing but a sound table or one clear error comes of it."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from tests.annotation_files import make_files
from tests.fuzz.targets import TARGETS, run_target

pytest.importorskip("pyarrow", reason="needs the extra parquet")

CORPUS = Path(__file__).parent / "fuzz" / "corpus.zip"


def test_corpus_is_survived(tmp_path):
    with zipfile.ZipFile(CORPUS) as archive:
        outcomes = [run_target(archive.read(name), tmp_path / "their.file") for name in archive.namelist()]
    assert len(outcomes) > 50
    assert set(outcomes) == {"read", "refused"}


def test_whole_files_are_read(tmp_path):
    for name, data in make_files().items():
        assert run_target(bytes([TARGETS.index(name)]) + data, tmp_path / "their.file") == "read"
        assert run_target(b"\0" + data, tmp_path / "their.file") == "read"


def test_fault_goes_through(tmp_path, monkeypatch):
    monkeypatch.setattr("tests.fuzz.targets.read_ids", lambda path: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        run_target(bytes([TARGETS.index("ids")]) + b"1", tmp_path / "their.file")
