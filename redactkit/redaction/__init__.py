"""The second pass: hide the chosen faces and write a new video, its time and sound unchanged."""

from __future__ import annotations

from redactkit.formats import check_same_video
from redactkit.redaction.options import RedactionOptions
from redactkit.redaction.plan import Plan, make_plan, select_faces
from redactkit.redaction.preparation import Preparation, prepare
from redactkit.redaction.preview import Preview
from redactkit.redaction.report import RedactionReport, check_report, read_report
from redactkit.redaction.writing import default_output, write_redacted
from redactkit.runtime.files import report_path

__all__ = [
    "Plan",
    "Preparation",
    "Preview",
    "RedactionOptions",
    "RedactionReport",
    "check_report",
    "check_same_video",
    "default_output",
    "make_plan",
    "prepare",
    "read_report",
    "report_path",
    "select_faces",
    "write_redacted",
]
