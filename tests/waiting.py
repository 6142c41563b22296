"""Wait for something in another process or thread."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any


def wait_until(true: Callable[[], Any], seconds: float = 120.0) -> Any:
    """Return what ``true()`` says as soon as that is true; fail after ``seconds``."""
    end = time.monotonic() + seconds
    while not (said := true()):
        assert time.monotonic() < end, f"waited {seconds} s in vain"
        time.sleep(0.01)
    return said
