"""The vectors of faces and the colours of heads and clothes, of the pictures that were taken of tracks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from redactkit.boxes import FloatArray, iou
from redactkit.people.embedder import Alignment, Embedder, alignment_of, check_vectors
from redactkit.people.portraits import (
    MIN_SHARPNESS,
    LandmarkFinder,
    Portrait,
    align_face,
    boxes_of,
    crop_face,
    judge,
    landmarks_in_picture,
    sharpness_of,
)
from redactkit.tables import BOX

__all__ = ["FaceVectors", "PortraitTaker", "made"]

IntArray = NDArray[np.int64]
Image = NDArray[np.uint8]

BATCH_PORTRAITS = 16
"""Portraits that are turned into vectors at once. Raising it takes memory."""

MOST_PORTRAITS = 3
"""Portraits of one track. Raising it makes its mean steadier, and takes longer."""


_NO_CROPS: Image = np.zeros((0, 0, 0, 3), np.uint8)


def _none(*shape: int) -> FloatArray:
    return np.zeros(shape)


@dataclass(frozen=True, eq=False)
class FaceVectors:
    """Vectors of faces, one for each portrait. Who somebody is can be told from them: they are personal data.

    Parameters
    ----------
    name, digest : str
        Of the embedder that made them; only vectors of one embedder can be compared.
    alignment : Alignment
        Its distances.
    face_id, frame : ndarray of shape (N,), int64
        Which track, and where.
    box : ndarray of shape (N, 4)
    quality : ndarray of shape (N,)
    vector : ndarray of shape (N, D)
    crop : uint8 ndarray of shape (N, side, side, 3)
        The aligned faces where the vectors are still to be made of them, else none.
    """

    name: str = ""
    digest: str = ""
    alignment: Alignment = field(default_factory=Alignment)
    face_id: IntArray = field(default_factory=lambda: np.zeros(0, np.int64))
    frame: IntArray = field(default_factory=lambda: np.zeros(0, np.int64))
    box: FloatArray = field(default_factory=lambda: _none(0, 4))
    quality: FloatArray = field(default_factory=lambda: _none(0))
    vector: FloatArray = field(default_factory=lambda: _none(0, 0))
    crop: Image = field(default_factory=lambda: _NO_CROPS)

    @property
    def waiting(self) -> bool:
        """Whether the vectors are still to be made, see `made`."""
        return len(self.crop) > 0

    def __len__(self) -> int:
        return len(self.face_id)

    def means(self) -> tuple[IntArray, FloatArray, IntArray]:
        """Return the faces in ascending order, the mean vector of each, weighted by quality, and how many it is of."""
        faces, member, count = np.unique(self.face_id, return_inverse=True, return_counts=True)
        weighted = np.zeros((len(faces), self.vector.shape[1] if len(self) else 0))
        np.add.at(weighted, member, self.vector * self.quality[:, None])
        total = np.bincount(member, self.quality, minlength=len(faces)) if len(self) else _none(0)
        return faces.astype(np.int64), weighted / np.maximum(total, 1e-12)[:, None], count.astype(np.int64)

    def of(self, detections: pd.DataFrame) -> FaceVectors:
        """Return the vectors by the face IDs that the tracks have by now; edits may have split, merged or removed some.

        A vector belongs to the face whose box of its frame overlaps its own best, by half at least.
        """
        rows = detections[detections["frame"].isin(self.frame)]
        by_frame = {int(str(frame)): mine for frame, mine in rows.groupby("frame")}
        faces = np.full(len(self), -1, np.int64)
        for number, (frame, box) in enumerate(zip(self.frame.tolist(), self.box, strict=True)):
            mine = by_frame.get(frame)
            if mine is None:
                continue
            overlap = iou(box[None], mine[BOX].to_numpy(np.float64))[0]
            if overlap.max() >= 0.5:
                faces[number] = mine["face_id"].iloc[int(overlap.argmax())]
        return self._taken(faces >= 0, faces)

    def _taken(self, kept: NDArray[np.bool_], faces: IntArray) -> FaceVectors:
        columns = {name: getattr(self, name)[kept] for name in ("frame", "box", "quality", "vector")}
        return replace(self, face_id=faces[kept], **columns, crop=self.crop[kept] if self.waiting else self.crop)


def made(vectors: FaceVectors, embedder: Embedder) -> FaceVectors:
    """Return vectors that were waiting, made of their crops.

    Raises
    ------
    DetectorError
        If the embedder cannot be loaded.
    """
    found = check_vectors(embedder(vectors.crop), len(vectors))
    name, digest = _named(embedder)
    return replace(vectors, name=name, digest=digest, alignment=alignment_of(embedder), vector=found, crop=_NO_CROPS)


def _named(embedder: Embedder) -> tuple[str, str]:
    return str(getattr(embedder, "name", type(embedder).__name__)), str(getattr(embedder, "digest", ""))


class PortraitTaker:
    """Takes portraits from pictures that come one after the other, and turns them into vectors batch by batch.

    Parameters
    ----------
    embedder : Embedder
    finder : LandmarkFinder
    """

    def __init__(self, embedder: Embedder, *, finder: LandmarkFinder) -> None:
        self._embedder = embedder
        self._finder = finder
        self._alignment = alignment_of(embedder)
        self._waiting: list[Portrait] = []
        self._done: list[tuple[Portrait, FloatArray]] = []
        self._count: dict[int, int] = {}

    def see(self, picture: Image, rows: pd.DataFrame, *, corner: tuple[int, int] = (0, 0)) -> None:
        """Take portraits of the faces of ``rows``, detections of one frame, in its picture.

        Where that is only a part of the frame, its left top corner lies at ``corner``.
        """
        wanted = rows[[self._count.get(int(face), 0) < MOST_PORTRAITS for face in rows["face_id"]]]
        boxes, numbers = boxes_of(wanted), wanted[["face_id", "frame"]].to_numpy().tolist()
        shift = np.array([*corner, 0, 0])
        cuts = [(*crop_face(picture, box - shift), box, number) for box, number in zip(boxes, numbers, strict=True)]
        # Most of a crowd is blurred, and need not be searched for landmarks.
        sharp = [(*cut, sharpness) for cut in cuts if (sharpness := sharpness_of(cut[0])) >= MIN_SHARPNESS]
        found = self._finder([cut[0] for cut in sharp]) if sharp else []
        for (_, matrix, box, (face, frame), sharpness), landmarks in zip(sharp, found, strict=True):
            quality = 0.0 if landmarks is None else judge(landmarks, sharpness)
            if landmarks is None or quality <= 0:
                continue
            points = landmarks_in_picture(landmarks[1:], matrix)
            crop = align_face(picture, points, self._alignment)
            self._count[face] = self._count.get(face, 0) + 1
            self._waiting.append(Portrait(face, frame, box, quality, crop))
        if len(self._waiting) >= BATCH_PORTRAITS:
            self._embed()

    @property
    def faces(self) -> list[int]:
        """The tracks of which there are portraits, ascending."""
        return sorted(self._count)

    def finish(self, *, wait: bool = False) -> FaceVectors:
        """Return the vectors of all portraits that were taken, or with ``wait`` what they are made of.

        Where some had to be made already, all are.
        """
        if wait and self._waiting and not self._done:
            waiting = _as_vectors(self._waiting, np.zeros((len(self._waiting), 0)), "", "", self._alignment)
            return replace(waiting, crop=np.stack([portrait.crop for portrait in self._waiting]))
        self._embed()
        if not self._done:
            return FaceVectors()
        portraits, vectors = zip(*self._done, strict=True)
        return _as_vectors(portraits, np.array(vectors, np.float64), *_named(self._embedder), self._alignment)

    def _embed(self) -> None:
        if self._waiting:
            crops = np.stack([portrait.crop for portrait in self._waiting])
            vectors = check_vectors(self._embedder(crops), len(crops))
            # The picture is not needed any more; kept are numbers.
            blank = [_without_crop(portrait) for portrait in self._waiting]
            self._done += list(zip(blank, vectors, strict=True))
            self._waiting = []


def _as_vectors(
    portraits: Sequence[Portrait], vectors: FloatArray, name: str, digest: str, alignment: Alignment
) -> FaceVectors:
    return FaceVectors(
        name,
        digest,
        alignment,
        np.array([item.face_id for item in portraits], np.int64),
        np.array([item.frame for item in portraits], np.int64),
        np.array([item.box for item in portraits], np.float64),
        np.array([item.quality for item in portraits], np.float64),
        vectors,
    )


def _without_crop(portrait: Portrait) -> Portrait:
    nothing = np.zeros((0, 0, 3), np.uint8)
    return Portrait(portrait.face_id, portrait.frame, portrait.box, portrait.quality, nothing)


def mean_colours(faces: Sequence[int], histograms: NDArray[np.uint8]) -> tuple[IntArray, FloatArray]:
    """Return the faces in ascending order and the mean histogram of each, of length 1; those of zeros are left out.

    Parameters
    ----------
    faces : sequence of int, of length N
    histograms : uint8 ndarray of shape (N, L)
        Square roots of colour histograms.
    """
    known = histograms.any(axis=1) if len(histograms) else np.zeros(0, bool)
    ids, member = np.unique(np.asarray(faces, np.int64)[known], return_inverse=True)
    total = np.zeros((len(ids), histograms.shape[1]))
    np.add.at(total, member, histograms[known].astype(np.float64))
    return ids.astype(np.int64), total / np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-12)
