"""How one object is hidden: blur kind, strength and shape; and the text in which a decision keeps what differs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from redactkit.effects.kinds import get_kind
from redactkit.errors import OptionError

__all__ = [
    "SHAPES",
    "Look",
    "as_look",
    "ellipse_mask",
    "ellipse_share",
    "format_look",
    "parse_look",
]

SHAPES = ("rectangle", "ellipse")

_NAMES = ("blur", "margin", "strength", "shape", "head")
_SWITCH = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}


@dataclass(frozen=True)
class Look:
    """How a box is painted.

    Parameters
    ----------
    kind : str
        Blur kind, in any case.
    strength : float
        1 to 10, see `redactkit.effects.Effect`.
    shape : {"rectangle", "ellipse"}
        An ellipse is painted inside the box that it is given, so that box must have been grown by `ellipse_share`.

    Raises
    ------
    OptionError
        If a value is none of these.

    Examples
    --------
    >>> Look("Black").shape
    'rectangle'
    """

    kind: str = "Med"
    strength: float = 1.0
    shape: str = "rectangle"

    def __post_init__(self) -> None:
        object.__setattr__(self, "kind", get_kind(self.kind).name)
        object.__setattr__(self, "shape", _as_shape(self.shape))
        if not 1 <= self.strength <= 10:
            raise OptionError(f"strength must be from 1 (as measured) to 10 (ten times coarser), got {self.strength}")


def _as_shape(text: str) -> str:
    shape = str(text).strip().casefold()
    if shape not in SHAPES:
        raise OptionError(f"shape must be one of {', '.join(SHAPES)}, got {text!r:.60}")
    return shape


def ellipse_share(margin: ArrayLike) -> NDArray[np.float64]:
    """Return by what share a box grows on each side for the ellipse in it to hold the box with its margin, corners too.

    So an ellipse hides every pixel that a rectangle of the same margin hides.

    Examples
    --------
    >>> ellipse_share([0, 0.15]).round(3).tolist()
    [0.207, 0.419]
    """
    return np.asarray((0.5 + np.asarray(margin, np.float64)) * math.sqrt(2) - 0.5)


def ellipse_mask(
    box: tuple[float, float, float, float], rows: slice, columns: slice, *, step: tuple[int, int]
) -> NDArray[np.bool_]:
    """Return which samples of a plane the ellipse in a box touches, be it with a corner.

    Parameters
    ----------
    box : tuple of 4 floats
        x, y, width, height in luma pixels; the ellipse touches its four sides.
    rows, columns : slice
        Of the plane.
    step : tuple of int
        Luma pixels to a sample, across and down.

    Examples
    --------
    >>> ellipse_mask((0, 0, 4, 4), slice(0, 4), slice(0, 4), step=(1, 1)).astype(int).tolist()
    [[1, 1, 1, 1], [1, 1, 1, 1], [1, 1, 1, 1], [1, 1, 1, 1]]
    >>> int(ellipse_mask((0, 0, 100, 50), slice(0, 50), slice(0, 100), step=(1, 1))[0].sum())
    30
    """
    x, y, width, height = box
    across = _nearest(columns, step[0], middle=x + width / 2) / max(width / 2, 1e-9)
    down = _nearest(rows, step[1], middle=y + height / 2) / max(height / 2, 1e-9)
    return np.asarray(across[None, :] ** 2 + down[:, None] ** 2 <= 1)


def _nearest(samples: slice, step: int, *, middle: float) -> NDArray[np.float64]:
    """Return how far from the middle the nearest edge of each sample lies, 0 for the sample that holds it."""
    centres = (np.arange(samples.start, samples.stop) + 0.5) * step
    return np.maximum(np.abs(centres - middle) - step / 2, 0)


def as_look(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return what an object's look says, checked: ``blur``, ``margin``, ``strength``, ``shape``, ``head``.

    Raises
    ------
    OptionError
        If a name or value is none of these.

    Examples
    --------
    >>> as_look({"blur": "black", "margin": 0.3})
    {'blur': 'Black', 'margin': 0.3}
    """
    unknown = sorted(set(options) - {*_NAMES})
    if unknown:
        raise OptionError(f"a look has {', '.join(_NAMES)}, got {unknown[0]!r}")
    given = {name: options[name] for name in _NAMES if options.get(name) is not None}
    for name in {"margin", "strength"} & given.keys():
        given[name] = _as_number(name, given[name])
    checked = Look(given.get("blur", "Med"), given.get("strength", 1.0), given.get("shape", "rectangle"))
    if not 0 <= given.get("margin", 0.0) <= 2:
        raise OptionError(f"margin must be a share from 0 to 2, got {given['margin']}; 0.15 adds 15 % on each side")
    if "head" in given:
        if given["head"] not in (True, False):
            raise OptionError(f"head must be yes or no, got {given['head']!r:.40}")
        given["head"] = bool(given["head"])
    named = {"blur": checked.kind, "shape": checked.shape}
    return {name: named.get(name, value) for name, value in given.items()}


def _as_number(name: str, value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        raise OptionError(f"{name} must be a number, got {value!r:.40}") from None


def format_look(options: Mapping[str, Any]) -> str:
    """Return a look as the text that tables and files hold.

    Examples
    --------
    >>> format_look({"blur": "black", "shape": "ellipse", "head": True, "margin": 0.3})
    'blur=Black margin=0.3 shape=ellipse head=yes'
    """
    given = as_look(options)
    return " ".join(f"{name}={_word(value)}" for name, value in given.items())


def _word(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def parse_look(text: str) -> dict[str, Any]:
    """Read a look from text.

    Raises
    ------
    OptionError
        If it is none.

    Examples
    --------
    >>> parse_look("blur=Black margin=0.3 head=yes"), parse_look("")
    ({'blur': 'Black', 'margin': 0.3, 'head': True}, {})
    """
    words = [word.partition("=") for word in text.replace(",", " ").replace(";", " ").split()]
    wrong = next((name for name, equals, _ in words if not equals), None)
    if wrong is not None:
        raise OptionError(f"a look is text such as 'blur=Black shape=ellipse', got {text!r:.80}")
    given: dict[str, Any] = {name: value for name, _, value in words}
    if "head" in given:
        given["head"] = _SWITCH.get(given["head"].casefold(), given["head"])
    return as_look(given)
