"""The leak check: whether every chosen face is hidden in every frame, and nobody was overlooked."""

from __future__ import annotations

from redactkit.verification.queue import review_queue
from redactkit.verification.report import VerificationReport
from redactkit.verification.verify import verify

__all__ = ["VerificationReport", "review_queue", "verify"]
