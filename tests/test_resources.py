"""The sample clip, its truth and the notebooks are found; notebooks are copied, never replaced."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from redactkit.errors import RedactkitError
from redactkit.runtime import resources


def test_resource_missing_everywhere_is_one_clear_error(monkeypatch, tmp_path):
    monkeypatch.setattr(resources, "_PACKAGE", tmp_path / "redactkit")
    with pytest.raises(RedactkitError, match=r"sample_media/sample\.mp4 is not in"):
        resources.sample_path()


def test_resource_in_the_package_comes_before_the_clone(monkeypatch, tmp_path):
    inside = tmp_path / "redactkit" / "sample_media" / "sample.mp4"
    beside = tmp_path / "sample_media" / "sample.mp4"
    for place in (inside, beside):
        place.parent.mkdir(parents=True)
        place.touch()
    monkeypatch.setattr(resources, "_PACKAGE", tmp_path / "redactkit")
    assert resources.sample_path() == inside


def _notebooks(folder: Path) -> Path:
    folder.mkdir(parents=True)
    for name in ("01_two_passes.ipynb", "02_more.ipynb"):
        (folder / name).write_text("{}")
    return folder


def test_copy_notebooks_uses_a_folder_that_has_them(tmp_path):
    folder = _notebooks(tmp_path / "mine")
    assert resources.copy_notebooks(folder) == folder


def test_copy_notebooks_copies_and_replaces_nothing(monkeypatch, tmp_path):
    _notebooks(tmp_path / "notebooks")
    monkeypatch.setattr(resources, "_PACKAGE", tmp_path / "redactkit")
    target = resources.copy_notebooks(tmp_path / "work")
    (target / "02_more.ipynb").write_text("edited")
    (target / "01_two_passes.ipynb").unlink()
    assert resources.copy_notebooks(tmp_path / "work") == target
    assert (target / "01_two_passes.ipynb").read_text() == "{}"
    assert (target / "02_more.ipynb").read_text() == "edited"


def test_truth_names_six_people_in_every_second(sample_media):
    truth = json.loads(resources.sample_truth_path().read_text())
    (fragment,) = truth["fragments"]
    assert len(fragment["events"]) == 500
    assert {face["id"] for event in fragment["events"] for face in event} == set(range(1, 7))
    assert all(event for event in fragment["events"])
