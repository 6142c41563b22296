"""Every notebook runs from top to bottom, and leaves the repository as it was."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from nbmake.nb_run import NotebookRun

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))


@pytest.mark.slow
@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_runs_from_top_to_bottom(notebook, tmp_path, monkeypatch):
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    copy = shutil.copyfile(notebook, tmp_path / notebook.name)
    result = NotebookRun(copy, default_timeout=300).execute()
    assert result.error is None, f"{result.error.summary}\n{result.error.trace}"
