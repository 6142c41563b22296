"""What a redaction was to hide, laid out anew: where, when and how, and what it leaves bare on purpose."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from redactkit import boxes as bx
from redactkit.annotations import Annotations
from redactkit.media import VideoInfo
from redactkit.redaction import RedactionOptions
from redactkit.redaction.plan import Plan, covered_rows, hidden_frames, hidden_rows, lay_out
from redactkit.tables import BOX
from redactkit.tracking.regions import as_regions
from redactkit.verification.repaint import Painting
from redactkit.verification.settings import RecordedRedaction
from redactkit.verification.unknown_faces import Known

__all__ = ["Hiding"]

WIDE = 0.5
"""Margin of what the fidelity check leaves out."""


@dataclass(frozen=True, eq=False)
class Hiding:
    """The boxes of the chosen faces as a redaction with some options hides them.

    Parameters
    ----------
    info : VideoInfo
    annotations : Annotations
        On the frames of ``info``.
    faces : list of int
    options : RedactionOptions
    """

    info: VideoInfo
    annotations: Annotations
    faces: list[int]
    options: RedactionOptions

    @classmethod
    def of(cls, annotations: Annotations, faces: list[int], painting: Painting, recorded: RecordedRedaction) -> Hiding:
        """Return what was to be hidden as the report says, or as the painting was recognised where there is none."""
        looks = {"margin": painting.margin, "strength": painting.strength}
        known = {"blur": painting.kind} if painting.kind else {}
        options = RedactionOptions.of({**recorded.settings, **looks, **known})
        return cls(annotations.video, annotations, faces, options)

    @cached_property
    def plan(self) -> Plan:
        """The boxes as they are painted."""
        return self._lay_out(self.options)

    @cached_property
    def wide(self) -> Plan:
        """The boxes with a wide margin: what is hidden may be hidden wider than anybody says."""
        return self._lay_out(replace(self.options, margin=max(WIDE, self.options.margin)))

    def _lay_out(self, options: RedactionOptions) -> Plan:
        return lay_out(self.annotations, self.info, faces=self.faces, options=options)

    @cached_property
    def rows(self) -> pd.DataFrame:
        """The detections that are hidden."""
        rows = self._chosen
        return rows[hidden_rows(rows, self.annotations.decisions, self.info, self.options)]

    @property
    def _chosen(self) -> pd.DataFrame:
        rows = self.annotations.detections
        return rows[rows["face_id"].isin(self.faces)]

    @cached_property
    def known(self) -> Known:
        """What accounts for faces: boxes that are hidden, and those that are visible or no face on purpose."""
        rows, aside = self.annotations.detections, self.annotations.discarded
        hidden = covered_rows(self.annotations, self.info, faces=self.faces, options=self.options)
        visible = rows[~rows.index.isin(self.rows.index)]
        dismissed = aside[aside["source"] == "manual"]
        regions = [each for each in as_regions(self.annotations.settings.get("regions", ())) if each.rule == "ignore"]
        places = [(region.holds(self.info), region.pixels(self.info)) for region in regions]
        of_frames = [dict(_by_frame(each)) for each in (hidden, visible, dismissed)]
        return Known(of_frames[0], of_frames[1], of_frames[2], ignored=tuple(places))

    @cached_property
    def searched(self) -> NDArray[np.bool_]:
        """The frames that are to be free of faces nobody knows: those in the ranges of the redaction."""
        return hidden_frames(self.info, self.options)

    @property
    def settings(self) -> dict[str, Any]:
        """What the report of a check says of it."""
        return {"ranges": [list(span) for span in self.options.ranges]} if self.options.ranges else {}


def _by_frame(rows: pd.DataFrame) -> Iterator[tuple[int, bx.FloatArray]]:
    ordered = rows.sort_values("frame", kind="stable")
    frames, starts = np.unique(ordered["frame"].to_numpy(), return_index=True)
    yield from zip(frames.tolist(), np.split(ordered[BOX].to_numpy(np.float64), starts[1:]), strict=False)
