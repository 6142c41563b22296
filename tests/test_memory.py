"""Memory given back to the system, measured in a process of its own."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc keeps what threads let go")

SCRIPT = """
import threading
from redactkit.runtime.memory import limit_arenas, trim_heap

def megabytes():
    return int(open("/proc/self/statm").read().split()[1]) * 4096 / 1e6

def use(small):
    small += [b"x" * 50_000 for _ in range(100)]

assert limit_arenas()
kept = [[] for _ in range(8)]
for small in kept:
    thread = threading.Thread(target=use, args=[small])
    thread.start()
    thread.join()
for small in kept:
    del small[:-1]  # the last keeps all that lies before it
before = megabytes()
trim_heap()
print(before, megabytes())
"""


def test_trim_heap_returns_what_lies_between_blocks_in_use():
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    before, after = (float(number) for number in done.stdout.split())
    assert before - after > 25, "of 40 MB all but eight pieces were free"


LARGE = """
import sys
from contextlib import nullcontext
from redactkit.runtime.memory import mmap_large_blocks

def megabytes():
    return int(open("/proc/self/statm").read().split()[1]) * 4096 / 1e6

del bytearray(30 << 20)[:]  # from now on glibc keeps blocks of this size among the small ones
with mmap_large_blocks() if sys.argv[1] == "apart" else nullcontext():
    large, small = [], []
    for _ in range(20):
        large.append(bytearray(b"x") * (4 << 20))
        small.append(b"x" * 50_000)
    before = megabytes()
    del large
    print(before - megabytes())
"""


def test_large_blocks_that_are_mapped_go_back_to_the_system_when_they_are_freed():
    # Dask, in the process of other tests, sets glibc's thresholds for all that come after.
    clean = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")}
    run = {"capture_output": True, "text": True, "check": True, "env": clean}
    apart, among = (
        float(subprocess.run([sys.executable, "-c", LARGE, how], **run).stdout) for how in ("apart", "among")
    )
    assert apart > 70 and apart > among + 50, "80 MB were freed"


PAGES = """
import mmap
from redactkit.runtime.memory import small_pages

HUGE = 2 << 20

def huge_kilobytes():
    with open("/proc/self/smaps_rollup") as rollup:
        return next(int(line.split()[1]) for line in rollup if line.startswith("AnonHugePages"))

def touched():
    before, block = huge_kilobytes(), mmap.mmap(-1, 16 * HUGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    block.madvise(mmap.MADV_HUGEPAGE)
    for place in range(0, len(block), HUGE):
        block[place] = 1
    grown = huge_kilobytes() - before
    block.close()
    return grown

first = touched()
with small_pages():
    inside = touched()
print(first, inside, touched())
"""


def test_no_huge_pages_where_they_are_unwanted_and_again_afterwards():
    done = subprocess.run([sys.executable, "-c", PAGES], capture_output=True, text=True, check=True)
    before, inside, after = (int(number) for number in done.stdout.split())
    if not before:
        pytest.skip("this system gives no huge pages")
    assert inside == 0
    assert after > 0
