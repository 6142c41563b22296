"""Look into annotation files: what they hold, what is suspicious about it, and how two of them differ."""

from redactkit.inspection.inspect import Inspection, inspect
from redactkit.inspection.suspicions import FINDINGS, find_gaps, find_suspicious

__all__ = ["FINDINGS", "Inspection", "find_gaps", "find_suspicious", "inspect"]
