"""Detectors of other things than faces, as a job carries them: plain values with the hash of the model file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from redactkit.detectors import Detector
from redactkit.errors import DetectorError, OptionError
from redactkit.runtime.kinds import as_kind

__all__ = ["describe_models", "load_models"]


def describe_models(given: Mapping[str, Any] | None) -> dict[str, dict[str, Any]]:
    """Return the model of each kind as plain values, with the SHA-256 of its file.

    Parameters
    ----------
    given : mapping, optional
        Paths of model files and `redactkit.detectors.objects.ObjectModel`, by kind.

    Raises
    ------
    OptionError
        If one is neither: a worker loads a detector from its file, and a callable has none.
    DetectorError
        If a file cannot be read.
    """
    if not given:
        return {}
    from redactkit.detectors.objects import ObjectModel, digest_of  # with the inference runtime, wanted only here

    models = {}
    for kind, one in given.items():
        if not isinstance(one, str | Path | ObjectModel):
            raise OptionError(f"the detector of {kind} is a model file or an ObjectModel in a job, got {one!r:.60}")
        model = one if isinstance(one, ObjectModel) else ObjectModel(one)
        file = Path(model.path).absolute()
        models[as_kind(kind)] = asdict(model) | {"path": str(file), "sha256": digest_of(file)}
    return models


def load_models(models: Mapping[str, Mapping[str, Any]]) -> dict[str, Detector]:
    """Return the detectors that `describe_models` has described.

    Raises
    ------
    DetectorError
        If a model cannot be read, or its file is another one here than where the job was submitted.
    """
    if not models:
        return {}
    from redactkit.detectors.objects import ObjectDetector, ObjectModel

    found: dict[str, Detector] = {}
    for kind, given in models.items():
        values = dict(given)
        expected = values.pop("sha256")
        detector = ObjectDetector(ObjectModel(**values))
        if detector.digest != expected:
            raise DetectorError(
                f"the model {values['path']} is not the file with which the job was submitted; submit it again"
            )
        found[kind] = detector
    return found
