"""OpenVINO itself, imported so that it tells nobody."""

from __future__ import annotations

import importlib
import sys
from typing import Any

__all__ = ["ov"]

TELEMETRY = "openvino_telemetry"


def _import_openvino() -> Any:
    """Import OpenVINO with its telemetry out of reach.

    By itself ``import openvino`` tells a server about every import and writes an identifier to the
    home directory. It goes without where the package for that cannot be imported, so for the length of
    the import this one cannot be.
    """
    if TELEMETRY in sys.modules:
        return importlib.import_module("openvino")
    sys.modules[TELEMETRY] = None  # type: ignore[assignment]
    try:
        return importlib.import_module("openvino")
    finally:
        del sys.modules[TELEMETRY]


ov = _import_openvino()
