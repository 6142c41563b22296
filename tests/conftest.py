"""Fixtures shared by all tests."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from redactkit.annotations import Annotations
from tests.sample_clips import cut_sample, sample_truth

ROOT = Path(__file__).parents[1]

# Machines are shared and noisy: no property is timed, and CI tries the same examples each time.
settings.register_profile("steady", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("steady")


def _beside(name: str) -> Path:
    folder = ROOT.parent / "shared" / name
    if not folder.is_dir():
        pytest.skip(f"needs the real files of ../shared/{name}, which are not here")
    return folder


@pytest.fixture(autouse=True)
def ordinary_priority() -> Iterator[None]:
    """Hold every test to leaving this process as it was scheduled: processes of later tests inherit that."""
    yield
    if hasattr(os, "sched_getscheduler"):
        assert os.sched_getscheduler(0) == os.SCHED_OTHER


@pytest.fixture(scope="session")
def shared_media() -> Path:
    """Folder of real clips, outside the project."""
    return _beside("media")


@pytest.fixture(scope="session")
def shared_eval() -> Path:
    """Folder of hand labels and the scorer, outside the project."""
    return _beside("eval")


@pytest.fixture(scope="session")
def shared_formats() -> Path:
    """Folder of example annotation files, outside the project."""
    return _beside("formats")


@pytest.fixture(scope="session")
def sample_media() -> Path:
    """Folder of the committed sample clip."""
    return ROOT / "sample_media"


@pytest.fixture(scope="session")
def short_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixty frames of the sample at 640x360, with sound."""
    return cut_sample(tmp_path_factory.mktemp("clip") / "short.mp4")


@pytest.fixture(scope="session")
def short_truth(short_clip: Path) -> Annotations:
    """The true boxes of `short_clip`."""
    return sample_truth(short_clip)
