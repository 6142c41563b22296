"""Redact faces in video, in two passes: analyze, look and decide, redact.

Everything named here is loaded when first used, so that ``import redactkit`` stays quick.
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

_HOMES = {
    "analyze": "redactkit.analysis",
    "redact": "redactkit.passes",
    "combined": "redactkit.passes",
    "redaction_log": "redactkit.redaction.log",
    "check_log": "redactkit.redaction.log",
    "review_queue": "redactkit.verification",
    "verify": "redactkit.verification",
    "submit": "redactkit.jobs",
    "watch": "redactkit.jobs",
    "Jobs": "redactkit.jobs",
    "Annotations": "redactkit.annotations",
    "Review": "redactkit.review",
    "People": "redactkit.people",
    "RedactkitError": "redactkit.errors",
    "VideoInfo": "redactkit.media",
    "probe": "redactkit.video",
    "compare": "redactkit.inspection.comparison",
    "inspect": "redactkit.inspection",
    "read_annotations": "redactkit.formats",
    "write_annotations": "redactkit.formats",
    "sample_path": "redactkit.runtime.resources",
}
_MODULES = ["effects", "formats", "plots", "tables", "tracking", "video", "widgets"]

__all__ = [*_HOMES, *_MODULES]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    if name in _MODULES:
        return importlib.import_module(f"redactkit.{name}")
    raise AttributeError(f"module 'redactkit' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
