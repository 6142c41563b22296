"""``python -m redactkit``: the command line, where no ``redactkit`` is on the path."""

from redactkit.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
