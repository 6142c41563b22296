"""Kernels killed while a person edits: what was decided is there when the workbench is opened again.

``REDACTKIT_KILLS=9`` kills nine of them.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from jupyter_client.manager import start_new_kernel

from redactkit.annotations import Annotations
from redactkit.formats import write_annotations
from redactkit.review import Review
from redactkit.widgets import Workbench
from tests.editing_kernel import digest
from tests.waiting import wait_until

KILLS = int(os.environ.get("REDACTKIT_KILLS", "2"))
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs signals")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")
def test_a_killed_kernel_loses_no_decision_and_the_next_workbench_says_so(
    short_clip: Path, short_truth: Annotations, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    for number in range(KILLS):
        folder = tmp_path / str(number)
        folder.mkdir()
        write_annotations(short_truth, folder / "short_annotations.json")
        after = 1 + 3 * number  # the edit in the middle of which, or soon after which, it dies
        manager, client = start_new_kernel(env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)})
        try:
            client.execute(f"from tests.editing_kernel import edit_on; edit_on({str(short_clip)!r}, {str(folder)!r})")
            wait_until(is_done(folder / "done.jsonl", after), 60)
        finally:
            os.kill(manager.provisioner.process.pid, signal.SIGKILL)
            client.stop_channels()
            manager.shutdown_kernel(now=True)
            manager.cleanup_resources()
        assert_nothing_lost(short_clip, folder)


def is_done(log: Path, edits: int) -> Callable[[], bool]:
    return lambda: log.exists() and len(log.read_bytes().splitlines()) >= edits


def assert_nothing_lost(clip: Path, folder: Path) -> None:
    """Fail unless a workbench goes on from the last edit that was done, or from the one after."""
    lines = (folder / "done.jsonl").read_bytes().split(b"\n")[:-1]
    done = json.loads(lines[-1])
    review = Review.open(clip, folder / "short_annotations.json")
    room = Workbench(review)
    try:
        assert len(review.history) - done["edits"] in (0, 1)
        assert f"opened again with {len(review.history)} edits" in room.viewer.stage.note["text"]
        while review.history_position > done["edits"]:
            review.undo()
        assert digest(review) == done["digest"]
    finally:
        room.close()
        review.close()
