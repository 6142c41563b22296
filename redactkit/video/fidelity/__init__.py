"""Fidelity check: compare an output with its source in frames, time, size, orientation, colour, pictures and sound.

It does not use the reader that the redaction used. The source's packets are read anew; if they leave a doubt, the
source is decoded by a plain loop.
"""

from redactkit.video.fidelity.comparison import check_container, compare_files
from redactkit.video.fidelity.rows import CHECKS

__all__ = ["CHECKS", "check_container", "compare_files"]
