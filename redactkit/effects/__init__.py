"""Paint over faces in the planes of decoded pictures: array in, same array changed inside the boxes."""

from redactkit.effects.effect import HOLD_FRAMES, Effect
from redactkit.effects.kinds import BLUR_KINDS, HIDING_KINDS, BlurKind, get_kind
from redactkit.effects.layout import PixelLayout
from redactkit.effects.look import SHAPES, Look
from redactkit.effects.swatches import swatches

__all__ = [
    "HOLD_FRAMES",
    "BLUR_KINDS",
    "HIDING_KINDS",
    "SHAPES",
    "BlurKind",
    "Effect",
    "Look",
    "PixelLayout",
    "get_kind",
    "swatches",
]


def __dir__() -> list[str]:
    return sorted(__all__)
