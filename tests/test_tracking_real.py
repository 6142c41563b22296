"""Linking on true tracks of a real crowd, where their folder is present."""

from __future__ import annotations

import importlib
from pathlib import Path

import numpy as np
import pytest

from redactkit.boxes import FloatArray
from redactkit.tables import BOX, as_detections
from redactkit.tracking import link


@pytest.fixture
def tracks(shared_eval: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = shared_eval / "tracks"
    if not folder.is_dir():
        pytest.skip("needs the real tracks of ../shared/eval/tracks, which are not here")
    monkeypatch.syspath_prepend(str(folder))
    return folder


def as_table(found: FloatArray):
    """Return rows of frame, box and confidence as detections."""
    columns = dict(zip(BOX, found[:, 1:5].T, strict=True))
    return as_detections({"frame": found[:, 0].astype(int), "face_id": 0, "confidence": found[:, 5], **columns})


@pytest.mark.parametrize(
    ("condition", "ids", "mixed"), [("a", 1.5, 8), ("b", 1.7, 14), ("c", 1.9, 18)], ids=["clean", "rough", "sparse"]
)
def test_link_holds_where_a_camera_walks_through_a_crowd(tracks: Path, condition, ids, mixed):
    ltft, making, scoring = map(importlib.import_module, ("ltft", "make_detections", "score_tracks"))
    truth = tracks / "terminal_3.txt"
    frames, rows, _ = ltft.load(str(truth))
    found = making.conditions(rows, frames, ltft.size("terminal_3"), np.random.default_rng(0))[condition]
    linked = link(as_table(found), frame_rate=25)
    result = scoring.score(str(truth), linked[["frame", "face_id", *BOX]].to_numpy(float))
    assert result["ids_per_appearance"] < ids
    assert result["mixed_ids"] <= mixed
