"""Presets: the job configuration of the original service."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from redactkit.errors import AnnotationError
from redactkit.formats.source import decode_json, load_bytes, lower_keys, to_utf8

__all__ = ["Preset", "read_preset"]

MODES = ["analyze", "redact", "combined"]
AZURE_BLURS = ["Low", "Med", "High", "Box", "Black"]
RESOLUTIONS = ["SourceResolution", "StandardDefinition"]
STANDARD_DEFINITION_PIXELS = 640
"""Longer side of the picture that is searched where a preset asks for standard definition."""
_MOST_BYTES = 2**20


@dataclass(frozen=True)
class Preset:
    """What a job does: ``mode``, ``blur`` and the ``resolution`` at which faces are looked for."""

    mode: str = "combined"
    blur: str = "Med"
    resolution: str = "SourceResolution"

    @property
    def detection_size(self) -> int | None:
        """Longer side in pixels of the picture that is searched, as `redactkit.analyze` takes it; None for its own."""
        return STANDARD_DEFINITION_PIXELS if self.resolution == "StandardDefinition" else None


def read_preset(source: str | Path | Mapping[str, Any]) -> Preset:
    """Read a job configuration.

    Parameters
    ----------
    source : path or mapping
        ``{"version": "1.0", "options": {"mode": "analyze", "blurType": "Med"}}``; keys and values in
        any case, and options that stand beside ``version`` are read too.

    Returns
    -------
    Preset
        What the preset leaves out has its default: combined, Med, SourceResolution.

    Raises
    ------
    AnnotationError
        If it is no JSON object, an option is unknown, or a value is none of those allowed.

    Examples
    --------
    >>> read_preset({"Version": "1.0", "Options": {"Mode": "analyze"}})
    Preset(mode='analyze', blur='Med', resolution='SourceResolution')
    """
    name = "the preset" if isinstance(source, Mapping) else str(source)
    given = _load(source, name)
    options = given.pop("options", None)
    if options is not None and not isinstance(options, dict):
        raise AnnotationError(f"{name}: options must be an object, got {type(options).__name__}")
    given |= options or {}
    for passed_over in ("version", "@odata.type"):
        given.pop(passed_over, None)
    chosen = Preset(
        mode=_choose(given, "mode", MODES, "combined", name),
        blur=_choose(given, "blurtype", AZURE_BLURS, "Med", name),
        resolution=_choose(given, "resolution", RESOLUTIONS, "SourceResolution", name),
    )
    if given:
        raise AnnotationError(f"{name}: unknown options {sorted(given)}; known are mode, blurType, resolution")
    return chosen


def _load(source: str | Path | Mapping[str, Any], name: str) -> dict[str, Any]:
    if isinstance(source, Mapping):
        return dict(lower_keys(dict(source)))
    data = to_utf8(load_bytes(source, most=_MOST_BYTES), path=source)
    return decode_json(data, dict[str, Any], path=name, ignore_case=True)


def _choose(given: dict[str, Any], key: str, allowed: list[str], default: str, name: str) -> str:
    value = given.pop(key, None)
    if value is None:
        return default
    by_lower = {word.lower(): word for word in allowed}
    if not isinstance(value, str) or value.lower() not in by_lower:
        raise AnnotationError(f"{name}: {key} must be one of {', '.join(allowed)}, got {str(value)[:40]!r}")
    return by_lower[value.lower()]
