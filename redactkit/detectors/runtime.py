"""Import OpenVINO without its telemetry, and compile networks such that what they leave behind is little."""

from __future__ import annotations

import importlib
import os
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

__all__ = ["compile_model", "ov"]

TELEMETRY = "openvino_telemetry"

KEPT_KERNELS = 128
"""Compiled kernels of layers that oneDNN keeps, whichever networks are still there; by default 1,024, and then ten
sizes of CenterFace leave 46 MB behind. Lower keeps less memory, but below the hundred of one network its two streams
cannot share theirs."""

_KEPT_KERNELS_VARIABLES = ("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "DNNL_PRIMITIVE_CACHE_CAPACITY")

_first_compiled = threading.Event()
_first_compiling = threading.Lock()


def compile_model(model: Any, device: str, config: Mapping[str, Any], *, core: Any | None = None) -> Any:
    """Compile a network for a device, on a given core of OpenVINO or a new one; raises RuntimeError as that does."""
    core = ov.Core() if core is None else core
    if _first_compiled.is_set():
        return core.compile_model(model, device, dict(config))
    with _first_compiling, _few_kept_kernels():
        compiled = core.compile_model(model, device, dict(config))
        _first_compiled.set()
    return compiled


@contextmanager
def _few_kept_kernels() -> Iterator[None]:
    """Limit the kernels kept, unless the user has chosen: oneDNN reads the variable once, with the first kernel.

    It is unset afterwards, since other libraries of the process may bring a oneDNN of their own.
    """
    if any(name in os.environ for name in _KEPT_KERNELS_VARIABLES):
        yield
        return
    os.environ[_KEPT_KERNELS_VARIABLES[0]] = str(KEPT_KERNELS)
    try:
        yield
    finally:
        os.environ.pop(_KEPT_KERNELS_VARIABLES[0], None)


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
