"""Hide what the leak check found and check again, a few times, so that a person is asked only about what is left."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from redactkit.annotations import Annotations
from redactkit.errors import OptionError
from redactkit.redaction import RedactionReport
from redactkit.review.editing import next_face_id
from redactkit.tables import as_decisions, sort_detections
from redactkit.verification.actions import REASON
from redactkit.verification.report import VerificationReport

if TYPE_CHECKING:
    from redactkit.review import Review

__all__ = ["MOST_ROUNDS", "Checked", "hide_found", "redact_until_clean", "take_over"]

MOST_ROUNDS = 3
"""Times that a video is written again. Raising it leaves fewer findings to a person, and takes the machine longer."""


@dataclass(frozen=True)
class Checked:
    """A redaction with its leak check, after what was found was hidden.

    Parameters
    ----------
    report : RedactionReport
        Of the file as it is now.
    check : VerificationReport
        Of that file.
    annotations : Annotations
        By which it was made: those given, and a face for each finding that was hidden.
    hidden : tuple of int
        How many findings were hidden before each time that the file was written again.
    """

    report: RedactionReport
    check: VerificationReport
    annotations: Annotations
    hidden: tuple[int, ...] = ()

    @property
    def summary(self) -> str:
        """What was done beyond one redaction and its check, in words; empty where nothing was."""
        count, times = sum(self.hidden), len(self.hidden)
        found = f"{count} finding{'s were' if count > 1 else ' was'} hidden"
        return f"{found}, and the video was written and checked {times} more time{'s' * (times > 1)}" if times else ""


def hide_found(annotations: Annotations, check: VerificationReport) -> tuple[Annotations, int]:
    """Hide every face that a leak check found, sure or not, that no track has: in doubt more is covered.

    Left alone are findings that more boxes do not mend, which are about boxes that are hidden already and about the
    file, and what is found beside a face that was left visible: nobody knows whether that may be seen too.

    Returns
    -------
    annotations : Annotations
        The same where nothing was hidden.
    count : int
        How many findings were.
    """
    found = check.findings
    if not len(found):
        return annotations, 0
    decisions = annotations.decisions
    visible = decisions.index[~decisions["redact"].astype(bool) | (decisions["visible_at"] != "")]
    wanted = found[(found["leak"] >= 0) & ~found["face_id"].isin(visible)]
    for finding in wanted.index:
        annotations = check.settle(annotations, int(finding), "hide")
    return annotations, len(wanted)


def redact_until_clean(
    annotations: Annotations,
    *,
    write: Callable[[Annotations], RedactionReport],
    check: Callable[[RedactionReport, Annotations], VerificationReport],
    rounds: int = MOST_ROUNDS,
    checked: Callable[[Checked], None] = lambda _: None,
) -> Checked:
    """Redact and check; hide what was found, and do both again, until nothing is found that can be hidden.

    Parameters
    ----------
    annotations : Annotations
    write : callable
        Writes the redacted video, each time in place of the last one.
    check : callable
        Looks for leaks in it.
    rounds : int
        Times that it is written again at most. 0 checks once, and hides nothing.
    checked : callable
        Called after each check, also the last.

    Raises
    ------
    OptionError
        If ``rounds`` is negative.
    """
    if rounds < 0:
        raise OptionError(f"rounds must be 0 or more, got {rounds}")
    hidden: tuple[int, ...] = ()
    while True:
        report = write(annotations)
        done = Checked(report, check(report, annotations), annotations, hidden)
        checked(done)
        more, count = hide_found(annotations, done.check) if len(hidden) < rounds else (annotations, 0)
        if not count:
            return done
        annotations, hidden = more, (*hidden, count)


def take_over(review: Review, before: Annotations, after: Annotations) -> int:
    """Give a review the faces that ``after`` has more than ``before``, as one edit; return how many.

    The review may have been edited since ``before`` was taken from it: a face whose ID is in use gets another one.
    """
    new = after.detections[~after.detections["face_id"].isin(before.decisions.index)]
    faces = sorted(int(face) for face in new["face_id"].unique())
    if not faces:
        return 0
    with review.lock:
        first = next_face_id(review.detections, review.decisions, review.discarded)
        numbers = {face: first + place for place, face in enumerate(faces)}
        rows = new.assign(face_id=new["face_id"].map(numbers))
        decided = as_decisions({number: {"redact": True, "reason": REASON} for number in numbers.values()})
        review.edit(
            f"{len(faces)} face{'s' * (len(faces) > 1)} found by the leak check hidden",
            detections=sort_detections(pd.concat([review.detections, rows], ignore_index=True)),
            decisions=as_decisions(pd.concat([review.decisions, decided])),
        )
    return len(faces)
