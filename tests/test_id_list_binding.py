"""An ID list holds for the faces it was written for: others are refused, and faces it never knew are redacted."""

import numpy as np
import pytest

from redactkit.annotations import Annotations
from redactkit.errors import AnnotationError, OptionError
from redactkit.formats import faces_of_list, find_id_lists, read_annotations, read_ids, write_annotations, write_ids
from redactkit.formats.ids import binding_path
from redactkit.redaction import select_faces
from redactkit.review import Review
from redactkit.tables import as_detections
from tests.annotation_files import make_annotations


def faces(*ids, x=0.5):
    """Annotations with these faces in three frames, each at a place of its own."""
    table = {"frame": np.repeat(np.arange(3), len(ids)), "face_id": np.tile(np.array(ids, np.int64), 3)}
    table |= {"time": table["frame"] / 25, "x": x + 40 * table["face_id"], "y": 10, "width": 20, "height": 30}
    return Annotations(make_annotations().video, as_detections({**table, "confidence": 0.9, "source": "detected"}))


def swapped():
    """Faces 1 and 2, each where the other was."""
    table = faces(1, 2).detections
    return Annotations(make_annotations().video, as_detections(table.assign(face_id=3 - table["face_id"])))


def selected(path, annotations):
    return select_faces(annotations, ids=path)


def test_a_list_holds_for_what_it_was_written_for(tmp_path):
    path = write_ids(tmp_path / "foo_IDList.txt", [2], annotations=faces(1, 2))
    assert path.read_bytes() == b"2\n"
    assert selected(path, faces(1, 2)) == [2]


@pytest.mark.filterwarnings("ignore::redactkit.errors.AnnotationWarning")
def test_a_list_holds_for_the_same_faces_in_a_file_of_another_format(tmp_path):
    before = faces(1, 2)
    before = before.replace(detections=before.detections.assign(x=before.detections["x"] + 1 / 3))
    path = write_ids(tmp_path / "foo_IDList.txt", [2], annotations=before)
    for kind in ("azure", "csv", "parquet"):
        written = write_annotations(before, tmp_path / kind, format=kind)
        assert selected(path, read_annotations(written)) == [2]


@pytest.mark.parametrize(
    ("now", "fault"),
    [
        (faces(1, 2, x=5), "face 1, 2 has other boxes now"),
        (faces(1), "face 2 is gone"),
        (faces(7, 8), "face 1, 2 is gone"),
        (swapped(), "face 1, 2 has other boxes now"),
    ],
)
def test_a_list_of_other_annotations_is_refused(tmp_path, now, fault):
    path = write_ids(tmp_path / "foo_IDList.txt", [2], annotations=faces(1, 2))
    with pytest.raises(AnnotationError, match=f"written for other annotations than these: .*{fault}"):
        selected(path, now)


def test_a_face_that_the_writer_never_saw_is_redacted(tmp_path):
    path = write_ids(tmp_path / "foo_IDList.txt", [2], annotations=faces(1, 2))
    assert selected(path, faces(1, 2, 3)) == [2, 3]


def test_a_list_of_another_tool_or_by_hand_is_taken_as_it_is(tmp_path):
    path = tmp_path / "foo_IDList.txt"
    path.write_text("2\n")
    assert selected(path, faces(1, 2, 3)) == [2]
    write_ids(path, [1], annotations=faces(1, 2), overwrite=True)
    write_ids(path, [2], overwrite=True)
    assert selected(path, faces(2, 5)) == [2]


@pytest.mark.parametrize("binding", [True, False])
def test_a_list_that_names_no_face_that_is_there_is_refused(tmp_path, binding):
    path = write_ids(tmp_path / "foo_IDList.txt", [2], annotations=faces(1, 2) if binding else None)
    with pytest.raises(AnnotationError, match=r"write a new one|save the list anew"):
        selected(path, faces(7, 8))


def test_a_list_that_names_a_face_that_is_not_there_is_refused(tmp_path):
    path = write_ids(tmp_path / "foo_IDList.txt", [1, 9])
    with pytest.raises(OptionError, match="no face has the ID 9"):
        selected(path, faces(1, 2))


@pytest.mark.parametrize("text", ["", "\n \r\n"])
def test_a_blank_list_redacts_everybody_whatever_it_was_written_for(tmp_path, text):
    path = write_ids(tmp_path / "foo_IDList.txt", [2], annotations=faces(1, 2))
    path.write_text(text)
    assert selected(path, faces(4, 5)) == [4, 5]


@pytest.mark.parametrize("text", ["", "[]", '{"redactkit":"ID list","version":1,"faces":{"x":"y"}}', "\xff"])
def test_what_a_list_was_written_for_is_never_guessed(tmp_path, text):
    path = write_ids(tmp_path / "foo_IDList.txt", [2], annotations=faces(1, 2))
    binding_path(path).write_text(text, encoding="latin-1")
    with pytest.raises(AnnotationError, match="cannot be read"):
        selected(path, faces(1, 2))


def test_faces_without_places_have_lists_too(tmp_path):
    seen = faces(1, 2)
    seen = seen.replace(detections=seen.detections.assign(x=np.nan, width=np.inf))
    path = write_ids(tmp_path / "foo_IDList.txt", [2], annotations=seen)
    assert faces_of_list(path, seen) == [2]
    with pytest.raises(AnnotationError, match="other boxes"):
        faces_of_list(path, faces(1, 2))


def test_an_edited_list_still_holds_only_for_its_annotations(tmp_path):
    path = write_ids(tmp_path / "foo_IDList.txt", [1, 2], annotations=faces(1, 2))
    path.write_text("1\n")
    assert selected(path, faces(1, 2)) == [1]
    with pytest.raises(AnnotationError, match="other annotations"):
        selected(path, faces(1, 2, x=5))


def test_lists_are_found_in_any_case_by_the_whole_stem(tmp_path):
    for name in ("foo_idlist.txt", "foo_IDList.TXT", "foo2_IDList.txt", "Foo_IDList.txt", "foo_IDList.txt.json"):
        (tmp_path / name).touch()
    assert [path.name for path in find_id_lists(tmp_path, "foo")] == ["foo_IDList.TXT", "foo_idlist.txt"]
    assert find_id_lists(tmp_path / "none", "foo") == []


def test_a_review_saves_a_list_for_its_annotations(tmp_path):
    session = Review(faces(1, 2))
    session.decide([1], redact=False)
    target = session.save(tmp_path)
    listed = tmp_path / "video_IDList.txt"
    assert selected(listed, read_annotations(target)) == [2]
    with pytest.raises(AnnotationError, match="other annotations"):
        selected(listed, faces(1, 2, x=5))
    session.decide([2], redact=False)
    session.save(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["video_annotations.json"]


def test_a_review_stopped_anywhere_while_saving_leaves_no_old_list_in_force(tmp_path, monkeypatch):
    """After each file that is put in place, list and annotations go together or are refused together."""
    first, states = tmp_path / "first", []
    session = Review(faces(1, 2, 3))
    session.decide([1], redact=False)
    target = session.save(first)
    session.merge_faces([1, 2])  # the merged face is redacted, and was not before
    session.decide([3], redact=False)
    replace = type(tmp_path).replace

    def watched(self, other):
        moved = replace(self, other)
        try:
            states.append(selected(first / "video_IDList.txt", read_annotations(target)))
        except AnnotationError as err:
            states.append(str(err))
        return moved

    monkeypatch.setattr(type(tmp_path), "replace", watched)
    session.save(first)
    assert len(states) == 3
    assert all("other annotations" in state for state in states[:-1])
    assert states[-1] == read_ids(first / "video_IDList.txt") == [1]
