"""The pages of the site: their code runs, and what they list is what the code has."""

from __future__ import annotations

import contextlib
import io
import re
import shlex
import shutil
import tomllib
from pathlib import Path

import pytest
import yaml

import redactkit as rk
from redactkit.cli import main
from redactkit.errors import AnnotationWarning
from redactkit.jobs.job import TABLE
from redactkit.redaction import RedactionReport
from redactkit.tables import DECISIONS, DETECTIONS, TRACKS
from redactkit.verification import VerificationReport
from tests.sample_clips import cut_sample

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted((DOCS / "how_to").glob("*.md"))
BLOCK = re.compile(r"^```(python|sh)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NEEDS = {"dask": "distributed", "supervision": "supervision"}
SLOW = {"check_a_result", "dask", "many_videos", "own_detector"}


def _blocks(page: Path) -> list[tuple[str, str]]:
    return BLOCK.findall(page.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def analyzed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as the pages take it for granted: lobby.mp4, its analysis, a file of another tool, videos/."""
    folder = tmp_path_factory.mktemp("how_to")
    clip = cut_sample(folder / "lobby.mp4", stop=30)
    found = rk.analyze(clip, output=folder / "lobby_analysis", progress=False)
    with pytest.warns(AnnotationWarning, match="no room for"):
        found.to("cvat", folder / "theirs.xml")
    (folder / "videos").mkdir()
    shutil.copy(clip, folder / "videos")
    return folder


def _run_python(text: str, names: dict, page: Path) -> None:
    with contextlib.redirect_stdout(io.StringIO()):
        exec(compile(text, str(page), "exec"), names)


def _run_shell(text: str) -> None:
    for line in text.splitlines():
        command, *arguments = shlex.split(line)
        assert command == "redactkit", line
        with contextlib.redirect_stdout(io.StringIO()):
            assert main([*arguments, *(["--overwrite"] if arguments[0] == "analyze" else [])]) == 0, line


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize(
    "page", [pytest.param(page, marks=[pytest.mark.slow] * (page.stem in SLOW), id=page.stem) for page in PAGES]
)
def test_code_of_a_how_to_page_runs_as_it_stands(page, analyzed, tmp_path, monkeypatch):
    if page.stem in NEEDS:
        pytest.importorskip(NEEDS[page.stem])
    blocks = _blocks(page)
    assert blocks
    assert "```" not in BLOCK.sub("", page.read_text(encoding="utf-8"))
    shutil.copytree(analyzed, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    names: dict = {"__name__": "how_to"}
    for language, text in blocks:
        if language == "python":
            _run_python(text, names, page)
        else:
            _run_shell(text)
    for value in names.values():
        if isinstance(value, RedactionReport):
            assert value.ok
        elif isinstance(value, VerificationReport):
            assert value.verdict == "clean"
        elif isinstance(value, rk.Jobs):
            assert set(value.table()["state"]) == {"done"}, value.table()["error"].tolist()


def test_every_page_is_in_the_navigation_and_every_how_to_in_its_list():
    nav = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))["nav"]
    listed = set(re.findall(r"[\w/]+\.md", yaml.safe_dump(nav)))
    there = {path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md")}
    assert there <= listed
    index = (DOCS / "how_to" / "index.md").read_text(encoding="utf-8")
    assert {page.name for page in PAGES} - {"index.md"} == set(re.findall(r"\((\w+\.md)\)", index))


@pytest.mark.parametrize(
    ("heading", "columns"),
    [("detections", DETECTIONS), ("decisions", DECISIONS), ("tracks", TRACKS), ("jobs", TABLE)],
)
def test_tables_page_lists_the_columns_there_are(heading, columns):
    text = (DOCS / "tables.md").read_text(encoding="utf-8")
    section = re.search(rf"^## {heading}\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)[1]
    cells = re.findall(r"^\| (`.*?) \|", section, re.MULTILINE)
    assert re.findall(r"`(\w+)`", " ".join(cells)) == list(columns)


def test_drawn_layers_are_those_that_the_import_linter_checks():
    text = (DOCS / "architecture.md").read_text(encoding="utf-8")
    rows = re.search(r"## Layers\n.*?```\n(.*?)```", text, re.DOTALL)[1].splitlines()
    contract = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]["contracts"]
    layers = [re.findall(r"\w+", layer) for layer in contract[0]["layers"]]
    known = {name for layer in layers for name in layer}
    drawn = [[word for word in re.findall(r"\w+", row) if word in known] for row in rows]
    assert [set(row[: len(layer)]) for row, layer in zip(drawn, layers, strict=True)] == [set(one) for one in layers]


def test_citation_has_the_version_and_licence_of_the_package():
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert (cited["version"], cited["license"]) == (project["version"], project["license"])
    assert {"cff-version", "message", "title", "authors"} <= set(cited)
    assert cited["version"] == rk.__version__
