"""Which boxes are meant, of a file that has boxes of faces, persons, number plates and more."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from redactkit.annotations import Annotations
from redactkit.errors import AnnotationError, OptionError

__all__ = ["FACE", "choose_labels", "count_labels", "require_face_label"]

FACE = "face"
"""The label of a box that has none: this toolkit is about faces."""
_SHOWN = 20


def count_labels(annotations: Annotations) -> dict[str, int]:
    """Return how many boxes have each label, most first; "" stands for boxes without one."""
    counts = annotations.detections["label"].value_counts()
    return {str(label): int(count) for label, count in counts.items()}


def choose_labels(annotations: Annotations, labels: str | Iterable[str]) -> Annotations:
    """Return annotations with only those boxes that have one of some labels.

    Parameters
    ----------
    annotations : Annotations
    labels : str, or iterable of str
        In any case. A box without a label counts as a ``face``.

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
    own = detections["label"].astype(str).str.casefold().replace("", FACE)
    present = set(own)
    absent = [label for label in wanted if label.casefold() not in present]
    if absent and len(detections):
        raise OptionError(f"no box has the label {absent[0]!r}; the labels are {_listed(count_labels(annotations))}")
    kept = own.isin([label.casefold() for label in wanted]).to_numpy(bool)
    rows = detections[kept].reset_index(drop=True)
    decisions = annotations.decisions
    gone = np.setdiff1d(detections["face_id"].to_numpy(), rows["face_id"].to_numpy())
    return annotations.replace(detections=rows, decisions=decisions[~decisions.index.isin(gone)])


def require_face_label(annotations: Annotations) -> None:
    """Refuse annotations in which every box is labelled as something that is no face.

    Boxes of persons or cars may lie anywhere on a face, or beside it. Who wants them hidden names their label.

    Raises
    ------
    AnnotationError
        If each box has a label, and none of the labels speaks of a face or a head.
    """
    labels = annotations.detections["label"].astype(str).str.casefold()
    if len(labels) and not labels.str.fullmatch("|.*(face|head).*").any():
        raise AnnotationError(
            f"no box is labelled as a face; the labels are {_listed(count_labels(annotations))}; "
            "say which to hide with labels= (--label), or pass allow_nothing=True (--allow-nothing)"
        )


def _listed(counts: dict[str, int]) -> str:
    named = [f"{label or f'none (taken for {FACE})'}: {count}" for label, count in counts.items()]
    more = f" and {len(named) - _SHOWN} more" if len(named) > _SHOWN else ""
    return ", ".join(named[:_SHOWN]) + more
