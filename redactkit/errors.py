"""The errors of redactkit: each says what was expected, what came, where, and what to do.

Every class is also a builtin, so that ``except ValueError`` keeps working for callers
that do not know redactkit.
"""

from __future__ import annotations

__all__ = [
    "AnnotationError",
    "AnnotationWarning",
    "DetectorError",
    "MismatchError",
    "OptionError",
    "OutputExistsError",
    "PassCancelled",
    "RedactkitError",
    "TableError",
    "VideoError",
]


class RedactkitError(Exception):
    """Base of everything redactkit raises on purpose."""


class OptionError(RedactkitError, ValueError):
    """An argument, a preset or a command-line option has a value that means nothing."""


class TableError(RedactkitError, ValueError):
    """A detections table or an array of boxes breaks the schema."""


class AnnotationError(RedactkitError, ValueError):
    """An annotation file, an ID list or a preset cannot be read."""


class VideoError(RedactkitError, OSError):
    """A video cannot be opened, decoded or written."""


class OutputExistsError(RedactkitError, FileExistsError):
    """An output is already there and ``overwrite`` was not asked for."""


class MismatchError(RedactkitError, ValueError):
    """Annotations were made from another video than the one given."""


class DetectorError(RedactkitError, RuntimeError):
    """A detector's model is missing, altered, or gave output of the wrong shape."""


class PassCancelled(RedactkitError, InterruptedError):
    """A pass was cancelled by its caller; no output was left."""


class AnnotationWarning(UserWarning):
    """Something of an annotation file was lost, repaired or is not what it claims; the message names it."""
