"""What an analyst does about a finding: hide it, say that it is no face, or leave it visible."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd

from redactkit.errors import OptionError
from redactkit.review.editing import next_face_id, set_decision
from redactkit.review.relevance import LEAK_CHECK
from redactkit.tables import as_decisions, as_detections, sort_detections

__all__ = ["ANSWERS", "REASON", "Answer", "Settled", "settle"]

Answer = Literal["hide", "no face", "leave visible"]
ANSWERS: tuple[Answer, ...] = ("hide", "no face", "leave visible")
REASON = LEAK_CHECK
"""The reason that a decision has by which a finding was answered."""


class Settled(NamedTuple):
    """The tables of annotations after a finding was acted on, and what was done."""

    detections: pd.DataFrame
    decisions: pd.DataFrame
    discarded: pd.DataFrame
    edit: str


def settle(
    tables: tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame],
    *,
    finding: Mapping[Hashable, Any],
    rows: pd.DataFrame,
    action: Answer,
) -> Settled:
    """Act on one finding.

    Parameters
    ----------
    tables : (detections, decisions, discarded)
    finding : mapping
        A row of the findings.
    rows : DataFrame
        Its boxes, frame by frame.
    action : {"hide", "no face", "leave visible"}
        ``hide`` adds an unknown face, or has a known one redacted; ``no face`` sets the boxes aside as a person's
        word, so that no later check asks again; ``leave visible`` is a decision like any other.

    Raises
    ------
    OptionError
        If the action is unknown, or the finding is about the file and not a face.
    """
    if action not in ANSWERS:
        raise OptionError(f"action must be one of {', '.join(ANSWERS)}, got {action!r}")
    if finding["what"] == "container":
        raise OptionError(f"this finding is about the file ({finding['note']}); redact the video again")
    known = int(str(finding["leak"])) < 0
    act = _settle_known if known else _settle_unknown
    return act(tables, rows, action, int(str(finding["face_id"])))


def _settle_known(
    tables: tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame], rows: pd.DataFrame, action: Answer, face: int
) -> Settled:
    detections, decisions, discarded = tables
    if action != "no face":
        decided = set_decision(decisions, faces=[face], redact=action == "hide", reason=REASON)
        return Settled(detections, decided, discarded, f"face {face}: {action}")
    mine = (detections["face_id"] == face).to_numpy()
    aside = _set_aside(discarded, detections[mine], next_face_id(*tables))
    left = detections[~mine].reset_index(drop=True)
    return Settled(left, decisions.drop(index=face, errors="ignore"), aside, f"face {face} is no face")


def _settle_unknown(
    tables: tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame], rows: pd.DataFrame, action: Answer, _: int
) -> Settled:
    detections, decisions, discarded = tables
    new = next_face_id(*tables)
    if action == "no face":
        frame = int(rows["frame"].min())
        return Settled(detections, decisions, _set_aside(discarded, rows, new), f"no face in frame {frame}")
    drawn = as_detections(rows.assign(face_id=new, source="manual", confidence=np.nan))
    table = sort_detections(pd.concat([detections, drawn], ignore_index=True))
    wanted = {new: {"redact": action == "hide", "reason": REASON}}
    decided = as_decisions(pd.concat([decisions, as_decisions(wanted)]))
    return Settled(table, decided, discarded, f"face {new} found by the leak check: {action}")


def _set_aside(discarded: pd.DataFrame, rows: pd.DataFrame, face: int) -> pd.DataFrame:
    """Add boxes to those that are no face, by a person's word."""
    said = as_detections(rows.assign(face_id=face, source="manual"))
    return sort_detections(pd.concat([discarded, said], ignore_index=True))
