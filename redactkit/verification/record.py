"""The file beside a redacted video in which its leak check is kept, so that findings can be answered later."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from redactkit.errors import MismatchError, OptionError
from redactkit.media import file_sha256
from redactkit.runtime.files import check_output, check_path, write_text
from redactkit.runtime.marks import CHECK_MARK, MARK
from redactkit.verification.actions import Answer
from redactkit.verification.findings import bare_table, leak_rows
from redactkit.verification.report import VerificationReport

__all__ = ["SavedCheck", "read_check", "save_check"]


@dataclass(frozen=True)
class SavedCheck:
    """A leak check that was kept, and what was answered since.

    Parameters
    ----------
    report : VerificationReport
    answers : dict of int to str
        What was done about a finding, by its number.
    sha256 : str
        Of the redacted video that was checked.
    """

    report: VerificationReport
    answers: dict[int, Answer]
    sha256: str

    def check_open(self, findings: list[int]) -> None:
        """Refuse findings that are not there, are about the file, or were answered before.

        Raises
        ------
        OptionError
            If one of them is.
        """
        for number in findings:
            self.report.rows_of(number)
            if number in self.answers:
                done = self.answers[number]
                raise OptionError(f"finding {number} was answered before ({done}); redact again and check that")
            if findings.count(number) > 1:
                raise OptionError(f"finding {number} has two answers; give one")

    def save(self, answers: Mapping[int, Answer], *, annotations: str | Path) -> Path:
        """Keep what was answered on top of what is kept already, and the file that the next answers go on from."""
        return _write(_with_annotations(self.report, annotations), self.sha256, self.answers | dict(answers))


def save_check(report: VerificationReport, *, annotations: str | Path | None = None) -> Path:
    """Keep a leak check beside the redacted video, as ``foo_redacted.check.json``; replaces the last one there.

    ``annotations`` is the file in which answers go, if there is one.

    Raises
    ------
    OutputExistsError
        If another file has that name.
    """
    if annotations is not None:
        report = _with_annotations(report, annotations)
    return _write(report, file_sha256(report.redacted), {})


def _with_annotations(report: VerificationReport, path: str | Path) -> VerificationReport:
    return replace(report, settings={**report.settings, "annotations": str(Path(path).absolute())})


def _write(report: VerificationReport, sha256: str, answers: dict[int, Answer]) -> Path:
    path = check_path(report.redacted)
    check_output(path, overwrite=_load(path) is not None)
    said = {MARK: CHECK_MARK, "redacted_sha256": sha256, "answers": answers}
    return write_text(path, json.dumps(report.to_dict() | said, indent=1, default=str), overwrite=True)


def read_check(redacted: str | Path) -> SavedCheck:
    """Read the leak check that was kept of a redacted video.

    Raises
    ------
    OptionError
        If there is none.
    MismatchError
        If the video is another one by now.
    """
    path = check_path(redacted)
    saved = _load(path)
    if saved is None:
        raise OptionError(f"no leak check of {redacted} at {path}; run verify first")
    if saved["redacted_sha256"] != file_sha256(redacted):
        raise MismatchError(f"{redacted} is not the file that was checked: its SHA-256 is another one; verify it again")
    faces = pd.DataFrame(saved["faces"]).set_index("face_id") if saved["faces"] else pd.DataFrame()
    report = VerificationReport(
        source=Path(saved["source"]),
        redacted=Path(redacted),
        faces=faces,
        bare=bare_table(saved["bare"]),
        leaks=leak_rows(saved["leaks"]),
        fidelity=pd.DataFrame(saved["fidelity"], columns=["check", "expected", "got", "ok", "note"]),
        frames=saved["frames"],
        searches=tuple(saved["looks"]),
        settings=saved["settings"],
    )
    return SavedCheck(
        report, {int(number): done for number, done in saved["answers"].items()}, saved["redacted_sha256"]
    )


def _load(path: Path) -> dict[str, Any] | None:
    """Return what is in the file of a leak check, None where it is none."""
    try:
        saved = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return saved if isinstance(saved, dict) and saved.get(MARK) == CHECK_MARK else None
