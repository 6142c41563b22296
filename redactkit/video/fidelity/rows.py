"""One row of the fidelity check."""

from __future__ import annotations

from typing import Any

__all__ = ["CHECKS", "Row", "equal"]

CHECKS: dict[str, Any] = {"check": "object", "expected": "object", "got": "object", "ok": "bool", "note": "object"}
Row = tuple[str, Any, Any, bool, str]


def equal(check: str, expected: Any, got: Any, note: str = "") -> Row:
    """Return the row of a check that asks for one value."""
    return check, expected, got, bool(expected == got), note
