"""Purging: what is ours goes, whatever it is called; what is not stays, whatever it is called."""

import io
import json
import os
import subprocess
import sys

import numpy as np
import pytest
from matplotlib.figure import Figure

from redactkit.cli import main
from redactkit.errors import OptionError
from redactkit.formats import WRITABLE, write_annotations, write_ids
from redactkit.plots import thumbnail_sheet
from redactkit.review import Review
from redactkit.runtime.files import replacing
from redactkit.runtime.marks import is_marked_jpeg, mark_jpeg
from redactkit.runtime.purge import files_left, purge
from redactkit.video import as_jpeg
from tests.annotation_files import make_annotations

THEIRS = {
    "foo.mp4": b"something",
    "notes.txt": b"1\n2\n",
    "camera_thumb000001.jpg": b"",  # filled below with a picture
    "theirs_annotations.json": b'{"info":{"contributor":"others"},"images":[],"annotations":[],"categories":[]}',
    "service_annotations.json": b'{"version":1,"timescale":25,"fragments":[]}',
    "config.json": b'{"redactkit":{"blur":"Med"}}',
    "bibliography.json": b'{"journal":"Nature","base":"x"}\n',
    "list.json": b'{"redactkit":{"kind":"ID list"},"faces":{}}',
    "boxes.csv": b"frame,time,x,y,width,height\n1,0.04,1,2,3,4\n",
    "mot.txt": b"1,1,10,20,30,40,1,-1,-1,-1\n",
    "mot_numbers.txt": b"1,1,10,20,30,40,1,-1,-1,-1\n2,1,10,20,30,40,1,-1,-1,-1.0\n",
    "cvat.xml": b"<annotations><version>1.1</version></annotations>",
    "words_IDList.txt": b"the IDs of Mr Smith\n",
    "empty.json": b"",
    "broken.json": b'{"redactkit":',
    "deep.json": b'{"redactkit":' + b"[" * 100_000,
}


def picture(seed=0):
    return np.random.default_rng(seed).integers(0, 255, (16, 24, 3), np.uint8)


@pytest.fixture(scope="module")
def annotations():
    return make_annotations()


@pytest.fixture
def theirs(tmp_path):
    for name, data in THEIRS.items():
        (tmp_path / name).write_bytes(data or as_jpeg(picture()))
    (tmp_path / "empty.json").write_bytes(b"")
    saved = io.BytesIO()
    figure = Figure(figsize=(1, 1))
    figure.savefig(saved, format="png")
    (tmp_path / "plot.png").write_bytes(saved.getvalue())
    return {path.name for path in tmp_path.iterdir()}


def names(folder):
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_purge_of_an_empty_folder_removes_nothing(tmp_path):
    assert purge(tmp_path) == []
    assert files_left(tmp_path) == []


def test_purge_leaves_what_others_wrote_whatever_its_name_is(tmp_path, theirs):
    assert purge(tmp_path) == []
    assert names(tmp_path) == theirs


@pytest.mark.filterwarnings("ignore::redactkit.errors.AnnotationWarning")
@pytest.mark.parametrize("kind", WRITABLE)
@pytest.mark.parametrize("name", ["{}_annotations.json", "renamed", "deep/er.txt"])
def test_purge_finds_annotations_of_every_format_under_any_name(tmp_path, theirs, annotations, kind, name):
    path = write_annotations(annotations, tmp_path / name.format(kind), format=kind)
    assert purge(tmp_path) == [path]
    assert names(tmp_path) == theirs


def test_purge_finds_thumbnails_under_any_name(tmp_path, theirs):
    for name in ("foo_thumb000001.jpg", "FOO_THUMB000001.JPG", "face.bin"):
        (tmp_path / name).write_bytes(mark_jpeg(as_jpeg(picture())))
    assert len(purge(tmp_path)) == 3
    assert names(tmp_path) == theirs


def test_a_marked_thumbnail_is_the_same_picture():
    from PIL import Image

    plain = as_jpeg(picture())
    marked = mark_jpeg(plain)
    assert is_marked_jpeg(marked) and not is_marked_jpeg(plain) and not is_marked_jpeg(b"") and len(marked) > len(plain)
    shown = [np.asarray(Image.open(io.BytesIO(data))) for data in (plain, marked)]
    assert np.array_equal(*shown)


@pytest.mark.parametrize("name", ["sheet.png", "sheet.jpg", "SHEET.JPEG", "sheet"])
def test_purge_finds_sheets_of_faces(tmp_path, theirs, annotations, name):
    figure = thumbnail_sheet(annotations.tracks)
    figure.savefig(tmp_path / name)
    (made,) = names(tmp_path) - theirs
    assert (tmp_path / made).stat().st_mode & 0o077 == 0
    assert purge(tmp_path) == [tmp_path / made]
    assert names(tmp_path) == theirs


def test_sheets_are_saved_as_pictures_only(tmp_path, annotations):
    figure = thumbnail_sheet(annotations.tracks)
    with pytest.raises(OptionError, match="png or jpg"):
        figure.savefig(tmp_path / "sheet.svg")
    assert list(tmp_path.iterdir()) == []


def test_purge_finds_id_lists_with_what_they_were_written_for(tmp_path, theirs, annotations):
    write_ids(tmp_path / "foo_IDList.txt", [1], annotations=annotations)
    write_ids(tmp_path / "any name", [1], annotations=annotations)
    write_ids(tmp_path / "Dance_idlist.txt", [1, 2])
    assert {path.name for path in purge(tmp_path)} == {
        "foo_IDList.txt",
        "foo_IDList.txt.json",
        "any name",
        "any name.json",
        "Dance_idlist.txt",
    }
    assert names(tmp_path) == theirs


def test_purge_finds_autosaves(tmp_path, theirs, annotations):
    session = Review(annotations, autosave=tmp_path / "work")
    session.decide([2], redact=False)
    assert purge(tmp_path) == [tmp_path / "work"]
    assert names(tmp_path) == theirs


@pytest.mark.skipif(os.name == "nt", reason="needs locks")
def test_purge_removes_unfinished_work_but_not_what_is_being_written(tmp_path):
    for name in (".redactkit-jobs/foo.mp4.combined", ".foo.redactkit-checkpoint/0123"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "inside.npz").touch()
    code = (
        "import sys, pathlib; from redactkit.runtime.partial_files import make_partial_file as make; "
        "make(pathlib.Path(sys.argv[1]))"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True)
    with replacing(tmp_path / "foo.mp4") as part:
        assert len(purge(tmp_path)) == 3
        assert names(tmp_path) == {part.name}
        assert files_left(tmp_path) == [(part, "unfinished file that is still written, or of another machine")]
    assert names(tmp_path) == {"foo.mp4"}


def test_purge_can_only_say_what_it_would_do(tmp_path, annotations, capsys):
    write_annotations(annotations, tmp_path / "foo_annotations.json")
    assert main(["purge", str(tmp_path), "--dry-run"]) == 0
    assert names(tmp_path) == {"foo_annotations.json"}
    assert "1 would be removed" in capsys.readouterr().out
    assert main(["purge", str(tmp_path)]) == 0
    assert "1 removed" in capsys.readouterr().out
    assert names(tmp_path) == set()


@pytest.mark.parametrize("options", [[], ["--dry-run"]])
def test_what_may_show_faces_and_is_left_is_listed(tmp_path, capsys, options):
    cell = {"cell_type": "code", "metadata": {}, "source": "x"}
    notebooks = {"shown": [{**cell, "outputs": [{"output_type": "stream"}]}], "stripped": [{**cell, "outputs": []}]}
    for name, cells in notebooks.items():
        (tmp_path / f"{name}.ipynb").write_text(json.dumps({"cells": cells, "metadata": {}, "nbformat": 4}))
    (tmp_path / "broken.ipynb").write_text("{")
    (tmp_path / "a.mp4").touch()
    for name in ("foo_redacted.mp4", "mine.mp4"):
        (tmp_path / name).touch()
    told = dict.fromkeys(("source", "output", "settings", "faces", "fidelity", "versions"), "")
    for name in ("mine.report.json", "renamed.json"):
        (tmp_path / name).write_text(json.dumps(told))
    (tmp_path / "camera_thumb000001.jpg").write_bytes(as_jpeg(picture()))
    assert main(["purge", str(tmp_path), *options]) == 0
    said = capsys.readouterr().out
    left = {line.split(": ")[1].rpartition(os.sep)[2]: line.split(": ")[2] for line in said.splitlines()[:-2]}
    assert left == {
        "broken.ipynb": "notebook that cannot be read",
        "camera_thumb000001.jpg": "named like a file of redactkit, but without its mark",
        "foo_redacted.mp4": "redacted video",
        "mine.mp4": "redacted video",
        "mine.report.json": "report of a redaction",
        "renamed.json": "report of a redaction",
        "shown.ipynb": "notebook with outputs; nbstripout takes them out",
    }
    assert "7 left that may show or name faces" in said


def test_purge_does_not_follow_links(tmp_path, tmp_path_factory, annotations):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    far = write_annotations(annotations, elsewhere / "far_annotations.json")
    (tmp_path / "link").symlink_to(elsewhere)
    (tmp_path / ".redactkit-jobs").symlink_to(elsewhere)
    (tmp_path / "foo_annotations.json").symlink_to(far)
    assert purge(tmp_path) == []
    assert far.exists()


def test_purge_refuses_what_is_no_folder(tmp_path):
    with pytest.raises(OptionError, match="is not a folder"):
        purge(tmp_path / "none")
