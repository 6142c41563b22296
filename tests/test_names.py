"""Names that were given up stay so: no code, test or page uses one that the changelog's tables list as old."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import redactkit

ROOT = Path(__file__).parents[1]
PACKAGE = Path(redactkit.__file__).parent  # which may be installed
FOLDERS = [PACKAGE, *(ROOT / name for name in ("benchmarks", "docs", "notebooks", "sample_media", "tests"))]
TEXT = {".py", ".js", ".css", ".md", ".ipynb"}


def _first_column(heading: str) -> list[str]:
    """Return the names in the first column of the changelog's table under a heading."""
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    rows = text.partition(f"| {heading} | now |\n")[2].partition("\n\n")[0]
    names: list[str] = []
    for row in rows.splitlines()[1:]:
        listed = re.findall(r"`([\w.]+)`", row.split("|")[1])
        # Of modules in one package, those after the first may go without its name.
        names += [listed[0].rpartition(".")[0] + name if name.startswith(".") else name for name in listed]
    return names


def _used(text: str, names: list[str]) -> set[str]:
    """Return which of the names stand in the text as words; those of several words also within longer names."""
    pattern = "|".join(re.escape(name) for name in sorted(names, key=len, reverse=True))
    found = re.findall(rf"(?<![^\W_])(?:{pattern})(?![^\W_])", text) if names else []
    alone = re.findall(rf"(?<!\w)(?:{pattern})(?!\w)", text) if names else []
    return {name for name in found if "_" in name} | set(alone)


def _old_modules() -> list[str]:
    """Return old modules by their whole path; a path that a module or package has today again is not old."""
    paths = {name: PACKAGE.joinpath(*name.split(".")) for name in _first_column("module, in `redactkit`")}
    return [name for name, path in paths.items() if not (path.is_dir() or path.with_suffix(".py").exists())]


def _text_files() -> list[Path]:
    return sorted({path for folder in FOLDERS for path in folder.rglob("*") if path.suffix in TEXT})


def test_used_finds_whole_words_only():
    assert _used("Wall = a.wall, walls", []) == set()
    assert _used("Wall = a.wall, walls", ["wall", "Wal"]) == {"wall"}
    assert _used("import a.wall", ["a.wall", "wall"]) == {"a.wall"}
    assert _used("def test_wall_is_no_wall_at_all", ["wall", "wall_at"]) == {"wall_at"}


def test_changelog_lists_old_names():
    assert len(_old_modules()) > 40
    assert len(_first_column("name")) > 40


@pytest.mark.parametrize("folder", ["analysis", "formats", "jobs", "tracking", "video"])
def test_old_modules_are_told_by_their_package(folder):
    assert [name for name in _old_modules() if name.startswith(f"{folder}.")]


def test_no_old_name_is_used():
    # A module at the top is looked for with the package before it: some are words of the language.
    modules = [name if "." in name else f"redactkit.{name}" for name in _old_modules()]
    names = _first_column("name") + modules
    files = _text_files()
    assert len(files) > 300, "the package's files were not found"
    found = {str(path): used for path in files if (used := _used(path.read_text(encoding="utf-8"), names))}
    assert found == {}
