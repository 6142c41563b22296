"""The leak check: whether every chosen face is hidden in every frame, and nobody was overlooked."""

from __future__ import annotations

from redactkit.verification.actions import ANSWERS, Answer
from redactkit.verification.page import crops
from redactkit.verification.queue import review_queue
from redactkit.verification.record import SavedCheck, read_check, save_check
from redactkit.verification.report import VerificationReport
from redactkit.verification.rounds import MOST_ROUNDS, Checked, hide_found, redact_until_clean, take_over
from redactkit.verification.verify import verify

__all__ = [
    "ANSWERS",
    "MOST_ROUNDS",
    "Answer",
    "Checked",
    "SavedCheck",
    "VerificationReport",
    "crops",
    "hide_found",
    "read_check",
    "redact_until_clean",
    "review_queue",
    "save_check",
    "take_over",
    "verify",
]
