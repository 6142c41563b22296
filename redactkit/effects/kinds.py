"""The blur kinds by name: what each shows, and whether it hides who somebody is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass
from types import MappingProxyType

from redactkit.errors import OptionError

__all__ = ["BLUR_KINDS", "HIDING_KINDS", "BlurKind", "get_kind"]


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
    look : str
        How cells become pixels: ``smooth``, ``linear``, ``blocks``, ``membrane``, ``flat`` or ``outline``.
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
    label : str
        What a menu or a button calls it; by default its name.
    draft : str
        Of a cosmetic kind, the word that names of its files carry, so that none is taken for a redacted video; by
        default its name in lower case.
    """

    name: str
    summary: str
    _: KW_ONLY
    cosmetic: bool
    look: str
    cells: int = 0
    chroma_cells: int = 0
    levels: int = 0
    noise: float = 0.0
    shuffled: bool = False
    label: str = ""
    draft: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "label", self.label or self.name)
        object.__setattr__(self, "draft", self.draft or (self.name.lower() if self.cosmetic else ""))

    @property
    def hides_nothing(self) -> bool:
        """Whether every pixel of the face stays, but for a line around it."""
        return self.look == "outline"


_ALL = (
    BlurKind(
        "Low",
        "Light blur; people stay recognisable, cosmetic only",
        cosmetic=True,
        look="linear",
        cells=28,
        chroma_cells=14,
        label="light blur, hides nobody",
        draft="light",
    ),
    BlurKind(
        "Med",
        "Strong smooth blur; hides identity",
        cosmetic=False,
        look="smooth",
        cells=4,
        levels=32,
        noise=0.15,
        label="Blur",
    ),
    BlurKind(
        "High",
        "Smooth blur of few, noisy, shuffled cells; hides identity and pose",
        cosmetic=False,
        look="smooth",
        cells=4,
        levels=16,
        noise=0.15,
        shuffled=True,
        label="More blur",
    ),
    BlurKind(
        "Box",
        "Outline only, for checking boxes; hides nothing",
        cosmetic=True,
        look="outline",
        label="outlines only, hides nothing",
        draft="outlines",
    ),
    BlurKind("Black", "Solid black; nothing of the face is left", cosmetic=False, look="flat"),
    BlurKind(
        "Pixelate",
        "Mosaic of few large, noisy, shuffled blocks; hides identity",
        cosmetic=False,
        look="blocks",
        cells=4,
        levels=32,
        noise=0.3,
        shuffled=True,
        label="Mosaic",
    ),
    BlurKind("Fill", "Smooth fill made only from pixels around the box", cosmetic=False, look="membrane"),
)

BLUR_KINDS: Mapping[str, BlurKind] = MappingProxyType({kind.name: kind for kind in _ALL})
"""Every blur kind by its name, in the order in which menus show them."""

HIDING_KINDS = tuple(kind.name for kind in _ALL if not kind.cosmetic)
"""The names of the kinds that hide who somebody is, in the same order."""


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
    raise OptionError(f"unknown blur {name!r}; choose one of {', '.join(BLUR_KINDS)}")
