"""Archives, compressed files and folders: read in memory, within bounds, and nothing written."""

from __future__ import annotations

import gzip
import io
import json
import zipfile

import pytest

from redactkit.errors import AnnotationError
from redactkit.formats import packed, read_annotations
from redactkit.inspection import inspect
from tests.annotation_files import FRAME_SIZE, make_files

pytestmark = pytest.mark.filterwarnings("ignore::redactkit.errors.AnnotationWarning")

MOT = b"1,1,11,21,30,40,1,2,0.5\n2,1,11,21,30,40,1,1,0.5\n"
CVAT = (
    b'<annotations><track id="3" label="face"><box frame="0" outside="0" xtl="1" ytl="2" xbr="30" ybr="40"/>'
    b"</track></annotations>"
)


def zipped(**files):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


@pytest.fixture
def write(tmp_path):
    def write_file(data, name="their.zip"):
        path = tmp_path / name
        path.write_bytes(data)
        return path

    return write_file


def test_empty_archive_is_refused(write):
    with pytest.raises(AnnotationError, match="an archive without an annotation file"):
        read_annotations(write(zipped()))


@pytest.mark.parametrize("format", ["azure", "cvat", "coco", "csv", "rekognition"])
@pytest.mark.parametrize("pack", ["gzip", "zip", "gzip of zip", "folder"])
def test_packed_file_is_read_as_the_file(format, pack, write, tmp_path):
    data = make_files()[format]
    name = {"cvat": "annotations.xml", "csv": "a.csv"}.get(format, "annotations/a.json")
    alone = read_annotations(write(data, "alone"))
    if pack == "folder":
        (tmp_path / "in" / "annotations").mkdir(parents=True)
        (tmp_path / "in" / name).write_bytes(data)
        (tmp_path / "in" / "frame_000001.jpg").write_bytes(b"\xff\xd8\xff")
        path = tmp_path / "in"
    else:
        packed_data = {"gzip": gzip.compress(data), "zip": zipped(**{name: data, "images/": b""})}
        packed_data["gzip of zip"] = gzip.compress(packed_data["zip"])
        path = write(packed_data[pack])
    assert read_annotations(path) == alone


def test_archive_of_cvat_for_mot_names_classes_and_gives_the_size(write):
    info = b"[Sequence]\nframeRate=25\nimWidth=640\nimHeight=360\nseqLength=9\n"
    path = write(zipped(**{"gt/gt.txt": MOT, "gt/labels.txt": b"face\nperson\n", "seqinfo.ini": info}))
    annotations = read_annotations(path)
    assert annotations.detections["label"].tolist() == ["person", "face"]
    assert (annotations.video.width, annotations.frame_count) == (640, 9)
    assert "of the archive the file gt/gt.txt was read" in inspect(path).notes


def test_several_files_are_told_apart_by_the_video_or_refused(write):
    path = write(zipped(**{"one/gt.txt": MOT, "two/gt.txt": MOT.replace(b"11", b"51")}))
    with pytest.raises(AnnotationError, match=r"2 annotation files \(one/gt.txt, two/gt.txt\).*--video-name"):
        read_annotations(path)
    assert read_annotations(path, video_name="two").detections["x"].tolist() == [50, 50]
    both = write(zipped(**{"a.xml": CVAT, "a.txt": MOT}))
    with pytest.raises(AnnotationError, match="2 annotation files"):
        read_annotations(both)
    assert read_annotations(both, format="cvat").detections["face_id"].tolist() == [3]


def test_names_in_an_archive_reach_nothing(write, tmp_path):
    path = write(zipped(**{"../../evil.xml": CVAT, "C:\\evil.exe": b"MZ"}))
    before = sorted(item.name for item in tmp_path.iterdir())
    assert read_annotations(path).detections["face_id"].tolist() == [3]
    assert sorted(item.name for item in tmp_path.iterdir()) == before


def test_what_unpacks_to_too_much_is_refused(write, monkeypatch):
    monkeypatch.setattr(packed, "MAX_BYTES", 1 << 16)
    large = CVAT + b" " * (1 << 17)
    for data in (zipped(**{"a.xml": large}), gzip.compress(large)):
        with pytest.raises(AnnotationError, match="unpacked it has more than the 65536 bytes"):
            read_annotations(write(data))


def test_archive_that_lies_about_a_size_is_refused_or_bounded(write, monkeypatch):
    monkeypatch.setattr(packed, "MAX_BYTES", 1 << 16)
    large = CVAT + b" " * (1 << 17)
    data = zipped(**{"a.xml": large}).replace(len(large).to_bytes(4, "little"), (100).to_bytes(4, "little"))
    with pytest.raises(AnnotationError, match=r"damaged|unpacked"):
        read_annotations(write(data))


def test_too_many_files_are_refused(write, monkeypatch, tmp_path):
    monkeypatch.setattr(packed, "MAX_FILES", 3)
    path = write(zipped(**{f"{number}.txt": b"" for number in range(4)}))
    with pytest.raises(AnnotationError, match="more than the 3 files"):
        read_annotations(path)
    (tmp_path / "in").mkdir()
    for number in range(4):
        (tmp_path / "in" / f"{number}.jpg").touch()
    with pytest.raises(AnnotationError, match="more than the 3 files"):
        read_annotations(tmp_path / "in")


def test_links_in_a_folder_are_not_followed(tmp_path):
    (tmp_path / "outside.xml").write_bytes(CVAT)
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "link.xml").symlink_to(tmp_path / "outside.xml")
    (tmp_path / "in" / "loop").symlink_to(tmp_path)
    with pytest.raises(AnnotationError, match="a folder without an annotation file"):
        read_annotations(tmp_path / "in")


@pytest.mark.parametrize("cut", [5, 30, -5, -30])
def test_damaged_archives_are_refused(cut, write):
    for data in (zipped(**{"a.xml": CVAT}), gzip.compress(CVAT)):
        with pytest.raises(AnnotationError, match=r"damaged|cut off|no annotation format"):
            read_annotations(write(data[:cut]))


def test_archive_with_a_password_is_refused(write):
    data = bytearray(zipped(**{"a.xml": CVAT}))
    for mark, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(mark) + place] |= 1
    with pytest.raises(AnnotationError, match=r"a\.xml in the archive needs a password"):
        read_annotations(write(bytes(data)))


def test_pages_may_be_compressed(write, tmp_path):
    page = make_files()["rekognition"]
    pages = [write(gzip.compress(page), "1.json.gz"), write(page, "2.json")]
    assert len(read_annotations(pages).detections) == 6


@pytest.mark.parametrize(
    ("files", "what"),
    [
        ({"archive/data.pkl": b"\x80\x02", "archive/version": b"3"}, r"a model \(PyTorch\)"),
        ({"xl/workbook.xml": b"<workbook/>"}, "an Excel workbook"),
        ({"images/0.jpg": b"\xff\xd8\xff"}, r"an archive without an annotation file \(0 text files"),
        ({"task_1.zip": b"PK"}, "an archive in an archive; unpack the outer one"),
    ],
)
def test_other_archives_are_named(files, what, write):
    with pytest.raises(AnnotationError, match=what):
        read_annotations(write(zipped(**files)))


def test_size_is_that_of_the_caller_inside_an_archive_too(write):
    google = make_files()["google"]
    assert read_annotations(write(zipped(**{"a.json": google})), frame_size=FRAME_SIZE).video.width == FRAME_SIZE[0]
    assert json.loads(google)
