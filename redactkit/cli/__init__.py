"""The command line: the passes and the looks at files, by the same verbs as the functions.

Exit codes: 0 done; 1 could not, with a one-line reason; 2 wrong usage; 3 done, but a face is
exposed, fidelity is broken, or much of the source is damaged.
"""

from redactkit.cli.commands import main

__all__ = ["main"]
