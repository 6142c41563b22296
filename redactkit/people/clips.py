"""The clips of a folder: their annotations, vectors of faces and thumbnails, and how decisions are written back."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from redactkit.annotations import Annotations, find_thumbnails
from redactkit.errors import AnnotationError, AnnotationWarning, DetectorError, OptionError, RedactkitError
from redactkit.formats import id_list_name, read_annotations, write_annotations, write_ids
from redactkit.formats.ids import remove_ids
from redactkit.people.embedder import Embedder, LaterEmbedder
from redactkit.people.storage import embeddings_name, load_vectors, save_vectors
from redactkit.people.vectors import FaceVectors, made

__all__ = ["Clip", "LeftOut", "read_clips"]

ENDING = "_annotations.json"


@dataclass(frozen=True, eq=False)
class Clip:
    """One analysis: its name, the file of its annotations, these, and the vectors of its faces."""

    name: str
    path: Path
    annotations: Annotations
    vectors: FaceVectors

    @property
    def stem(self) -> str:
        """The name of its video, without the ending."""
        return self.path.name.removesuffix(ENDING)

    @property
    def thumbnails(self) -> dict[int, Path]:
        """The thumbnails by face ID, of tracks that are still those they were made of."""
        return find_thumbnails(self.path.parent, self.stem)

    def decided(self, decisions: pd.DataFrame, pairs: pd.DataFrame) -> Clip:
        """Return the clip with other decisions and answers."""
        return replace(self, annotations=self.annotations.replace(decisions=decisions, pairs=pairs))

    def save(self) -> None:
        """Write annotations and ID list in place of those that are there.

        The list goes first, as in `redactkit.Review.save`: stopped between the two, it is refused with the old
        annotations, or right for them.
        """
        ids = self.path.parent / id_list_name(self.stem)
        if self.annotations.selected_ids:
            write_ids(ids, self.annotations.selected_ids, annotations=self.annotations, overwrite=True)
        else:
            remove_ids(ids)
        write_annotations(self.annotations, self.path, overwrite=True)


@dataclass(frozen=True)
class LeftOut:
    """A file of a folder that cannot be read: of which clip, where, why, and whether the whole clip is left out."""

    clip: str
    path: Path
    reason: str
    whole: bool


def read_clips(folder: str | Path) -> tuple[list[Clip], list[LeftOut]]:
    """Read the analyses in a folder and below it, by name; one that cannot be read is left out with a warning.

    Raises
    ------
    OptionError
        If it is no folder, or holds no annotations that `analyze` or a review wrote.
    AnnotationError
        If it holds annotations, and none of them can be read.

    Warns
    -----
    AnnotationWarning
        For each file that is left out. Without its vectors a clip's faces are compared with none of other clips.
    """
    home = Path(folder)
    if not home.is_dir():
        raise OptionError(f"{home} is not a folder; name the one in which the analyses are")
    paths = sorted(path for path in home.rglob(f"*{ENDING}") if path.is_file() and not path.is_symlink())
    if not paths:
        raise OptionError(f"{home} holds no analysis: no file in it ends in {ENDING}; analyze the videos first")
    clips: list[Clip] = []
    left_out: list[LeftOut] = []
    embedder = LaterEmbedder()
    for name, path in zip(_names(paths, home), paths, strict=True):
        clip, broken = _read(name, path, embedder)
        clips += [] if clip is None else [clip]
        left_out += broken
    if not clips:
        raise AnnotationError(f"none of the {len(paths)} analyses in {home} can be read; {left_out[0].reason}")
    for found in left_out:
        what = "the clip is" if found.whole else "the vectors of its faces are"
        text = f"clip {found.clip}: {what} left out, since a file cannot be read: {found.reason}"
        warnings.warn(text, AnnotationWarning, stacklevel=3)
    return clips, left_out


def _names(paths: Sequence[Path], home: Path) -> list[str]:
    """Return a name of its own for each clip: that of its video, after the folders that it lies in."""
    stems = [path.name.removesuffix(ENDING) for path in paths]
    whole = [(path.parent.relative_to(home) / stem).as_posix() for path, stem in zip(paths, stems, strict=True)]
    # The folder that the first pass makes of a video says nothing more than its name.
    parents = [
        path.parent.parent if path.parent.name == f"{stem}_analysis" and path.parent != home else path.parent
        for path, stem in zip(paths, stems, strict=True)
    ]
    short = [(parent.relative_to(home) / stem).as_posix() for parent, stem in zip(parents, stems, strict=True)]
    often = Counter(short)
    return [name if often[name] == 1 else longer for name, longer in zip(short, whole, strict=True)]


def _read(name: str, path: Path, embedder: Embedder) -> tuple[Clip | None, list[LeftOut]]:
    """Return the clip of annotations, and which of its two files cannot be read."""
    try:
        annotations = read_annotations(path)
    except (RedactkitError, OSError) as err:
        reason = f"{_naming(err, path)}; analyze the video anew, or take the file out of the folder"
        return None, [LeftOut(name, path, reason, whole=True)]
    stored = path.parent / embeddings_name(path.name.removesuffix(ENDING))
    if not stored.is_file():
        return Clip(name, path, annotations, FaceVectors()), []
    try:
        vectors = _vectors(stored, embedder).of(annotations.detections)
        return Clip(name, path, annotations, vectors), []
    except (AnnotationError, DetectorError) as err:
        return Clip(name, path, annotations, FaceVectors()), [LeftOut(name, stored, str(err), whole=False)]


def _vectors(path: Path, embedder: Embedder) -> FaceVectors:
    """Return the vectors of a file; those that waited for others to be compared with are made, and kept."""
    vectors = load_vectors(path)
    if not vectors.waiting:
        return vectors
    vectors = made(vectors, embedder)
    with suppress(OSError):  # where nothing may be written they are made again the next time
        save_vectors(vectors, path)
    return vectors


def _naming(error: Exception, path: Path) -> str:
    """Return what an error says, with the path where it does not name it."""
    text = " ".join(str(error).split())
    return text if path.name in text else f"{path}: {text}"
