"""``python -m benchmarks``: the speed table."""

from benchmarks.speed import main

main()
