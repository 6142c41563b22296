"""The first pass: detect every face, track it through the video, and write annotations and thumbnails."""

from __future__ import annotations

from redactkit.analysis.analyze import analyze, default_folder, find_annotations
from redactkit.analysis.checkpoint import checkpoint_folder

__all__ = ["analyze", "checkpoint_folder", "default_folder", "find_annotations"]
