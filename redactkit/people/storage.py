"""The vectors of faces in a private file beside the annotations, ``foo_embeddings.npz``.

They are personal data: the file is readable by its owner alone, `redactkit.runtime.purge` removes it, and no report,
annotation file or message holds a number of it. Where nothing was to be compared it holds the aligned faces instead, of
which `redactkit.People` makes the vectors.
"""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from redactkit.errors import AnnotationError
from redactkit.people.embedder import Alignment
from redactkit.people.vectors import FaceVectors
from redactkit.runtime.files import fit_name, writing
from redactkit.runtime.marks import EMBEDDINGS_MARK

__all__ = ["embeddings_name", "keep_vectors", "load_vectors", "save_vectors"]


def embeddings_name(stem: str) -> str:
    """Return the name of the file with the vectors of a video's faces.

    Examples
    --------
    >>> embeddings_name("foo")
    'foo_embeddings.npz'
    """
    return fit_name(stem, "_embeddings.npz")


def save_vectors(vectors: FaceVectors, path: Path) -> Path:
    """Write vectors, in place of those that are there."""
    alignment = vectors.alignment
    header = {"name": vectors.name, "digest": vectors.digest, "likely": alignment.likely, "sure": alignment.sure}
    arrays: dict[str, Any] = {EMBEDDINGS_MARK: np.array(json.dumps(header))}  # first, where purge looks for it
    arrays |= {name: getattr(vectors, name) for name in ("face_id", "frame", "box", "quality")}
    arrays |= {"crop": vectors.crop} if vectors.waiting else {}
    with writing(path, overwrite=True) as file:
        np.savez(file, **arrays, vector=vectors.vector.astype(np.float32))
    return path


def keep_vectors(vectors: FaceVectors, folder: Path, stem: str) -> None:
    """Write the vectors of a video's faces to a folder; where there are none, remove those of an earlier analysis."""
    path = folder / embeddings_name(stem)
    if len(vectors):
        save_vectors(vectors, path)
    else:
        path.unlink(missing_ok=True)


def load_vectors(path: Path) -> FaceVectors:
    """Read vectors that `save_vectors` wrote.

    Raises
    ------
    AnnotationError
        If the file is none, or damaged.
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as data:
            header = json.loads(str(data[EMBEDDINGS_MARK]))
            alignment = Alignment(likely=float(header["likely"]), sure=float(header["sure"]))
            columns = [np.asarray(data[name]) for name in ("face_id", "frame", "box", "quality", "vector")]
            crops = {"crop": np.asarray(data["crop"])} if "crop" in data else {}
            vectors = FaceVectors(str(header["name"]), str(header["digest"]), alignment, *columns, **crops)
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as err:
        raise AnnotationError(
            f"{path} should hold vectors of faces and cannot be read: {err}; analyze the video anew, or remove the file"
        ) from err
    count = len(vectors.face_id)
    columns += [vectors.crop] if vectors.waiting else []
    pictures = vectors.crop.dtype == np.uint8 and vectors.crop.ndim == 4 and vectors.crop.shape[3] == 3
    whole = vectors.box.shape == (count, 4) and vectors.vector.ndim == 2 and pictures
    if any(len(column) != count for column in columns) or not whole:
        raise AnnotationError(f"{path}: its columns have different lengths; analyze the video anew, or remove the file")
    return vectors
