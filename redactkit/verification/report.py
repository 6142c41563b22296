"""The verdict on a redacted video: what is bare, where, and for how long."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from redactkit.media import file_sha256
from redactkit.runtime.files import report_path, write_text

if TYPE_CHECKING:
    from redactkit.plots import FaceSheet

__all__ = ["VerificationReport"]


@dataclass(frozen=True)
class VerificationReport:
    """What the leak check found.

    Parameters
    ----------
    source, redacted : Path
    faces : DataFrame
        Index ``face_id`` of every face that should be hidden: ``frames`` in which it has a box,
        ``bare`` frames in which that box still shows the source, ``longest`` such run in frames,
        ``longest_seconds``.
    bare : DataFrame
        One row per bare box: ``frame``, ``time``, ``face_id``, ``x``, ``y``, ``width``, ``height``, ``shared``.
    leaks : DataFrame
        One row per face found in the output that is neither hidden nor left visible on purpose:
        ``frame``, ``time``, ``face_id`` (a number of this report's own), box, ``confidence``, ``sure``.
    fidelity : DataFrame
        As in `redactkit.redaction.RedactionReport`.
    frames : int
        Frames looked at.
    looks : tuple of str
        The ways in which faces were looked for.
    """

    source: Path
    redacted: Path
    faces: pd.DataFrame
    bare: pd.DataFrame
    leaks: pd.DataFrame
    fidelity: pd.DataFrame
    frames: int
    looks: tuple[str, ...]
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def verdict(self) -> str:
        """``clean``, ``exposed``, ``broken`` (fidelity) or ``unproven`` (there was no face to check)."""
        if len(self.bare) or self.leaks["sure"].any():
            return "exposed"
        if not self.fidelity["ok"].astype(bool).all():
            return "broken"
        return "clean" if len(self.faces) and self.frames else "unproven"

    @property
    def ok(self) -> bool:
        """Whether the verdict is ``clean``."""
        return self.verdict == "clean"

    @property
    def exposures(self) -> pd.DataFrame:
        """Every frame in which something is exposed, worst first: bare boxes, then sure leaks."""
        bare = self.bare.assign(kind="bare", weight=self.bare["shared"])
        sure = self.leaks[self.leaks["sure"]]
        leaks = sure.assign(kind="leak", weight=sure["confidence"])
        parts = [part for part in (bare, leaks) if len(part)] or [bare]
        return pd.concat(parts).sort_values(["weight", "frame"], ascending=[False, True], ignore_index=True)

    @property
    def longest_exposure(self) -> tuple[int, float]:
        """Longest run of exposed frames, in frames and in seconds."""
        if not len(self.exposures):
            return 0, 0.0
        table = self.exposures.drop_duplicates("frame").sort_values("frame")
        return longest_run(table["frame"].to_numpy(), table["time"].to_numpy())

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain JSON-able data."""
        tables = {"faces": self.faces.reset_index(), "bare": self.bare, "leaks": self.leaks, "fidelity": self.fidelity}
        return {
            "source": str(self.source),
            "redacted": str(self.redacted),
            **self.summary(),
            "settings": dict(self.settings),
            **{
                name: json.loads(table.to_json(orient="records", default_handler=str)) for name, table in tables.items()
            },
        }

    def to_json(self) -> str:
        """Return the report as JSON text."""
        return json.dumps(self.to_dict(), indent=1, default=str)

    def summary(self) -> dict[str, Any]:
        """Return the verdict in a few plain values."""
        longest = self.longest_exposure
        return {
            "verdict": self.verdict,
            "frames": self.frames,
            "looks": list(self.looks),
            "bare_boxes": len(self.bare),
            "leaks": int(self.leaks["sure"].sum()),
            "longest_exposure": {"frames": longest[0], "seconds": longest[1]},
            "checked": datetime.now(UTC).isoformat(timespec="seconds"),
        }

    def attach(self) -> Path | None:
        """Add the summary to the report that `redactkit.redact` left beside the redacted video.

        Returns
        -------
        Path or None
            The report; None where there is none, or it is of another file.
        """
        path = report_path(self.redacted)
        if not path.is_file():
            return None
        record = json.loads(path.read_text(encoding="utf-8"))
        if record.get("output_sha256") != file_sha256(self.redacted):
            return None
        text = json.dumps(record | {"verification": self.summary()}, indent=1)
        return write_text(path, text, overwrite=True)

    def __str__(self) -> str:
        frames, seconds = self.longest_exposure
        lines = [f"{self.redacted}: {self.verdict}, {self.frames} frames looked at ({', '.join(self.looks)})"]
        if self.verdict == "unproven":
            lines.append("  no face was to be hidden, so that nothing found proves nothing")
        bare = self.faces[self.faces["bare"] > 0]
        lines += [
            f"  face {row.Index}: bare in {row.bare} of {row.frames} frames, "
            f"longest {row.longest} frames ({row.longest_seconds:.2f} s)"
            for row in bare.itertuples()
        ]
        for number, rows in self.leaks[self.leaks["sure"]].groupby("face_id"):
            first = rows.iloc[0]
            lines.append(
                f"  unknown face {number}: {len(rows)} frames from frame {first['frame']} ({first['time']:.3f} s)"
            )
        unsure = self.leaks[~self.leaks["sure"].astype(bool)]
        if len(unsure):
            lines.append(f"  {len(unsure)} weak findings to look at (leaks table)")
        if frames:
            lines.append(f"  longest exposure: {frames} frames, {seconds:.2f} s")
        lines += [
            f"  fidelity: {row['check']}: expected {row['expected']}, got {row['got']}"
            for row in _broken(self.fidelity)
        ]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        lines = "<br>".join(escape(line) for line in str(self).splitlines())
        tables = (self.faces, self.exposures.head(20), self.fidelity)
        return f"<p>{lines}</p>" + "".join(table.to_html(escape=True) for table in tables if len(table))

    def contact_sheet(self, *, count: int = 12) -> FaceSheet:
        """Return a picture of the worst frames of the output, each exposed face outlined; ``savefig`` saves it."""
        from redactkit.verification.sheet import contact_sheet

        return contact_sheet(self, count=count)


def _broken(fidelity: pd.DataFrame) -> list[dict[Any, Any]]:
    return [dict(row) for row in fidelity[~fidelity["ok"].astype(bool)].to_dict(orient="records")]


def longest_run(frames: Any, times: Any) -> tuple[int, float]:
    """Return the longest run of consecutive frames, in frames and from the first's to the last's time."""
    if not len(frames):
        return 0, 0.0
    starts = np.flatnonzero(np.diff(frames, prepend=frames[0] - 2) != 1)
    ends = np.append(starts[1:], len(frames)) - 1
    longest = int(np.argmax(ends - starts))
    first, last = starts[longest], ends[longest]
    return int(last - first + 1), float(times[last] - times[first])
