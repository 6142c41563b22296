"""Run the command line as ``python -m redactkit.cli``."""

import sys

from redactkit.cli import main

if __name__ == "__main__":
    sys.exit(main())
