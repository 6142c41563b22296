"""The verdict on a redacted video: what is bare, where, and for how long."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from redactkit.annotations import Annotations
from redactkit.errors import OptionError
from redactkit.media import VideoInfo, file_sha256
from redactkit.runtime.files import report_path, write_text
from redactkit.runtime.timecode import timecode
from redactkit.tables import as_detections
from redactkit.tracking.extension import extend
from redactkit.verification.actions import Answer, settle
from redactkit.verification.findings import GAP, UNLIKE, list_findings, longest_run
from redactkit.verification.page import findings_html, page_html
from redactkit.verification.unknown_faces import SEARCH_STEP_SECONDS

if TYPE_CHECKING:
    from redactkit.plots import FaceSheet
    from redactkit.review import Review

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
        One row per box that is not as it should be: ``frame``, ``time``, ``face_id``, ``x``, ``y``, ``width``,
        ``height``, ``shared`` (share that shows the source), ``what``.
    leaks : DataFrame
        One row per frame of a face that hidden boxes do not cover and that was not left visible on purpose:
        ``frame``, ``time``, ``face_id`` (a number of this report's own), box, ``confidence``, ``covered`` (share),
        ``nearest`` (the known face at the place, -1 for none), ``what``, ``sure``.
    fidelity : DataFrame
        As in `redactkit.redaction.RedactionReport`.
    frames : int
        Frames looked at.
    searches : tuple of str
        The ways in which faces were looked for.

    Examples
    --------
    >>> check = redactkit.verify("lobby.mp4", "lobby_redacted.mp4", annotations)  # doctest: +SKIP
    >>> check.verdict  # doctest: +SKIP
    'clean'
    """

    source: Path
    redacted: Path
    faces: pd.DataFrame
    bare: pd.DataFrame
    leaks: pd.DataFrame
    fidelity: pd.DataFrame
    frames: int
    searches: tuple[str, ...]
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def verdict(self) -> str:
        """The first that holds of ``exposed``, ``broken``, ``to be looked at``, ``unproven`` and ``clean``.

        ``broken`` is fidelity, ``unproven`` means that there was no face to check.
        """
        if (self.findings["verdict"] == "exposed").any():
            return "exposed"
        if not self.fidelity["ok"].astype(bool).all():
            return "broken"
        if len(self.findings):
            return "to be looked at"
        return "clean" if len(self.faces) and self.frames else "unproven"

    @property
    def ok(self) -> bool:
        """Whether the verdict is ``clean``."""
        return self.verdict == "clean"

    @property
    def findings(self) -> pd.DataFrame:
        """One row for each appearance to act on, index ``finding`` from 1; columns of `findings.FINDINGS`."""
        return list_findings(self.bare, self.leaks, self.fidelity)

    def rows_of(self, finding: int) -> pd.DataFrame:
        """Return the boxes of one finding, frame by frame.

        Raises
        ------
        OptionError
            If there is no such finding.
        """
        found = self.findings
        if finding not in found.index:
            raise OptionError(f"finding must be 1 to {len(found)}, got {finding}")
        row = found.loc[finding]
        if row["leak"] >= 0:
            return self.leaks[self.leaks["face_id"] == row["leak"]]
        inside = self.bare["frame"].between(row["first_frame"], row["last_frame"])
        return self.bare[inside & (self.bare["face_id"] == row["face_id"])]

    def settle(self, annotations: Annotations | Review, finding: int, action: Answer) -> Annotations:
        """Act on one finding, and return the annotations after it; a review is edited, and can undo it.

        Parameters
        ----------
        annotations : Annotations or Review
        finding : int
            Its number, from 1.
        action : {"hide", "no face", "leave visible"}
            To be hidden (an unknown face is added, with the frames before and after it to which the search may not
            have come), never to be asked about again, or left visible. Redact again after ``hide``.

        Raises
        ------
        OptionError
            If there is no such finding or action, or the finding is about the file.
        """
        rows = self.rows_of(finding)
        found = self.findings.loc[finding]
        if action == "hide" and found["leak"] >= 0 and found["what"] != GAP:
            rows = _extended(rows, annotations.video, annotations.cuts)
        tables = (annotations.detections, annotations.decisions, annotations.discarded)
        done = settle(tables, finding=found.to_dict(), rows=rows, action=action)
        changed = {"detections": done.detections, "decisions": done.decisions, "discarded": done.discarded}
        if isinstance(annotations, Annotations):
            return annotations.replace(**changed)
        annotations.edit(done.edit, **changed)
        return annotations.annotations

    def save_page(self, path: str | Path, *, overwrite: bool = False) -> Path:
        """Write the findings with their pictures as one HTML file, readable by its owner alone."""
        return write_text(path, page_html(self), overwrite=overwrite)

    def save_csv(self, path: str | Path, *, overwrite: bool = False) -> Path:
        """Write the findings as CSV, one row each."""
        return write_text(path, self.findings.to_csv(), overwrite=overwrite)

    @property
    def headline(self) -> list[str]:
        """The verdict in a line or two."""
        lines = [f"{self.redacted}: {self.verdict}, {self.frames} frames looked at ({', '.join(self.searches)})"]
        ranges = self.settings.get("ranges") or ()
        if ranges:
            ranges_text = ", ".join(f"{timecode(start)} to {timecode(stop)}" for start, stop in ranges)
            lines.insert(0, f"CHECKED FROM {ranges_text} ONLY: outside of that everything is left bare, as was asked")
        if self.verdict == "unproven":
            lines.append("  no face was to be hidden, so that nothing found proves nothing")
        return lines

    @property
    def exposures(self) -> pd.DataFrame:
        """Every frame in which something is exposed, worst first: bare boxes, then sure leaks."""
        bare = self.bare[self.bare["what"] != UNLIKE]
        bare = bare.assign(kind="bare", weight=bare["shared"])
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
        tables = {"findings": self.findings.reset_index(), "faces": self.faces.reset_index()}
        tables |= {"bare": self.bare, "leaks": self.leaks, "fidelity": self.fidelity}
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
            **({"ranges": self.settings["ranges"]} if self.settings.get("ranges") else {}),
            "frames": self.frames,
            "looks": list(self.searches),
            "bare_boxes": int((self.bare["what"] != UNLIKE).sum()),
            "leaks": int(self.leaks["sure"].sum()),
            "findings": int((self.findings["verdict"] == "exposed").sum()),
            "to_be_looked_at": int((self.findings["verdict"] != "exposed").sum()),
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
        lines = self.headline
        lines += [
            f"  {number}. {_describe(row)}" for number, row in zip(count(1), self.findings.itertuples(), strict=False)
        ]
        if frames:
            lines.append(f"  longest exposure: {frames} frames, {seconds:.2f} s")
        lines += [
            f"  fidelity: {row['check']}: expected {row['expected']}, got {row['got']}"
            for row in _broken(self.fidelity)
        ]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        broken = _broken(self.fidelity)
        table = pd.DataFrame(broken).to_html(escape=True, index=False) if broken else ""
        return findings_html(self) + table

    def contact_sheet(self, *, count: int = 12) -> FaceSheet:
        """Return a picture of the worst frames of the output, each exposed face outlined; ``savefig`` saves it."""
        from redactkit.verification.sheet import contact_sheet

        title = f"{self.redacted.name}: {self.verdict}"
        return contact_sheet(self.redacted, self.exposures, title=title, count=count)


def _extended(rows: pd.DataFrame, video: VideoInfo, cuts: Any) -> pd.DataFrame:
    """Extend an unknown face by the frames to the next ones that the check searched, where it may be as well."""
    padding = round(SEARCH_STEP_SECONDS * float(video.frame_rate))
    return extend(as_detections(rows), before=padding, after=padding, times=video.times, cuts=cuts)


def _describe(row: Any) -> str:
    """Return one finding in a line."""
    of = "near" if row.leak >= 0 else "of"
    whose = "" if row.face_id < 0 else f" {of} face {row.face_id}"
    span = f", {row.frames} frames from {row.first_frame} ({row.start:.3f} s to {row.end:.3f} s)" if row.frames else ""
    return f"{row.verdict}: {row.what}{whose}{span}" + (f", {row.note}" if row.note else "")


def _broken(fidelity: pd.DataFrame) -> list[dict[Any, Any]]:
    return [dict(row) for row in fidelity[~fidelity["ok"].astype(bool)].to_dict(orient="records")]
