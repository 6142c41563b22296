"""The clips of a folder: their annotations, vectors of faces and thumbnails, and how decisions are written back."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from redactkit.annotations import Annotations, find_thumbnails
from redactkit.errors import OptionError
from redactkit.formats import id_list_name, read_annotations, write_annotations, write_ids
from redactkit.formats.ids import remove_ids
from redactkit.people.storage import embeddings_name, load_vectors
from redactkit.people.vectors import FaceVectors

__all__ = ["Clip", "read_clips"]

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


def read_clips(folder: str | Path) -> list[Clip]:
    """Read the analyses in a folder and below it, by name.

    Raises
    ------
    OptionError
        If it is no folder, or holds no annotations that `analyze` or a review wrote.
    AnnotationError
        If one of them, or a file of vectors, cannot be read.
    """
    home = Path(folder)
    if not home.is_dir():
        raise OptionError(f"{home} is not a folder; name the one in which the analyses are")
    paths = sorted(path for path in home.rglob(f"*{ENDING}") if path.is_file() and not path.is_symlink())
    if not paths:
        raise OptionError(f"{home} holds no analysis: no file in it ends in {ENDING}; analyze the videos first")
    return [_read(path, home) for path in paths]


def _read(path: Path, home: Path) -> Clip:
    stem = path.name.removesuffix(ENDING)
    above = path.parent.relative_to(home).as_posix()
    # The folder that the first pass makes of a video says nothing more than its name.
    above = above.removesuffix(f"{stem}_analysis").strip("/.")
    annotations = read_annotations(path)
    stored = path.parent / embeddings_name(stem)
    vectors = load_vectors(stored).of(annotations.detections) if stored.is_file() else FaceVectors()
    return Clip(f"{above}/{stem}" if above else stem, path, annotations, vectors)
