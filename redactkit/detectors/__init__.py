"""Face detectors: callables from a batch of RGB images to the boxes in each.

A detector is any callable of that form; a test double is a lambda.
"""

from redactkit.detectors.loading import (
    DETECTORS,
    Detector,
    is_thread_safe,
    load_detector,
    prepare,
    release,
    release_others,
    rest,
    run_detector,
)

__all__ = [
    "DETECTORS",
    "Detector",
    "is_thread_safe",
    "load_detector",
    "prepare",
    "release",
    "release_others",
    "rest",
    "run_detector",
]
