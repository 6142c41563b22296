"""What the passes put where: folders, names, endings, permissions, and two videos or two writers in one folder."""

from __future__ import annotations

import json
import os
import shutil
import stat
import threading

import numpy as np
import pytest

from redactkit.analysis import analyze, checkpoint_folder, default_folder, find_annotations
from redactkit.annotations import thumbnail_name
from redactkit.cli import main
from redactkit.errors import AnnotationError, OptionError, OutputExistsError
from redactkit.formats import read_annotations, read_ids, write_ids
from redactkit.jobs import submit
from redactkit.jobs.inputs import id_list_of, is_own_output
from redactkit.jobs.spec import Spec
from redactkit.passes import combined, redact, run_preset
from redactkit.redaction import default_output
from redactkit.review import Review
from redactkit.runtime.files import MAX_NAME_BYTES, report_path
from redactkit.runtime.purge import files_left, purge
from redactkit.verification import verify
from redactkit.video import VideoReader, VideoWriter, probe
from tests.clips import Clip, make
from tests.crashing import Brightest

posix = pytest.mark.skipif(os.name == "nt", reason="needs the permissions and locks of POSIX")
QUICK = {"detector": Brightest(), "progress": False}


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return make(tmp_path_factory.mktemp("clips") / "clip.mp4", Clip(frames=8, options={"preset": "ultrafast"}))


@pytest.fixture(scope="module")
def other(tmp_path_factory):
    options = {"preset": "ultrafast", "crf": "35"}
    return make(tmp_path_factory.mktemp("others") / "clip.mp4", Clip(frames=8, width=192, height=112, options=options))


@pytest.fixture(scope="module")
def found(clip):
    return analyze(clip, **QUICK)


@pytest.fixture
def open_umask():
    before = os.umask(0)
    yield
    os.umask(before)


def mode_of(path):
    return stat.S_IMODE(path.stat().st_mode)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("name", ["out.mov", "out.mkv", "out", "out.mp4.txt"])
def test_an_output_that_does_not_end_in_mp4_is_refused_before_any_work(clip, found, tmp_path, name):
    with pytest.raises(OptionError, match=r"must end in \.mp4"):
        redact(clip, found, output=tmp_path / name, progress=False)
    with pytest.raises(OptionError, match=r"must end in \.mp4"):
        VideoWriter(tmp_path / name, probe(clip))
    with pytest.raises(OptionError, match=r"must end in \.mp4"):
        combined(tmp_path / "not there.mp4", output=tmp_path / name)
    assert names(tmp_path) == []


def test_the_command_line_says_why_an_ending_is_refused(clip, tmp_path, capsys):
    assert main(["combined", str(clip), "-o", str(tmp_path / "a.mkv")]) == 1
    assert "must end in .mp4" in capsys.readouterr().err


def test_outputs_whose_names_differ_by_the_ending_have_reports_of_their_own(clip, found, tmp_path):
    outputs = [tmp_path / name for name in ("a.mp4", "a.MP4", "a.x.mp4")]
    reports = [redact(clip, found, output=output, progress=False) for output in outputs]
    for output, report in zip(outputs, reports, strict=True):
        assert json.loads(report.path.read_text())["output"] == str(output)
    assert len(names(tmp_path)) == 6


def test_missing_folders_of_outputs_are_made(clip, found, tmp_path):
    report = redact(clip, found, output=tmp_path / "new" / "dir" / "x.mp4", progress=False)
    assert report.ok and report.path.is_file()
    saved = analyze(clip, output=tmp_path / "newer" / "dir", **QUICK)
    assert saved.tracks["thumbnail"].notna().all()
    found.to("azure", tmp_path / "newest" / "dir" / "x.json")
    for folder in ("new", "new/dir", "newer", "newer/dir", "newest", "newest/dir"):
        assert mode_of(tmp_path / folder) == 0o700


@pytest.mark.filterwarnings("ignore::redactkit.errors.AnnotationWarning")
def test_convert_and_the_sheet_make_their_folders(clip, found, tmp_path):
    written = found.to("azure", tmp_path / "clip_annotations.json")
    for kind in ("cvat", "mot", "coco", "csv", "parquet"):
        target = tmp_path / kind / "deep" / "out"
        assert main(["convert", str(written), str(target), "--to", kind]) == 0
        assert mode_of(target) == 0o600
    shutil.copy(clip, tmp_path / "bare.mp4")
    command = ["verify", str(clip), str(tmp_path / "bare.mp4"), "--annotations", str(written), "--quiet"]
    sheet = tmp_path / "sheets" / "worst.png"
    assert main([*command, "--sheet", str(sheet)]) == 3
    assert mode_of(sheet) == 0o600
    assert main([*command, "--sheet", str(sheet)]) == 1
    assert main([*command, "--sheet", str(sheet), "--overwrite"]) == 3


@posix
def test_all_that_shows_or_names_faces_is_its_owners_also_in_folders_that_were_there(clip, tmp_path, open_umask):
    home = tmp_path / "open"
    home.mkdir(mode=0o777)
    saved = analyze(clip, output=home, **QUICK)
    session = Review.open(clip, saved, autosave=home / "work.jsonl")
    session.decide(session.selected_ids[:1], redact=False)
    session.save(home)
    session.decide(session.selected_ids[:1], redact=False)
    session.close()
    redact(clip, saved, output=home / "clip_redacted.mp4", progress=False)
    assert mode_of(home / "clip_redacted.mp4") == 0o666
    private = [path for path in home.iterdir() if path.name != "clip_redacted.mp4"]
    assert {path.suffix for path in private} == {".jpg", ".json", ".jsonl", ".txt"} or len(saved.tracks) == 1
    assert {mode_of(path) for path in private} == {0o600}


@posix
def test_what_a_pass_keeps_on_its_way_is_its_owners(clip, tmp_path, open_umask):
    seen = []

    def stop(stage, done, total):
        seen.extend(path for path in tmp_path.rglob("*") if "redactkit-part" in path.name or path.suffix == ".npz")
        modes.extend(mode_of(path) for path in seen if path.exists())
        folders.extend(mode_of(path) for path in tmp_path.rglob("*") if path.is_dir())

    modes, folders = [], []
    analyze(clip, output=tmp_path, detector=Brightest(), chunk_frames=4, progress=stop)
    redact(clip, tmp_path / "clip_annotations.json", output=tmp_path / "x.mp4", progress=stop)
    assert modes and set(modes) == {0o600}
    assert set(folders) <= {0o700}


@pytest.mark.parametrize("letter", ["x", "é", "語"])
def test_a_video_with_a_name_of_255_bytes_goes_through_both_passes(clip, tmp_path, letter):
    stem = letter * ((MAX_NAME_BYTES - 4) // len(letter.encode()))
    stem += "x" * (MAX_NAME_BYTES - 4 - len(stem.encode()))
    for name in (f"{stem}.mp4", f"{stem[:-1]}y.mp4"):
        source = tmp_path / name
        shutil.copy(clip, source)
        saved = analyze(source, output=default_folder(source), **QUICK)
        assert saved.tracks["thumbnail"].notna().all()
        session = Review.open(source, find_annotations(source))
        session.save()
        session.close()
        report = redact(source, find_annotations(source), progress=False)
        assert report.output == default_output(source) and report.path.is_file()
        assert is_own_output(report.output) and not is_own_output(source)
        assert all(len(os.fsencode(path.name)) <= MAX_NAME_BYTES for path in tmp_path.rglob("*"))
    assert len(names(tmp_path)) == 8
    assert len(list(default_folder(source).iterdir())) == len(saved.tracks) + 3


def test_an_output_with_a_name_of_255_bytes_is_written_with_its_report(clip, found, tmp_path):
    for letter in "xy":
        output = tmp_path / (letter * (MAX_NAME_BYTES - 4) + ".mp4")
        assert redact(clip, found, output=output, progress=False).path == report_path(output)
    assert len(names(tmp_path)) == 4
    with pytest.raises(OptionError, match="at most 255 bytes"):
        redact(clip, found, output=tmp_path / ("x" * MAX_NAME_BYTES + ".mp4"), progress=False)


def test_a_job_with_a_name_of_255_bytes_is_done_and_known_to_be(clip, tmp_path):
    source = tmp_path / ("é" * 125 + "x.mp4")
    shutil.copy(clip, source)
    saved = analyze(source, output=tmp_path, **QUICK)
    for before in ("", "done before"):
        with submit(source, mode="redact", workers=1) as jobs:
            assert jobs.wait(120)
            row = jobs.table().loc[0]
        assert (row["state"], row["note"]) == ("done", before), row["error"]
    assert len(saved.tracks) == len([path for path in tmp_path.iterdir() if path.suffix == ".jpg"])


def test_two_videos_analyzed_into_one_folder_show_their_own_faces(clip, tmp_path):
    stems = ["foo", "foo_thumb000001", "fo", "[f]oo", "f*"]
    for stem in stems:
        shutil.copy(clip, tmp_path / f"{stem}.mp4")
        saved = analyze(tmp_path / f"{stem}.mp4", output=tmp_path / "all", **QUICK)
        faces = saved.tracks.index
        assert saved.tracks["thumbnail"].tolist() == [tmp_path / "all" / thumbnail_name(stem, face) for face in faces]
    before = {path: path.read_bytes() for path in (tmp_path / "all").iterdir()}
    for stem in stems[::-1]:
        analyze(tmp_path / f"{stem}.mp4", output=tmp_path / "all", overwrite=True, **QUICK)
    assert {path: path.read_bytes() for path in (tmp_path / "all").iterdir()} == before


def test_analyze_refuses_before_it_searches_what_it_would_refuse_after(clip, tmp_path):
    picture = tmp_path / "clip_thumb000001.jpg"
    picture.write_bytes(b"theirs")

    def fail(images):
        raise AssertionError("searched")

    with pytest.raises(OutputExistsError, match="clip_thumb000001"):
        analyze(clip, output=tmp_path, detector=fail, progress=False)
    assert picture.read_bytes() == b"theirs"


@pytest.mark.parametrize("name", ["clip_IDList.txt", "clip_idlist.txt"])
@pytest.mark.parametrize("bound", [True, False])
def test_analyze_anew_leaves_no_old_list_in_force(clip, found, tmp_path, name, bound):
    first = analyze(clip, output=tmp_path, **QUICK)
    face = int(first.tracks.index[0])
    write_ids(tmp_path / name, [face], annotations=first if bound else None)
    write_ids(tmp_path / "clip2_IDList.txt", [face])
    spec = Spec(str(clip), str(tmp_path), "redact")
    assert id_list_of(tmp_path / "clip_annotations.json", spec) == tmp_path / name
    analyze(clip, output=tmp_path, overwrite=True, **QUICK)
    assert id_list_of(tmp_path / "clip_annotations.json", spec) is None
    assert read_ids(tmp_path / name.replace(".txt", ".old.txt")) == [face]
    assert (tmp_path / name.replace(".txt", ".old.txt.json")).exists() is bound
    assert (tmp_path / "clip2_IDList.txt").exists()


def test_a_job_refuses_a_list_of_other_annotations(clip, tmp_path):
    first = analyze(clip, output=tmp_path, **QUICK)
    moved = first.replace(detections=first.detections.assign(x=first.detections["x"] + 9))
    write_ids(tmp_path / "clip_IDList.txt", [int(first.tracks.index[0])], annotations=moved)
    with submit(clip, mode="redact", output=tmp_path, workers=1) as jobs:
        assert jobs.wait(120)
        row = jobs.table().loc[0]
    assert row["state"] == "failed" and "written for other annotations" in row["error"]
    assert not (tmp_path / "clip_redacted.mp4").exists()


def test_two_lists_of_one_video_are_refused(tmp_path):
    for name in ("foo_IDList.txt", "foo_idlist.txt"):
        write_ids(tmp_path / name, [1])
    with pytest.raises(AnnotationError, match="are both ID lists"):
        id_list_of(tmp_path / "foo_annotations.json", Spec("foo.mp4", str(tmp_path), "redact"))


def test_the_preset_and_verify_refuse_a_list_of_other_annotations(clip, tmp_path):
    first = analyze(clip, output=tmp_path, **QUICK)
    moved = first.replace(detections=first.detections.assign(y=first.detections["y"] + 9))
    listed = write_ids(tmp_path / "mine.txt", [int(first.tracks.index[0])], annotations=moved)
    with pytest.raises(AnnotationError, match="written for other annotations"):
        run_preset(clip, {"mode": "redact"}, output=tmp_path, ids=listed, progress=False)
    with pytest.raises(AnnotationError, match="written for other annotations"):
        verify(clip, clip, first, ids=listed, progress=False)


@posix
def test_of_two_analyses_into_one_folder_one_is_whole_and_the_other_told(clip, other, tmp_path):
    ready, told = threading.Barrier(2), []

    def run(source):
        def wait(stage, done, total):
            if stage == "analyze" and done == total and source not in waited:
                waited.append(source)
                ready.wait(60)

        try:
            analyze(source, output=tmp_path, detector=Brightest(), progress=wait)
        except OutputExistsError:
            told.append(source)

    waited = []
    threads = [threading.Thread(target=run, args=(source,)) for source in (clip, other)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(waited) == 2 and len(told) == 1
    (winner,) = {clip, other} - set(told)
    saved = read_annotations(tmp_path / "clip_annotations.json")
    whole = analyze(winner, output=tmp_path / "whole", **QUICK)
    assert saved.equals(whole, tolerance=1e-3)
    for path in (tmp_path / "whole").iterdir():
        assert (tmp_path / path.name).read_bytes() == path.read_bytes()
    assert not checkpoint_folder(tmp_path, "clip").exists()
    assert len(names(tmp_path)) == len(names(tmp_path / "whole")) + 1


def test_of_two_redactions_with_one_name_one_is_whole_and_the_other_told(clip, found, tmp_path):
    ready, told = threading.Barrier(2), []

    def run(kind):
        def wait(stage, done, total):
            if done == total and kind not in waited:
                waited.append(kind)
                ready.wait(60)

        try:
            redact(clip, found, output=tmp_path / "x.mp4", blur=kind, progress=wait)
        except OutputExistsError:
            told.append(kind)

    waited = []
    threads = [threading.Thread(target=run, args=(kind,)) for kind in ("Black", "Med")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(told) == 1
    report = json.loads((tmp_path / "x.report.json").read_text())
    assert report["ok"] and [report["settings"]["blur"]] == [kind for kind in ("Black", "Med") if kind not in told]
    assert names(tmp_path) == ["x.mp4", "x.report.json"]


def test_a_file_that_only_is_called_like_the_report_is_not_replaced(clip, found, tmp_path):
    (tmp_path / "x.report.json").write_text('{"mine": true}')
    with pytest.raises(OutputExistsError, match=r"x\.report\.json exists"):
        redact(clip, found, output=tmp_path / "x.mp4", progress=False)
    assert names(tmp_path) == ["x.report.json"]
    redact(clip, found, output=tmp_path / "x.mp4", overwrite=True, progress=False)
    (tmp_path / "x.mp4").unlink()
    assert redact(clip, found, output=tmp_path / "x.mp4", progress=False).ok


@posix
def test_outputs_never_go_through_links(clip, found, tmp_path):
    precious = tmp_path / "precious"
    precious.write_text("kept")
    home = tmp_path / "out"
    home.mkdir()
    for name in ("x.mp4", "clip_annotations.json", "clip_thumb000001.jpg"):
        (home / name).symlink_to(precious)
    with pytest.raises(OutputExistsError):
        redact(clip, found, output=home / "x.mp4", progress=False)
    redact(clip, found, output=home / "x.mp4", overwrite=True, progress=False)
    with VideoReader(home / "x.mp4") as reader:
        assert sum(1 for _ in reader.frames()) == 8
    with pytest.raises(OutputExistsError):
        analyze(clip, output=home, **QUICK)
    analyze(clip, output=home, overwrite=True, **QUICK)
    assert precious.read_text() == "kept"
    assert not any(path.is_symlink() for path in home.iterdir())


def test_purge_after_both_passes_leaves_the_video_and_its_report(clip, tmp_path):
    source = tmp_path / "clip.mp4"
    shutil.copy(clip, source)
    saved = analyze(source, output=tmp_path, **QUICK)
    write_ids(tmp_path / "clip_IDList.txt", saved.tracks.index, annotations=saved)
    redact(source, saved, progress=False)
    assert len(purge(tmp_path)) == 3 + len(saved.tracks)
    assert names(tmp_path) == ["clip.mp4", "clip_redacted.mp4", "clip_redacted.report.json"]
    assert [path.name for path, _ in files_left(tmp_path)] == ["clip_redacted.mp4", "clip_redacted.report.json"]


def test_thumbnails_are_pictures_of_the_face(clip, tmp_path):
    from matplotlib.image import imread

    saved = analyze(clip, output=tmp_path, **QUICK)
    shown = imread(saved.tracks["thumbnail"].iloc[0])
    assert shown.ndim == 3 and shown.dtype == np.uint8 and min(shown.shape[:2]) > 8
