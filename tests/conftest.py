"""Fixtures shared by all tests."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def _beside(name: str) -> Path:
    folder = ROOT.parent / "shared" / name
    if not folder.is_dir():
        pytest.skip(f"needs the real files of ../shared/{name}, which are not here")
    return folder


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
