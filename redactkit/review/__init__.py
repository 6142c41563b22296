"""The analyst's session: what is looked at, what was decided, every edit with undo, and autosave. No UI."""

from redactkit.review.review import Review

__all__ = ["Review"]
