"""Import OpenVINO without its telemetry."""

from __future__ import annotations

import importlib
import sys
from typing import Any

__all__ = ["ov"]

TELEMETRY = "openvino_telemetry"


def _import_openvino() -> Any:
    """Import OpenVINO while its telemetry package cannot be imported.

    ``import openvino`` reports every import to a server and writes an identifier to the home directory. It does
    neither if the package ``openvino_telemetry`` cannot be imported, so that is blocked during the import.
    """
    if TELEMETRY in sys.modules:
        return importlib.import_module("openvino")
    sys.modules[TELEMETRY] = None  # type: ignore[assignment]
    try:
        return importlib.import_module("openvino")
    finally:
        del sys.modules[TELEMETRY]


ov = _import_openvino()
