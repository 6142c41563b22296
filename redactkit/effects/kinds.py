"""The blur kinds by name: what each shows, and whether it hides who somebody is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from redactkit.errors import OptionError

__all__ = ["KINDS", "BlurKind", "get_kind"]


@dataclass(frozen=True)
class BlurKind:
    """One way to paint over a face.

    Parameters
    ----------
    name : str
    summary : str
        One line for menus and reports.
    cosmetic : bool
        Whether people stay recognisable: such a kind is for looks or for checking, not for hiding.
    cells : int
        Independent luma values along the longer side of the box, whatever its size; 0 if no pixel inside the
        box is used. More show more of the face.
    chroma_cells : int
        The same for each chroma plane; 0 if colour comes from around the box, or is fixed.
    levels : int
        Quantization levels over the whole range; 0 for none. Fewer hide more.
    noise : float
        Largest offset of each cell, and once more of all cells together, as a share of the whole range; the
        same for a face in every frame. More hides more.
    shuffled : bool
        Whether cells are permuted, in the same way for a face in every frame.
    look : str
        How cells become pixels: ``smooth``, ``linear``, ``blocks``, ``membrane``, ``flat`` or ``outline``.
    """

    name: str
    summary: str
    cosmetic: bool
    cells: int
    chroma_cells: int
    levels: int
    noise: float
    shuffled: bool
    look: str


_ALL = (
    BlurKind("Low", "Light blur; people stay recognisable, cosmetic only", True, 28, 14, 0, 0.0, False, "linear"),
    BlurKind("Med", "Strong smooth blur; hides identity", False, 4, 0, 32, 0.15, False, "smooth"),
    BlurKind(
        "High",
        "Smooth blur of few, noisy, shuffled cells; hides identity and pose",
        False,
        4,
        0,
        16,
        0.15,
        True,
        "smooth",
    ),
    BlurKind("Box", "Outline only, for checking boxes; hides nothing", True, 0, 0, 0, 0.0, False, "outline"),
    BlurKind("Black", "Solid black; nothing of the face is left", False, 0, 0, 0, 0.0, False, "flat"),
    BlurKind(
        "Pixelate", "Mosaic of few large, noisy, shuffled blocks; hides identity", False, 4, 0, 32, 0.3, True, "blocks"
    ),
    BlurKind("Fill", "Smooth fill made only from pixels around the box", False, 0, 0, 0, 0.0, False, "membrane"),
)

KINDS: Mapping[str, BlurKind] = MappingProxyType({kind.name: kind for kind in _ALL})
"""Every blur kind by its name, in the order in which menus show them."""


def get_kind(name: str) -> BlurKind:
    """Return the blur kind called ``name``, in any letter case.

    Raises
    ------
    OptionError
        If there is no such kind; the message names those there are.

    Examples
    --------
    >>> get_kind("med").name
    'Med'
    """
    for kind in _ALL:
        if kind.name.lower() == str(name).strip().lower():
            return kind
    raise OptionError(f"unknown blur {name!r}; choose one of {', '.join(KINDS)}")
