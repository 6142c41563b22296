"""Every notebook runs from top to bottom, and leaves the repository as it was."""

from __future__ import annotations

from pathlib import Path

import pytest
from nbmake.nb_run import NotebookRun

from tests.sample_clips import cut_sample

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))
VERDICTS = {"clean", "to be looked at", "exposed", "broken", "unproven"}
ON_A_CLIP = {"01_two_passes", "03_check_the_result", "05_your_own_video"}


@pytest.fixture(scope="module")
def part(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four seconds of the sample: what is said in the notebooks run on it holds there too."""
    return cut_sample(tmp_path_factory.mktemp("clip") / "sample.mp4", stop=100)


@pytest.mark.slow
@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_runs_from_top_to_bottom(notebook, part, tmp_path, monkeypatch):
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    text = notebook.read_text()
    if notebook.stem in ON_A_CLIP:
        assert "rk.sample_path()" in text
        text = text.replace("rk.sample_path()", f"'{part}'")
    copy = tmp_path / notebook.name
    copy.write_text(text)
    result = NotebookRun(copy, default_timeout=600).execute()
    assert result.error is None, f"{result.error.summary}\n{result.error.trace}"
    if notebook.stem == "03_check_the_result":
        printed = [
            out["text"].strip() for cell in result.nb["cells"] for out in cell.get("outputs", []) if "text" in out
        ]
        assert [text for text in printed if text in VERDICTS] == ["clean", "exposed"]
