"""Which boxes are meant, of a file that has boxes of faces, persons, number plates and more."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from redactkit.annotations import Annotations
from redactkit.errors import AnnotationError, OptionError
from redactkit.runtime.kinds import FACE, kind_of_label, kinds_of_labels

__all__ = ["FACE", "choose_labels", "class_names", "count_labels", "require_face_label", "stated_kinds"]

_SHOWN = 20
_LONGEST = 60  # characters of a label in a message


def count_labels(annotations: Annotations) -> dict[str, int]:
    """Return how many boxes have each label, most first; "" stands for boxes without one."""
    counts = annotations.detections["label"].value_counts()
    return {str(label): int(count) for label, count in counts.items()}


def stated_kinds(detections: pd.DataFrame) -> NDArray[np.object_]:
    """Return the kind of each box where it must be written, and "" where its label tells it."""
    kinds = detections["kind"].to_numpy(object)
    return np.where(kinds == kinds_of_labels(detections["label"].to_numpy(object)), "", kinds)


def class_names(detections: pd.DataFrame) -> list[str]:
    """Return the one word by which a format calls each box: its label, or its kind where it has none."""
    labels = detections["label"].to_numpy(object)
    return [str(name) for name in np.where(labels == "", detections["kind"].to_numpy(object), labels)]


def choose_labels(annotations: Annotations, labels: str | Iterable[str]) -> Annotations:
    """Return annotations with only those boxes that have one of some labels.

    Parameters
    ----------
    annotations : Annotations
    labels : str, or iterable of str
        In any case. A box without a label goes by its kind. Where no box has a label, that of a kind is taken:
        ``plate`` also finds ``license_plate``.

    Raises
    ------
    OptionError
        If no label is given, or no box has one of them; the labels there are, are named.

    Examples
    --------
    >>> choose_labels(annotations, ["face", "head"])  # doctest: +SKIP
    """
    wanted = [labels] if isinstance(labels, str) else list(labels)
    if not wanted:
        raise OptionError("labels must name at least one label; leave it away for every box")
    detections = annotations.detections
    own = np.array([name.casefold() for name in class_names(detections)], object)
    kinds = kinds_of_labels(detections["label"].to_numpy(object))
    kept = np.zeros(len(detections), bool)
    for label in wanted:
        mine = own == label.casefold()
        mine = mine if mine.any() else (kinds == label.casefold()) & (own != "")
        if not mine.any() and len(detections):
            raise OptionError(f"no box has the label {label!r}; the labels are {_listed(annotations)}")
        kept |= mine
    rows = detections[kept].reset_index(drop=True)
    decisions = annotations.decisions
    gone = np.setdiff1d(detections["face_id"].to_numpy(), rows["face_id"].to_numpy())
    return annotations.replace(detections=rows, decisions=decisions[~decisions.index.isin(gone)])


def require_face_label(annotations: Annotations) -> None:
    """Refuse annotations of another tool in which no box is of a face.

    Boxes of persons or cars may lie anywhere on a face, or beside it. Who wants them hidden names their label. Objects
    that were drawn or found as plates or screens have no label: somebody here said what they are.

    Raises
    ------
    AnnotationError
        If every box is labelled, or imported, and none as a face or a head.
    """
    rows = annotations.detections
    labels = rows["label"].to_numpy(object)
    unnamed = labels == ""
    of_faces = {label for label in set(labels.tolist()) if label and kind_of_label(str(label)) == FACE}
    ours = unnamed & (rows["source"] != "imported").to_numpy()
    faces = (unnamed & (rows["kind"] == FACE).to_numpy()) | np.isin(labels, list(of_faces))
    if len(rows) and not (faces | ours).any():
        raise AnnotationError(
            f"no box is labelled as a face; the labels are {_listed(annotations)}; "
            "say which to hide with labels= (--label), or pass allow_nothing=True (--allow-nothing)"
        )


def _listed(annotations: Annotations) -> str:
    rows = annotations.detections
    names = [
        name if label else f"none (of the kind {name})"
        for name, label in zip(class_names(rows), rows["label"], strict=True)
    ]
    counts = pd.Series(names, dtype="object").value_counts()
    named = [f"{str(name)[:_LONGEST]}: {count}" for name, count in counts.items()]
    more = f" and {len(named) - _SHOWN} more" if len(named) > _SHOWN else ""
    return ", ".join(named[:_SHOWN]) + more
