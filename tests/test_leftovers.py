import pytest

from redactkit.cli import main
from redactkit.errors import OptionError
from redactkit.leftovers import purge

PERSONAL = [
    "foo_annotations.json",
    "foo_thumb000001.jpg",
    "foo_IDList.txt",
    "deep/bar_thumb000012.jpg",
    "work.autosave",
    ".foo_redacted.mp4.host-1.redactkit-part.mp4",
]
OTHERS = ["foo.mp4", "foo_redacted.mp4", "foo_redacted.report.json", "thumb000001.png", "deep/notes.txt", "IDList.md"]


@pytest.fixture
def folder(tmp_path):
    for name in PERSONAL + OTHERS:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text('{"journal":1,"base":""}\n' if name == "work.autosave" else "something")
    for name in (".redactkit-jobs/foo.mp4.combined", ".foo.redactkit-checkpoint/0123"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "inside.npz").touch()
    return tmp_path


def left(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_purge_of_an_empty_folder_removes_nothing(tmp_path):
    assert purge(tmp_path) == []


def test_purge_removes_what_shows_or_names_faces_and_nothing_else(folder):
    assert len(purge(folder)) == len(PERSONAL) + 2
    assert left(folder) == sorted(OTHERS)
    assert purge(folder) == []


def test_purge_can_only_say_what_it_would_do(folder, capsys):
    before = left(folder)
    assert main(["purge", str(folder), "--dry-run"]) == 0
    assert left(folder) == before
    assert "8 would be removed" in capsys.readouterr().out


def test_purge_does_not_follow_links(folder, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "far_annotations.json").touch()
    (folder / "link").symlink_to(elsewhere)
    (folder / ".redactkit-jobs-link").symlink_to(elsewhere)
    purge(folder)
    assert (elsewhere / "far_annotations.json").exists()


def test_purge_refuses_what_is_no_folder(tmp_path):
    with pytest.raises(OptionError, match="is not a folder"):
        purge(tmp_path / "none")
